//! What a case does since it was fixed, and why one that was in the suite is not counted any more.

use super::{CaseState, EvalCase, FlakeStatistics};
use crate::gate::stats::{Tally, wilson};
use crate::id::{CaseId, ClusterId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why a case is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aside {
    /// It passes and fails on one harness. It comes back when it has passed often enough in a row.
    Wavers,
    /// It fails on the harness that is kept: a failure to be mended, no longer one that was.
    Broke,
    /// Its runs give no verdict. Only a person brings it back.
    Silent,
    /// The runner has no such task. It comes back with the task.
    Gone,
    /// People ignore all that it guards. It comes back when they do no more.
    Ignored,
    /// A person said so, and a person brings it back.
    Person,
}

/// A change of the suite that comes of what cases do, and not of a change of the harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteChange {
    /// The case.
    pub case: CaseId,
    /// Where it stands from now on.
    pub becomes: CaseState,
    /// Why it is not counted; `None` when it is back in the suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Aside>,
    /// Why, as half a sentence.
    pub reason: String,
}

/// How often a case passed since it was fixed, on harnesses that were kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PassRate {
    /// Runs that passed.
    pub passed: u32,
    /// Runs with a verdict.
    pub runs: u32,
    /// Where the rate lies, nineteen times in twenty: from here, as a part of 1 (Wilson's interval) ..
    pub low: f64,
    /// .. to here.
    pub high: f64,
}

impl FlakeStatistics {
    /// How often it passed since it was fixed; `None` without a run.
    pub fn rate(self) -> Option<PassRate> {
        let runs = Tally {
            passed: f64::from(self.passes_after),
            failed: f64::from(self.runs_after.saturating_sub(self.passes_after)),
        };
        wilson(runs, 0.95).map(|(low, high)| PassRate {
            passed: self.passes_after,
            runs: self.runs_after,
            low,
            high,
        })
    }

    /// Takes in runs on a harness that was kept, since it was fixed.
    pub fn take_since(&mut self, passes: u32, fails: u32) {
        self.runs_after += passes + fails;
        self.passes_after += passes;
    }
}

impl EvalCase {
    /// Whether people ignore everything that it guards.
    pub fn is_ignored(&self, ignored: &BTreeSet<ClusterId>) -> bool {
        !self.clusters.is_empty() && self.clusters.iter().all(|cluster| ignored.contains(cluster))
    }
}
