//! One message of a conversation, as tau2, tau-bench, `OpenAI` and the worker protocol write it.

use super::json::{Node, Object};
use super::read::Warning;
use super::{ExpectedAction, Role, Step, ToolCall};

/// The steps of a list of messages. A message that holds several tool answers becomes several steps.
pub(super) fn steps(messages: Vec<Node<'_>>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let mut steps = Vec::with_capacity(messages.len());
    for message in messages {
        let Some(message) = message.object(warnings) else {
            continue;
        };
        if message.has("tool_messages") {
            let answers = message.objects("tool_messages", warnings);
            steps.extend(answers.iter().filter_map(|answer| step(answer, warnings)));
        } else {
            steps.extend(step(&message, warnings));
        }
    }
    steps
}

fn step(message: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<Step> {
    let word = message.text("role", warnings).unwrap_or_default();
    let role = match word.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => {
            message.warn(format!("left out: a message with the role `{word}`"), warnings);
            return None;
        }
    };
    let content = message.text("content", warnings).unwrap_or_default();
    let calls = message.objects("tool_calls", warnings);
    let tool_calls = calls.iter().filter_map(|one| call(one, warnings)).collect();
    let id_key = ["call_id", "tool_call_id", "id"]
        .into_iter()
        .find(|key| message.has(key))
        .filter(|_| role == Role::Tool);
    let call_id = id_key
        .and_then(|key| message.text(key, warnings))
        .filter(|id| !id.is_empty());
    let error = role == Role::Tool && message.flag("error", warnings).unwrap_or(false);
    Some(Step {
        role,
        content,
        tool_calls,
        call_id,
        error,
    })
}

fn call(call: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<ToolCall> {
    let function = call.object("function", warnings);
    let named = function.as_ref().unwrap_or(call);
    let Some(name) = named.text("name", warnings) else {
        call.warn("left out: a tool call without a name", warnings);
        return None;
    };
    Some(ToolCall {
        id: call.text("id", warnings).unwrap_or_default(),
        name,
        arguments: named.map("arguments", warnings),
        requestor: call.text("requestor", warnings),
    })
}

/// An action that should have been done; `arguments` is the key of its arguments.
pub(super) fn action(action: &Object<'_>, arguments: &str, warnings: &mut Vec<Warning>) -> Option<ExpectedAction> {
    let compare_key = if action.has("compare") {
        "compare"
    } else {
        "compare_args"
    };
    Some(ExpectedAction {
        name: action.text("name", warnings)?,
        arguments: action.map(arguments, warnings),
        compare: action.node(compare_key).map(|_| action.texts(compare_key, warnings)),
        requestor: action.text("requestor", warnings),
    })
}
