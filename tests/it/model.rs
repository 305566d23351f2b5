//! The whole way with a model: failures are read, a server on this machine is asked about them, what it says is kept, recorded, and replayed
//! without it.

use crate::support::program::Place;
use crate::support::{model_server, model_table};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const RUNS: [(&str, &str); 3] = [
    ("t1", "Cancel order O-1, please."),
    ("t2", "I do not want order O-2 any more."),
    ("t3", "Please stop order O-3."),
];

/// Failed runs that no rule explains: the agent cancels what was shipped.
fn runs() -> String {
    let run = |(task, ask): &(&str, &str)| {
        let call = |id: &str, name: &str| json!({"role": "assistant", "tool_calls": [{"id": id, "name": name, "arguments": {"order": &ask[..]}}]});
        let steps = json!([
            {"role": "user", "content": ask}, call("a", "get_order"),
            {"role": "tool", "call_id": "a", "content": "status: shipped, cannot be cancelled"},
            call("b", "cancel_order"), {"role": "tool", "call_id": "b", "content": "ok"},
            {"role": "assistant", "content": "Write to ann@example.com if anything is wrong."},
        ]);
        json!({"task": task, "passed": false, "trace": {"steps": steps, "termination": "agent_stop"}}).to_string()
    };
    RUNS.iter().map(run).collect::<Vec<_>>().join("\n")
}

/// What the model says: the first run it explains, the second it explains in other words, of the third it makes up a quote.
fn answer(asked: &str, mended: bool) -> Value {
    let mined = |subject: &str, quote: &str| {
        json!({
            "root_cause": "The agent cancelled an order that was shipped.", "decisive_step": 3,
            "evidence": [{"step": 3, "quote": "cancel_order"}, {"step": 2, "quote": quote}], "kind": "agent",
            "mechanism": "other", "subject": subject, "should": "Say that a shipped order cannot be cancelled.", "confidence": 0.9,
        })
    };
    let seen = "shipped, cannot be cancelled";
    if asked.contains("Are these two clusters one?") {
        json!({"reason": "Both cancel what is shipped.", "same": !asked.contains("nobody knows why"), "title": "cancels orders that are shipped"})
    } else if asked.contains("What should this cluster be called?") {
        json!({"reason": "It says so.", "title": "cancels orders that are shipped"})
    } else if asked.starts_with("What becomes of this cluster?") {
        let known = asked.contains("cancels orders that are shipped");
        json!({"reason": "It was told not to.", "decision": if known { "needs_person" } else { "accept" }, "into": 0})
    } else if asked.contains("order O-1") {
        mined("cancels an order although it was shipped", seen)
    } else if asked.contains("order O-2") && (mended || !asked.contains("order O-2 any more")) {
        mined("cancels a shipped order although it was shipped", seen)
    } else {
        mined(
            "cancels an order although it was shipped",
            "the order was never shipped at all",
        )
    }
}

fn place(address: &str) -> Place {
    let place = Place::new();
    place.write("project/night.jsonl", &runs());
    place.write("project/sprag.toml", &model_table(address));
    place
}

#[test]
fn what_a_model_says_of_failures_is_checked_kept_recorded_and_replayed() {
    let (address, asked) = model_server(answer);
    let place = place(&address);
    let alone = place.sprag(&["ingest", "night.jsonl", "--no-model", "--dry-run"]);
    assert!(alone.stdout.contains("nobody knows why"), "{alone:?}");
    let first = place.sprag(&["ingest", "night.jsonl", "--record", "tape", "--json"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let told = first.json();
    let clusters = told["clusters"].as_array().unwrap();
    let title = |cluster: &Value| cluster["title"].as_str().unwrap().to_owned();
    let titles: Vec<(String, usize)> = clusters
        .iter()
        .map(|cluster| (title(cluster), cluster["members"].as_object().unwrap().len()))
        .collect();
    assert!(
        titles.contains(&("cancels orders that are shipped".to_owned(), 2)),
        "{titles:?}"
    );
    assert!(
        titles
            .iter()
            .any(|(title, n)| title.ends_with("nobody knows why") && *n == 1),
        "the one with the made-up quote stays as it was: {titles:?}"
    );
    let model = &told["model"];
    assert_eq!((&model["wrong"], &model["mended"]), (&json!(1), &json!(1)), "{model}");
    assert!(model["usd"].as_f64().unwrap() > 0.01);
    let questions = asked.load(Ordering::SeqCst);
    let files = place.files("project/tape");
    assert_eq!(files.len(), questions, "each exchange has a file");
    assert!(
        files
            .values()
            .all(|bytes| !String::from_utf8_lossy(bytes).contains("ann@example.com"))
    );

    // Again, with other facts: from the files alone, for nothing, and with the same end.
    let replayed = place
        .sprag(&["ingest", "night.jsonl", "--replay", "tape", "--json", "--out", "other"])
        .json();
    assert_eq!(asked.load(Ordering::SeqCst), questions);
    assert_eq!(
        (&replayed["clusters"], &replayed["kinds"]),
        (&told["clusters"], &told["kinds"])
    );
    assert_eq!(replayed["model"]["usd"], json!(0.0));
    let shown = place.sprag(&["clusters"]);
    assert!(shown.stdout.contains("cancels orders that are shipped"), "{shown:?}");
    assert!(
        shown.stdout.contains("It was told not to."),
        "a decision is kept, and what waits is shown: {shown:?}"
    );

    place.write("project/more.jsonl", &runs().replace("O-1", "O-9"));
    let missed = place.sprag(&["ingest", "more.jsonl", "--replay", "tape"]);
    assert!(
        missed.code == Some(3) && missed.stderr.contains("was never recorded"),
        "{missed:?}"
    );
}

#[test]
fn without_a_key_the_rules_work_alone_and_say_so() {
    let place = place("http://127.0.0.1:9/v1");
    place.write(
        "project/sprag.toml",
        "[model]\nprovider = \"openai\"\nname = \"gpt-5.4\"\nkey_env = \"NO_SUCH_KEY\"\n",
    );
    let ran = place.sprag(&["ingest", "night.jsonl"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("NO_SUCH_KEY") && ran.stdout.starts_with("3 traces, 3 failed"),
        "{ran:?}"
    );
    place.write("project/sprag.toml", "");
    assert_eq!(
        place.sprag(&["ingest", "night.jsonl", "--replay", "tape"]).code,
        Some(3)
    );
}
