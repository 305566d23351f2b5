use super::*;
use proptest::prelude::*;

/// A suite file and an entry of a ledger as they were before cases had inputs and expectations. Do not change them.
const OLD_CASE: &str = r#"{"id":"case-59a4a1b1e2c3","task":"refund-1","title":"call `refund`","clusters":["c-refund"],"records":["r-1"],"fixed_by":"E001","flake":{"runs_before":2,"fails_before":2,"runs_after":2,"passes_after":2},"state":"promoted"}"#;
const OLD_RECORD: &str = r#"{"id":"r-1","task":"refund-1","kind":"agent","context":"c","behaviour":"b","termination":"agent_stop","causes":[]}"#;
const OLD_PLAN: &str = r#"{"config":"c","runner":"r","seed":7,"batches":1,"batch_size":10,"trials":1,"limits":{"experiments":1,"experiments_per_batch":1,"task_runs":10,"usd":1.0},"gate":{"mode":"strict","regression_threshold":0.8},"train":["refund-1"],"n_validation":1,"known":{"suite":[CASE],"failures":[RECORD]},"harness":{"agent/a":"start"}}"#;

#[test]
fn what_was_written_before_is_read_and_written_back_to_the_letter() {
    let case: EvalCase = serde_json::from_str(OLD_CASE).unwrap();
    assert_eq!(case.state, CaseState::Promoted);
    assert_eq!(serde_json::to_string(&case).unwrap(), OLD_CASE);
    let plan = OLD_PLAN.replace("CASE", OLD_CASE).replace("RECORD", OLD_RECORD);
    let event = format!(r#"{{"type":"started",{}"#, &plan[1..]);
    let read: crate::ledger::Event = serde_json::from_str(&event).unwrap();
    assert_eq!(
        serde_json::to_string(&read).unwrap(),
        event,
        "an entry's id hashes this"
    );
    let crate::ledger::Event::Started(plan) = read else {
        panic!()
    };
    assert_eq!(plan.fails_before, 1, "one failure was enough then");
}

#[test]
fn the_name_of_a_recorded_input_is_the_id_of_its_case() {
    let draft = Draft {
        input: Some(Input {
            messages: vec!["hello".to_owned()],
        }),
        ..Draft::default()
    };
    let id = draft.recorded_id();
    assert_eq!(EvalCase::id_of(&TaskId::new(id.as_str())), id);
    let case = EvalCase::new(id.clone(), TaskId::new(id.as_str()), String::new());
    assert!(case.is_recorded() && case.recorded_run().is_none());
    assert_eq!(
        case.unscorable(true),
        Some("the trace does not say what the run began with")
    );
    let judged = EvalCase {
        input: draft.input.clone(),
        expect: vec![Expectation::Judge {
            rubric: "is polite".to_owned(),
        }],
        ..case.clone()
    };
    assert!(judged.recorded_run().is_some());
    assert_eq!(
        judged.unscorable(false),
        Some("a model would have to judge it, and there is none")
    );
    assert_eq!(judged.unscorable(true), None);
    let task = EvalCase::new(EvalCase::id_of(&TaskId::new("a")), TaskId::new("a"), String::new());
    assert_eq!(task.unscorable(false), None, "its verdict is the runner's");
    for task in [
        "recorded-",
        "recorded-0123456789abc",
        "recorded-xyz456789abc",
        "refund-1",
    ] {
        assert!(
            EvalCase::id_of(&TaskId::new(task)).as_str().starts_with("case-"),
            "{task}"
        );
    }
}

fn case(id: &str, asked: &str, tool: &str) -> EvalCase {
    EvalCase {
        input: Some(Input {
            messages: vec![asked.to_owned()],
        }),
        expect: vec![Expectation::ToolCalled {
            name: tool.to_owned(),
            arguments: Map::new(),
        }],
        ..EvalCase::new(CaseId::new(id), TaskId::new(name(id)), String::new())
    }
}

/// A recorded input's name for a short one; what begins with `task` is a task.
fn name(id: &str) -> String {
    if id.starts_with("task") {
        return id.to_owned();
    }
    format!("recorded-{id:0>12}")
}

fn refused(pool: &[EvalCase], candidates: &[EvalCase]) -> Vec<(String, String)> {
    let [pool, candidates] = [pool, candidates].map(|cases| cases.iter().collect::<Vec<_>>());
    let refused = refusals(&pool, &candidates);
    refused
        .into_iter()
        .map(|refusal| (refusal.case.to_string(), refusal.reason))
        .collect()
}

#[test]
fn what_is_there_already_is_refused_and_the_older_stays() {
    const ASKED: &str =
        "I sent the reading lamp back weeks ago and still have no money. Could somebody look into this today?";
    let old = case("a", ASKED, "settle_return");
    let reworded = ASKED.replace("weeks ago", "weeks ago.").replace("today", "Today");
    assert_eq!(
        refused(std::slice::from_ref(&old), &[case("b", ASKED, "settle_return")]),
        [("b".to_owned(), "runs and expects the same as a".to_owned())]
    );
    assert_eq!(
        refused(std::slice::from_ref(&old), &[case("b", &reworded, "settle_return")]),
        [("b".to_owned(), "begins and expects nearly the same as a".to_owned())]
    );
    let others = [
        case("b", ASKED, "refund"),
        case(
            "c",
            "Where is my linen apron? It should be here by now.",
            "settle_return",
        ),
        EvalCase {
            expect: Vec::new(),
            ..case("d", ASKED, "settle_return")
        },
    ];
    assert_eq!(
        refused(&[old], &others),
        [],
        "another expectation, another request, nothing to compare"
    );
    let tasks = [case("task-1", ASKED, "refund"), case("task-2", ASKED, "refund")];
    assert_eq!(refused(&[], &tasks), [], "tasks have more than what they begin with");
    let task = case("task-1", ASKED, "refund");
    let recorded = case("a", ASKED, "refund");
    let gone = [("a".to_owned(), "runs and expects the same as task-1".to_owned())];
    assert_eq!(
        refused(&[], &[recorded.clone(), task.clone()]),
        gone,
        "of both, the task"
    );
    assert_eq!(
        refused(std::slice::from_ref(&recorded), std::slice::from_ref(&task)),
        gone
    );
    let promoted = EvalCase {
        state: CaseState::Promoted,
        ..recorded
    };
    assert_eq!(refused(&[promoted], &[task]), [], "what is in the suite stays");
    let twice = [case("a", ASKED, "refund"), case("b", ASKED, "refund")];
    assert_eq!(refused(&[], &twice).len(), 1, "also of two that are new");
}

proptest! {
    #[test]
    fn a_text_is_near_to_itself_and_nearness_has_no_direction(left in "[a-z]{1,8}( [a-z]{1,8}){0,8}", right in "[a-z ]{0,40}") {
        prop_assert!(near(&left, &left));
        prop_assert_eq!(near(&left, &right), near(&right, &left));
    }
}

#[test]
fn two_tasks_are_one_only_if_they_met_the_same_world() {
    const ASKED: &str = "My parcel has been on its way for three weeks now. Could you please give me my money back?";
    let seen = |id: &str, order: &str, result: &str| EvalCase {
        fixtures: vec![Fixture {
            name: "get_order".to_owned(),
            arguments: Map::from_iter([("order".to_owned(), order.into())]),
            result: result.to_owned(),
            error: false,
        }],
        ..case(id, ASKED, "refund")
    };
    let old = [seen("task-a", "O-1", "late")];
    assert_eq!(
        refused(&old, &[seen("task-b", "O-1", "late")]),
        [(
            "task-b".to_owned(),
            "begins nearly the same, expects the same and met the same world as task-a".to_owned()
        )]
    );
    for other in [
        seen("task-b", "O-1", "delivered"),
        seen("task-b", "O-2", "late"),
        case("task-b", ASKED, "refund"),
        EvalCase {
            expect: vec![Expectation::MaxSteps { steps: 3 }],
            ..seen("task-b", "O-1", "late")
        },
    ] {
        assert_eq!(refused(&old, std::slice::from_ref(&other)), [], "{other:?}");
    }
}
