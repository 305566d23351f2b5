//! How fast traces are read, beside plain parsing of the same bytes, and how much memory a large file takes.
//!
//! `cargo bench --bench readers` prints megabytes a second for each format, ours and `serde_json::Value`'s in turns, and how much longer ours
//! takes; the aim is at most 1.5 times as long. `-- --data DIR` does the same with the files of a folder. `-- --memory 1000` writes a file of so many megabytes, reads it run by
//! run, and prints the most memory that the process ever had; the aim is below 200 MB. `-- --memory 1000 otlp` takes another format.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops when anything fails"
)]

#[path = "readers/samples.rs"]
mod samples;

use samples::{SAMPLES, Sample};
use serde_json::Value;
use sprag::intake::FileReader;
use sprag_core::trace::read::read_any;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

const BYTES: usize = 16_000_000;
const ROUNDS: usize = 5;
const MEGABYTE: f64 = 1e6;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--memory", megabytes, names @ ..] => {
            memory(megabytes.parse().unwrap(), names.first().copied().unwrap_or("worker"));
        }
        ["--data", folder] => data(Path::new(folder)),
        only => {
            for sample in SAMPLES
                .iter()
                .filter(|sample| only.is_empty() || only.contains(&sample.name))
            {
                compare(sample.name, sample.file(BYTES).as_bytes());
            }
        }
    }
}

/// Reads and parses the same bytes in turns; the best round of each counts.
fn compare(name: &str, bytes: &[u8]) {
    let (mut ours, mut plain) = (f64::INFINITY, f64::INFINITY);
    let mut runs = 0;
    for _ in 0..ROUNDS {
        ours = ours.min(timed(|| runs = std::hint::black_box(read_any(name, bytes)).0.len()));
        plain = plain.min(timed(|| parse(bytes)));
    }
    let speed = |seconds: f64| bytes.len() as f64 / MEGABYTE / seconds;
    let (ours_speed, plain_speed, ratio) = (speed(ours), speed(plain), ours / plain);
    let told = if ratio > 1.0 {
        format!("ours takes {ratio:.2} times as long")
    } else {
        format!("ours is {:.2} times as fast", 1.0 / ratio)
    };
    println!("{name:<48} {runs:>6} runs  ours {ours_speed:>6.0} MB/s  Value {plain_speed:>6.0} MB/s  {told}");
}

/// Every value of the bytes, one or one a line; XML is only looked through by the same parser that our reader uses.
fn parse(bytes: &[u8]) {
    if bytes.starts_with(b"<") {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut reader = quick_xml::Reader::from_str(text);
        while !matches!(
            std::hint::black_box(reader.read_event()).unwrap(),
            quick_xml::events::Event::Eof
        ) {}
        return;
    }
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        if std::hint::black_box(value).is_err() {
            break;
        }
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

fn data(folder: &Path) {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files.iter().filter(|path| path.is_file()) {
        let packed = std::fs::read(path).unwrap();
        let bytes = if path.extension().is_some_and(|ending| ending == "zst") {
            zstd::decode_all(&packed[..]).unwrap()
        } else {
            packed
        };
        compare(&path.file_name().unwrap().to_string_lossy(), &bytes);
    }
}

fn memory(megabytes: usize, name: &str) {
    let sample: &Sample = SAMPLES.iter().find(|sample| sample.name == name).unwrap();
    let mut file = std::io::BufWriter::new(tempfile::NamedTempFile::new().unwrap());
    sample.write(megabytes * 1_000_000, |piece| file.write_all(piece.as_bytes()).unwrap());
    let file = file.into_inner().unwrap();
    let before = peak();
    let (mut runs, mut steps) = (0_usize, 0_usize);
    let began = Instant::now();
    let problems = FileReader::default().each(file.path(), "file", &mut |run| {
        runs += 1;
        steps += run.trace.steps.len();
    });
    let seconds = began.elapsed().as_secs_f64();
    let problems = problems.unwrap();
    println!(
        "{name}: {megabytes} MB, {runs} runs, {steps} steps, {} problems in {seconds:.1} s; peak memory {:.0} MB, {before:.0} MB before",
        problems.len(),
        peak()
    );
    problems.iter().take(3).for_each(|problem| println!("  {problem}"));
}

/// The most memory that this process ever had, in megabytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1000.0
}
