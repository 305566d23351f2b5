//! What it takes to read everything that a busy repository has: labelled issues with traces, comments on some of them, and artifacts with
//! traces, from nothing and again when nothing is new.
//!
//! `cargo bench --bench intake -- 10000 1000` (issues, artifacts). `sprag sync` is a process of its own here, and GitHub is the one of the tests,
//! on loopback; requests are counted by GitHub, and the peak of memory is what the kernel says. The floor is the fewest requests that the API
//! allows: pages of 100, one download an artifact. The aim is to read with at most 1 % more than that, within 1 GB.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops when anything fails"
)]

use serde_json::json;
use sprag::project::ProjectFile;
use sprag::workspace::Workspace;
use sprag_testkit::github::{FakeGitHub, PERMISSIONS};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const REPO: &str = "acme/shop";
const CONFIG: &str = r#"
[runner]
command = ["./worker"]

[signals]
artifacts = ["agent-traces*"]
workflows = ["nightly.yml"]
"#;
/// Every so many issues, one has a comment.
const COMMENTED: usize = 5;
/// Artifacts that one workflow run uploads.
const PER_RUN: usize = 2;
/// Traces in an artifact.
const TRACES: usize = 20;

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<usize>().ok());
    let issues = numbers.next().unwrap_or(10_000);
    let artifacts = numbers.next().unwrap_or(1_000);
    for part in [10, 1] {
        measure(issues / part, artifacts / part).await;
    }
}

async fn measure(issues: usize, artifacts: usize) {
    println!("{issues} labelled issues, {artifacts} artifacts of {TRACES} traces");
    let fake = FakeGitHub::start().await;
    let token = fill(&fake, issues, artifacts);
    let dir = tempfile::tempdir().unwrap();
    project(dir.path());
    let pages = |things: usize| things.div_ceil(100).max(1);
    // The lists of issues, of their comments, of who put labels on, of artifacts and of runs; what somebody may do, and who we are.
    let lists = [issues, issues / COMMENTED, issues, artifacts, artifacts / PER_RUN].map(pages);
    let floor = lists.iter().sum::<usize>() + artifacts * 2 + 3;
    let first = sync(&fake, &token, dir.path());
    println!("  first sync          {first}");
    println!(
        "    reading           {} requests, {floor} are the floor",
        first.reading
    );
    for (endpoint, n) in &first.by_endpoint {
        println!("      {n:>6}  {endpoint}");
    }
    let again = sync(&fake, &token, dir.path());
    println!("  next sync           {again}");
    let told = (issues + artifacts * TRACES) as f64;
    println!("    memory a failure  {:.1} KB", first.peak_kb as f64 / told);
    assert!(
        first.reading as f64 <= floor as f64 * 1.01 + 10.0,
        "it asks for more than it must"
    );
    assert!(first.peak_kb < 1_000_000, "it needs too much memory");
}

/// What one sync took.
struct Taken {
    reading: u64,
    writing: u64,
    git: u64,
    unchanged: usize,
    peak_kb: u64,
    wall: Duration,
    by_endpoint: BTreeMap<String, u64>,
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} requests to read, {} to look and write, {} of git; {} answered with \"unchanged\"; peak {} MB; {:.1} s",
            self.reading,
            self.writing,
            self.git,
            self.unchanged,
            self.peak_kb / 1000,
            self.wall.as_secs_f64()
        )
    }
}

fn sync(fake: &FakeGitHub, token: &str, project: &Path) -> Taken {
    let before = fake.exchanges().len();
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sprag"))
        .args(["sync", "--json"])
        .current_dir(project)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GITHUB_REPOSITORY", REPO)
        .env("GITHUB_API_URL", fake.enterprise_url())
        .env("GITHUB_SERVER_URL", fake.api_url())
        .env("GITHUB_TOKEN", token)
        .env("SPRAG_PACE", "0")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kb = 0;
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kb = line.map_or(peak_kb, |line| {
            line.trim().trim_end_matches(" kB").parse().unwrap_or(peak_kb)
        });
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success(), "{}", fake.log());
    let mut taken = Taken {
        reading: 0,
        writing: 0,
        git: 0,
        unchanged: 0,
        peak_kb,
        wall: began.elapsed(),
        by_endpoint: BTreeMap::new(),
    };
    for exchange in &fake.exchanges()[before..] {
        let endpoint = format!("{} {}", exchange.endpoint.method, exchange.endpoint.template);
        // What is looked up for an answer is one issue's own.
        let answers = endpoint.contains("{issue_number}") || endpoint.contains("label") || !endpoint.starts_with("GET");
        let count = match (endpoint.contains(".git/"), answers) {
            (true, _) => &mut taken.git,
            (false, true) => &mut taken.writing,
            (false, false) => &mut taken.reading,
        };
        *count += 1;
        taken.unchanged += usize::from(exchange.status == 304);
        *taken.by_endpoint.entry(endpoint).or_default() += 1;
    }
    taken
}

fn project(folder: &Path) {
    let file = |path: &str, text: &str| ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable: false,
    };
    let files = [
        file("sprag.toml", CONFIG),
        file("agent/prompt.md", "Be kind.\n"),
        file("worker", ""),
    ];
    Workspace::create(folder, &files).unwrap();
}

/// Fills the repository; the token of a job comes back.
fn fill(fake: &FakeGitHub, issues: usize, artifacts: usize) -> String {
    let repo = fake.create_repo(REPO, true);
    repo.commit("main", &[("sprag.toml", CONFIG)], "Begin");
    repo.role("alice", "write");
    fake.rate_left(u32::MAX.into());
    let (alice, bob) = (fake.person("alice").at(REPO), fake.person("bob").at(REPO));
    for n in 0..issues {
        let body = format!("It went wrong.\n\n```json\n{}\n```\n", trace(n));
        fake.advance(Duration::from_secs(1));
        let issue = bob.opens_issue(&format!("Failure {n}"), &body);
        alice.labels(issue, "agent-failure");
        if n.is_multiple_of(COMMENTED) {
            bob.comments(issue, "It happened once more.");
        }
    }
    let mut run = 0;
    for n in 0..artifacts {
        if n.is_multiple_of(PER_RUN) {
            run = repo.workflow_run("nightly.yml", "failure", false);
        }
        let lines: Vec<String> = (0..TRACES).map(|at| trace(issues + n * TRACES + at)).collect();
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("runs.jsonl", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(lines.join("\n").as_bytes()).unwrap();
        repo.uploads_artifact(run, "agent-traces", &zip.finish().unwrap().into_inner());
    }
    fake.advance(Duration::from_secs(600));
    repo.job_token(&PERMISSIONS)
}

/// A failed run, as a worker writes it; no two are the same.
fn trace(n: usize) -> String {
    let missing = ["refund", "unlock", "notify", "cancel", "reship", "escalate"][n % 6];
    json!({
        "task": format!("task-{n}"),
        "passed": false,
        "trace": {
            "steps": [
                {"role": "user", "content": format!("Please look at order O-{n:06}.")},
                {"role": "assistant", "tool_calls": [{"id": "c1", "name": "get_order", "arguments": {"order_id": format!("O-{n:06}")}}]},
                {"role": "tool", "call_id": "c1", "content": "{\"status\": \"late\", \"carrier\": \"blue\", \"value\": 40}"},
                {"role": "assistant", "content": "It will come."},
            ],
            "termination": "agent_stop",
            "expected": {"actions": [{"name": missing, "arguments": {"order_id": format!("O-{n:06}")}}]},
        },
    })
    .to_string()
}
