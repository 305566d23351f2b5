//! Holds requests that the real program made of another GitHub (`benches/emulate.sh`) to GitHub's description, as the fake GitHub does with
//! those of the tests.

use fs_err as fs;
use serde_json::Value;
use sprag_testkit::contract::Contract;
use std::collections::BTreeMap;

#[test]
#[ignore = "needs a recording; benches/emulate.sh --contract makes one"]
#[expect(clippy::print_stdout, reason = "how many were judged is the result")]
fn recorded_requests_fit_githubs_description() {
    let path = std::env::var("SPRAG_REQUESTS").expect("SPRAG_REQUESTS names the recording");
    let recording = fs::read_to_string(path).unwrap();
    let contract = Contract::official();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in recording.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let (method, target) = (text("/method").unwrap(), text("/target").unwrap());
        let Some(call) = contract.find(method, target) else {
            wrong.push(format!("{method} {target}: no such endpoint"));
            continue;
        };
        let body = text("/body").unwrap_or_default();
        let problems = contract.request(&call, text("/headers/content-type"), body.as_bytes());
        wrong.extend(problems.iter().map(|problem| format!("{method} {target}: {problem}")));
        *counts.entry(call.endpoint.to_string()).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    println!("our own validator: {all} requests to {} endpoints", counts.len());
    assert_eq!(wrong, [""; 0]);
    assert!(all > 0, "an empty recording proves nothing");
}
