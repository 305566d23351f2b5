//! Items of `OpenAI`'s Responses interface: calls and answers stand in the list beside the messages, not in them.

use super::json::Object;
use super::read::Warning;
use super::{Role, Step, ToolCall};
use serde_json::{Map, Value};

/// Whether an object is such an item, and no message.
pub(super) fn recognises(item: &Object<'_>) -> bool {
    if item.has("role") {
        return false;
    }
    let kind = item.peek("type").unwrap_or_default();
    kind.ends_with("_call") || kind.ends_with("_call_output") || kind == "reasoning"
}

/// The steps of one item. Reasoning is left out.
pub(super) fn push(item: &Object<'_>, steps: &mut Vec<Step>, warnings: &mut Vec<Warning>) {
    let kind = item.word("type").unwrap_or_default();
    let id = item.any(&["call_id", "id"]).and_then(|id| id.as_text());
    if kind.ends_with("_output") {
        let output = item.node("output").map(|output| output.shown()).unwrap_or_default();
        steps.push(answer(id, output, false));
        return;
    }
    let Some(tool) = kind.strip_suffix("_call") else { return };
    let call = ToolCall {
        id: id.clone().unwrap_or_default(),
        name: item.word("name").unwrap_or_else(|| tool.to_owned()),
        arguments: arguments(item, warnings),
        requestor: None,
    };
    steps.push(Step {
        role: Role::Assistant,
        tool_calls: vec![call],
        ..Step::default()
    });
    // What the server itself calls is answered in the same item.
    let error = item.node("error");
    if let Some(result) = error.clone().or_else(|| item.any(&["output", "outputs", "results"])) {
        steps.push(answer(id, result.shown(), error.is_some()));
    }
}

fn answer(call_id: Option<String>, content: String, error: bool) -> Step {
    Step {
        role: Role::Tool,
        content,
        tool_calls: Vec::new(),
        call_id: call_id.filter(|id| !id.is_empty()),
        error,
    }
}

/// `arguments` is JSON in a text; tools of the server have fields of their own, and custom tools a plain text.
fn arguments(item: &Object<'_>, warnings: &mut Vec<Warning>) -> Map<String, Value> {
    if item.has("arguments") {
        return item.map("arguments", warnings);
    }
    if let Some(action) = item.node("action").and_then(|action| action.parse(&mut Vec::new())) {
        return action;
    }
    let own = ["input", "code", "queries"].into_iter();
    let parsed = own.filter_map(|key| Some((key.to_owned(), item.node(key)?.parse(warnings)?)));
    parsed.collect()
}
