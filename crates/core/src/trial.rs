//! A trial: one run of one task or case on one harness, with its verdict.

use crate::failure::FailureKind;
use crate::id::TaskId;
use crate::trace::Trace;
use serde::{Deserialize, Serialize};

/// One run of one task or case on one harness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How it went.
    pub status: TrialStatus,
    /// From 0 to 1; 0 when errored.
    pub score: f64,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// How long the runner says it took, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The trace, if one was asked for and given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// What a model has still to judge before there is a verdict: rubrics of a case of which all else holds. Never on record.
    #[serde(skip)]
    pub rubrics: Vec<String>,
}

/// How a trial went. An error is never a pass and never a failure of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum TrialStatus {
    /// The agent did what it should.
    Passed,
    /// The agent did not.
    Failed,
    /// There is no verdict.
    Errored {
        /// Whose fault it is.
        kind: FailureKind,
        /// What happened.
        message: String,
    },
}

impl Trial {
    /// A trial without verdict.
    pub fn errored(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            status: TrialStatus::Errored {
                kind,
                message: message.into(),
            },
            score: 0.0,
            usage: Usage::default(),
            duration_ms: 0,
            trace: None,
            rubrics: Vec::new(),
        }
    }

    /// The verdict once a model has said of each rubric whether it holds; the score is the part of them that does.
    pub fn judge(&mut self, holds: &[bool]) {
        self.rubrics.clear();
        let held = holds.iter().filter(|holds| **holds).count();
        self.score = crate::agreement::share(held, holds.len());
        self.status = if held == holds.len() {
            TrialStatus::Passed
        } else {
            TrialStatus::Failed
        };
    }

    /// Whether the agent did what it should.
    pub fn passed(&self) -> bool {
        self.status == TrialStatus::Passed
    }

    /// Whether there is a verdict.
    pub fn has_verdict(&self) -> bool {
        !matches!(self.status, TrialStatus::Errored { .. })
    }
}

/// What a trial cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens read by a model.
    pub input_tokens: u64,
    /// Tokens written by a model.
    pub output_tokens: u64,
    /// US dollars.
    pub usd: f64,
}

/// The three parts a runner's tasks fall into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Traffic: mined, shown to proposers.
    Train,
    /// Held out: only scores leave it.
    Validation,
    /// Sealed.
    Test,
}

/// One verdict of one task, without its trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskVerdict {
    /// The task.
    pub task: TaskId,
    /// How it went.
    #[serde(flatten)]
    pub status: TrialStatus,
}
