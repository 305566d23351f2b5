//! The traps of promptfoo's results.

use super::*;
use crate::trace::read::read_any;

fn row(more: &str) -> String {
    format!(
        r#"{{"promptIdx": 0, "testIdx": 4, "provider": {{"id": "p", "label": ""}}, "vars": {{"q": "1+1"}}, "prompt": {{"raw": "What is 1+1?", "label": "x"}}, {more}}}"#
    )
}

fn file(rows: &str) -> String {
    format!(
        r#"{{"evalId": "e1", "results": {{"version": 3, "prompts": [], "results": [{rows}], "stats": {{}}}}, "config": {{}}}}"#
    )
}

fn clean(text: &str) -> Vec<ReadTrace> {
    let (runs, warnings) = read_any("x", text.as_bytes());
    assert_eq!(warnings, [], "{text}");
    runs
}

fn judged(components: &str, output: &str) -> ReadTrace {
    let more = format!(
        r#""success": false, "score": 0.83, "failureReason": 1, "error": "assertion text", "response": {{"output": "{output}"}},
        "gradingResult": {{"pass": false, "score": 0.83, "componentResults": [{components}]}}"#
    );
    clean(&file(&row(&more))).remove(0)
}

fn rubric(reason: &str, score: f64) -> String {
    format!(
        r#"{{"pass": false, "score": {score}, "reason": "{reason}", "assertion": {{"type": "llm-rubric", "value": "cites its source"}}}}"#
    )
}

#[test]
fn the_reason_tells_failures_from_errors_and_the_text_does_not() {
    for (more, passed, kind) in [
        (r#""success": true, "failureReason": 0"#, Some(true), None),
        (
            r#""success": false, "failureReason": 1, "error": "Expected 2""#,
            Some(false),
            None,
        ),
        (
            r#""success": false, "failureReason": 2, "error": "429", "score": 0"#,
            None,
            Some(FailureKind::Infrastructure),
        ),
        (
            r#""success": false, "error": "429""#,
            None,
            Some(FailureKind::Infrastructure),
        ),
    ] {
        let run = clean(&file(&row(more))).remove(0);
        assert_eq!(
            (run.passed, run.kind_hint, run.score.filter(|_| passed.is_none())),
            (passed, kind, None),
            "{more}"
        );
    }
}

#[test]
fn every_wrapping_gives_the_same_run() {
    let one = row(r#""id": "r1", "success": false, "failureReason": 1, "score": 0, "response": {"output": "3"}"#);
    let told = |text: &str| {
        let run = clean(text).remove(0);
        (run.task, run.passed, run.trace)
    };
    let expected = told(&file(&one));
    assert_eq!(expected.0.as_str(), "test 4");
    for text in [
        format!(r#"{{"results": [{one}]}}"#),
        format!("[{one}]"),
        format!("{one}\n{one}\n"),
        one.replace(r#"{"id": "p", "label": ""}"#, "\"p\""),
        file(&one).replace(
            "\"config\"",
            "\"traces\": [{\"traceId\": \"t\", \"spans\": []}], \"config\"",
        ),
    ] {
        assert_eq!(told(&text), expected, "{text}");
    }
}

#[test]
fn what_is_asked_again_is_a_trial_whatever_its_index() {
    let again = row(r#""success": true, "testCase": {"vars": {}}"#).replace("\"testIdx\": 4", "\"testIdx\": 5");
    let other = row(r#""success": true"#)
        .replace("1+1", "2+2")
        .replace("\"testIdx\": 4", "\"testIdx\": 6");
    let named = row(r#""success": true, "testCase": {"description": "sums"}, "metadata": {"repeatIndex": 7}"#);
    let runs = clean(&file(&[row(r#""success": false"#), again, other, named].join(",")));
    let told: Vec<_> = runs.iter().map(|run| (run.task.as_str(), run.trial)).collect();
    assert_eq!(told, [("test 4", 0), ("test 4", 1), ("test 6", 0), ("sums", 7)]);
    let second = row(r#""success": true"#).replace("\"promptIdx\": 0", "\"promptIdx\": 1");
    let runs = clean(&file(&[row(r#""success": true"#), second].join(",")));
    assert_eq!(
        runs[1].task.as_str(),
        "test 4 (p, prompt 1)",
        "another prompt is another agent"
    );
}

#[test]
fn only_leaves_are_checks_and_each_once() {
    let leaf = r#"{"pass": false, "score": 0, "reason": "no 7", "assertion": {"type": "contains", "value": "7"}}"#;
    let set = format!(
        r#"{{"pass": false, "score": 0, "reason": "no 7", "componentResults": [{leaf}], "metadata": {{"assertionSet": {{}}}}}}"#
    );
    let good = r#"{"pass": true, "score": 1, "reason": "ok", "assertion": {"type": "regex", "value": "L"}}"#;
    let run = judged(&format!("{set}, {leaf}, {good}"), "3");
    let told: Vec<_> = run
        .trace
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.passed))
        .collect();
    assert_eq!(told, [("contains", false), ("regex", true)]);
    assert_eq!((run.score, run.kind_hint), (Some(0.83), None));
}

#[test]
fn a_grader_that_says_it_cannot_judge_is_at_fault_and_one_that_judges_is_not() {
    for (components, output, kind) in [
        (
            rubric("Without the source document, I cannot verify the citation.", 0.5),
            "see L6",
            Some(FailureKind::Evaluator),
        ),
        (
            rubric("Could not extract JSON from llm-rubric response", 0.0),
            "see L6",
            Some(FailureKind::Evaluator),
        ),
        (
            rubric("The answer is right.", 1.0),
            "see L6",
            Some(FailureKind::Evaluator),
        ),
        // An empty answer fails every rubric.
        (rubric("I cannot verify an empty answer.", 0.5), "", None),
        // The agent said so, not the grader.
        (
            rubric("It says “I cannot verify your account” and gives up.", 0.0),
            "see L6",
            None,
        ),
        (rubric("The agent cannot access the order.", 0.0), "see L6", None),
        (
            format!(
                r#"{}, {{"pass": false, "score": 0, "reason": "no 7", "assertion": {{"type": "contains", "value": "7"}}}}"#,
                rubric("I cannot verify it.", 0.5)
            ),
            "see L6",
            None,
        ),
    ] {
        assert_eq!(judged(&components, output).kind_hint, kind, "{components}");
    }
}

#[test]
fn prompts_that_are_messages_and_answers_that_are_calls_are_read_as_such() {
    let text = row(r#""success": false, "response": {"output": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}}]}"#)
        .replace("What is 1+1?", r#"[{\"role\": \"system\", \"content\": \"Add.\"}, {\"role\": \"user\", \"content\": \"1+1\"}]"#);
    let steps = clean(&file(&text)).remove(0).trace.steps;
    let roles: Vec<_> = steps.iter().map(|step| step.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant]);
    assert_eq!(
        (
            steps[2].tool_calls[0].name.as_str(),
            &steps[2].tool_calls[0].arguments["a"]
        ),
        ("add", &1.into())
    );
    let json = clean(&file(&row(r#""success": true, "response": {"output": {"sum": 2}}"#)));
    assert_eq!(json[0].trace.steps[1].content, r#"{"sum": 2}"#);
}

#[test]
fn an_attack_that_was_resisted_passed() {
    let run = clean(&file(&row(r#""success": true, "metadata": {"pluginId": "pii"}"#))).remove(0);
    assert_eq!(run.passed, Some(true));
}

#[test]
fn spans_beside_the_rows_tell_which_tools_were_called() {
    let spans = r#"{"spanId": "a", "name": "invoke_agent", "startTime": 1000, "statusCode": 1, "attributes": {"gen_ai.operation.name": "invoke_agent"}},
        {"spanId": "b", "parentSpanId": "a", "name": "execute_tool add", "startTime": 1001, "statusCode": 2, "statusMessage": "overflow",
         "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add", "gen_ai.tool.call.arguments": "{\"a\": 1}", "gen_ai.tool.call.result": "3"}},
        {"spanId": "c", "name": "execute_tool look_up", "startTime": 1002,
         "attributes": {"promptfoo.span.role": "grader", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look_up"}}"#;
    let told = |named: &str, beside: &str| {
        let rows = row(&format!(
            r#""success": false, "failureReason": 1, {named} "response": {{"output": "The sum is 3."}}"#
        ));
        let traces = format!(r#""traces": [{{"traceId": "t1", {beside} "spans": [{spans}]}}], "config""#);
        let run = clean(&file(&rows).replace("\"config\"", &traces)).remove(0);
        run.trace.steps
    };
    let by_id = told(r#""traceId": "t1","#, "");
    let told_of: Vec<_> = by_id
        .iter()
        .map(|step| {
            (
                step.role,
                step.content.as_str(),
                step.tool_calls.first().map(|call| call.name.as_str()),
            )
        })
        .collect();
    assert_eq!(
        told_of,
        [
            (Role::User, "What is 1+1?", None),
            (Role::Assistant, "", Some("add")),
            (Role::Tool, "3", None),
            (Role::Assistant, "The sum is 3.", None),
        ]
    );
    assert!(by_id[2].error, "the status beside the span is its status");
    let by_place = told("", r#""metadata": {"testIdx": 4, "promptIdx": 0},"#);
    assert_eq!(by_place, by_id);
    let of_another = told(r#""traceId": "t2","#, "");
    assert_eq!(of_another.len(), 2, "only what the row tells: {of_another:?}");
}
