//! Which of many texts to show: few, short ones that lie near what matters and differ in what they answer.
//!
//! How well a set covers its targets, and how many kinds of answers it shows, is submodular, so picking the best next one again and again comes
//! within a factor of the best set (Nemhauser, Wolsey, Fisher, "An analysis of approximations for maximizing submodular set functions", 1978).
//! A gain is divided by the square root of its length, as Lin and Bilmes do for summaries ("Multi-document summarization via budgeted
//! maximization of submodular functions", 2010).

use crate::similar::{Rarity, Sparse};
use std::collections::BTreeSet;

/// Something that can be shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// What it is about.
    pub(super) text: String,
    /// What kind of answer it shows; empty for none that could be told.
    pub(super) class: String,
    /// Characters.
    pub(super) length: usize,
}

/// What should be covered, with its weight.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) text: String,
    pub(super) weight: f64,
}

/// What a set does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Selection {
    /// The indexes of the items, the most useful first.
    pub(super) items: Vec<usize>,
    /// The weighted mean over the targets of the cosine with what is nearest to them, what is shown already included; 0 without targets.
    pub(super) near: f64,
    /// How many kinds of answers the items show.
    pub(super) classes: usize,
}

/// Picks at most `most` items. `shown` are the texts that are there already.
pub(super) fn select(items: &[Item], targets: &[Target], shown: &[String], most: usize) -> Selection {
    let texts = items.iter().map(|item| item.text.as_str());
    let rarity = Rarity::of(texts.chain(targets.iter().map(|target| target.text.as_str())));
    let vectors: Vec<Sparse> = items.iter().map(|item| rarity.vector(&item.text)).collect();
    let total: f64 = targets
        .iter()
        .map(|target| target.weight)
        .sum::<f64>()
        .max(f64::MIN_POSITIVE);
    let goals: Vec<(Sparse, f64)> = targets
        .iter()
        .map(|target| (rarity.vector(&target.text), target.weight / total))
        .collect();
    let shown: Vec<Sparse> = shown.iter().map(|text| rarity.vector(text)).collect();
    let mut nearest: Vec<f64> = goals
        .iter()
        .map(|(goal, _)| shown.iter().map(|text| text.cosine(goal)).fold(0.0, f64::max))
        .collect();
    let cosines: Vec<Vec<f64>> = vectors
        .iter()
        .map(|vector| goals.iter().map(|(goal, _)| vector.cosine(goal)).collect())
        .collect();
    let kinds: BTreeSet<&str> = items
        .iter()
        .map(|item| item.class.as_str())
        .filter(|class| !class.is_empty())
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred kinds and characters")]
    let (each, length) = (1.0 / kinds.len().max(1) as f64, |item: &Item| {
        (item.length.max(1) as f64).sqrt()
    });
    let mut picked = Selection::default();
    let mut classes: BTreeSet<&str> = BTreeSet::new();
    while picked.items.len() < most {
        let gain = |at: usize| {
            let closer = cosines[at].iter().zip(&nearest).zip(&goals);
            let near: f64 = closer
                .map(|((new, old), (_, weight))| (new - old).max(0.0) * weight)
                .sum();
            let fresh = !items[at].class.is_empty() && !classes.contains(items[at].class.as_str());
            (near + if fresh { each } else { 0.0 }) / length(&items[at])
        };
        let rest = (0..items.len()).filter(|at| !picked.items.contains(at));
        let best = rest
            .map(|at| (gain(at), at))
            .filter(|(gain, _)| *gain > 0.0)
            .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(&left.1)));
        let Some((_, at)) = best else { break };
        picked.items.push(at);
        nearest
            .iter_mut()
            .zip(&cosines[at])
            .for_each(|(old, new)| *old = old.max(*new));
        if !items[at].class.is_empty() {
            classes.insert(&items[at].class);
        }
    }
    picked.near = nearest
        .iter()
        .zip(&goals)
        .map(|(near, (_, weight))| near * weight)
        .sum();
    picked.classes = classes.len();
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str, class: &str) -> Item {
        Item {
            text: text.to_owned(),
            class: class.to_owned(),
            length: text.len(),
        }
    }

    fn target(text: &str) -> Target {
        Target {
            text: text.to_owned(),
            weight: 1.0,
        }
    }

    #[test]
    fn what_lies_near_the_targets_comes_first_and_doubles_come_last() {
        let items = [
            item("book a table for two in the old town", "a"),
            item("the refund went to the wrong card", "a"),
            item("my refund went to a wrong card again", "a"),
            item("the parcel was left in the rain", "a"),
        ];
        let targets = [target("a refund to the wrong card"), target("where is my parcel")];
        let picked = select(&items, &targets, &[], 2);
        assert_eq!(picked.items.len(), 2);
        assert!([1, 2].contains(&picked.items[0]) && picked.items[1] == 3, "{picked:?}");
        assert!(picked.near > 0.3);
    }

    #[test]
    fn every_kind_of_answer_is_shown_before_one_is_shown_twice() {
        let items = [
            item("find a bus to Rome", "bus"),
            item("find a bus to Pisa", "bus"),
            item("is it going to rain", "weather"),
            item("play a song", "music"),
        ];
        let picked = select(&items, &[], &[], 3);
        let classes: BTreeSet<&str> = picked.items.iter().map(|&at| items[at].class.as_str()).collect();
        assert_eq!((classes.len(), picked.classes), (3, 3));
    }

    #[test]
    fn of_two_that_say_the_same_the_shorter_one_is_shown_and_what_adds_nothing_is_not() {
        let long = format!("refund the late order {}", "please ".repeat(40));
        let items = [item(&long, "refund"), item("refund the late order", "refund")];
        let picked = select(&items, &[target("refund the late order")], &[], 2);
        assert_eq!(picked.items[0], 1);
        assert_eq!(
            picked.items.len(),
            1,
            "the long one lies no nearer to anything: {picked:?}"
        );
    }

    #[test]
    fn what_is_shown_already_is_covered() {
        let items = [item("refund the late order", ""), item("where is the parcel", "")];
        let targets = [target("refund the late order"), target("where is my parcel")];
        let shown = ["refund the late order".to_owned()];
        assert_eq!(select(&items, &targets, &shown, 1).items, [1]);
    }
}
