//! How a gate that buys its runs one by one is driven: it asks, the driver runs, the gate takes the outcomes and asks again.
//!
//! Nothing here runs anything. A gate is a function of what it was told, in the order it was told it: played again with the recorded outcomes
//! it asks the same questions and gives the same verdict.

use crate::candidate::{Ground, Verdict};
use crate::gate::stats::Tally;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The number under which the driver knows a task. Validation tasks count from 0 up to their number; the numbers of other tasks are of a series
/// of their own. A gate never learns more of a task.
pub type Task = u32;

/// The number under which the driver knows a cluster.
pub type Cluster = u32;

/// The harness that a run is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The best harness so far.
    Incumbent,
    /// The one under test; after it was kept, still that one.
    Candidate,
}

/// What a run is bought for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The incumbent on the validation set.
    Baseline,
    /// A failure of the traffic, once more.
    Reproduce,
    /// The targeted cluster's own cases, on the candidate.
    Probe,
    /// The regression suite, on the candidate.
    Suite,
    /// The validation set, on the candidate.
    Validation,
    /// Cases that may join the suite, on a harness that was kept.
    Promotion,
}

impl Purpose {
    /// Whether it is about held-out tasks.
    pub fn is_held_out(self) -> bool {
        matches!(self, Self::Baseline | Self::Validation)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::Reproduce => "reproduction",
            Self::Probe => "cluster cases",
            Self::Suite => "regression suite",
            Self::Validation => "validation set",
            Self::Promotion => "promotion",
        })
    }
}

/// Runs that a gate wants, one for each task; they may be made at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// On which harness.
    pub arm: Arm,
    /// What for. `Baseline` and `Validation` name validation tasks, the others train tasks.
    pub purpose: Purpose,
    /// At least one. A task that is named twice is run twice.
    pub tasks: Vec<Task>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The agent did what it should.
    Passed,
    /// It did not.
    Failed,
    /// It did not, but the root cause that the change is for has gone and no new one has come: it fails for what else is wrong with it.
    Moved,
    /// There is no verdict, after the driver's own retries.
    Errored,
}

/// What a gate wants next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Nothing: the next traffic, candidate or acceptance may come.
    Ready,
    /// These runs; their outcomes must be taken next.
    Run(Request),
    /// Nothing more about this candidate: this is the verdict.
    Decide(Box<Judgement>),
    /// Nothing more after an acceptance: these cases are resolved, those join the suite.
    Promote(Promotion),
}

/// One task of the traffic on the incumbent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The task.
    pub task: Task,
    /// Whether it passed.
    pub passed: bool,
    /// The clusters that its failure was mined into.
    pub clusters: Vec<Cluster>,
}

/// A candidate, as a gate sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The cluster it is for. `None` for a change that need not fix anything, such as a person's: then it is only held to break nothing.
    pub cluster: Option<Cluster>,
    /// The failing cases of the cluster that the proposer saw.
    pub visible: Vec<Task>,
    /// Those that it did not see.
    pub hidden: Vec<Task>,
    /// Failing cases of other clusters that are run again if it is kept, because no traffic would show that they are fixed.
    pub others: Vec<Task>,
    /// What part of the traffic failed with this cluster, from 0 to 1.
    pub share: f64,
    /// Whether it leaves the harness smaller: then it need not be better, and must not be worse.
    #[serde(default)]
    pub simpler: bool,
}

/// The cases that an acceptance settles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// They pass reliably now.
    pub resolved: Vec<Task>,
    /// The resolved ones that join the regression suite.
    pub promoted: Vec<Task>,
    /// Cases that had left the suite because they wavered, and are back.
    #[serde(default)]
    pub returned: Vec<Task>,
    /// What every case did that was run.
    pub runs: BTreeMap<Task, Tally>,
}

/// A verdict, with what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the verdict rests on; the verdict follows from it.
    pub ground: Ground,
    /// Why, in a sentence that a reader without statistics understands.
    pub reason: String,
    /// The figures behind it.
    pub evidence: Evidence,
}

impl Judgement {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.ground.verdict()
    }
}

/// What was seen and what it says. Rates and effects are parts of 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Runs of this experiment that have a verdict, by purpose.
    pub runs: BTreeMap<Purpose, u32>,
    /// Runs of this experiment without one.
    pub errored: u32,
    /// How probable it is that the candidate fixes its cluster.
    pub fixes: f64,
    /// The part of the regression suite that is not broken; 1 without cases.
    pub regression_score: f64,
    /// The suite's cases that broke.
    pub broken_cases: Vec<Task>,
    /// The incumbent's estimated validation score before and after this experiment's runs were seen.
    pub level_before: f64,
    /// See `level_before`; what `val_score` is held against.
    pub level_now: f64,
    /// The expected change of the score, and its standard deviation.
    pub effect: f64,
    /// See `effect`.
    pub effect_sd: f64,
    /// What the change is expected to be worth later, when the other faults of the tasks are mended that it has cleared of its cause.
    #[serde(default)]
    pub later: f64,
    /// How probable it is that the candidate is better: a posterior in `efficient`, absent in `assured`.
    pub better: Option<f64>,
    /// How probable it is that something broke; as `better`.
    pub harm: Option<f64>,
    /// How strong the evidence for the candidate is, as odds that a fair bettor would have won: an e-value in `assured`.
    pub e_value: Option<f64>,
    /// The candidate's estimated validation score.
    pub val_score: f64,
    /// The smallest difference that as many runs on each side would show four times in five, at one false alarm in twenty.
    pub smallest_detectable: Option<f64>,
    /// Expected numbers of validation tasks that this change fixed, broke, and left as they are. Never which.
    pub tasks_fixed: f64,
    /// See `tasks_fixed`.
    pub tasks_broken: f64,
    /// The runs of a whole pass: every case of the cluster and of the suite, and every validation task, once.
    #[serde(default)]
    pub whole: u32,
    /// Whether the agent does the same under every seed.
    #[serde(default)]
    pub repeats_itself: bool,
    /// `E[p (1 - p)]`: how much tasks waver.
    #[serde(default)]
    pub noise: f64,
    /// Candidates that were measured on the validation set so far: how often it was asked.
    #[serde(default)]
    pub asked: u64,
}
