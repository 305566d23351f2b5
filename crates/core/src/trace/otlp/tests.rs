//! Envelopes, names and verdicts of spans.

use super::*;
use crate::trace::read::read_any;
use crate::trace::{Role, Step};
use serde_json::{Value, json};

fn clean(text: &str) -> Vec<ReadTrace> {
    let (runs, warnings) = read_any("x", text.as_bytes());
    assert_eq!(warnings, [], "{text}");
    runs
}

fn told(run: &ReadTrace) -> Vec<String> {
    let one = |step: &Step| {
        let calls = step
            .tool_calls
            .iter()
            .map(|call| format!("{}{}", call.name, Value::Object(call.arguments.clone())));
        let error = if step.error { "!" } else { "" };
        let calls: Vec<String> = calls.collect();
        format!("{:?}{error} {} {}", step.role, step.content, calls.join(" "))
            .trim()
            .to_owned()
    };
    run.trace.steps.iter().map(one).collect()
}

/// A span as OTLP writes it: ids in hexadecimal, numbers as texts, attributes as a list.
fn span(id: &str, parent: &str, start: u64, code: u8, attributes: &[(&str, Value)]) -> Value {
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(key, value)| match value {
            Value::String(text) => json!({"key": key, "value": {"stringValue": text}}),
            Value::Number(number) => json!({"key": key, "value": {"intValue": number.to_string()}}),
            structured => json!({"key": key, "value": structured}),
        })
        .collect();
    json!({"traceId": "4bf9", "spanId": id, "parentSpanId": parent, "name": format!("span {id}"), "kind": 1,
        "startTimeUnixNano": start.to_string(), "status": {"code": code}, "attributes": attributes})
}

fn request(spans: &[Value]) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]})
}

/// An agent that calls a tool that fails. Children come first, as exporters write them.
fn run(root_code: u8, root: &[(&str, Value)]) -> Vec<Value> {
    let first = r#"[{"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}]"#;
    let call = r#"[{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}], "finish_reason": "tool_call"}]"#;
    let second = r#"[{"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}, {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}]}, {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "timed out"}]}]"#;
    let answer = r#"[{"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "I do not know."}]}]"#;
    let mut attributes = vec![
        ("gen_ai.operation.name", json!("invoke_agent")),
        ("gen_ai.input.messages", json!("Weather in Paris?")),
    ];
    attributes.extend(root.iter().cloned());
    vec![
        span(
            "c",
            "a",
            30,
            2,
            &[
                ("gen_ai.operation.name", json!("execute_tool")),
                ("gen_ai.tool.name", json!("get_weather")),
                ("gen_ai.tool.call.id", json!("c1")),
                ("gen_ai.tool.call.arguments", json!("{\"city\": \"Paris\"}")),
                ("gen_ai.tool.call.result", json!("timed out")),
                ("error.type", json!("timeout")),
            ],
        ),
        span(
            "b",
            "a",
            20,
            1,
            &[
                ("gen_ai.operation.name", json!("chat")),
                ("gen_ai.input.messages", json!(first)),
                ("gen_ai.output.messages", json!(call)),
                ("gen_ai.usage.input_tokens", json!(850)),
            ],
        ),
        span(
            "d",
            "a",
            40,
            1,
            &[
                ("gen_ai.operation.name", json!("chat")),
                ("gen_ai.input.messages", json!(second)),
                ("gen_ai.output.messages", json!(answer)),
            ],
        ),
        span("a", "", 10, root_code, &attributes),
    ]
}

const EXPECTED: [&str; 4] = [
    "User Weather in Paris?",
    r#"Assistant  get_weather{"city":"Paris"}"#,
    "Tool! timed out",
    "Assistant I do not know.",
];

#[test]
fn every_envelope_gives_the_same_run() {
    let spans = run(1, &[]);
    let lines = |values: &[Value]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    let halo: Vec<Value> = spans
        .iter()
        .map(|span| {
            let attributes = span["attributes"].as_array().unwrap().iter();
            let flat: serde_json::Map<String, Value> = attributes
                .map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["value"].as_object().unwrap().values().next().unwrap().clone()))
                .collect();
            json!({"trace_id": "4bf9", "span_id": span["spanId"], "parent_span_id": span["parentSpanId"], "name": span["name"], "kind": "SPAN_KIND_CLIENT",
                "start_time": format!("2026-01-01T00:00:{}.5Z", span["startTimeUnixNano"].as_str().unwrap()), "status": {"code": if span["status"]["code"] == 2 { "STATUS_CODE_ERROR" } else { "STATUS_CODE_OK" }},
                "resource": {"attributes": {}}, "scope": {}, "attributes": flat})
        })
        .collect();
    let numbers: Vec<Value> = spans
        .iter()
        .cloned()
        .map(|mut span| {
            span["startTimeUnixNano"] = span["startTimeUnixNano"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .unwrap()
                .into();
            span
        })
        .collect();
    for text in [
        request(&spans).to_string(),
        serde_json::to_string_pretty(&request(&spans)).unwrap(),
        lines(&[request(&spans[..2]), request(&spans[2..])]),
        lines(&spans),
        lines(&numbers),
        lines(&halo),
        json!(halo).to_string(),
    ] {
        let runs = clean(&text);
        assert_eq!(
            (runs.len(), told(&runs[0])),
            (1, EXPECTED.map(str::to_owned).to_vec()),
            "{text}"
        );
        assert_eq!(runs[0].source, "otlp:4bf9");
    }
}

#[test]
fn a_failed_tool_below_a_root_that_is_well_is_only_a_symptom() {
    assert_eq!(clean(&request(&run(1, &[])).to_string())[0].passed, None);
    assert_eq!(clean(&request(&run(0, &[])).to_string())[0].passed, None);
    let failed = clean(&request(&run(2, &[])).to_string()).remove(0);
    assert_eq!(
        (failed.passed, failed.trace.checks[0].name.as_str()),
        (Some(false), "span a")
    );
    let typed = clean(&request(&run(1, &[("error.type", json!("timeout"))])).to_string()).remove(0);
    assert_eq!(
        (typed.passed, typed.trace.termination),
        (Some(false), Termination::Timeout)
    );
}

#[test]
fn an_evaluation_is_the_verdict() {
    let judged = |attributes: Value| {
        let mut spans = run(1, &[]);
        let attributes: Vec<Value> = attributes
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| {
                let value = match value {
                    Value::String(text) => json!({"stringValue": text}),
                    number => json!({"doubleValue": number}),
                };
                json!({"key": format!("gen_ai.evaluation.{key}"), "value": value})
            })
            .collect();
        spans[2]["events"] =
            json!([{"name": "gen_ai.evaluation.result", "timeUnixNano": "1", "attributes": attributes}]);
        clean(&request(&spans).to_string()).remove(0).passed
    };
    assert_eq!(
        judged(json!({"name": "correct", "score.label": "fail", "score.value": 0.9})),
        Some(false)
    );
    assert_eq!(judged(json!({"name": "correct", "score.label": "pass"})), Some(true));
    assert_eq!(judged(json!({"score.value": 0.3})), Some(false));
    assert_eq!(judged(json!({"score.value": 0.7})), Some(true));
    assert_eq!(judged(json!({"score.value": 3.0, "score.threshold": 4})), Some(false));
    assert_eq!(judged(json!({"score.value": 3.0})), None, "nobody knows on which scale");
    // Logged beside the spans, as the conventions have it now.
    let mut both = request(&run(1, &[]));
    both["resourceLogs"] = json!([{"scopeLogs": [{"logRecords": [{"traceId": "4bf9", "eventName": "gen_ai.evaluation.result",
        "attributes": [{"key": "gen_ai.evaluation.score.label", "value": {"stringValue": "fail"}}, {"key": "gen_ai.evaluation.explanation", "value": {"stringValue": "wrong"}}]}]}]}]);
    let run = clean(&both.to_string()).remove(0);
    assert_eq!(
        (run.passed, run.trace.checks[0].detail.as_str()),
        (Some(false), "fail: wrong")
    );
}

#[test]
fn structured_messages_and_tools_are_read_like_those_in_a_text() {
    let text = |text: &str| json!({"stringValue": text});
    let pairs = |pairs: &[(&str, Value)]| json!({"kvlistValue": {"values": pairs.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Vec<_>>()}});
    let list = |items: &[Value]| json!({"arrayValue": {"values": items}});
    let messages = list(&[pairs(&[
        ("role", text("user")),
        (
            "parts",
            list(&[pairs(&[("type", text("text")), ("content", text("hi"))])]),
        ),
    ])]);
    let tools = r#"[{"type": "function", "name": "find", "parameters": {"required": ["id"]}}]"#;
    let spans = [span(
        "a",
        "0000000000000000",
        1,
        1,
        &[
            ("gen_ai.operation.name", json!("chat")),
            ("gen_ai.input.messages", messages),
            ("gen_ai.tool.definitions", json!(tools)),
            (
                "gen_ai.system_instructions",
                json!(r#"[{"type": "text", "content": "Be brief."}]"#),
            ),
        ],
    )];
    let run = clean(&request(&spans).to_string()).remove(0);
    assert_eq!(told(&run), ["System Be brief.", "User hi"]);
    assert_eq!(
        (run.trace.tools[0].name.as_str(), run.trace.tools[0].required.as_slice()),
        ("find", &["id".to_owned()][..])
    );
}

/// One span in the flat envelope.
fn flat(attributes: &Value) -> Value {
    json!({"trace_id": "t", "span_id": "s", "name": "llm", "attributes": attributes})
}

#[test]
fn other_names_for_the_same() {
    let expected = ["System Be brief.", "User Where?", r#"Assistant  find{"id":7}"#];
    for attributes in [
        // OpenInference
        json!({"openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "Be brief.", "llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.contents.0.message_content.type": "text", "llm.input_messages.1.message.contents.0.message_content.text": "Where?",
            "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find", "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{\"id\": 7}", "llm.token_count.total": 3}),
        // OpenLLMetry
        json!({"llm.request.type": "chat", "gen_ai.system": "openai", "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be brief.", "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Where?",
            "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.tool_calls.0.id": "c", "gen_ai.completion.0.tool_calls.0.name": "find", "gen_ai.completion.0.tool_calls.0.arguments": "{\"id\": 7}"}),
        // the first names of the conventions
        json!({"gen_ai.operation.name": "chat", "gen_ai.prompt": "[{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Where?\"}]", "gen_ai.completion": "[{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": \"find\", \"arguments\": \"{\\\"id\\\": 7}\"}}]}]"}),
        // Vercel
        json!({"ai.operationId": "ai.generateText.doGenerate", "ai.prompt.messages": "[{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"Where?\"}]}]", "ai.response.toolCalls": "[{\"toolCallId\": \"c\", \"toolName\": \"find\", \"input\": {\"id\": 7}}]"}),
    ] {
        assert_eq!(
            told(&clean(&flat(&attributes).to_string())[0]),
            expected,
            "{attributes}"
        );
    }
}

#[test]
fn messages_may_be_events_and_tools_may_have_plain_names() {
    let mut span = flat(&json!({"gen_ai.operation.name": "chat"}));
    span["events"] = json!([
        {"name": "gen_ai.system.message", "attributes": {"content": "Be brief."}},
        {"name": "gen_ai.user.message", "attributes": {"gen_ai.event.content": "{\"content\": \"Where?\"}"}},
        {"name": "gen_ai.choice", "attributes": {"message": "{\"role\": \"assistant\", \"content\": \"There.\"}"}}]);
    assert_eq!(
        told(&clean(&span.to_string())[0]),
        ["System Be brief.", "User Where?", "Assistant There."]
    );
    let tool = flat(
        &json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "input": "{'id': 7}", "output": "gone"}),
    );
    assert_eq!(
        told(&clean(&tool.to_string())[0]),
        [r#"Assistant  find{"id":7}"#, "Tool gone"]
    );
}

#[test]
fn what_sdks_print_is_read_too() {
    let python = json!({"name": "agent", "context": {"trace_id": "0xaa", "span_id": "0xbb", "trace_state": "[]"}, "kind": "SpanKind.INTERNAL", "parent_id": null,
        "start_time": "2026-01-01T00:00:00.1Z", "status": {"status_code": "ERROR", "description": "boom"}, "attributes": {"openinference.span.kind": "AGENT", "input.value": "hi", "output.value": "no"}, "events": []});
    let run = clean(&python.to_string()).remove(0);
    assert_eq!(
        (run.passed, told(&run)),
        (Some(false), vec!["User hi".to_owned(), "Assistant no".to_owned()])
    );
    let javascript = json!([{"name": "ai.generateText", "spanContext": {"traceId": "aa", "spanId": "bb"}, "parentSpanContext": {"spanId": "zz"}, "status": {"code": 0}, "startTime": [1, 5],
        "attributes": {"ai.operationId": "ai.generateText", "ai.prompt": "{\"prompt\": \"hi\"}", "ai.response.text": "no"}}]);
    assert_eq!(told(&clean(&javascript.to_string())[0]), ["User hi", "Assistant no"]);
}

#[test]
fn runs_are_told_apart_and_repeated_words_are_kept() {
    let mut first = flat(
        &json!({"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[{\"role\": \"user\", \"content\": \"go on\"}]", "gen_ai.output.messages": "[{\"role\": \"assistant\", \"content\": \"ok\"}]"}),
    );
    first["start_time"] = json!("2026-01-01T00:00:01Z");
    let mut second = flat(
        &json!({"gen_ai.operation.name": "chat", "gen_ai.input.messages": "[{\"role\": \"user\", \"content\": \"go on\"}, {\"role\": \"assistant\", \"content\": \"ok\"}, {\"role\": \"user\", \"content\": \"go on\"}]", "gen_ai.output.messages": "[{\"role\": \"assistant\", \"content\": \"ok\"}]"}),
    );
    second["start_time"] = json!("2026-01-01T00:00:02Z");
    second["span_id"] = json!("s2");
    let mut other = first.clone();
    other["trace_id"] = json!("u");
    let runs = clean(&format!("{second}\n{other}\n{first}\n"));
    assert_eq!(
        runs.iter().map(|run| run.source.as_str()).collect::<Vec<_>>(),
        ["otlp:t", "otlp:u"]
    );
    assert_eq!(
        told(&runs[0]),
        ["User go on", "Assistant ok", "User go on", "Assistant ok"]
    );
    assert_eq!(runs[0].task, runs[1].task, "they were asked the same");
    assert_eq!(runs[0].trace.steps[0].role, Role::User);
}

#[test]
fn times_may_be_numbers() {
    let mut spans = run(1, &[]);
    let texts = clean(&request(&spans).to_string()).remove(0);
    for span in &mut spans {
        let time = span["startTimeUnixNano"].as_str().unwrap().parse::<u64>().unwrap();
        span["startTimeUnixNano"] = json!(1_718_800_000_000_000_000 + time);
    }
    let numbers = clean(&request(&spans).to_string()).remove(0);
    assert_eq!(told(&numbers), told(&texts));
    assert!(told(&numbers).len() > 2);
    // promptfoo keeps milliseconds, some of them with a fraction: these came first.
    let last = spans.len() - 1;
    for (at, span) in spans.iter_mut().enumerate() {
        let time = span["startTimeUnixNano"].as_u64().unwrap() - 1_718_800_000_000_000_000;
        span["startTimeUnixNano"] = if at == last {
            json!(time)
        } else {
            json!(f64::from(u32::try_from(time).unwrap()) + 0.25)
        };
    }
    assert_eq!(told(&clean(&request(&spans).to_string())[0]), told(&texts));
}
