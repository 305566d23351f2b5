//! Where a labelled issue stands, and whether it should be open: what its comment and its label are made from.

use super::Book;
use crate::cluster::{Cluster, ClusterState};
use crate::fact::Reading;
use crate::failure::FailureRecord;
use crate::id::RecordId;

/// Where an issue stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing<'a> {
    /// Its label was taken off: it is nothing to sprag any more.
    Withdrawn,
    /// Its label was put on by somebody without triage rights.
    Unconfirmed {
        /// Who.
        by: &'a str,
    },
    /// It names a task that the next run will run.
    Waiting,
    /// There is nothing to mine in it.
    NeedsTrace {
        /// What was there instead.
        instead: Option<&'a str>,
    },
    /// A failure came out of it, and nothing more has happened.
    Mined {
        /// The failure.
        record: &'a FailureRecord,
        /// The clusters it joined, that of the surest cause first.
        clusters: Vec<&'a Cluster>,
    },
    /// People said to leave its clusters alone.
    Ignored {
        /// The failure.
        record: &'a FailureRecord,
        /// The cluster.
        cluster: &'a Cluster,
    },
    /// A pull request that would resolve it waits for a person.
    Proposed {
        /// The failure.
        record: &'a FailureRecord,
        /// The cluster.
        cluster: &'a Cluster,
        /// The number of the pull request.
        pull: u64,
        /// Whether nothing else of the issue is left to resolve then.
        closes: bool,
    },
    /// A pull request that resolves it was merged.
    Fixed {
        /// The failure.
        record: &'a FailureRecord,
        /// The cluster.
        cluster: &'a Cluster,
        /// The number of the pull request.
        pull: u64,
    },
    /// It was resolved, and its cluster has failed again.
    Reopened {
        /// The failure.
        record: &'a FailureRecord,
        /// The failure that shows it.
        again: &'a FailureRecord,
        /// The cluster.
        cluster: &'a Cluster,
        /// The number of the pull request that had resolved it.
        pull: u64,
    },
    /// It was resolved, and the change that did was taken back.
    TakenBack {
        /// The failure.
        record: &'a FailureRecord,
        /// The cluster.
        cluster: &'a Cluster,
        /// The number of the pull request that had resolved it.
        pull: u64,
        /// The number of the one that took it back.
        by: u64,
    },
}

impl Book {
    /// Where an issue stands; `None` when it was never read.
    pub fn standing(&self, issue: u64) -> Option<Standing<'_>> {
        let entry = self.issues.get(&issue)?;
        if entry.reading == Reading::Withdrawn {
            return Some(Standing::Withdrawn);
        }
        let record = entry.records.last().and_then(|record| self.records.get(record));
        let Some(record) = record else {
            return Some(match &entry.reading {
                Reading::Withdrawn => Standing::Withdrawn,
                Reading::Unconfirmed { by } => Standing::Unconfirmed { by },
                Reading::Task { .. } => Standing::Waiting,
                Reading::NoTrace { instead } => Standing::NeedsTrace {
                    instead: instead.as_deref(),
                },
                Reading::Failures { .. } => Standing::NeedsTrace { instead: None },
            });
        };
        let ids = self.clusters_of(issue);
        let clusters: Vec<&Cluster> = ids.iter().filter_map(|id| self.clusters.clusters.get(id)).collect();
        Some(
            self.settled(record, &clusters)
                .unwrap_or(Standing::Mined { record, clusters }),
        )
    }

    fn settled<'a>(&'a self, record: &'a FailureRecord, clusters: &[&'a Cluster]) -> Option<Standing<'a>> {
        let first = *clusters.first()?;
        if clusters.iter().all(|cluster| cluster.state == ClusterState::Ignored) {
            return Some(Standing::Ignored { record, cluster: first });
        }
        if let Some((cluster, pull)) = clusters.iter().find_map(|cluster| {
            let (number, pull) = self.open_pull(&cluster.id)?;
            pull.is_for(record).then_some((*cluster, number))
        }) {
            let closes = clusters
                .iter()
                .all(|other| other.id == cluster.id || other.state == ClusterState::Resolved);
            return Some(Standing::Proposed {
                record,
                cluster,
                pull,
                closes,
            });
        }
        let merged = |cluster: &&'a Cluster| Some((*cluster, self.merged_pull(&cluster.id)?.0));
        let again = clusters
            .iter()
            .filter(|cluster| cluster.state == ClusterState::Reopened);
        if let Some((cluster, pull)) = again.clone().find_map(&merged) {
            let again = self.newest(cluster).unwrap_or(record);
            return Some(Standing::Reopened {
                record,
                again,
                cluster,
                pull,
            });
        }
        if let Some((cluster, (pull, by))) = again
            .clone()
            .find_map(|cluster| Some((*cluster, self.taken_back(&cluster.id)?)))
        {
            return Some(Standing::TakenBack {
                record,
                cluster,
                pull,
                by,
            });
        }
        let resolved = clusters.iter().all(|cluster| cluster.state == ClusterState::Resolved);
        let (cluster, pull) = clusters.iter().find_map(merged).filter(|_| resolved)?;
        Some(Standing::Fixed { record, cluster, pull })
    }

    /// The failure of a cluster that happened last.
    fn newest(&self, cluster: &Cluster) -> Option<&FailureRecord> {
        let happened = |record: &&RecordId| self.happened.get(*record).cloned();
        let newest = cluster.members.keys().max_by_key(happened)?;
        self.records.get(newest)
    }

    /// Whether an issue should be open: `None` to leave it as it is. Comes with words that say why, so that it is done once and what people
    /// do afterwards stands: `closed by #12`, `reopened after #12`.
    pub fn should_be_open(&self, issue: u64) -> Option<(bool, String)> {
        let done = self.answered.get(&thing_state(issue)).map_or("", String::as_str);
        let (open, why) = match self.standing(issue)? {
            Standing::Fixed { pull, .. } => (false, format!("closed by #{pull}")),
            // What was closed before the merge is not sprag's to open. Nothing is noted where the merge closed it and it failed again before the next sync.
            Standing::Reopened { pull, .. } | Standing::TakenBack { pull, .. }
                if done.is_empty() || done == format!("closed by #{pull}") =>
            {
                (true, format!("reopened after #{pull}"))
            }
            _ => return None,
        };
        if done == LEFT_CLOSED {
            return None;
        }
        (why != done).then_some((open, why))
    }
}

/// What is noted instead of words such as `closed by #12` where somebody had closed the issue before: it is not sprag's to open again.
pub const LEFT_CLOSED: &str = "was closed before";

/// The thing among the answered ones that says whether an issue is open.
pub fn thing_state(issue: u64) -> String {
    format!("state of {issue}")
}
