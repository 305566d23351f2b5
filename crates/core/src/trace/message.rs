//! One message of a conversation, in any of the spellings that are about: tau2, the worker protocol, `OpenAI`, Anthropic, Inspect, the
//! `GenAI` conventions, Gemini, Vercel and `LangChain`. What a message consists of is in `parts.rs`.

use super::json::{Node, Object};
use super::parts::Parts;
use super::read::Warning;
use super::{Effect, ExpectedAction, Role, Step, ToolCall, ToolSpec, responses};

/// The steps of a list of messages. A message that holds several tool answers becomes several steps.
pub(super) fn steps(messages: Vec<Node<'_>>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let mut steps = Vec::with_capacity(messages.len());
    for message in messages {
        let Some(message) = message.object(warnings) else {
            continue;
        };
        // tau2 and AG2 put several answers into one message.
        let several = ["tool_messages", "tool_responses"]
            .into_iter()
            .find(|key| message.has(key));
        let Some(key) = several else {
            push(&message, &mut steps, warnings);
            continue;
        };
        for answer in message.objects(key, warnings) {
            push(&answer, &mut steps, warnings);
        }
    }
    steps
}

/// Who a word means, in whatever spelling.
pub(super) fn role(word: &str) -> Option<Role> {
    Some(match word.to_lowercase().as_str() {
        "system" | "developer" | "instructions" => Role::System,
        "user" | "human" | "customer" => Role::User,
        "assistant" | "agent" | "ai" | "bot" | "model" => Role::Assistant,
        "tool" | "function" | "observation" => Role::Tool,
        _ => return None,
    })
}

/// The steps of one message: answers of tools that it carries, and what is said and called in it.
pub(super) fn push(message: &Object<'_>, steps: &mut Vec<Step>, warnings: &mut Vec<Warning>) {
    if responses::recognises(message) {
        responses::push(message, steps, warnings);
        return;
    }
    let key = if message.has("role") { "role" } else { "type" };
    let word = message.peek(key).unwrap_or_default();
    let Some(role) = role(&word) else {
        message.warn(format!("left out: a message with the role `{word}`"), warnings);
        return;
    };
    let mut parts = Parts::default();
    parts.take(message, warnings);
    let calls = message.objects("tool_calls", warnings);
    parts.calls.extend(calls.iter().filter_map(|one| call(one, warnings)));
    let legacy = message.object("function_call", warnings);
    parts.calls.extend(legacy.and_then(|one| call(&one, warnings)));
    let carries = !parts.answers.is_empty();
    let step = Step {
        role,
        content: parts.text,
        tool_calls: parts.calls,
        call_id: None,
        error: false,
    };
    let step = match role {
        Role::Tool => answer(message, step, warnings),
        Role::System | Role::User | Role::Assistant => step,
    };
    let says = !carries || !step.content.is_empty() || !step.tool_calls.is_empty();
    let (before, after) = match role {
        Role::Assistant => (Vec::new(), parts.answers),
        Role::System | Role::User | Role::Tool => (parts.answers, Vec::new()),
    };
    steps.extend(before);
    steps.extend(Some(step).filter(|_| says));
    steps.extend(after);
}

/// A message that is the answer of a tool: which call it answers, and whether that failed.
fn answer(message: &Object<'_>, step: Step, warnings: &mut Vec<Warning>) -> Step {
    let id_key = ["call_id", "tool_call_id", "id"]
        .into_iter()
        .find(|key| message.has(key));
    let call_id = id_key
        .and_then(|key| message.text(key, warnings))
        .filter(|id| !id.is_empty());
    // Inspect says what kind of error it was, LangChain has a word for it.
    let told = message.node("error").and_then(|error| error.as_object());
    let failed = message.is("status", &["error"]);
    let error = failed || told.is_some() || message.flag("error", warnings).unwrap_or(false);
    let told = told.and_then(|told| told.word("message")).unwrap_or_default();
    let content = if step.content.is_empty() { told } else { step.content };
    Step {
        content,
        call_id,
        error,
        ..step
    }
}

/// A tool call: `{id, name, arguments}`, as `OpenAI` and `LangChain` write it too.
pub(super) fn call(call: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<ToolCall> {
    let function = call.node("function").and_then(|function| function.as_object());
    let named = function.as_ref().unwrap_or(call);
    // Inspect has the name itself where OpenAI has an object.
    let name = named.word("name").or_else(|| call.word("function"));
    let Some(name) = name else {
        call.warn("left out: a tool call without a name", warnings);
        return None;
    };
    let arguments = ["arguments", "args", "input"].into_iter().find(|key| named.has(key));
    Some(ToolCall {
        id: call.text("id", warnings).unwrap_or_default(),
        name,
        arguments: arguments.map(|key| named.map(key, warnings)).unwrap_or_default(),
        requestor: call.text("requestor", warnings),
    })
}

/// The tools that an agent could call, as the interfaces of models name them: objects, or only names.
pub(super) fn tools(definitions: Vec<Node<'_>>) -> Vec<ToolSpec> {
    let one = |node: Node<'_>| {
        let Some(tool) = node.as_object() else {
            return node.as_text().map(|name| (name, Vec::new()));
        };
        let function = tool.node("function").and_then(|function| function.as_object());
        let named = function.as_ref().unwrap_or(&tool);
        let schema = named.any(&["parameters", "input_schema", "inputSchema"]);
        let required = schema.and_then(|schema| schema.as_object()?.node("required")?.as_list());
        let required = required.unwrap_or_default().iter().filter_map(Node::as_text).collect();
        Some((named.word("name")?, required))
    };
    let found = definitions.into_iter().filter_map(one);
    let spec = |(name, required)| ToolSpec {
        name,
        effect: Effect::Unknown,
        required,
    };
    found.map(spec).collect()
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
