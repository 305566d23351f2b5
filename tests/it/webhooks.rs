//! GitHub's own example payloads of every event, those that sprag reacts to and all others.

use serde::Deserialize;
use serde_json::Value;
use sprag_core::webhook::{Hint, Webhook};
use std::collections::BTreeMap;

/// The events whose payload tells where to look first.
const HEARD: [&str; 6] = [
    "issues",
    "issue_comment",
    "pull_request",
    "merge_group",
    "workflow_run",
    "check_run",
];

#[derive(Deserialize)]
struct Examples {
    name: String,
    examples: Vec<Value>,
}

fn examples() -> Vec<Examples> {
    let packed = include_bytes!("../../crates/testkit/webhooks/examples.json.zst");
    let json = zstd::decode_all(&packed[..]).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn every_example_payload_is_read_and_those_that_matter_point_somewhere() {
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    let mut pointless = Vec::new();
    for event in examples() {
        for payload in &event.examples {
            let webhook = Webhook::read(&event.name, &payload.to_string()).unwrap();
            *read.entry(event.name.clone()).or_default() += 1;
            if HEARD.contains(&event.name.as_str()) && webhook.hint == Hint::Nothing {
                pointless.push(format!("{} {:?}", event.name, webhook.action));
            }
        }
    }
    assert_eq!(pointless, [""; 0]);
    assert_eq!((read.len(), read.values().sum::<usize>()), (58, 329));
    assert!(HEARD.iter().all(|event| read.contains_key(*event)));
}

#[test]
fn the_official_examples_tell_forks_from_the_repository() {
    let pulls: Vec<_> = examples()
        .into_iter()
        .filter(|event| event.name == "pull_request")
        .collect();
    let payloads = pulls.iter().flat_map(|event| &event.examples);
    for payload in payloads {
        let Hint::Pull(pull) = Webhook::read("pull_request", &payload.to_string()).unwrap().hint else {
            panic!("a pull request");
        };
        let name = |side: &str| {
            payload
                .pointer(&format!("/pull_request/{side}/repo/full_name"))
                .cloned()
        };
        assert_eq!(pull.from_fork, name("head") != name("base"));
    }
}
