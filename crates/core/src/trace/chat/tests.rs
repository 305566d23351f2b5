//! Lists of messages in the notations of several makers.

use crate::trace::Step;
use crate::trace::read::{ReadTrace, read_any};

fn clean(text: &str) -> Vec<ReadTrace> {
    let (runs, warnings) = read_any("x", text.as_bytes());
    assert_eq!(warnings, [], "{text}");
    runs
}

fn told(run: &ReadTrace) -> Vec<String> {
    let one = |step: &Step| {
        let calls = step.tool_calls.iter();
        let calls: Vec<String> = calls
            .map(|call| {
                format!(
                    "{}#{}{}",
                    call.name,
                    call.id,
                    serde_json::Value::Object(call.arguments.clone())
                )
            })
            .collect();
        let answers = step.call_id.as_deref().map(|id| format!("->{id}")).unwrap_or_default();
        let error = if step.error { "!" } else { "" };
        format!("{:?}{answers}{error} {} {}", step.role, step.content, calls.join(" "))
            .trim()
            .to_owned()
    };
    run.trace.steps.iter().map(one).collect()
}

const EXPECTED: [&str; 5] = [
    "System Be brief.",
    "User Where is order 7?",
    r#"Assistant Let me look. find#c1{"id":7}"#,
    "Tool->c1! no such order",
    "Assistant It is lost.",
];

const OPENAI: &str = r#"[
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Where is order 7?"}, {"type": "image_url", "image_url": {"url": "data:"}}]},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\"id\": 7}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "no such order", "error": true},
    {"role": "assistant", "content": "It is lost."}]"#;

#[test]
fn the_messages_of_openai_in_every_wrapping() {
    let one_line = OPENAI.replace('\n', " ");
    let items: Vec<serde_json::Value> = serde_json::from_str(OPENAI).unwrap();
    let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
    for text in [
        OPENAI.to_owned(),
        lines,
        format!("{{\"messages\": {OPENAI}}}"),
        format!("{{\"messages\": {one_line}}}\n"),
    ] {
        let runs = clean(&text);
        assert_eq!(
            (runs.len(), told(&runs[0])),
            (1, EXPECTED.map(str::to_owned).to_vec()),
            "{text}"
        );
        assert_eq!(runs[0].passed, None, "nobody judged");
    }
    let two = format!(
        "{{\"messages\": {one_line}}}\n{{\"messages\": {one_line}, \"passed\": false, \"id\": \"b\", \"score\": \"0.5\"}}\n"
    );
    let runs = clean(&two);
    assert_eq!(
        (runs.len(), runs[1].task.as_str(), runs[1].passed, runs[1].score),
        (2, "b", Some(false), Some(0.5))
    );
    assert!(runs[0].task.as_str().starts_with("trace-"));
}

#[test]
fn the_blocks_of_anthropic() {
    let runs = clean(
        r#"{"system": [{"type": "text", "text": "Be brief."}], "messages": [
        {"role": "user", "content": "Where is order 7?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Let me look."}, {"type": "tool_use", "id": "c1", "name": "find", "input": {"id": 7}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "is_error": true, "content": [{"type": "text", "text": "no such order"}, {"type": "image", "source": {}}]}]},
        {"role": "assistant", "content": [{"type": "text", "text": "It is lost."}]}]}"#,
    );
    assert_eq!(told(&runs[0]), EXPECTED);
}

#[test]
fn the_items_of_the_responses_interface() {
    let runs = clean(
        r#"{"object": "response", "instructions": "Be brief.", "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Where is order 7?"}]}], "output": [
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{\"id\": 7}"},
        {"type": "function_call_output", "call_id": "c1", "output": "gone"},
        {"type": "mcp_call", "id": "m1", "name": "ask", "arguments": "{}", "error": {"code": 500}},
        {"type": "web_search_call", "id": "w1", "action": {"type": "search", "query": "q"}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is lost."}]}]}"#,
    );
    assert_eq!(
        told(&runs[0]),
        [
            EXPECTED[0],
            EXPECTED[1],
            r#"Assistant  find#c1{"id":7}"#,
            "Tool->c1 gone",
            "Assistant  ask#m1{}",
            r#"Tool->m1! {"code": 500}"#,
            r#"Assistant  web_search#w1{"type":"search","query":"q"}"#,
            EXPECTED[4],
        ]
    );
}

#[test]
fn other_notations_of_the_same() {
    let gemini = r#"[{"role": "user", "parts": [{"text": "Where is order 7?"}]}, {"role": "model", "parts": [{"functionCall": {"name": "find", "args": {"id": 7}}}]}, {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"gone": true}}}]}]"#;
    assert_eq!(
        told(&clean(gemini)[0]),
        [
            "User Where is order 7?",
            r#"Assistant  find#{"id":7}"#,
            r#"Tool {"gone": true}"#
        ]
    );
    let vercel = r#"[{"role": "user", "content": "Where?"}, {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "find", "input": {"id": 7}}]}, {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c1", "output": {"type": "error-text", "value": "no such order"}}]}]"#;
    assert_eq!(
        told(&clean(vercel)[0]),
        [
            "User Where?",
            r#"Assistant  find#c1{"id":7}"#,
            "Tool->c1! no such order"
        ]
    );
    let langchain = r#"[{"type": "human", "content": "Where?"}, {"type": "ai", "content": "", "tool_calls": [{"id": "c1", "name": "find", "args": {"id": 7}, "type": "tool_call"}]}, {"type": "tool", "tool_call_id": "c1", "status": "error", "content": "no such order"}]"#;
    assert_eq!(
        told(&clean(langchain)[0]),
        [
            "User Where?",
            r#"Assistant  find#c1{"id":7}"#,
            "Tool->c1! no such order"
        ]
    );
    let ag2 = r#"[{"role": "user", "content": "Where?"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "function": {"name": "find", "arguments": "{'id': 7, 'all': None}"}}]}, {"role": "tool", "content": "both", "tool_responses": [{"role": "tool", "tool_call_id": "c1", "content": "gone"}]}]"#;
    assert_eq!(
        told(&clean(ag2)[0]),
        [
            "User Where?",
            r#"Assistant  find#c1{"id":7,"all":null}"#,
            "Tool->c1 gone"
        ],
        "arguments in Python's notation too"
    );
}

#[test]
fn a_list_in_the_notation_of_python() {
    let runs = clean(
        "[{'role': 'user', 'content': [{'type': 'text', 'text': \"it's\"}]}, {'role': 'assistant', 'content': 'so \"what\"'}]",
    );
    assert_eq!(told(&runs[0]), ["User it's", "Assistant so \"what\""]);
}

#[test]
fn a_list_that_breaks_off_gives_what_stands_before() {
    let cut = OPENAI.find("\"It is lost.").unwrap();
    let (runs, warnings) = read_any("x", &OPENAI.as_bytes()[..cut]);
    assert_eq!(told(&runs[0]), EXPECTED[..4]);
    assert_eq!(warnings.len(), 1);
}

#[test]
fn lists_that_are_no_conversation_are_none() {
    for text in [
        r#"[{"role": "admin", "content": "x"}]"#,
        r#"[{"name": "a", "type": "text"}]"#,
        "[[1, 2]]",
        r#"{"messages": 3}"#,
    ] {
        assert_eq!(read_any("x", text.as_bytes()).0, [], "{text}");
    }
}
