//! What is new waits where people or a model say so, and goes on when a person lets it in.

use crate::support::kiosk::Kiosk;
use crate::support::scene::Scene;
use crate::support::{Order, model_server, model_table, open_store, play, quick_dir};
use serde_json::{Value, json};
use sprag::store::Store as _;
use sprag_core::case::CaseState;
use sprag_core::cluster::Author;
use sprag_core::curation::{Choice, Curation, Subject};
use sprag_core::id::CaseId;
use sprag_core::ledger::{Event, Known};
use sprag_core::machine::{self, State};
use sprag_core::render::dashboard;

const HUMAN: &str = "[review]\nclusters = \"human\"\ncases = \"human\"\n";

async fn played(kiosk: &Kiosk, order: &Order) -> (State, Vec<Curation>) {
    let dir = quick_dir();
    let mut store = open_store(dir.path());
    play(dir.path(), kiosk, &mut store, order).await.unwrap();
    let decided = store.entries().iter().filter_map(|entry| match &entry.event {
        Event::Curated { curations, .. } => Some(curations.clone()),
        _ => None,
    });
    let decided = decided.flatten().collect();
    let (state, _) = machine::replay(store.entries().iter().map(|entry| &entry.event));
    (state.unwrap(), decided)
}

fn accepted(of: Subject) -> Curation {
    Curation {
        of,
        choice: Choice::Accept,
        by: Author::Person,
        reason: String::new(),
    }
}

#[tokio::test]
async fn with_people_to_confirm_nothing_new_is_done_before_they_have() {
    let order = Order {
        batches: 1,
        config: HUMAN.to_owned(),
        ..Order::default()
    };
    let (state, decided) = played(&Kiosk::new(), &order).await;
    assert!(decided.is_empty(), "there is no model");
    assert!(state.experiments.is_empty() && state.cases.open().count() == 0);
    let (clusters, cases) = (state.waiting_clusters(), state.waiting_cases());
    assert!(clusters.len() > 1 && cases.len() > 1);
    let (cluster, case) = (clusters[0].0.clone(), cases[0].0.id.clone());

    let told = Order {
        known: Known {
            curations: vec![
                accepted(Subject::Cluster(cluster.clone())),
                accepted(Subject::Case(case.clone())),
            ],
            ..Known::default()
        },
        ..order
    };
    let (state, _) = played(&Kiosk::new(), &told).await;
    assert!(!state.experiments.is_empty());
    assert!(state.experiments.iter().all(|one| one.candidate.cluster == cluster));
    assert!(state.waiting_clusters().iter().all(|(id, _)| **id != cluster));
    let let_in = |state: CaseState| state != CaseState::Candidate;
    let entered = state.cases.cases.values().filter(|one| let_in(one.state));
    assert_eq!(entered.map(|one| one.id.clone()).collect::<Vec<_>>(), [case]);
}

#[tokio::test]
async fn a_model_rejects_merges_and_asks_for_people_and_each_is_done() {
    let decide = |asked: &str| -> Value {
        let own = asked.split("<<<other").next().unwrap_or_default();
        let decision = match own {
            own if own.contains("cluster?") && own.contains("voucher") => "reject",
            own if own.contains("cluster?") && own.contains("unlock") => "needs_person",
            own if own.contains("case?") && own.contains("unlock") => "needs_person",
            own if own.contains("case?") && own.contains("voucher") => "reject",
            _ => "accept",
        };
        json!({"reason": format!("so it is: {decision}"), "decision": decision, "into": 0})
    };
    let (address, _) = model_server(move |asked, _| match asked {
        asked if asked.starts_with("What becomes of this") => decide(asked),
        asked if asked.contains("Are these two clusters one?") => json!({"reason": "No.", "same": false, "title": "x"}),
        _ => json!({}),
    });
    let order = Order {
        batches: 1,
        config: model_table(&address),
        ..Order::default()
    };
    let (state, decided) = played(&Kiosk::new(), &order).await;
    let worked_on = |subject: &str| {
        let about = |id| {
            let cluster = &state.clusters.clusters[id];
            cluster.mechanism.subject.contains(subject)
        };
        state.experiments.iter().any(|one| about(&one.candidate.cluster))
    };
    assert!(worked_on("refund") && !worked_on("unlock") && !worked_on("voucher"));
    let waits = state.waiting_clusters();
    assert!(
        waits.iter().any(|(_, why)| *why == "so it is: needs_person"),
        "{waits:?}"
    );
    assert!(decided.iter().any(|one| one.choice == Choice::Reject), "{decided:?}");
    let refused = state.refused.values().filter(|one| one.reason == "so it is: reject");
    let waiting = state.waiting_cases();
    assert!(refused.count() + waiting.len() > 0, "cases, too: {decided:?}");
    assert!(
        waiting.iter().all(|(case, _)| case.flake.runs_before < 2),
        "none was run again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_github_a_box_or_a_command_lets_in_what_waits() {
    let mut scene = Scene::new().await;
    scene.config.review = sprag_core::config::parse(HUMAN).unwrap().review;
    let issue = scene.reports("k00").await;
    scene.later();
    assert!(scene.run().await.unwrap().pulls.is_empty(), "it waits");
    assert!(
        scene
            .page()
            .contains("**waits for a person**: nobody has looked at it yet"),
        "{}",
        scene.page()
    );
    let board = async || {
        let kept = scene.forge().kept_issue(dashboard::MARKER, "sprag: dashboard").await;
        kept.unwrap().unwrap()
    };
    let waiting = |body: &str| -> Vec<String> {
        let cases = body.split("- [ ] <!-- sprag:case id=").skip(1);
        cases.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
    };
    let before = board().await;
    let cases = waiting(&before.body);
    assert!(cases.len() >= 3, "{}", before.body);
    let row = format!("- [ ] <!-- sprag:case id={} ", cases[1]);
    let ticked = before.body.replace(&row, &row.replace("- [ ]", "- [x]"));
    scene.later();
    scene.alice.edits(before.number, &ticked);
    scene
        .alice
        .comments(issue, &format!("/sprag reject {} it is a matter of taste", cases[0]));
    scene.alice.comments(issue, "/sprag accept");
    scene.later();
    let done = scene.run().await.unwrap();
    assert_eq!(done.pulls.len(), 1, "{}", scene.page());
    let state = done.state.cases.cases;
    let stands = |at: usize| state[&CaseId::new(cases[at].clone())].state;
    assert_eq!(stands(0), CaseState::Candidate, "it failed again, and was left out");
    assert_ne!(stands(1), CaseState::Candidate, "it was let in");
    let left = waiting(&board().await.body);
    assert!(!left.contains(&cases[0]) && !left.contains(&cases[1]), "{left:?}");
}
