//! Facts and entries of a ledger, a line each: what the state branch, a local folder and the bundle of another job hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::book::Book;
use serde_json::Value;
use sprag_core::fact::Fact;
use sprag_core::ledger::Entry;
use sprag_core::overview::Overview;

fuzz_target!(|bytes: &[u8]| {
    let lines = || bytes.split(|byte| *byte == b'\n');
    let fact = |line| {
        let mut stored: Value = serde_json::from_slice(line).ok()?;
        let at = stored["at"].as_str()?.to_owned();
        let what = serde_json::from_value(stored["fact"].take()).ok()?;
        Some(Fact { at, what })
    };
    let facts: Vec<Fact> = lines().filter_map(fact).collect();
    let ledger: Vec<Entry> = lines().filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let book = Book::fold(&facts);
    Overview::of_book(&book, &[]);
    facts.iter().for_each(|fact| drop(fact.id()));
    Overview::local(&ledger, facts, &[]);
});
