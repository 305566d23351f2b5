//! The settings of a gate that buys its runs one by one. The defaults were tuned on a simulated loop (`docs/gates.md`).

use crate::gate::assured::Proof;
use serde::{Deserialize, Serialize};

/// How the suite and the validation set are judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// By what is expected to be better.
    Efficient,
    /// By proof.
    Assured(Proof),
    /// By the literal rule of the public experiment, with the part of the suite that must pass.
    Strict(f64),
}

/// What the gate assumes before it has seen anything, and what a run may cost. Probabilities and scores are parts of 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The score that one run must be expected to buy: 0.0001 says that a point of true score is worth 100 runs.
    pub price: f64,
    /// How probable a true gain must be for a change to be kept.
    pub confidence: f64,
    /// What part of the validation tasks a candidate must have run before it may be kept.
    pub coverage: f64,
    /// How often a task may be run on one candidate.
    pub runs_a_task: u32,
    /// `E[p(1-p)]` over tasks before any is known to waver, and the number of pairs that this is worth.
    pub noise: (f64, f64),
    /// How probable a proposal fixes its cluster.
    pub fixes: f64,
    /// How probable a fix breaks something else, and the number of candidates that this is worth.
    pub harms: (f64, f64),
    /// How probable a case carries its cluster's cause at all.
    pub member: f64,
    /// The part of its failure rate that a fixed case keeps, and of its pass rate that a broken one keeps.
    pub rest: f64,
    /// The part of the tasks that any change breaks, and fixes, by chance: an edit re-rolls a little of everything.
    pub churn: f64,
    /// The least weight of what contradicts what is believed of a task.
    pub doubt: f64,
    /// So many runs of a task are remembered at most.
    pub memory: f64,
    /// How it is judged.
    pub rule: Rule,
    /// The probe ends when it is this probable or less that the cluster is fixed ..
    pub probe_low: f64,
    /// .. or this probable or more ..
    pub probe_high: f64,
    /// .. or after so many runs.
    pub probe_runs: u32,
    /// The part of a cluster's traffic that a fix saves: other causes are left in some of its tasks.
    pub saves: f64,
    /// How much of what is known of a task outlives a change that was kept.
    pub remember: f64,
    /// How much a rejected candidate's runs say about the incumbent.
    pub rejected: f64,
    /// How much of a cluster that was cleared of its cause, while its tasks still fail for others, is expected to pay off later.
    pub later: f64,
    /// How much worse a change for no cluster may be.
    pub tolerance: f64,
    /// How much more a score that is lost counts than one that is won: 0 for as much, 1 for twice as much.
    pub aversion: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            price: 2e-5,
            confidence: 0.5,
            coverage: 1.0,
            runs_a_task: 6,
            noise: (0.12, 30.0),
            fixes: 0.3,
            harms: (0.12, 20.0),
            member: 0.75,
            rest: 0.5,
            doubt: 0.5,
            rule: Rule::Efficient,
            memory: 5.0,
            churn: 0.01,
            probe_low: 0.2,
            probe_high: 0.88,
            probe_runs: 16,
            saves: 1.3,
            remember: 0.6,
            rejected: 0.8,
            later: 0.5,
            tolerance: 0.01,
            aversion: 0.0,
        }
    }
}
