//! Candidates and experiments: a proposed harness change, and what its evaluation said.

pub mod check;

use crate::case::EvalCase;
use crate::harness::FileChange;
use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId, TaskId};
use crate::score::Scorecard;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One proposed harness change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The hash of the edit: the same edit is the same candidate whatever harness it is made on, so that what fell is not tried again.
    pub id: CandidateId,
    /// The cluster it targets.
    pub cluster: ClusterId,
    /// The harness it changes.
    pub parent: HarnessId,
    /// One line: what it does.
    pub title: String,
    /// Why it should help, in a sentence or two.
    pub hypothesis: String,
    /// The changed files.
    pub changes: Vec<FileChange>,
    /// The unified diff, for readers.
    pub diff: String,
    /// The train tasks it predicts to fix.
    pub predicted: Vec<TaskId>,
    /// Which proposer made it, with its free parameters: `recipes: add-step, position=end`.
    pub origin: String,
}

/// What was decided about a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It passed both gates.
    Accepted,
    /// It fell.
    Rejected,
    /// It could not be measured.
    Indecisive,
    /// It was not a legal change.
    Invalid,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Indecisive => "indecisive",
            Self::Invalid => "invalid",
        })
    }
}

/// The part of the evaluation a measurement belongs to, in the order they are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The cluster's own cases.
    Cluster,
    /// The regression suite.
    Regression,
    /// The held-out validation set.
    Validation,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster cases",
            Self::Regression => "regression suite",
            Self::Validation => "validation set",
        })
    }
}

/// The evaluation of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its id.
    pub id: ExperimentId,
    /// The batch it belongs to, from 1.
    pub batch: u32,
    /// What was evaluated.
    pub candidate: Candidate,
    /// What the stages measured, as far as they were run.
    pub cluster_cases: Option<Scorecard>,
    /// The regression suite.
    pub regression: Option<Scorecard>,
    /// The validation set: counts only.
    pub validation: Option<Scorecard>,
    /// The best validation score before this experiment.
    pub best_before: f64,
    /// What was decided, and why; `None` while it runs.
    pub verdict: Option<(Verdict, String)>,
    /// Task runs spent on it, cached ones not counted.
    pub task_runs: u64,
}

/// What speaks for an accepted change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The best validation score before it, from 0 to 1.
    pub validation_before: f64,
    /// The validation set with it: counts only.
    pub validation: Scorecard,
    /// The regression suite with it, where it had cases.
    pub regression: Option<Scorecard>,
    /// The cases that joined the suite with it.
    pub cases: Vec<EvalCase>,
}

impl Experiment {
    /// Whether it passed both gates.
    pub fn accepted(&self) -> bool {
        matches!(self.verdict, Some((Verdict::Accepted, _)))
    }

    /// What a stage measured, if it was run.
    pub fn stage(&self, stage: Stage) -> Option<&Scorecard> {
        match stage {
            Stage::Cluster => self.cluster_cases.as_ref(),
            Stage::Regression => self.regression.as_ref(),
            Stage::Validation => self.validation.as_ref(),
        }
    }

    pub(crate) fn stage_mut(&mut self, stage: Stage) -> &mut Option<Scorecard> {
        match stage {
            Stage::Cluster => &mut self.cluster_cases,
            Stage::Regression => &mut self.regression,
            Stage::Validation => &mut self.validation,
        }
    }
}
