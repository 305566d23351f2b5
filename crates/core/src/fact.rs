//! Facts: what sprag has learned about a repository, one immutable statement each. They are kept as a set on the state branch; two
//! facts with one id are the same fact, so reading a thing twice changes nothing and two jobs that race both keep what they learned.
//!
//! What they add up to is the [`Book`](crate::book::Book).

use crate::cluster::{Author, Change, ClusterBook, ClusterState, Revision};
use crate::curation::{Curation, Curations, Subject};
use crate::failure::FailureRecord;
use crate::hash;
use crate::id::{CaseId, ClusterId, ExperimentId, RecordId, RunId};
use crate::ledger::Entry;
use crate::score::{Scorecard, Sealed};
use crate::signal::Report;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The dashboard among the things that are [answered](What::Answered).
pub const DASHBOARD: &str = "dashboard";

/// One thing that was learned, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// RFC 3339, UTC.
    pub at: String,
    /// What was learned.
    pub what: What,
}

/// What was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// An issue was read as it stood.
    IssueRead {
        /// Its number.
        issue: u64,
        /// The hash of all that was read: the same issue read again is the same fact.
        digest: String,
        /// When GitHub last saw the issue change, RFC 3339: what was changed and changed back is read three times.
        as_of: String,
        /// When the issue was opened, RFC 3339: a failure told of is not younger.
        opened_at: String,
        /// When somebody told of a failure, RFC 3339, for those told of in a comment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        told_at: BTreeMap<RecordId, String>,
        /// What came of it.
        reading: Reading,
    },
    /// An artifact of a workflow run was read.
    ArtifactRead {
        /// Its id.
        artifact: u64,
        /// The workflow run that made it.
        run: u64,
        /// Its name.
        name: String,
        /// What is too large for one fact comes in several; this is the how many-th, from 0.
        #[serde(default)]
        part: u32,
        /// When the workflow run began, RFC 3339: it ran a harness that is not younger.
        ran_at: String,
        /// How many traces were in it.
        traces: u32,
        /// The failures among them.
        failures: Vec<FailureRecord>,
        /// What could not be read, a sentence each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<String>,
    },
    /// Files were read that somebody named.
    FilesRead {
        /// The hash of the failures: the same failures read again are the same fact.
        digest: String,
        /// The files, as they were named.
        files: Vec<String>,
        /// What is too large for one fact comes in several; this is the how many-th, from 0.
        #[serde(default)]
        part: u32,
        /// How many traces were in them.
        traces: u32,
        /// The failures among them.
        failures: Vec<FailureRecord>,
    },
    /// A person decided something on the command line.
    Decided {
        /// Who, as git names them; may be empty.
        by: String,
        /// What follows from it.
        decisions: Vec<Decision>,
    },
    /// A list on GitHub was read up to here; the next job goes on from there.
    ReadUntil {
        /// Which list: `issues agent-failure`, `artifacts`.
        stream: String,
        /// A time (RFC 3339), or the id of the newest thing that was read, padded with zeros: later ones sort behind it.
        cursor: String,
    },
    /// A person gave a command in a comment.
    Commanded {
        /// The id of the comment; a comment is heard once.
        comment: u64,
        /// The issue or pull request it stands on.
        on: u64,
        /// Who gave it.
        by: String,
        /// What follows from it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        decisions: Vec<Decision>,
        /// What sprag answers, Markdown.
        reply: String,
        /// Whether it was refused or not understood.
        refused: bool,
    },
    /// A person pressed a button on one of sprag's check runs.
    Pressed {
        /// The id of the check run.
        check: u64,
        /// Who pressed it.
        by: String,
        /// What follows from it.
        decisions: Vec<Decision>,
    },
    /// An entry of the ledger of a run.
    RunEntry {
        /// The run.
        run: RunId,
        /// The entry.
        entry: Box<Entry>,
    },
    /// An accepted change stands as a pull request.
    PullOpened {
        /// Its number.
        pull: u64,
        /// The cluster it is for.
        cluster: ClusterId,
        /// The run that found the change.
        run: RunId,
        /// The experiment of that run.
        experiment: ExperimentId,
        /// The branch.
        branch: String,
        /// The commit that was measured.
        head_sha: String,
        /// The commit the change was made on.
        base_sha: String,
    },
    /// One of sprag's pull requests was merged or closed by a person.
    PullSettled {
        /// Its number.
        pull: u64,
        /// The commit on the default branch, if it was merged.
        merged: Option<String>,
        /// When, RFC 3339.
        settled_at: String,
        /// Why it was closed, in the words of the person who did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person opened one of sprag's closed pull requests again.
    PullReopened {
        /// Its number.
        pull: u64,
        /// When it had been closed, RFC 3339.
        closed_at: String,
    },
    /// A pull request offers to take a merged one back.
    RevertOffered {
        /// The merged one.
        pull: u64,
        /// The number of the offer.
        revert: u64,
    },
    /// People merged or closed such an offer.
    RevertSettled {
        /// The merged one.
        pull: u64,
        /// The number of the offer.
        revert: u64,
        /// Whether its change was taken back.
        taken_back: bool,
        /// When, RFC 3339.
        settled_at: String,
    },
    /// The regression suite was run on the default branch.
    SuiteMeasured {
        /// The commit.
        sha: String,
        /// What it said.
        card: Scorecard,
    },
    /// A person opened the sealed test split for a release.
    TestOpened {
        /// What the release is called; a release is measured once.
        release: String,
        /// Who, as git or GitHub names them; may be empty.
        by: String,
        /// What it said.
        sealed: Sealed,
    },
    /// Clusters were found to be one, or something else than they were taken for.
    ClustersRevised {
        /// What changed, in order.
        revisions: Vec<Revision>,
    },
    /// A model decided what becomes of new clusters.
    Curated {
        /// What was decided.
        curations: Vec<Curation>,
    },
    /// Somebody ticked or cleared boxes on the dashboard.
    Ticked {
        /// The clusters whose box was changed, and whether it is ticked now.
        clusters: BTreeMap<ClusterId, bool>,
        /// The same for new cases.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        cases: BTreeMap<CaseId, bool>,
    },
    /// Something on GitHub was brought to what the book says it should be, so it need not be looked at until that changes.
    Answered {
        /// Which thing: `comment 12`, `dashboard`.
        thing: String,
        /// The hash of what it was brought to.
        digest: String,
        /// The job that did it.
        by: String,
    },
}

/// What came of reading an issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Reading {
    /// Failures.
    Failures {
        /// At least one.
        records: Vec<FailureRecord>,
    },
    /// The name of a task, which the next run will run.
    Task {
        /// What the issue says.
        report: Report,
    },
    /// Nothing that could be mined.
    NoTrace {
        /// What was there instead, as half a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<String>,
    },
    /// The label was put on by somebody without triage rights.
    Unconfirmed {
        /// Who.
        by: String,
    },
    /// The label was taken off again.
    Withdrawn,
}

/// What a person decided. It outlives every later clustering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decided", rename_all = "snake_case")]
pub enum Decision {
    /// Leave this cluster alone.
    Ignore {
        /// The cluster.
        cluster: ClusterId,
    },
    /// Work on an ignored cluster again, or on this one next.
    Prefer {
        /// The cluster.
        cluster: ClusterId,
    },
    /// These two are one.
    Merge {
        /// The one that stays.
        into: ClusterId,
        /// The one that goes.
        from: ClusterId,
    },
    /// A cluster has a better title.
    Rename {
        /// The cluster.
        cluster: ClusterId,
        /// The title.
        title: String,
    },
    /// These failures are something else than the rest of their cluster.
    Split {
        /// The cluster they are in.
        cluster: ClusterId,
        /// The failures that leave it.
        records: Vec<RecordId>,
    },
    /// Do not count this case: it wavers.
    Quarantine {
        /// The case.
        case: CaseId,
    },
    /// Count this case again.
    Restore {
        /// The case.
        case: CaseId,
    },
    /// This change is not wanted.
    Reject {
        /// Its pull request.
        pull: u64,
        /// Why.
        reason: String,
    },
    /// Read this issue again, and take its label as confirmed.
    Retry {
        /// The issue.
        issue: u64,
    },
    /// Something new may be worked on, or is to be left alone.
    Review {
        /// What.
        of: Subject,
        /// Whether it may be worked on.
        accepted: bool,
        /// Why; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
}

impl Decision {
    /// Leaves a cluster alone, or puts it before the others, if it says so.
    pub(crate) fn rank(&self, clusters: &mut ClusterBook, preferred: &mut BTreeSet<ClusterId>) {
        match self {
            Self::Review {
                of: Subject::Cluster(cluster),
                accepted,
                ..
            } => {
                let cluster = clusters.current(cluster);
                let state = if *accepted {
                    ClusterState::Open
                } else {
                    ClusterState::Ignored
                };
                clusters.mark(&cluster, state);
            }
            Self::Ignore { cluster } => {
                let cluster = clusters.current(cluster);
                clusters.mark(&cluster, ClusterState::Ignored);
                preferred.remove(&cluster);
            }
            Self::Prefer { cluster } => {
                let cluster = clusters.current(cluster);
                clusters.mark(&cluster, ClusterState::Open);
                preferred.insert(cluster);
            }
            _ => {}
        }
    }

    /// What it says of whether something may be worked on.
    pub(crate) fn review(&self, curations: &mut Curations) {
        match self {
            Self::Ignore { cluster } => curations.by_person(Subject::Cluster(cluster.clone()), false, ""),
            Self::Prefer { cluster } => curations.by_person(Subject::Cluster(cluster.clone()), true, ""),
            Self::Review { of, accepted, reason } => curations.by_person(of.clone(), *accepted, reason),
            _ => {}
        }
    }

    /// How it changes the clusters, if it does.
    pub fn revision(&self) -> Option<Revision> {
        let change = match self {
            Self::Merge { into, from } => Change::Merge {
                into: into.clone(),
                from: from.clone(),
            },
            Self::Split { cluster, records } => Change::Split {
                cluster: cluster.clone(),
                records: records.clone(),
            },
            Self::Rename { cluster, title } => Change::Rename {
                cluster: cluster.clone(),
                title: title.clone(),
            },
            Self::Ignore { .. }
            | Self::Prefer { .. }
            | Self::Quarantine { .. }
            | Self::Restore { .. }
            | Self::Reject { .. }
            | Self::Retry { .. }
            | Self::Review { .. } => {
                return None;
            }
        };
        Some(Revision {
            change,
            by: Author::Person,
            reason: String::new(),
        })
    }
}

impl Fact {
    /// The content hash of what makes this fact what it is. The time counts only where the same thing can become true twice.
    pub fn id(&self) -> String {
        match &self.what {
            What::IssueRead {
                issue, digest, as_of, ..
            } => hash::of(&("issue", issue, digest, as_of)),
            What::ArtifactRead { artifact, part, .. } => hash::of(&("artifact", artifact, part)),
            What::FilesRead { digest, part, .. } => hash::of(&("files", digest, part)),
            What::ReadUntil { stream, cursor } => hash::of(&("until", stream, cursor)),
            What::Commanded { comment, .. } => hash::of(&("command", comment)),
            What::RunEntry { run, entry } => hash::of(&("entry", run, &entry.id)),
            What::PullOpened { pull, head_sha, .. } => hash::of(&("pull", pull, head_sha)),
            What::PullSettled { pull, settled_at, .. } => hash::of(&("settled", pull, settled_at)),
            What::PullReopened { pull, closed_at } => hash::of(&("reopened", pull, closed_at)),
            What::Pressed { check, decisions, .. } => hash::of(&("pressed", check, decisions)),
            What::RevertOffered { revert, .. } => hash::of(&("revert", revert)),
            What::RevertSettled { revert, settled_at, .. } => hash::of(&("revert settled", revert, settled_at)),
            What::SuiteMeasured { sha, .. } => hash::of(&("suite", sha)),
            What::TestOpened { release, .. } => hash::of(&("test", release)),
            What::ClustersRevised { revisions } => hash::of(&("revised", revisions)),
            What::Curated { curations } => hash::of(&("curated", curations)),
            What::Answered { .. } | What::Ticked { .. } | What::Decided { .. } => hash::of(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(at: &str, what: What) -> Fact {
        Fact {
            at: at.to_owned(),
            what,
        }
    }

    #[test]
    fn the_same_thing_read_twice_is_one_fact_and_a_changed_one_another() {
        let read = |digest: &str| What::IssueRead {
            issue: 7,
            digest: digest.to_owned(),
            as_of: "2026-01-02T00:00:00Z".to_owned(),
            opened_at: "2026-01-01T00:00:00Z".to_owned(),
            told_at: BTreeMap::new(),
            reading: Reading::NoTrace { instead: None },
        };
        assert_eq!(fact("a", read("x")).id(), fact("b", read("x")).id());
        assert_ne!(fact("a", read("x")).id(), fact("a", read("y")).id());
    }

    #[test]
    fn what_can_become_true_twice_is_two_facts() {
        let answered = || What::Answered {
            thing: "dashboard".to_owned(),
            digest: "x".to_owned(),
            by: String::new(),
        };
        assert_ne!(fact("a", answered()).id(), fact("b", answered()).id());
    }

    #[test]
    fn a_fact_read_back_is_the_same_fact() {
        let one = fact(
            "2026-01-01T00:00:00Z",
            What::Commanded {
                comment: 1,
                on: 2,
                by: "alice".to_owned(),
                decisions: vec![Decision::Ignore {
                    cluster: ClusterId::new("c-1"),
                }],
                reply: "done".to_owned(),
                refused: false,
            },
        );
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), one);
    }
}
