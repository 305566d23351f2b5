//! Recipes that search, with an agent that can only copy examples: what it is shown comes from runs that passed, and is no case and nothing held out.

use crate::support::open_store;
use crate::support::program::Place;
use serde_json::Value;
use sprag::store::Store as _;
use sprag_core::machine::{self, State};
use std::collections::BTreeSet;

const CONFIG: &str = r#"
[runner]
command = ["python3", "{project}/evals/nearest.py"]

[traffic]
batch_size = 27

[gate]
mode = "strict"

[[recipe]]
name = "show what passed"
mechanisms = ["missing_action", "extra_write"]
file = "agent/examples.jsonl"
op = "few_shot"
entry = { user = "{input}", tool = "{tool}" }
most = 20

[[recipe]]
name = "look at examples"
mechanisms = ["missing_action", "extra_write"]
file = "agent/settings.toml"
op = "knob"
at = "look"
type = "bool"
"#;

#[test]
fn examples_lift_the_held_out_score_and_none_is_a_case_or_held_out() {
    let place = Place::new();
    place.write("project/sprag.toml", CONFIG);
    place.write(
        "project/evals/nearest.py",
        include_str!("../fixtures/workers/nearest.py"),
    );
    place.write("project/agent/settings.toml", "look = true\n");
    place.write("project/agent/examples.jsonl", "");
    let ran = place.sprag(&[
        "simulate",
        "--json",
        "--batches",
        "2",
        "--experiments",
        "12",
        "--out",
        "../out",
    ]);
    let summary = ran.json();
    assert!(summary["baseline_validation"].as_f64().unwrap() < 0.4, "{summary}");
    assert!(summary["final_validation"].as_f64().unwrap() > 0.9, "{summary}");

    let store = open_store(&place.path("out"));
    let events = store.entries().iter().map(|entry| &entry.event);
    let state: State = machine::replay(events).0.unwrap();
    let shown = state.incumbent.get("agent/examples.jsonl").unwrap();
    let users: BTreeSet<String> = shown
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["user"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        users.len(),
        10,
        "all that passed but for what a held-out task says: {shown}"
    );
    assert!(users.iter().any(|user| user.contains("train")), "{shown}");
    assert!(
        !users.contains("find a hotel with a view of the sea number 11"),
        "a held-out task says it: {shown}"
    );
    let failed: BTreeSet<&str> = state.records.values().map(|record| record.context.as_str()).collect();
    assert!(
        !failed.is_empty() && users.iter().all(|user| !failed.contains(user.as_str())),
        "{shown}"
    );
}
