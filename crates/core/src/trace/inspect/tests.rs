//! The traps of Inspect's logs.

use super::*;
use crate::trace::read::read_any;
use serde_json::json;

fn log(status: &str, samples: &str) -> String {
    format!(
        r#"{{"version": 2, "status": "{status}", "eval": {{"run_id": "r1", "eval_id": "e1", "task": "shop", "dataset": {{}}}}, "plan": {{}},
        "results": {{"total_samples": 2, "scores": [{{"name": "match"}}]}}, "samples": [{samples}], "reductions": []}}"#
    )
}

fn clean(text: &str) -> Vec<ReadTrace> {
    let (runs, warnings) = read_any("x", text.as_bytes());
    assert_eq!(warnings, []);
    runs
}

fn sample(more: &str) -> String {
    format!(
        r#"{{"id": "a", "epoch": 1, "input": "hi", "messages": [{{"role": "user", "content": "hi"}}, {{"role": "assistant", "content": "no"}}], {more}}}"#
    )
}

#[test]
fn a_sample_is_a_run_named_by_its_log_its_id_and_its_epoch() {
    let other = r#"{"id": 3, "epoch": 2, "input": [{"role": "user", "content": "only the input"}], "messages": [], "scores": {"match": {"value": "C"}}}"#;
    let runs = clean(&log(
        "success",
        &format!(
            "{}, {other}",
            sample(r#""scores": {"match": {"value": "I", "explanation": "off"}}"#)
        ),
    ));
    let heads: Vec<_> = runs
        .iter()
        .map(|run| (run.source.as_str(), run.task.as_str(), run.trial, run.passed, run.score))
        .collect();
    assert_eq!(
        heads,
        [
            ("inspect:r1:a:1", "shop/a", 0, Some(false), Some(0.0)),
            ("inspect:r1:3:2", "shop/3", 1, Some(true), Some(1.0)),
        ]
    );
    assert_eq!(runs[0].trace.checks[0].detail, "\"I\": off");
    assert_eq!(runs[0].trace.termination, Termination::AgentStop);
    assert_eq!(runs[1].trace.steps[0].content, "only the input");
}

#[test]
fn a_log_that_is_not_whole_judges_nothing() {
    let bad = sample(r#""scores": {"match": {"value": "I"}}"#);
    for (status, passed) in [
        ("started", None),
        ("cancelled", None),
        ("error", Some(false)),
        ("success", Some(false)),
    ] {
        let (runs, warnings) = read_any("x", log(status, &bad).as_bytes());
        assert_eq!(
            (runs[0].passed, warnings.is_empty()),
            (passed, passed.is_some()),
            "{status}"
        );
    }
}

#[test]
fn every_kind_of_score_is_understood() {
    for (value, full, part) in [
        (json!("C"), true, Some(1.0)),
        (json!("P"), false, Some(0.5)),
        (json!("N"), false, Some(0.0)),
        (json!(true), true, Some(1.0)),
        (json!(0.8), false, Some(0.8)),
        (json!("yes"), true, Some(1.0)),
        (json!("0.5"), false, Some(0.5)),
        (json!([1, "I"]), false, Some(0.5)),
        (json!({"a": "C", "b": 1}), true, Some(1.0)),
        (json!({}), false, None),
        (json!("fine"), false, None),
        (json!(null), false, None),
    ] {
        assert_eq!((is_full(&value), amount(&value)), (full, part), "{value}");
    }
    let odd = sample(r#""scores": {"mood": {"value": "fine"}}"#);
    let (runs, warnings) = read_any("x", log("success", &odd).as_bytes());
    assert_eq!(
        (runs[0].passed, warnings[0].place.as_str()),
        (None, "samples[0].scores.mood")
    );
}

#[test]
fn a_crash_is_no_verdict_and_a_limit_says_how_it_ended() {
    let ended = |more: &str| clean(&log("success", &sample(more))).remove(0);
    let crashed = ended(r#""scores": {"match": {"value": "I"}}, "error": {"message": "boom", "traceback": "…"}"#);
    assert_eq!((crashed.passed, crashed.kind_hint), (None, Some(FailureKind::Unknown)));
    for (more, termination) in [
        (r#""limit": {"type": "time", "limit": 9}"#, Termination::Timeout),
        (r#""limit": {"type": "message"}"#, Termination::MaxSteps),
        (r#""limit": {"type": "custom"}"#, Termination::Unknown),
        (
            r#""output": {"choices": [{"stop_reason": "model_length"}]}"#,
            Termination::ContextWindowExceeded,
        ),
    ] {
        assert_eq!(ended(more).trace.termination, termination, "{more}");
    }
}

#[test]
fn attachments_stand_where_they_belong_and_the_error_of_a_tool_is_its_answer() {
    let text = r#"{"id": 1, "epoch": 1, "input": "x", "attachments": {"aa": "a long text"}, "messages": [
        {"role": "user", "content": "attachment://aa"},
        {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "look"}], "tool_calls": [{"id": "c1", "function": "find", "arguments": {"q": "attachment://aa", "r": "attachment://gone"}, "type": "function"}]},
        {"role": "tool", "content": "", "tool_call_id": "c1", "function": "find", "error": {"type": "timeout", "message": "no answer"}}]}"#;
    let steps = clean(&log("success", text)).remove(0).trace.steps;
    assert_eq!(steps[0].content, "a long text");
    assert_eq!(
        Value::Object(steps[1].tool_calls[0].arguments.clone()),
        json!({"q": "a long text", "r": "attachment://gone"})
    );
    assert_eq!(
        (steps[2].content.as_str(), steps[2].error, steps[2].call_id.as_deref()),
        ("no answer", true, Some("c1"))
    );
}

#[test]
fn a_log_that_breaks_off_gives_its_whole_samples() {
    let one = sample(r#""scores": {"match": {"value": "I"}}"#);
    let text = log("success", &format!("{one}, {one}"));
    let cut = text.rfind("\"epoch\"").unwrap();
    let (runs, warnings) = read_any("x", &text.as_bytes()[..cut]);
    assert_eq!((runs.len(), warnings.len()), (1, 1));
}

#[test]
fn a_header_alone_has_no_samples() {
    let header = r#"{"version": 2, "status": "success", "eval": {"task": "shop"}, "plan": {}}"#;
    let (runs, warnings) = read_any("header.json", header.as_bytes());
    assert_eq!(
        (runs.len(), warnings[0].to_string().as_str()),
        (0, "the log has no samples in it")
    );
}
