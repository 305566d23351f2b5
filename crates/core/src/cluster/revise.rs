//! Changes of clusters that no failure made: merges, splits and titles, by rules, a model or people. They go into the ledger, and are told to later
//! runs, so that they outlive every new clustering.

use super::{Cluster, ClusterBook, Member, part};
use crate::failure::Mechanism;
use crate::hash;
use crate::id::{ClusterId, RecordId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One change, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// What changes.
    #[serde(flatten)]
    pub change: Change,
    /// Who wants it.
    pub by: Author,
    /// Why, in a sentence; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Two clusters are one.
    Merge {
        /// The one that stays.
        into: ClusterId,
        /// The one that goes.
        from: ClusterId,
    },
    /// Some failures are something else than the rest of their cluster.
    Split {
        /// The cluster they are in.
        cluster: ClusterId,
        /// The failures that leave it.
        records: Vec<RecordId>,
    },
    /// A cluster has a better title.
    Rename {
        /// The cluster.
        cluster: ClusterId,
        /// A line.
        title: String,
    },
}

/// Who wants a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// sprag's rules.
    Rules,
    /// A model.
    Model,
    /// A person; nobody else touches these clusters any more.
    Person,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rules => "rules",
            Self::Model => "a model",
            Self::Person => "a person",
        })
    }
}

impl Change {
    /// The clusters it touches.
    pub fn clusters(&self) -> Vec<&ClusterId> {
        match self {
            Self::Merge { into, from } => vec![into, from],
            Self::Split { cluster, .. } | Self::Rename { cluster, .. } => vec![cluster],
        }
    }

    /// The same change, of the clusters that have become of these.
    fn of_today(&self, book: &ClusterBook) -> Self {
        match self {
            Self::Merge { into, from } => Self::Merge {
                into: book.current(into),
                from: book.current(from),
            },
            Self::Split { cluster, records } => Self::Split {
                cluster: book.current(cluster),
                records: records.clone(),
            },
            Self::Rename { cluster, title } => Self::Rename {
                cluster: book.current(cluster),
                title: title.clone(),
            },
        }
    }
}

impl ClusterBook {
    /// Changes clusters, in the order given. What changes nothing, or touches what a person has decided about, is left out.
    pub fn revise<'a>(&mut self, revisions: impl IntoIterator<Item = &'a Revision>) {
        for revision in revisions {
            self.revise_once(revision);
        }
        self.weigh();
    }

    /// All changes so far, in their order: what a later run is told.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// Whether a person has merged, split, named or ignored a cluster.
    pub fn is_decided(&self, cluster: &ClusterId) -> bool {
        self.decided.contains(cluster)
    }

    /// All clusters that a person has decided about: what a later run is told.
    pub fn decided(&self) -> &BTreeSet<ClusterId> {
        &self.decided
    }

    /// Leaves clusters to people.
    pub fn leave_to_people<'a>(&mut self, clusters: impl IntoIterator<Item = &'a ClusterId>) {
        self.decided.extend(clusters.into_iter().cloned());
    }

    /// The cluster where a record belongs that a mechanism's cluster would hold, after all merges and splits.
    pub(super) fn place_of(&self, cluster: &ClusterId, record: &RecordId) -> ClusterId {
        let mut place = cluster.clone();
        let mut passed = BTreeSet::new();
        while passed.insert(place.clone()) {
            let moved = self.moved.get(&(place.clone(), record.clone()));
            match moved.or_else(|| self.merged.get(&place)) {
                Some(next) => place = next.clone(),
                None => return place,
            }
        }
        // What was split off and merged back goes in a circle.
        self.current(cluster)
    }

    fn revise_once(&mut self, revision: &Revision) {
        let change = revision.change.of_today(self);
        let by_person = revision.by == Author::Person;
        if !by_person && change.clusters().into_iter().any(|cluster| self.is_decided(cluster)) {
            return;
        }
        let touched = match &change {
            Change::Merge { into, from } => self.unite(into, from).then(|| vec![into.clone()]),
            Change::Split { cluster, records } => {
                let founded = self.split_off(cluster, records);
                founded.map(|founded| vec![cluster.clone(), founded])
            }
            Change::Rename { cluster, title } => self.rename(cluster, title).then(|| vec![cluster.clone()]),
        };
        let Some(touched) = touched else { return };
        if by_person {
            self.decided.extend(touched);
        }
        self.revisions.push(Revision {
            change,
            ..revision.clone()
        });
    }

    /// Puts one cluster into another. A run may not know the one that stays, since nothing of it is left to fix: it then takes over what goes.
    fn unite(&mut self, into: &ClusterId, from: &ClusterId) -> bool {
        if into == from {
            return false;
        }
        if let Some(gone) = self.clusters.remove(from) {
            match self.clusters.get_mut(into) {
                Some(kept) => kept.take_over(gone),
                None => {
                    let taken = Cluster {
                        id: into.clone(),
                        ..gone
                    };
                    self.clusters.insert(into.clone(), taken);
                }
            }
        }
        // What was split off and comes back was not split off.
        self.moved.retain(|(whole, _), part| !(whole == into && part == from));
        self.merged.insert(from.clone(), into.clone());
        true
    }

    /// Takes records out of a cluster; they found one of their own, whose id follows from both. Those that come later go there too.
    fn split_off(&mut self, cluster: &ClusterId, records: &[RecordId]) -> Option<ClusterId> {
        let part = part_of(cluster, records);
        let mut new = false;
        for record in records {
            let known = self.moved.insert((cluster.clone(), record.clone()), part.clone());
            new |= known.as_ref() != Some(&part);
        }
        if let Some(whole) = self.clusters.get_mut(cluster) {
            let leaves = |record: &RecordId| records.contains(record);
            let (gone, kept): (BTreeMap<_, _>, _) = std::mem::take(&mut whole.members)
                .into_iter()
                .partition(|(record, _)| leaves(record));
            whole.members = kept;
            let (like, empty) = (whole.clone(), whole.members.is_empty());
            if let Some(mechanism) = mostly(&gone) {
                let title = self.titles.get(&part).cloned();
                let founded = self.clusters.entry(part.clone()).or_insert_with(|| {
                    let founded = Cluster::founded_by(&mechanism, like.first_batch);
                    Cluster {
                        id: part.clone(),
                        title: title.unwrap_or_else(|| part::untold(&founded.title)),
                        last_batch: like.last_batch,
                        ..founded
                    }
                });
                let others = gone.values().map(|member| &member.mechanism);
                let new = others.filter(|other| **other != founded.mechanism);
                founded.also.extend(new.cloned());
                founded.members.extend(gone);
            }
            if empty {
                self.clusters.remove(cluster);
            }
        }
        new.then_some(part)
    }

    fn rename(&mut self, cluster: &ClusterId, title: &str) -> bool {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            title.clone_into(&mut cluster.title);
        }
        self.titles.insert(cluster.clone(), title.to_owned()).as_deref() != Some(title)
    }
}

/// The id of the cluster that records found when they leave another.
pub fn part_of(cluster: &ClusterId, records: &[RecordId]) -> ClusterId {
    ClusterId::new(format!("c-{}", &hash::of(&(cluster, records))[..8]))
}

/// The mechanism that most members show; of several the first by name.
fn mostly(members: &BTreeMap<RecordId, Member>) -> Option<Mechanism> {
    let mut counts: BTreeMap<&Mechanism, usize> = BTreeMap::new();
    for member in members.values() {
        *counts.entry(&member.mechanism).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    let mut first = counts.into_iter().filter(|(_, count)| *count == most);
    first.next().map(|(mechanism, _)| mechanism.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::record;

    /// Three clusters of one failure each.
    fn book() -> (ClusterBook, Vec<ClusterId>) {
        let mut book = ClusterBook::default();
        let found = ["refund", "cancel", "ship"].map(|tool| {
            let failure = record(tool, tool, &[("missing_action", tool)]);
            book.join(&failure, 1).remove(0)
        });
        (book, found.to_vec())
    }

    fn merge(by: Author, into: &ClusterId, from: &ClusterId) -> Revision {
        Revision {
            change: Change::Merge {
                into: into.clone(),
                from: from.clone(),
            },
            by,
            reason: String::new(),
        }
    }

    fn rename(by: Author, cluster: &ClusterId, title: &str) -> Revision {
        Revision {
            change: Change::Rename {
                cluster: cluster.clone(),
                title: title.to_owned(),
            },
            by,
            reason: String::new(),
        }
    }

    #[test]
    fn what_a_person_decided_no_program_changes() {
        let (mut book, ids) = book();
        book.revise(&[rename(Author::Person, &ids[0], "forgets the refund")]);
        book.revise(&[
            rename(Author::Model, &ids[0], "money"),
            merge(Author::Rules, &ids[1], &ids[0]),
            merge(Author::Model, &ids[1], &ids[2]),
        ]);
        assert_eq!(book.clusters[&ids[0]].title, "forgets the refund");
        assert_eq!(book.clusters.len(), 2);
        assert_eq!(book.revisions().len(), 2, "only what changed something is remembered");
        book.revise(&[merge(Author::Person, &ids[0], &ids[1])]);
        assert_eq!(book.clusters.len(), 1, "another person may");
    }

    #[test]
    fn another_book_that_is_told_the_revisions_joins_its_failures_alike() {
        let (mut book, ids) = book();
        let ship = RecordId::new("ship");
        book.revise(&[
            merge(Author::Rules, &ids[0], &ids[1]),
            merge(Author::Person, &ids[0], &ids[2]),
            Revision {
                change: Change::Split {
                    cluster: ids[2].clone(),
                    records: vec![ship.clone()],
                },
                by: Author::Person,
                reason: "a parcel is no refund".to_owned(),
            },
        ]);
        let mut later = ClusterBook::default();
        for tool in ["refund", "cancel", "ship"] {
            later.join(&record(tool, tool, &[("missing_action", tool)]), 1);
        }
        let told: Vec<Revision> = serde_json::from_str(&serde_json::to_string(book.revisions()).unwrap()).unwrap();
        later.revise(&told);
        assert_eq!(later, book);
        assert_ne!(book.holding(&ship), [ids[0].clone()]);
    }

    fn split(cluster: &ClusterId, record: &str) -> Revision {
        Revision {
            change: Change::Split {
                cluster: cluster.clone(),
                records: vec![RecordId::new(record)],
            },
            by: Author::Person,
            reason: String::new(),
        }
    }

    #[test]
    fn what_was_split_off_stays_so_when_it_is_read_again_and_when_it_is_all_that_is_known() {
        let refund = |id: &str| record(id, id, &[("missing_action", "refund")]);
        let mut book = ClusterBook::default();
        let whole = book.join(&refund("a"), 1).remove(0);
        book.join(&refund("b"), 1);
        book.revise(&[split(&whole, "b")]);
        let part = book.holding(&RecordId::new("b"));
        assert_ne!(part, std::slice::from_ref(&whole));
        let before = book.clone();
        book.join(&refund("b"), 2);
        book.revise(&[split(&whole, "b")]);
        assert_eq!(book.holding(&RecordId::new("b")), part);
        assert_eq!(book.revisions(), before.revisions(), "told twice, it is no news");

        let mut run = ClusterBook::default();
        run.join(&refund("b"), 1);
        run.revise(before.revisions());
        assert_eq!(
            run.holding(&RecordId::new("b")),
            part,
            "also where the rest is not known"
        );
        assert_eq!(run.clusters.len(), 1);
        run.revise(&[merge(Author::Person, &whole, &part[0])]);
        assert_eq!(
            run.join(&refund("b"), 2),
            [whole],
            "and comes back when a person says so"
        );
    }

    #[test]
    fn a_cluster_that_is_named_before_it_is_founded_has_that_title_and_what_is_left_to_people_is() {
        let (_, ids) = book();
        let mut run = ClusterBook::default();
        run.revise(&[rename(Author::Person, &ids[0], "forgets the refund")]);
        run.leave_to_people([&ids[1]]);
        for tool in ["refund", "cancel"] {
            run.join(&record(tool, tool, &[("missing_action", tool)]), 1);
        }
        run.revise(&[merge(Author::Rules, &ids[2], &ids[1])]);
        assert_eq!(run.clusters[&ids[0]].title, "forgets the refund");
        assert!(run.clusters.contains_key(&ids[1]));
    }

    #[test]
    fn a_run_that_does_not_know_the_cluster_that_stays_still_calls_it_by_its_id() {
        let (_, ids) = book();
        let mut run = ClusterBook::default();
        run.revise(&[merge(Author::Person, &ids[0], &ids[1])]);
        let joined = run.join(&record("r", "t", &[("missing_action", "cancel")]), 1);
        assert_eq!(joined, [ids[0].clone()]);
        let cluster = &run.clusters[&ids[0]];
        assert!(cluster.shows(&cluster.mechanism), "and it is about what it holds");
    }
}
