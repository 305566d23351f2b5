//! The gates on a pull request as its author meets them: what is measured by whose rules, and the two check runs.

use super::FlowError;
use super::gate::Change;
use crate::forge::Forge;
use crate::project::{Project, ProjectFile};
use crate::workspace::{Remote, Workspace, WorkspaceError};
use futures_util::future::LocalBoxFuture;
use sprag_core::candidate::{Experiment, Stage, Verdict};
use sprag_core::config::{self, Config};
use sprag_core::github::Permission;
use sprag_core::harness::GlobError;
use sprag_core::render::check::{self, CheckRun};
use sprag_core::render::summary;
use sprag_core::render::view::{CheckView, GateView};
use sprag_core::webhook::Hint;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What people call it: `#12`, or two commits.
    pub name: String,
    /// The commit it is measured against.
    pub base: String,
    /// The commit with the change.
    pub head: String,
    /// Whether the head lies in somebody else's repository and nobody with write access asked for it to be run.
    pub stranger: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// What was measured.
    pub of: String,
    /// `accepted`, `rejected`, `indecisive` or `skipped`.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// For the page of the workflow run, Markdown.
    #[serde(skip)]
    pub summary: String,
}

/// How a change is measured, all of it from the base: the base's own files judge the change, never the change's.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The base's configuration.
    pub config: Config,
    /// The base's files.
    pub files: Vec<ProjectFile>,
    /// The change.
    pub change: Change,
}

/// Why a change cannot be set up to be measured.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Git.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// There are no rules.
    #[error("{base} has no {name}, so there is no rule to measure by")]
    NoConfig {
        /// The commit.
        base: String,
        /// The file.
        name: String,
    },
    /// The rules cannot be read.
    #[error("{name} of the base has mistakes\n{told}")]
    Config {
        /// The file.
        name: String,
        /// All of them.
        told: String,
    },
    /// A glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// A case of the suite is missing or damaged.
    #[error(transparent)]
    Suite(#[from] crate::project::SuiteError),
}

impl Setup {
    /// Reads both commits; `None` when no file of the harness differs.
    ///
    /// # Errors
    /// When one cannot be read, or the base has no readable configuration.
    pub fn read(workspace: &Workspace, target: &Target, config_name: &str) -> Result<Option<Self>, SetupError> {
        let files = workspace.files_at(&target.base)?;
        let file = files.iter().find(|file| file.path == config_name);
        let file = file.ok_or_else(|| SetupError::NoConfig {
            base: target.base.clone(),
            name: config_name.to_owned(),
        })?;
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        let config = config::parse(&text).map_err(|problems| SetupError::Config {
            name: config_name.to_owned(),
            told: config::render_problems(config_name, &text, &problems),
        })?;
        let suite = crate::project::suite(&files)?;
        let harness = |files: Vec<ProjectFile>| {
            Project::new(files, &config.harness, &config.runner.command).map(|project| project.files.harness)
        };
        let before = harness(files.clone())?;
        let changes = before.changes_to(&harness(workspace.files_at(&target.head)?)?);
        let change = Change {
            name: target.name.clone(),
            changes,
            suite,
        };
        Ok((!change.changes.is_empty()).then_some(Self { config, files, change }))
    }
}

/// What an event asks to be measured; `None` when it is about no pull request.
pub async fn target(forge: &Forge, hint: &Hint) -> Result<Option<Target>, FlowError> {
    Ok(match hint {
        Hint::Pull(pull) => Some(Target {
            name: format!("#{}", pull.number),
            base: pull.base_sha.clone(),
            head: pull.head_sha.clone(),
            stranger: pull.from_fork,
        }),
        Hint::MergeGroup { head_sha, base_sha } => Some(Target {
            name: "merge group".to_owned(),
            base: base_sha.clone(),
            head: head_sha.clone(),
            stranger: false,
        }),
        Hint::Comment {
            on, on_pull: true, by, ..
        } => {
            let pull = forge.pull(*on).await?;
            Some(Target {
                name: format!("#{on}"),
                base: pull.base_sha,
                head: pull.head_sha,
                // Who may push may also say that this code is run.
                stranger: forge.permission(by).await? < Permission::Write,
            })
        }
        _ => None,
    })
}

/// Why nothing was measured.
const UNTOUCHED: &str = "no file of the harness is touched";

/// Measures a pull request and keeps its two check runs up to date. `measure` makes the runs; it is given a function to call before every
/// stage.
pub async fn on_pull<E>(
    forge: &Forge,
    workspace: &Workspace,
    remote: &Remote,
    target: &Target,
    config_name: &str,
    measure: impl AsyncFnOnce(&Setup, &dyn Tell) -> Result<Experiment, E>,
) -> Result<Outcome, E>
where
    E: From<FlowError> + From<SetupError>,
{
    if target.stranger {
        let reason = "it comes from a fork; a maintainer can comment `/sprag gate`";
        return Ok(skipped(target, reason, summary::fork(&target.name)));
    }
    for commit in [&target.base, &target.head] {
        tokio::task::block_in_place(|| workspace.fetch(remote, commit)).map_err(FlowError::from)?;
    }
    if measured_already(forge, &target.head).await? {
        let reason = "its commit was measured before it was proposed";
        return Ok(skipped(target, reason, summary::gate_skipped(&target.name, reason)));
    }
    let Some(setup) = Setup::read(workspace, target, config_name)? else {
        keep(forge, &check::skipped(&target.head, UNTOUCHED)).await?;
        return Ok(skipped(
            target,
            UNTOUCHED,
            summary::gate_skipped(&target.name, UNTOUCHED),
        ));
    };
    let checks = Checks {
        forge,
        head: &target.head,
        gate: GateView {
            mode: setup.config.gate.mode,
            regression_threshold: setup.config.gate.regression_threshold,
        },
    };
    let experiment = measure(&setup, &checks).await?;
    let view = checks.view(&experiment);
    keep(forge, &check::check_runs(&view)).await?;
    Ok(outcome(target, &experiment, summary::gate(&view)))
}

/// Told of an experiment before each of its stages.
pub trait Tell {
    /// Shows it as it stands.
    fn tell<'a>(&'a self, experiment: &'a Experiment, stage: Stage) -> LocalBoxFuture<'a, Result<(), FlowError>>;
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Tell for Silent {
    fn tell<'a>(&'a self, _: &'a Experiment, _: Stage) -> LocalBoxFuture<'a, Result<(), FlowError>> {
        Box::pin(async { Ok(()) })
    }
}

/// The check runs of a commit.
struct Checks<'a> {
    forge: &'a Forge,
    head: &'a str,
    gate: GateView,
}

impl Checks<'_> {
    fn view(&self, experiment: &Experiment) -> CheckView {
        CheckView {
            head_sha: self.head.to_owned(),
            experiment: experiment.clone(),
            gate: self.gate,
        }
    }
}

impl Tell for Checks<'_> {
    fn tell<'a>(&'a self, experiment: &'a Experiment, stage: Stage) -> LocalBoxFuture<'a, Result<(), FlowError>> {
        Box::pin(async move { keep(self.forge, &check::in_progress(&self.view(experiment), stage)).await })
    }
}

async fn keep(forge: &Forge, checks: &[CheckRun]) -> Result<(), FlowError> {
    for check in checks {
        forge.keep_check(check).await?;
    }
    Ok(())
}

/// sprag's own change was measured before its pull request was opened; measuring it again would only cost.
async fn measured_already(forge: &Forge, head: &str) -> Result<bool, FlowError> {
    let runs = forge.check_runs(head).await?;
    let ours = runs
        .iter()
        .filter(|run| run.external_id.starts_with("sprag:E") && run.status == "completed");
    Ok(ours.count() >= 2)
}

/// What is said of something that was not measured.
pub fn skipped(target: &Target, reason: &str, summary: String) -> Outcome {
    Outcome {
        of: target.name.clone(),
        verdict: "skipped".to_owned(),
        reason: reason.to_owned(),
        summary,
    }
}

/// What is said of something that was measured.
pub fn outcome(target: &Target, experiment: &Experiment, summary: String) -> Outcome {
    let unmeasured = || (Verdict::Indecisive, "nothing was measured".to_owned());
    let (verdict, reason) = experiment.verdict.clone().unwrap_or_else(unmeasured);
    Outcome {
        of: target.name.clone(),
        verdict: verdict.to_string(),
        reason,
        summary,
    }
}
