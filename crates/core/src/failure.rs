//! Failure records: one failed trace, triaged.

use crate::case::Draft;
use crate::id::{RecordId, TaskId};
use crate::severity::Severity;
use crate::trace::{ExpectedAction, Termination};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who is to blame. Only `Agent` failures drive optimization; the others are counted and shown, never scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The agent under test.
    Agent,
    /// Machines, networks, time-outs.
    Infrastructure,
    /// What judges the agent.
    Evaluator,
    /// The simulated user.
    UserSimulator,
    /// Nobody knows; said, not guessed.
    #[default]
    #[serde(other)]
    Unknown,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Infrastructure => "infrastructure",
            Self::Evaluator => "evaluator",
            Self::UserSimulator => "user simulator",
            Self::Unknown => "unknown",
        })
    }
}

/// The normalised root cause that two failures share: the rule that found it and what it is about.
/// Free of task ids, step numbers and values of one run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mechanism {
    /// The ident of the miner rule, such as `missing_action`.
    pub rule: String,
    /// What it is about: a tool, a tool and an argument (`refund.amount`), a termination reason.
    pub subject: String,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.rule, self.subject)
    }
}

/// Where a reader can check a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The index of the step in the trace; `None` for evidence that lies in the outcome (a check, an absence).
    pub step: Option<usize>,
    /// What stands there, shortened to about 200 characters.
    pub quote: String,
}

/// One reason why a run failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RootCause {
    /// What two failures share.
    pub mechanism: Mechanism,
    /// One sentence about this run, for a person.
    pub finding: String,
    /// Where to look.
    pub evidence: Vec<Evidence>,
    /// From 0 to 1: how sure the rule is that this made the run fail.
    pub confidence: f64,
    /// What should have been done instead, for a person.
    pub should: String,
    /// The action that should have been done, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ExpectedAction>,
}

/// One failed trace, triaged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The hash of where it came from: the same failure read twice is the same record.
    pub id: RecordId,
    /// The task that failed.
    pub task: TaskId,
    /// Who is to blame.
    pub kind: FailureKind,
    /// What the agent was asked, shortened.
    pub context: String,
    /// What the agent did, in a line.
    pub behaviour: String,
    /// How the run ended.
    pub termination: Termination,
    /// Why it failed, the most likely reason first. Empty when nothing was found.
    pub causes: Vec<RootCause>,
    /// How bad it was, where a person, the trace or what the agent said tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Severity>,
    /// What it would need to become an eval case, if anybody made that of its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Box<Draft>>,
}

impl FailureRecord {
    /// The step that decided the run: where the evidence of the surest cause begins, or that of an earlier cause of the same kind: of several
    /// faults that nobody repaired, the first was enough. `None` where no cause points at a step.
    pub fn decisive_step(&self) -> Option<usize> {
        let begins = |cause: &RootCause| cause.evidence.iter().find_map(|evidence| evidence.step);
        let surest = self.causes.iter().find(|cause| begins(cause).is_some())?;
        let alike = |cause: &&RootCause| cause.mechanism.rule == surest.mechanism.rule;
        self.causes.iter().filter(alike).filter_map(begins).min()
    }

    /// Whether the same run, read once more, is explained as before: by the same party for the same reasons. One that is not has to
    /// leave the clusters that it was in.
    pub fn is_explained_like(&self, other: &Self) -> bool {
        let mechanisms =
            |record: &Self| -> Vec<Mechanism> { record.causes.iter().map(|cause| cause.mechanism.clone()).collect() };
        self.kind == other.kind && mechanisms(self) == mechanisms(other)
    }
}
