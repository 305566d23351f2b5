//! New eval cases in the loop: seen to fail before they count, refused when they are there already or held out, promoted when fixed.

use crate::support::kiosk::Kiosk;
use crate::support::program::Place;
use crate::support::{Order, model_server, model_table, open_store, play, quick_dir, remains};
use serde_json::{Value, json};
use sprag::store::Store as _;
use sprag_core::case::{CaseState, Expectation, Outcome, expect, export};
use sprag_core::cluster::{Author, Change, Revision};
use sprag_core::failure::FailureRecord;
use sprag_core::id::{ClusterId, TaskId};
use sprag_core::ledger::Known;
use sprag_core::machine::{self, State};
use sprag_core::signal::Report;

const ASKED: &str = "My parcel has been on its way for three weeks now. Could you please give me my money back?";
const HELD_OUT: &str =
    "The parcel with my lamp was promised for last Monday and the page says nothing. I want a refund.";

/// A failure that came without a task of the runner: nobody refunded.
fn failure(id: &str, task: &str, asked: &str) -> FailureRecord {
    serde_json::from_value(json!({
        "id": id, "task": task, "kind": "agent", "context": asked, "behaviour": "did nothing", "termination": "agent_stop",
        "causes": [{"mechanism": {"rule": "gave_up", "subject": "refund"}, "finding": "no refund", "evidence": [],
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
        held_out_inputs: vec![HELD_OUT.to_owned(); 7],
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
async fn what_only_a_model_can_judge_is_a_case_where_there_is_one_and_waits_where_there_is_none() {
    let told = |asked: &str| {
        let mut told = failure("a", "issue #9", asked);
        told.draft.as_mut().unwrap().expect = vec![Expectation::Judge {
            rubric: "refunds what is late".to_owned(),
        }];
        told
    };
    let kiosk = Kiosk {
        cases: true,
        judged: true,
        held_out_inputs: vec![HELD_OUT.to_owned(); 7],
        ..Kiosk::new()
    };
    let (state, _) = played(&kiosk, vec![told(ASKED)]).await;
    let case = |state: &State| {
        state
            .cases
            .cases
            .values()
            .find(|case| case.is_recorded())
            .unwrap()
            .clone()
    };
    assert_eq!(
        case(&state).note.as_deref(),
        Some("not runnable: a model would have to judge it, and there is none")
    );
    // The tool that refunds is called, or the agent only says goodbye.
    let judged = |asked: &str| {
        let (mut step, mut shown) = (0, json!({}));
        for line in asked.lines() {
            let number = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            step = number.and_then(|(number, _)| number.parse().ok()).unwrap_or(step);
            if line.contains("calls refund") {
                return json!({"reason": "It refunds.", "step": step, "quote": "calls refund", "holds": true});
            }
            if line.contains("Goodbye.") {
                shown = json!({"reason": "It only says goodbye.", "step": step, "quote": "Goodbye.", "holds": false});
            }
        }
        shown
    };
    let (address, asked) = model_server(move |asked, _| match asked {
        asked if asked.contains("Does this rule hold?") => judged(asked),
        _ => json!({}),
    });
    let kiosk = Kiosk {
        paid: std::sync::Arc::default(),
        ..kiosk
    };
    let order = Order {
        known: Known {
            failures: vec![told(ASKED)],
            ..Known::default()
        },
        config: model_table(&address),
        ..Order::default()
    };
    let dir = quick_dir();
    let mut store = open_store(dir.path());
    play(dir.path(), &kiosk, &mut store, &order).await.unwrap();
    let (state, _) = machine::replay(store.entries().iter().map(|entry| &entry.event));
    let case = case(&state.unwrap());
    assert_eq!(
        (case.state, case.flake.fails_before),
        (CaseState::Promoted, 2),
        "{case:?}"
    );
    assert!(asked.load(std::sync::atomic::Ordering::SeqCst) >= 4);
}

#[tokio::test]
async fn what_a_run_is_told_of_held_out_tasks_does_not_reach_it() {
    let kiosk = Kiosk {
        cases: true,
        held_out_inputs: vec![HELD_OUT.to_owned(); 7],
        ..Kiosk::new()
    };
    let issue = |number, body: String| Report {
        impact: None,
        number,
        title: "canary-title".to_owned(),
        body,
        comments: Vec::new(),
    };
    let chat = format!("```\nUser: {HELD_OUT}\nAssistant: canary-answer\n```");
    let form = format!("### What was the agent asked to do?\n\n{HELD_OUT}\n\n### What did it do?\n\ncanary-did\n");
    let order = Order {
        known: Known {
            failures: vec![
                failure("a", "held-0", "canary-input"),
                failure("b", "issue #9", &HELD_OUT.to_uppercase()),
                failure("c", "issue #9", ASKED),
            ],
            revisions: vec![Revision {
                change: Change::Rename {
                    cluster: ClusterId::new("c-refund"),
                    title: "canary-cluster".to_owned(),
                },
                by: Author::Model,
                reason: "canary-reason".to_owned(),
            }],
            ..Known::default()
        },
        issues: vec![
            issue(20, "canary-text, seen in held-3 again".to_owned()),
            issue(21, chat),
            issue(22, form),
        ],
        ..Order::default()
    };
    let dir = quick_dir();
    let mut store = open_store(dir.path());
    play(dir.path(), &kiosk, &mut store, &order).await.unwrap();
    let ledger = serde_json::to_string(store.entries()).unwrap();
    drop(store);
    let repository = git2::Repository::open(dir.path().join("repo")).unwrap();
    let objects = repository.odb().unwrap();
    let mut texts = vec![ledger.clone()];
    objects
        .foreach(|id| {
            texts.push(String::from_utf8_lossy(objects.read(*id).unwrap().data()).into_owned());
            true
        })
        .unwrap();
    texts.extend(remains(dir.path()).files.into_values());
    for word in ["canary", "held-0", "held-3", "with my lamp", "WITH MY LAMP"] {
        let found = texts.iter().find(|text| text.contains(word));
        assert_eq!(found, None, "{word}");
    }
    assert!(ledger.contains("three weeks now"), "what is not held out is told");
    assert!(
        texts.iter().any(|text| text.contains("<html")),
        "the report was searched"
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

#[test]
fn cases_are_listed_and_exported_by_the_program() {
    let place = Place::with_config("[runner]\ncommand = [\"{sprag}\", \"{project}/worker\"]\n");
    let none = place.sprag(&["cases", "export", "--to", "pytest", "../pytest"]);
    assert_eq!(none.code, Some(4), "{none:?}");
    assert!(none.complaint().contains("there is no case to export"), "{none:?}");
    let case = json!({"id": "case-1", "task": "t", "title": "call `refund`", "clusters": [], "records": [],
        "flake": {"runs_before": 2, "fails_before": 2, "runs_after": 2, "passes_after": 2}, "state": "promoted"});
    place.write("project/.sprag/suite/case-1.json", &case.to_string());
    let listed = place.sprag(&["cases", "--json"]).json();
    assert_eq!(
        (&listed["cases"][0]["id"], &listed["refused"]),
        (&json!("case-1"), &json!([]))
    );
    let decided = place.sprag(&["cases", "reject", "case-", "--reason", "a matter of taste", "--json"]);
    assert_eq!(
        decided.json()["decision"],
        json!({"decided": "review", "of": {"case": "case-1"}, "accepted": false, "reason": "a matter of taste"})
    );
    let unknown = place.sprag(&["cases", "accept", "case-7"]);
    assert!(unknown.complaint().contains("there is no case `case-7`"), "{unknown:?}");
    std::fs::remove_dir_all(place.path("project/sprag-out")).unwrap();
    let told = place.sprag(&["cases"]);
    assert!(told.stdout.contains("case-1  in the suite"), "{told:?}");
    assert!(
        !place.path("project/sprag-out").exists(),
        "looking leaves nothing behind"
    );
    for tool in ["promptfoo", "inspect", "pytest"] {
        let out = format!("../{tool}");
        let exported = place.sprag(&["cases", "export", "--to", tool, &out, "--json"]);
        assert_eq!(exported.json()["cases"], 1, "{exported:?}");
        let files = place.files(tool);
        let written: Value = serde_json::from_slice(&files["cases.json"]).unwrap();
        assert_eq!(
            (&written["worker"], &written["cases"][0]["task"]),
            (&json!(["sprag", "{project}/worker"]), &json!("t"))
        );
    }
}

/// Reads `{trace, expect}` and prints what `sprag_case.py` makes of each expectation.
const CHECK: &str = "import json, sys, sprag_case\nasked = json.load(sys.stdin)\n\
                     print(json.dumps([sprag_case.check(one, asked['trace'])[0] for one in asked['expect']]))";

#[test]
fn an_exported_case_is_scored_as_sprag_scores_it() {
    let trace = json!({"steps": [
        {"role": "user", "content": "hi", "tool_calls": [{"id": "u", "name": "toggle", "arguments": {}}]},
        {"role": "tool", "call_id": "u", "content": "on"},
        {"role": "assistant", "content": "Let me  look.", "tool_calls": [{"name": "get", "arguments": {"id": "O-7"}}, {"name": "cancel", "arguments": {}}]},
        {"role": "tool", "content": "{\"total\": 12.0, \"items\": [{\"a/b\": 1}]}"},
        {"role": "tool", "content": "too late", "error": true},
        {"role": "assistant", "content": "12.0 refunded"},
    ]});
    let expect = json!([
        {"type": "tool_called", "name": "get"}, {"type": "tool_called", "name": "get", "arguments": {"id": "O-7"}},
        {"type": "tool_called", "name": "get", "arguments": {"id": 7}}, {"type": "tool_called", "name": "cancel"},
        {"type": "tool_called", "name": "toggle"}, {"type": "tool_not_called", "name": "cancel"},
        {"type": "tool_not_called", "name": "get"}, {"type": "tool_not_called", "name": "get", "arguments": {"id": "O-8"}},
        {"type": "contains", "text": "LET me look"}, {"type": "contains", "text": "LET me look", "in": "anywhere"},
        {"type": "not_contains", "text": "refunded"}, {"type": "regex", "pattern": "^12"}, {"type": "regex", "pattern": "^13"},
        {"type": "max_steps", "steps": 6}, {"type": "max_steps", "steps": 5},
        {"type": "final_state", "tool": "get", "pointer": "/total", "value": 12},
        {"type": "final_state", "tool": "get", "pointer": "/items/0/a~1b", "value": 1},
        {"type": "final_state", "tool": "get", "pointer": "/items/0/a~1b", "value": true},
        {"type": "final_state", "tool": "get", "pointer": "/items/1", "value": null},
        {"type": "final_state", "tool": "cancel", "pointer": "", "value": "too late"},
        {"type": "judge", "rubric": "is polite"},
    ]);
    let read: Vec<Expectation> = serde_json::from_value(expect.clone()).unwrap();
    let ours = expect::score(&read, &serde_json::from_value(trace.clone()).unwrap());
    let ours = ours.iter().map(|scored| match scored.outcome {
        Outcome::Held => Some(true),
        Outcome::Broken => Some(false),
        Outcome::Unscored => None,
    });
    let ours: Vec<Option<bool>> = ours.collect();
    let place = Place::with_config("");
    for file in export::files(export::Tool::Pytest, &[], &[]) {
        place.write(&format!("project/{}", file.name), &file.text);
    }
    let mut command = place.command("python3", &["-c", CHECK]);
    place.write("asked.json", &json!({"trace": trace, "expect": expect}).to_string());
    let asked = std::fs::File::open(place.path("asked.json")).unwrap();
    let output = command.stdin(asked).output().unwrap();
    let theirs: Vec<Option<bool>> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(theirs, ours);
}
