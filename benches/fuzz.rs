//! Damages files of every format for a while, and looks for inputs that make something panic or take long.
//!
//! `cargo bench --bench fuzz -- --seconds 60` goes over all readers, files in pieces, folders, archives, redaction and issue texts; `--target otlp`
//! takes one of them, `--seed 7` other damage, `--seeds DIR` only writes what would be damaged. An input that fails is written to a file in the temporary folder, and told. It needs no
//! nightly compiler and no instrumentation; `fuzz/` has the same targets for cargo-fuzz, which is guided by coverage.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "it prints what it found, and stops when it cannot work"
)]

#[path = "fuzz/damage.rs"]
mod damage;
#[path = "readers/samples.rs"]
mod samples;

use damage::Dice;
use samples::SAMPLES;
use sprag::intake::FileReader;
use sprag_core::command;
use sprag_core::config::Mapping;
use sprag_core::id::TaskId;
use sprag_core::redact::Redactor;
use sprag_core::signal::{Remark, Report, leads};
use sprag_core::trace::read::{Folder, Format, read_any, read_as, read_mapped};
use sprag_core::trace::stream::Survey;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// An input may take so long, and as long again for each megabyte.
const PATIENCE: Duration = Duration::from_millis(1500);
const FIXTURES: [&str; 3] = [
    include_str!("../crates/core/tests/fixtures/tau2_results.json"),
    include_str!("../crates/core/tests/fixtures/tau_bench.json"),
    include_str!("../crates/core/tests/fixtures/worker_runs.jsonl"),
];
const ISSUE: &str = "### What was asked of it?\n\nCancel order W1, mail me at nadia@example.org\n\n### What did it do?\n\nUser: hi\nAssistant: no\n\n### What should it have done?\n\n_No response_\n\n```json\n[{\"role\": \"user\", \"content\": \"hi\"}]\n```\n\n/sprag ignore because it is rare\n\nhttps://github.com/acme/shop/actions/runs/77/artifacts/9\n\n<details>\n\n~~~\nuser: a\nassistant: b\n~~~\n";

/// Reads some bytes.
type Read = Box<dyn Fn(&[u8])>;

/// One thing that reads what strangers write.
struct Target {
    name: String,
    run: Read,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        arguments
            .iter()
            .position(|word| word == name)
            .and_then(|at| arguments.get(at + 1))
    };
    let seconds: u64 = option("--seconds").map_or(60, |text| text.parse().unwrap());
    let seed: u64 = option("--seed").map_or(1, |text| text.parse().unwrap());
    let only = option("--target");
    if let Some(folder) = option("--seeds") {
        for (number, bytes) in corpus().iter().enumerate() {
            std::fs::write(Path::new(folder).join(number.to_string()), bytes).unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut targets = targets(folder.path());
    targets.retain(|target| only.is_none_or(|name| *name == target.name));
    assert!(!targets.is_empty(), "there is no target of that name");
    let names: Vec<&str> = SAMPLES.iter().map(|sample| sample.name).collect();
    println!("damaged are files of {}, fixtures and an issue", names.join(", "));
    let corpus = corpus();
    std::panic::set_hook(Box::new(|_| ()));
    let each = Duration::from_secs(seconds) / u32::try_from(targets.len()).unwrap();
    let found: usize = targets.iter().map(|target| attack(target, &corpus, seed, each)).sum();
    println!("{found} inputs failed");
    assert!(found == 0, "something failed");
}

/// Runs one target until its time is over; how many inputs failed comes back.
fn attack(target: &Target, corpus: &[Vec<u8>], seed: u64, time: Duration) -> usize {
    let began = Instant::now();
    let (mut inputs, mut bytes, mut found) = (0_u64, 0, 0);
    let mut slowest = Duration::ZERO;
    while began.elapsed() < time {
        let mut dice = Dice::new(seed.wrapping_mul(1_000_003).wrapping_add(inputs));
        let input = damage::input(corpus, &mut dice);
        let started = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        let took = started.elapsed();
        slowest = slowest.max(took);
        let allowed = PATIENCE + PATIENCE * u32::try_from(input.len() / 1_000_000).unwrap();
        let what = match ended {
            Err(_) => Some("panicked"),
            Ok(()) if took > allowed => Some("took too long"),
            Ok(()) => None,
        };
        if let Some(what) = what {
            found += 1;
            let path = std::env::temp_dir().join(format!("sprag-fuzz-{}-{seed}-{inputs}", target.name));
            std::fs::write(&path, &input).unwrap();
            println!(
                "{}: {what} ({} bytes, {} ms): {}",
                target.name,
                input.len(),
                took.as_millis(),
                path.display()
            );
        }
        inputs += 1;
        bytes += input.len();
    }
    println!(
        "{:<20} {inputs:>8} inputs, {:>6} MB, the slowest took {:>5} ms",
        target.name,
        bytes / 1_000_000,
        slowest.as_millis()
    );
    found
}

fn targets(folder: &Path) -> Vec<Target> {
    let target = |name: &str, run: Read| Target {
        name: name.to_owned(),
        run,
    };
    let mut names: Vec<&str> = Format::names().collect();
    names.dedup_by_key(|name| Format::named(name));
    let of_format = |name: &&'static str| {
        let format = Format::named(name).unwrap();
        target(name, Box::new(move |bytes| drop(read_as(format, "x", bytes))))
    };
    let mut targets: Vec<Target> = names.iter().map(of_format).collect();
    let path = folder.join("file.zip");
    targets.extend([
        target("any", Box::new(|bytes| drop(read_any("x", bytes)))),
        target("mapped", Box::new(|bytes| drop(read_mapped(&mapping(), "x", bytes)))),
        target("pieces", Box::new(pieces)),
        target("folder", Box::new(several)),
        target("archive", Box::new(move |bytes| archive(&path, bytes))),
        target("redact", Box::new(redact)),
        target("issue", Box::new(issue)),
    ]);
    targets
}

fn corpus() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = SAMPLES.iter().map(|sample| sample.file(1).into_bytes()).collect();
    corpus.extend(FIXTURES.iter().map(|text| text.as_bytes().to_vec()));
    corpus.push(ISSUE.as_bytes().to_vec());
    corpus.extend(damage::SMALL.iter().map(|text| text.as_bytes().to_vec()));
    corpus
}

fn mapping() -> Mapping {
    Mapping {
        messages: "/messages".to_owned(),
        task: Some("/0/~1/x".to_owned()),
        passed: Some("/passed".to_owned()),
        ..Mapping::default()
    }
}

fn pieces(bytes: &[u8]) {
    let Some(mut survey) = Survey::new(None, None, bytes) else {
        return;
    };
    bytes.chunks(777).for_each(|chunk| survey.push(chunk));
    if let Ok(mut stream) = survey.finish("x") {
        bytes.chunks(777).for_each(|chunk| stream.push(chunk, &mut |_| ()));
        stream.finish(&mut |_| ());
    }
}

fn several(bytes: &[u8]) {
    let mut folder = Folder::new(Some(mapping()));
    let (left, right) = bytes.split_at(bytes.len() / 2);
    let files = [
        ("a/samples/x.json", bytes),
        ("a/header.json", left),
        ("a/graders/x.json", bytes),
        ("a/agent/y.json", right),
    ];
    files.iter().for_each(|(name, bytes)| folder.note(name, bytes));
    files
        .iter()
        .for_each(|(name, bytes)| drop(folder.take(name, bytes, &mut |_| ())));
    folder.finish(&mut |_| ());
}

/// The first byte says where the archive itself is damaged.
fn archive(path: &Path, bytes: &[u8]) {
    let zipped = |name: &str, content: &[u8]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let mut file = zipped("log.eval", &zipped("samples/1.json", bytes));
    if bytes.len().is_multiple_of(3) {
        file = zipped("runs.json", bytes);
    }
    let damaged = file.len() * usize::from(bytes.first().copied().unwrap_or(0)) / 256;
    if let Some(byte) = file.get_mut(damaged) {
        *byte = bytes.last().copied().unwrap_or(0);
    }
    std::fs::write(path, file).unwrap();
    // An archive that cannot be read is as good as one that can.
    drop(FileReader::default().each(path, "x", &mut |_| ()));
}

fn redact(bytes: &[u8]) {
    let redactor = Redactor::default();
    let once = redactor.text(&String::from_utf8_lossy(bytes)).into_owned();
    assert_eq!(redactor.text(&once), once, "redacting twice changes something");
    let (mut traces, _) = read_any("x", bytes);
    traces.iter_mut().for_each(|run| redactor.clean(run));
}

fn issue(bytes: &[u8]) {
    let body = String::from_utf8_lossy(bytes).into_owned();
    let remark = Remark {
        author_login: "a".to_owned(),
        author_trusted: true,
        at: String::new(),
        body: body.clone(),
    };
    drop(command::parse(&body));
    let report = Report {
        impact: None,
        number: 1,
        title: "t1".to_owned(),
        body,
        comments: vec![remark],
    };
    leads(&report, &[TaskId::new("t1")], None);
}
