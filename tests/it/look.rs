//! What people do at a terminal with failures and clusters: read files, look, decide, look again.

use crate::support::program::{Place, Ran};
use serde_json::{Value, json};

/// A run of a shop's agent; one that does not `call` the refund has failed.
fn run(task: &str, ask: &str, call: bool) -> Value {
    let mut steps = vec![json!({"role": "user", "content": ask})];
    if call {
        steps.push(json!({"role": "assistant", "tool_calls": [{"id": "c", "name": "refund", "arguments": {"order": "O-7731"}}]}));
        steps.push(json!({"role": "tool", "call_id": "c", "content": "ok"}));
    }
    steps.push(json!({"role": "assistant", "content": "It is all done."}));
    let action = json!({"name": "refund", "arguments": {"order": "O-7731"}});
    json!({"task": task, "passed": call, "trace": {
        "steps": steps, "termination": "agent_stop", "expected": {"actions": [action]}}})
}

/// A place where the runs of one night have been read: two failures that share a cause, one that does not.
fn place() -> Place {
    let place = Place::new();
    let mut other = run("t3", "send me a new one", false);
    other["trace"]["expected"]["actions"][0]["name"] = json!("replace");
    let runs = [
        run("t1", "refund my lamp", false),
        run("t2", "refund the chair", false),
        other,
        run("t4", "refund it", true),
    ];
    let lines: Vec<String> = runs.iter().map(Value::to_string).collect();
    place.write("project/night.jsonl", &lines.join("\n"));
    place
}

fn done(place: &Place, arguments: &[&str]) -> Ran {
    let ran = place.sprag(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    ran
}

fn ids(place: &Place) -> Vec<String> {
    let clusters = done(place, &["clusters", "--json"]).json();
    let clusters = clusters["clusters"].as_array().unwrap().clone();
    clusters
        .iter()
        .map(|told| told["cluster"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_was_read_is_listed_and_explained() {
    let place = place();
    let read = done(&place, &["ingest", "night.jsonl"]).stdout;
    assert!(read.starts_with("4 traces, 3 failed (3 agent)\n"), "{read}");
    let again = done(&place, &["ingest", "night.jsonl"]).stdout;
    assert_eq!(again, read, "reading it again changes nothing");
    insta::assert_snapshot!(done(&place, &["failures"]).stdout);
    let first = done(&place, &["failures", "--json"]).json()["failures"][0].clone();
    let id = first["failure"]["id"].as_str().unwrap();
    insta::assert_snapshot!(done(&place, &["explain", &id[..6]]).stdout);
    std::fs::remove_file(place.path("project/night.jsonl")).unwrap();
    let gone = done(&place, &["explain", id]).stdout;
    assert!(gone.contains("the trace is not kept here (night.jsonl)"), "{gone}");
    let of_kind = done(&place, &["failures", "--kind", "infrastructure"]).stdout;
    assert_eq!(of_kind, "no failures\n");
}

#[test]
fn a_file_is_explained_without_being_kept() {
    let place = place();
    let told = done(&place, &["explain", "night.jsonl", "--limit", "2"]).stdout;
    assert!(
        told.contains("The agent never called `refund`.") && told.ends_with("1 more failed; `--limit` shows more\n")
    );
    let dry = done(&place, &["ingest", "night.jsonl", "--dry-run"]).stdout;
    assert!(dry.starts_with("4 traces, 3 failed"), "{dry}");
    assert!(!place.path("project/sprag-out").exists());
}

#[test]
fn what_a_person_decides_about_clusters_holds_when_more_is_read() {
    let place = place();
    done(&place, &["ingest", "night.jsonl"]);
    let [refund, replace] = ids(&place).try_into().unwrap();
    done(&place, &["cluster", "merge", &refund[..6], &replace]);
    done(&place, &["cluster", "rename", &refund, "forgets what was asked for"]);
    assert_eq!(ids(&place), std::slice::from_ref(&refund));
    place.write("project/next.jsonl", &run("t9", "refund the table", false).to_string());
    done(&place, &["ingest", "next.jsonl"]);
    let shown = done(&place, &["cluster", "show", &replace]).stdout;
    assert!(
        shown.contains("forgets what was asked for") && shown.contains("4, 0 resolved"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("{replace} became part of {refund}, by a person")),
        "{shown}"
    );

    let failures = done(&place, &["failures", "--json"]).json();
    let of = |task: &str| {
        let all = failures["failures"].as_array().unwrap();
        let found = all.iter().find(|told| told["failure"]["task"] == task).unwrap();
        found["failure"]["id"].as_str().unwrap().to_owned()
    };
    done(&place, &["cluster", "split", &refund, &of("t3")]);
    assert_eq!(ids(&place).len(), 2);
    done(&place, &["cluster", "ignore", &refund]);
    assert_eq!(ids(&place).len(), 1, "an ignored cluster is not ranked");
    let all = done(&place, &["clusters", "--all"]).stdout;
    assert!(all.contains("ignored"), "{all}");
    done(&place, &["cluster", "accept", &refund]);
    assert_eq!(ids(&place).len(), 2);
}

#[test]
fn a_wrong_id_is_answered_with_where_to_find_the_right_one() {
    let place = place();
    done(&place, &["ingest", "night.jsonl"]);
    insta::assert_snapshot!(place.sprag(&["cluster", "show", "c-zz"]).complaint(), @r"
    exit 2
    error: there is no cluster `c-zz`
      hint: `sprag clusters --all` lists the ids; the beginning of one is enough
    ");
    let [refund, _] = ids(&place).try_into().unwrap();
    let all = done(&place, &["failures", "--cluster", &refund, "--json"]).json();
    let members = all["failures"].as_array().unwrap();
    let members: Vec<&str> = members
        .iter()
        .map(|told| told["failure"]["id"].as_str().unwrap())
        .collect();
    let refused = place.sprag(&["cluster", "split", &refund, members[0], members[1]]);
    assert!(refused.complaint().contains("would leave it"), "{refused:?}");
    let none = place.sprag(&["explain", "nothing"]);
    assert!(none.complaint().contains("there is no failure `nothing`"), "{none:?}");
}

#[test]
fn a_run_on_this_machine_begins_with_what_was_read_and_decided() {
    let place = Place::with_helpdesk();
    let commit = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "commit",
        "-qm",
        "all",
    ];
    for arguments in [&["init", "-q"][..], &["add", "."], &commit] {
        place.git(arguments);
    }
    place.write("project/night.jsonl", &run("t1", "refund my lamp", false).to_string());
    done(&place, &["ingest", "night.jsonl"]);
    let [refund] = ids(&place).try_into().unwrap();
    done(&place, &["cluster", "ignore", &refund]);
    done(&place, &["run", "--local", "--json"]);
    let clusters = done(&place, &["clusters", "--all", "--json"]).json();
    let clusters = clusters["clusters"].as_array().unwrap();
    let state = |id: &str| {
        let found = clusters.iter().find(|told| told["cluster"]["id"] == *id).unwrap();
        found["cluster"]["state"].clone()
    };
    assert_eq!(state(&refund), "ignored");
    assert!(clusters.len() > 1, "and the traffic's are beside it");
    let failures = done(&place, &["failures", "--json"]).json();
    let failures = failures["failures"].as_array().unwrap();
    let of_traffic = failures.iter().find(|told| told["origin"]["from"] == "run").unwrap();
    let id = of_traffic["failure"]["id"].as_str().unwrap();
    let explained = done(&place, &["explain", id, "--json"]).json();
    assert!(
        explained["failures"][0]["trace"]["steps"].is_array(),
        "its run is on record"
    );
}
