//! Anthropic Messages (<https://platform.claude.com/docs/en/api/messages>, streaming and structured outputs included).

use super::wire::{garbled, text, tokens};
use super::{Call, Fault, FaultClass, Finish, Message, ModelAnswer, ModelRequest, TokenUsage};
use serde_json::{Value, json};

pub(super) fn body(request: &ModelRequest) -> Value {
    let mut body = json!({
        "model": request.model,
        "messages": turns(&request.messages),
        "max_tokens": request.max_output_tokens,
        "stream": true,
    });
    if !request.system.is_empty() {
        body["system"] = request.system.as_str().into();
    }
    if !request.tools.is_empty() {
        let tool = |tool: &super::Tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters});
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if let Some(output) = &request.output {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": output.schema}});
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

/// Messages of one role in a row are one turn: all results of a turn's calls must be in the next one.
fn turns(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let (role, blocks) = blocks(message);
        match turns.last_mut() {
            Some((last, before)) if *last == role => before.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    let turns = turns.into_iter().filter(|(_, blocks)| !blocks.is_empty());
    turns
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect()
}

fn blocks(message: &Message) -> (&'static str, Vec<Value>) {
    // An empty text block is an error there.
    let said = |text: &String| (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}));
    match message {
        Message::User { text } => ("user", said(text).into_iter().collect()),
        Message::Assistant { text, calls } => {
            let call = |call: &Call| {
                let input = call.arguments().unwrap_or_default();
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
            };
            (
                "assistant",
                said(text).into_iter().chain(calls.iter().map(call)).collect(),
            )
        }
        Message::Tool { call_id, text, error } => {
            let result = json!({"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": error});
            ("user", vec![result])
        }
    }
}

pub(super) fn answer(body: &Value) -> Result<ModelAnswer, Fault> {
    let content = body
        .get("content")
        .and_then(Value::as_array)
        .ok_or_else(|| garbled("content"))?;
    let usage = body.get("usage").filter(|usage| usage.is_object()).map(usage);
    let of_type = |kind: &'static str| content.iter().filter(move |block| text(block, "type") == kind);
    let said: String = of_type("text").map(|block| text(block, "text")).collect();
    let reason = text(body, "stop_reason");
    if reason == "refusal" {
        let why = body.pointer("/stop_details/explanation").and_then(Value::as_str);
        return Err(Fault::new(FaultClass::Refused, why.unwrap_or(&said)).with_usage(usage));
    }
    let calls: Vec<Call> = of_type("tool_use")
        .map(|block| Call {
            id: text(block, "id").to_owned(),
            name: text(block, "name").to_owned(),
            arguments: block.get("input").map(ToString::to_string).unwrap_or_default(),
        })
        .collect();
    Ok(ModelAnswer {
        text: said,
        finish: match reason {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            _ if !calls.is_empty() => Finish::Calls,
            _ => Finish::Stop,
        },
        calls,
        usage,
    })
}

/// `input_tokens` there are only those that no cache had to do with.
pub(super) fn usage(usage: &Value) -> TokenUsage {
    let cached = tokens(usage, "cache_read_input_tokens");
    let written = tokens(usage, "cache_creation_input_tokens");
    TokenUsage {
        input: tokens(usage, "input_tokens") + cached + written,
        cached,
        output: tokens(usage, "output_tokens"),
    }
}

/// The events of a stream, joined to the message that the same answer has without a stream.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    message: Value,
    /// The arguments of the calls so far, by block.
    inputs: Vec<String>,
    done: bool,
}

impl Assembly {
    pub(super) fn add(&mut self, mut event: Value) {
        match text(&event, "type") {
            "message_start" => self.message = event.get_mut("message").map(Value::take).unwrap_or_default(),
            "content_block_start" => {
                let block = event.get_mut("content_block").map(Value::take).unwrap_or_default();
                if let Some(content) = self.message.get_mut("content").and_then(Value::as_array_mut) {
                    content.push(block);
                    self.inputs.push(String::new());
                }
            }
            "content_block_delta" => self.add_delta(&event),
            "message_delta" => self.end(&event),
            "message_stop" => self.done = true,
            _ => {}
        }
    }

    fn add_delta(&mut self, event: &Value) {
        let index = usize::try_from(tokens(event, "index")).unwrap_or(usize::MAX);
        let delta = event.get("delta").unwrap_or(&Value::Null);
        let block = self
            .message
            .pointer_mut("/content")
            .and_then(|content| content.get_mut(index));
        let (Some(block), Some(input)) = (block, self.inputs.get_mut(index)) else {
            return;
        };
        match text(delta, "type") {
            "text_delta" => block["text"] = format!("{}{}", text(block, "text"), text(delta, "text")).into(),
            "input_json_delta" => input.push_str(text(delta, "partial_json")),
            _ => {}
        }
    }

    /// Counts at the end replace those of the beginning.
    fn end(&mut self, event: &Value) {
        let Some(message) = self.message.as_object_mut() else {
            return;
        };
        for (key, value) in event.get("delta").and_then(Value::as_object).into_iter().flatten() {
            message.insert(key.clone(), value.clone());
        }
        let usage = message.entry("usage").or_insert_with(|| json!({}));
        for (key, value) in event.get("usage").and_then(Value::as_object).into_iter().flatten() {
            if !value.is_null() {
                usage[key] = value.clone();
            }
        }
    }

    /// `None` when the last event is missing. Arguments that are no JSON stay as the model wrote them.
    pub(super) fn finish(mut self) -> Option<Value> {
        let content = self.message.get_mut("content").and_then(Value::as_array_mut)?;
        for (block, input) in content
            .iter_mut()
            .zip(self.inputs)
            .filter(|(_, input)| !input.is_empty())
        {
            block["input"] = serde_json::from_str(&input).unwrap_or(Value::String(input));
        }
        self.done.then_some(self.message)
    }
}
