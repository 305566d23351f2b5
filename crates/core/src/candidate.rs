//! Candidates and experiments: a proposed harness change, and what its evaluation said.

pub mod check;

use crate::case::EvalCase;
use crate::gate::purchase::{Evidence, Purpose};
use crate::harness::FileChange;
use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId, TaskId};
use crate::score::Scorecard;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    /// For one that only takes out what an earlier experiment had added: that experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removes: Option<ExperimentId>,
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

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// Accepted: it is better.
    Gain,
    /// Accepted: the cluster's root cause is gone and nothing broke; the tasks still fail for other causes.
    Enabling,
    /// Accepted: it is for no cluster, or may be a little worse, and nothing speaks for harm.
    NoHarm,
    /// Accepted: it is as good as before, and leaves the harness smaller.
    Simpler,
    /// Rejected: it does nothing for its own cluster.
    Probe,
    /// Rejected: a case of the regression suite broke again.
    Regression,
    /// Rejected: it makes the agent worse.
    Harm,
    /// Rejected: it is not expected to gain enough.
    NoGain,
    /// Indecisive: not enough could be seen to tell.
    Coverage,
    /// Indecisive: runs broke off.
    Infrastructure,
    /// Indecisive: the money was spent.
    Budget,
    /// Invalid: it is no legal change.
    Illegal,
}

impl Ground {
    /// The verdict that follows from it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Gain | Self::Enabling | Self::NoHarm | Self::Simpler => Verdict::Accepted,
            Self::Probe | Self::Regression | Self::Harm | Self::NoGain => Verdict::Rejected,
            Self::Coverage | Self::Infrastructure | Self::Budget => Verdict::Indecisive,
            Self::Illegal => Verdict::Invalid,
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gain => "gain",
            Self::Enabling => "enabling change",
            Self::NoHarm => "no harm",
            Self::Simpler => "simpler",
            Self::Probe => "no effect on its cluster",
            Self::Regression => "regression",
            Self::Harm => "harm",
            Self::NoGain => "no gain",
            Self::Coverage => "coverage",
            Self::Infrastructure => "infrastructure",
            Self::Budget => "budget",
            Self::Illegal => "not allowed",
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

impl Stage {
    /// The stage that runs of a purpose belong to.
    pub fn of(purpose: Purpose) -> Option<Self> {
        match purpose {
            Purpose::Probe | Purpose::Promotion => Some(Self::Cluster),
            Purpose::Suite => Some(Self::Regression),
            Purpose::Validation => Some(Self::Validation),
            Purpose::Baseline | Purpose::Reproduce => None,
        }
    }
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Experiment {
    /// Its id.
    pub id: ExperimentId,
    /// The batch it belongs to, from 1.
    pub batch: u32,
    /// What was evaluated.
    pub candidate: Candidate,
    /// Why sprag would not measure such a change of its own, with the line; only of a change that a person made, who may have reasons.
    pub remark: Option<String>,
    /// What the stages measured, as far as they were run.
    pub cluster_cases: Option<Scorecard>,
    /// The regression suite.
    pub regression: Option<Scorecard>,
    /// The validation set: counts only.
    pub validation: Option<Scorecard>,
    /// The validation score that it is held against: the incumbent's estimated level; in `strict` the best seen.
    pub best_before: f64,
    /// What was decided, and why; `None` while it runs.
    pub verdict: Option<(Verdict, String)>,
    /// What the verdict rests on.
    pub ground: Option<Ground>,
    /// What speaks for the verdict.
    pub evidence: Option<Box<Evidence>>,
    /// How the evidence grew.
    pub course: Vec<Point>,
    /// Task runs spent on it, cached ones not counted.
    pub task_runs: u64,
    /// The same, by what they were bought for; what the proposer looked at is not among them.
    pub bought: BTreeMap<Purpose, u64>,
}

/// The evidence after some runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Runs with a verdict so far.
    pub runs: u32,
    /// What they were bought for.
    pub purpose: Purpose,
    /// How probable it is that keeping the change is right; in `assured` the e-value.
    pub value: f64,
}

/// What a stage said of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It held.
    Passed,
    /// The candidate fell there.
    Failed,
    /// It was not measured, or not to its end.
    Undecided,
    /// It was not needed.
    NotRun,
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
    /// An experiment of which nothing is measured yet.
    pub fn new(id: ExperimentId, batch: u32, candidate: Candidate) -> Self {
        Self {
            id,
            batch,
            candidate,
            remark: None,
            cluster_cases: None,
            regression: None,
            validation: None,
            best_before: 0.0,
            verdict: None,
            ground: None,
            evidence: None,
            course: Vec::new(),
            task_runs: 0,
            bought: BTreeMap::new(),
        }
    }

    /// Takes in what was bought for it: the runs that were made, and where the evidence stands since.
    pub fn take(&mut self, purpose: Purpose, made: u64, evidence: Option<&Evidence>) {
        self.task_runs += made;
        *self.bought.entry(purpose).or_default() += made;
        if let Some(evidence) = evidence {
            self.course
                .extend(evidence.e_value.or(evidence.better).map(|value| Point {
                    runs: evidence.runs.values().sum(),
                    purpose,
                    value,
                }));
        }
    }

    /// Takes in the verdict.
    pub fn decide(&mut self, ground: Ground, reason: &str, evidence: Option<Evidence>) {
        self.verdict = Some((ground.verdict(), reason.to_owned()));
        self.ground = Some(ground);
        self.evidence = evidence.map(Box::new);
    }

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

    /// What the regression suite or the validation set said.
    pub fn said(&self, stage: Stage) -> Said {
        let unmeasured = self.ground.is_some_and(|ground| {
            let verdict = ground.verdict();
            matches!(verdict, Verdict::Indecisive | Verdict::Invalid)
        });
        let Some(card) = self.stage(stage) else {
            return if unmeasured { Said::Undecided } else { Said::NotRun };
        };
        let last = stage == Stage::Validation || self.validation.is_none();
        match self.ground {
            Some(Ground::Regression) if stage == Stage::Regression => Said::Failed,
            Some(Ground::Harm | Ground::NoGain) if stage == Stage::Validation => Said::Failed,
            // The runs of a change that makes them break off are what it fell for.
            Some(Ground::Harm) if last => Said::Failed,
            _ if !card.complete() || unmeasured => Said::Undecided,
            None if stage == Stage::Validation => Said::Undecided,
            _ => Said::Passed,
        }
    }

    /// See [`stage`](Self::stage).
    pub fn stage_mut(&mut self, stage: Stage) -> &mut Option<Scorecard> {
        match stage {
            Stage::Cluster => &mut self.cluster_cases,
            Stage::Regression => &mut self.regression,
            Stage::Validation => &mut self.validation,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A change of no file, for a test to say more of.
    pub(crate) fn candidate(id: &str, cluster: &str, parent: HarnessId) -> Candidate {
        Candidate {
            id: CandidateId::new(id),
            cluster: ClusterId::new(cluster),
            parent,
            title: String::new(),
            hypothesis: String::new(),
            changes: Vec::new(),
            diff: String::new(),
            predicted: Vec::new(),
            origin: String::new(),
            removes: None,
        }
    }
}
