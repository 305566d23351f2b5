//! `OpenAI` Responses (<https://platform.openai.com/docs/api-reference/responses>). Nothing is kept at the provider: `store` is off.

use super::wire::{garbled, text, tokens};
use super::{Call, Fault, FaultClass, Finish, Message, ModelAnswer, ModelRequest, TokenUsage};
use serde_json::{Value, json};

pub(super) fn body(request: &ModelRequest) -> Value {
    let mut body = json!({
        "model": request.model,
        "input": request.messages.iter().flat_map(items).collect::<Vec<_>>(),
        "max_output_tokens": request.max_output_tokens,
        "store": false,
        "stream": true,
    });
    if !request.system.is_empty() {
        body["instructions"] = request.system.as_str().into();
    }
    if !request.tools.is_empty() {
        let tool = |tool: &super::Tool| {
            json!({
                "type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.parameters, "strict": false,
            })
        };
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if let Some(output) = &request.output {
        body["text"] = json!({
            "format": {"type": "json_schema", "name": output.name, "schema": output.schema, "strict": true},
        });
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

fn items(message: &Message) -> Vec<Value> {
    match message {
        Message::User { text } => vec![json!({"role": "user", "content": text})],
        Message::Assistant { text, calls } => {
            let said = (!text.is_empty()).then(|| json!({"role": "assistant", "content": text}));
            let call = |call: &Call| json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments});
            said.into_iter().chain(calls.iter().map(call)).collect()
        }
        Message::Tool { call_id, text, error } => {
            let mark = if *error { "error: " } else { "" };
            vec![json!({"type": "function_call_output", "call_id": call_id, "output": format!("{mark}{text}")})]
        }
    }
}

pub(super) fn answer(body: &Value) -> Result<ModelAnswer, Fault> {
    let output = body
        .get("output")
        .and_then(Value::as_array)
        .ok_or_else(|| garbled("output"))?;
    let usage = body.get("usage").filter(|usage| usage.is_object()).map(usage);
    let of_type = |kind: &'static str| output.iter().filter(move |item| text(item, "type") == kind);
    let parts: Vec<&Value> = of_type("message")
        .filter_map(|item| item.get("content")?.as_array())
        .flatten()
        .collect();
    if let Some(refusal) = parts.iter().find(|part| text(part, "type") == "refusal") {
        return Err(Fault::new(FaultClass::Refused, text(refusal, "refusal")).with_usage(usage));
    }
    let why = body.pointer("/incomplete_details/reason").and_then(Value::as_str);
    if why == Some("content_filter") {
        return Err(Fault::new(FaultClass::Refused, "a content filter stopped the answer").with_usage(usage));
    }
    let calls: Vec<Call> = of_type("function_call")
        .map(|item| Call {
            id: text(item, "call_id").to_owned(),
            name: text(item, "name").to_owned(),
            arguments: text(item, "arguments").to_owned(),
        })
        .collect();
    let said = parts.iter().filter(|part| text(part, "type") == "output_text");
    Ok(ModelAnswer {
        text: said.map(|part| text(part, "text")).collect(),
        finish: match why {
            Some(_) => Finish::Length,
            None if !calls.is_empty() => Finish::Calls,
            None => Finish::Stop,
        },
        calls,
        usage,
    })
}

pub(super) fn usage(usage: &Value) -> TokenUsage {
    let cached = usage
        .pointer("/input_tokens_details/cached_tokens")
        .and_then(Value::as_u64);
    TokenUsage {
        input: tokens(usage, "input_tokens"),
        cached: cached.unwrap_or(0),
        output: tokens(usage, "output_tokens"),
    }
}

/// The last event of a stream repeats the whole response.
pub(super) fn add(whole: &mut Option<Value>, mut event: Value) {
    let last = ["response.completed", "response.incomplete", "response.failed"];
    if last.contains(&text(&event, "type")) {
        *whole = event.get_mut("response").map(Value::take);
    }
}
