//! Records of a team's own making.

use super::*;
use crate::config;
use crate::trace::read::{read_any, read_mapped};

fn mapping(lines: &str) -> Mapping {
    let config = config::parse(&format!("[signals.mapping]\n{lines}")).unwrap();
    config.signals.mapping.unwrap()
}

const LINES: &str = r#"{"case": {"id": "c1"}, "n": 2, "verdict": "FAIL", "metrics": [0.25], "log": [{"who": "customer", "says": {"text": "hi"}}, {"who": "bot", "calls": [{"fn": "find", "in": "{\"id\": 7}", "ref": "k"}]}, {"who": "tool", "says": {"text": "gone"}, "for": "k", "bad": 1}]}
{"case": {"id": "c2"}, "verdict": "maybe", "log": [{"who": "ghost"}]}
{"case": {"id": "c3"}}
"#;

const MAPPING: &str = r#"
messages = "/log"
task = "/case/id"
trial = "/n"
passed = "/verdict"
score = "/metrics/0"
role = "/who"
content = "/says/text"
tool_calls = "/calls"
tool_name = "/fn"
tool_arguments = "/in"
tool_call_id = "/ref"
answers = "/for"
error = "/bad"
"#;

#[test]
fn every_key_of_the_mapping_is_followed() {
    let (runs, warnings) = read_mapped(&mapping(MAPPING), "x", LINES.as_bytes());
    let run = &runs[0];
    assert_eq!(
        (run.task.as_str(), run.trial, run.passed, run.score),
        ("c1", 2, Some(false), Some(0.25))
    );
    let exchange = run.trace.exchanges()[0];
    assert_eq!(
        (
            exchange.call.name.as_str(),
            &exchange.call.arguments["id"],
            exchange.succeeded()
        ),
        ("find", &7.into(), false)
    );
    assert_eq!(run.trace.steps[0].content, "hi");
    let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 2.log[0]: left out: a message with the role `ghost`",
            "line 2: `maybe` says neither that the run passed nor that it failed",
            "line 3: left out: no list at `/log`",
        ]
    );
}

#[test]
fn what_the_mapping_leaves_out_is_read_as_usual() {
    let text = r#"[{"chat": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "find", "arguments": "{}"}}]}]}]"#;
    let (runs, warnings) = read_mapped(&mapping("messages = \"/chat\""), "x", text.as_bytes());
    assert_eq!(
        (runs[0].trace.steps[1].tool_calls[0].name.as_str(), warnings.len()),
        ("find", 0)
    );
    assert!(runs[0].task.as_str().starts_with("trace-"));
}

#[test]
fn a_file_that_the_mapping_does_not_fit_is_read_by_its_own_format() {
    let text = r#"[{"role": "user", "content": "hi"}]"#;
    assert_eq!(
        read_mapped(&mapping(MAPPING), "x", text.as_bytes()),
        read_any("x", text.as_bytes())
    );
}
