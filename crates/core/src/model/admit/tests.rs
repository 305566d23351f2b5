//! What may be asked for, and what may not.

use super::*;
use serde_json::json;

fn admission(provider: Provider) -> Admission {
    Admission {
        provider,
        names: vec!["m-1".to_owned(), "m-small".to_owned()],
        max_output_tokens: 500,
    }
}

fn provider_of(route: Route) -> Provider {
    match route {
        Route::Ask(Wire::Messages) | Route::Count => Provider::Anthropic,
        _ => Provider::Openai,
    }
}

fn admit(route: Route, body: &Value) -> Result<Admitted, Refusal> {
    admission(provider_of(route)).admit(route, body.to_string().as_bytes())
}

const CHAT: Route = Route::Ask(Wire::Chat);
const RESPONSES: Route = Route::Ask(Wire::Responses);
const MESSAGES: Route = Route::Ask(Wire::Messages);

#[test]
fn only_paths_on_the_list_lead_somewhere() {
    let openai = admission(Provider::Openai);
    assert_eq!(openai.route("POST", "/v1/chat/completions", None), Ok(CHAT));
    assert_eq!(openai.route("POST", "/v1/responses", Some("")), Ok(RESPONSES));
    assert_eq!(openai.route("GET", "/v1/models", None), Ok(Route::Models));
    let anthropic = admission(Provider::Anthropic);
    assert_eq!(anthropic.route("POST", "/v1/messages", Some("beta=true")), Ok(MESSAGES));
    assert_eq!(
        anthropic.route("POST", "/v1/messages/count_tokens", None),
        Ok(Route::Count)
    );
    for (method, path, query, status) in [
        ("POST", "/v1/messages", None, 404),
        ("POST", "/v1/files", None, 404),
        ("POST", "/v1/chat/completions/", None, 404),
        ("POST", "/v1//chat/completions", None, 404),
        ("POST", "/v1/chat/%63ompletions", None, 404),
        ("POST", "/v1/chat/completions/../../files", None, 404),
        ("POST", "/chat/completions", None, 404),
        ("GET", "/v1/chat/completions", None, 405),
        ("DELETE", "/v1/models", None, 405),
        ("POST", "/v1/chat/completions", Some("x=1"), 404),
    ] {
        let refused = openai.route(method, path, query).unwrap_err();
        assert_eq!(refused.status, status, "{method} {path} {query:?}: {refused}");
    }
    let github = admission(Provider::GithubModels);
    assert_eq!(github.route("POST", "/v1/responses", None).unwrap_err().status, 404);
}

#[test]
fn an_honest_request_goes_on_as_it_is_with_a_bound_and_its_usage() {
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"properties": {"file_id": {}, "image_url": {}}}}});
    let asked = json!({"model": "m-1", "messages": [{"role": "user", "content": "hello"}], "tools": [tool], "stream": true, "seed": null});
    let admitted = admit(CHAT, &asked).unwrap();
    assert_eq!(admitted.body["tools"], asked["tools"]);
    assert_eq!(admitted.body["max_completion_tokens"], 500);
    assert_eq!(admitted.body["stream_options"], json!({"include_usage": true}));
    assert!(admitted.hide_usage && admitted.body.get("seed").is_none());
    assert_eq!(admitted.most.output, 500);
    assert!(admitted.most.input >= asked.to_string().len() as u64);

    let asked = json!({"model": "m-1", "messages": [], "max_tokens": 70, "n": 3, "stream": true, "stream_options": {"include_usage": true}});
    let admitted = admit(CHAT, &asked).unwrap();
    assert_eq!(
        (admitted.body == asked, admitted.most.output, admitted.hide_usage),
        (true, 210, false)
    );
}

#[test]
fn calls_whose_arguments_have_telling_names_are_data() {
    let call =
        json!({"type": "tool_use", "id": "1", "name": "f", "input": {"file_id": "x", "source": {"type": "url"}}});
    let asked = json!({"model": "m-1", "max_tokens": 5, "messages": [{"role": "assistant", "content": [call]}]});
    assert_eq!(admit(MESSAGES, &asked).unwrap().body, asked);
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let tool = json!({"type": "bash_20250124", "name": "bash"});
    let plain = json!({"name": "f", "input_schema": {"type": "object"}});
    let asked = json!({"model": "m-small", "max_tokens": 5, "tools": [tool, plain], "messages": [{"role": "user", "content": [image]}]});
    assert_eq!(admit(MESSAGES, &asked).unwrap().body, asked);
    let image =
        json!({"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}]});
    assert!(admit(RESPONSES, &json!({"model": "m-1", "input": [image]})).is_ok());
    assert!(admit(RESPONSES, &json!({"model": "m-1", "input": "hello", "store": false})).is_ok());
}

/// The route, and what is added to an honest body.
fn tools_elsewhere() -> Vec<(Route, Value)> {
    let tool = |kind: &str| json!({"tools": [{"type": kind, "name": "t"}]});
    let mut all: Vec<(Route, Value)> = Vec::new();
    for kind in [
        "web_search",
        "web_search_preview",
        "code_interpreter",
        "mcp",
        "file_search",
        "image_generation",
        "computer_use_preview",
        "shell",
        "Function",
    ] {
        all.push((RESPONSES, tool(kind)));
        all.push((CHAT, tool(kind)));
    }
    for kind in [
        "web_search_20250305",
        "web_fetch_20250910",
        "code_execution_20250825",
        "mcp_toolset",
        "tool_search_tool_regex_20251119",
        "bash_x",
        "bash_20250124_web",
    ] {
        all.push((MESSAGES, tool(kind)));
        all.push((Route::Count, tool(kind)));
    }
    all
}

/// The same without tools.
fn reaching() -> Vec<(Route, Value)> {
    let said = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let put_in = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    vec![
        (CHAT, json!({"web_search_options": {}})),
        (CHAT, json!({"plugins": [{"id": "web"}]})),
        (CHAT, json!({"models": ["m-9"]})),
        (CHAT, json!({"Model": "m-9"})),
        (CHAT, json!({"model": "m-9"})),
        (CHAT, json!({"model": ["m-1"]})),
        (CHAT, json!({"service_tier": "priority"})),
        (CHAT, json!({"tools": {"type": "web_search"}})),
        (CHAT, json!({"tools": ["web_search"]})),
        (CHAT, json!({"max_tokens": -1})),
        (CHAT, json!({"n": 1.5})),
        (
            CHAT,
            said(json!({"type": "image_url", "image_url": {"url": "https://evil.example/?q=secret"}})),
        ),
        (
            CHAT,
            said(json!({"type": "image_url", "image_url": "http://evil.example"})),
        ),
        (CHAT, said(json!({"type": "file", "file": {"file_id": "file-1"}}))),
        (
            RESPONSES,
            put_in(json!({"type": "input_file", "file_url": "https://evil.example"})),
        ),
        (RESPONSES, put_in(json!({"type": "input_image", "file_id": "file-1"}))),
        (
            RESPONSES,
            json!({"input": [{"type": "function_call_output", "call_id": "1", "output": [{"type": "input_image", "image_url": "https://evil.example"}]}]}),
        ),
        (RESPONSES, json!({"previous_response_id": "resp_1"})),
        (RESPONSES, json!({"conversation": "conv_1"})),
        (RESPONSES, json!({"background": true})),
        (RESPONSES, json!({"prompt": {"id": "pmpt_1"}})),
        (
            MESSAGES,
            json!({"mcp_servers": [{"type": "url", "url": "https://evil.example"}]}),
        ),
        (MESSAGES, json!({"container": "c"})),
        (
            MESSAGES,
            said(json!({"type": "image", "source": {"type": "url", "url": "https://evil.example"}})),
        ),
        (
            MESSAGES,
            said(json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}})),
        ),
        (MESSAGES, said(json!({"type": "container_upload", "file_id": "file_1"}))),
        (
            MESSAGES,
            said(json!({"type": "tool_result", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]})),
        ),
        (
            MESSAGES,
            said(
                json!({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {"type": "url"}}]}}),
            ),
        ),
    ]
}

#[test]
fn what_reaches_further_than_an_answer_is_refused() {
    for (route, more) in tools_elsewhere().into_iter().chain(reaching()) {
        let mut body = json!({"model": "m-1"});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let refused = admit(route, &body);
        assert!(refused.is_err(), "{route:?} {body} was admitted");
        let refused = refused.unwrap_err();
        assert!(matches!(refused.status, 400 | 403), "{refused}");
    }
}

#[test]
fn the_provider_reads_what_was_checked() {
    let twice = br#"{"model":"m-9","model":"m-1","messages":[]}"#;
    let admitted = admission(Provider::Openai).admit(CHAT, twice).unwrap();
    assert!(!admitted.body.to_string().contains("m-9"));
    let twice = br#"{"model":"m-1","model":"m-9","messages":[]}"#;
    assert_eq!(admission(Provider::Openai).admit(CHAT, twice).unwrap_err().status, 403);
    let deep = format!("{{\"model\":\"m-1\",\"messages\":{}", "[".repeat(100_000));
    assert_eq!(
        admission(Provider::Openai)
            .admit(CHAT, deep.as_bytes())
            .unwrap_err()
            .status,
        400
    );
}

#[test]
fn the_list_of_models_is_the_policy() {
    let models = admission(Provider::Openai).models();
    assert_eq!(models.pointer("/data/1/id"), Some(&json!("m-small")));
}
