//! The book: everything that sprag knows of a repository, folded from its [facts](crate::fact).
//!
//! The fold takes the facts in the order of their times, so whoever has the same set of facts has the same book, however many jobs
//! wrote them and in whatever order they arrived.

mod fold;
pub mod standing;
mod suite;

use crate::candidate::Proof;
use crate::case::EvalCase;
use crate::cluster::{ClusterBook, ClusterState};
use crate::curation::Curations;
use crate::fact::{Fact, Reading, What};
use crate::failure::{FailureKind, FailureRecord, Mechanism, RootCause};
use crate::gate::holdout::Asked;
use crate::id::{CaseId, ClusterId, ExperimentId, RecordId, RunId, TaskId};
use crate::learnings::{Kind, Learning, of_experiments};
use crate::ledger::{Entry, Event, Known};
use crate::machine::{self, State};
use crate::mine::text::shortened;
use crate::overview::Origin;
use crate::score::{Scorecard, Sealed};
use crate::signal::Report;
use std::collections::{BTreeMap, BTreeSet};

/// Everything known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Book {
    /// Labelled issues by number, as they were read last.
    pub issues: BTreeMap<u64, IssueEntry>,
    /// Artifacts that were read, by id.
    pub artifacts: BTreeSet<u64>,
    /// How far each list on GitHub was read.
    pub cursors: BTreeMap<String, String>,
    /// All failures by record.
    pub records: BTreeMap<RecordId, FailureRecord>,
    /// When the failure of a record happened at the earliest, RFC 3339.
    pub happened: BTreeMap<RecordId, String>,
    /// Where each was learned of first.
    pub origins: BTreeMap<RecordId, Origin>,
    /// Clusters.
    pub clusters: ClusterBook,
    /// sprag's own pull requests by number.
    pub pulls: BTreeMap<u64, PullEntry>,
    /// The ledgers of the runs, each in its order.
    pub runs: BTreeMap<RunId, Vec<Entry>>,
    /// Commands by the id of their comment.
    pub commands: BTreeMap<u64, CommandEntry>,
    /// Issues that a person wants to be read again.
    pub retry: BTreeSet<u64>,
    /// Issues whose label a person has confirmed.
    pub confirmed: BTreeSet<u64>,
    /// Cases that a person does not want to be counted, and since when, RFC 3339.
    pub quarantined: BTreeMap<CaseId, String>,
    /// Cases that a person has brought back, and how many runs had begun by then: what a run finds of them later counts again.
    pub(crate) restored: BTreeMap<CaseId, u32>,
    /// Clusters that a person wants to be worked on first.
    pub preferred: BTreeSet<ClusterId>,
    /// What people and models have decided about new clusters and cases.
    pub curations: Curations,
    /// What the regression suite said on commits of the default branch: commit and card, the newest last.
    pub suite: Vec<(String, Scorecard)>,
    /// When the sealed test split was opened for each release, RFC 3339, and what it said.
    pub opened: BTreeMap<String, (String, Sealed)>,
    /// What was brought to its wanted state: thing, and the hash of that state.
    pub answered: BTreeMap<String, String>,
    /// What two jobs brought there at once: it may be there twice.
    pub doubled: BTreeSet<String>,
    /// Counts the runs: the age of a failure is measured in them.
    n_runs: u32,
}

/// A labelled issue.
#[derive(Debug, Clone, PartialEq)]
pub struct IssueEntry {
    /// The hash of what was read.
    pub digest: String,
    /// What came of it.
    pub reading: Reading,
    /// The failures it shows: what was read in it, and what running its task showed.
    pub records: Vec<RecordId>,
}

/// One of sprag's pull requests.
#[derive(Debug, Clone, PartialEq)]
pub struct PullEntry {
    /// The cluster it is for.
    pub cluster: ClusterId,
    /// Where its change was found.
    pub run: RunId,
    /// See `run`.
    pub experiment: ExperimentId,
    /// Its branch.
    pub branch: String,
    /// The commit that was measured.
    pub head_sha: String,
    /// The commit the change was made on.
    pub base_sha: String,
    /// Where it stands.
    pub state: PullState,
    /// The mechanisms that its cluster had when it was measured; none where nobody knew the cluster then.
    pub mechanisms: BTreeSet<Mechanism>,
    /// What people made part of its cluster since, which was never measured with it.
    pub unmeasured: BTreeSet<RecordId>,
    /// What people said against it.
    pub reasons: Vec<String>,
    /// The number of the open pull request that offers to take it back.
    pub revert: Option<u64>,
}

/// Where a pull request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullState {
    /// Waiting for a person.
    Open,
    /// Merged.
    Merged {
        /// The commit on the default branch.
        sha: String,
        /// RFC 3339.
        at: String,
    },
    /// Closed without being merged.
    Closed {
        /// RFC 3339.
        at: String,
    },
    /// Merged, and taken back.
    TakenBack {
        /// The pull request that did it.
        by: u64,
        /// RFC 3339.
        at: String,
    },
}

impl PullEntry {
    /// Whether its change was measured for a failure: one of a mechanism that the cluster had then, and that nobody has moved there since.
    pub fn is_for(&self, record: &FailureRecord) -> bool {
        let measured = |cause: &RootCause| self.mechanisms.contains(&cause.mechanism);
        let known = self.mechanisms.is_empty() || record.causes.iter().any(measured);
        known && !self.unmeasured.contains(&record.id)
    }
}

impl PullState {
    /// Whether people decided against it, before or after the merge.
    fn is_unwanted(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::TakenBack { .. })
    }
}

/// A command and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEntry {
    /// The issue or pull request it stands on.
    pub on: u64,
    /// The answer, Markdown.
    pub reply: String,
    /// Whether it was refused or not understood.
    pub refused: bool,
}

/// A change that people did not want.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rejection {
    /// Its pull request.
    pub pull: u64,
    /// The experiment that proposed it.
    pub experiment: ExperimentId,
    /// Why, in their words; empty when they said nothing.
    pub reasons: Vec<String>,
}

/// The most characters of what reviewers said of a change.
const SAID: usize = 400;
/// The most unwanted pull requests, and the most earlier runs, that a run learns from.
const PULLS_TOLD: usize = 20;
const RUNS_TOLD: usize = 3;

impl Book {
    /// Folds facts. Their order does not matter; facts with one id count once.
    pub fn fold<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Self {
        let mut ordered: BTreeMap<(&str, u64, String), &Fact> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for fact in facts {
            let id = fact.id();
            if seen.insert(id.clone()) {
                // At one time the entries of a ledger come first, in their order, and what was made of them afterwards.
                let seq = match &fact.what {
                    What::RunEntry { entry, .. } => entry.seq,
                    _ => u64::MAX,
                };
                ordered.insert((fact.at.as_str(), seq, id), fact);
            }
        }
        let mut book = Self::default();
        ordered.values().for_each(|fact| book.take(fact));
        book.clusters.name_parts(&book.records);
        book.clusters.weigh();
        book
    }

    /// The state of a run, from its ledger.
    pub fn run(&self, run: &RunId) -> Option<State> {
        machine::replay(self.runs.get(run)?.iter().map(|entry| &entry.event)).0
    }

    /// The newest run, if something of it is still to be done: it has not come to its end, or one of its changes has no pull request yet.
    /// A run that a newer one has followed is given up.
    pub fn unfinished(&self) -> Option<&RunId> {
        let latest = self.latest_run()?;
        let ledger = &self.runs[latest];
        let ended = ledger.iter().any(|entry| matches!(entry.event, Event::Finished { .. }));
        let has_pull = |id: &ExperimentId| {
            let mut pulls = self.pulls.values();
            pulls.any(|pull| pull.run == *latest && pull.experiment == *id)
        };
        let delivered = ledger.iter().all(|entry| match &entry.event {
            Event::Published { experiment, .. } => has_pull(experiment),
            _ => true,
        });
        (!ended || !delivered).then_some(latest)
    }

    /// The ledgers of the runs, the oldest first.
    pub fn ledgers(&self) -> Vec<&[Entry]> {
        let mut ledgers: Vec<&[Entry]> = self.runs.values().map(Vec::as_slice).collect();
        ledgers.sort_by_key(|entries| entries.first().map(|entry| &entry.at));
        ledgers
    }

    /// How many runs were begun.
    pub fn n_runs(&self) -> u64 {
        u64::from(self.n_runs)
    }

    /// The train tasks of the runner, as the newest run knew them.
    pub fn tasks(&self) -> Vec<TaskId> {
        let first = self.latest_run().and_then(|run| self.runs[run].first());
        match first.map(|entry| &entry.event) {
            Some(Event::Started(plan)) => plan.train.clone(),
            _ => Vec::new(),
        }
    }

    /// The newest run.
    pub fn latest_run(&self) -> Option<&RunId> {
        let begun = |entries: &Vec<Entry>| entries.first().map(|entry| entry.at.clone());
        self.runs
            .iter()
            .max_by_key(|(_, entries)| begun(entries))
            .map(|(run, _)| run)
    }

    /// The pull request that waits for a person, of a cluster.
    pub fn open_pull(&self, cluster: &ClusterId) -> Option<(u64, &PullEntry)> {
        let open = self.pulls.iter().rev();
        open.map(|(number, pull)| (*number, pull))
            .find(|(_, pull)| pull.cluster == *cluster && pull.state == PullState::Open)
    }

    /// The newest merged pull request of a cluster.
    pub fn merged_pull(&self, cluster: &ClusterId) -> Option<(u64, &PullEntry)> {
        let merged = |pull: &PullEntry| matches!(pull.state, PullState::Merged { .. });
        let newest = self.pulls.iter().rev();
        newest
            .map(|(number, pull)| (*number, pull))
            .find(|(_, pull)| pull.cluster == *cluster && merged(pull))
    }

    /// The newest pull request of a cluster, if it was merged and taken back: its number, and that of the one that did it.
    pub fn taken_back(&self, cluster: &ClusterId) -> Option<(u64, u64)> {
        let mut newest = self.pulls.iter().rev().filter(|(_, pull)| pull.cluster == *cluster);
        match newest.next() {
            Some((
                number,
                PullEntry {
                    state: PullState::TakenBack { by, .. },
                    ..
                },
            )) => Some((*number, *by)),
            _ => None,
        }
    }

    /// What speaks for the change of a pull request.
    pub fn proof(&self, pull: u64) -> Option<Proof> {
        let pull = self.pulls.get(&pull)?;
        self.run(&pull.run)?.proof(&pull.experiment)
    }

    /// What people did not want for a cluster, the oldest first.
    pub fn rejections(&self, cluster: &ClusterId) -> Vec<Rejection> {
        let closed = self
            .pulls
            .iter()
            .filter(|(_, pull)| pull.cluster == *cluster && pull.state.is_unwanted());
        closed
            .map(|(number, pull)| Rejection {
                pull: *number,
                experiment: pull.experiment.clone(),
                reasons: pull.reasons.clone(),
            })
            .collect()
    }

    /// What the next run is told. `suite` is the regression suite as it stands in the repository.
    pub fn known(&self, suite: &[EvalCase]) -> Known {
        let ignored = self.clusters.ignored();
        let clusters = self.clusters.clusters.keys();
        let busy = clusters.filter(|cluster| ignored.contains(*cluster) || self.open_pull(cluster).is_some());
        let unresolved = self.clusters.telling(|record| self.happened.get(record));
        let closed = self.pulls.values().filter(|pull| pull.state.is_unwanted());
        Known {
            suite: self.suite_of(suite),
            failures: unresolved
                .into_iter()
                .filter_map(|record| self.records.get(record))
                .cloned()
                .collect(),
            revisions: self.clusters.revisions().to_vec(),
            curations: self.curations.all(),
            decided: self.clusters.decided().clone(),
            busy: busy.cloned().collect(),
            ignored: ignored.clone(),
            preferred: self.preferred.clone(),
            rejected: closed
                .filter_map(|pull| Some(self.run(&pull.run)?.experiment(&pull.experiment)?.candidate.id.clone()))
                .collect(),
            lessons: Vec::new(),
            learnings: self.learnings(),
            learnings_wait: self.pulls.values().any(|pull| pull.state == PullState::Open),
            asked: self.asked(),
        }
    }

    /// How often the runs asked each validation set.
    fn asked(&self) -> BTreeMap<String, Asked> {
        let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
        for state in self.runs.keys().filter_map(|run| self.run(run)) {
            let of = asked.entry(state.plan.validation_set.clone()).or_default();
            *of = of.plus(state.asked_here());
        }
        asked
    }

    /// What reviewers said of changes that they did not want, and what became of those of the newest runs, the oldest first.
    fn learnings(&self) -> Vec<Learning> {
        let unwanted = self.pulls.iter().rev().filter(|(_, pull)| pull.state.is_unwanted());
        let mut said: Vec<Learning> = unwanted
            .take(PULLS_TOLD)
            .map(|(number, pull)| self.said(*number, pull))
            .collect();
        said.reverse();
        let latest = self.runs.keys().rev().take(RUNS_TOLD);
        let mut runs: Vec<_> = latest.filter_map(|run| Some((run, self.run(run)?))).collect();
        runs.reverse();
        let tried = runs.iter().flat_map(|(run, state)| {
            // What people took back or did not take is no example to follow.
            let unwanted = |id: &ExperimentId| {
                let mut pulls = self.pulls.values();
                pulls.any(|pull| pull.run == **run && pull.experiment == *id && pull.state.is_unwanted())
            };
            let experiments = state.experiments.iter().filter(|one| !unwanted(&one.id));
            of_experiments(experiments, &self.clusters)
        });
        said.into_iter().chain(tried).collect()
    }

    fn said(&self, number: u64, pull: &PullEntry) -> Learning {
        let run = self.run(&pull.run);
        let experiment = run.as_ref().and_then(|run| run.experiment(&pull.experiment));
        let cluster = self.clusters.clusters.get(&pull.cluster);
        let outcome = match pull.reasons.as_slice() {
            [] => "no reason was given".to_owned(),
            reasons => shortened(&reasons.join("; "), SAID),
        };
        Learning {
            kind: Kind::Said,
            cluster: pull.cluster.clone(),
            about: cluster.map_or_else(|| pull.cluster.to_string(), |cluster| shortened(&cluster.title, 120)),
            change: experiment.map_or_else(String::new, |one| shortened(&one.candidate.title, 120)),
            outcome,
            evidence: vec![number.to_string()],
        }
    }

    /// The issues that name a task which no run has run yet, as they were read.
    pub fn to_run(&self) -> Vec<Report> {
        let named = self.issues.values().filter(|entry| entry.records.is_empty());
        named
            .filter_map(|entry| match &entry.reading {
                Reading::Task { report } => Some(report.clone()),
                _ => None,
            })
            .collect()
    }

    /// The issues that report failures of a cluster, in order.
    pub fn issues_of(&self, cluster: &ClusterId) -> Vec<u64> {
        let Some(cluster) = self.clusters.clusters.get(cluster) else {
            return Vec::new();
        };
        let member = |entry: &IssueEntry| entry.records.iter().any(|record| cluster.members.contains_key(record));
        self.issues
            .iter()
            .filter(|(_, entry)| member(entry))
            .map(|(number, _)| *number)
            .collect()
    }

    /// Whether nothing of an issue is left to resolve once a cluster is resolved.
    pub fn settled_by(&self, cluster: &ClusterId, issue: u64) -> bool {
        let records = self.issues.get(&issue).map_or(&[][..], |entry| &entry.records);
        self.clusters.settled_by(cluster, records.iter())
    }

    /// The clusters of an issue's failures, the surest cause first.
    pub fn clusters_of(&self, issue: u64) -> Vec<ClusterId> {
        let records = self.issues.get(&issue).map_or(&[][..], |entry| &entry.records);
        let mut clusters: Vec<ClusterId> = Vec::new();
        for record in records {
            let holding = self.clusters.holding(record);
            clusters.extend(
                holding
                    .into_iter()
                    .filter(|id| !clusters.contains(id))
                    .collect::<Vec<_>>(),
            );
        }
        clusters
    }

    /// Where a cluster stands.
    pub fn state_of(&self, cluster: &ClusterId) -> Option<ClusterState> {
        self.clusters.clusters.get(cluster).map(|cluster| cluster.state)
    }

    /// How many failures of each kind were seen.
    pub fn kinds(&self) -> BTreeMap<FailureKind, u64> {
        let mut kinds = BTreeMap::new();
        for record in self.records.values() {
            *kinds.entry(record.kind).or_default() += 1;
        }
        kinds
    }
}

#[cfg(test)]
mod tests;
