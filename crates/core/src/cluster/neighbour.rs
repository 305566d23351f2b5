//! Clusters whose mechanisms say much the same in other words.

use super::{Author, Change, Cluster, ClusterBook, ClusterState, Revision, id_of};
use crate::failure::Mechanism;
use crate::id::ClusterId;
use crate::mine::model::OTHER;
use crate::similar::{Rarity, Sparse};
use kodama::{Method, linkage};
use std::collections::BTreeMap;

/// Average linkage is cut where clusters differ in half of what they say. What is joined wrongly hides a fault, what stays apart costs a line.
const CUT: f64 = 0.5;
/// Of more clusters about one thing, only those near each other in the order of their words are compared: time stays linear.
const WINDOW: usize = 256;

impl ClusterBook {
    /// The merges of clusters whose mechanisms are free text about the same thing (the errors of one tool, failed checks, a model's
    /// own words) and say much the same. They depend on which clusters there are, and not on the order in which they came; the older one stays. What a person
    /// split off, merged, named or ignored is left alone.
    pub fn alike(&self) -> Vec<Revision> {
        let merge = |into: &ClusterId, from: &ClusterId| Revision {
            change: Change::Merge {
                into: into.clone(),
                from: from.clone(),
            },
            by: Author::Rules,
            reason: "they say much the same of the same thing".to_owned(),
        };
        let groups = groups(self);
        let pairs = groups.iter().filter_map(|group| group.split_first());
        pairs
            .flat_map(|(kept, gone)| gone.iter().map(move |from| merge(kept, from)))
            .collect()
    }
}

/// Groups of at least two, each with the oldest first.
fn groups(book: &ClusterBook) -> Vec<Vec<ClusterId>> {
    let mut blocks: BTreeMap<String, Vec<(&str, &Cluster)>> = BTreeMap::new();
    for cluster in book.clusters.values().filter(|cluster| is_free(book, cluster)) {
        if let Some((about, text)) = free_text(&cluster.mechanism) {
            blocks.entry(about).or_default().push((text, cluster));
        }
    }
    let mut groups = Vec::new();
    for (_, mut block) in blocks {
        block.sort_by(|left, right| left.0.cmp(right.0).then(left.1.id.cmp(&right.1.id)));
        groups.extend(block.chunks(WINDOW).flat_map(joined));
    }
    groups
}

/// Whether nobody has decided about it, or waits with a change for it: what a pull request resolves must not grow under it. What was split off was
/// taken apart for a reason.
fn is_free(book: &ClusterBook, cluster: &Cluster) -> bool {
    let free = matches!(cluster.state, ClusterState::Open | ClusterState::Reopened);
    free && cluster.id == id_of(&cluster.mechanism) && !book.is_decided(&cluster.id)
}

/// What a mechanism is about, and what it says of it in words of its own.
fn free_text(mechanism: &Mechanism) -> Option<(String, &str)> {
    match mechanism.rule.as_str() {
        "tool_error" => mechanism
            .subject
            .split_once(": ")
            .map(|(tool, said)| (format!("tool_error {tool}"), said)),
        "failed_check" | OTHER => Some((mechanism.rule.clone(), mechanism.subject.as_str())),
        _ => None,
    }
}

fn joined(block: &[(&str, &Cluster)]) -> Vec<Vec<ClusterId>> {
    if block.len() < 2 {
        return Vec::new();
    }
    let rarity = Rarity::of(block.iter().map(|(text, _)| *text));
    let vectors: Vec<Sparse> = block.iter().map(|(text, _)| rarity.vector(text)).collect();
    let mut distances = Vec::new();
    for left in 0..vectors.len() {
        distances.extend(
            vectors[left + 1..]
                .iter()
                .map(|right| 1.0 - vectors[left].cosine(right)),
        );
    }
    // Every step of the dendrogram makes a cluster numbered after the observations.
    let mut made: Vec<Vec<usize>> = (0..block.len()).map(|at| vec![at]).collect();
    for step in linkage(&mut distances, block.len(), Method::Average).steps() {
        let mut both = Vec::new();
        if step.dissimilarity <= CUT {
            both = [
                std::mem::take(&mut made[step.cluster1]),
                std::mem::take(&mut made[step.cluster2]),
            ]
            .concat();
        }
        made.push(both);
    }
    let groups = made.into_iter().filter(|group| group.len() > 1);
    groups
        .map(|group| {
            let mut clusters: Vec<&Cluster> = group.into_iter().map(|at| block[at].1).collect();
            clusters.sort_by(|left, right| left.first_batch.cmp(&right.first_batch).then(left.id.cmp(&right.id)));
            clusters.into_iter().map(|cluster| cluster.id.clone()).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{record, task};
    use crate::id::RecordId;
    use proptest::prelude::*;

    const ERRORS: [&str; 5] = [
        "book: no seats left on flight #",
        "book: no seats are left on flight #",
        "book: the card was declined",
        "pay: no seats left on flight #",
        "book: payment card declined",
    ];

    fn book(order: &[usize]) -> ClusterBook {
        let mut book = ClusterBook::default();
        for &at in order {
            let id = at.to_string();
            book.join(&record(&id, &id, &[("tool_error", ERRORS[at])]), 1);
        }
        book
    }

    /// Makes the merges, and says how many.
    fn gather(book: &mut ClusterBook) -> usize {
        let found = book.alike();
        book.revise(&found);
        found.len()
    }

    fn members(book: &ClusterBook) -> Vec<Vec<String>> {
        let ids = |cluster: &Cluster| cluster.members.keys().map(ToString::to_string).collect();
        let mut members: Vec<Vec<String>> = book.clusters.values().map(ids).collect();
        members.sort();
        members
    }

    #[test]
    fn the_same_error_in_other_words_is_one_cluster_but_not_that_of_another_tool() {
        let mut errors = book(&[0, 1, 2, 3]);
        assert_eq!(gather(&mut errors), 1);
        assert_eq!(members(&errors), [vec!["0", "1"], vec!["2"], vec!["3"]]);
        let joined = errors.join(&record("9", "9", &[("tool_error", ERRORS[1])]), 2);
        assert!(
            errors.clusters[&joined[0]].members.contains_key(&RecordId::new("0")),
            "and stays one"
        );
        assert_eq!(gather(&mut errors), 0);
    }

    #[test]
    fn what_a_person_decided_is_left_alone() {
        let mut errors = book(&[0, 1]);
        let id = errors.holding(&RecordId::new("1")).remove(0);
        errors.mark(&id, ClusterState::InProgress);
        assert_eq!(gather(&mut errors), 0, "a change waits for it");
        errors.mark(&id, ClusterState::Ignored);
        assert_eq!(gather(&mut errors), 0);
        let mut split = book(&[0]);
        split.join(&record("7", "7", &[("tool_error", ERRORS[0])]), 1);
        let whole = split.holding(&RecordId::new("0")).remove(0);
        split.revise(&[Revision {
            change: Change::Split {
                cluster: whole,
                records: vec![RecordId::new("7")],
            },
            by: Author::Person,
            reason: String::new(),
        }]);
        assert_eq!(gather(&mut split), 0);
        split.resolve_task(&task("0"));
        assert_eq!(members(&split).len(), 2);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle()) {
            let (mut shuffled, mut sorted) = (book(&order), book(&[0, 1, 2, 3, 4]));
            gather(&mut shuffled);
            gather(&mut sorted);
            prop_assert_eq!(shuffled, sorted);
        }
    }
}
