//! Traps of the files that are really about, one test each, where no test of a single reader has them.

use super::*;
use crate::trace::folder::tests::gathered;
use serde_json::json;

fn one(text: &str) -> ReadTrace {
    let (mut runs, warnings) = read_any("x", text.as_bytes());
    assert_eq!((runs.len(), warnings.as_slice()), (1, &[][..]), "{text}");
    runs.remove(0)
}

fn simulation(task: &serde_json::Value, reward: &serde_json::Value, messages: &serde_json::Value) -> String {
    json!({
        "tasks": [{"id": "7", "evaluation_criteria": {"actions": [{"name": "refund", "arguments": {}}], "reward_basis": ["DB"]}}],
        "simulations": [{"id": "s", "task_id": task, "reward_info": {"reward": reward}, "messages": messages}],
    })
    .to_string()
}

#[test]
fn a_shaped_reward_is_a_score_and_only_a_full_one_a_pass() {
    for (reward, passed) in [
        (json!(0.9), false),
        (json!(0.999_999_999), true),
        (json!("1.0"), true),
        (json!(1.5), false),
        (json!(-0.2), false),
    ] {
        let run = one(&simulation(&json!("7"), &reward, &json!([])));
        assert_eq!(run.passed, Some(passed), "{reward}");
    }
    let list = json!([{"task_id": 7, "reward": 0.5, "traj": [{"role": "user", "content": "hi"}]}]);
    assert_eq!(
        (one(&list.to_string()).passed, one(&list.to_string()).score),
        (Some(false), Some(0.5))
    );
}

#[test]
fn a_run_of_a_task_that_the_file_does_not_define_expects_nothing() {
    let foreign = one(&simulation(&json!("[mobile]airplane|ROAM:2"), &json!(0.0), &json!([])));
    assert_eq!(
        (foreign.task.as_str(), foreign.trace.expected),
        ("[mobile]airplane|ROAM:2", None)
    );
    let own = one(&simulation(&json!(7), &json!(0.0), &json!([])));
    assert_eq!(own.trace.expected.map(|expected| expected.actions.len()), Some(1));
}

#[test]
fn arguments_in_pythons_notation_are_arguments() {
    let call = json!({"role": "assistant", "content": "", "tool_calls": [
        {"id": "c", "function": {"name": "f", "arguments": "{'user_id': 'it\\'s', 'items': ('a', 2), 'flag': True, 'none': None}"}}]});
    for text in [
        simulation(&json!(7), &json!(0), &json!([call])),
        json!({"messages": [call]}).to_string(),
    ] {
        let step = one(&text).trace.steps.remove(0);
        let expected = json!({"user_id": "it's", "items": ["a", 2], "flag": true, "none": null});
        assert_eq!(serde_json::Value::from(step.tool_calls[0].arguments.clone()), expected);
    }
}

#[test]
fn parallel_calls_without_ids_are_answered_in_their_order() {
    let calls: Vec<_> = (0..20)
        .map(|n| json!({"name": format!("tool_{n}"), "arguments": {}}))
        .collect();
    let mut messages = vec![json!({"role": "assistant", "content": null, "tool_calls": calls})];
    messages.extend((0..20).map(|n| json!({"role": "tool", "content": format!("answer {n}")})));
    let run = one(&simulation(&json!(7), &json!(0), &json!(messages)));
    for (n, exchange) in run.trace.exchanges().iter().enumerate() {
        let answer = exchange.answer.map(|(at, step)| (at, step.content.clone()));
        assert_eq!(
            (exchange.call.name.as_str(), answer),
            (format!("tool_{n}").as_str(), Some((n + 1, format!("answer {n}"))))
        );
    }
}

#[test]
fn a_run_without_a_step_is_a_run() {
    for text in [
        simulation(&json!(7), &json!(0), &json!([])),
        json!([{"task_id": 7, "reward": 0.0, "info": {"error": "boom"}, "traj": []}]).to_string(),
        r#"{"task": "t", "passed": false, "trace": {"steps": []}}"#.to_owned(),
        r#"{"task_name": "t", "verifier_result": {"rewards": {"reward": 0}}}"#.to_owned(),
        r#"{"version": 2, "status": "success", "eval": {}, "samples": [{"id": 1, "epoch": 1, "messages": [], "scores": {"a": {"value": "I"}}}]}"#.to_owned(),
    ] {
        let run = one(&text);
        assert_eq!((run.passed, run.trace.steps.len()), (Some(false), 0), "{text}");
    }
}

#[test]
fn a_step_is_numbered_by_its_message_also_behind_the_instructions() {
    let messages = json!([{"role": "system", "content": "rules"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]}]);
    for text in [
        simulation(&json!(7), &json!(0), &messages),
        json!({"messages": messages}).to_string(),
        messages.to_string(),
    ] {
        assert_eq!(one(&text).trace.exchanges()[0].step, 2, "{text}");
    }
}

#[test]
fn one_fault_of_the_machinery_is_no_failure_of_many_tasks() {
    let result = |n: usize| {
        json!({"task_name": format!("task-{n}"), "trial_name": format!("task-{n}__x"), "verifier_result": {"rewards": {"reward": 0}},
            "agent_result": {"n_output_tokens": null}, "agent_execution": {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:00.1Z"}})
        .to_string()
    };
    let files: Vec<(String, String)> = (0..69)
        .map(|n| (format!("job/task-{n}__x/result.json"), result(n)))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let (runs, warnings) = gathered(&files);
    assert_eq!((runs.len(), warnings.len()), (69, 0));
    assert!(
        runs.iter()
            .all(|run| run.kind_hint == Some(FailureKind::Infrastructure))
    );
}

#[test]
fn nesting_without_end_costs_a_warning_at_most() {
    for open in [
        "[",
        "{\"a\":",
        "[{\"messages\":",
        "{\"trace\":{\"steps\":[{\"role\":\"assistant\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":",
    ] {
        let deep = open.repeat(100_000);
        let (runs, warnings) = read_any("deep.json", deep.as_bytes());
        assert!(
            runs.is_empty() && !warnings.is_empty() && warnings.len() < 10,
            "{warnings:?}"
        );
    }
    let arguments = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(
        r#"{{"task": "t", "passed": false, "trace": {{"steps": [{{"role": "assistant", "tool_calls": [{{"name": "f", "arguments": {{"a": {arguments}}}}}]}}]}}}}"#
    );
    let (runs, warnings) = read_any("deep.json", text.as_bytes());
    assert_eq!(runs.len(), 1);
    assert_eq!(
        warnings[0].to_string(),
        "trace.steps[0].tool_calls[0].arguments: expected an object of arguments by name"
    );
}
