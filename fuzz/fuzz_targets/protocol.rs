//! Lines of a worker, beside lines of cases of the suite: each run is held to what the cases expect.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::case::EvalCase;
use sprag_core::case::expect::score;
use sprag_core::protocol::FromWorker;
use sprag_core::redact::Redactor;

fuzz_target!(|bytes: &[u8]| {
    let lines = || bytes.split(|byte| *byte == b'\n');
    let cases: Vec<EvalCase> = lines().filter_map(|line| serde_json::from_slice(line).ok()).collect();
    for line in lines() {
        let Ok(FromWorker::Result(result)) = serde_json::from_slice::<FromWorker>(line) else { continue };
        let Some(mut trace) = result.trace else { continue };
        Redactor::default().clean(&mut trace);
        cases.iter().for_each(|case| drop(score(&case.expect, &trace)));
    }
});
