//! What a sandbox costs at the start of a process, in each tier that this machine has: wall time, and CPU time of all processes involved.
//!
//! `cargo bench --bench sandbox`. The aim for tier A is 6 ms of CPU more than a start without a sandbox.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops when anything fails"
)]

use sprag_sandbox::{Choice, Order, Policy, Sandbox, Tier};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const STARTS: u32 = 100;

fn main() {
    let program = Path::new(env!("CARGO_BIN_EXE_sprag"));
    let none = cost(&Sandbox::none());
    println!(
        "{:<28} {:>10} {:>10} {:>12} {:>12}",
        "tier", "wall p50", "CPU mean", "more CPU", "self-test"
    );
    println!("{:<28} {:>7.2} ms {:>7.2} ms", Tier::None, ms(none.0), ms(none.1));
    for choice in [Choice::A, Choice::B] {
        let begun = Instant::now();
        match Sandbox::select(choice, program) {
            Ok(sandbox) => {
                let proven = begun.elapsed();
                let (wall, cpu) = cost(&sandbox);
                let more = cpu.saturating_sub(none.1);
                println!(
                    "{:<28} {:>7.2} ms {:>7.2} ms {:>9.2} ms {:>9.2} ms",
                    sandbox.tier(),
                    ms(wall),
                    ms(cpu),
                    ms(more),
                    ms(proven)
                );
            }
            Err(refused) => println!("not measured: {refused}"),
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Median wall time and mean CPU time of a start of `/bin/true`.
fn cost(sandbox: &Sandbox) -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let work = fs_err::canonicalize(folder.path()).unwrap();
    let policy = Policy::writing([work.clone()]);
    let command = ["/bin/true".to_owned()];
    let order = Order {
        command: &command,
        env: &[],
        dir: &work,
        policy: &policy,
    };
    let before = cpu();
    let mut walls: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let begun = Instant::now();
            let (mut command, ticket) = sandbox.prepare(&order).unwrap();
            let mut child = command.stdin(Stdio::null()).spawn().unwrap();
            let leash = ticket.redeem().unwrap();
            assert!(child.wait().unwrap().success());
            drop(leash);
            begun.elapsed()
        })
        .collect();
    walls.sort();
    (walls[walls.len() / 2], (cpu() - before) / STARTS)
}

/// CPU time of this process, and of all its children that have ended.
fn cpu() -> Duration {
    let stat = fs_err::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
