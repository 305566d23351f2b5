//! Candidates and experiments: a proposed harness change, and what its evaluation said.

pub mod check;

use crate::case::EvalCase;
use crate::harness::FileChange;
use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId, TaskId};
use crate::score::Scorecard;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// How predicted fixes came out, counted in train tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// Tasks that were predicted to be fixed.
    pub predicted: u32,
    /// How many of them were.
    pub came_true: u32,
    /// Tasks that were fixed, predicted or not.
    pub fixed: u32,
}

impl Prediction {
    /// Of many experiments, those that were measured; `None` when none of them predicted anything.
    pub fn of<'a>(experiments: impl IntoIterator<Item = &'a Experiment>) -> Option<Self> {
        let mut all = Self::default();
        for one in experiments.into_iter().filter_map(Experiment::prediction) {
            all.predicted += one.predicted;
            all.came_true += one.came_true;
            all.fixed += one.fixed;
        }
        (all.predicted > 0).then_some(all)
    }
}

impl fmt::Display for Prediction {
    /// Precision and recall in words: `2 of 3 predicted fixes came true, and 2 of 4 fixed tasks had been predicted`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            predicted,
            came_true,
            fixed,
        } = self;
        let fixes = if *predicted == 1 { "fix" } else { "fixes" };
        write!(f, "{came_true} of {predicted} predicted {fixes} came true, and ")?;
        match fixed {
            0 => f.write_str("nothing was fixed"),
            _ => write!(f, "{came_true} of {fixed} fixed tasks had been predicted"),
        }
    }
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

    /// The train tasks that it fixed, of the cluster's own and of the suite.
    pub fn fixed_tasks(&self) -> BTreeSet<&str> {
        let cards = [&self.cluster_cases, &self.regression];
        let tasks = cards.into_iter().flatten().flat_map(|card| &card.fixed_tasks);
        tasks.map(String::as_str).collect()
    }

    /// How its prediction came out; `None` while nothing of it is measured.
    pub fn prediction(&self) -> Option<Prediction> {
        self.cluster_cases.as_ref().or(self.regression.as_ref())?;
        let fixed = self.fixed_tasks();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let predicted = &self.candidate.predicted;
        Some(Prediction {
            predicted: count(predicted.len()),
            came_true: count(predicted.iter().filter(|task| fixed.contains(task.as_str())).count()),
            fixed: count(fixed.len()),
        })
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
