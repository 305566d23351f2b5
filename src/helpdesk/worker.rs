//! The worker protocol (`docs/worker-protocol.md`) on any pair of streams.

use super::agent::{self, Transcript};
use super::playbook::Playbook;
use super::shop::Shop;
use super::tasks::{self, Task};
use super::{tools, verdict};
use fs_err as fs;
use serde_json::{Value, json};
use sprag_core::case::{Fixture, Input};
use sprag_core::failure::FailureKind;
use sprag_core::protocol::{FromWorker, HarnessReload, PROTOCOL, RunError, RunRequest, RunResult};
use sprag_core::trace::{Check, Expected, Trace};
use sprag_core::trial::{Split, Usage};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Instant;

/// Where the harness is, from the root of the repository.
pub(super) const PLAYBOOK: &str = "agent/playbook.toml";
/// Where the database is.
pub(super) const SHOP: &str = "data/shop.json";

/// Answers messages until `shutdown` or the end of the input. `root` is a checkout of the repository.
pub(super) fn serve(root: &Path, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.split(b'\n') {
        let message: Value = serde_json::from_slice(&line?).unwrap_or_default();
        let answer = match message["type"].as_str() {
            Some("hello") => ready(),
            Some("list") => list(&message["split"]),
            Some("run") => serde_json::to_value(FromWorker::Result(Box::new(run(root, message))))?,
            Some("shutdown") => break,
            _ => {
                tracing::warn!("ignored a line that is no message of the worker protocol");
                continue;
            }
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

fn ready() -> Value {
    json!({"type": "ready", "protocol": PROTOCOL, "name": "helpdesk", "parallel": 1, "harness": HarnessReload::Run, "cases": true})
}

/// An unknown split has no tasks, so the split is sent back as it came.
fn list(split: &Value) -> Value {
    let wanted: Option<Split> = serde_json::from_value(split.clone()).ok();
    let of_split = || tasks::all().iter().filter(|task| Some(task.split) == wanted);
    let ids: Vec<&str> = of_split().map(|task| task.id.as_str()).collect();
    let inputs: BTreeMap<&str, &str> = of_split()
        .map(|task| (task.id.as_str(), task.ticket.as_str()))
        .collect();
    json!({"type": "tasks", "split": split, "ids": ids, "inputs": inputs})
}

fn run(root: &Path, message: Value) -> RunResult {
    let started = Instant::now();
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    let outcome = serde_json::from_value(message)
        .map_err(|error| evaluator(format!("the message `run` cannot be read: {error}")))
        .and_then(|request: RunRequest| outcome(root, &request));
    let result = RunResult {
        id,
        passed: None,
        score: None,
        trace: None,
        usage: Usage::default(),
        duration_ms: 0,
        error: None,
    };
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok((passed, trace)) => RunResult {
            passed,
            score: passed.map(|passed| f64::from(u8::from(passed))),
            trace,
            duration_ms,
            ..result
        },
        Err(error) => RunResult {
            error: Some(error),
            duration_ms,
            ..result
        },
    }
}

/// The verdict, if this worker has one, and the trace, if it was asked for.
fn outcome(root: &Path, request: &RunRequest) -> Result<(Option<bool>, Option<Trace>), RunError> {
    let (passed, trace) = match (&request.task, &request.case) {
        (Some(id), None) => {
            let task = tasks::find(id).ok_or_else(|| evaluator(format!("unknown task '{id}'")))?;
            let (passed, trace) = run_task(root, task)?;
            (Some(passed), trace)
        }
        (None, Some(case)) => (None, run_case(root, case)?),
        _ => return Err(evaluator("a run needs exactly one of 'task' and 'case'".to_owned())),
    };
    Ok((passed, request.trace.then_some(trace)))
}

/// Plays a recorded ticket on the shop with the rows that its fixtures show; a call that the shop knows nothing of is answered as it was
/// then. There is no ground truth: sprag scores the trace.
fn run_case(root: &Path, case: &Value) -> Result<Trace, RunError> {
    let unreadable = |error: serde_json::Error| evaluator(format!("the case cannot be read: {error}"));
    let input: Input = serde_json::from_value(case["input"].clone()).map_err(unreadable)?;
    let fixtures: Option<Vec<Fixture>> = serde_json::from_value(case["fixtures"].clone()).map_err(unreadable)?;
    let (ticket, fixtures) = (input.messages.join("\n"), fixtures.unwrap_or_default());
    let mut shop = open_shop(root)?;
    fixtures.iter().for_each(|fixture| tools::remember(&mut shop, fixture));
    let mut answer = |tool: &str, arguments: &tools::Arguments| {
        tools::call(&mut shop, tool, arguments).or_else(|why| {
            let same = |fixture: &&Fixture| fixture.name == tool && fixture.arguments == *arguments;
            fixtures.iter().find(same).map_or(Err(why), agent::recorded)
        })
    };
    let transcript = play(root, &ticket, &mut answer).unwrap_or_else(|why| Transcript::broken(&ticket, why));
    Ok(Trace {
        steps: transcript.steps,
        termination: transcript.termination,
        tools: tools::specs(),
        ..Trace::default()
    })
}

/// Plays a task; whether it passed, and its whole trace.
pub(super) fn run_task(root: &Path, task: &Task) -> Result<(bool, Trace), RunError> {
    let mut shop = open_shop(root)?;
    shop.merge(task.rows.clone());
    let before = shop.clone();
    let mut answer = |tool: &str, arguments: &tools::Arguments| tools::call(&mut shop, tool, arguments);
    let (transcript, broken) = match play(root, &task.ticket, &mut answer) {
        Ok(transcript) => (transcript, None),
        Err(why) => (Transcript::broken(&task.ticket, why.clone()), Some(why)),
    };
    let mut checks = verdict::checks(&task.expected, &before, &shop, &transcript.steps);
    checks.extend(broken.map(|detail| Check {
        name: "playbook_can_be_read".to_owned(),
        kind: "harness".to_owned(),
        passed: false,
        detail,
    }));
    let passed = checks.iter().all(|check| check.passed);
    let expected: Option<Expected> = Some(task.expected.clone());
    let trace = Trace {
        impact: None,
        steps: transcript.steps,
        termination: transcript.termination,
        tools: tools::specs(),
        expected,
        checks,
    };
    Ok((passed, trace))
}

/// Plays the playbook of the checkout. A playbook that cannot be read is the agent's own fault, so it is no [`RunError`].
fn play(root: &Path, ticket: &str, tools: &mut agent::Tools<'_>) -> Result<Transcript, String> {
    let text = fs::read_to_string(root.join(PLAYBOOK))
        .map_err(|error| format!("{PLAYBOOK} cannot be read: {}", error.kind()))?;
    let playbook = Playbook::parse(&text).map_err(|error| format!("{PLAYBOOK}: {error}"))?;
    Ok(agent::play(&playbook, ticket, tools))
}

fn open_shop(root: &Path) -> Result<Shop, RunError> {
    let broken = |why: String| RunError {
        kind: FailureKind::Infrastructure,
        message: format!("the database {SHOP} cannot be read: {why}"),
    };
    let text = fs::read_to_string(root.join(SHOP)).map_err(|error| broken(error.kind().to_string()))?;
    serde_json::from_str(&text).map_err(|error| broken(error.to_string()))
}

fn evaluator(message: String) -> RunError {
    RunError {
        kind: FailureKind::Evaluator,
        message,
    }
}
