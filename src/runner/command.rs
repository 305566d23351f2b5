//! The runner of kind `command`: one process a run, which leaves a report in a file.

use super::answer::{mask, result_problems, trial_of};
use super::checkout::Checkout;
use super::hold::Hold;
use super::lanes::end_of;
use super::process::{Finished, Launch, run_to_end};
use super::worker::in_words;
use super::{BoxFuture, Job, Runner, RunnerError, book, fill_project, json_report, junit, way_to_model};
use crate::project::ProjectFiles;
use crate::proxy::Proxy;
use fs_err as fs;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use sprag_core::config::{CommandTasks, ReportKind};
use sprag_core::failure::FailureKind;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::trial::{Split, Trial, TrialStatus, Usage};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// The largest report that is read, in bytes.
const MAX_REPORT: u64 = 64 * 1024 * 1024;

/// What a runner of kind `command` needs to know.
#[derive(Debug, Clone)]
pub struct CommandConfig {
    /// The program and its arguments. Placeholders: `{project}`, `{task}`, `{case}` (a file with the run as JSON), `{out}` (the
    /// file to write), `{seed}`, `{trial}`.
    pub command: Vec<String>,
    /// The absolute path of the project.
    pub project_dir: PathBuf,
    /// What the checkouts are made of.
    pub files: ProjectFiles,
    /// Runs at a time.
    pub concurrency: usize,
    /// Time limit of one run.
    pub timeout: Duration,
    /// How often a run that ends in an error is tried again.
    pub retries: u32,
    /// Names of environment variables that the command gets besides the allow-list.
    pub env_pass: Vec<String>,
    /// An existing or new directory for the checkouts.
    pub scratch: PathBuf,
    /// What holds it.
    pub hold: Hold,
    /// Where the command may ask models.
    pub proxy: Option<Arc<Proxy>>,
    /// The tasks of each split.
    pub tasks: CommandTasks,
    /// What the command writes to `{out}`.
    pub report: ReportKind,
}

/// Makes the agent work by one process a run. Dropping the future of a run leaves no process alive.
#[derive(Debug)]
pub struct CommandRunner {
    files: Arc<ProjectFiles>,
    config: CommandConfig,
}

impl CommandRunner {
    /// A runner for this command.
    pub fn new(mut config: CommandConfig) -> Self {
        config.command = fill_project(&config.command, &config.project_dir);
        let files = Arc::new(std::mem::take(&mut config.files));
        Self { files, config }
    }

    async fn run_all(
        &self,
        harness: &Harness,
        jobs: &[Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> Result<(), RunnerError> {
        let next = AtomicUsize::new(0);
        let n_lanes = self.config.concurrency.clamp(1, jobs.len().max(1));
        let lanes = (0..n_lanes).map(|_| self.lane(harness, jobs, &next, &done));
        try_join_all(lanes).await.map(|_| ())
    }

    async fn lane(
        &self,
        harness: &Harness,
        jobs: &[Job],
        next: &AtomicUsize,
        done: &UnboundedSender<(usize, Trial)>,
    ) -> Result<(), RunnerError> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index).filter(|_| !done.is_closed()) else {
                return Ok(());
            };
            let trial = self.run_with_retries(harness, job).await?;
            // Nobody listens when the receiver is gone; the loop ends then.
            drop(done.send((index, trial)));
        }
    }

    async fn run_with_retries(&self, harness: &Harness, job: &Job) -> Result<Trial, RunnerError> {
        let mut spent = Usage::default();
        let mut tries_left = self.config.retries;
        loop {
            let mut trial = self.run_once(harness, job).await?;
            spent = super::lanes::sum(spent, trial.usage);
            if trial.has_verdict() || tries_left == 0 {
                trial.usage = spent;
                return Ok(trial);
            }
            tries_left -= 1;
        }
    }

    /// Each run gets a checkout of its own: what one leaves behind must not judge the next.
    async fn run_once(&self, harness: &Harness, job: &Job) -> Result<Trial, RunnerError> {
        let checkout = self.write_checkout(harness).await?;
        let exchange = tempfile::Builder::new()
            .prefix("exchange-")
            .tempdir_in(fs::canonicalize(&self.config.scratch)?)?;
        let (case, out) = (exchange.path().join("case.json"), exchange.path().join("out"));
        let mut request = json!({"trial": job.trial, "seed": job.seed, "trace": job.trace});
        match &job.case {
            Some(recorded) => request["case"] = Value::clone(recorded),
            None => request["task"] = json!(job.task),
        }
        fs::write(&case, request.to_string())?;
        let command = fill(&self.config.command, job, &case, &out);
        let model = way_to_model(self.config.proxy.as_ref())?;
        let launch = Launch {
            command: &command,
            dir: checkout.path(),
            project_dir: &self.config.project_dir,
            env_pass: &self.config.env_pass,
            hold: &self.config.hold,
            write: &[exchange.path()],
            model: model.as_ref(),
        };
        let finished = run_to_end(launch, self.config.timeout)
            .await
            .map_err(|source| RunnerError::Start {
                command: self.config.command.join(" "),
                source,
            })?;
        let mut trial = self.read_report(job, &finished, &out);
        if !job.trace {
            mask(&mut trial);
        }
        if let Some(model) = model {
            book(&mut trial, model.session().end());
        }
        Ok(trial)
    }

    async fn write_checkout(&self, harness: &Harness) -> Result<Checkout, RunnerError> {
        let (scratch, files, harness) = (self.config.scratch.clone(), Arc::clone(&self.files), harness.clone());
        let write = move || Checkout::write(&scratch, &files, &harness);
        Ok(tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??)
    }

    fn read_report(&self, job: &Job, finished: &Finished, out: &Path) -> Trial {
        if let Some(over) = finished.over {
            let text = format!("the command {over} and was stopped{}", end_of(finished.log()));
            return Trial::errored(FailureKind::Infrastructure, text);
        }
        let Some(status) = finished.status else {
            let text = format!(
                "did not end within {}{}",
                in_words(self.config.timeout),
                end_of(finished.log())
            );
            return Trial::errored(FailureKind::Infrastructure, text);
        };
        let ended = |why: String| {
            let text = format!("the command ended ({status}){why}{}", end_of(finished.log()));
            Trial::errored(FailureKind::Infrastructure, text)
        };
        // A test program exits with an error when tests fail, so there only the report judges.
        if self.config.report == ReportKind::Result && !status.success() {
            return ended(String::new());
        }
        match (read_bounded(out), self.config.report) {
            (Err(problem), _) => ended(format!(" and {problem}")),
            (Ok(bytes), ReportKind::Result) => trial_of_result(&bytes, job),
            (Ok(bytes), ReportKind::Junit) => {
                trial_of_report("JUnit report", junit::read(&String::from_utf8_lossy(&bytes)))
            }
            (Ok(bytes), ReportKind::Promptfoo) => trial_of_report("promptfoo report", json_report::promptfoo(&bytes)),
            (Ok(bytes), ReportKind::Inspect) => trial_of_report("Inspect log", json_report::inspect(&bytes)),
        }
    }
}

impl Runner for CommandRunner {
    fn list(&self, split: Split) -> BoxFuture<'_, Result<Vec<TaskId>, RunnerError>> {
        let ids: &[String] = match split {
            Split::Train => &self.config.tasks.train,
            Split::Validation => &self.config.tasks.validation,
            Split::Test => &[],
        };
        Box::pin(async move { Ok(ids.iter().map(TaskId::new).collect()) })
    }

    fn cases_refused(&self) -> BoxFuture<'_, Result<Option<String>, RunnerError>> {
        let takes_file = self.config.command.iter().any(|part| part.contains("{case}"));
        let why = "the command takes no `{case}`, the file that a recorded input is in";
        Box::pin(async move { Ok((!takes_file).then(|| why.to_owned())) })
    }

    fn allow(&self, usd: f64) {
        self.config.proxy.iter().for_each(|proxy| proxy.allow(usd));
    }

    fn run<'a>(
        &'a self,
        harness: &'a Harness,
        jobs: &'a [Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> BoxFuture<'a, Result<(), RunnerError>> {
        Box::pin(self.run_all(harness, jobs, done))
    }
}

/// The command of one run. No shell is between, so nothing in a task id can act.
fn fill(command: &[String], job: &Job, case: &Path, out: &Path) -> Vec<String> {
    let (seed, trial) = (job.seed.to_string(), job.trial.to_string());
    let (case, out) = (case.to_string_lossy(), out.to_string_lossy());
    let values: [(&str, &str); 5] = [
        ("{seed}", &seed),
        ("{trial}", &trial),
        ("{case}", &case),
        ("{out}", &out),
        ("{task}", job.task.as_str()),
    ];
    let fill_part = |part: &String| {
        values
            .iter()
            .fold(part.clone(), |part, (name, value)| part.replace(name, value))
    };
    command.iter().map(fill_part).collect()
}

/// The report, or why there is none as the end of a sentence about the command.
fn read_bounded(out: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // The command may have put anything there: a link to what it cannot read itself, or a pipe that never ends.
    let is_file = |metadata: std::fs::Metadata| {
        metadata
            .is_file()
            .then_some(())
            .ok_or(io::ErrorKind::InvalidData.into())
    };
    let read = fs::symlink_metadata(out)
        .and_then(is_file)
        .and_then(|()| fs::File::open(out)?.take(MAX_REPORT + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > MAX_REPORT => {
            Err(format!("left a report of more than {} MiB", MAX_REPORT / 1024 / 1024))
        }
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("left no report in `{out}`".to_owned()),
        Err(_) => Err("left a report that cannot be read".to_owned()),
    }
}

fn trial_of_result(bytes: &[u8], job: &Job) -> Trial {
    let broken = |reason| {
        Trial::errored(
            FailureKind::Evaluator,
            format!("the runner sent a broken result: {reason}"),
        )
    };
    let mut value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return broken(format!("it is not JSON: {error}")),
    };
    let Some(fields) = value.as_object_mut() else {
        return broken("it is not a JSON object".to_owned());
    };
    fields.insert("id".to_owned(), json!(""));
    let problem = result_problems(&value).into_iter().next();
    match serde_json::from_value(value) {
        Ok(result) => trial_of(result, job.trace, job.case.as_deref()),
        Err(error) => broken(problem.unwrap_or_else(|| error.to_string())),
    }
}

fn trial_of_report<E: std::fmt::Display>(name: &str, report: Result<junit::Report, E>) -> Trial {
    let unusable = |why: String| Trial::errored(FailureKind::Evaluator, format!("the {name} {why}"));
    let report = match report {
        Ok(report) => report,
        Err(error) => return unusable(format!("cannot be read: {error}")),
    };
    let n_tests = report.passed + report.failed;
    if let Some(error) = report.error {
        return unusable(format!("has an error: {error}"));
    }
    if n_tests == 0 {
        return unusable("has no test that ran".to_owned());
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a report has fewer tests than a float has integers"
    )]
    let score = report.passed as f64 / n_tests as f64;
    let status = if report.failed == 0 {
        TrialStatus::Passed
    } else {
        TrialStatus::Failed
    };
    Trial {
        status,
        score,
        usage: Usage::default(),
        duration_ms: 0,
        trace: None,
        rubrics: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
