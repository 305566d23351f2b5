//! Gates: what must be measured next about a candidate, and what the measurements say.
//!
//! A gate is asked again after every stage, so that a mode that buys its runs one by one fits behind the same question.

pub mod assured;
mod efficient;
pub mod forecast;
pub mod holdout;
pub mod purchase;
pub mod rehearse;
pub mod sequential;
pub mod stats;
mod strict;

use crate::candidate::{Experiment, Stage, Verdict};
use crate::config::GateMode;
use serde::{Deserialize, Serialize};

/// The rule a candidate is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GatePolicy {
    /// The mode.
    pub mode: GateMode,
    /// What part of the regression suite must pass, from 0 to 1.
    pub regression_threshold: f64,
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
        GateMode::Strict => strict::next(policy.regression_threshold, experiment, suite_size),
    }
}

/// Asks the gate about a change that is for no cluster, such as a person's pull request: there is nothing it should fix, so only what it
/// must not break is measured.
pub fn of_pull(policy: &GatePolicy, experiment: &Experiment, suite_size: usize) -> GateStep {
    match policy.mode {
        GateMode::Strict => strict::after_screen(policy.regression_threshold, experiment, suite_size),
    }
}
