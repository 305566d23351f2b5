//! Eval cases and the regression suite they grow into.

mod admit;
mod aside;
mod derive;
pub mod expect;
pub mod export;
pub mod judge;

pub use admit::{NEAR, Refusal, near, refusals};
pub use aside::{Aside, PassRate, SuiteChange};
pub use derive::{draft, draft_of_told, drafted};
pub use expect::{Expectation, Outcome, Scored};

use crate::gate::stats::Tally;
use crate::hash;
use crate::id::{CaseId, ClusterId, ExperimentId, RecordId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where the regression suite lies in a project.
pub const SUITE: &str = ".sprag/suite/";

/// What the name of a recorded input begins with.
const RECORDED: &str = "recorded-";

/// A reusable, reproducible check made from failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalCase {
    /// The hash of what it runs.
    pub id: CaseId,
    /// The runner's task it repeats; for a recorded input, which is no task of the runner, its own id.
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
    /// Whether nobody could hold its input against the held-out tasks: such a case drives changes, and joins no suite.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
    /// What a run of it begins with, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// What a run must show. The verdict of a recorded input; for a task, whose verdict is the runner's, what an export checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
    /// What the tools answered in the run that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<Fixture>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Why it waits or is not counted, as half a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Of what kind that reason is, for one that was in the suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Aside>,
    /// Quarantined: how often it has passed in a row since.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub streak: u32,
    /// In the suite: how often in a row it was looked at and none of its runs had a verdict.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silent: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What a run begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What the person says, one message after the other.
    pub messages: Vec<String>,
}

/// One answer of a tool, for an agent whose world is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fixture {
    /// The tool.
    pub name: String,
    /// What it was called with.
    pub arguments: Map<String, Value>,
    /// What it answered.
    pub result: String,
    /// Whether that was an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub error: bool,
}

/// Where a case comes from. Its failure records and clusters stand beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Where the failure was seen: `traffic`, `issue 12`, `artifact 7`.
    pub source: String,
    /// What says what is expected; `None` where no check expresses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Cases that say nearly the same and were refused for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<CaseId>,
}

/// What says what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// What the trace says should have been done.
    GroundTruth,
    /// What a person wrote in an issue.
    Issue,
    /// What the miner found should have been done.
    Mined,
}

/// What a failure would need to become a case. It travels with the failure record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// What the run began with; `None` where that is too large, or nobody said anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// The weakest check that fails on the trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
    /// What the tools answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<Fixture>,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl Draft {
    /// The id of the case that runs the recorded input: what is run and expected is what it is. It is the name of its task, too.
    pub fn recorded_id(&self) -> CaseId {
        CaseId::new(format!("{RECORDED}{}", &hash::of(&(&self.input, &self.expect))[..12]))
    }
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Made from a failure, and not yet seen to fail often enough.
    Candidate,
    /// It passed when it was run again, or cannot be run: kept and shown, not counted.
    Unconfirmed,
    /// Fails so far; waiting for a change that fixes it.
    Open,
    /// Fixed, and not needed in the suite: others of its cluster are there.
    Resolved,
    /// In the regression suite.
    Promoted,
    /// Wavers on an unchanged harness: kept and shown, not counted.
    Quarantined,
    /// Was in the suite and guards nothing any more: kept and shown, and not run.
    Retired,
}

/// What a case did on the harness that was incumbent at the time, or was kept then.
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

impl FlakeStatistics {
    /// What it did since it was fixed. That it was fixed counts as a pass where nothing more is known.
    pub fn since(self) -> Tally {
        Tally {
            passed: f64::from(self.passes_after.max(1)),
            failed: f64::from(self.runs_after.saturating_sub(self.passes_after)),
        }
    }
}

impl EvalCase {
    /// A candidate of which nothing is known but what it runs.
    pub fn new(id: CaseId, task: TaskId, title: String) -> Self {
        Self {
            id,
            task,
            title,
            clusters: Vec::new(),
            records: Vec::new(),
            fixed_by: None,
            flake: FlakeStatistics::default(),
            state: CaseState::Candidate,
            unchecked: false,
            input: None,
            expect: Vec::new(),
            fixtures: Vec::new(),
            provenance: None,
            note: None,
            aside: None,
            streak: 0,
            silent: 0,
        }
    }

    /// The file of a case of the regression suite, from the root of the project.
    pub fn file_of(case: &CaseId) -> String {
        format!("{SUITE}{case}.json")
    }

    /// The id of the case that repeats a task, or that is this recorded input.
    pub fn id_of(task: &TaskId) -> CaseId {
        if is_recorded(task) {
            return CaseId::new(task.as_str());
        }
        CaseId::new(format!("case-{}", &hash::of(task)[..12]))
    }

    /// How people know it: by its id and what it runs.
    pub fn named(&self) -> String {
        match self.is_recorded() {
            true => format!("`{}`", self.id),
            false => format!("`{}` (task `{}`)", self.id, self.task),
        }
    }

    /// Whether it runs a recorded input, and no task of the runner.
    pub fn is_recorded(&self) -> bool {
        is_recorded(&self.task)
    }

    /// The case as a runner gets it: `{"input":…,"expect":[…],"fixtures":[…]}`. `None` for one that is a task of the runner, or
    /// whose input is not known.
    pub fn recorded_run(&self) -> Option<Value> {
        let input = self.input.as_ref().filter(|_| self.is_recorded())?;
        Some(json!({"input": input, "expect": self.expect, "fixtures": self.fixtures}))
    }

    /// Why it cannot be run or scored whatever the runner can do, as half a sentence. `judged` says that there is a model to judge runs.
    pub fn unscorable(&self, judged: bool) -> Option<&'static str> {
        match () {
            () if !self.is_recorded() => None,
            () if self.input.is_none() => Some("the trace does not say what the run began with"),
            () if self.expect.is_empty() => Some("no check expresses what went wrong"),
            () if !judged && self.expect.iter().any(Expectation::needs_model) => {
                Some("a model would have to judge it, and there is none")
            }
            () => None,
        }
    }
}

/// Whether a name is that of a recorded input.
fn is_recorded(task: &TaskId) -> bool {
    let digits = task.as_str().strip_prefix(RECORDED);
    digits.is_some_and(|digits| digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
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

    /// Cases that are not yet seen to fail often enough.
    pub fn candidates(&self) -> impl Iterator<Item = &EvalCase> {
        self.cases.values().filter(|case| case.state == CaseState::Candidate)
    }

    /// Cases that still wait for a fix.
    pub fn open(&self) -> impl Iterator<Item = &EvalCase> {
        self.cases.values().filter(|case| case.state == CaseState::Open)
    }
}

#[cfg(test)]
mod tests;
