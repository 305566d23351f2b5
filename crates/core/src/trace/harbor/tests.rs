//! Trials, alone and with their trajectory.

use super::*;
use crate::trace::folder::tests::gathered;
use crate::trace::read::read_any;

const TRAJECTORY: &str = r#"{"schema_version": "ATIF-v1.6", "session_id": "s1", "agent": {"name": "x", "version": "1"}, "steps": [
    {"step_id": 1, "source": "user", "message": "Write hello.txt"},
    {"step_id": 2, "source": "agent", "message": "On it.", "tool_calls": [{"tool_call_id": "c1", "function_name": "bash", "arguments": {"cmd": "ls"}}],
     "observation": {"results": [{"source_call_id": "c1", "content": [{"type": "text", "text": "no such file"}], "extra": {"is_error": true}}]}}]}"#;

fn result(more: &str) -> String {
    format!(r#"{{"id": "u1", "task_name": "hello", "trial_name": "hello__x", "config": {{}}, {more}}}"#)
}

fn alone(text: &str) -> ReadTrace {
    let (runs, warnings) = read_any("result.json", text.as_bytes());
    assert_eq!((runs.len(), warnings.len()), (1, 0), "{text}");
    runs.into_iter().next().unwrap()
}

#[test]
fn a_trajectory_alone_is_a_run_without_a_verdict() {
    let run = alone(TRAJECTORY);
    assert_eq!((run.source.as_str(), run.passed), ("harbor:s1", None));
    let exchanges = run.trace.exchanges();
    assert_eq!(
        (exchanges[0].call.name.as_str(), exchanges[0].succeeded()),
        ("bash", false)
    );
    assert_eq!(run.trace.steps[2].content, "no such file");
}

#[test]
fn the_reward_is_the_verdict_and_a_part_of_it_is_none() {
    for (rewards, passed, score) in [
        (r#"{"reward": 1.0}"#, Some(true), Some(1.0)),
        (r#"{"reward": 0.6}"#, Some(false), Some(0.6)),
        (r#"{"reward": 1, "style": 0}"#, Some(true), Some(1.0)),
        (r#"{"tests": 1, "style": 0}"#, Some(false), Some(0.0)),
    ] {
        let run = alone(&result(&format!(
            r#""verifier_result": {{"rewards": {rewards}}}, "exception_info": null"#
        )));
        assert_eq!(
            (run.passed, run.score, run.source.as_str()),
            (passed, score, "harbor:u1"),
            "{rewards}"
        );
    }
}

#[test]
fn an_exception_is_blamed_on_whoever_raised_it() {
    let thrown = |kind: &str, verifier: &str| {
        alone(&result(&format!(
            r#""verifier_result": {verifier}, "exception_info": {{"exception_type": "{kind}", "exception_message": "m"}}"#
        )))
    };
    let rewarded = r#"{"rewards": {"reward": 0}}"#;
    for (kind, verifier, termination, passed, hint) in [
        ("AgentTimeoutError", rewarded, Termination::Timeout, Some(false), None),
        (
            "EnvironmentStartTimeoutError",
            "null",
            Termination::InfrastructureError,
            None,
            Some(FailureKind::Infrastructure),
        ),
        (
            "VerifierTimeoutError",
            "null",
            Termination::Unknown,
            None,
            Some(FailureKind::Evaluator),
        ),
        (
            "RewardFileNotFoundError",
            "null",
            Termination::Unknown,
            None,
            Some(FailureKind::Evaluator),
        ),
        (
            "ValueError",
            "null",
            Termination::UnexpectedError,
            None,
            Some(FailureKind::Unknown),
        ),
        ("ValueError", rewarded, Termination::Unknown, Some(false), None),
    ] {
        let run = thrown(kind, verifier);
        assert_eq!(
            (run.trace.termination, run.passed, run.kind_hint),
            (termination, passed, hint),
            "{kind}"
        );
    }
}

#[test]
fn a_trial_takes_the_steps_of_its_own_folder() {
    let failed = result(r#""verifier_result": {"rewards": {"reward": 0}}"#);
    let passed = failed.replace("u1", "u2").replace("\"reward\": 0", "\"reward\": 1");
    let (runs, warnings) = gathered(&[
        ("job/hello__x/agent/trajectory.json", TRAJECTORY),
        (
            "job/hello__x/agent/copy.json",
            r#"[{"role": "user", "content": "Write"}]"#,
        ),
        ("job/hello__x/result.json", &failed),
        ("job/hello__x2/result.json", &passed),
        (
            "job/result.json",
            r#"{"id": "j", "stats": {"evals": {}}, "n_total_trials": 2}"#,
        ),
    ]);
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run.source.as_str(),
                run.task.as_str(),
                run.passed,
                run.trace.steps.len(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("harbor:u1", "hello", Some(false), 3),
            ("harbor:u2", "hello", Some(true), 0)
        ]
    );
    assert_eq!(
        warnings[0].to_string(),
        "1 file has no format that sprag knows, and is left out: job/result.json"
    );
}

#[test]
fn an_agent_that_died_at_once_is_no_failed_task() {
    let times = |started: &str, ended: &str, tokens: &str| {
        result(&format!(
            r#""verifier_result": {{"rewards": {{"reward": 0}}}}, "agent_result": {{"n_output_tokens": {tokens}}}, "agent_execution": {{"started_at": "2026-01-01T{started}+00:00", "finished_at": "2026-01-02T{ended}+00:00"}}"#
        ))
    };
    let kind = |text: String| alone(&text).kind_hint;
    let infrastructure = Some(FailureKind::Infrastructure);
    assert_eq!(kind(times("23:59:59.95", "00:00:00.01", "null")), infrastructure);
    assert_eq!(kind(times("10:00:00.0", "10:00:00.1", "12")), None, "it said something");
    assert_eq!(kind(times("10:00:00.0", "10:05:00.0", "0")), None, "it lived");
    let bench = r#"{"results": [{"trial_name": "t.1", "task_id": "maze", "instruction": "Map the maze", "is_resolved": false, "failure_mode": "unknown_agent_error", "parser_results": {"test_map": "failed"}, "total_output_tokens": null, "agent_started_at": "2026-04-08T21:17:58.669095+00:00", "agent_ended_at": "2026-04-08T21:17:58.729963+00:00"}]}"#;
    let run = alone(bench);
    assert_eq!(
        (run.task.as_str(), run.passed, run.kind_hint),
        ("maze", Some(false), infrastructure)
    );
}
