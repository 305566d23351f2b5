//! Making the user's agent work: the port `Runner` and what is shared by its kinds. The only place that spawns foreign code.

mod agent;
mod answer;
pub mod check;
mod checkout;
mod command;
mod environment;
mod hold;
mod json_report;
mod junit;
mod lanes;
mod ourselves;
mod pool;
mod process;
mod worker;

pub use agent::{AgentConfig, CodingAgent, Edited};
pub use command::{CommandConfig, CommandRunner};
pub use hold::Hold;
pub(crate) use ourselves::{Measured, Ourselves, peak_kb};
pub use pool::{WorkerConfig, WorkerRunner};

use crate::proxy::{Metered, Proxy, Serving};
use serde_json::Value;
use sprag_core::failure::FailureKind;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::trial::{Split, Trial};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// A future in a box, so that the port can be used as `dyn Runner`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One run to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The task, or the name of the case.
    pub task: TaskId,
    /// What to run instead of a task of the runner: `{"input":…,"expect":[…],"fixtures":[…]}`.
    pub case: Option<Arc<Value>>,
    /// Which repetition.
    pub trial: u32,
    /// The seed of this repetition.
    pub seed: u64,
    /// Whether a trace is wanted. Never for held-out tasks.
    pub trace: bool,
}

/// Makes the agent work on one harness at a time.
pub trait Runner: Send + Sync {
    /// The tasks of a split.
    fn list(&self, split: Split) -> BoxFuture<'_, Result<Vec<TaskId>, RunnerError>>;

    /// What runs of held-out tasks begin with, where the runner tells it. Known once they are listed.
    fn held_out_inputs(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why recorded inputs cannot be run, as half a sentence; `None` when they can.
    fn cases_refused(&self) -> BoxFuture<'_, Result<Option<String>, RunnerError>> {
        Box::pin(async { Ok(Some("this runner takes no recorded inputs".to_owned())) })
    }

    /// From now on the agent may spend so many US dollars on models, as far as it asks them through sprag.
    fn allow(&self, _usd: f64) {}

    /// Makes every job with this harness and sends `(index of the job, its trial)` as each one ends, in any order.
    /// A run without verdict, after the retries, is an errored trial and not an `Err`; `Err` means that no more runs can be made.
    fn run<'a>(
        &'a self,
        harness: &'a Harness,
        jobs: &'a [Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> BoxFuture<'a, Result<(), RunnerError>>;
}

/// Why no runs can be made.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The program could not be started.
    #[error("the runner `{command}` could not be started: {source}")]
    Start {
        /// The program.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The worker broke the protocol before any run.
    #[error("the worker `{command}` {problem}")]
    Protocol {
        /// The program.
        command: String,
        /// What it did, such as "answered `hello` with something that is not JSON: `Loading…`".
        problem: String,
        /// The end of what it logged.
        stderr: String,
    },
    /// A file of the worker's checkout could not be written.
    #[error(transparent)]
    Files(#[from] std::io::Error),
}

/// The way of a process to the model, if it may ask one.
fn way_to_model(proxy: Option<&Arc<Proxy>>) -> std::io::Result<Option<Serving>> {
    proxy.map(Serving::prepare).transpose()
}

/// Books what a run has used of the model: what its runner says, or what was counted on the way, whichever is more. A run whose requests
/// the budget cut off says nothing about the agent.
fn book(trial: &mut Trial, metered: Metered) {
    let usage = &mut trial.usage;
    usage.input_tokens = usage.input_tokens.max(metered.usage.input_tokens);
    usage.output_tokens = usage.output_tokens.max(metered.usage.output_tokens);
    usage.usd = usage.usd.max(metered.usage.usd);
    if metered.cut {
        let usage = trial.usage;
        let text = "the budget did not cover a request to the model in this run";
        *trial = Trial::errored(FailureKind::Infrastructure, text);
        trial.usage = usage;
    }
}

/// The command with `{project}` filled in.
fn fill_project(command: &[String], project_dir: &Path) -> Vec<String> {
    let project = project_dir.to_string_lossy();
    command.iter().map(|part| part.replace("{project}", &project)).collect()
}
