//! Gates: what must be measured next about a candidate, and what the measurements say.
//!
//! A gate is asked again after every stage, so that a mode that buys its runs one by one fits behind the same question.

mod strict;

use crate::candidate::{Experiment, Stage, Verdict};
use serde::{Deserialize, Serialize};

/// The rule a candidate is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GatePolicy {
    /// The mode.
    pub mode: Mode,
    /// What part of the regression suite must pass, from 0 to 1.
    pub regression_threshold: f64,
}

/// The modes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One trial a task; regression score at or above the threshold, then validation score at or above the best seen.
    Strict,
}

/// What a gate wants.
#[derive(Debug, Clone, PartialEq)]
pub enum GateStep {
    /// A stage must be measured.
    Measure(Stage),
    /// Everything needed is known.
    Decide(Verdict, String),
}

/// Asks the gate about an experiment. `suite_size` is the number of promoted cases.
pub fn next(policy: &GatePolicy, experiment: &Experiment, suite_size: usize) -> GateStep {
    match policy.mode {
        Mode::Strict => strict::next(policy.regression_threshold, experiment, suite_size),
    }
}
