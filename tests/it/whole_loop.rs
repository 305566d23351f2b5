//! The whole loop in process: what it comes to, that it can be repeated, and that nothing but the seed decides.

use crate::support::kiosk::{Kiosk, STEPS};
use crate::support::{Order, Remains, files_under, open_store, play, quick_dir, remains, state_dir};
use sprag::flow::Summary;
use sprag::store::Store as _;
use sprag_core::candidate::Verdict;
use sprag_core::machine;
use sprag_core::score::Scorecard;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// A run from its beginning to its end.
async fn run(kiosk: &Kiosk, order: &Order) -> (TempDir, Summary) {
    let dir = quick_dir();
    let summary = play(dir.path(), kiosk, &mut open_store(dir.path()), order)
        .await
        .unwrap();
    (dir, summary)
}

async fn remains_of(kiosk: &Kiosk, order: &Order) -> Remains {
    remains(run(kiosk, order).await.0.path())
}

#[tokio::test]
async fn failures_become_measured_changes_and_what_fails_the_gates_is_told_and_not_kept() {
    let order = Order {
        seed: 3,
        batches: 5,
        config: "[gate]\nmode = \"strict\"".to_owned(),
        ..Order::default()
    };
    let (dir, summary) = run(&Kiosk::new(), &order).await;
    let store = open_store(dir.path());
    let (state, commands) = machine::replay(store.entries().iter().map(|entry| &entry.event));
    let state = state.unwrap();
    assert!(commands.is_empty() && state.finished.is_some());
    assert!(
        summary.final_validation > summary.baseline_validation + 0.5,
        "{summary:?}"
    );
    assert!(
        summary.accepted >= 4 && summary.rejected >= 2 && summary.suite_size >= 8,
        "{summary:?}"
    );
    for experiment in &state.experiments {
        let (verdict, reason) = experiment.verdict.as_ref().unwrap();
        let validation = experiment.validation.as_ref().and_then(Scorecard::score);
        match verdict {
            Verdict::Accepted => {
                assert!(validation.unwrap() >= experiment.best_before);
                let regression = experiment.regression.as_ref().and_then(Scorecard::score);
                assert!(regression.is_none_or(|score| score >= 0.80));
                assert!(state.published.contains_key(&experiment.id));
            }
            Verdict::Rejected | Verdict::Indecisive | Verdict::Invalid => {
                assert!(!reason.is_empty());
                assert!(!state.published.contains_key(&experiment.id));
            }
        }
    }
    let steps = fs_err::read_to_string(dir.path().join("repo/agent/steps.toml")).unwrap();
    assert_eq!(
        Some(steps.as_str()),
        state.incumbent.get("agent/steps.toml"),
        "what is accepted is merged"
    );
    assert!(
        steps.contains(r#"tier of customer is "gold""#),
        "the condition that the held-out tickets bear out"
    );
    assert!(
        !steps.contains("HIGH"),
        "and not the one that only the train tickets show"
    );
}

#[tokio::test]
async fn the_seed_decides_and_neither_the_folder_nor_the_concurrency() {
    let order = Order::default();
    let one = remains_of(&Kiosk::new(), &order).await;
    remains_of(&Kiosk::new(), &order)
        .await
        .assert_same(&one, "in another folder");
    let four = Kiosk {
        concurrency: 4,
        ..Kiosk::new()
    };
    remains_of(&four, &order)
        .await
        .assert_same(&one, "with four runs at a time");
    let other = remains_of(&Kiosk::new(), &Order { seed: 57, ..order }).await;
    assert_ne!(other.head, one.head);
}

#[tokio::test]
async fn a_run_that_is_over_is_not_run_again() {
    let kiosk = Kiosk::new();
    let (dir, _) = run(&kiosk, &Order::default()).await;
    let (before, paid) = (remains(dir.path()), kiosk.paid());
    play(dir.path(), &kiosk, &mut open_store(dir.path()), &Order::default())
        .await
        .unwrap();
    remains(dir.path()).assert_same(&before, "asked for again");
    assert_eq!(kiosk.paid(), paid);
}

#[tokio::test]
async fn unmerged_changes_wait_on_branches_that_stand_on_each_other() {
    let order = Order {
        merge: false,
        ..Order::default()
    };
    let remains = remains_of(&Kiosk::new(), &order).await;
    let depths: Vec<usize> = remains.branches.values().map(Vec::len).collect();
    assert_eq!(remains.branches["main"].len(), 1, "nothing is merged");
    assert_eq!(
        depths.iter().sum::<usize>(),
        1 + 2 + 3,
        "each change is one commit on the one before: {depths:?}"
    );
    assert_eq!(
        remains.files["repo/agent/steps.toml"], STEPS,
        "and the files are as they were"
    );
}

#[tokio::test]
async fn nobody_can_find_out_a_held_out_task_by_hashing_guesses() {
    let recorded = async || -> BTreeSet<String> {
        let (dir, _) = run(&Kiosk::new(), &Order::default()).await;
        files_under(&state_dir(dir.path()).join("runs")).into_keys().collect()
    };
    let (one, other) = (recorded().await, recorded().await);
    assert!(
        one.len() > 50 && one.is_disjoint(&other),
        "equal runs are recorded under other names everywhere"
    );
}
