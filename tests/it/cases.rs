//! New eval cases in the loop: seen to fail before they count, refused when they are there already or held out, promoted when fixed.

use crate::support::kiosk::Kiosk;
use crate::support::{Order, open_store, play, quick_dir};
use serde_json::json;
use sprag::store::Store as _;
use sprag_core::case::CaseState;
use sprag_core::failure::FailureRecord;
use sprag_core::id::TaskId;
use sprag_core::ledger::Known;
use sprag_core::machine::{self, State};

const ASKED: &str = "My parcel has been on its way for three weeks now. Could you please give me my money back?";
const HELD_OUT: &str =
    "The parcel with my lamp was promised for last Monday and the page says nothing. I want a refund.";

/// A failure that came without a task of the runner: nobody refunded.
fn failure(id: &str, task: &str, asked: &str) -> FailureRecord {
    serde_json::from_value(json!({
        "id": id, "task": task, "kind": "agent", "context": asked, "behaviour": "did nothing", "termination": "agent_stop",
        "causes": [{"mechanism": {"rule": "missing_action", "subject": "refund"}, "finding": "no refund", "evidence": [],
            "confidence": 0.9, "should": "call `refund`"}],
        "draft": {"input": {"messages": [asked]}, "expect": [{"type": "tool_called", "name": "refund"}],
            "provenance": {"source": "issue 9", "basis": "mined"}},
    }))
    .unwrap()
}

async fn played(kiosk: &Kiosk, failures: Vec<FailureRecord>) -> (State, String) {
    let order = Order {
        known: Known {
            failures,
            ..Known::default()
        },
        ..Order::default()
    };
    let dir = quick_dir();
    let mut store = open_store(dir.path());
    play(dir.path(), kiosk, &mut store, &order).await.unwrap();
    let tried = store
        .entries()
        .iter()
        .map(|entry| serde_json::to_string(&entry.event).unwrap());
    let tried: String = tried.filter(|event| event.contains("cases_tried")).collect();
    let (state, _) = machine::replay(store.entries().iter().map(|entry| &entry.event));
    (state.unwrap(), tried)
}

#[tokio::test]
async fn a_recorded_input_is_seen_to_fail_and_joins_the_suite_when_it_is_fixed() {
    let kiosk = Kiosk {
        cases: true,
        ..Kiosk::new()
    };
    let again = ASKED.replace("now. Could", "now! could");
    let (state, _) = played(
        &kiosk,
        vec![failure("a", "issue #9", ASKED), failure("b", "issue #10", &again)],
    )
    .await;
    let recorded: Vec<_> = state.cases.cases.values().filter(|case| case.is_recorded()).collect();
    assert_eq!(recorded.len(), 1, "the other says nearly the same");
    let case = recorded[0];
    assert_eq!((case.state, case.flake.fails_before), (CaseState::Promoted, 2));
    assert_eq!(case.provenance.as_ref().unwrap().also.len(), 1);
    let paid = kiosk.paid();
    let before = paid.keys().filter(|(_, task, _)| task == case.task.as_str()).count();
    assert!(before >= 4, "two runs before and two after: {paid:?}");
}

#[tokio::test]
async fn what_is_held_out_is_refused_and_not_named() {
    let kiosk = Kiosk {
        cases: true,
        held_out_inputs: vec![HELD_OUT.to_owned()],
        ..Kiosk::new()
    };
    let near = HELD_OUT.to_uppercase();
    let leaks = vec![
        failure("a", "held-0", "I was in the artifact"),
        failure("b", "issue #9", &near),
    ];
    let (state, tried) = played(&kiosk, leaks).await;
    assert!(state.cases.cases.values().all(|case| !case.is_recorded()));
    let reasons: Vec<&str> = state.refused.values().map(|refusal| refusal.reason.as_str()).collect();
    assert_eq!(reasons, ["says what a held-out task says"; 2]);
    assert!(
        tried.contains("held-out task") && !tried.contains("held-0") && !tried.contains("lamp"),
        "{tried}"
    );
}

#[tokio::test]
async fn a_runner_that_takes_no_recorded_inputs_is_not_asked_for_any() {
    let kiosk = Kiosk::new();
    let (state, _) = played(&kiosk, vec![failure("a", "issue #9", ASKED)]).await;
    let case = state.cases.cases.values().find(|case| case.is_recorded()).unwrap();
    assert_eq!(case.state, CaseState::Unconfirmed);
    assert_eq!(
        case.note.as_deref(),
        Some("not runnable: this runner takes no recorded inputs")
    );
    assert!(
        kiosk
            .paid()
            .keys()
            .all(|(_, task, _)| *task != TaskId::new(case.id.as_str()).to_string())
    );
}
