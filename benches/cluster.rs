//! What clustering costs: 1,000, 10,000 and 100,000 failure records, then one more.
//!
//! `cargo bench --bench cluster`. The aims: near-linear, 100,000 in less than 60 s on one core, one more record in less than 50 ms.
#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints")]

use sprag_core::cluster::ClusterBook;
use sprag_core::failure::{Evidence, FailureKind, FailureRecord, Mechanism, RootCause};
use sprag_core::id::{RecordId, TaskId};
use sprag_core::mine;
use sprag_core::trace::Termination;
use std::time::Instant;

/// Words to make requests and errors of.
const WORDS: [&str; 24] = [
    "refund", "order", "lamp", "late", "parcel", "card", "flight", "seat", "bag", "cancel", "storm", "address",
    "phone", "plan", "data", "invoice", "coupon", "size", "colour", "delivery", "account", "password", "limit",
    "balance",
];
const TOOLS: usize = 40;
const MORE: usize = 200;

fn main() {
    for n in [1_000, 10_000, 100_000] {
        let mut records: Vec<FailureRecord> = (0..n).map(record).collect();
        let settled = timed(|| mine::settle(&mut records));
        let mut book = ClusterBook::default();
        let joined = timed(|| drop(book.join_all(&records, 1)));
        let gathered = timed(|| {
            let alike = book.alike();
            book.revise(&alike);
        });
        let mut slowest: f64 = 0.0;
        let mut sum = 0.0;
        for number in n..n + MORE {
            let one = record(number);
            let seconds = timed(|| drop(book.join(&one, 2)));
            slowest = slowest.max(seconds);
            sum += seconds;
        }
        println!(
            "{n:>7} records, {:>5} clusters: settle {settled:>6.2} s, join {joined:>6.2} s, gather {gathered:>6.2} s, all {:>7.1} us a record; one more {:>6.2} ms, slowest {:>6.2} ms",
            book.clusters.len(),
            (settled + joined + gathered) * 1e6 / n as f64,
            sum * 1e3 / MORE as f64,
            slowest * 1e3,
        );
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// A record that depends on its number alone: a third only knows what was changed, a third is an error in free words, the rest has a known fault.
fn record(number: usize) -> FailureRecord {
    let mut state = number as u64 + 1;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let mut text = |words: usize| {
        (0..words)
            .map(|_| WORDS[next(WORDS.len())])
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (request, error) = (text(30), text(2));
    let tool = format!("tool_{}", next(TOOLS));
    let (rule, subject) = match number % 3 {
        0 => ("unexplained_write", tool),
        1 => ("tool_error", format!("{tool}: {error} failed")),
        _ => ("wrong_argument", format!("{tool}.{}", WORDS[next(5)])),
    };
    let cause = RootCause {
        mechanism: Mechanism {
            rule: rule.to_owned(),
            subject,
        },
        finding: format!("The agent failed with {error}."),
        evidence: vec![Evidence {
            step: Some(3),
            quote: error,
        }],
        confidence: 0.5,
        should: "do otherwise".to_owned(),
        action: None,
    };
    FailureRecord {
        id: RecordId::new(format!("{number:016x}")),
        task: TaskId::new(format!("task {}", number % 5_000)),
        kind: FailureKind::Agent,
        context: request,
        behaviour: String::new(),
        termination: Termination::AgentStop,
        causes: vec![cause],
        impact: None,
        draft: None,
    }
}
