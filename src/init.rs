//! `sprag init`: what a project needs so that sprag works on it. Looks at the project ([`detect`]), asks a person little ([`ask`]), makes the
//! files ([`files`]), shows them, and writes what is missing ([`mod@write`]).

pub mod ask;
pub mod detect;
pub mod files;
pub mod write;

use sprag_core::config::ReportKind;

/// What the files are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// Globs of the files that a candidate may change.
    pub harness: Vec<String>,
    /// How the agent is run.
    pub runner: RunnerChoice,
    /// Labels of issues that report a failure.
    pub labels: Vec<String>,
    /// Whether the model of `[model]` is one of GitHub's, which is asked with the job's token.
    pub github_models: bool,
    /// Globs of the names of workflow artifacts that hold traces.
    pub artifacts: Vec<String>,
    /// The workflows that upload them.
    pub workflows: Vec<TraceWorkflow>,
}

/// A workflow that uploads traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceWorkflow {
    /// The name of its file.
    pub file: String,
    /// The name that other workflows know it by.
    pub name: String,
}

/// A way to run the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerChoice {
    /// A worker that is there, started by this command.
    Worker(Vec<String>),
    /// No worker yet: a template to fill in.
    Template,
    /// A test set that is there.
    Command(TestSet),
    /// Whatever the `sprag.toml` that is there says.
    AsConfigured,
}

/// A test set of another tool that sprag can run, one task a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestSet {
    /// What a person calls it, such as `pytest in evals/`.
    pub title: String,
    /// The command, with `{task}` and `{out}`.
    pub command: Vec<String>,
    /// How the tool reports.
    pub report: ReportKind,
    /// The tasks that make the traffic.
    pub train: Vec<String>,
    /// The held-out tasks.
    pub validation: Vec<String>,
}

impl RunnerChoice {
    /// What a person is told.
    pub fn title(&self) -> String {
        match self {
            Self::Worker(command) => format!("the worker `{}`", command.join(" ")),
            Self::Template => "a new worker, evals/worker.py, for you to fill in".to_owned(),
            Self::Command(set) => format!(
                "{} ({} tasks, {} of them held out)",
                set.title,
                set.train.len() + set.validation.len(),
                set.validation.len()
            ),
            Self::AsConfigured => "as sprag.toml says".to_owned(),
        }
    }
}
