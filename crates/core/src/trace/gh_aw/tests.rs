//! The files of an artifact, alone and together.

use crate::trace::folder::tests::gathered;
use crate::trace::read::{ReadTrace, read_any};

const INFO: &str = r#"{"engine_id": "claude", "workflow_name": "Triage", "run_id": 77, "model": ""}"#;
const OUTPUT: &str = r#"{"items": [{"type": "add_comment", "body": "done", "item_number": 3}], "errors": []}"#;
const GRADES: &str = r#"{"version": 1, "run": {"graderCount": 4, "passed": 1, "failed": 1, "errors": 1}, "results": [
    {"id": "quality", "value": 0.2, "passed": false, "status": "fail", "message": "too short"},
    {"id": "steps", "value": 9, "passed": true, "status": "pass"},
    {"id": "tokens", "value": 900, "passed": null, "status": "pass"},
    {"id": "broken", "value": null, "passed": false, "status": "error", "error": "boom"}]}"#;
const SPANS: &str = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "spanId": "s", "name": "agent", "status": {"code": 1}, "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}, {"key": "gen_ai.output.messages", "value": {"stringValue": "[{\"role\": \"assistant\", \"content\": \"hello\"}]"}}]}]}]}]}
"#;

fn together(files: &[(&str, &str)]) -> Vec<ReadTrace> {
    let (runs, warnings) = gathered(files);
    assert_eq!(warnings, Vec::<String>::new());
    runs
}

#[test]
fn the_files_of_an_artifact_are_one_run() {
    let runs = together(&[
        ("agent/graders/grader_results.json", GRADES),
        ("agent_output.json", OUTPUT),
        ("aw_info.json", INFO),
        ("otel.jsonl", SPANS),
    ]);
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    assert_eq!(
        (run.source.as_str(), run.task.as_str(), run.passed),
        ("gh-aw:77", "Triage", Some(false))
    );
    assert_eq!(run.trace.steps[0].content, "hello");
    let checks: Vec<_> = run
        .trace
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.passed, check.detail.as_str()))
        .collect();
    assert_eq!(
        checks,
        [("quality", false, "0.2: too short"), ("steps", true, "9")],
        "what measures or broke judges nothing"
    );
}

#[test]
fn graders_that_are_content_pass_a_run_and_no_grader_leaves_it_open() {
    let content = GRADES.replace(
        "\"passed\": false, \"status\": \"fail\"",
        "\"passed\": true, \"status\": \"pass\"",
    );
    let passed = |files: &[(&str, &str)]| together(files)[0].passed;
    assert_eq!(
        passed(&[
            ("x/agent_output.json", OUTPUT),
            ("x/agent/graders/grader_results.json", &content)
        ]),
        Some(true)
    );
    assert_eq!(passed(&[("agent_output.json", OUTPUT)]), None);
    let refused = OUTPUT.replace("\"errors\": []", "\"errors\": [\"Line 1: body is missing\"]");
    assert_eq!(passed(&[("agent_output.json", &refused)]), Some(false));
}

#[test]
fn without_a_log_the_steps_are_what_the_agent_asked_for() {
    let (runs, _) = read_any("agent_output.json", OUTPUT.as_bytes());
    let call = &runs[0].trace.steps[0].tool_calls[0];
    assert_eq!(
        (call.name.as_str(), &call.arguments["item_number"]),
        ("add_comment", &3.into())
    );
}

#[test]
fn two_artifacts_are_two_runs() {
    let second = INFO.replace("77", "78");
    let runs = together(&[
        ("a/aw_info.json", INFO),
        ("b/aw_info.json", &second),
        ("a/otel.jsonl", SPANS),
    ]);
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.source.as_str(), run.trace.steps.len()))
        .collect();
    assert_eq!(told, [("gh-aw:77", 1), ("gh-aw:78", 0)]);
}
