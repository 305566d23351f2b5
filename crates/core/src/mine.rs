//! The rules miner: failed traces in, failure records out. Deterministic, no model.

mod asked_again;
pub mod beside;
mod blocked_write;
mod calls;
mod category;
mod clump;
mod compare;
mod context_overflow;
mod extra_write;
mod failed_check;
mod format_error;
mod gave_up;
mod ignored_tool_error;
mod invented_argument;
mod kept_out;
mod kind;
mod lack;
mod looping;
mod missing_action;
mod missing_handover;
pub mod model;
mod partial_list;
mod policy;
mod policy_violated;
mod premature_handover;
mod repeated_call;
mod secret_said;
mod settle;
mod skipped_confirmation;
mod termination;
pub mod text;
mod together;
mod tool_error;
mod unexplained_answer;
mod unexplained_write;
mod ungrounded_answer;
mod unmet_communication;
mod unwarranted_write;
mod wrong_answer;
mod wrong_argument;
mod wrong_order;
mod wrong_tool;

pub use beside::{Judged, JudgedBuilder, mine_beside};
pub(crate) use calls::{hands_over, writes, writes_by_name};
pub use category::{Category, category};
pub use clump::clumps;
pub use lack::lack;
pub use settle::settle;
pub use together::{Run, finish, one, together};

use crate::failure::{FailureKind, FailureRecord, RootCause};
use crate::id::{RecordId, TaskId};
use crate::trace::{ExpectedAction, Role, Trace};

/// The most causes of one record.
const MAX_CAUSES: usize = 40;
/// The most bytes of the name of a task or of a mechanism's subject.
const MAX_NAME: usize = 300;
/// The most bytes of a sentence.
const MAX_SENTENCE: usize = 4_000;
/// The most pieces of evidence of one cause.
const MAX_EVIDENCE: usize = 20;
/// The most bytes of the arguments of an action that should have been done; a larger one is told of, but not kept.
const MAX_ARGUMENTS: usize = 10_000;

/// One way to find root causes in a failed trace.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name in mechanisms, such as `missing_action`.
    pub ident: &'static str,
    /// What it finds, in a line.
    pub description: &'static str,
    /// Whether it is only asked when no other rule found anything.
    pub last_resort: bool,
    /// Finds the causes, in the order in which they should be told.
    pub find: fn(&Trace) -> Vec<RootCause>,
}

/// All rules; of two causes with one confidence, that of the earlier rule is told first. `docs/miner-rules.md` has a section for each.
pub const RULES: &[Rule] = &[
    missing_action::RULE,
    wrong_argument::RULE,
    wrong_tool::RULE,
    extra_write::RULE,
    wrong_order::RULE,
    looping::RULE,
    repeated_call::RULE,
    context_overflow::RULE,
    termination::RULE,
    policy_violated::RULE,
    ignored_tool_error::RULE,
    tool_error::RULE,
    premature_handover::RULE,
    unmet_communication::RULE,
    failed_check::RULE,
    gave_up::RULE,
];

/// Rules that are only asked beside runs that were judged; see [`mine_beside`].
pub const BESIDE: &[Rule] = &[
    blocked_write::RULE,
    format_error::RULE,
    invented_argument::RULE,
    kept_out::RULE,
    partial_list::RULE,
    asked_again::RULE,
    skipped_confirmation::RULE,
    ungrounded_answer::RULE,
    unexplained_write::RULE,
    unexplained_answer::RULE,
    missing_handover::RULE,
    unwarranted_write::RULE,
    wrong_answer::RULE,
];

/// Triages one failed trace. `source` names where it came from (a run key, a file and index) and makes the record's id.
///
/// Only failures of the agent have causes, the surest first; several may share one mechanism when, say, two calls of one tool are missing.
pub fn mine(source: &str, task: &TaskId, trace: &Trace) -> FailureRecord {
    let (kind, causes) = match kind::not_the_agent(trace) {
        Some(kind) => (kind, Vec::new()),
        None => {
            let causes = causes(trace);
            (
                if causes.is_empty() {
                    FailureKind::Unknown
                } else {
                    FailureKind::Agent
                },
                causes,
            )
        }
    };
    FailureRecord {
        id: RecordId::new(crate::hash::of_text(source)),
        task: bounded_task(task),
        kind,
        context: context(trace),
        behaviour: behaviour(trace),
        termination: trace.termination,
        causes: causes.into_iter().take(MAX_CAUSES).map(bounded).collect(),
        impact: trace.impact.max(secret_said::impact(trace)),
        draft: None,
    }
}

/// The name of a task, which may be a whole prompt in the trace of a stranger: what is too long is cut, and told apart by its hash.
fn bounded_task(task: &TaskId) -> TaskId {
    let name = task.as_str();
    if name.len() <= MAX_NAME {
        return task.clone();
    }
    let end = name.floor_char_boundary(MAX_NAME - 13);
    TaskId::new(format!("{} {}", &name[..end], &crate::hash::of_text(name)[..12]))
}

/// A cause of which no part is longer than a reader would want, whatever the trace holds.
fn bounded(mut cause: RootCause) -> RootCause {
    for (text, most) in [
        (&mut cause.mechanism.subject, MAX_NAME),
        (&mut cause.finding, MAX_SENTENCE),
        (&mut cause.should, MAX_SENTENCE),
    ] {
        if text.len() > most {
            *text = text::shortened(text, most / 4);
        }
    }
    cause.evidence.truncate(MAX_EVIDENCE);
    let large = |action: &ExpectedAction| {
        let arguments = serde_json::to_string(&action.arguments).map_or(0, |text| text.len());
        action.name.len() > MAX_NAME || arguments > MAX_ARGUMENTS
    };
    cause.action = cause.action.filter(|action| !large(action));
    cause
}

fn causes(trace: &Trace) -> Vec<RootCause> {
    let (last, first): (Vec<&Rule>, Vec<&Rule>) = RULES.iter().partition(|rule| rule.last_resort);
    let mut causes: Vec<RootCause> = first.iter().flat_map(|rule| (rule.find)(trace)).collect();
    if causes.is_empty() {
        causes = last
            .iter()
            .map(|rule| (rule.find)(trace))
            .find(|found| !found.is_empty())
            .unwrap_or_default();
    }
    causes.sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
    causes
}

/// What the agent was asked: the first thing the person said, or else the instructions.
fn context(trace: &Trace) -> String {
    let said = |role| {
        trace
            .steps
            .iter()
            .find(|step| step.role == role && !step.content.trim().is_empty())
    };
    let step = said(Role::User).or_else(|| said(Role::System));
    step.map(|step| text::shortened(&step.content, 300)).unwrap_or_default()
}

fn behaviour(trace: &Trace) -> String {
    let mine: Vec<_> = trace
        .exchanges()
        .into_iter()
        .filter(|exchange| !calls::by_person(trace, exchange))
        .collect();
    let writes = mine
        .iter()
        .filter(|exchange| writes(trace, &exchange.call.name))
        .count();
    let calls = text::counted(mine.len(), "call");
    format!(
        "made {calls} ({}), ended by {}",
        text::counted(writes, "write"),
        trace.termination.word()
    )
}

#[cfg(test)]
pub(crate) mod tests;
