//! Reader for what Claude Code writes: the execution file of its GitHub action (a list), `stream-json` output and session transcripts (one
//! object a line).

use super::document::Document;
use super::json::Object;
use super::read::{ReadTrace, Warning, unnamed_task};
use super::window::Window;
use super::{Check, Termination, Trace, message};
use crate::failure::FailureKind;

/// Words of a machine or an account that does not answer, in the result of a run that the agent did not end.
const OUTAGE: [&str; 9] = [
    "api error",
    "invalid api key",
    "credit balance",
    "rate limit",
    "overloaded",
    "usage limit",
    "please run /login",
    "connection error",
    "internal server error",
];

pub(super) fn recognises(record: &Object<'_>) -> bool {
    let speaks = || record.node("message").and_then(|message| message.as_object());
    match record.peek("type").as_deref() {
        Some("system") => record.word("subtype").is_some_and(|subtype| subtype == "init"),
        Some("assistant" | "user") => speaks().is_some_and(|message| message.has("content")),
        Some("result") => record.has("subtype") && record.has("is_error"),
        _ => false,
    }
}

/// Reads the sessions of a file; each is one run.
pub(super) fn read(document: &Document<'_>, window: &mut Window, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let mut sessions: Vec<Session> = Vec::new();
    let records = document.objects(warnings);
    for (number, record) in &records {
        let id = ["session_id", "sessionId"].iter().find_map(|key| record.word(key));
        let known = match &id {
            Some(_) => sessions.iter().rposition(|session| session.id == id),
            None => sessions.len().checked_sub(1),
        };
        let at = known.unwrap_or(sessions.len());
        if known.is_none() {
            sessions.push(Session {
                id,
                ..Session::default()
            });
        }
        sessions[at].records.push(*number);
        sessions[at].take(record, warnings);
    }
    let mut runs = Vec::new();
    for session in sessions {
        if window.is_open(&session.records) {
            window.keep(&session.records);
        } else if window.finish(session.id.as_deref().unwrap_or_default(), &session.records, warnings)
            && (!session.trace.steps.is_empty() || session.ended)
        {
            runs.push(session.finish());
        }
    }
    runs
}

#[derive(Default)]
struct Session {
    id: Option<String>,
    records: Vec<usize>,
    trace: Trace,
    passed: Option<bool>,
    kind_hint: Option<FailureKind>,
    ended: bool,
}

impl Session {
    fn take(&mut self, record: &Object<'_>, warnings: &mut Vec<Warning>) {
        match record.peek("type").as_deref() {
            Some("assistant" | "user") => {
                let flagged = |key: &str| record.is(key, &["true"]);
                // What a subagent says is not part of the conversation; notes of the program are no words of a person.
                if record.node("parent_tool_use_id").is_some() || flagged("isSidechain") || flagged("isMeta") {
                    return;
                }
                if let Some(message) = record.object("message", warnings) {
                    message::push(&message, &mut self.trace.steps, warnings);
                }
            }
            Some("system") => {
                let tools = record.node("tools").and_then(|tools| tools.as_list());
                self.trace.tools.extend(tools.map(message::tools).unwrap_or_default());
            }
            Some("result") => self.end(record),
            _ => {}
        }
    }

    /// The subtype says how the run ended, and `is_error` whether it failed: a run that ended by itself may have failed all the same. A
    /// run that ended well was judged by nobody.
    fn end(&mut self, result: &Object<'_>) {
        self.ended = true;
        let subtype = result.word("subtype").unwrap_or_default();
        let said = result.any(&["result", "errors"]).map(|said| said.shown());
        let said = said.unwrap_or_default();
        let is_error = result.word("is_error").is_some_and(|flag| flag == "true");
        let out = OUTAGE.iter().any(|words| said.to_lowercase().contains(words));
        let (termination, passed, kind) = match subtype.as_str() {
            "error_max_turns" | "error_max_budget_usd" => (Termination::MaxSteps, Some(false), None),
            _ if is_error && out => (
                Termination::InfrastructureError,
                None,
                Some(FailureKind::Infrastructure),
            ),
            "error_during_execution" => (Termination::UnexpectedError, None, Some(FailureKind::Unknown)),
            "success" if !is_error => (Termination::AgentStop, None, None),
            "success" => (Termination::Unknown, Some(false), None),
            _ => (Termination::AgentError, Some(false), None),
        };
        self.trace.termination = termination;
        self.passed = passed;
        self.kind_hint = kind;
        self.trace.checks.clear();
        if passed == Some(false) {
            self.trace.checks.push(Check {
                name: subtype,
                kind: "status".to_owned(),
                passed: false,
                detail: said,
            });
        }
    }

    fn finish(self) -> ReadTrace {
        ReadTrace {
            source: format!(
                "claude-code:{}",
                self.id.unwrap_or_else(|| crate::hash::of_trace(&self.trace))
            ),
            task: unnamed_task(&self.trace.steps),
            trial: 0,
            passed: self.passed,
            score: None,
            kind_hint: self.kind_hint,
            trace: self.trace,
        }
    }
}

#[cfg(test)]
mod tests;
