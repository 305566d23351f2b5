//! What a message consists of: texts, tool calls and answers of tools, in the notations of Anthropic, `OpenAI`, Gemini, Vercel and the `GenAI`
//! conventions. Images, audio and reasoning are left out.

use super::json::{Node, Object};
use super::read::Warning;
use super::{Role, Step, ToolCall};
use std::borrow::Cow;

/// The parts of one message, sorted.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) answers: Vec<Step>,
}

impl Parts {
    /// Takes what stands in `content` or `parts` of a message.
    pub(super) fn take(&mut self, message: &Object<'_>, warnings: &mut Vec<Warning>) {
        let Some(content) = message.any(&["content", "parts"]) else {
            return;
        };
        let Some(items) = content.items() else {
            match content.as_object() {
                Some(part) if part.has("type") => self.part(&part, warnings),
                // An answer that is structured is shown as it is.
                _ => self.say(content.shown().into()),
            }
            return;
        };
        for item in items {
            match item.as_object() {
                Some(part) => self.part(&part, warnings),
                None => self.say(item.word().unwrap_or_default()),
            }
        }
    }

    fn say(&mut self, text: Cow<'_, str>) {
        if self.text.is_empty() {
            self.text = text.into_owned();
        } else if !text.is_empty() {
            self.text.push('\n');
            self.text.push_str(&text);
        }
    }

    fn part(&mut self, part: &Object<'_>, warnings: &mut Vec<Warning>) {
        let kind = part.peek("type").unwrap_or_default();
        match kind.as_ref() {
            "text" | "input_text" | "output_text" | "refusal" => {
                let said = part.any(&["text", "content", "refusal"]);
                self.say(said.and_then(|said| said.word()).unwrap_or_default());
            }
            "tool_use" | "server_tool_use" | "mcp_tool_use" => self.call(part, ["id", "name", "input"], warnings),
            "tool_call" => {
                let arguments = if part.has("args") { "args" } else { "arguments" };
                self.call(part, ["id", "name", arguments], warnings);
            }
            "tool-call" => {
                let arguments = if part.has("args") { "args" } else { "input" };
                self.call(part, ["toolCallId", "toolName", arguments], warnings);
            }
            "tool_call_response" => self.answer(part, "id", &["response", "result"]),
            "tool-result" => self.answer(part, "toolCallId", &["output", "result"]),
            kind if kind.ends_with("tool_result") => self.answer(part, "tool_use_id", &["content"]),
            "" => self.untyped(part, warnings),
            _ => {}
        }
    }

    /// Gemini names a part by its only field.
    fn untyped(&mut self, part: &Object<'_>, warnings: &mut Vec<Warning>) {
        if let Some(text) = part.peek("text") {
            self.say(text);
        } else if let Some(call) = inner(part, &["functionCall", "function_call"]) {
            self.call(&call, ["id", "name", "args"], warnings);
        } else if let Some(answer) = inner(part, &["functionResponse", "function_response"]) {
            self.answer(&answer, "id", &["response"]);
        }
    }

    fn call(&mut self, part: &Object<'_>, [id, name, arguments]: [&str; 3], warnings: &mut Vec<Warning>) {
        let Some(name) = part.word(name) else {
            part.warn("left out: a tool call without a name", warnings);
            return;
        };
        self.calls.push(ToolCall {
            id: part.word(id).unwrap_or_default(),
            name,
            arguments: part.map(arguments, warnings),
            requestor: None,
        });
    }

    fn answer(&mut self, part: &Object<'_>, id: &str, results: &[&str]) {
        let flagged = |key: &str| part.is(key, &["true"]);
        let (content, told) = part.any(results).as_ref().map(payload).unwrap_or_default();
        self.answers.push(Step {
            role: Role::Tool,
            content,
            tool_calls: Vec::new(),
            call_id: part.word(id).filter(|id| !id.is_empty()),
            error: told || flagged("is_error") || flagged("isError"),
        });
    }
}

fn inner<'a>(part: &Object<'a>, keys: &[&str]) -> Option<Object<'a>> {
    part.any(keys)?.as_object()
}

/// What a tool answered, as text, and whether the notation itself says that it failed.
fn payload(node: &Node<'_>) -> (String, bool) {
    let wrapped = node
        .as_object()
        .and_then(|answer| Some((answer.word("type")?, answer.node("value")?)));
    if let Some((kind, value)) = wrapped {
        return (value.shown(), kind.starts_with("error"));
    }
    let Some(items) = node.as_list() else {
        return (node.shown(), false);
    };
    // Images and the like among the parts are no reason to show the list as it is.
    let said = |item: &Node<'_>| match item.as_object() {
        Some(part) if part.has("type") => part.word("text"),
        _ => Some(item.shown()),
    };
    let texts: Vec<String> = items.iter().filter_map(said).collect();
    (texts.join("\n"), false)
}
