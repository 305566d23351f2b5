//! Scorecards: what a set of trials says about a harness, paired with what the incumbent did on the same set.

use serde::{Deserialize, Serialize};

/// The outcome of one stage. Errors are kept apart: they are neither passes nor failures, and they never leave a fraction silently.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// How many passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many have no verdict, after retries.
    pub errored: u32,
    /// Failed on the incumbent, pass now.
    pub fixed: u32,
    /// Passed on the incumbent, fail now.
    pub broken: u32,
    /// For readers: the tasks behind `fixed`, `broken` and `errored`; always empty for the validation set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_tasks: Vec<String>,
    /// See `fixed_tasks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken_tasks: Vec<String>,
    /// Cluster stage only: in how many traces the targeted mechanism is gone, though the task may still fail for another reason.
    #[serde(default)]
    pub mechanism_gone: u32,
}

impl Scorecard {
    /// How many trials there were.
    pub fn total(&self) -> u32 {
        self.passed + self.failed + self.errored
    }

    /// Passed over all that have a verdict; `None` when nothing has one.
    pub fn score(&self) -> Option<f64> {
        let measured = self.passed + self.failed;
        (measured > 0).then(|| f64::from(self.passed) / f64::from(measured))
    }

    /// Whether every trial has a verdict and there is at least one.
    pub fn complete(&self) -> bool {
        self.errored == 0 && self.total() > 0
    }
}
