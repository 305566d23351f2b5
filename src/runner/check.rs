//! `sprag worker check`: the whole worker protocol against one worker, and what is wrong with it in plain words.

mod report;
mod session;

pub use report::{CheckReport, Finding, Outcome};

use super::answer::{case_result_problems, ready_problems, result_problems, tasks_problems};
use super::hold::Hold;
use super::worker::in_words;
use crate::project::ProjectFiles;
use crate::proxy::Proxy;
use report::Trouble;
use serde_json::{Value, json};
use session::{Said, Session};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const FIELDS: &str = "see the table of messages in docs/worker-protocol.md";
const NO_TRACE: &str = "leave `trace` out of the result when the run says `\"trace\": false`";
const QUIET: &str =
    "print to stderr instead (Python: `print(..., file=sys.stderr)`); sprag_worker.py does this for all of your code";
const INPUTS: &str = "send `inputs` with `tasks`, or return a dict from the function of `@worker.tasks`";
const IDS: &str = "give every task one id of its own, in one split only";
/// The checks that make runs, in order.
const RUNS: [&str; 7] = [
    "run",
    "second run",
    "parallel runs",
    "unknown task",
    "case",
    "no trace",
    "held-out run",
];
/// How many problems of one message are named.
const MAX_NAMED: usize = 5;

/// What to check, and how patiently.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The program and its arguments; `{project}` stands for the path of the project.
    pub command: Vec<String>,
    /// The absolute path of the project.
    pub project_dir: PathBuf,
    /// What the worker's checkout is made of.
    pub files: ProjectFiles,
    /// Names of environment variables that the worker gets besides the allow-list.
    pub env_pass: Vec<String>,
    /// An existing or new directory for the checkout.
    pub scratch: PathBuf,
    /// What holds the worker.
    pub hold: Hold,
    /// How long one answer may take.
    pub limit: Duration,
    /// How long the worker may take to end after `shutdown`.
    pub shutdown_limit: Duration,
    /// Where the worker may ask models.
    pub proxy: Option<Arc<Proxy>>,
}

/// Runs every check. `Err` only when no checkout can be written: everything the worker does wrong is in the report.
pub async fn check(mut request: CheckRequest) -> std::io::Result<CheckReport> {
    request.command = super::fill_project(&request.command, &request.project_dir);
    let mut checks = Checks {
        session: Session::new(&request)?,
        report: CheckReport::default(),
    };
    let about = checks.start(&request.command).await;
    if let Some(about) = about {
        checks.conversation(about, request.shutdown_limit).await;
    }
    if about.is_some() || checks.session.noise.n_lines > 0 {
        checks.noise();
    }
    Ok(checks.report)
}

/// What a worker says of itself.
#[derive(Debug, Clone, Copy)]
struct About {
    /// How many runs it takes at a time.
    parallel: u64,
    /// Whether it takes recorded inputs.
    cases: bool,
}

struct Checks<'a> {
    session: Session<'a>,
    report: CheckReport,
}

impl Checks<'_> {
    /// `None` when the worker does not get ready.
    async fn start(&mut self, command: &[String]) -> Option<About> {
        if let Err(error) = self.session.start().await {
            let message = format!("`{}` cannot be started: {error}", command.join(" "));
            let fix = "check the program's name and that it is installed; the command runs in the root of the project";
            self.report.problem("start", Trouble::new(message, fix));
            return self.not_ready();
        }
        match self.session.hello().await {
            Ok(ready) => {
                self.report.ok("start", "starts and answers `hello`");
                let troubles = fields(ready_problems(&ready.value), &ready);
                let is_usable = ready.value["protocol"] == 1;
                let parallel = ready.value["parallel"].as_u64().unwrap_or(1).max(1);
                let reload = ready.value["harness"].as_str().unwrap_or("start");
                let plural = if parallel == 1 { "" } else { "s" };
                let fine = format!(
                    "{}, takes {parallel} run{plural} at a time, reads the harness at every {reload}",
                    ready.value["name"]
                );
                self.report.settle("ready", troubles, fine);
                let cases = ready.value["cases"] == true;
                if is_usable {
                    Some(About { parallel, cases })
                } else {
                    self.not_ready()
                }
            }
            Err(trouble) => {
                self.report.problem("start", trouble);
                self.not_ready()
            }
        }
    }

    fn not_ready(&mut self) -> Option<About> {
        self.skip(
            &["train tasks", "validation tasks", "splits"],
            "the worker does not get ready",
        );
        self.skip(&RUNS, "the worker does not get ready");
        self.skip(&["unknown message", "shutdown"], "the worker does not get ready");
        None
    }

    fn skip(&mut self, checks: &[&'static str], why: &str) {
        for check in checks {
            self.report.skipped(check, why);
        }
    }

    async fn conversation(&mut self, about: About, shutdown_limit: Duration) {
        let (train, _) = self.tasks("train", "train tasks").await;
        let (validation, n_inputs) = self.tasks("validation", "validation tasks").await;
        self.splits(&train, &validation);
        if about.cases && n_inputs < validation.len() {
            let message = format!(
                "takes recorded inputs, and tells what {n_inputs} of {} validation tasks begin with: one that says what a held-out task \
                 says cannot be told, so fixed ones do not join the regression suite",
                validation.len()
            );
            self.report.warning("validation inputs", Trouble::new(message, INPUTS));
        }
        let Some(task) = train.first() else {
            self.skip(&RUNS, "there is no train task");
            return self.shutdown(shutdown_limit).await;
        };
        if let Some(passed) = self.run("run", task).await {
            self.second_run(task, passed).await;
            self.parallel_runs(task, about.parallel).await;
            self.unknown_task().await;
            self.case(about.cases).await;
            self.untraced("no trace", task).await;
            match validation.first() {
                Some(task) => self.untraced("held-out run", task).await,
                None => self.report.skipped("held-out run", "there is no validation task"),
            }
        } else {
            self.skip(&RUNS[1..], "mend `run` first");
        }
        self.unknown_message().await;
        self.shutdown(shutdown_limit).await;
    }

    /// The ids of a split, and of how many is told what they begin with.
    async fn tasks(&mut self, split: &str, check: &'static str) -> (Vec<String>, usize) {
        let said = match self
            .session
            .ask(&json!({"type": "list", "split": split}), "tasks")
            .await
        {
            Ok(said) => said,
            Err(trouble) => {
                self.report.problem(check, trouble);
                return (Vec::new(), 0);
            }
        };
        let ids: Vec<String> = serde_json::from_value(said.value["ids"].clone()).unwrap_or_default();
        let mut troubles = fields(tasks_problems(&said.value), &said);
        if said.value["split"].is_string() && said.value["split"] != split {
            let message = format!(
                "`split` must be the one that was asked for, \"{split}\", and it is {}",
                said.value["split"]
            );
            troubles.push(Trouble::new(message, FIELDS).quoting(&said.line));
        }
        if troubles.is_empty() && ids.is_empty() {
            troubles.push(Trouble::new(
                format!("has no {split} tasks"),
                "list at least one task in train and in validation",
            ));
        }
        let twice = duplicates(&ids);
        if !twice.is_empty() {
            troubles.push(Trouble::new(
                format!("lists some {split} tasks twice: {}", some(&twice)),
                IDS,
            ));
        }
        let n_ids = ids.len();
        self.report.settle(
            check,
            troubles,
            format!("{n_ids} task{}", if n_ids == 1 { "" } else { "s" }),
        );
        let inputs = said.value["inputs"].as_object();
        let n_inputs = inputs.map_or(0, |inputs| ids.iter().filter(|id| inputs.contains_key(*id)).count());
        (ids, n_inputs)
    }

    fn splits(&mut self, train: &[String], validation: &[String]) {
        if train.is_empty() || validation.is_empty() {
            return self.report.skipped("splits", "one of them has no tasks");
        }
        let train: BTreeSet<&String> = train.iter().collect();
        let shared: BTreeSet<&str> = validation
            .iter()
            .filter(|id| train.contains(id))
            .map(String::as_str)
            .collect();
        let shared: Vec<&str> = shared.into_iter().collect();
        if shared.is_empty() {
            return self.report.ok("splits", "train and validation share no task");
        }
        let message = format!("has tasks that are in train and in validation: {}", some(&shared));
        self.report.problem(
            "splits",
            Trouble::new(message, "keep validation tasks out of train: they must stay unseen"),
        );
    }

    async fn second_run(&mut self, task: &str, first: bool) {
        let second = self.run("second run", task).await;
        let word = |passed| if passed { "passed" } else { "failed" };
        if let Some(second) = second.filter(|second| *second != first) {
            let message = format!("the same task and seed {} and then {}", word(first), word(second));
            let fix = "take all randomness from `seed` where you can; sprag copes, but needs more runs to be sure";
            self.report.warning("second run", Trouble::new(message, fix));
        }
    }

    /// One traced run; its verdict if it has one.
    async fn run(&mut self, check: &'static str, task: &str) -> Option<bool> {
        let id = format!("check-{}", check.replace(' ', "-"));
        match self.session.ask(&run_message(&id, task, true), "result").await {
            Ok(said) => {
                let troubles = result_troubles(&said, &id);
                let passed = said.value["passed"].as_bool().filter(|_| troubles.is_empty());
                let n_steps = said.value["trace"]["steps"].as_array().map_or(0, Vec::len);
                let word = if passed == Some(true) { "passed" } else { "failed" };
                self.report
                    .settle(check, troubles, format!("{word}, with a trace of {n_steps} steps"));
                passed
            }
            Err(trouble) => {
                self.report.problem(check, trouble);
                None
            }
        }
    }

    async fn parallel_runs(&mut self, task: &str, parallel: u64) {
        if parallel == 1 {
            return self.report.skipped("parallel runs", "it takes 1 run at a time");
        }
        let mut waiting = BTreeSet::from(["check-parallel-1".to_owned(), "check-parallel-2".to_owned()]);
        for id in waiting.clone() {
            if let Err(trouble) = self.session.tell(&run_message(&id, task, true)).await {
                return self.report.problem("parallel runs", trouble);
            }
        }
        while !waiting.is_empty() {
            match self.session.next("run", "result").await {
                Ok(said) if waiting.remove(said.value["id"].as_str().unwrap_or_default()) => {}
                Ok(said) => {
                    let message = "answered two runs at a time with a result for neither of them, or for one twice";
                    return self
                        .report
                        .problem("parallel runs", Trouble::new(message, FIELDS).quoting(&said.line));
                }
                Err(trouble) => return self.report.problem("parallel runs", trouble),
            }
        }
        self.report.ok("parallel runs", "answers two runs at a time");
    }

    async fn unknown_task(&mut self) {
        let message = run_message("check-unknown", "sprag-check: no such task", true);
        match self.session.ask(&message, "result").await {
            Ok(said) if said.value["error"].is_object() => self.report.ok("unknown task", "is answered with an error"),
            Ok(said) => {
                let fix = "answer a task that is not in any list with an `error` of the kind `evaluator`";
                let trouble = Trouble::new("gave a verdict for a task that does not exist", fix).quoting(&said.line);
                self.report.problem("unknown task", trouble);
            }
            Err(trouble) => self.report.problem("unknown task", trouble),
        }
    }

    /// One recorded input. What the agent makes of it does not count.
    async fn case(&mut self, cases: bool) {
        if !cases {
            let why = "`ready` does not say `\"cases\": true`, so recorded inputs are not run";
            return self.report.skipped("case", why);
        }
        let case = json!({
            "input": {"messages": ["Hello, is anybody there?"]},
            "expect": [{"type": "max_steps", "steps": 1000}],
            "fixtures": [],
        });
        let message = json!({"type": "run", "id": "check-case", "case": case, "trial": 0, "seed": 7, "trace": true});
        match self.session.ask(&message, "result").await {
            Ok(said) => {
                let troubles = troubles_of(case_result_problems(&said.value), &said, "check-case");
                let n_steps = said.value["trace"]["steps"].as_array().map_or(0, Vec::len);
                let fine = format!("runs a recorded input, with a trace of {n_steps} steps");
                self.report.settle("case", troubles, fine);
            }
            Err(trouble) => self.report.problem("case", trouble),
        }
    }

    /// A later sprag may say more than this one.
    async fn unknown_message(&mut self) {
        let told = self
            .session
            .tell(&json!({"type": "sprag_check", "note": "ignore me"}))
            .await;
        let asked = json!({"type": "list", "split": "train", "note": "ignore me"});
        let answer = match told {
            Ok(()) => self.session.ask(&asked, "tasks").await,
            Err(trouble) => Err(trouble),
        };
        match answer {
            Ok(_) => self
                .report
                .ok("unknown message", "unknown types and fields are ignored"),
            Err(trouble) => {
                let trouble = Trouble {
                    message: format!("sent a message of an unknown type, then `list`: {}", trouble.message),
                    ..trouble
                };
                self.report.problem(
                    "unknown message",
                    Trouble {
                        fix: "ignore types and fields you do not know",
                        ..trouble
                    },
                );
            }
        }
    }

    /// A run that must give no trace. Nothing of the answer is quoted: it can be about held-out tasks.
    async fn untraced(&mut self, check: &'static str, task: &str) {
        let id = format!("check-{}", check.replace(' ', "-"));
        match self.session.ask(&run_message(&id, task, false), "result").await {
            Ok(said) if !said.value["trace"].is_null() => {
                let message = "gave a trace though the run said `\"trace\": false`";
                self.report.problem(check, Trouble::new(message, NO_TRACE));
            }
            Ok(said) if said.value["error"].is_object() => {
                let message = "the run ended in an error (not shown: it can be about held-out tasks)";
                self.report
                    .problem(check, Trouble::new(message, "make the run work without a trace too"));
            }
            Ok(said) => {
                let troubles = result_problems(&said.value)
                    .into_iter()
                    .map(|text| Trouble::new(text, FIELDS))
                    .collect();
                self.report.settle(check, troubles, "gives a verdict and no trace");
            }
            Err(trouble) => self.report.problem(check, Trouble { line: None, ..trouble }),
        }
    }

    async fn shutdown(&mut self, limit: Duration) {
        if let Err(trouble) = self.session.tell(&json!({"type": "shutdown"})).await {
            return self.report.problem("shutdown", trouble);
        }
        if self.session.ends_within(limit).await {
            return self.report.ok("shutdown", "ends when it is asked to");
        }
        let message = format!("still runs {} after `shutdown`, and was killed", in_words(limit));
        let fix = "end the process on `shutdown`, and its threads and children too";
        self.report.problem("shutdown", Trouble::new(message, fix));
    }

    fn noise(&mut self) {
        let noise = &self.session.noise;
        if noise.n_lines == 0 {
            return self.report.ok("stdout", "carries nothing but messages");
        }
        let plural = if noise.n_lines == 1 {
            " is no message"
        } else {
            "s are no messages"
        };
        let message = format!("{} line{plural} of the protocol", noise.n_lines);
        let trouble = Trouble::new(message, QUIET).quoting(&noise.first.join("\n                 "));
        self.report.problem("stdout", trouble);
    }
}

fn run_message(id: &str, task: &str, trace: bool) -> Value {
    json!({"type": "run", "id": id, "task": task, "trial": 0, "seed": 7, "trace": trace})
}

fn result_troubles(said: &Said, id: &str) -> Vec<Trouble> {
    troubles_of(result_problems(&said.value), said, id)
}

fn troubles_of(problems: Vec<String>, said: &Said, id: &str) -> Vec<Trouble> {
    let mut troubles = fields(problems, said);
    if said.value["id"].is_string() && said.value["id"] != id {
        let message = format!("`id` must be that of the run, \"{id}\", and it is {}", said.value["id"]);
        troubles.push(Trouble::new(message, FIELDS).quoting(&said.line));
    }
    if !troubles.is_empty() {
        return troubles;
    }
    if let Some(error) = said.value["error"].as_object() {
        let text = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let message = format!("the run ended in an error: {text}");
        troubles.push(Trouble::new(
            message,
            "make this run work; the log of the worker may say more",
        ));
    } else if said.value["trace"].is_null() {
        let message = "gave no trace though the run said `\"trace\": true`";
        troubles.push(Trouble::new(message, "put the trace object into the result").quoting(&said.line));
    }
    troubles
}

fn fields(problems: Vec<String>, said: &Said) -> Vec<Trouble> {
    let n_more = problems.len().saturating_sub(MAX_NAMED);
    let named = problems
        .into_iter()
        .take(MAX_NAMED)
        .map(|text| Trouble::new(text, FIELDS).quoting(&said.line));
    let rest = (n_more > 0).then(|| Trouble::new(format!("and {n_more} more like these"), FIELDS).quoting(&said.line));
    named.chain(rest).collect()
}

fn duplicates(ids: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> = ids
        .iter()
        .filter(|id| !seen.insert(id.as_str()))
        .map(String::as_str)
        .collect();
    twice.into_iter().collect()
}

/// The first few of some ids.
fn some(ids: &[&str]) -> String {
    let shown: Vec<String> = ids.iter().take(3).map(|id| format!("`{id}`")).collect();
    let more = ids.len().saturating_sub(3);
    let rest = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    shown.join(", ") + &rest
}
