//! A case of the suite that wavers, through the whole loop: it leaves the suite, is run again with what is accepted, and comes back.

use crate::support::kiosk::Kiosk;
use crate::support::{Order, open_store, play, quick_dir};
use sprag::store::Store as _;
use sprag_core::case::{CaseState, EvalCase, FlakeStatistics};
use sprag_core::id::{CaseId, ExperimentId, TaskId};
use sprag_core::ledger::{Event, Known};
use sprag_core::machine;
use sprag_core::overview::Overview;

/// The task that passes without any change, when it does not waver.
const FINE: &str = "k08";

fn suite() -> Vec<EvalCase> {
    let task = TaskId::new(FINE);
    vec![EvalCase {
        state: CaseState::Promoted,
        fixed_by: Some(ExperimentId::new("E001")),
        flake: FlakeStatistics {
            runs_before: 2,
            fails_before: 2,
            runs_after: 3,
            passes_after: 3,
        },
        ..EvalCase::new(EvalCase::id_of(&task), task, "Says goodbye".to_owned())
    }]
}

/// What became of the case, entry by entry.
fn history(events: &[Event], case: &CaseId) -> Vec<(CaseState, String)> {
    let mut history = Vec::new();
    for event in events {
        match event {
            Event::SuiteRevised { changes } => {
                let of = changes.iter().filter(|change| change.case == *case);
                history.extend(of.map(|change| (change.becomes, change.reason.clone())));
            }
            Event::Promoted { cases, .. } => {
                let of = cases.iter().filter(|rerun| rerun.case == *case);
                history.extend(of.map(|rerun| (rerun.becomes, rerun.note.clone().unwrap_or_default())));
            }
            _ => {}
        }
    }
    history
}

#[tokio::test]
async fn a_case_that_wavers_leaves_the_suite_and_comes_back_when_it_passes_again_and_again() {
    let kiosk = Kiosk {
        wavers: Some((FINE, 3)),
        ..Kiosk::new()
    };
    let order = Order {
        seed: 3,
        batches: 4,
        known: Known {
            suite: suite(),
            ..Known::default()
        },
        ..Order::default()
    };
    let dir = quick_dir();
    play(dir.path(), &kiosk, &mut open_store(dir.path()), &order)
        .await
        .unwrap();
    let store = open_store(dir.path());
    let events: Vec<Event> = store.entries().iter().map(|entry| entry.event.clone()).collect();
    let (state, _) = machine::replay(&events);
    let state = state.unwrap();
    assert!(!state.gate.known().repeats_itself());
    let case = EvalCase::id_of(&TaskId::new(FINE));
    let told: Vec<String> = history(&events, &case)
        .iter()
        .map(|(state, why)| format!("{state:?}: {why}").trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    Quarantined: wavers: passed 2 of 5 on the harness of E002, in batch 3; back after 6 passes in a row
    Quarantined: passed 3 of 3 on the harness of E003, in batch 3: 3 in a row, back after 6
    Promoted:
    ");
    let overview = Overview::local(store.entries(), [], &[]);
    assert!(overview.aside_since.is_empty(), "{:?}", overview.aside_since);
    let rate = overview.cases[&case].flake.rate().unwrap();
    assert!(rate.passed < rate.runs && rate.runs > 10, "{rate:?}");
    let report = fs_err::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(
        report.contains("Passed since"),
        "the report shows how reliable each case is"
    );
}
