//! Files of every format, made up: as many runs as give the size that is asked for, with texts of the sizes that real ones have.

use serde_json::{Value, json};
use std::fmt::Write as _;

/// Makes the text of one run of a format, by its number.
type Run = fn(usize) -> String;

/// A format, and how a file of it is made.
pub(crate) struct Sample {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What stands before the runs, between them, and after them.
    frame: [&'static str; 3],
    run: Run,
}

/// A file of each format.
pub(crate) const SAMPLES: [Sample; 12] = [
    Sample {
        name: "tau2",
        frame: [
            r#"{"timestamp": "2026-01-01", "info": {}, "tasks": [{"id": "1", "evaluation_criteria": {"actions": [], "reward_basis": ["DB"]}}], "simulations": ["#,
            ",",
            "]}",
        ],
        run: tau2,
    },
    Sample {
        name: "tau-bench",
        frame: ["[", ",", "]"],
        run: tau_bench,
    },
    Sample {
        name: "worker",
        frame: ["", "\n", "\n"],
        run: worker,
    },
    Sample {
        name: "otlp",
        frame: ["", "\n", "\n"],
        run: otlp,
    },
    Sample {
        name: "openinference",
        frame: ["", "\n", "\n"],
        run: openinference,
    },
    Sample {
        name: "inspect",
        frame: [
            r#"{"version": 2, "status": "success", "eval": {"run_id": "r", "task": "shop"}, "samples": ["#,
            ",",
            "]}",
        ],
        run: inspect,
    },
    Sample {
        name: "promptfoo",
        frame: [r#"{"evalId": "e", "results": {"version": 3, "results": ["#, ",", "]}}"],
        run: promptfoo,
    },
    Sample {
        name: "junit",
        frame: ["<testsuites><testsuite name=\"s\">", "\n", "</testsuite></testsuites>"],
        run: junit,
    },
    Sample {
        name: "openai",
        frame: ["", "\n", "\n"],
        run: openai,
    },
    Sample {
        name: "anthropic",
        frame: ["", "\n", "\n"],
        run: anthropic,
    },
    Sample {
        name: "claude-code",
        frame: ["", "\n", "\n"],
        run: claude_code,
    },
    Sample {
        name: "harbor",
        frame: ["", "\n", "\n"],
        run: harbor,
    },
];

impl Sample {
    /// Writes a file of at least so many bytes, piece by piece.
    pub(crate) fn write(&self, bytes: usize, mut put: impl FnMut(&str)) {
        put(self.frame[0]);
        let mut written = 0;
        for number in 0.. {
            if number > 0 {
                put(self.frame[1]);
            }
            let run = (self.run)(number);
            put(&run);
            written += run.len();
            if written >= bytes {
                break;
            }
        }
        put(self.frame[2]);
    }

    /// A file of at least so many bytes.
    pub(crate) fn file(&self, bytes: usize) -> String {
        let mut text = String::new();
        self.write(bytes, |piece| text.push_str(piece));
        text
    }
}

/// Turns of a conversation; some call a tool.
const TURNS: usize = 12;

fn prose(number: usize, words: usize) -> String {
    const WORDS: [&str; 16] = [
        "the",
        "order",
        "was",
        "delivered",
        "late",
        "and",
        "\"the customer\"",
        "asked",
        "for",
        "a refund;\nthen",
        "agent",
        "looked",
        "up",
        "reservation",
        "ZFA04Y",
        "again.",
    ];
    let mut state = number as u64 + 1;
    let mut text = String::new();
    for _ in 0..words {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap_or(0) % WORDS.len();
        text.push_str(WORDS[at]);
        text.push(' ');
    }
    text
}

fn answer(number: usize) -> String {
    let items: Vec<Value> = (0..8)
        .map(|at| json!({"item_id": format!("{}", number * 31 + at), "price": 158.41, "options": {"size": "M", "color": "blue"}}))
        .collect();
    json!({"order_id": format!("W{number:07}"), "status": "delivered", "items": items}).to_string()
}

fn arguments(number: usize) -> Value {
    json!({"order_id": format!("W{number:07}"), "reason": "no longer needed", "items": ["1656367028", "4579334072"], "amount": number})
}

/// A conversation as `OpenAI` writes it.
fn chat(number: usize) -> Vec<Value> {
    let mut messages = vec![json!({"role": "system", "content": prose(7, 600)})];
    for turn in 0..TURNS {
        let seed = number * TURNS + turn;
        messages.push(json!({"role": "user", "content": prose(seed, 40)}));
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": format!("call_{seed}"), "type": "function", "function": {"name": "get_order", "arguments": arguments(seed).to_string()}}]}));
        messages.push(json!({"role": "tool", "tool_call_id": format!("call_{seed}"), "name": "get_order", "content": answer(seed)}));
        messages.push(json!({"role": "assistant", "content": prose(seed + 1, 60)}));
    }
    messages
}

fn openai(number: usize) -> String {
    json!({"task_id": format!("t{number}"), "passed": number.is_multiple_of(3), "messages": chat(number)}).to_string()
}

fn tau_bench(number: usize) -> String {
    json!({"task_id": number, "reward": 0.0, "trial": 0, "info": {"task": {"user_id": "u", "actions": [{"name": "x", "kwargs": arguments(1)}], "outputs": []}}, "traj": chat(number)}).to_string()
}

/// The same conversation with arguments as objects, and what tau2 writes beside each message.
fn structured(number: usize, answers: &str) -> Vec<Value> {
    let mut messages = Vec::new();
    for turn in 0..TURNS {
        let seed = number * TURNS + turn;
        messages.push(json!({"role": "user", "content": prose(seed, 40), "turn_idx": turn, "timestamp": "2026-01-01T00:00:00", "cost": 0.001,
            "usage": {"completion_tokens": 62, "prompt_tokens": 3411}}));
        messages.push(json!({"role": "assistant", "content": "", "turn_idx": turn, "raw_data": {"model": "m", "choices": [{"text": prose(seed, 40)}]},
            "tool_calls": [{"id": format!("call_{seed}"), "name": "get_order", "arguments": arguments(seed), "requestor": "assistant"}]}));
        messages.push(json!({"role": "tool", answers: format!("call_{seed}"), "content": answer(seed), "requestor": "assistant", "error": false}));
        messages.push(json!({"role": "assistant", "content": prose(seed + 1, 60), "tool_calls": null}));
    }
    messages
}

fn tau2(number: usize) -> String {
    json!({"id": format!("sim-{number}"), "task_id": "1", "trial": number, "termination_reason": "user_stop",
        "reward_info": {"reward": 0.0, "db_check": {"db_match": false, "db_reward": 0.0}, "reward_basis": ["DB"],
            "action_checks": [{"action": {"action_id": "1_0", "name": "x", "arguments": arguments(1)}, "action_match": false}]},
        "messages": structured(number, "id")})
    .to_string()
}

fn worker(number: usize) -> String {
    json!({"task": format!("t{number}"), "passed": false, "score": 0.0, "trace": {"steps": structured(number, "call_id"), "termination": "agent_stop"}}).to_string()
}

fn inspect(number: usize) -> String {
    json!({"id": number, "epoch": 1, "input": prose(number, 40), "target": "x", "messages": chat(number),
        "output": {"model": "m", "choices": [{"message": {"role": "assistant", "content": prose(number, 60)}, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "I", "answer": "no", "explanation": prose(number, 30)}}, "metadata": {}, "events": structured(number, "id")})
    .to_string()
}

fn promptfoo(number: usize) -> String {
    let judged = |pass: bool| json!({"pass": pass, "score": 0, "reason": prose(number, 60), "assertion": {"type": "llm-rubric", "value": prose(number, 20)}});
    json!({"id": format!("row-{number}"), "promptIdx": 0, "testIdx": number, "success": false, "score": 0.5, "failureReason": 1, "error": prose(number, 40),
        "provider": {"id": "p", "label": ""}, "prompt": {"raw": prose(number, 300), "label": "{{question}}"}, "vars": {"question": prose(number, 40)},
        "response": {"output": prose(number, 300)}, "gradingResult": {"pass": false, "componentResults": [judged(true), judged(false)]},
        "testCase": {"description": format!("case {number}"), "vars": {"question": prose(number, 40)}}, "latencyMs": 12})
    .to_string()
}

fn junit(number: usize) -> String {
    let told = prose(number, 200).replace('"', "&quot;");
    format!(
        "<testcase classname=\"shop.tests\" name=\"test_{number}\" time=\"0.1\"><failure message=\"{}\">{told}</failure></testcase>",
        &told[..40]
    )
}

fn anthropic(number: usize) -> String {
    let mut messages = Vec::new();
    for turn in 0..TURNS {
        let seed = number * TURNS + turn;
        messages.push(json!({"role": "user", "content": prose(seed, 40)}));
        messages.push(
            json!({"role": "assistant", "content": [{"type": "text", "text": prose(seed + 1, 60)},
            {"type": "tool_use", "id": format!("toolu_{seed}"), "name": "get_order", "input": arguments(seed)}]}),
        );
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("toolu_{seed}"), "content": [{"type": "text", "text": answer(seed)}]}]}));
    }
    json!({"id": format!("t{number}"), "system": prose(7, 600), "messages": messages}).to_string()
}

fn claude_code(number: usize) -> String {
    let session = format!("session-{number}");
    let mut text = String::new();
    let mut line = |record: Value| writeln!(text, "{record}").unwrap_or_default();
    line(
        json!({"type": "system", "subtype": "init", "session_id": session, "tools": ["Bash", "Read", "Edit"], "model": "m", "cwd": "/w"}),
    );
    for turn in 0..TURNS {
        let seed = number * TURNS + turn;
        line(
            json!({"type": "assistant", "session_id": session, "uuid": format!("a{seed}"), "message": {"id": "msg", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": prose(seed, 40)}, {"type": "tool_use", "id": format!("toolu_{seed}"), "name": "Bash", "input": {"command": prose(seed, 12)}}],
            "usage": {"input_tokens": 3, "cache_read_input_tokens": 1200, "output_tokens": 88}}}),
        );
        line(
            json!({"type": "user", "session_id": session, "uuid": format!("u{seed}"), "message": {"role": "user",
            "content": [{"type": "tool_result", "tool_use_id": format!("toolu_{seed}"), "is_error": false, "content": prose(seed + 1, 200)}]},
            "tool_use_result": {"stdout": prose(seed + 1, 200), "stderr": "", "interrupted": false}}),
        );
    }
    line(
        json!({"type": "result", "subtype": "error_max_turns", "is_error": true, "session_id": session, "num_turns": TURNS}),
    );
    text.pop();
    text
}

fn harbor(number: usize) -> String {
    let steps: Vec<Value> = (0..TURNS)
        .map(|turn| {
            let seed = number * TURNS + turn;
            json!({"step_id": turn, "source": "agent", "message": prose(seed, 60), "metrics": {"prompt_tokens": 500, "completion_tokens": 80},
                "tool_calls": [{"tool_call_id": format!("c{seed}"), "function_name": "bash", "arguments": {"command": prose(seed, 12)}}],
                "observation": {"results": [{"source_call_id": format!("c{seed}"), "content": prose(seed + 1, 200)}]}})
        })
        .collect();
    json!({"schema_version": "ATIF-v1.4", "session_id": format!("s{number}"), "agent": {"name": "a", "version": "1"}, "steps": steps}).to_string()
}

fn pair(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn span(run: usize, number: usize, name: &str, mut attributes: Vec<Value>) -> Value {
    attributes.push(json!({"key": "gen_ai.usage.input_tokens", "value": {"intValue": "850"}}));
    attributes.push(pair("server.address", "models.example"));
    json!({"traceId": format!("{run:032x}"), "spanId": format!("{:016x}", number + 1), "parentSpanId": if number == 0 { String::new() } else { format!("{:016x}", 1) },
        "name": name, "kind": 3, "startTimeUnixNano": format!("{}", 1_718_800_000_000_000_000_u64 + number as u64), "endTimeUnixNano": "1718800002500000000",
        "status": {"code": if number == 0 { 2 } else { 1 }}, "attributes": attributes})
}

fn request(spans: &[Value]) -> String {
    json!({"resourceSpans": [{"resource": {"attributes": [pair("service.name", "agent")]}, "scopeSpans": [{"scope": {"name": "genai"}, "spans": spans}]}]}).to_string()
}

/// Each model's span repeats the conversation so far, as instrumentations do.
fn otlp(number: usize) -> String {
    let mut spans = vec![span(
        number,
        0,
        "invoke_agent shop",
        vec![pair("gen_ai.operation.name", "invoke_agent")],
    )];
    let mut said: Vec<Value> = Vec::new();
    for turn in 0..TURNS / 2 {
        let seed = number * TURNS + turn;
        let call =
            json!({"type": "tool_call", "id": format!("c{seed}"), "name": "get_order", "arguments": arguments(seed)});
        said.push(json!({"role": "user", "parts": [{"type": "text", "content": prose(seed, 40)}]}));
        let input = Value::from(said.clone()).to_string();
        let output = json!([{"role": "assistant", "parts": [{"type": "text", "content": prose(seed + 1, 60)}, call], "finish_reason": "tool_call"}]);
        let attributes = vec![
            pair("gen_ai.operation.name", "chat"),
            pair("gen_ai.request.model", "m"),
            pair("gen_ai.input.messages", &input),
            pair("gen_ai.output.messages", &output.to_string()),
        ];
        spans.push(span(number, 2 * turn + 1, "chat m", attributes));
        let attributes = vec![
            pair("gen_ai.operation.name", "execute_tool"),
            pair("gen_ai.tool.name", "get_order"),
            pair("gen_ai.tool.call.id", &format!("c{seed}")),
            pair("gen_ai.tool.call.arguments", &arguments(seed).to_string()),
            pair("gen_ai.tool.call.result", &answer(seed)),
        ];
        spans.push(span(number, 2 * turn + 2, "execute_tool get_order", attributes));
        said.push(json!({"role": "assistant", "parts": output[0]["parts"]}));
        said.push(json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": format!("c{seed}"), "response": answer(seed)}]}));
    }
    request(&spans)
}

fn openinference(number: usize) -> String {
    let mut spans = vec![span(number, 0, "agent", vec![pair("openinference.span.kind", "AGENT")])];
    let mut said: Vec<(&str, String)> = Vec::new();
    for turn in 0..TURNS / 2 {
        let seed = number * TURNS + turn;
        said.push(("user", prose(seed, 40)));
        let mut attributes = vec![pair("openinference.span.kind", "LLM"), pair("llm.model_name", "m")];
        for (at, (role, content)) in said.iter().enumerate() {
            attributes.push(pair(&format!("llm.input_messages.{at}.message.role"), role));
            attributes.push(pair(&format!("llm.input_messages.{at}.message.content"), content));
        }
        let told = prose(seed + 1, 60);
        attributes.push(pair("llm.output_messages.0.message.role", "assistant"));
        attributes.push(pair("llm.output_messages.0.message.content", &told));
        spans.push(span(number, turn + 1, "ChatCompletion", attributes));
        said.push(("assistant", told));
    }
    request(&spans)
}
