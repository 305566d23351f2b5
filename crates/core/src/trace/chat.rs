//! Reader for lists of messages as `OpenAI` and Anthropic have them: a bare list, one or more objects with `messages`, or one message a
//! line. Nobody judges such a run, unless the object has a verdict beside its messages.

use super::document::Document;
use super::json::{Node, Object};
use super::read::{ReadTrace, Warning, of_unnamed_steps, unnamed_task};
use super::window::Window;
use super::{Role, Step, Termination, Trace, message, responses, tau2};
use crate::id::TaskId;

/// So many messages are looked at to know that they are some.
const HEADS: usize = 8;
/// Fields of a run that name its task, the best first.
const TASK: [&str; 5] = ["task_id", "task", "case_id", "instance_id", "id"];
/// Fields that hold a verdict.
const PASSED: [&str; 4] = ["passed", "success", "resolved", "correct"];

/// Whether a document is such a list.
pub(super) fn recognises(document: &Document<'_>) -> bool {
    if !document.has_list("") {
        return is_run(&document.object());
    }
    document.look("").take(HEADS).any(|item| match item.as_object() {
        Some(object) => is_message(&object) || is_run(&object),
        None => is_conversation(&item),
    })
}

fn is_run(object: &Object<'_>) -> bool {
    let list = |key: &str| object.node(key).is_some_and(|node| is_conversation(&node));
    list("messages") || (object.is("object", &["response"]) && list("output"))
}

fn is_conversation(node: &Node<'_>) -> bool {
    let mut objects = node
        .items()
        .into_iter()
        .flatten()
        .take(HEADS)
        .filter_map(|item| item.as_object());
    objects.any(|object| is_message(&object))
}

fn is_message(object: &Object<'_>) -> bool {
    let says = ["content", "parts", "tool_calls", "function_call"]
        .into_iter()
        .any(|key| object.has(key));
    let spoken = object.peek("role").or_else(|| object.peek("type"));
    (says && spoken.is_some_and(|word| message::role(&word).is_some())) || responses::recognises(object)
}

/// Reads the conversations of a document.
pub(super) fn read(document: &Document<'_>, window: &mut Window, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    if !document.has_list("") {
        return vec![run(&document.object(), warnings)];
    }
    let mut traces = Vec::new();
    let mut messages = Vec::new();
    let mut records = Vec::new();
    for (at, item) in document.look("").enumerate() {
        match item.as_object() {
            Some(object) if is_run(&object) => traces.push(run(&object, warnings)),
            None if item.raw.starts_with('[') => {
                let conversation = item.as_list().unwrap_or_default();
                traces.push(of_unnamed_steps("messages", message::steps(conversation, warnings)));
            }
            _ => {
                messages.push(item);
                records.push(at);
            }
        }
    }
    // Messages that stand one by one are one conversation, which goes on to the end of the file.
    if window.is_open(&records) {
        window.keep(&records);
        return traces;
    }
    let steps = message::steps(messages, warnings);
    if !steps.is_empty() && window.finish("messages", &records, warnings) {
        traces.push(of_unnamed_steps("messages", steps));
    }
    traces
}

fn run(object: &Object<'_>, warnings: &mut Vec<Warning>) -> ReadTrace {
    let mut steps = Vec::new();
    // Anthropic keeps the instructions beside the messages, the Responses interface calls them so.
    for key in ["system", "instructions"] {
        let said = object.node(key).and_then(|said| said.as_text());
        steps.extend(said.map(|content| Step {
            role: Role::System,
            content,
            ..Step::default()
        }));
    }
    for key in ["input", "messages", "output"] {
        let said = object.node(key).and_then(|said| said.as_list());
        steps.extend(said.map(|said| message::steps(said, warnings)).unwrap_or_default());
    }
    let answer = object.node("response").and_then(|response| response.as_object());
    let choices = answer.as_ref().unwrap_or(object).node("choices");
    let chosen = choices.and_then(|choices| choices.at("/0/message")?.as_object());
    if let Some(chosen) = chosen {
        message::push(&chosen, &mut steps, warnings);
    }
    let tools = object.node("tools").and_then(|tools| tools.as_list());
    let task = TASK.iter().find_map(|key| object.word(key));
    let passed = PASSED.iter().find_map(|key| object.word(key)?.parse().ok());
    let trace = Trace {
        tools: tools.map(message::tools).unwrap_or_default(),
        termination: Termination::Unknown,
        steps,
        ..Trace::default()
    };
    ReadTrace {
        source: format!("messages:{}", crate::hash::of_trace(&trace)),
        task: task.map_or_else(|| unnamed_task(&trace.steps), TaskId::new),
        trial: object.amount("trial").map_or(0, tau2::whole),
        passed,
        score: object.amount("score").or_else(|| object.amount("reward")),
        kind_hint: None,
        trace,
    }
}

#[cfg(test)]
mod tests;
