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
    let place = |at: usize| {
        (
            &test["assert"][at]["type"],
            &test["assert"][at]["config"]["expectation"],
        )
    };
    assert_eq!(
        place(0),
        (&json!("python"), &json!(0)),
        "the text stays as it is, in cases.json"
    );
    assert_eq!(place(1), (&json!("python"), &json!(1)));
    assert_eq!(test["assert"][2]["type"], "llm-rubric");
}

#[test]
fn no_run_of_braces_is_a_template_and_plain_texts_are_matched_as_they_are() {
    for text in ["{{{env.KEY}}}", "{{{{env.KEY}}}}", "{{%x%}}", "{ {{#x", "a {b} c"] {
        let case = recorded(
            text,
            json!([{"type": "contains", "text": "sorry"}, {"type": "judge", "rubric": text}]),
        );
        let config = json_of(&files(Tool::Promptfoo, &[&case], &[]), "promptfooconfig.json");
        let test = &config["tests"][0];
        let written = test.to_string();
        assert!(
            !["{{%", "{%", "{#"].iter().any(|opening| written.contains(opening)),
            "{written}"
        );
        let said = [&test["vars"]["input"], &test["assert"][1]["value"]];
        assert!(
            said.iter().all(|said| !said.as_str().unwrap().contains("{{")),
            "{written}"
        );
        assert_eq!(test["assert"][0], json!({"type": "icontains", "value": "sorry"}));
    }
}
