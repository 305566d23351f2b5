//! What sprag adds to a task run: the same instant worker through the runner and through a bare loop, in turns.
//!
//! `cargo bench --bench overhead`. The aim is a difference of the medians below 2 ms.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and stops when anything fails"
)]

use sprag::project::ProjectFiles;
use sprag::runner::{Hold, Job, Runner, WorkerConfig, WorkerRunner};
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_sandbox::{Choice, Limits};
use sprag_testkit::workers;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;

const RUNS: usize = 2000;
const AIM: Duration = Duration::from_millis(2);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let command = workers::python("instant.py", &[]);
    let program = Path::new(env!("CARGO_BIN_EXE_sprag"));
    let hold = Hold::select(Choice::Auto, program, vec![], Limits::default()).unwrap();
    println!("sandbox tier: {}", hold.tier());
    let runner = WorkerRunner::new(WorkerConfig {
        command: command.clone(),
        project_dir: scratch.path().to_owned(),
        files: ProjectFiles::default(),
        concurrency: 1,
        timeout: Duration::from_secs(60),
        retries: 0,
        env_pass: vec![],
        scratch: scratch.path().to_owned(),
        hold,
        proxy: None,
    });
    let mut bare = Bare::start(&command);
    let (mut with_sprag, mut without) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        with_sprag.push(runtime.block_on(run_once(&runner)));
        without.push(bare.run_once());
    }
    drop(bare);
    runtime.block_on(runner.shut_down());
    let (with_sprag, without) = (median(with_sprag), median(without));
    let difference = with_sprag.saturating_sub(without);
    println!("median of {RUNS} runs, in microseconds");
    println!("  through sprag  {:>6}", with_sprag.as_micros());
    println!("  bare loop      {:>6}", without.as_micros());
    println!(
        "  difference     {:>6}   (aim: below {})",
        difference.as_micros(),
        AIM.as_micros()
    );
    assert!(difference < AIM, "sprag's own overhead is over its aim");
}

/// One call with one job: everything that sprag does around a run is in it.
async fn run_once(runner: &WorkerRunner) -> Duration {
    let jobs = [Job {
        task: TaskId::new("a"),
        case: None,
        trial: 0,
        seed: 7,
        trace: true,
    }];
    let (done, mut trials) = unbounded_channel();
    let harness = Harness::default();
    let started = Instant::now();
    runner.run(&harness, &jobs, done).await.unwrap();
    let (_, trial) = trials.recv().await.unwrap();
    let elapsed = started.elapsed();
    assert!(trial.passed());
    elapsed
}

/// The worker without sprag.
struct Bare {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Bare {
    fn start(command: &[String]) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the bare loop is what the runner is held against"
        )]
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        let mut bare = Self { child, stdin, stdout };
        bare.ask(r#"{"type":"hello","protocol":1}"#);
        bare
    }

    fn ask(&mut self, message: &str) -> String {
        writeln!(self.stdin, "{message}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn run_once(&mut self) -> Duration {
        let started = Instant::now();
        let line = self.ask(r#"{"type":"run","id":"r1","task":"a","trial":0,"seed":7,"trace":true}"#);
        let elapsed = started.elapsed();
        assert!(line.contains("true"));
        elapsed
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
