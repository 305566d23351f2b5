//! The messages of the worker protocol (`docs/worker-protocol.md`), as they stand on the wire.

use crate::failure::FailureKind;
use crate::trace::Trace;
use crate::trial::{Split, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The version this sprag speaks.
pub const PROTOCOL: u32 = 1;

/// From sprag to the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// Opens the conversation.
    Hello {
        /// Always [`PROTOCOL`].
        protocol: u32,
    },
    /// Asks for the tasks of a split.
    List {
        /// The split.
        split: Split,
    },
    /// Asks for one run.
    Run(RunRequest),
    /// Asks the worker to end.
    Shutdown,
}

/// One run: exactly one of `task` and `case`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Names the run in the answer.
    pub id: String,
    /// A task of a `list` answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// A recorded input: `{"input":…,"expect":[…],"fixtures":[…]}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<Value>,
    /// Which repetition this is.
    pub trial: u32,
    /// The seed of this repetition.
    pub seed: u64,
    /// Whether the result must carry a trace.
    pub trace: bool,
}

/// From the worker to sprag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    /// Answers `hello`.
    Ready {
        /// Must be [`PROTOCOL`].
        protocol: u32,
        /// What people call this runner.
        name: String,
        /// Runs one process takes at a time.
        #[serde(default = "one")]
        parallel: usize,
        /// When the harness is read.
        #[serde(default)]
        harness: HarnessReload,
        /// Whether it takes runs with a `case`.
        #[serde(default)]
        cases: bool,
    },
    /// Answers `list`.
    Tasks {
        /// The split.
        split: Split,
        /// Its tasks.
        ids: Vec<String>,
        /// What a run of a task begins with, by id, where the worker tells it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        inputs: BTreeMap<String, String>,
    },
    /// Answers `run`.
    Result(Box<RunResult>),
}

/// When a worker reads the harness files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarnessReload {
    /// When the process starts.
    #[default]
    Start,
    /// Anew at every run.
    Run,
}

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run.
    pub id: String,
    /// The verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// How long it took.
    #[serde(default)]
    pub duration_ms: u64,
    /// Why there is no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// Whose fault it is.
    #[serde(default)]
    pub kind: FailureKind,
    /// What happened.
    pub message: String,
}

fn one() -> usize {
    1
}
