//! The ledger: everything that happened, in order, as events. Folding the events gives the state; what is not in the ledger did not happen.

use crate::budget::{Limits, Spent};
use crate::candidate::{Candidate, Ground};
use crate::case::{CaseState, EvalCase, Refusal, SuiteChange};
use crate::cluster::Revision;
use crate::config::GateConfig;
use crate::curation::{Curation, Review};
use crate::failure::FailureRecord;
use crate::gate::holdout::Asked;
use crate::gate::purchase::{Outcome, Request};
use crate::harness::Harness;
use crate::hash;
use crate::id::{CandidateId, CaseId, ClusterId, ExperimentId, RecordId, TaskId};
use crate::learnings::Learning;
use crate::search::{Screened, SearchConfig, Start};
use crate::signal::Report;
use crate::trial::TaskVerdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The format of an entry. Another major version is refused: what ledgers of version 1 measured stage by stage is not what is measured since, run by run.
pub const FORMAT_MAJOR: u32 = 2;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A run began.
    Started(Box<Plan>),
    /// Runs that the gate had asked for were made.
    Bought {
        /// The experiment they are for; none before the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        experiment: Option<ExperimentId>,
        /// What was asked for. Tasks have numbers: train tasks in the order of the plan, held-out tasks in an order of their own, which says
        /// nothing of which is which.
        request: Request,
        /// How each run ended, in the order of the request.
        outcomes: Vec<Outcome>,
        /// The memberships that the runs of their tasks no longer show.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cleared: Vec<(ClusterId, RecordId)>,
        /// What they cost.
        spent: Spent,
    },
    /// The labelled issues were read, and what they point at was run and mined.
    SignalsRead {
        /// One an issue.
        findings: Vec<Finding>,
        /// What it cost.
        spent: Spent,
    },
    /// A batch of traffic ran on the incumbent and its failures were mined.
    TrafficRan {
        /// From 1.
        batch: u32,
        /// One a task, in the order of the batch.
        verdicts: Vec<TaskVerdict>,
        /// One a failure.
        records: Vec<FailureRecord>,
        /// What it cost.
        spent: Spent,
    },
    /// Clusters were found to be one, or something else than they were taken for.
    ClustersRevised {
        /// What changed, in order.
        revisions: Vec<Revision>,
        /// What a model was paid for looking at them.
        #[serde(default, skip_serializing_if = "Spent::is_nothing")]
        spent: Spent,
    },
    /// A model decided what becomes of new clusters and cases.
    Curated {
        /// What was decided; what it gave no answer for is not among them.
        curations: Vec<Curation>,
        /// What it was paid.
        spent: Spent,
    },
    /// New cases ran again on the incumbent, to see whether they fail before anything is changed.
    CasesTried {
        /// What each did.
        tried: Vec<CaseTry>,
        /// Those that did not become cases.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<Refusal>,
        /// What it cost.
        spent: Spent,
    },
    /// Cases left the regression suite, or came back, for what they did and not for a change of the harness.
    SuiteRevised {
        /// What becomes of each.
        changes: Vec<SuiteChange>,
    },
    /// A candidate was proposed.
    Proposed {
        /// The experiment that will evaluate it.
        experiment: ExperimentId,
        /// The change.
        candidate: Box<Candidate>,
        /// Why it is no legal change, so that nothing of it is measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        objection: Option<String>,
        /// What the proposer spent on looking.
        spent: Spent,
    },
    /// A change was drafted, to be screened with others; in `search.mode` `frontier`.
    Drafted {
        /// The experiment that one of the drafts will be.
        experiment: ExperimentId,
        /// What it started from.
        start: Start,
        /// The change.
        candidate: Box<Candidate>,
        /// Why it is no legal change, so that nothing of it is measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        objection: Option<String>,
        /// What drafting it has cost.
        spent: Spent,
    },
    /// The drafts of a round ran on their cluster's own cases; the best is the candidate of the experiment.
    Screened {
        /// The experiment.
        experiment: ExperimentId,
        /// The cluster.
        cluster: ClusterId,
        /// What each did, in the order they were drafted.
        screened: Vec<Screened>,
        /// What it cost.
        spent: Spent,
    },
    /// The drafts that were worth it ran one of their cluster's cases, in a race for the experiment.
    Raced {
        /// The experiment.
        experiment: ExperimentId,
        /// The cluster.
        cluster: ClusterId,
        /// The case.
        task: TaskId,
        /// Its trial.
        trial: u32,
        /// How it ended with each that was still in the race.
        outcomes: Vec<(CandidateId, Outcome)>,
        /// What it cost.
        spent: Spent,
    },
    /// The proposer has nothing (more) for this cluster, for now.
    NothingProposed {
        /// The cluster.
        cluster: ClusterId,
        /// Why.
        reason: String,
        /// What the proposer spent on looking.
        spent: Spent,
    },
    /// A kept change was taken out, to see whether it is still needed. If nothing failed, taking it out is the next experiment.
    Ablated {
        /// The experiment that it came with.
        kept: ExperimentId,
        /// What does not pass without it; of the first that were run, if some of them do not.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed: Vec<TaskId>,
        /// What it cost.
        spent: Spent,
    },
    /// An experiment was decided.
    Decided {
        /// The experiment.
        experiment: ExperimentId,
        /// What the verdict rests on; the verdict follows from it.
        ground: Ground,
        /// Why, for a person.
        reason: String,
    },
    /// After an acceptance: what becomes of the cases that ran on the new incumbent.
    Promoted {
        /// The experiment.
        experiment: ExperimentId,
        /// What each case did, and what it is now.
        cases: Vec<CaseRerun>,
        /// The memberships that the new incumbent no longer shows.
        resolved: Vec<(ClusterId, RecordId)>,
    },
    /// The change stands as a branch with its pull request and check runs.
    Published {
        /// The experiment.
        experiment: ExperimentId,
        /// The branch.
        branch: String,
        /// The id of its tree: its content, whenever it was committed.
        tree: String,
    },
    /// The run ended.
    Finished {
        /// Why.
        reason: String,
    },
}

impl Event {
    /// What it cost.
    pub fn spent(&self) -> Spent {
        match self {
            Self::Bought { spent, .. }
            | Self::SignalsRead { spent, .. }
            | Self::TrafficRan { spent, .. }
            | Self::ClustersRevised { spent, .. }
            | Self::Curated { spent, .. }
            | Self::CasesTried { spent, .. }
            | Self::Proposed { spent, .. }
            | Self::Drafted { spent, .. }
            | Self::Screened { spent, .. }
            | Self::Ablated { spent, .. }
            | Self::Raced { spent, .. }
            | Self::NothingProposed { spent, .. } => *spent,
            Self::Started(_)
            | Self::SuiteRevised { .. }
            | Self::Decided { .. }
            | Self::Promoted { .. }
            | Self::Published { .. }
            | Self::Finished { .. } => Spent::default(),
        }
    }
}

/// What a run was begun with. Two runs with equal plans and deterministic agents write equal ledgers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The hash of the configuration.
    pub config: String,
    /// What determines results besides harness, task, trial and seed.
    pub runner: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Batches of traffic.
    pub batches: u32,
    /// Tasks a batch.
    pub batch_size: usize,
    /// Trials a task in the traffic.
    pub trials: u32,
    /// What may be spent.
    pub limits: Limits,
    /// The rule.
    pub gate: GateConfig,
    /// The train tasks, as the runner lists them.
    pub train: Vec<TaskId>,
    /// Whether a model is asked about clusters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advised: bool,
    /// Who confirms what is new.
    #[serde(default, skip_serializing_if = "Review::is_default")]
    pub review: Review,
    /// How many validation tasks there are.
    pub n_validation: usize,
    /// A hash of which they are: another set has given nothing away.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub validation_set: String,
    /// How often a failure must be seen on the incumbent before it is a case; once in ledgers from before there was a number.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub fails_before: u32,
    /// How the next change is looked for.
    #[serde(default, skip_serializing_if = "SearchConfig::is_default")]
    pub search: SearchConfig,
    /// The labelled issues to answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Report>,
    /// What was known before the run began.
    #[serde(default, skip_serializing_if = "Known::is_nothing")]
    pub known: Known,
    /// The harness the run began with.
    pub harness: Harness,
}

/// What a run is told of what other runs and people have found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The regression suite as it stands in the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suite: Vec<EvalCase>,
    /// Failures that are not resolved yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureRecord>,
    /// How clusters were changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<Revision>,
    /// What people and models have decided about clusters and cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curations: Vec<Curation>,
    /// Clusters that people have decided about: no rule and no model changes them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub decided: BTreeSet<ClusterId>,
    /// Clusters to leave alone: ignored, or with a pull request that waits for a person.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub busy: BTreeSet<ClusterId>,
    /// Of these, the ignored ones: what guards only them is not counted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ignored: BTreeSet<ClusterId>,
    /// Clusters that a person wants to be worked on first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub preferred: BTreeSet<ClusterId>,
    /// Edits that people did not want.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rejected: BTreeSet<CandidateId>,
    /// What `.sprag/learnings.md` says when what follows is taken in, one line each: for the proposers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<String>,
    /// How often earlier runs asked each validation set, by [`Plan::validation_set`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, Asked>,
    /// What earlier runs and reviewers taught, the oldest first: for `.sprag/learnings.md`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learnings: Vec<Learning>,
    /// Whether a pull request waits that may change that file: a second one would be in conflict with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learnings_wait: bool,
}

impl Known {
    /// Whether the run begins with a clean sheet.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

/// What a new case did on the incumbent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseTry {
    /// The case.
    pub case: CaseId,
    /// Runs with a verdict.
    pub runs: u32,
    /// How many of them failed.
    pub fails: u32,
    /// Why it did not run, as half a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_runnable: Option<String>,
    /// Whether its runs were the same to the letter, though their seeds differ; none where there were not two to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<bool>,
    /// Whether it is a recorded input that nobody could hold against the held-out tasks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
}

/// What came of one labelled issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The issue's number.
    pub issue: u64,
    /// The failure it shows, if it shows one.
    pub record: Option<FailureRecord>,
    /// Where there is no record: what was found instead, as half a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

/// What one case that was not counted did on a new incumbent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRerun {
    /// The case.
    pub case: CaseId,
    /// Its task.
    pub task: TaskId,
    /// Runs with a verdict.
    pub runs: u32,
    /// How many of them passed.
    pub passes: u32,
    /// Where it stands now.
    pub becomes: CaseState,
    /// Why it is not counted, as half a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An event in its place. The id covers everything but the time, and the id before it: two ledgers with the same last id are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1.
    pub seq: u64,
    /// The hash of `prev` and the event.
    pub id: String,
    /// The id of the entry before; empty for the first.
    pub prev: String,
    /// When it was written, RFC 3339.
    pub at: String,
    /// The first digits of the hash of id and time; empty in what older versions wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sum: String,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// The entry that follows `last`.
    pub fn after(last: Option<&Self>, at: String, event: Event) -> Self {
        let (seq, prev) = last.map_or((1, String::new()), |entry| (entry.seq + 1, entry.id.clone()));
        let id = Self::identity(&prev, &event);
        Self {
            seq,
            sum: Self::sum(&id, &at),
            id,
            prev,
            at,
            event,
        }
    }

    /// Whether this entry is whole and follows `last`.
    pub fn follows(&self, last: Option<&Self>) -> bool {
        let (seq, prev) = last.map_or((1, ""), |entry| (entry.seq + 1, entry.id.as_str()));
        let is_whole = self.sum.is_empty() || self.sum == Self::sum(&self.id, &self.at);
        is_whole && self.seq == seq && self.prev == prev && self.id == Self::identity(prev, &self.event)
    }

    /// The id leaves out the time, so that equal runs have equal ids; this covers it.
    fn sum(id: &str, at: &str) -> String {
        hash::of(&(id, at))[..8].to_owned()
    }

    fn identity(prev: &str, event: &Event) -> String {
        hash::of(&(prev, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(reason: &str) -> Event {
        Event::Finished {
            reason: reason.to_owned(),
        }
    }

    fn chain(reasons: &[&str]) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for reason in reasons {
            entries.push(Entry::after(entries.last(), "now".to_owned(), event(reason)));
        }
        entries
    }

    fn fits(entries: &[Entry]) -> bool {
        let before = std::iter::once(None).chain(entries.iter().map(Some));
        entries.iter().zip(before).all(|(entry, before)| entry.follows(before))
    }

    #[test]
    fn the_id_covers_what_happened_and_all_before_it_but_not_the_time() {
        let entries = chain(&["a", "b"]);
        let later = Entry::after(entries.first(), "later".to_owned(), event("b"));
        assert_eq!(later.id, entries[1].id);
        assert_ne!(chain(&["a", "c"])[1].id, entries[1].id);
        assert_ne!(chain(&["c", "b"])[1].id, entries[1].id);
        insta::assert_snapshot!(entries[1].id, @"0f2de7b68d5c5c349c9575537648f143");
    }

    #[test]
    fn a_changed_lost_doubled_or_moved_entry_does_not_fit() {
        let entries = chain(&["a", "b", "c"]);
        assert!(fits(&entries));
        let broken = |change: fn(&mut Vec<Entry>)| {
            let mut entries = entries.clone();
            change(&mut entries);
            !fits(&entries)
        };
        assert!(broken(|entries| entries[1].event = event("x")));
        assert!(broken(|entries| entries[1].prev = String::new()));
        assert!(broken(|entries| entries[1].seq = 7));
        assert!(broken(|entries| entries[2].id = "x".to_owned()));
        assert!(broken(|entries| drop(entries.remove(0))));
        assert!(broken(|entries| drop(entries.remove(1))));
        assert!(broken(|entries| entries.insert(1, entries[1].clone())));
        assert!(broken(|entries| entries.swap(1, 2)));
    }

    #[test]
    fn an_entry_read_back_is_the_same_entry() {
        for entry in chain(&["a", "\u{201c}caf\u{e9}\u{201d}\n"]) {
            let line = serde_json::to_string(&entry).unwrap();
            assert!(!line.contains('\n'), "one line");
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
        }
    }
}
