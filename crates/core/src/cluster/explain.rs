//! What a cluster says of itself: what its members share, what tells them from the nearest other cluster, whom to look at, and its trend.

use super::{Cluster, ClusterBook};
use crate::failure::FailureRecord;
use crate::id::{ClusterId, RecordId};
use crate::similar::{Rarity, Sum, words};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How many words and exemplars are told.
const TOLD: usize = 5;
const EXEMPLARS: usize = 3;

/// A cluster in its own words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Words of requests and evidence that at least half of the members share and the title does not say, those that are rarest elsewhere first.
    pub shared: Vec<String>,
    /// The nearest other cluster, by the words of its members.
    pub neighbour: Option<ClusterId>,
    /// Words of requests and evidence that members have more often than those of the neighbour.
    pub unlike_neighbour: Vec<String>,
    /// The members that are most like all others.
    pub exemplars: Vec<RecordId>,
    /// How many members failed in each batch.
    pub batches: BTreeMap<u32, usize>,
    /// Where that leads.
    pub trend: Trend,
}

/// Whether a mechanism is seen more or less often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// It was first seen in the last batch.
    New,
    /// More often in the last batch than before on average.
    Rising,
    /// As often.
    Steady,
    /// Less often.
    Falling,
}

/// Explains every cluster; records that are not given are left out. The words of a member are those of its request and of its first finding.
pub fn explain(book: &ClusterBook, records: &BTreeMap<RecordId, FailureRecord>) -> BTreeMap<ClusterId, Explanation> {
    let texts: BTreeMap<&RecordId, String> = records.iter().map(|(id, record)| (id, text(record))).collect();
    let rarity = Rarity::of(texts.values().map(String::as_str));
    let profiles: BTreeMap<&ClusterId, Profile> = book
        .clusters
        .iter()
        .map(|(id, cluster)| (id, Profile::new(cluster, &texts, &rarity)))
        .collect();
    let mut everywhere: BTreeMap<&str, usize> = BTreeMap::new();
    for profile in profiles.values() {
        profile
            .holding
            .keys()
            .for_each(|word| *everywhere.entry(word).or_default() += 1);
    }
    let now = book
        .clusters
        .values()
        .map(|cluster| cluster.last_batch)
        .max()
        .unwrap_or(0);
    let explained = profiles.iter().map(|(id, profile)| {
        let cluster = &book.clusters[*id];
        let others = profiles.iter().filter(|(other, _)| other != &id);
        let neighbour = others
            .map(|(other, theirs)| (profile.likeness(theirs), *other, theirs))
            .filter(|(likeness, ..)| *likeness > 0.0)
            .max_by(|left, right| left.0.total_cmp(&right.0));
        let batches = batches(cluster);
        let said = said(cluster, records);
        let title: BTreeSet<String> = words(&cluster.title).collect();
        let mut shared = profile.shared(&everywhere);
        shared.retain(|word| said.contains(word) && !title.contains(word));
        shared.truncate(TOLD);
        let explanation = Explanation {
            shared,
            // What one member says and others do not is no mark of a cluster.
            unlike_neighbour: neighbour
                .filter(|_| profile.members > 1)
                .map_or_else(Vec::new, |(_, _, theirs)| {
                    let words = profile.unlike(theirs).into_iter();
                    words.filter(|word| said.contains(word)).take(TOLD).collect()
                }),
            neighbour: neighbour.map(|(_, other, _)| other.clone()),
            exemplars: profile.exemplars.clone(),
            trend: trend(&batches, now),
            batches,
        };
        ((*id).clone(), explanation)
    });
    explained.collect()
}

/// Words that members of a cluster have and those of another do not, the most telling first.
pub(super) fn unlike(cluster: &Cluster, other: &Cluster, records: &BTreeMap<RecordId, FailureRecord>) -> Vec<String> {
    let members = cluster.members.keys().chain(other.members.keys());
    let texts: BTreeMap<&RecordId, String> = members.filter_map(|id| Some((id, text(records.get(id)?)))).collect();
    let rarity = Rarity::of(texts.values().map(String::as_str));
    let profile = |cluster: &Cluster| Profile::new(cluster, &texts, &rarity);
    let mut words = profile(cluster).unlike(&profile(other));
    words.truncate(TOLD);
    words
}

/// The words of what people asked and of what was quoted, without those of the rules that found it.
fn said(cluster: &Cluster, records: &BTreeMap<RecordId, FailureRecord>) -> BTreeSet<String> {
    let members = cluster.members.keys().filter_map(|id| records.get(id));
    let texts = members.flat_map(|record| {
        let quotes = record.causes.iter().flat_map(|cause| &cause.evidence);
        std::iter::once(&record.context).chain(quotes.map(|evidence| &evidence.quote))
    });
    texts.flat_map(|text| words(text)).collect()
}

/// The words of a member: its request and its first finding.
fn text(record: &FailureRecord) -> String {
    let finding = record.causes.first().map_or("", |cause| cause.finding.as_str());
    format!("{}\n{finding}", record.context)
}

/// The words of a cluster.
struct Profile {
    members: usize,
    /// How many members have each word.
    holding: BTreeMap<String, usize>,
    exemplars: Vec<RecordId>,
}

impl Profile {
    fn new(cluster: &Cluster, texts: &BTreeMap<&RecordId, String>, rarity: &Rarity) -> Self {
        let members: Vec<(&RecordId, &String)> = cluster
            .members
            .keys()
            .filter_map(|id| Some((id, texts.get(id)?)))
            .collect();
        let mut holding: BTreeMap<String, usize> = BTreeMap::new();
        let mut sum = Sum::default();
        for (_, text) in &members {
            let unique: BTreeSet<String> = words(text).filter(|word| tells(word)).collect();
            unique
                .into_iter()
                .for_each(|word| *holding.entry(word).or_default() += 1);
            sum.add(&rarity.vector(text));
        }
        let mut central: Vec<(f64, &RecordId)> = members
            .iter()
            .map(|(id, text)| (sum.cosines(&rarity.vector(text)), *id))
            .collect();
        central.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
        Self {
            members: members.len(),
            holding,
            exemplars: central.into_iter().take(EXEMPLARS).map(|(_, id)| id.clone()).collect(),
        }
    }

    fn share(&self, word: &str) -> f64 {
        crate::agreement::share(self.holding.get(word).copied().unwrap_or(0), self.members)
    }

    fn shared(&self, everywhere: &BTreeMap<&str, usize>) -> Vec<String> {
        // One member shares all its words with itself.
        if self.members < 2 {
            return Vec::new();
        }
        let half = self.holding.iter().filter(|(_, count)| **count * 2 >= self.members);
        let mut shared: Vec<(&String, usize)> = half.map(|(word, count)| (word, *count)).collect();
        shared.sort_by_key(|(word, count)| (everywhere.get(word.as_str()).copied(), std::cmp::Reverse(*count)));
        shared.into_iter().map(|(word, _)| word.clone()).collect()
    }

    /// The cosine of the shares of words.
    fn likeness(&self, other: &Self) -> f64 {
        let length = |profile: &Self| {
            profile
                .holding
                .keys()
                .map(|word| profile.share(word).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let both: f64 = self
            .holding
            .keys()
            .map(|word| self.share(word) * other.share(word))
            .sum();
        if both > 0.0 {
            both / (length(self) * length(other))
        } else {
            0.0
        }
    }

    fn unlike(&self, other: &Self) -> Vec<String> {
        let more = |word: &&String| self.share(word) - other.share(word);
        let mut words: Vec<&String> = self.holding.keys().filter(|word| more(word) >= 0.5).collect();
        words.sort_by(|left, right| more(right).total_cmp(&more(left)));
        words.into_iter().cloned().collect()
    }
}

/// Short words and numbers tell little in any language.
fn tells(word: &str) -> bool {
    word.chars().count() >= 4 && !word.contains(|letter: char| letter.is_ascii_digit())
}

fn batches(cluster: &Cluster) -> BTreeMap<u32, usize> {
    let mut batches = BTreeMap::new();
    cluster
        .members
        .values()
        .for_each(|member| *batches.entry(member.batch).or_default() += 1);
    batches
}

fn trend(batches: &BTreeMap<u32, usize>, now: u32) -> Trend {
    let Some(first) = batches.keys().next().copied().filter(|first| *first < now) else {
        return Trend::New;
    };
    let last = batches.get(&now).copied().unwrap_or(0);
    let before: usize = batches.range(..now).map(|(_, count)| count).sum();
    match (last * (now - first) as usize).cmp(&before) {
        std::cmp::Ordering::Greater => Trend::Rising,
        std::cmp::Ordering::Equal => Trend::Steady,
        std::cmp::Ordering::Less => Trend::Falling,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::record;

    #[test]
    fn a_cluster_says_what_it_shares_and_what_tells_it_from_its_neighbour() {
        let mut book = ClusterBook::default();
        let mut records = BTreeMap::new();
        let mut add = |id: &str, subject: &str, request: &str, batch| {
            let mut record = record(id, id, &[("missing_action", subject)]);
            request.clone_into(&mut record.context);
            let joined = book.join(&record, batch).remove(0);
            records.insert(record.id.clone(), record);
            joined
        };
        let refund = add("r1", "refund", "Please refund the broken lamp of order 7", 1);
        add("r2", "refund", "refund my lamp", 2);
        add("r3", "refund", "the lamp is late, refund please", 2);
        let cancel = add("r4", "cancel", "please cancel the lamp order", 1);
        let ship = add("r5", "ship", "wohin geht mein Paket", 2);
        let told = explain(&book, &records);
        let refunds = &told[&refund];
        // The title says that it is about refunds.
        assert_eq!(refunds.shared, ["lamp", "please"]);
        assert_eq!(
            (refunds.neighbour.as_ref(), refunds.trend),
            (Some(&cancel), Trend::Rising)
        );
        assert_eq!(refunds.unlike_neighbour, ["refund"]);
        assert_eq!(refunds.exemplars.len(), 3);
        assert_eq!(refunds.batches, BTreeMap::from([(1, 1), (2, 2)]));
        assert_eq!((told[&cancel].trend, told[&ship].trend), (Trend::Falling, Trend::New));
        assert_eq!(told[&ship].neighbour, None);
    }
}
