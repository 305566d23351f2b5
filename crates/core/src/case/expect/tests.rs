use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Looks at an order, fails to refund, refunds 12.50 and says so.
fn trace() -> Trace {
    serde_json::from_value(json!({"steps": [
        {"role": "user", "content": "Order O-7 is late", "tool_calls": [{"id": "u", "name": "toggle", "arguments": {}}]},
        {"role": "tool", "call_id": "u", "content": "on"},
        {"role": "assistant", "content": "Let me  look.", "tool_calls": [{"id": "a", "name": "get_order", "arguments": {"id": "O-7"}}]},
        {"role": "tool", "call_id": "a", "content": "{\"status\": \"late\", \"total\": 12.5}"},
        {"role": "assistant", "tool_calls": [{"id": "b", "name": "cancel", "arguments": {"id": "O-7"}}]},
        {"role": "tool", "call_id": "b", "content": "too late", "error": true},
        {"role": "assistant", "tool_calls": [{"id": "c", "name": "refund", "arguments": {"id": "O-7", "amount": 12.5, "note": "x"}}]},
        {"role": "tool", "call_id": "c", "content": "ok"},
        {"role": "assistant", "content": "```json\n{\"refunded\": 12.5}\n```"},
    ]}))
    .unwrap()
}

fn outcome(expectation: Value) -> (Outcome, String) {
    let expectation: Expectation = serde_json::from_value(expectation).unwrap();
    let scored = expectation.check(&trace());
    (scored.outcome, scored.why)
}

#[test]
fn each_check_tells_what_holds_from_what_does_not() {
    let held = [
        json!({"type": "tool_called", "name": "refund"}),
        json!({"type": "tool_called", "name": "refund", "arguments": {"amount": 12.50, "id": "O-7"}}),
        json!({"type": "tool_not_called", "name": "cancel"}),
        json!({"type": "tool_not_called", "name": "toggle"}),
        json!({"type": "tool_not_called", "name": "refund", "arguments": {"amount": 1}}),
        json!({"type": "contains", "text": "let me look", "in": "anywhere"}),
        json!({"type": "not_contains", "text": "let me look"}),
        json!({"type": "regex", "pattern": "refunded.*1[0-9]"}),
        json!({"type": "json_schema", "schema": {"type": "object", "required": ["refunded"]}}),
        json!({"type": "max_steps", "steps": 9}),
        json!({"type": "final_state", "tool": "get_order", "pointer": "/total", "value": 12.5}),
        json!({"type": "final_state", "tool": "refund", "pointer": "", "value": "ok"}),
    ];
    for expectation in held {
        assert_eq!(outcome(expectation.clone()).0, Outcome::Held, "{expectation}");
    }
    let broken = [
        json!({"type": "tool_called", "name": "cancel"}),
        json!({"type": "tool_called", "name": "toggle"}),
        json!({"type": "tool_called", "name": "refund", "arguments": {"amount": "12.5"}}),
        json!({"type": "tool_not_called", "name": "refund"}),
        json!({"type": "contains", "text": "let me look"}),
        json!({"type": "not_contains", "text": "REFUNDED"}),
        json!({"type": "regex", "pattern": "^sorry"}),
        json!({"type": "json_schema", "schema": {"properties": {"refunded": {"type": "string"}}}}),
        json!({"type": "max_steps", "steps": 8}),
        json!({"type": "final_state", "tool": "get_order", "pointer": "/status", "value": "sent"}),
        json!({"type": "final_state", "tool": "get_payment", "pointer": "/a", "value": 1}),
    ];
    for expectation in broken {
        assert_eq!(outcome(expectation.clone()).0, Outcome::Broken, "{expectation}");
    }
}

#[test]
fn a_result_explains_itself() {
    let why = |expectation| outcome(expectation).1;
    assert_eq!(
        why(json!({"type": "tool_called", "name": "refund", "arguments": {"amount": 3, "to": "card"}})),
        "`refund` is called in step 6 with other values for amount, to"
    );
    assert_eq!(
        why(json!({"type": "json_schema", "schema": {"properties": {"refunded": {"type": "string"}}}})),
        "the answer does not fit the schema: /refunded: 12.5 is not of type \"string\""
    );
    assert_eq!(
        why(json!({"type": "final_state", "tool": "get_order", "pointer": "/status", "value": "sent"})),
        "step 3 tells \"late\" at `/status` of `get_order`"
    );
}

#[test]
fn what_cannot_be_scored_never_passes() {
    let unscored = [
        json!({"type": "judge", "rubric": "is polite"}),
        json!({"type": "regex", "pattern": "("}),
        json!({"type": "regex", "pattern": "(?:x{1000}){1000}"}),
        json!({"type": "json_schema", "schema": {"type": 7}}),
        json!({"type": "json_schema", "schema": {"$ref": "https://example.com/schema.json"}}),
    ];
    for expectation in unscored {
        assert_eq!(outcome(expectation.clone()).0, Outcome::Unscored, "{expectation}");
    }
    let scored = |list: Value| {
        verdict(&score(
            &serde_json::from_value::<Vec<Expectation>>(list).unwrap(),
            &trace(),
        ))
    };
    let judge = json!({"type": "judge", "rubric": "is polite"});
    let held = json!({"type": "max_steps", "steps": 9});
    assert_eq!(scored(json!([held])), Some(true));
    assert_eq!(scored(json!([held, judge])), None);
    assert_eq!(scored(json!([{"type": "max_steps", "steps": 1}, judge])), Some(false));
    assert_eq!(scored(json!([])), None, "nothing expected is nothing measured");
}

proptest! {
    #[test]
    fn no_pattern_and_no_text_panics(pattern in ".{0,30}", text in ".{0,60}") {
        let mut trace = trace();
        trace.steps.last_mut().unwrap().content = text.clone();
        for expectation in [
            Expectation::Regex { pattern: pattern.clone(), place: Place::Anywhere },
            Expectation::Contains { text: pattern.clone(), place: Place::Answer },
            Expectation::JsonSchema { schema: serde_json::from_str(&pattern).unwrap_or_default() },
            Expectation::FinalState { tool: "get_order".to_owned(), pointer: pattern, value: Value::Null },
        ] {
            expectation.check(&trace);
        }
    }
}
