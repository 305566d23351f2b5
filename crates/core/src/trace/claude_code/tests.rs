//! Execution files, streams and transcripts, and the ways in which a run ends.

use crate::failure::FailureKind;
use crate::trace::read::{ReadTrace, read_any};
use crate::trace::{Role, Termination};

const BEGIN: &str = r#"{"type": "system", "subtype": "init", "session_id": "s1", "tools": ["Bash", "Read"], "model": "m"}
{"type": "assistant", "session_id": "s1", "message": {"role": "assistant", "content": [{"type": "text", "text": "Running the tests."}, {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make test"}}]}}
{"type": "assistant", "session_id": "s1", "parent_tool_use_id": "t0", "message": {"role": "assistant", "content": [{"type": "text", "text": "I am a subagent."}]}}
{"type": "user", "session_id": "s1", "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "make: *** No rule"}]}}
"#;

fn ended(result: &str) -> ReadTrace {
    let lines = format!("{BEGIN}{{\"type\": \"result\", \"session_id\": \"s1\", {result}}}\n");
    let list = format!("[{}]", lines.trim().replace('\n', ","));
    let (runs, warnings) = read_any("x", lines.as_bytes());
    assert_eq!((runs.len(), warnings.len()), (1, 0));
    assert_eq!(
        read_any("x", list.as_bytes()).0,
        runs,
        "the file of the action is the stream as a list"
    );
    runs.into_iter().next().unwrap()
}

#[test]
fn a_run_is_read_without_its_subagents() {
    let run = ended(r#""subtype": "success", "is_error": false, "result": "done""#);
    assert_eq!(run.source, "claude-code:s1");
    let roles: Vec<_> = run.trace.steps.iter().map(|step| (step.role, step.error)).collect();
    assert_eq!(roles, [(Role::Assistant, false), (Role::Tool, true)]);
    assert!(!run.trace.exchanges()[0].succeeded());
    assert_eq!(run.trace.tools[0].name, "Bash");
}

#[test]
fn the_subtype_says_how_it_ended_and_the_flag_whether_it_failed() {
    for (result, termination, passed, kind) in [
        (
            r#""subtype": "success", "is_error": false"#,
            Termination::AgentStop,
            None,
            None,
        ),
        (
            r#""subtype": "success", "is_error": true, "result": "I could not do it""#,
            Termination::Unknown,
            Some(false),
            None,
        ),
        (
            r#""subtype": "success", "is_error": true, "result": "API Error: 529 Overloaded""#,
            Termination::InfrastructureError,
            None,
            Some(FailureKind::Infrastructure),
        ),
        (
            r#""subtype": "error_max_turns", "is_error": false"#,
            Termination::MaxSteps,
            Some(false),
            None,
        ),
        (
            r#""subtype": "error_during_execution", "is_error": true, "errors": ["aborted"]"#,
            Termination::UnexpectedError,
            None,
            Some(FailureKind::Unknown),
        ),
    ] {
        let run = ended(result);
        assert_eq!(
            (run.trace.termination, run.passed, run.kind_hint),
            (termination, passed, kind),
            "{result}"
        );
    }
}

#[test]
fn a_run_that_breaks_off_has_no_verdict() {
    let (runs, _) = read_any("x", BEGIN.as_bytes());
    assert_eq!(
        (runs[0].passed, runs[0].trace.termination),
        (None, Termination::Unknown)
    );
}

#[test]
fn a_log_of_a_job_has_other_lines_too() {
    let log = format!("Starting\n{BEGIN}Done in 3 s\n");
    let (runs, warnings) = read_any("agent.log", log.as_bytes());
    assert_eq!((runs.len(), runs[0].trace.steps.len()), (1, 2));
    assert_eq!(
        warnings[0].to_string(),
        "2 lines are no JSON objects; the others are used"
    );
}

#[test]
fn a_transcript_is_read_without_notes_and_each_session_is_a_run() {
    let transcript = r#"{"type": "summary", "summary": "x", "leafUuid": "u"}
{"type": "user", "sessionId": "a", "isMeta": true, "message": {"role": "user", "content": "<note>"}}
{"type": "user", "sessionId": "a", "message": {"role": "user", "content": "Fix it"}}
{"type": "assistant", "sessionId": "a", "message": {"role": "assistant", "content": [{"type": "text", "text": "Fixed"}]}}
{"type": "user", "sessionId": "b", "message": {"role": "user", "content": "Again"}}
"#;
    let (runs, warnings) = read_any("x", transcript.as_bytes());
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.source.as_str(), run.trace.steps.len()))
        .collect();
    assert_eq!(
        (told, warnings.len()),
        (vec![("claude-code:a", 2), ("claude-code:b", 1)], 0)
    );
}
