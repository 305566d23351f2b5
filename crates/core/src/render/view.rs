//! What the render functions need to know, as plain data. Built from the state of a run; nothing here decides anything.

use super::words;
use crate::candidate::{Experiment, Prediction, Proof};
use crate::case::{EvalCase, SuiteChange};
use crate::cluster::{Cluster, Revision};
use crate::config::GateMode;
use crate::curation::Curation;
use crate::failure::{FailureKind, FailureRecord};
use crate::gate::holdout::Asked;
use crate::id::{ExperimentId, TaskId};
use crate::score::Scorecard;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The rule a change was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GateView {
    /// The rule.
    #[serde(serialize_with = "mode_word")]
    pub mode: GateMode,
    /// What part of the regression suite must pass, from 0 to 1.
    pub regression_threshold: f64,
    /// What held the code of others while it was measured: the tier of the sandbox, or `none`.
    pub sandbox: &'static str,
}

/// One pull request: an experiment, and what led to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PullView {
    /// The branch with the change.
    pub head: String,
    /// The branch it is for.
    pub base: String,
    /// The cluster the change targets, as it stood before the change.
    pub cluster: Cluster,
    /// One failure of the cluster that shows it well.
    pub example: Option<FailureRecord>,
    /// The evaluation of the change.
    pub experiment: Experiment,
    /// The rule it was judged by.
    pub gate: GateView,
    /// Validation scores from 0 to 1: the baseline, then every accepted change in order, this one last.
    pub history: Vec<f64>,
    /// Experiments on the same cluster that were not accepted, in order.
    pub attempts: Vec<Experiment>,
    /// The cases that join the regression suite with the merge.
    pub new_cases: Vec<EvalCase>,
    /// Whether `.sprag/learnings.md` is changed with it.
    pub learnings: bool,
    /// What people did not want for this cluster, the oldest first.
    pub rejections: Vec<crate::book::Rejection>,
    /// The issues that report failures of this cluster and of no other that is still to be resolved: the merge closes them.
    pub issues: Vec<u64>,
    /// The issues that report those of others too: the merge leaves them open.
    pub issues_left: Vec<u64>,
}

/// The two check runs of one evaluated change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckView {
    /// The commit that was measured.
    pub head_sha: String,
    /// Its evaluation.
    pub experiment: Experiment,
    /// The rule it was judged by.
    pub gate: GateView,
    /// The folder of the project in the repository, with a `/` at its end; empty for the root.
    pub folder: String,
    /// The cases of the suite that count.
    pub suite: Vec<EvalCase>,
    /// Tasks of cases that are not counted, and so were not run.
    pub left_out: Vec<TaskId>,
    /// Whether a button that is pressed reaches sprag: only the buttons on an App's check runs start workflows.
    pub buttons: bool,
}

/// What sprag has to say on one issue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CommentView {
    /// A failure record came out of it.
    Mined {
        /// The record.
        record: FailureRecord,
        /// The clusters it joined, that of the likeliest cause first. Empty when nothing was found or the agent is not to blame.
        clusters: Vec<Cluster>,
    },
    /// There is nothing to mine in the issue.
    NeedsTrace {
        /// What was found instead of a trace, as half a sentence: `the attachment trace.json is empty`. `None` when there was nothing at all.
        found: Option<String>,
    },
    /// A pull request resolves the cluster.
    Fixed {
        /// The record.
        record: FailureRecord,
        /// The cluster that the pull request is for.
        cluster: Cluster,
        /// The number of the pull request.
        pull: u64,
        /// Whether it is merged already.
        merged: bool,
        /// What speaks for it.
        proof: Option<Box<Proof>>,
        /// Whether the issue reports something else that is still to be resolved.
        left: bool,
    },
}

/// A whole run, for the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportView {
    /// What was worked on, such as the name of the runner.
    pub name: String,
    /// The validation score of the harness the run began with: counts only.
    pub baseline: Scorecard,
    /// The validation score of the harness it ended with: counts only.
    pub latest: Scorecard,
    /// Every batch, in order.
    pub batches: Vec<BatchView>,
    /// Every experiment, in order.
    pub experiments: Vec<Experiment>,
    /// Every cluster, by rank.
    pub clusters: Vec<Cluster>,
    /// Every case but those that were never fixed.
    pub cases: Vec<EvalCase>,
    /// How often the validation set was asked, in this run and those before it.
    pub asked: Asked,
    /// Failed runs by who is to blame.
    pub failure_kinds: BTreeMap<FailureKind, u64>,
    /// Task runs of the whole run, recorded results not counted.
    pub task_runs: u64,
    /// The rule changes were judged by.
    pub gate: GateView,
    /// How the report came about.
    pub provenance: Provenance,
}

/// One batch of traffic, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchView {
    /// From 1.
    pub number: u32,
    /// Tasks run.
    pub tasks: u32,
    /// How many passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many have no verdict.
    pub errored: u32,
    /// Findings the miner made in them.
    pub findings: u32,
    /// Clusters founded.
    pub new_clusters: u32,
    /// Cases in the regression suite after the batch.
    pub suite_size: u32,
    /// What was done, in a sentence.
    pub done: String,
}

/// How a report came about: enough to make it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The digest of the configuration.
    pub config_digest: String,
    /// The seed of the run.
    pub seed: u64,
    /// The id of the last ledger entry.
    pub ledger_head: String,
    /// The version of sprag.
    pub version: String,
}

/// The numbers at the end of a run, and where to look next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryView {
    /// The validation score the run began with.
    pub baseline: Scorecard,
    /// The validation score it ended with.
    pub latest: Scorecard,
    /// Batches of traffic.
    pub batches: u32,
    /// Experiments made.
    pub experiments: u32,
    /// How many changes were accepted.
    pub accepted: u32,
    /// How many were rejected.
    pub rejected: u32,
    /// Cases in the regression suite.
    pub suite_size: u32,
    /// Clusters found.
    pub clusters: u32,
    /// How many of them are resolved.
    pub resolved: u32,
    /// How predicted fixes came out, if any were predicted.
    pub prediction: Option<Prediction>,
    /// Task runs, recorded results not counted.
    pub task_runs: u64,
    /// What held the code of others.
    pub sandbox: &'static str,
    /// What to open, by what it is: `("report", "out/report.html")`.
    pub files: Vec<(String, String)>,
}

/// One thing that happened in a run, for the line that tells of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Progress {
    /// The harness the run begins with was measured on the validation set.
    Baseline {
        /// Counts only.
        validation: Scorecard,
    },
    /// The traffic of a batch was run and mined.
    Mined {
        /// The batch.
        batch: BatchView,
        /// How many batches there are.
        batches: u32,
    },
    /// Clusters were merged, split or renamed.
    Revised {
        /// What changed.
        revisions: Vec<Revision>,
    },
    /// A model decided what becomes of new clusters and cases.
    Curated {
        /// What was decided.
        curations: Vec<Curation>,
    },
    /// Cases left the regression suite, or came back, for what they did.
    SuiteRevised {
        /// What became of each.
        changes: Vec<SuiteChange>,
    },
    /// New cases were tried on the unchanged harness.
    Tried {
        /// How many failed as often as they must.
        confirmed: u32,
        /// How many did not, or cannot be run.
        unconfirmed: u32,
        /// How many were refused.
        refused: u32,
    },
    /// A cluster was chosen to work on.
    Targeted {
        /// The cluster.
        cluster: Cluster,
    },
    /// The drafts of a round were run on their cluster's cases.
    Screened {
        /// The cluster's title.
        cluster: String,
        /// How many there were.
        drafts: u32,
        /// How many of them are worth an experiment.
        helped: u32,
    },
    /// A kept change was taken out, to see whether it is still needed.
    Ablated {
        /// The experiment that it came with.
        kept: ExperimentId,
        /// How many cases failed without it.
        failed: usize,
    },
    /// A candidate is about to be evaluated.
    Proposed {
        /// Its experiment, which has no results yet.
        experiment: Experiment,
    },
    /// An experiment has its verdict.
    Judged {
        /// The experiment.
        experiment: Experiment,
    },
    /// Cases joined the regression suite.
    Promoted {
        /// How many.
        cases: u32,
        /// How many the suite has now.
        suite_size: u32,
    },
    /// There is nothing to work on in this batch.
    Idle {
        /// Why, as half a sentence: `no cluster is open`.
        reason: String,
    },
}

fn mode_word<S: Serializer>(mode: &GateMode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(words::gate_mode(*mode))
}
