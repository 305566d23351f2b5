//! What a simulator says and what the gate answers: one JSON object on a line each.

use serde::{Deserialize, Serialize};
use sprag_core::gate::purchase::{Evidence, Task};

/// The version of the protocol that is spoken.
pub(super) const VERSION: u32 = 1;

/// What the simulator says. Keys that are not needed are passed over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub(super) enum Event {
    /// A new world: everything before is forgotten.
    Hello {
        /// See [`VERSION`].
        proto: u32,
        /// The names of the validation tasks.
        val: Vec<Task>,
        /// What part of the regression suite must pass.
        #[serde(default = "threshold")]
        threshold: f64,
        /// The name of the first harness.
        baseline: String,
        /// Decides what the gate draws.
        #[serde(default)]
        seed: u64,
    },
    /// Traffic on the incumbent: task, 1 for a pass, cluster of the failure.
    Batch {
        /// The best harness so far.
        incumbent: String,
        /// See `Batch`.
        traffic: Vec<(Task, u8, Option<u32>)>,
    },
    /// A change to be judged.
    Candidate {
        /// The name of the changed harness.
        id: String,
        /// The cluster it is for.
        cluster: u32,
        /// Failing cases that the proposer saw.
        visible: Vec<Task>,
        /// Failing cases that it did not see.
        hidden: Vec<Task>,
        /// The cluster's part of the traffic.
        share: f64,
    },
    /// The candidate that was accepted is the incumbent now.
    Accepted {
        /// Its name.
        id: String,
    },
    /// What came of the runs that were asked for: 1 for a pass, `null` for a run without a verdict.
    Result {
        /// In the order of the request.
        pass: Vec<Option<u8>>,
    },
    /// There is no money for these runs.
    Budget,
    /// The world ends.
    End,
    /// The program ends.
    Quit,
}

fn threshold() -> f64 {
    0.8
}

/// What the gate answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Answer {
    /// These runs, please.
    Run {
        /// On this harness.
        harness: String,
        /// `probe`, `suite`, `val`, `inc_val`, `promo` or `other`.
        kind: &'static str,
        /// The tasks.
        cases: Vec<Task>,
    },
    /// Nothing more; after an acceptance with the cases that it settles.
    Ready {
        /// The incumbent's estimated validation score.
        claimed: f64,
        /// Cases that pass reliably now.
        #[serde(skip_serializing_if = "Option::is_none")]
        resolved: Option<Vec<Task>>,
        /// Those that joined the regression suite.
        #[serde(skip_serializing_if = "Option::is_none")]
        promoted: Option<Vec<Task>>,
        /// The whole suite.
        #[serde(skip_serializing_if = "Option::is_none")]
        suite: Option<Vec<Task>>,
    },
    /// The candidate is kept.
    Accept(Decision),
    /// It is not.
    Reject(Decision),
    /// The last words in a world.
    Bye {
        /// The incumbent's estimated validation score.
        claimed: f64,
        /// The whole suite.
        suite: Vec<Task>,
    },
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Decision {
    /// The incumbent's estimated validation score.
    pub(super) claimed: f64,
    /// The candidate's estimated validation score.
    pub(super) val_score: f64,
    /// The score it was held against.
    pub(super) best_seen: f64,
    /// The part of the regression suite that is not broken.
    pub(super) regression_score: f64,
    /// The verdict's name: `rejected` and `indecisive` are both `reject`.
    pub(super) verdict: String,
    /// Why.
    pub(super) reason: String,
    /// The figures behind it.
    pub(super) evidence: Evidence,
}
