//! `OpenAI` Chat Completions, as `OpenAI`, GitHub Models and compatible servers speak them
//! (<https://platform.openai.com/docs/api-reference/chat>, <https://docs.github.com/en/rest/models/inference>).

use super::wire::{garbled, text, tokens};
use super::{Call, Fault, FaultClass, Finish, Message, ModelAnswer, ModelRequest, Provider, TokenUsage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(super) fn body(provider: Provider, request: &ModelRequest) -> Value {
    let system = (!request.system.is_empty()).then(|| json!({"role": "system", "content": request.system}));
    let messages: Vec<Value> = system.into_iter().chain(request.messages.iter().map(message)).collect();
    let mut body = json!({
        "model": request.model,
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    body[most_tokens(provider, &request.model)] = request.max_output_tokens.into();
    if !request.tools.is_empty() {
        let tool = |tool: &super::Tool| {
            let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
            json!({"type": "function", "function": function})
        };
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if let Some(output) = &request.output {
        body["response_format"] = json!({
            "type": "json_schema",
            "json_schema": {"name": output.name, "schema": output.schema, "strict": true},
        });
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    if let Some(seed) = request.seed {
        body["seed"] = seed.into();
    }
    body
}

/// `OpenAI` has renamed the parameter, its reasoning models take no other; compatible servers and the older models of GitHub know only the old name.
pub(super) fn most_tokens(provider: Provider, model: &str) -> &'static str {
    let renamed = match provider {
        Provider::Openai => true,
        Provider::GithubModels => ["openai/gpt-5", "openai/o"]
            .iter()
            .any(|begin| model.starts_with(begin)),
        Provider::Anthropic | Provider::OpenaiCompatible => false,
    };
    if renamed { "max_completion_tokens" } else { "max_tokens" }
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } => {
            let content = if text.is_empty() {
                Value::Null
            } else {
                text.as_str().into()
            };
            let mut said = json!({"role": "assistant", "content": content});
            if !calls.is_empty() {
                let call = |call: &Call| {
                    let function = json!({"name": call.name, "arguments": call.arguments});
                    json!({"id": call.id, "type": "function", "function": function})
                };
                said["tool_calls"] = calls.iter().map(call).collect();
            }
            said
        }
        Message::Tool { call_id, text, error } => {
            let mark = if *error { "error: " } else { "" };
            json!({"role": "tool", "tool_call_id": call_id, "content": format!("{mark}{text}")})
        }
    }
}

pub(super) fn answer(body: &Value) -> Result<ModelAnswer, Fault> {
    let choice = body.pointer("/choices/0").ok_or_else(|| garbled("choice"))?;
    let said = choice.get("message").ok_or_else(|| garbled("message"))?;
    let usage = body.get("usage").filter(|usage| usage.is_object()).map(usage);
    let refusal = text(said, "refusal");
    if !refusal.is_empty() {
        return Err(Fault::new(FaultClass::Refused, refusal).with_usage(usage));
    }
    let reason = text(choice, "finish_reason");
    if reason == "content_filter" {
        return Err(Fault::new(FaultClass::Refused, "a content filter stopped the answer").with_usage(usage));
    }
    let calls: Vec<Call> = said
        .get("tool_calls")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(call)
        .collect();
    Ok(ModelAnswer {
        text: content(said.get("content")),
        finish: match reason {
            "length" => Finish::Length,
            _ if !calls.is_empty() => Finish::Calls,
            _ => Finish::Stop,
        },
        calls,
        usage,
    })
}

/// A text, or (some servers) a list of parts.
fn content(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().map(|part| text(part, "text")).collect(),
        _ => String::new(),
    }
}

fn call(call: &Value) -> Call {
    let function = call.get("function").unwrap_or(call);
    let arguments = match function.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(object @ Value::Object(_)) => object.to_string(),
        _ => String::new(),
    };
    Call {
        id: text(call, "id").to_owned(),
        name: text(function, "name").to_owned(),
        arguments,
    }
}

pub(super) fn usage(usage: &Value) -> TokenUsage {
    let cached = usage
        .pointer("/prompt_tokens_details/cached_tokens")
        .and_then(Value::as_u64);
    TokenUsage {
        input: tokens(usage, "prompt_tokens"),
        cached: cached.unwrap_or(0),
        output: tokens(usage, "completion_tokens"),
    }
}

/// The chunks of a stream, joined to the body that the same answer has without a stream.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    content: String,
    refusal: String,
    /// By index.
    calls: BTreeMap<u64, Value>,
    finish: Option<String>,
    usage: Value,
}

impl Assembly {
    pub(super) fn add(&mut self, chunk: &Value) {
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            self.usage.clone_from(usage);
        }
        let Some(choice) = chunk.pointer("/choices/0") else {
            return;
        };
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.finish = Some(reason.to_owned());
        }
        let Some(delta) = choice.get("delta") else { return };
        self.content.push_str(&content(delta.get("content")));
        self.refusal.push_str(text(delta, "refusal"));
        for piece in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            self.add_call(piece);
        }
    }

    /// A server that gives no index gives whole calls, each with an id.
    fn add_call(&mut self, piece: &Value) {
        let last = self.calls.last_key_value().map(|(index, _)| *index);
        let next = last.map_or(0, |last| last + 1);
        let begins = !text(piece, "id").is_empty();
        let index = piece.get("index").and_then(Value::as_u64);
        let index = index.unwrap_or(if begins { next } else { last.unwrap_or(0) });
        let call = self
            .calls
            .entry(index)
            .or_insert_with(|| json!({"function": {"name": "", "arguments": ""}}));
        if begins {
            call["id"] = piece["id"].clone();
        }
        let part = super::chat::call(piece);
        for (key, more) in [("name", part.name), ("arguments", part.arguments)] {
            let joined = format!("{}{more}", text(&call["function"], key));
            call["function"][key] = joined.into();
        }
    }

    /// `None` when no chunk said that the answer is done.
    pub(super) fn finish(self) -> Option<Value> {
        let mut message = Map::new();
        message.insert("content".to_owned(), self.content.into());
        message.insert("refusal".to_owned(), self.refusal.into());
        message.insert("tool_calls".to_owned(), self.calls.into_values().collect());
        let choice = json!({"message": message, "finish_reason": self.finish?});
        Some(json!({"choices": [choice], "usage": self.usage}))
    }
}
