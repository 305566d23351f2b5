//! Reader for records of a team's own making, one a line or in a list: `[signals.mapping]` says where in a record each thing stands.

use super::document::{self, Document};
use super::json::{Node, Object};
use super::read::{ReadTrace, Warning, decoded, unnamed_task};
use super::{Role, Step, ToolCall, Trace, message, tau2};
use crate::config::Mapping;
use crate::id::TaskId;
use crate::severity::Severity;

/// Reads the records; `None` if the file has none that the mapping fits.
pub(super) fn read(mapping: &Mapping, bytes: &[u8], warnings: &mut Vec<Warning>) -> Option<Vec<ReadTrace>> {
    let mut own = Vec::new();
    let text = decoded(bytes, &mut own);
    let text = document::as_json(&text);
    let document = Document::read(&text, &mut own);
    if !fits(mapping, &document) {
        return None;
    }
    warnings.append(&mut own);
    if !document.has_list("") {
        let root = Node::of_text("", &text)?;
        return Some(record(mapping, &root, warnings).into_iter().collect());
    }
    Some(read_list(mapping, &document, warnings))
}

/// Reads records that stand in a list or one a line.
pub(super) fn read_list(mapping: &Mapping, document: &Document<'_>, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let records = document.look("");
    records.filter_map(|node| record(mapping, &node, warnings)).collect()
}

/// The first record decides.
pub(super) fn fits(mapping: &Mapping, document: &Document<'_>) -> bool {
    let first = document.look("").next();
    match first {
        Some(first) => first
            .at(&mapping.messages)
            .is_some_and(|messages| messages.as_list().is_some()),
        None => {
            let top = document.object();
            let key = mapping
                .messages
                .trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default();
            !key.is_empty() && top.has(key)
        }
    }
}

fn record(mapping: &Mapping, node: &Node<'_>, warnings: &mut Vec<Warning>) -> Option<ReadTrace> {
    let said = |pointer: &Option<String>| node.at(pointer.as_deref()?)?.as_text();
    let Some(messages) = node.at(&mapping.messages).and_then(|messages| messages.as_list()) else {
        let message = format!("left out: no list at `{}`", mapping.messages);
        node.warn(message, warnings);
        return None;
    };
    let mut steps = Vec::new();
    for one in &messages {
        push(mapping, one, &mut steps, warnings);
    }
    let trace = Trace {
        steps,
        impact: said(&mapping.impact).and_then(|word| Severity::of_word(&word)),
        ..Trace::default()
    };
    let task = said(&mapping.task).map(TaskId::new);
    let task = task.unwrap_or_else(|| unnamed_task(&trace.steps));
    let trial = said(&mapping.trial)
        .and_then(|trial| trial.parse().ok())
        .map_or(0, tau2::whole);
    let score = said(&mapping.score).and_then(|score| score.parse::<f64>().ok());
    let passed = said(&mapping.passed);
    let verdict = passed.as_deref().and_then(verdict);
    if let (Some(word), None) = (&passed, verdict) {
        let message = format!("`{word}` says neither that the run passed nor that it failed");
        node.warn(message, warnings);
    }
    Some(ReadTrace {
        source: format!("mapped:{task}:{trial}:{}", crate::hash::of_trace(&trace)),
        task,
        trial,
        passed: verdict,
        score: score.filter(|score| score.is_finite()),
        kind_hint: None,
        trace,
    })
}

/// A verdict in the words that are about.
fn verdict(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "true" | "1" | "1.0" | "yes" | "pass" | "passed" | "success" | "succeeded" | "ok" | "correct" => Some(true),
        "false" | "0" | "0.0" | "no" | "fail" | "failed" | "failure" | "error" | "incorrect" | "wrong" => Some(false),
        _ => None,
    }
}

/// A message whose parts stand where the mapping says. What it leaves out is read as messages usually are.
fn push(mapping: &Mapping, node: &Node<'_>, steps: &mut Vec<Step>, warnings: &mut Vec<Warning>) {
    let at = |pointer: &Option<String>, usual: &str| node.at(pointer.as_deref().unwrap_or(usual));
    let word = at(&mapping.role, "/role")
        .and_then(|role| role.as_text())
        .unwrap_or_default();
    let Some(role) = message::role(&word) else {
        let message = format!("left out: a message with the role `{word}`");
        node.warn(message, warnings);
        return;
    };
    let calls = at(&mapping.tool_calls, "/tool_calls").and_then(|calls| calls.as_list());
    let calls = calls.unwrap_or_default();
    let call_id = at(&mapping.answers, "/tool_call_id").and_then(|id| id.as_text());
    let error = at(&mapping.error, "/error").is_some_and(|error| !matches!(error.raw, "false" | "0" | "\"\""));
    steps.push(Step {
        role,
        content: at(&mapping.content, "/content")
            .map(|content| content.shown())
            .unwrap_or_default(),
        tool_calls: calls.iter().filter_map(|one| call(mapping, one, warnings)).collect(),
        call_id: call_id.filter(|id| role == Role::Tool && !id.is_empty()),
        error: role == Role::Tool && error,
    });
}

fn call(mapping: &Mapping, node: &Node<'_>, warnings: &mut Vec<Warning>) -> Option<ToolCall> {
    let Some(name) = &mapping.tool_name else {
        return message::call(&node.as_object()?, warnings);
    };
    let Some(name) = node.at(name).and_then(|name| name.as_text()) else {
        node.warn("left out: a tool call without a name", warnings);
        return None;
    };
    let id = node.at(mapping.tool_call_id.as_deref().unwrap_or("/id"));
    let arguments = node.at(mapping.tool_arguments.as_deref().unwrap_or("/arguments"));
    let arguments = arguments.map(|arguments| {
        let fields = vec![("arguments".into(), arguments.raw)];
        Object::new(node.place.clone(), fields).map("arguments", warnings)
    });
    Some(ToolCall {
        id: id.and_then(|id| id.as_text()).unwrap_or_default(),
        name,
        arguments: arguments.unwrap_or_default(),
        requestor: None,
    })
}

#[cfg(test)]
mod tests;
