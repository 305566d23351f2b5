//! Tests of all wires against answers in the shapes that the providers document, whole and in events.

use super::*;
use serde_json::json;

fn request() -> ModelRequest {
    let call = Call {
        id: "c1".into(),
        name: "look".into(),
        arguments: r#"{"order":"7"}"#.into(),
    };
    let result = |call_id: &str, error| Message::Tool {
        call_id: call_id.into(),
        text: "late".into(),
        error,
    };
    ModelRequest {
        model: "m".into(),
        system: "Be exact.".into(),
        messages: vec![
            Message::User { text: "why?".into() },
            Message::Assistant {
                text: String::new(),
                calls: vec![
                    call.clone(),
                    Call {
                        id: "c2".into(),
                        ..call
                    },
                ],
            },
            result("c1", false),
            result("c2", true),
        ],
        tools: vec![Tool {
            name: "look".into(),
            description: "looks".into(),
            parameters: json!({"type": "object"}),
        }],
        output: Some(OutputSchema {
            name: "cause".into(),
            schema: json!({"type": "object"}),
        }),
        max_output_tokens: 99,
        temperature: Some(0.0),
        seed: Some(7),
    }
}

#[test]
fn the_same_request_has_each_wire_s_form() {
    insta::assert_json_snapshot!("chat", Wire::Chat.body(Provider::OpenaiCompatible, &request()));
    insta::assert_json_snapshot!("responses", Wire::Responses.body(Provider::Openai, &request()));
    insta::assert_json_snapshot!("messages", Wire::Messages.body(Provider::Anthropic, &request()));
}

#[test]
fn the_limit_of_tokens_has_the_name_that_the_model_takes() {
    let named = |provider, model: &str| {
        let request = ModelRequest {
            model: model.into(),
            ..request()
        };
        let body = Wire::Chat.body(provider, &request);
        body.get("max_completion_tokens").is_some() && body.get("max_tokens").is_none()
    };
    assert!(named(Provider::Openai, "gpt-5.4") && named(Provider::GithubModels, "openai/o4-mini"));
    assert!(!named(Provider::GithubModels, "openai/gpt-4.1") && !named(Provider::OpenaiCompatible, "gpt-5"));
}

#[test]
fn a_hash_names_the_request_and_nothing_else() {
    assert_eq!(request().hash(), request().hash());
    assert_ne!(
        request().hash(),
        ModelRequest {
            seed: None,
            ..request()
        }
        .hash()
    );
    let written = serde_json::to_string(&request()).unwrap();
    let read: ModelRequest = serde_json::from_str(&written).unwrap();
    assert_eq!(read.hash(), request().hash());
    assert!(request().most_input_tokens() > request().likely_input_tokens());
}

const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"order\":\"7\"}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":4}}}"#;
const CHAT_EVENTS: &str = r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"H"},"finish_reason":null}],"usage":null}

data: {"choices":[{"index":0,"delta":{"content":"i"},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"look","arguments":""}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"order\":"}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"7\"}"}}]}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":4}}}

data: [DONE]

"#;

const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1,"model":"m","parallel_tool_calls":true,"tool_choice":"auto","tools":[],"status":"completed","error":null,"incomplete_details":null,"output":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi","annotations":[]}]},{"type":"function_call","id":"fc_1","call_id":"c1","name":"look","arguments":"{\"order\":\"7\"}","status":"completed"}],"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":17}}"#;

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"},{"type":"tool_use","id":"c1","name":"look","input":{"order":"7"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":8,"cache_read_input_tokens":4,"cache_creation_input_tokens":0,"output_tokens":5}}"#;
const MESSAGE_EVENTS: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":8,"cache_read_input_tokens":4,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"H"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"i"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"c1","name":"look","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"order\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"7\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}

event: message_stop
data: {"type":"message_stop"}

"#;

fn response_events() -> String {
    format!(
        "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{}}}}\n\n\
         event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}}\n\n\
         event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{RESPONSE}}}\n\n"
    )
}

fn streamed(wire: Wire, events: &str, size: usize) -> Result<ModelAnswer, Fault> {
    let mut received = Received::new(wire);
    for piece in events.as_bytes().chunks(size) {
        received.push(piece)?;
    }
    received.finish()
}

fn whole(wire: Wire, body: &str) -> Result<ModelAnswer, Fault> {
    wire.answer(&serde_json::from_str(body).unwrap())
}

#[test]
fn every_wire_says_the_same_whole_and_in_events() {
    let expected = ModelAnswer {
        text: "Hi".into(),
        calls: vec![Call {
            id: "c1".into(),
            name: "look".into(),
            arguments: r#"{"order":"7"}"#.into(),
        }],
        finish: Finish::Calls,
        usage: Some(TokenUsage {
            input: 12,
            cached: 4,
            output: 5,
        }),
    };
    let response_events = response_events();
    for (wire, body, events) in [
        (Wire::Chat, CHAT, CHAT_EVENTS),
        (Wire::Responses, RESPONSE, &response_events),
        (Wire::Messages, MESSAGE, MESSAGE_EVENTS),
    ] {
        assert_eq!(whole(wire, body).as_ref(), Ok(&expected), "{wire:?} whole");
        for size in [1, 7, 10_000] {
            assert_eq!(
                streamed(wire, events, size).as_ref(),
                Ok(&expected),
                "{wire:?} in pieces of {size}"
            );
        }
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_is_no_answer() {
    let response_events = response_events();
    for (wire, events, last) in [
        (Wire::Chat, CHAT_EVENTS, "\"finish_reason\":\"tool_calls\""),
        (Wire::Responses, response_events.as_str(), "event: response.completed"),
        (Wire::Messages, MESSAGE_EVENTS, "event: message_stop"),
    ] {
        let end = events.find(last).unwrap();
        for cut in (0..=end).step_by(11).chain([end]) {
            let found = streamed(wire, &events[..cut], 64).map_err(|fault| fault.class);
            assert_eq!(found, Err(FaultClass::Broken), "{wire:?} cut at {cut}");
        }
    }
}

#[test]
fn refusals_empty_answers_and_errors_are_told_apart() {
    use FaultClass::{Empty, Garbled, QuotaSpent, RateLimited, Refused, Server};
    for (wire, body, class) in [
        (
            Wire::Chat,
            r#"{"choices":[{"message":{"content":null,"refusal":"I can't help"},"finish_reason":"stop"}]}"#,
            Refused,
        ),
        (
            Wire::Chat,
            r#"{"choices":[{"message":{"content":"half"},"finish_reason":"content_filter"}]}"#,
            Refused,
        ),
        (
            Wire::Chat,
            r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#,
            Empty,
        ),
        (
            Wire::Chat,
            r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}]}"#,
            Empty,
        ),
        (Wire::Chat, r#"{"choices":[]}"#, Garbled),
        (
            Wire::Chat,
            r#"{"error":{"message":"no money","code":"insufficient_quota"}}"#,
            QuotaSpent,
        ),
        (
            Wire::Responses,
            r#"{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}"#,
            Refused,
        ),
        (
            Wire::Responses,
            r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}"#,
            Refused,
        ),
        (
            Wire::Responses,
            r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#,
            Empty,
        ),
        (
            Wire::Responses,
            r#"{"status":"failed","error":{"code":"server_error","message":"oops"},"output":[]}"#,
            Server,
        ),
        (
            Wire::Messages,
            r#"{"content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","category":"cyber","explanation":"no"}}"#,
            Refused,
        ),
        (Wire::Messages, r#"{"content":[],"stop_reason":"end_turn"}"#, Empty),
        (
            Wire::Messages,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#,
            RateLimited,
        ),
        (Wire::Messages, r#"{"hello":1}"#, Garbled),
    ] {
        let found = whole(wire, body).expect_err(body);
        assert_eq!(found.class, class, "{body}");
        assert!(!found.to_string().is_empty());
    }
    let cut = r#"{"choices":[{"message":{"content":"{\"a\":"},"finish_reason":"length"}]}"#;
    let answer = whole(Wire::Chat, cut).unwrap();
    assert_eq!(answer.finish, Finish::Length);
    assert!(answer.object().unwrap_err().contains("cut off"));
}

#[test]
fn an_error_in_the_middle_of_a_stream_ends_it() {
    let chat = "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\ndata: {\"error\":{\"message\":\"upstream\",\"type\":\"server_error\"}}\n\n";
    let messages = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let responses =
        "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"slow\"}\n\n";
    let class = |wire, events: &str| streamed(wire, events, 9).unwrap_err().class;
    assert_eq!(class(Wire::Chat, chat), FaultClass::Server);
    assert_eq!(class(Wire::Messages, messages), FaultClass::Server);
    assert_eq!(class(Wire::Responses, responses), FaultClass::RateLimited);
    assert_eq!(class(Wire::Chat, "data: <html>\n\n"), FaultClass::Garbled);
}

#[test]
fn what_weak_models_and_odd_servers_write_is_read_as_far_as_it_goes() {
    let object = |text: &str| {
        ModelAnswer {
            text: text.into(),
            ..ModelAnswer::default()
        }
        .object()
    };
    for text in [
        r#"{"a":1}"#,
        "```json\n{\"a\":1}\n```",
        "Sure! {\"a\":1} Anything else?",
    ] {
        assert_eq!(object(text).unwrap()["a"], 1, "{text}");
    }
    for text in ["", "[1]", "no", "} {", "{\"a\":1", "{\"a\":1} and {\"b\":2}"] {
        assert!(object(text).is_err(), "{text}");
    }
    let parts = r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"tool_calls":[{"id":"","function":{"name":"f","arguments":{"x":1}}}]}}]}"#;
    let answer = whole(Wire::Chat, parts).unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.calls[0].arguments.as_str()),
        ("ab", r#"{"x":1}"#)
    );
    assert_eq!(answer.usage, None);
    let bare = "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}]}\n\n";
    let calls = streamed(Wire::Chat, bare, 5).unwrap().calls;
    assert_eq!(
        (calls.len(), calls[1].name.as_str()),
        (2, "g"),
        "calls without an index"
    );
    let broken = Call {
        id: String::new(),
        name: "f".into(),
        arguments: "{x".into(),
    };
    assert!(broken.arguments().is_err());
    assert_eq!(
        Call {
            arguments: " ".into(),
            ..broken
        }
        .arguments(),
        Ok(Map::new())
    );
}
