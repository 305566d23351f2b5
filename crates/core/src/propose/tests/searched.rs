//! Recipes that search: examples made of runs that passed, and knobs.

use super::*;
use crate::candidate::Verdict;
use crate::case::{EvalCase, Input};
use crate::id::{CaseId, ExperimentId};
use crate::score::Scorecard;

const FEW_SHOT: &str = r#"
[[recipe]]
name = "show what passed"
mechanisms = ["missing_action"]
file = "agent/examples.jsonl"
op = "few_shot"
most = 4
length = 120
entry = { user = "{input}", do = "{calls}" }
call = { name = "{tool}", args = "{arguments}" }
"#;

const KNOBS: &str = r#"
[[recipe]]
name = "rounds"
mechanisms = ["*"]
file = "agent/steps.toml"
op = "knob"
at = "rounds"
type = "int"
range = [1, 9]

[[recipe]]
name = "form"
mechanisms = ["*"]
file = "agent/steps.toml"
op = "knob"
at = "form"
type = "choice"
choices = ["free", "json", "schema"]
"#;

/// A run in which a person asks for something.
fn asked(task: &str, text: &str, calls: &[(&str, &str)]) -> Run {
    let mut run = Run::new(task, calls, &[]);
    run.trace.steps[0].content = text.to_owned();
    run
}

/// One failing task that wants a refund.
fn failing() -> Run {
    let mut run = Run::new("late", &[("order", "late")], &[("refund", json!({"order_id": "O-1"}))]);
    run.trace.steps[0].content = "refund my late lamp".to_owned();
    run
}

fn few_shot(shown: Vec<Run>) -> Desk {
    let mut desk = Desk::new(vec![failing()]);
    desk.recipes = FEW_SHOT.to_owned();
    desk.shown = shown;
    desk.harness = Harness::new([("agent/examples.jsonl".to_owned(), String::new())]);
    desk
}

fn experiment(candidate: Candidate, verdict: Verdict, cluster: Scorecard) -> Experiment {
    Experiment {
        cluster_cases: Some(cluster),
        best_before: 0.5,
        verdict: Some((verdict, String::new())),
        task_runs: 1,
        ..Experiment::new(ExperimentId::new("E001"), 1, candidate)
    }
}

fn fell(candidate: Candidate) -> Experiment {
    let card = Scorecard {
        fixed: 1,
        ..Scorecard::default()
    };
    experiment(candidate, Verdict::Rejected, card)
}

#[test]
fn runs_that_passed_become_examples_near_what_fails_and_of_every_kind() {
    let desk = few_shot(vec![
        asked("a", "is the blue lamp in stock", &[("stock", "yes")]),
        asked("b", "is the red lamp in stock", &[("stock", "yes")]),
        asked("c", "refund my lamp", &[("refund", "done")]),
        asked("d", "tell them it is late", &[("notify", "done")]),
        asked("e", "refund my broken chair", &[("refund", "done")]),
        asked("f", "is there tea", &[("stock", "yes")]),
    ]);
    let candidate = desk.candidate("missing_action:refund");
    insta::assert_snapshot!(added(&candidate), @r#"
    {"user": "refund my lamp", "do": [{"name": "refund"}]}
    {"user": "is there tea", "do": [{"name": "stock"}]}
    {"user": "tell them it is late", "do": [{"name": "notify"}]}
    {"user": "is the red lamp in stock", "do": [{"name": "stock"}]}
    "#);
    assert_eq!(
        candidate.title,
        "Show 4 runs that passed as examples in `agent/examples.jsonl`"
    );
    assert_eq!(candidate.predicted, [TaskId::new("late")]);
    assert!(
        candidate.hypothesis.contains("3 kinds of answers"),
        "{}",
        candidate.hypothesis
    );
}

#[test]
fn the_sets_differ_and_end_and_none_is_larger_than_the_room() {
    let texts = [
        "refund the tea",
        "refund a lamp",
        "where is it",
        "is it late",
        "refund a chair",
        "hello",
    ];
    let shown = texts.iter().enumerate();
    let mut desk = few_shot(
        shown
            .map(|(at, text)| asked(&format!("t{at}"), text, &[("stock", "yes")]))
            .collect(),
    );
    let there = "{\"user\":\"where is it\",\"do\":[{\"name\":\"stock\"}]}\n";
    desk.harness = Harness::new([("agent/examples.jsonl".to_owned(), there.to_owned())]);
    let (all, reason) = desk.all("missing_action:refund");
    let sizes: Vec<usize> = all.iter().map(|candidate| added(candidate).lines().count()).collect();
    assert!(
        sizes.iter().all(|size| (1..=3).contains(size)) && sizes.len() > 1,
        "{sizes:?}"
    );
    assert!(
        all.iter().all(|candidate| !added(candidate).contains("where is it")),
        "it is there already"
    );
    assert!(reason.starts_with("every edit"));
}

#[test]
fn what_is_long_private_or_guarded_is_no_example() {
    let secret = "my parcel has been lying in the rain for three days";
    let mut desk = few_shot(vec![
        asked("long", &"please ".repeat(30), &[("stock", "yes")]),
        asked("private", "write to [email-1]", &[("stock", "yes")]),
        asked("silent", "", &[("stock", "yes")]),
        asked("talker", "hello", &[]),
        asked("case", secret, &[("refund", "done")]),
        asked("id", "what is late-parcel", &[("stock", "yes")]),
        asked("good", "is there tea", &[("stock", "yes")]),
    ]);
    let mut case = EvalCase::new(CaseId::new("case-of-x"), TaskId::new("late-parcel"), String::new());
    case.input = Some(Input {
        messages: vec![secret.to_owned()],
    });
    case.expect = vec![serde_json::from_value(json!({"type": "contains", "text": "refund"})).unwrap()];
    desk.guarded = Guarded::of(&[], [&case], []);
    let (all, _) = desk.all("missing_action:refund");
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(added(&all[0]), r#"{"user": "is there tea", "do": [{"name": "stock"}]}"#);
    desk.shown.clear();
    assert!(matches!(desk.ask("missing_action:refund"), Proposal::Nothing(_)));
}

#[test]
fn a_knob_goes_on_from_what_its_experiments_came_to() {
    let mut desk = Desk::new(vec![failing()]);
    desk.recipes = KNOBS.split("\n\n").next().unwrap().to_owned();
    let mut values = Vec::new();
    while let Proposal::Candidate(candidate) = desk.ask("missing_action:refund") {
        values.push(added(&candidate));
        desk.tried.insert(candidate.id.clone());
        desk.past.push(fell(*candidate));
    }
    assert_eq!(
        values,
        ["rounds = 4 # keep", "rounds = 2 # keep"].map(|text| text.replace(" # keep", ""))
    );
}

#[test]
fn a_value_may_be_tried_again_on_another_harness_unless_it_fell_too_often() {
    let mut desk = Desk::new(vec![failing()]);
    let form = format!("[[recipe]]{}", KNOBS.rsplit("[[recipe]]").next().unwrap());
    desk.recipes = form;
    let mut rounds = Vec::new();
    for note in ["a", "b", "c"] {
        let steps = format!("# {note}\nform = \"free\"\n{STEPS}");
        desk.harness = Harness::new([("agent/steps.toml".to_owned(), steps)]);
        let mut values = Vec::new();
        while let Proposal::Candidate(candidate) = desk.ask("missing_action:refund") {
            values.push(added(&candidate));
            assert!(desk.tried.insert(candidate.id.clone()));
            desk.past.push(fell(*candidate));
        }
        values.sort();
        rounds.push(values);
    }
    let both = ["form = \"json\"", "form = \"schema\""].map(str::to_owned);
    assert_eq!(rounds, [both.to_vec(), both.to_vec(), vec![]]);
}

#[test]
fn recipes_that_search_take_turns() {
    let mut desk = few_shot(vec![
        asked("a", "is there tea", &[("stock", "yes")]),
        asked("b", "refund my lamp", &[("refund", "done")]),
    ]);
    desk.recipes = format!("{KNOBS}{FEW_SHOT}");
    desk.harness = Harness::new([
        ("agent/examples.jsonl".to_owned(), String::new()),
        ("agent/steps.toml".to_owned(), STEPS.to_owned()),
    ]);
    let mut made = Vec::new();
    for _ in 0..5 {
        let candidate = desk.candidate("missing_action:refund");
        made.push(candidate.origin.split(", ").next().unwrap().to_owned());
        desk.tried.insert(candidate.id.clone());
        desk.past.push(fell(candidate));
    }
    let turn = ["recipes: rounds", "recipes: form", "recipes: show what passed"];
    assert_eq!(made[..3], turn);
    assert_eq!(made[3..], turn[..2]);
}
