//! What the state branch costs: so many facts of about 2 KB on it, then updates of 10.
//!
//! `cargo bench --bench state_branch -- 10000`. The branch is in a bare repository on the same disk, so the times are sprag's and git's own, without
//! a network. The aim is an update in less than 100 ms of processor time, whatever is there already.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops when anything fails"
)]

use sprag::store::{BranchStore, Stored};
use sprag::workspace::Remote;
use sprag_core::hash;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const NOW: &str = "2026-07-25T10:11:12Z";
const UPDATES: usize = 70;

fn main() {
    let n = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.git");
    let made = Command::new("git")
        .args(["init", "--quiet", "--bare"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    let open = |cache: &str| {
        let remote = Remote {
            url: path.to_string_lossy().into_owned(),
            token: None,
        };
        BranchStore::open(remote, "sprag/state", &dir.path().join(cache))
            .unwrap()
            .0
    };
    let facts: Vec<Stored> = (0..n + UPDATES * 10).map(fact).collect();
    let bytes = facts.iter().map(|fact| fact.fact.to_string().len()).sum::<usize>() / facts.len();
    println!("{n} facts of {bytes} bytes");
    let mut store = open("a");
    measured("first push", || store.publish(&facts[..n], NOW).unwrap());
    println!("  size on the server  {:>9.1} KB", size(&path) as f64 / 1e3);
    drop(store);
    let mut store = measured("load, new clone", || open("b"));
    assert_eq!(store.facts().len(), n);
    drop(measured("load, nothing new", || open("b")));
    let before = size(&path);
    let mut times = Vec::new();
    for update in facts[n..].chunks(10) {
        let start = (Instant::now(), cpu());
        store.publish(update, NOW).unwrap();
        times.push((start.0.elapsed().as_secs_f64(), cpu() - start.1));
    }
    let grown = (size(&path) - before) as f64 / UPDATES as f64;
    let all: (f64, f64) = times
        .iter()
        .fold((0.0, 0.0), |sum, time| (sum.0 + time.0, sum.1 + time.1));
    let slowest = times.iter().map(|time| time.0).fold(0.0, f64::max);
    let each = UPDATES as f64;
    println!(
        "  update of 10 facts  {:>9.1} ms wall {:>9.1} ms processor, mean of {UPDATES}",
        all.0 / each * 1e3,
        all.1 / each * 1e3
    );
    println!("  the one that folds  {:>9.1} ms wall", slowest * 1e3);
    println!("  growth per push     {:>9.1} KB, before git packs it", grown / 1e3);
    assert_eq!(open("c").facts().len(), facts.len());
    assert!(all.1 / each < 0.1, "an update takes more processor time than it should");
}

/// Words of small vocabularies: what packs about as well as records of real runs.
fn fact(n: usize) -> Stored {
    let id = hash::of_text(&n.to_string());
    let words = (0..).map(|word| {
        let digits = hash::of_text(&format!("{n}/{word}"));
        let value = u32::from_str_radix(&digits[..8], 16).unwrap_or_default();
        if value.is_multiple_of(3) {
            digits[..8].to_owned()
        } else {
            format!("word{}", value % 500)
        }
    });
    let mut text = String::new();
    for word in words {
        text.push_str(&word);
        text.push(' ');
        if text.len() > 1900 {
            break;
        }
    }
    let at = format!(
        "2026-{:02}-{:02}T{:02}:{:02}:00Z",
        n / 44_640 % 12 + 1,
        n / 1440 % 31 + 1,
        n / 60 % 24,
        n % 60
    );
    let fact = serde_json::json!({"kind": "failure_seen", "url": format!("https://example.org/{n}"), "text": text});
    Stored { id, at, fact }
}

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), cpu());
    let made = work();
    let (wall, cpu) = (start.elapsed().as_secs_f64() * 1e3, (cpu() - before) * 1e3);
    println!("  {what:<18}  {wall:>9.1} ms wall {cpu:>9.1} ms processor");
    made
}

/// Seconds of processor time that this process has used, of its own and of the system's.
fn cpu() -> f64 {
    let stat = fs_err::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    // The 14th and 15th field of the file, in hundredths of a second.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn size(path: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(path) else {
        return fs_err::metadata(path).map_or(0, |file| file.len());
    };
    entries.map(|entry| size(&entry.unwrap().path())).sum()
}
