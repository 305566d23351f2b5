//! The gates on a pull request as its author meets them: what is measured by whose rules, and the two check runs.

use super::gate::{Change, Tell};
use super::{FlowError, revert};
use crate::forge::Forge;
use crate::project::{Project, ProjectFile};
use crate::workspace::{Remote, Workspace, WorkspaceError};
use futures_util::future::LocalBoxFuture;
use sprag_core::candidate::{Experiment, Ground, Stage, Verdict};
use sprag_core::case::{CaseState, EvalCase};
use sprag_core::command::{self, SlashCommand};
use sprag_core::config::{self, Config};
use sprag_core::github::Permission;
use sprag_core::harness::GlobError;
use sprag_core::id::CaseId;
use sprag_core::render::check::{self, CheckRun, Conclusion, conclusions};
use sprag_core::render::markdown::Markdown;
use sprag_core::render::summary;
use sprag_core::render::view::{CheckView, GateView};
use sprag_core::webhook::{Button, CheckHint, Hint};
use std::collections::BTreeSet;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What people call it: `#12`, or two commits.
    pub name: String,
    /// The commit it is measured against.
    pub base: String,
    /// The commit with the change.
    pub head: String,
    /// Why its code is not run, if so.
    pub stranger: Option<Stranger>,
    /// Whether a person asked for it, by a comment or a button: then it is measured again, also what was measured before.
    pub asked: bool,
    /// Whether it is sprag's own offer to take a change back: the cases that go with the change are not counted.
    pub takes_back: bool,
}

/// Whether a branch is one of [`crate::flow::revert`]'s. Whoever may push a branch of that name here may also merge.
fn takes_back(branch: &str, from_fork: bool) -> bool {
    branch.starts_with(revert::BRANCH) && !from_fork
}

/// Why nobody has vouched for the code of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// It lies in somebody else's repository.
    Fork,
    /// It does, and the App's key is at hand, which is not to be near it.
    ForkBesideKey,
    /// Who asked for it may not push.
    MayNotPush {
        /// The login.
        by: String,
    },
    /// It has been pushed to since somebody asked: what would run now is not what they have seen.
    Moved,
    /// The comment only talks about it.
    NotAsked,
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
    /// What the verdict rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// What speaks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<serde_json::Value>,
    /// What a person should look at before the merge, with the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// For the page of the workflow run, Markdown.
    #[serde(skip)]
    pub summary: Markdown,
    /// What the regression and the validation check say, where there are any.
    #[serde(skip)]
    pub conclusions: Option<[Conclusion; 2]>,
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
    /// It cannot be merged.
    #[error("{of} is in conflict with its base")]
    Conflict {
        /// What.
        of: String,
    },
}

impl Setup {
    /// Reads both commits; `None` when no file of the harness differs.
    ///
    /// # Errors
    /// When one cannot be read, or the base has no readable configuration.
    pub fn read(workspace: &Workspace, compared: &Compared<'_>, config_name: &str) -> Result<Option<Self>, SetupError> {
        let target = compared.target;
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
        let harness = |files: Vec<ProjectFile>| {
            Project::new(files, &config.harness, &config.runner.command).map(|project| project.files.harness)
        };
        let before = harness(files.clone())?;
        let merged = compared.merged(workspace)?;
        let paths: BTreeSet<String> = merged.iter().map(|file| file.path.clone()).collect();
        let changes = before.changes_to(&harness(merged)?);
        let goes = |case: &EvalCase| target.takes_back && !paths.contains(&EvalCase::file_of(&case.id));
        let promoted = crate::project::suite(&files)?
            .into_iter()
            .filter(|case| case.state == CaseState::Promoted && !goes(case));
        let (left_out, suite) = promoted.partition(|case| compared.quarantined.contains(&case.id));
        let change = Change {
            name: target.name.clone(),
            changes,
            suite,
            left_out,
        };
        Ok((!change.changes.is_empty()).then_some(Self { config, files, change }))
    }
}

/// Two commits, and where one left the other.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The commits.
    pub target: &'a Target,
    /// Their best common ancestor.
    pub ancestor: &'a str,
    /// Cases that are not counted.
    pub quarantined: &'a BTreeSet<CaseId>,
}

impl Compared<'_> {
    /// What the base would be with the change merged into it: a branch that is behind its base must not be blamed for what it lacks.
    fn merged(&self, workspace: &Workspace) -> Result<Vec<ProjectFile>, SetupError> {
        let Target { base, head, .. } = self.target;
        let merged = workspace.files_merged(self.ancestor, base, head)?;
        merged.ok_or_else(|| SetupError::Conflict {
            of: self.target.name.clone(),
        })
    }
}

/// What an event asks to be measured; `None` when it is about no pull request.
pub async fn target(forge: &Forge, hint: &Hint) -> Result<Option<Target>, FlowError> {
    Ok(match hint {
        Hint::Pull(pull) => Some(Target {
            name: format!("#{}", pull.number),
            base: pull.base_sha.clone(),
            head: pull.head_sha.clone(),
            stranger: pull.from_fork.then_some(Stranger::Fork),
            asked: false,
            takes_back: takes_back(&pull.head, pull.from_fork),
        }),
        Hint::MergeGroup { head_sha, base_sha } => Some(Target {
            name: "merge group".to_owned(),
            base: base_sha.clone(),
            head: head_sha.clone(),
            stranger: None,
            asked: false,
            takes_back: false,
        }),
        Hint::Comment {
            on,
            on_pull: true,
            by,
            body,
            at,
            ..
        } => {
            let mut target = asked(forge, *on, by, Some(at)).await?;
            if !command::gives(body, &SlashCommand::Gate) {
                target.stranger = Some(Stranger::NotAsked);
            }
            Some(target)
        }
        Hint::CheckRun(CheckHint {
            pull: Some(pull),
            pressed: Some(Button::Rerun),
            by,
            ..
        }) => Some(asked(forge, *pull, by, None).await?),
        _ => None,
    })
}

/// A pull request that somebody wants to be measured. Who may push may also say that its code is run, but not beside the App's key.
/// `at` is when they asked; a fork's author may push something else until the job has begun.
async fn asked(forge: &Forge, number: u64, by: &str, at: Option<&String>) -> Result<Target, FlowError> {
    let pull = forge.pull(number).await?;
    let moved = || match (at, &pull.pushed_at) {
        (Some(at), Some(pushed_at)) => pushed_at >= at,
        // Where nobody can push any more, nothing has moved.
        (Some(_), None) => false,
        (None, _) => true,
    };
    let stranger = if forge.permission(by).await? < Permission::Write {
        Some(Stranger::MayNotPush { by: by.to_owned() })
    } else if pull.from_fork && forge.is_app() {
        Some(Stranger::ForkBesideKey)
    } else {
        (pull.from_fork && moved()).then_some(Stranger::Moved)
    };
    Ok(Target {
        takes_back: takes_back(&pull.head, pull.from_fork),
        name: format!("#{number}"),
        base: pull.base_sha,
        head: pull.head_sha,
        stranger,
        asked: true,
    })
}

/// Why nothing was measured.
const UNTOUCHED: &str = "no file of the harness is touched";
/// Why nothing is measured before sprag is set up.
const NO_RULES: &str = "its base has no sprag.toml yet, so there is no rule to measure by";
/// Why a measurement has no result.
const BROKE_OFF: &str = "the measurement broke off with an error, which the log of the job tells";
/// Why nothing can be measured.
const CONFLICT: &str = "the change is in conflict with its base";

/// Where a pull request is measured.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The repository on GitHub.
    pub forge: &'a Forge,
    /// Its clone.
    pub workspace: &'a Workspace,
    /// The repository for git.
    pub remote: &'a Remote,
    /// The name of the configuration in the project's folder.
    pub config_name: &'a str,
    /// Cases that are not counted.
    pub quarantined: &'a BTreeSet<CaseId>,
}

impl Place<'_> {
    /// Measures a pull request and keeps its two check runs up to date. `measure` makes the runs; it is given something to tell before every
    /// stage.
    pub async fn on_pull<E>(
        &self,
        target: &Target,
        measure: impl AsyncFnOnce(&Setup, &dyn Tell) -> Result<(Experiment, &'static str), E>,
    ) -> Result<Outcome, E>
    where
        E: From<FlowError> + From<SetupError>,
    {
        if let Some(stranger) = &target.stranger {
            return Ok(not_vouched_for(target, stranger));
        }
        if !target.asked && measured_already(self.forge, &target.head).await? {
            let reason = "its commit was measured before it was proposed";
            return Ok(skipped(target, reason, summary::gate_skipped(&target.name, reason)));
        }
        let setup = match self.read(target).await {
            Ok(Some(setup)) => setup,
            Ok(None) => {
                keep(self.forge, &check::skipped(&target.head, UNTOUCHED)).await?;
                let summary = summary::gate_skipped(&target.name, UNTOUCHED);
                return Ok(skipped(target, UNTOUCHED, summary));
            }
            Err(Unread::Setup(SetupError::Conflict { .. })) => {
                let blocked = check::blocked(&target.head, CONFLICT);
                keep(self.forge, &blocked).await?;
                return Ok(conflict(target, &blocked));
            }
            Err(Unread::Setup(SetupError::NoConfig { .. })) => {
                keep(self.forge, &check::skipped(&target.head, NO_RULES)).await?;
                return Ok(skipped(target, NO_RULES, summary::gate_skipped(&target.name, NO_RULES)));
            }
            Err(Unread::Setup(error)) => return Err(error.into()),
            Err(Unread::Flow(error)) => return Err(error.into()),
        };
        let mut checks = Checks {
            forge: self.forge,
            head: &target.head,
            gate: GateView {
                mode: setup.config.gate.mode,
                regression_threshold: setup.config.gate.regression_threshold,
                // Not known before it is measured.
                sandbox: "",
            },
            folder: self.workspace.folder(),
            change: &setup.change,
        };
        let (experiment, sandbox) = match measure(&setup, &checks).await {
            Ok(measured) => measured,
            Err(error) => {
                // They must not seem to be under way for ever; why it ended is in the log of the job.
                if let Err(error) = keep(self.forge, &check::blocked(&target.head, BROKE_OFF)).await {
                    tracing::warn!("the check runs still say that they are in progress: {error}");
                }
                return Err(error);
            }
        };
        checks.gate.sandbox = sandbox;
        let view = checks.view(&experiment);
        let runs = check::check_runs(&view);
        keep(self.forge, &runs).await?;
        Ok(outcome(target, &experiment, summary::gate(&view), &runs))
    }

    async fn read(&self, target: &Target) -> Result<Option<Setup>, Unread> {
        let ancestor = self.forge.merge_base(&target.base, &target.head).await;
        let ancestor = ancestor.map_err(FlowError::from)?;
        for commit in [&target.base, &target.head, &ancestor] {
            tokio::task::block_in_place(|| self.workspace.fetch(self.remote, commit)).map_err(FlowError::from)?;
        }
        let compared = Compared {
            target,
            ancestor: &ancestor,
            quarantined: self.quarantined,
        };
        Ok(Setup::read(self.workspace, &compared, self.config_name)?)
    }
}

/// Why a pull request could not be read.
enum Unread {
    Flow(FlowError),
    Setup(SetupError),
}

impl From<FlowError> for Unread {
    fn from(error: FlowError) -> Self {
        Self::Flow(error)
    }
}

impl From<SetupError> for Unread {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

fn not_vouched_for(target: &Target, stranger: &Stranger) -> Outcome {
    match stranger {
        Stranger::Fork => {
            let reason = "it comes from a fork; a maintainer can comment `/sprag gate`";
            skipped(target, reason, summary::fork(&target.name))
        }
        Stranger::ForkBesideKey => {
            let reason = "it comes from a fork, and this job has the App's key; a job with no more than its own token can measure it";
            skipped(target, reason, summary::gate_skipped(&target.name, reason))
        }
        Stranger::Moved => {
            let reason = "it was pushed to after the comment; look at it again, and comment `/sprag gate` once more";
            skipped(target, reason, summary::gate_skipped(&target.name, reason))
        }
        Stranger::NotAsked => {
            let reason = "the comment has no `/sprag gate` at the beginning of a line";
            skipped(target, reason, summary::gate_skipped(&target.name, reason))
        }
        Stranger::MayNotPush { by } => {
            let reason = format!("{by} may not write to this repository, so nothing was run");
            skipped(target, &reason, summary::gate_skipped(&target.name, &reason))
        }
    }
}

/// The check runs of a commit.
struct Checks<'a> {
    forge: &'a Forge,
    head: &'a str,
    gate: GateView,
    folder: &'a str,
    change: &'a Change,
}

impl Checks<'_> {
    fn view(&self, experiment: &Experiment) -> CheckView {
        CheckView {
            head_sha: self.head.to_owned(),
            experiment: experiment.clone(),
            gate: self.gate,
            folder: self.folder.to_owned(),
            suite: self.change.suite.clone(),
            left_out: self.change.left_out.iter().map(|case| case.task.clone()).collect(),
            buttons: self.forge.is_app(),
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
    let runs = forge.check_runs(head).await?.into_iter();
    let ours = runs.filter(|run| run.external_id.starts_with("sprag:E") && run.status == "completed");
    Ok(ours.count() >= 2)
}

/// What is said of something that was not measured.
pub fn skipped(target: &Target, reason: &str, summary: Markdown) -> Outcome {
    Outcome {
        of: target.name.clone(),
        verdict: "skipped".to_owned(),
        reason: reason.to_owned(),
        ground: None,
        evidence: None,
        remark: None,
        summary,
        conclusions: None,
    }
}

/// What is said of something that cannot be merged.
fn conflict(target: &Target, runs: &[CheckRun]) -> Outcome {
    Outcome {
        verdict: Verdict::Indecisive.to_string(),
        conclusions: conclusions(runs),
        ..skipped(target, CONFLICT, summary::gate_skipped(&target.name, CONFLICT))
    }
}

/// What is said of something that was measured.
pub fn outcome(target: &Target, experiment: &Experiment, summary: Markdown, runs: &[CheckRun]) -> Outcome {
    let unmeasured = || (Verdict::Indecisive, "nothing was measured".to_owned());
    let (verdict, reason) = experiment.verdict.clone().unwrap_or_else(unmeasured);
    Outcome {
        of: target.name.clone(),
        verdict: verdict.to_string(),
        reason,
        ground: experiment.ground,
        evidence: experiment
            .evidence
            .as_deref()
            .and_then(|evidence| serde_json::to_value(evidence).ok()),
        remark: experiment.remark.clone(),
        summary,
        conclusions: conclusions(runs),
    }
}
