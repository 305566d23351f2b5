//! Changes of clusters that no failure made: merges, splits and titles, by rules, a model or people. They go into the ledger, and are told to later
//! runs, so that they outlive every new clustering.

use super::{Cluster, ClusterBook};
use crate::hash;
use crate::id::{ClusterId, RecordId};
use serde::{Deserialize, Serialize};
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
        self.merged.insert(from.clone(), into.clone());
        true
    }

    /// Takes records out of a cluster; they found one of their own, whose id follows from both. Not all of them can leave.
    fn split_off(&mut self, cluster: &ClusterId, records: &[RecordId]) -> Option<ClusterId> {
        let whole = self.clusters.get_mut(cluster)?;
        let leaves = |record: &RecordId| records.contains(record);
        if whole.members.keys().all(leaves) || !whole.members.keys().any(leaves) {
            return None;
        }
        let mut founded = Cluster::founded_by(&whole.mechanism, whole.first_batch);
        founded.id = ClusterId::new(format!("c-{}", &hash::of(&(cluster, records))[..8]));
        founded.title = format!("{} (split off)", whole.title);
        founded.last_batch = whole.last_batch;
        founded.also.clone_from(&whole.also);
        let (gone, kept) = std::mem::take(&mut whole.members)
            .into_iter()
            .partition(|(record, _)| leaves(record));
        whole.members = kept;
        founded.members = gone;
        let id = founded.id.clone();
        self.clusters.insert(id.clone(), founded);
        Some(id)
    }

    fn rename(&mut self, cluster: &ClusterId, title: &str) -> bool {
        let Some(cluster) = self.clusters.get_mut(cluster).filter(|known| known.title != title) else {
            return false;
        };
        title.clone_into(&mut cluster.title);
        true
    }
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
