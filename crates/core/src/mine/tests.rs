//! The miner as a whole; each rule has its own tests beside it.

pub(crate) mod support;

use super::*;
use crate::trace::{Check, Expected, ExpectedAction, Step, Termination, ToolCall};
use proptest::prelude::*;
use std::collections::BTreeSet;
use support::{agent_calls, answer, expects, said, trace, user};

#[test]
fn a_failed_run_becomes_a_record_with_the_surest_cause_first() {
    let steps = vec![
        user("Please refund\norder O-7."),
        agent_calls("a", "get_order", r#"{"id":"O-7"}"#),
        answer("a", "late", false),
        agent_calls("b", "transfer_to_human_agents", r#"{"summary":"?"}"#),
        answer("b", "ok", false),
    ];
    let run = expects(trace(steps), "refund", r#"{"order_id":"O-7"}"#);
    let record = mine("run-1", &TaskId::new("t"), &run);
    assert_eq!(record.kind, FailureKind::Agent);
    assert_eq!(record.context, "Please refund order O-7.");
    assert_eq!(record.behaviour, "made 2 calls (1 write), ended by agent_stop");
    let mechanisms: Vec<_> = record.causes.iter().map(|cause| cause.mechanism.to_string()).collect();
    assert_eq!(
        mechanisms,
        ["missing_action:refund", "premature_handover:transfer_to_human_agents"]
    );
    assert_eq!(record.id, mine("run-1", &TaskId::new("t"), &run).id);
    assert_ne!(record.id, mine("run-2", &TaskId::new("t"), &run).id);
}

#[test]
fn a_failure_that_is_not_the_agents_has_no_causes() {
    let mut run = expects(trace(vec![user("hi"), said("Bye")]), "refund", "{}");
    run.termination = Termination::UserError;
    let record = mine("run-1", &TaskId::new("t"), &run);
    assert_eq!((record.kind, record.causes.len()), (FailureKind::UserSimulator, 0));
}

#[test]
fn what_no_rule_explains_is_unknown_and_not_guessed() {
    let run = trace(vec![
        user("hi"),
        agent_calls("a", "refund", "{}"),
        answer("a", "ok", false),
    ]);
    assert_eq!(mine("run-1", &TaskId::new("t"), &run).kind, FailureKind::Unknown);
}

#[test]
fn a_last_resort_is_only_asked_when_nothing_else_is_known() {
    let mut run = expects(trace(vec![user("hi"), said("Bye")]), "refund", "{}");
    run.checks = vec![Check {
        name: "refunded".to_owned(),
        kind: "state".to_owned(),
        ..Check::default()
    }];
    let rules = |run: &Trace| {
        mine("r", &TaskId::new("t"), run)
            .causes
            .into_iter()
            .map(|cause| cause.mechanism.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(rules(&run), ["missing_action"]);
    run.expected = None;
    assert_eq!(rules(&run), ["failed_check"]);
}

#[test]
fn every_rule_is_documented_and_has_a_name_of_its_own() {
    let docs = include_str!("../../../../docs/miner-rules.md");
    let all = || RULES.iter().chain(BESIDE);
    let idents: BTreeSet<_> = all().map(|rule| rule.ident).collect();
    assert_eq!(idents.len(), all().count());
    for rule in all() {
        let heading = format!("\n## `{}`\n", rule.ident);
        assert!(
            docs.contains(&heading),
            "docs/miner-rules.md has no section {heading:?}"
        );
        assert!(
            docs.contains(rule.description),
            "docs/miner-rules.md does not say: {}",
            rule.description
        );
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("Error: no seats on HAT030".to_owned()),
        Just("ä🚲\n\nlong ".repeat(60)),
        ".{0,30}",
    ]
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["refund", "get_order", "transfer_to_human", "toggle_data", ""]).prop_map(str::to_owned)
}

fn arguments() -> impl Strategy<Value = serde_json::Map<String, serde_json::Value>> {
    let value = prop_oneof![
        Just(serde_json::json!("O-7")),
        Just(serde_json::json!(2)),
        Just(serde_json::json!([null]))
    ];
    prop::collection::vec(("[ab]", value), 0..3).prop_map(|pairs| pairs.into_iter().collect())
}

fn calls() -> impl Strategy<Value = ToolCall> {
    (
        prop_oneof![Just(String::new()), "[abc]"],
        names(),
        arguments(),
        prop::option::of(Just("user".to_owned())),
    )
        .prop_map(|(id, name, arguments, requestor)| ToolCall {
            id,
            name,
            arguments,
            requestor,
        })
}

fn steps() -> impl Strategy<Value = Step> {
    let role = prop::sample::select(vec![Role::System, Role::User, Role::Assistant, Role::Tool]);
    (
        role,
        texts(),
        prop::collection::vec(calls(), 0..3),
        prop::option::of("[abc]"),
        any::<bool>(),
    )
        .prop_map(|(role, content, tool_calls, call_id, error)| Step {
            role,
            content,
            tool_calls,
            call_id,
            error,
        })
}

fn expectations() -> impl Strategy<Value = Option<Expected>> {
    let action = (
        names(),
        arguments(),
        prop::option::of(prop::collection::vec("[ab]".prop_map(String::from), 0..2)),
    )
        .prop_map(|(name, arguments, compare)| ExpectedAction {
            name,
            arguments,
            compare,
            requestor: None,
        });
    let expected = (
        prop::collection::vec(action, 0..4),
        prop::collection::vec(texts(), 0..3),
    )
        .prop_map(|(actions, communicate)| Expected { actions, communicate });
    prop::option::of(expected)
}

fn checks() -> impl Strategy<Value = Check> {
    let kind = prop::sample::select(vec!["state", "action", "communicate", "assertion", "judged", ""]);
    (names(), kind, any::<bool>(), texts()).prop_map(|(name, kind, passed, detail)| Check {
        name,
        kind: kind.to_owned(),
        passed,
        detail,
    })
}

fn traces() -> impl Strategy<Value = Trace> {
    let termination = prop::sample::select(vec![
        Termination::AgentStop,
        Termination::MaxSteps,
        Termination::Unknown,
    ]);
    (
        prop::collection::vec(steps(), 0..20),
        termination,
        expectations(),
        prop::collection::vec(checks(), 0..4),
    )
        .prop_map(|(steps, termination, expected, checks)| Trace {
            impact: None,
            steps,
            termination,
            tools: Vec::new(),
            expected,
            checks,
        })
}

proptest! {
    #[test]
    fn any_trace_can_be_mined_and_every_quote_is_found_where_it_points(trace in traces(), passed in traces()) {
        let task = TaskId::new("task");
        let record = mine("source", &task, &trace);
        prop_assert_eq!(&record, &mine("source", &task, &trace));
        let judged = Judged::new([(&task, &passed, true), (&task, &trace, false)]);
        let beside = mine_beside("source", &task, &trace, &judged);
        prop_assert_eq!(&beside, &mine_beside("source", &task, &trace, &judged));
        for cause in record.causes.iter().chain(&beside.causes) {
            prop_assert!((0.0..=1.0).contains(&cause.confidence));
            prop_assert!(!cause.finding.contains('\n') && !cause.should.is_empty());
            for evidence in &cause.evidence {
                prop_assert!(evidence.quote.chars().count() <= text::QUOTE);
                let Some(step) = evidence.step else { continue };
                prop_assert!(step < trace.steps.len(), "step {} of {}", step, trace.steps.len());
                let step = &trace.steps[step];
                let in_call = step.tool_calls.iter().any(|call| text::call_as_text(call).contains(&evidence.quote));
                prop_assert!(step.content.contains(&evidence.quote) || in_call, "{:?} is not in {step:?}", evidence.quote);
            }
        }
    }

    #[test]
    fn mechanisms_say_nothing_of_ids_and_values(trace in traces()) {
        let task = TaskId::new("task");
        let judged = Judged::new([(&task, &trace, false)]);
        let beside = mine_beside("source", &task, &trace, &judged);
        for cause in mine("source", &task, &trace).causes.into_iter().chain(beside.causes) {
            prop_assert!(!cause.mechanism.subject.contains("O-7") && !cause.mechanism.subject.contains("030"));
        }
    }
}

#[test]
fn a_record_stays_small_whatever_the_trace_holds() {
    let long = "x".repeat(1_000_000);
    let arguments = serde_json::json!({"note": long});
    let trace = Trace {
        steps: vec![user(&long), said(&long)],
        expected: Some(Expected {
            actions: vec![
                ExpectedAction {
                    name: "refund".to_owned(),
                    arguments: arguments.as_object().cloned().unwrap(),
                    ..ExpectedAction::default()
                },
                ExpectedAction {
                    name: long.clone(),
                    ..ExpectedAction::default()
                },
            ],
            communicate: vec![long.clone()],
        }),
        ..Trace::default()
    };
    let record = mine("a", &TaskId::new(long), &trace);
    assert!(record.causes.len() > 1, "{record:?}");
    let size = serde_json::to_string(&record).unwrap().len();
    assert!(size < 50_000, "{size}");
    let other = mine("b", &TaskId::new("x".repeat(1_000_001)), &trace);
    assert_ne!(record.task, other.task, "long names stay apart");
}
