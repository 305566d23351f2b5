use super::*;
use crate::id::TaskId;
use crate::mine;
use serde_json::json;

/// Looks at an order, adds a credit that nobody asked for, and says sorry. Ground truth is added by the tests.
fn trace(expected: Value) -> Trace {
    let mut trace = json!({"steps": [
        {"role": "user", "content": "Order O-7 is late. My name is Ada."},
        {"role": "assistant", "tool_calls": [{"id": "a", "name": "get_order", "arguments": {"id": "O-7"}}]},
        {"role": "tool", "call_id": "a", "content": "{\"status\": \"late\"}"},
        {"role": "assistant", "tool_calls": [{"id": "b", "name": "add_credit", "arguments": {"id": "C-1", "amount": 5}}]},
        {"role": "tool", "call_id": "b", "content": "ok"},
        {"role": "assistant", "content": "Sorry."},
        {"role": "user", "content": "And my refund?"},
    ], "termination": "agent_stop", "tools": [
        {"name": "get_order", "effect": "read"}, {"name": "add_credit", "effect": "write"},
        {"name": "refund", "effect": "write"}, {"name": "hold", "effect": "write"},
    ]});
    trace["expected"] = expected;
    serde_json::from_value(trace).unwrap()
}

fn drafted(trace: &Trace, told: Option<&str>) -> (Option<Basis>, Value) {
    let record = mine::mine("s", &TaskId::new("t"), trace);
    let draft = draft("issue 7", trace, &record, told);
    for expectation in &draft.expect {
        assert_ne!(
            expectation.check(trace).outcome,
            Outcome::Held,
            "fails on the trace it is from"
        );
    }
    (draft.provenance.basis, serde_json::to_value(&draft.expect).unwrap())
}

#[test]
fn ground_truth_gives_the_weakest_check_that_fails() {
    let cases = [
        (
            json!({"actions": [{"name": "refund", "arguments": {"id": "O-7"}}]}),
            json!([{"type": "tool_called", "name": "refund"}]),
        ),
        (
            json!({"actions": [{"name": "add_credit", "arguments": {"id": "C-1", "amount": 5}}], "communicate": ["5 days"]}),
            json!([{"type": "contains", "text": "5 days", "in": "anywhere"}]),
        ),
        (
            json!({"actions": [{"name": "add_credit", "arguments": {"id": "C-1", "amount": 7}}], "communicate": ["sorry"]}),
            json!([{"type": "tool_called", "name": "add_credit", "arguments": {"amount": 7}}]),
        ),
        (
            json!({"actions": [{"name": "get_order", "arguments": {"id": "O-7"}}]}),
            json!([{"type": "tool_not_called", "name": "add_credit", "arguments": {"id": "C-1", "amount": 5}}]),
        ),
    ];
    for (expected, wanted) in cases {
        assert_eq!(
            drafted(&trace(expected.clone()), None),
            (Some(Basis::GroundTruth), wanted),
            "{expected}"
        );
    }
}

#[test]
fn an_action_of_the_person_is_not_asked_of_the_agent() {
    let expected = json!({"actions": [{"name": "toggle", "arguments": {}, "requestor": "user"}, {"name": "refund", "arguments": {}}]});
    assert_eq!(drafted(&trace(expected), None).1[0]["name"], "refund");
}

#[test]
fn a_person_names_tools_and_quotes_what_should_be_said() {
    let trace = trace(Value::Null);
    let issue = |words: &str| drafted(&trace, Some(words));
    let refund = (Some(Basis::Issue), json!([{"type": "tool_called", "name": "refund"}]));
    assert_eq!(issue("It should call get_order, then refund."), refund);
    assert_eq!(issue("It must not hold the order. Use `refund`."), refund);
    assert_eq!(
        issue("Tell the customer “5 days”, no more"),
        (
            Some(Basis::Issue),
            json!([{"type": "judge", "rubric": "Tell the customer “5 days”, no more"}])
        ),
        "a sentence that says no asks for nothing that could be checked"
    );
}

#[test]
fn the_miner_is_asked_last_and_a_judge_when_no_check_says_it() {
    let trace = trace(Value::Null);
    let mut record = mine::mine("s", &TaskId::new("t"), &trace);
    let cause = |rule: &str, subject: &str, action: Value| -> RootCause {
        serde_json::from_value(json!({"mechanism": {"rule": rule, "subject": subject}, "finding": "f",
            "evidence": [{"step": 3, "quote": "q"}], "confidence": 0.5, "should": "do better", "action": action}))
        .unwrap()
    };
    let mut of = |cause: RootCause| {
        record.causes = vec![cause];
        let draft = draft("traffic", &trace, &record, None);
        (draft.provenance.basis, serde_json::to_value(&draft.expect).unwrap())
    };
    assert_eq!(
        of(cause(
            "missing_action",
            "refund",
            json!({"name": "refund", "arguments": {"id": "O-7"}})
        ))
        .1,
        json!([{"type": "tool_called", "name": "refund"}])
    );
    assert_eq!(
        of(cause("unwarranted_write", "add_credit", Value::Null)).1,
        json!([{"type": "tool_not_called", "name": "add_credit", "arguments": {"id": "C-1", "amount": 5}}])
    );
    assert_eq!(
        of(cause("termination", "max_steps", Value::Null)).1,
        json!([{"type": "max_steps", "steps": 6}])
    );
    assert_eq!(
        of(cause("gave_up", "nothing", Value::Null)),
        (Some(Basis::Mined), json!([{"type": "judge", "rubric": "do better"}]))
    );
}

#[test]
fn inputs_and_fixtures_are_whole_or_left_out() {
    let mut trace = trace(Value::Null);
    let record = mine::mine("s", &TaskId::new("t"), &trace);
    let of = |trace: &Trace| draft("s", trace, &record, None);
    let whole = of(&trace);
    assert_eq!(
        whole.input.unwrap().messages,
        ["Order O-7 is late. My name is Ada.", "And my refund?"]
    );
    let names: Vec<&str> = whole.fixtures.iter().map(|fixture| fixture.name.as_str()).collect();
    assert_eq!(names, ["get_order", "add_credit"]);
    trace.steps[0].content = "x".repeat(INPUT_BYTES);
    trace.steps[2].content = "x".repeat(FIXTURE_BYTES);
    let large = of(&trace);
    assert_eq!(
        (large.input, large.fixtures.len()),
        (None, 1),
        "half a request is another request"
    );
}

#[test]
fn what_is_told_without_a_trace_waits_for_a_judge() {
    let told = Told {
        asked: "refund order 7".to_owned(),
        should: "refund it".to_owned(),
        ..Told::default()
    };
    let draft = draft_of_told("issue 7", &told);
    assert_eq!(
        draft.expect,
        [Expectation::Judge {
            rubric: "refund it".to_owned()
        }]
    );
    assert_eq!(draft_of_told("issue 7", &Told::default()).input, None);
}
