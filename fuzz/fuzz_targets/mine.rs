//! Everything that becomes of a file before anybody has looked at it: read, redacted, mined, clustered, made a case of, and told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::case::drafted;
use sprag_core::cluster::{ClusterBook, explain};
use sprag_core::mine::model::compact;
use sprag_core::mine::{Run, together};
use sprag_core::redact::Redactor;
use sprag_core::trace::read::read_any;
use std::collections::BTreeMap;

fuzz_target!(|bytes: &[u8]| {
    let (mut traces, _) = read_any("x", bytes);
    let redactor = Redactor::default();
    traces.iter_mut().for_each(|read| redactor.clean(read));
    let runs = traces.iter().map(|read| Run {
        source: &read.source,
        task: &read.task,
        trace: &read.trace,
        passed: read.passed,
        blamed: read.kind_hint,
    });
    let runs: Vec<Run> = runs.collect();
    let records = together(&runs, |run| run.passed != Some(true));
    let failed = runs.iter().filter(|run| run.passed != Some(true));
    let mut book = ClusterBook::default();
    for (record, run) in records.iter().zip(failed) {
        book.join(record, 1);
        drafted(run.source, record.clone(), run.trace, None);
        compact(run.trace, 2_000, &[0]);
    }
    let by_id: BTreeMap<_, _> = records.into_iter().map(|record| (record.id.clone(), record)).collect();
    explain(&book, &by_id);
});
