//! Inputs of any size: long issues with long comments, runs of a million steps, and more issues than anybody reads.

use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::flow::sync::ISSUES_PER_JOB;
use crate::project::ProjectFile;
use crate::runner::{Measured, Ourselves};
use crate::workspace::Workspace;
use fs_err as fs;
use serde_json::json;
use sprag_core::mine::{self, model};
use sprag_core::trace::read::read_any;
use sprag_standin::github::{Exchange, FakeGitHub, PERMISSIONS, Person};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) const ATTEMPTS: [Attempt; 4] = [
    Attempt {
        promise: "P24",
        way: Way::Async(|ground| Box::pin(long_issue(ground))),
    },
    Attempt {
        promise: "P24",
        way: Way::Async(|ground| Box::pin(long_run(ground))),
    },
    Attempt {
        promise: "P24",
        way: Way::Blocking(long_prompt),
    },
    Attempt {
        promise: "P24",
        way: Way::Async(|ground| Box::pin(many_issues(ground))),
    },
];

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The most memory that it may have, in kilobytes. A program that was built for debugging gets more.
const MEMORY: u64 = if cfg!(debug_assertions) { 384 } else { 256 } * 1024;
/// How long it may take to read and explain the longest run.
const PATIENCE: Duration = Duration::from_secs(300);
/// Requests of the job that is killed.
const BEFORE_THE_KILL: u64 = 100;
/// Letters that GitHub takes for an issue or a comment.
const LETTERS: usize = 65_536;
const REPO: &str = "acme/shop";
const CONFIG: &str = "[runner]\ncommand = [\"./worker\"]\n";

/// Whether it ended well, within its memory.
fn within(taken: &Measured) -> Result<(), String> {
    match taken.status {
        Some(status) if !status.success() => {
            let lines: Vec<&str> = taken.told.lines().collect();
            Err(format!("it ended with {status}: {}", lines.join(" ")))
        }
        None => Err("it was killed".to_owned()),
        Some(_) if taken.peak_kb > MEMORY => Err(format!("it took {} MB", taken.peak_kb / 1024)),
        Some(_) => Ok(()),
    }
}

/// A repository on a GitHub of this machine, and a checkout of it.
struct Shop {
    fake: FakeGitHub,
    bob: Person,
    alice: Person,
    token: String,
    checkout: PathBuf,
}

impl Shop {
    async fn new(ground: &Ground) -> Result<Self, Error> {
        let fake = FakeGitHub::start().await;
        let repo = fake.create_repo(REPO, true);
        repo.commit("main", &[("sprag.toml", CONFIG)], "Begin");
        repo.role("alice", "write");
        fake.rate_left(u32::MAX.into());
        let (alice, bob) = (fake.person("alice").at(REPO), fake.person("bob").at(REPO));
        let token = repo.job_token(&PERMISSIONS);
        let checkout = ground.scratch.join("checkout");
        let files = [
            ("sprag.toml", CONFIG),
            ("agent/prompt.md", "Be kind.\n"),
            ("worker", ""),
        ];
        let files = files.map(|(path, text)| ProjectFile {
            path: path.to_owned(),
            bytes: text.into(),
            executable: false,
        });
        Workspace::create(&checkout, &files)?;
        Ok(Self {
            fake,
            bob,
            alice,
            token,
            checkout,
        })
    }

    fn reports(&self, title: &str, body: &str) -> u64 {
        self.fake.advance(Duration::from_secs(1));
        let issue = self.bob.opens_issue(title, body);
        self.alice.labels(issue, "agent-failure");
        issue
    }

    /// `sprag sync` as a process of its own, until `enough`.
    async fn sync(&self, program: &Path, enough: impl Fn() -> bool) -> std::io::Result<Measured> {
        let (api, server) = (self.fake.enterprise_url(), self.fake.api_url());
        let environment = [
            ("GITHUB_REPOSITORY", REPO),
            ("GITHUB_API_URL", &api),
            ("GITHUB_SERVER_URL", &server),
            ("GITHUB_TOKEN", &self.token),
            ("SPRAG_PACE", "0"),
        ];
        Ourselves::start_with(program, &["sync", "--json"], &self.checkout, true, &environment)?
            .measured(enough)
            .await
    }
}

/// An issue as long as GitHub lets it be, with as long comments.
async fn long_issue(ground: Arc<Ground>) -> Outcome {
    let shop = Shop::new(&ground).await?;
    let run = json!({"task": "t", "passed": false, "trace": {"steps": steps(3), "termination": "agent_stop", "expected": {"actions": [{"name": "refund", "arguments": {}}]}}});
    let mut body = format!("It went wrong.\n\n```json\n{run}\n```\n");
    body.extend(std::iter::repeat_n('x', LETTERS - body.chars().count()));
    let issue = shop.reports("A long one", &body);
    let comment: String = "@acme `:::` <!-- [ ".chars().cycle().take(LETTERS).collect();
    for _ in 0..if ground.quick { 2 } else { 100 } {
        shop.bob.comments(issue, &comment);
    }
    shop.fake.advance(Duration::from_secs(600));
    let mut tally = Tally::default();
    tally.case(
        "an issue of 65,536 letters with comments of as many",
        within(&shop.sync(&ground.program, || false).await?),
    );
    let answered = shop.fake.page().contains("never called `refund`");
    let answered = answered
        .then_some(())
        .ok_or_else(|| "nobody was told what went wrong".to_owned());
    tally.case("its failure is explained", answered);
    Ok(tally)
}

/// Steps of a run that looks at one thing after the other.
fn steps(n: usize) -> Vec<serde_json::Value> {
    (0..n)
        .map(|step| match step % 3 {
            0 => json!({"role": "user", "content": format!("Please look at order {step} once more.")}),
            1 => json!({"role": "assistant", "tool_calls": [{"id": format!("c{step}"), "name": "get_order", "arguments": {"order": step}}]}),
            _ => json!({"role": "tool", "call_id": format!("c{}", step - 1), "content": "{\"status\": \"late\"}"}),
        })
        .collect()
}

/// A session of a coding agent with a million lines, as a file.
async fn long_run(ground: Arc<Ground>) -> Outcome {
    let lines = if ground.quick { 10_000 } else { 1_000_000 };
    let path = ground.scratch.join("session.jsonl");
    let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
    for n in 0..lines {
        let line = match n % 2 {
            0 => {
                json!({"type": "assistant", "session_id": "s", "message": {"role": "assistant", "content": [{"type": "tool_use", "id": format!("t{n}"), "name": "Bash", "input": {"command": "ls"}}]}})
            }
            _ => {
                json!({"type": "user", "session_id": "s", "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("t{}", n - 1), "content": "no such file"}]}})
            }
        };
        writeln!(file, "{line}")?;
    }
    writeln!(
        file,
        "{}",
        json!({"type": "result", "subtype": "error_max_turns", "is_error": true, "session_id": "s"})
    )?;
    file.flush()?;
    drop(file);
    let arguments = ["ingest", "session.jsonl", "--json"];
    let began = Instant::now();
    let taken = Ourselves::start(&ground.program, &arguments, &ground.scratch, true)?
        .measured(|| began.elapsed() > PATIENCE)
        .await?;
    let mut tally = Tally::default();
    tally.case(format!("a session of {lines} lines"), within(&taken));
    Ok(tally)
}

/// What a model is asked about a run of any length.
fn long_prompt(ground: &Ground) -> Outcome {
    let policy = model::Policy {
        model: "m".to_owned(),
        max_input_tokens: 8_000,
        max_output_tokens: 1_000,
        temperature: None,
    };
    let most = usize::try_from(policy.max_input_tokens)? * 4;
    let mut tally = Tally::default();
    for length in [1_000, if ground.quick { 10_000 } else { 100_000 }] {
        let run = json!({"task": "t", "passed": false, "trace": {"steps": steps(length), "termination": "agent_stop"}});
        let (runs, _) = read_any("run", run.to_string().as_bytes());
        let run = runs.into_iter().next().ok_or("the run cannot be read")?;
        let record = mine::mine(&run.source, &run.task, &run.trace);
        let request = model::request(&run.trace, &record, &policy);
        let mut told = request.system.clone();
        request
            .messages
            .iter()
            .for_each(|message| write!(told, "{message:?}").unwrap_or_default());
        let outcome = if told.len() > most * 5 / 4 {
            Err(format!("the question has {} bytes, for a limit of {most}", told.len()))
        } else {
            Ok(())
        };
        tally.case(format!("the question about {length} steps"), outcome);
    }
    Ok(tally)
}

/// More issues than one look reads, and a job that is killed in the middle of them.
async fn many_issues(ground: Arc<Ground>) -> Outcome {
    let (issues, labelled) = if ground.quick { (440, 220) } else { (50_000, 2_000) };
    let shop = Shop::new(&ground).await?;
    for n in 0..issues {
        let (title, body) = (format!("Failure {n}"), "It does not work.");
        if n % (issues / labelled) == 0 {
            shop.reports(&title, body);
        } else {
            shop.bob.opens_issue(&title, body);
        }
    }
    shop.fake.advance(Duration::from_secs(600));
    // Hours went by while they were written.
    shop.fake.rate_left(u32::MAX.into());
    let mut tally = Tally::default();
    let killed = shop
        .sync(&ground.program, || shop.fake.requests() > BEFORE_THE_KILL)
        .await?;
    if killed.status.is_some() {
        tally.untried("the job ended before it could be killed");
    }
    tally.case(
        format!("{labelled} of {issues} issues, after a kill"),
        within(&shop.sync(&ground.program, || false).await?),
    );
    let answered = |exchange: &Exchange| {
        exchange.status == 201 && exchange.endpoint.template.ends_with("/{issue_number}/comments")
    };
    let exchanges = shop.fake.exchanges();
    let answers: Vec<&str> = exchanges
        .iter()
        .filter(|exchange| answered(exchange))
        .map(|exchange| exchange.target.as_str())
        .collect();
    let of: BTreeSet<&str> = answers.iter().copied().collect();
    let once = match (of.len(), answers.len()) {
        (few, _) if few < ISSUES_PER_JOB => Err(format!("{few} issues are answered")),
        (issues, answers) if answers > issues => Err(format!("{answers} answers to {issues} issues")),
        _ => Ok(()),
    };
    tally.case("as many as a job may answer are answered, each once", once);
    Ok(tally)
}
