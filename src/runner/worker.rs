//! One worker: a process that speaks the worker protocol, in a checkout of its own.

use super::answer::{self, Answer, Ready};
use super::checkout::Checkout;
use super::hold::Hold;
use super::process::{Conversation, Launch};
use super::{RunnerError, way_to_model};
use crate::project::ProjectFiles;
use crate::proxy::{Metered, Proxy, Serving};
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::protocol::{HarnessReload, PROTOCOL, RunRequest, RunResult, ToWorker};
use sprag_core::trial::Split;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How many bytes of noise a worker may write between two messages.
const MAX_NOISE: usize = 64 * 1024 * 1024;
/// How long a worker may take to end after `shutdown`.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How workers are started.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSpec {
    /// The program and its arguments, placeholders filled.
    pub command: Vec<String>,
    /// The original project.
    pub project_dir: PathBuf,
    /// What a checkout is made of.
    pub files: Arc<ProjectFiles>,
    /// Names of environment variables to pass besides the allow-list.
    pub env_pass: Vec<String>,
    /// Where checkouts are made.
    pub scratch: PathBuf,
    /// How long one answer may take.
    pub limit: Duration,
    /// What holds it.
    pub hold: Hold,
    /// Where it may ask models.
    pub proxy: Option<Arc<Proxy>>,
}

/// A running worker. Dropping it kills its process group and removes its checkout.
#[derive(Debug)]
pub(crate) struct Worker {
    conversation: Conversation,
    checkout: Checkout,
    /// Its way to the model.
    model: Option<Serving>,
    /// What it said of itself.
    pub ready: Ready,
    noise: Noise,
    /// Whether what it says may be logged; not so when it makes held-out runs.
    quotable: bool,
}

/// What a worker wrote to stdout that is not of the protocol.
#[derive(Debug, Default)]
struct Noise {
    /// The first line, shortened.
    first: Option<String>,
    /// Bytes since the last message.
    bytes: usize,
}

/// An answer to a run.
#[derive(Debug)]
pub(crate) enum RunAnswer {
    /// It can be read.
    Result(Box<RunResult>),
    /// It cannot: for which run, if that is known, and why.
    Broken { id: Option<String>, reason: String },
}

/// Why a worker is of no use any more.
#[derive(Debug)]
pub(crate) enum Loss {
    /// It closed its stdout or its stdin.
    Ended,
    /// The time limit passed.
    Silent,
    /// It wrote what cannot be read, such as a line without end.
    Breach(String),
}

/// Why a question before the runs has no answer.
#[derive(Debug)]
enum Refusal {
    Lost(Loss),
    /// It answered with this instead.
    Answered(String),
}

impl From<Loss> for Refusal {
    fn from(loss: Loss) -> Self {
        Self::Lost(loss)
    }
}

impl Worker {
    /// Starts a worker on a harness and waits until it is ready.
    pub(crate) async fn start(spec: &WorkerSpec, harness: &Harness, quotable: bool) -> Result<Self, RunnerError> {
        let checkout = write_checkout(spec, harness).await?;
        let model = way_to_model(spec.proxy.as_ref())?;
        let launch = Launch {
            command: &spec.command,
            dir: checkout.path(),
            project_dir: &spec.project_dir,
            env_pass: &spec.env_pass,
            hold: &spec.hold,
            write: &[],
            model: model.as_ref(),
        };
        let started = Conversation::start(launch).await;
        let conversation = started.map_err(|source| RunnerError::Start {
            command: spec.command.join(" "),
            source,
        })?;
        let ready = Ready {
            protocol: PROTOCOL,
            parallel: 1,
            harness: HarnessReload::Start,
            cases: false,
        };
        let mut worker = Self {
            conversation,
            checkout,
            model,
            ready,
            noise: Noise::default(),
            quotable,
        };
        match worker.greet(Instant::now() + spec.limit).await {
            Ok(ready) => {
                worker.ready = ready;
                Ok(worker)
            }
            Err(refusal) => Err(worker.refuse(spec, "hello", refusal).await),
        }
    }

    async fn greet(&mut self, deadline: Instant) -> Result<Ready, Refusal> {
        self.send(&ToWorker::Hello { protocol: PROTOCOL }, deadline).await?;
        match self.answer(deadline).await? {
            Answer::Ready(ready) if ready.protocol == PROTOCOL => Ok(ready),
            Answer::Ready(ready) => Err(Refusal::Answered(format!(
                "protocol {}, and this sprag speaks {PROTOCOL}",
                ready.protocol
            ))),
            other => Err(Refusal::Answered(self.name_of(&other))),
        }
    }

    /// The tasks of a split, and what runs of them begin with, where the worker tells it.
    pub(crate) async fn list(
        &mut self,
        spec: &WorkerSpec,
        split: Split,
    ) -> Result<(Vec<TaskId>, Vec<String>), RunnerError> {
        match self.ask_for_tasks(split, Instant::now() + spec.limit).await {
            Ok((ids, inputs)) => Ok((ids.into_iter().map(TaskId::new).collect(), inputs)),
            Err(refusal) => Err(self.refuse(spec, "list", refusal).await),
        }
    }

    async fn ask_for_tasks(&mut self, wanted: Split, deadline: Instant) -> Result<(Vec<String>, Vec<String>), Refusal> {
        self.send(&ToWorker::List { split: wanted }, deadline).await?;
        match self.answer(deadline).await? {
            Answer::Tasks { split, ids, inputs } if split == wanted => Ok((ids, inputs.into_values().collect())),
            other => Err(Refusal::Answered(self.name_of(&other))),
        }
    }

    /// Stops the worker and says what it did instead of answering.
    async fn refuse(&mut self, spec: &WorkerSpec, asked: &str, refusal: Refusal) -> RunnerError {
        let (problem, stderr) = match refusal {
            Refusal::Lost(loss) => {
                let (text, log) = self.describe(&loss, spec.limit).await;
                let problem = match loss {
                    Loss::Silent => format!("did not answer `{asked}` within {}", in_words(spec.limit)),
                    Loss::Ended | Loss::Breach(_) => format!("{text} before it answered `{asked}`"),
                };
                (problem, log)
            }
            Refusal::Answered(what) => {
                let (_, log) = self.describe(&Loss::Silent, spec.limit).await;
                (format!("answered `{asked}` with {what}"), log)
            }
        };
        let noise = self.noise.first.as_ref().filter(|_| self.quotable);
        let noise =
            noise.map(|line| format!("; before that it wrote `{line}` to stdout, which belongs to the protocol"));
        let problem = problem + &noise.unwrap_or_default();
        RunnerError::Protocol {
            command: spec.command.join(" "),
            problem,
            stderr,
        }
    }

    /// An answer that was not asked for, in words. What is wrong with a broken one may quote it, so held out it is not said.
    fn name_of(&self, answer: &Answer) -> String {
        match answer {
            Answer::Ready(_) => "`ready`".to_owned(),
            Answer::Tasks { split, .. } => format!("the tasks of another split, {split:?}").to_lowercase(),
            Answer::Result(_) => "a `result`".to_owned(),
            Answer::Broken { kind, reason, .. } if self.quotable => format!("a broken `{kind}`: {reason}"),
            Answer::Broken { kind, .. } => format!("a broken `{kind}` (not shown: it can be about held-out tasks)"),
            Answer::Noise => "a line that is not a message".to_owned(),
        }
    }

    /// Asks for a run; the answer comes from [`Self::run_answer`].
    pub(crate) async fn ask_for_run(&mut self, request: RunRequest, deadline: Instant) -> Result<(), Loss> {
        if let Some(model) = &self.model {
            model.session().begin();
        }
        self.send(&ToWorker::Run(request), deadline).await
    }

    /// What it has used of the model since the last run ended.
    pub(crate) fn metered(&self) -> Metered {
        let model = self.model.as_ref();
        model.map(|model| model.session().end()).unwrap_or_default()
    }

    /// The next answer to any run.
    pub(crate) async fn run_answer(&mut self, deadline: Instant) -> Result<RunAnswer, Loss> {
        loop {
            match self.answer(deadline).await? {
                Answer::Result(result) => return Ok(RunAnswer::Result(result)),
                Answer::Broken { kind, id, reason } if kind == "result" => {
                    return Ok(RunAnswer::Broken { id, reason });
                }
                Answer::Ready(_) | Answer::Tasks { .. } | Answer::Broken { .. } | Answer::Noise => {}
            }
        }
    }

    /// Whether its process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.conversation.is_running()
    }

    /// Whether it can go on with this harness: it has it already, or reads it anew at every run.
    pub(crate) fn take_up(&mut self, harness: &Harness) -> std::io::Result<bool> {
        if self.checkout.harness() == harness {
            return Ok(true);
        }
        match self.ready.harness {
            HarnessReload::Start => Ok(false),
            HarnessReload::Run => self.checkout.change_to(harness).map(|()| true),
        }
    }

    /// Asks it to end, and kills it when it does not.
    pub(crate) async fn shut_down(mut self) {
        let deadline = Instant::now() + SHUTDOWN_GRACE;
        drop(self.send(&ToWorker::Shutdown, deadline).await);
        self.conversation.end(deadline - Instant::now()).await;
    }

    /// Stops a lost worker. What it did, as the end of a sentence about it, and the end of its log (empty when not quotable).
    pub(crate) async fn describe(&mut self, loss: &Loss, limit: Duration) -> (String, String) {
        if !matches!(loss, Loss::Ended) {
            self.conversation.end(Duration::ZERO).await;
        }
        let (status, log) = self.conversation.post_mortem().await;
        let text = match (loss, status) {
            (Loss::Ended, _) if let Some(over) = self.conversation.over() => format!("{over} and was stopped"),
            (Loss::Ended, Some(status)) => format!("ended ({status})"),
            (Loss::Ended, None) => "closed its stdout without ending".to_owned(),
            (Loss::Silent, _) => format!("did not answer within {}", in_words(limit)),
            (Loss::Breach(breach), _) => format!("{breach} and was stopped"),
        };
        (text, if self.quotable { log } else { String::new() })
    }

    async fn send(&mut self, message: &ToWorker, deadline: Instant) -> Result<(), Loss> {
        let mut line = serde_json::to_vec(message).map_err(|error| Loss::Breach(error.to_string()))?;
        line.push(b'\n');
        match timeout_at(deadline, self.conversation.send(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Loss::Ended),
            Err(_) => Err(Loss::Silent),
        }
    }

    /// The next line that belongs to the protocol.
    async fn answer(&mut self, deadline: Instant) -> Result<Answer, Loss> {
        self.noise.bytes = 0;
        loop {
            let line = match timeout_at(deadline, self.conversation.receive()).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return Err(Loss::Ended),
                Ok(Err(error)) => return Err(Loss::Breach(error.to_string())),
                Err(_) => return Err(Loss::Silent),
            };
            match answer::read(&line) {
                Answer::Noise => self.bear_noise(&line)?,
                answer => return Ok(answer),
            }
        }
    }

    /// Noise is no reason to fail a run, but somebody should hear of it, once; a flood of it is a breach.
    fn bear_noise(&mut self, line: &[u8]) -> Result<(), Loss> {
        self.noise.bytes += line.len() + 1;
        if self.noise.bytes > MAX_NOISE {
            return Err(Loss::Breach(format!(
                "wrote {} MiB to stdout without a message",
                MAX_NOISE / 1024 / 1024
            )));
        }
        if self.noise.first.is_none() {
            let text = answer::quote(line);
            let shown = if self.quotable {
                text.as_str()
            } else {
                "(not shown: it can be about held-out tasks)"
            };
            tracing::warn!(
                line = shown,
                "the worker writes other lines than messages to stdout; they are ignored"
            );
            self.noise.first = Some(text);
        }
        Ok(())
    }
}

/// A checkout, written where it does not block the other workers.
async fn write_checkout(spec: &WorkerSpec, harness: &Harness) -> std::io::Result<Checkout> {
    let (scratch, files, harness) = (spec.scratch.clone(), Arc::clone(&spec.files), harness.clone());
    let write = move || Checkout::write(&scratch, &files, &harness);
    tokio::task::spawn_blocking(write)
        .await
        .map_err(std::io::Error::other)?
}

/// A time limit for a person: `120 s`, `300 ms`.
pub(crate) fn in_words(limit: Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}
