//! The traps of the two formats, each with the hand-written fixture that has it.

use super::*;
use crate::trace::{Role, Step};

const RESULTS: &str = include_str!("../../../tests/fixtures/tau2_results.json");
const TAU_BENCH: &str = include_str!("../../../tests/fixtures/tau_bench.json");

fn clean(text: &str) -> Vec<ReadTrace> {
    let (traces, warnings) = read(text.as_bytes());
    assert_eq!(warnings, []);
    traces
}

fn places(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.place.as_str()).collect()
}

#[test]
fn a_result_file_gives_a_trace_for_each_simulation() {
    let traces = clean(RESULTS);
    let heads: Vec<_> = traces
        .iter()
        .map(|run| (run.source.as_str(), run.task.as_str(), run.trial, run.passed, run.score))
        .collect();
    assert_eq!(
        heads,
        [
            ("tau2:5c9a:1", "rent-1", 1, Some(false), Some(0.0)),
            ("tau2:9f00:2", "7", 2, Some(true), Some(1.0)),
            ("tau2:voice:0", "rent-1", 0, None, None),
        ]
    );
    let ends: Vec<_> = traces.iter().map(|run| run.trace.termination).collect();
    assert_eq!(
        ends,
        [
            Termination::UserStop,
            Termination::AgentStop,
            Termination::InfrastructureError
        ]
    );
}

#[test]
fn answers_find_their_calls_also_in_a_message_of_several_and_without_ids() {
    let trace = &clean(RESULTS)[0].trace;
    let exchanges = trace.exchanges();
    let told: Vec<_> = exchanges
        .iter()
        .map(|call| {
            (
                call.call.name.as_str(),
                call.answer.map(|(at, step)| (at, step.content.as_str(), step.error)),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("get_bicycle", Some((4, "Error: no such bicycle", true))),
            ("rent_bicycle", Some((3, "rented", false))),
            ("unlock_app", Some((6, "unlocked", false))),
        ]
    );
    assert_eq!(
        exchanges[1].call.arguments["days"], 3,
        "arguments in a text are arguments"
    );
    assert_eq!(exchanges[2].call.requestor.as_deref(), Some("user"));
}

#[test]
fn only_what_counted_for_the_reward_is_a_check() {
    let trace = &clean(RESULTS)[0].trace;
    let checks: Vec<_> = trace
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.kind.as_str(), check.passed))
        .collect();
    assert_eq!(
        checks,
        [("database", "state", false), ("assert_unlocked", "assertion", false)]
    );
    assert!(
        trace.expected.as_ref().unwrap().communicate.is_empty(),
        "a text outside the reward basis was not expected"
    );
}

#[test]
fn expected_actions_are_those_the_evaluator_saw_else_those_of_the_task() {
    let traces = clean(RESULTS);
    let names = |run: &ReadTrace| {
        run.trace
            .expected
            .as_ref()
            .unwrap()
            .actions
            .iter()
            .map(|action| action.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&traces[0]), ["get_bicycle", "rent_bicycle"]);
    assert_eq!(names(&traces[2]), ["get_bicycle", "rent_bicycle", "unlock_app"]);
    let actions = &traces[2].trace.expected.as_ref().unwrap().actions;
    assert_eq!(
        actions[1].compare,
        Some(vec!["bicycle_id".to_owned(), "days".to_owned()])
    );
    assert_eq!(
        (actions[0].compare.as_ref(), actions[2].requestor.as_deref()),
        (None, Some("user"))
    );
    assert_eq!(
        traces[1].trace.expected, None,
        "a task without criteria expects nothing that is known"
    );
}

#[test]
fn a_file_that_breaks_off_keeps_every_whole_simulation() {
    let middle_of_the_second = RESULTS.find("\"9f00\"").unwrap();
    let (traces, warnings) = read(&RESULTS.as_bytes()[..middle_of_the_second]);
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0], clean(RESULTS)[0]);
    assert_eq!(
        warnings[0].to_string(),
        format!("byte {middle_of_the_second}: the file breaks off here; what stands before it is used")
    );
}

#[test]
fn no_prefix_of_a_file_makes_the_reader_fail() {
    for text in [RESULTS.trim_end(), TAU_BENCH.trim_end()] {
        for end in (0..text.len()).step_by(7) {
            let (_, warnings) = read(&text.as_bytes()[..end]);
            assert!(!warnings.is_empty(), "cut at {end}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_named_and_the_rest_is_used() {
    let mut bytes = RESULTS.as_bytes().to_vec();
    let at = RESULTS.find("Done.").unwrap();
    bytes[at] = 0xFF;
    let (traces, warnings) = read(&bytes);
    assert_eq!(
        (traces.len(), places(&warnings)),
        (3, vec![format!("byte {at}").as_str()])
    );
    let nonsense: Vec<u8> = (0..=255).collect();
    assert!(read(&nonsense).0.is_empty() && !read(&nonsense).1.is_empty());
}

#[test]
fn an_empty_file_says_so() {
    for bytes in [&b""[..], b"  \n", b"\xEF\xBB\xBF"] {
        let (traces, warnings) = read(bytes);
        assert!(traces.is_empty());
        assert_eq!(warnings[0].message, "the file is empty");
    }
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    assert_eq!(clean(&format!("\u{feff}{RESULTS}")).len(), 3);
}

#[test]
fn wrong_types_cost_only_what_has_them() {
    let text = r#"{"simulations": [
        5,
        {"id": "a", "task_id": "t", "trial": "x", "reward_info": {"reward": true, "reward_basis": ["DB"], "db_check": []},
         "messages": [{"role": "user", "content": {"a": 1}}, null, {"role": "robot"}, {"role": "assistant", "tool_calls": [{"name": 3, "arguments": [1]}, {"id": "c"}], "content": ["x", {"type": "text", "text": "y"}]}]},
        {"id": "b"},
        {"id": "c", "task_id": "t", "messages": 7}
    ], "tasks": "none"}"#;
    let (traces, warnings) = read(text.as_bytes());
    let mut said: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    said.sort();
    insta::assert_snapshot!(said.join("\n"), @r#"
    simulations[0]: expected an object, found `5`
    simulations[1].messages[1]: expected an object, found `null`
    simulations[1].messages[2]: left out: a message with the role `robot`
    simulations[1].messages[3].tool_calls[0].arguments: expected an object of arguments by name
    simulations[1].messages[3].tool_calls[1]: left out: a tool call without a name
    simulations[1].reward_info.db_check: expected an object, found a list
    simulations[1].reward_info.reward: expected a number, found `true`
    simulations[1].trial: expected a number, found the text "x"
    simulations[2]: left out: a simulation without a `task_id`
    simulations[3].messages: expected a list, found `7`
    tasks: expected a list, found the text "none"
    "#);
    assert_eq!(traces.len(), 2);
    let steps: Vec<_> = traces[0]
        .trace
        .steps
        .iter()
        .map(|step| (step.role, step.content.as_str(), step.tool_calls.len()))
        .collect();
    assert_eq!(steps, [(Role::User, "{\"a\": 1}", 0), (Role::Assistant, "x\ny", 1)]);
}

#[test]
fn one_run_of_a_voice_directory_is_read_alone() {
    let text = r#"{"id": "v", "task_id": "40", "trial": 0, "reward_info": null, "mode": "full_duplex", "messages": [], "ticks": [{}]}"#;
    let traces = clean(text);
    assert_eq!((traces[0].source.as_str(), traces[0].passed), ("tau2:v:0", None));
}

#[test]
fn a_run_without_an_id_is_named_by_its_content() {
    let text = r#"{"simulations": [{"task_id": "t", "messages": [{"role": "user", "content": "A"}]}, {"task_id": "t", "messages": [{"role": "user", "content": "B"}]}]}"#;
    let traces = clean(text);
    assert_ne!(traces[0].source, traces[1].source);
    assert_eq!(traces[0].source, clean(text)[0].source);
}

#[test]
fn a_tau_bench_list_has_its_own_shape() {
    let traces = clean(TAU_BENCH);
    let run = &traces[0];
    assert_eq!((run.task.as_str(), run.trial, run.passed), ("4", 2, Some(false)));
    assert_eq!(run.trace.termination, Termination::UserStop);
    let expected = run.trace.expected.as_ref().unwrap();
    assert_eq!(
        (expected.actions[0].name.as_str(), expected.communicate.as_slice()),
        ("rent_bicycle", &["36".to_owned()][..])
    );
    assert_eq!(run.trace.exchanges()[0].call.arguments["bicycle_id"], "B-5");
    assert!(
        !run.trace.exchanges()[0].succeeded(),
        "an error is only told in words here"
    );
    assert_eq!(
        (run.trace.checks[0].name.as_str(), run.trace.checks[0].kind.as_str()),
        ("36", "communicate")
    );
}

#[test]
fn a_tau_bench_run_that_crashed_is_not_the_agents_failure() {
    let traces = clean(TAU_BENCH);
    assert_eq!(
        (traces[2].trace.termination, traces[2].trace.steps.len()),
        (Termination::InfrastructureError, 0)
    );
    assert_eq!((traces[1].passed, traces[1].trace.checks[0].passed), (Some(true), true));
}

#[test]
fn the_same_task_and_trial_in_two_tau_bench_files_are_two_runs() {
    let other = TAU_BENCH.replace("I want a bicycle.", "A bicycle, please.");
    assert_ne!(clean(TAU_BENCH)[0].source, clean(&other)[0].source);
    assert_eq!(clean(TAU_BENCH)[1].source, clean(&other)[1].source);
}

#[test]
fn deep_nesting_costs_a_warning_and_no_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(
        r#"{{"simulations": [{{"id": "a", "task_id": "t", "trial": {deep}, "raw_data": {deep}, "messages": []}}]}}"#
    );
    let (traces, warnings) = read(text.as_bytes());
    assert_eq!((traces.len(), places(&warnings)), (1, vec!["simulations[0].trial"]));
}

#[test]
fn a_step_of_a_result_file_mines_well() {
    let run = &clean(RESULTS)[0];
    let record = crate::mine::mine(&run.source, &run.task, &run.trace);
    let told: Vec<_> = record.causes.iter().map(|cause| cause.finding.as_str()).collect();
    assert_eq!(told, ["The agent called `rent_bicycle` with days = 3 instead of 2."]);
    let quoted: &Step = &run.trace.steps[record.causes[0].evidence[0].step.unwrap()];
    assert_eq!(quoted.tool_calls.len(), 2);
}
