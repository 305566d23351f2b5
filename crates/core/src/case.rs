//! Eval cases and the regression suite they grow into.

use crate::id::{CaseId, ClusterId, ExperimentId, RecordId, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the regression suite lies in a project.
pub const SUITE: &str = ".sprag/suite/";

/// A reusable, reproducible check made from failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalCase {
    /// The hash of what it runs.
    pub id: CaseId,
    /// The runner's task it repeats.
    pub task: TaskId,
    /// One line: what this case guards.
    pub title: String,
    /// The clusters whose failures it shows.
    pub clusters: Vec<ClusterId>,
    /// The failure records it was made from.
    pub records: Vec<RecordId>,
    /// The experiment whose change made it pass; `None` while it is only a candidate case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_by: Option<ExperimentId>,
    /// What it did so far.
    pub flake: FlakeStatistics,
    /// Where it stands.
    pub state: CaseState,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Fails so far; waiting for a change that fixes it.
    Open,
    /// In the regression suite.
    Promoted,
    /// Wavers on an unchanged harness: kept and shown, not counted.
    Quarantined,
}

/// What a case did on the harness that was incumbent at the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlakeStatistics {
    /// Runs with a verdict before the change that fixed it.
    pub runs_before: u32,
    /// How many of them failed.
    pub fails_before: u32,
    /// Runs with a verdict since.
    pub runs_after: u32,
    /// How many of them passed.
    pub passes_after: u32,
}

impl EvalCase {
    /// The file of a case of the regression suite, from the root of the project.
    pub fn file_of(case: &CaseId) -> String {
        format!("{SUITE}{case}.json")
    }

    /// The id of the case that repeats a task.
    pub fn id_of(task: &TaskId) -> CaseId {
        CaseId::new(format!("case-{}", &crate::hash::of(task)[..12]))
    }
}

/// All cases by id: the open ones, the regression suite, and what is quarantined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseBook {
    /// The cases.
    pub cases: BTreeMap<CaseId, EvalCase>,
}

impl CaseBook {
    /// The regression suite, in order of ids.
    pub fn suite(&self) -> impl Iterator<Item = &EvalCase> {
        self.cases.values().filter(|case| case.state == CaseState::Promoted)
    }

    /// Cases that still wait for a fix.
    pub fn open(&self) -> impl Iterator<Item = &EvalCase> {
        self.cases.values().filter(|case| case.state == CaseState::Open)
    }
}
