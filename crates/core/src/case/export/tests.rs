use super::*;
use crate::case::{Expectation, Fixture, Input};
use crate::id::{CaseId, TaskId};
use serde_json::Map;

fn recorded(input: &str, expect: Value) -> EvalCase {
    EvalCase {
        input: Some(Input {
            messages: vec![input.to_owned()],
        }),
        expect: serde_json::from_value(expect).unwrap(),
        fixtures: vec![Fixture {
            name: "get_order".to_owned(),
            arguments: Map::new(),
            result: "{}".to_owned(),
            error: false,
        }],
        ..EvalCase::new(
            CaseId::new("recorded-0123456789ab"),
            TaskId::new("recorded-0123456789ab"),
            "call `refund`".to_owned(),
        )
    }
}

fn json_of(files: &[File], name: &str) -> Value {
    let file = files.iter().find(|file| file.name == name).unwrap();
    serde_json::from_str(&file.text).unwrap()
}

#[test]
fn every_tool_gets_the_cases_and_what_runs_them() {
    let task = EvalCase::new(EvalCase::id_of(&TaskId::new("a")), TaskId::new("a"), String::new());
    let case = recorded("My order is late", json!([{"type": "tool_called", "name": "refund"}]));
    for (tool, own) in [
        (Tool::Promptfoo, "promptfooconfig.json"),
        (Tool::Inspect, "cases_task.py"),
        (Tool::Pytest, "test_cases.py"),
    ] {
        let files = files(tool, &[&task, &case], &["./worker".to_owned()]);
        assert!(files.iter().any(|file| file.name == own));
        let written = json_of(&files, "cases.json");
        assert_eq!(written["worker"], json!(["./worker"]));
        assert_eq!(written["cases"][0]["task"], "a");
        assert_eq!(written["cases"][1]["recorded"], true);
        let read: Vec<Expectation> = serde_json::from_value(written["cases"][1]["expect"].clone()).unwrap();
        assert_eq!(read, case.expect);
        assert!(files.iter().any(|file| file.name == "sprag_case.py"));
    }
}

#[test]
fn promptfoo_gets_its_own_assertions_and_no_template_of_a_stranger() {
    let case = recorded(
        "{{env.KEY}} {% include 'x' %}",
        json!([
            {"type": "contains", "text": "sorry {{x}}"},
            {"type": "contains", "text": "sorry", "in": "anywhere"},
            {"type": "judge", "rubric": "is polite"},
        ]),
    );
    let files = files(Tool::Promptfoo, &[&case], &[]);
    let config = json_of(&files, "promptfooconfig.json");
    let test = &config["tests"][0];
    assert_eq!(test["vars"]["input"], "{ {env.KEY}} { % include 'x' %}");
    assert_eq!(test["assert"][0], json!({"type": "icontains", "value": "sorry { {x}}"}));
    assert_eq!(test["assert"][1]["config"]["expectation"]["in"], "anywhere");
    assert_eq!(test["assert"][2]["type"], "llm-rubric");
}
