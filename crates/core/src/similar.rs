//! How alike texts are: hashed words and character n-grams, weighted by how rare they are. No model, no download, any language.

use std::collections::BTreeMap;

/// The length of the character n-grams; four is long enough to carry a stem and short enough for languages without spaces.
const GRAM: usize = 4;
/// A feature that stands in more postings than this tells little and is not followed when neighbours are looked for.
const COMMON: usize = 2_000;

/// The features of a text with their weights, sorted by feature; of length 1, or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sparse(Vec<(u32, f32)>);

/// How rare each feature is among the texts that were counted.
#[derive(Debug, Clone, Default)]
pub struct Rarity {
    texts: usize,
    holding: BTreeMap<u32, u32>,
}

/// The sum of many vectors.
#[derive(Debug, Clone, Default)]
pub struct Sum(BTreeMap<u32, f64>);

/// Finds the vectors nearest to one without looking at all of them.
#[derive(Debug, Clone, Default)]
pub struct Index {
    vectors: Vec<Sparse>,
    postings: BTreeMap<u32, Vec<u32>>,
}

impl Rarity {
    /// Counts a text.
    pub fn count(&mut self, text: &str) {
        self.texts += 1;
        for feature in features(text).into_keys() {
            *self.holding.entry(feature).or_default() += 1;
        }
    }

    /// Counts many texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut rarity = Self::default();
        texts.into_iter().for_each(|text| rarity.count(text));
        rarity
    }

    /// The vector of a text: `(1 + ln count) × (1 + ln((texts + 1) / (holding + 1)))`, scaled to length 1.
    #[expect(clippy::cast_precision_loss, reason = "weights need no more than 24 bits")]
    pub fn vector(&self, text: &str) -> Sparse {
        let weight = |feature: u32, count: u32| {
            let holding = self.holding.get(&feature).copied().unwrap_or(0);
            let rare = 1.0 + ((self.texts + 1) as f32 / (holding + 1) as f32).ln();
            (1.0 + (count as f32).ln()) * rare
        };
        Sparse::unit(
            features(text)
                .into_iter()
                .map(|(feature, count)| (feature, weight(feature, count)))
                .collect(),
        )
    }
}

impl Sparse {
    fn unit(mut pairs: Vec<(u32, f32)>) -> Self {
        let length = pairs.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        if length > 0.0 {
            pairs.iter_mut().for_each(|(_, weight)| *weight /= length);
        }
        Self(pairs)
    }

    /// The cosine with another vector, from 0 to 1.
    pub fn cosine(&self, other: &Self) -> f64 {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut sum = 0.0;
        while let (Some((a, weight)), Some((b, other))) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(left.next()),
                std::cmp::Ordering::Greater => drop(right.next()),
                std::cmp::Ordering::Equal => {
                    sum += f64::from(weight * other);
                    left.next();
                    right.next();
                }
            }
        }
        sum
    }
}

impl Sum {
    /// Adds a vector. Sums of the same vectors in another order may differ in the last digit.
    pub fn add(&mut self, vector: &Sparse) {
        for (feature, weight) in &vector.0 {
            *self.0.entry(*feature).or_default() += f64::from(*weight);
        }
    }

    /// The sum of the cosines of one vector with all that were added.
    pub fn cosines(&self, vector: &Sparse) -> f64 {
        let weights = vector.0.iter();
        weights
            .filter_map(|(feature, weight)| Some(self.0.get(feature)? * f64::from(*weight)))
            .sum()
    }
}

impl Index {
    /// Adds a vector; its number is how many were added before.
    pub fn add(&mut self, vector: Sparse) -> usize {
        let number = self.vectors.len();
        for (feature, _) in &vector.0 {
            self.postings
                .entry(*feature)
                .or_default()
                .push(u32::try_from(number).unwrap_or(u32::MAX));
        }
        self.vectors.push(vector);
        number
    }

    /// The `k` vectors with the highest cosine above 0, the nearest first; of two that are equally near, the earlier one.
    pub fn nearest(&self, vector: &Sparse, k: usize) -> Vec<(usize, f64)> {
        let mut scores: BTreeMap<u32, ()> = BTreeMap::new();
        for (feature, _) in &vector.0 {
            let Some(postings) = self.postings.get(feature).filter(|postings| postings.len() <= COMMON) else {
                continue;
            };
            scores.extend(postings.iter().map(|&number| (number, ())));
        }
        let mut found: Vec<(usize, f64)> = scores
            .into_keys()
            .map(|number| (number as usize, vector.cosine(&self.vectors[number as usize])))
            .filter(|(_, cosine)| *cosine > 0.0)
            .collect();
        found.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        found.truncate(k);
        found
    }
}

/// The words of a text in lower case: runs of letters and digits.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// How often each word and each n-gram of a longer word occurs.
fn features(text: &str) -> BTreeMap<u32, u32> {
    let mut features = BTreeMap::new();
    for word in words(text) {
        *features.entry(hashed('w', &word)).or_default() += 1;
        let letters: Vec<char> = word.chars().collect();
        if letters.len() > GRAM {
            for gram in letters.windows(GRAM) {
                *features
                    .entry(hashed('g', &gram.iter().collect::<String>()))
                    .or_default() += 1;
            }
        }
    }
    features
}

/// FNV-1a, the same everywhere and in every run.
fn hashed(kind: char, text: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32 ^ u32::from(kind);
    for byte in text.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXTS: [&str; 4] = [
        "the refund goes to the wrong card",
        "refunds go to a wrong credit card",
        "the parcel is never sent",
        "la devolución va a otra tarjeta",
    ];

    #[test]
    fn what_says_the_same_is_nearer_than_what_does_not() {
        let rarity = Rarity::of(TEXTS);
        let vectors: Vec<Sparse> = TEXTS.iter().map(|text| rarity.vector(text)).collect();
        assert!((vectors[0].cosine(&vectors[0]) - 1.0).abs() < 1e-5);
        assert!(vectors[0].cosine(&vectors[1]) > 2.0 * vectors[0].cosine(&vectors[2]));
        assert!(Rarity::default().vector("…").cosine(&vectors[0]) < f64::EPSILON);
    }

    #[test]
    fn endings_do_not_hide_a_word_and_other_scripts_have_words() {
        let rarity = Rarity::of(TEXTS);
        assert!(rarity.vector("cancelling").cosine(&rarity.vector("cancelled")) > 0.4);
        assert!(
            rarity
                .vector("返金先のカードが違う")
                .cosine(&rarity.vector("返金先のカードが誤り"))
                > 0.3
        );
    }

    #[test]
    fn a_sum_gives_the_cosines_of_all_at_once() {
        let rarity = Rarity::of(TEXTS);
        let mut sum = Sum::default();
        TEXTS.iter().for_each(|text| sum.add(&rarity.vector(text)));
        let asked = rarity.vector("a refund to the wrong card");
        let one_by_one: f64 = TEXTS.iter().map(|text| rarity.vector(text).cosine(&asked)).sum();
        assert!((sum.cosines(&asked) - one_by_one).abs() < 1e-6);
    }

    #[test]
    fn the_index_finds_what_comparing_with_all_finds() {
        let rarity = Rarity::of(TEXTS);
        let mut index = Index::default();
        for text in TEXTS {
            index.add(rarity.vector(text));
        }
        let near = index.nearest(&rarity.vector("a refund to the wrong card"), 2);
        assert_eq!(near.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1]);
        assert!(index.nearest(&rarity.vector("zzz"), 2).is_empty());
    }

    proptest! {
        #[test]
        fn a_cosine_is_a_share_and_the_same_both_ways(left in ".{0,40}", right in ".{0,40}") {
            let rarity = Rarity::of([left.as_str(), right.as_str()]);
            let (a, b) = (rarity.vector(&left), rarity.vector(&right));
            prop_assert!((-1e-6..=1.0 + 1e-5).contains(&a.cosine(&b)));
            prop_assert!((a.cosine(&b) - b.cosine(&a)).abs() < 1e-6);
        }
    }
}
