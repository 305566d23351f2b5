//! `sprag gate`: the gates on a pull request, whoever made it.

use super::github::{self, GithubArgs, put_conclusions};
use super::model::ModelArgs;
use super::session::{self, Session};
use super::simulate::project_dir;
use super::{print, print_json};
use crate::actions::Job;
use crate::app::GATE_PERMISSIONS;
use crate::error::{CommandError, Exit};
use crate::flow::gate;
use crate::flow::gate::{Silent, Tell};
use crate::flow::pull::{self, Compared, Outcome, Setup, SetupError, Target};
use crate::workspace::Workspace;
use sprag_core::candidate::Experiment;
use sprag_core::render::markdown::Markdown;
use sprag_core::render::text;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measures what a pull request does to the harness: the regression suite, then the validation set, against its base.
///
/// In GitHub Actions the pull request is that of the event, and the results are its two check runs. With `--local` two commits of this
/// repository are compared and GitHub is left alone. Exit code 5 when the change did not pass.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Compare two commits of this repository, without GitHub
    #[arg(long, requires = "base")]
    local: bool,
    /// What the change is measured against; the pull request's base by default
    #[arg(long, value_name = "COMMIT")]
    base: Option<String>,
    /// The change; the pull request's newest commit by default, or HEAD
    #[arg(long, value_name = "COMMIT")]
    head: Option<String>,
    #[command(flatten)]
    github: GithubArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Where recorded runs go
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub(super) async fn gate(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let project_dir = project_dir(&args.config)?;
    let workspace = github::workspace(&project_dir)?;
    let place = Place {
        args: &args,
        workspace: &workspace,
        project_dir: &project_dir,
    };
    let outcome = if args.local {
        place.local().await?
    } else {
        place.on_github(job).await?
    };
    put_conclusions(job, outcome.conclusions)?;
    job.put_summary(&outcome.summary)?;
    if args.json {
        print_json(&outcome)?;
    } else {
        let Outcome {
            of,
            verdict,
            reason,
            remark,
            ..
        } = &outcome;
        print(&text::gate(of, verdict, reason, remark.as_deref()))?;
    }
    let passed = matches!(outcome.verdict.as_str(), "accepted" | "skipped");
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        Exit::Rejected.into()
    })
}

/// Where the gate works.
struct Place<'a> {
    args: &'a Args,
    workspace: &'a Workspace,
    project_dir: &'a Path,
}

impl Place<'_> {
    fn config_name(&self) -> String {
        self.args
            .config
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// The two commits that the command line names.
    fn named(&self) -> Option<Target> {
        let base = self.args.base.clone()?;
        let head = self.args.head.clone().unwrap_or_else(|| "HEAD".to_owned());
        Some(Target {
            name: format!("{base}..{head}"),
            base,
            head,
            stranger: None,
            asked: true,
            takes_back: false,
        })
    }

    async fn local(&self) -> Result<Outcome, CommandError> {
        let target = self.named().expect("clap asks for the base");
        let ancestor = self
            .workspace
            .merge_base(&target.base, &target.head)
            .map_err(SetupError::from)?;
        let compared = Compared {
            target: &target,
            ancestor: &ancestor,
            quarantined: &BTreeSet::new(),
        };
        match Setup::read(self.workspace, &compared, &self.config_name())? {
            None => Ok(pull::skipped(
                &target,
                "no file of the harness differs",
                Markdown::default(),
            )),
            Some(setup) => {
                let (experiment, _) = self.measure(&setup, &Silent).await?;
                Ok(pull::outcome(&target, &experiment, Markdown::default(), &[]))
            }
        }
    }

    async fn on_github(&self, job: &Job) -> Result<Outcome, CommandError> {
        let github = &self.args.github;
        let forge = github.forge_for(&GATE_PERMISSIONS)?;
        let webhook = job.webhook()?;
        let target = match (self.named(), &webhook) {
            (Some(target), _) => Some(target),
            (None, Some(webhook)) => pull::target(&forge, &webhook.hint).await?,
            (None, None) => None,
        };
        let target = target.ok_or_else(|| {
            CommandError::new(
                Exit::Usage,
                "there is no pull request to measure",
                "run it on `pull_request`, `merge_group`, a `/sprag gate` comment or a button of a check run, or name `--base` and `--head`",
            )
        })?;
        let remote = github.remote(&forge, job).await?;
        // A stranger's change is not run, so nothing needs to be known for it.
        let quarantined = match target.stranger {
            Some(_) => BTreeSet::new(),
            None => {
                let progress = session::progress(self.args.json);
                let notebook = github.notebook(&forge, &self.args.out, job, &progress).await?;
                notebook.book().not_counted()
            }
        };
        let place = pull::Place {
            forge: &forge,
            workspace: self.workspace,
            remote: &remote,
            config_name: &self.config_name(),
            quarantined: &quarantined,
        };
        place
            .on_pull(&target, async |setup, tell| self.measure(setup, tell).await)
            .await
    }

    /// The measured change, and what held its code.
    async fn measure(&self, setup: &Setup, tell: &dyn Tell) -> Result<(Experiment, &'static str), CommandError> {
        // For what only a model can judge.
        let advisor = self.args.model.advisor(Some(&setup.config))?;
        let session = Session {
            project: setup.change.name.clone(),
            files: Some(setup.files.clone()),
            advisor: advisor.as_ref(),
            tape: self.args.model.tape(),
            quiet: self.args.json,
            ..Session::of(
                &setup.config,
                self.workspace,
                self.project_dir,
                self.args.out.join("gate"),
            )
        };
        session::with_request(session, async |request, progress| {
            let mut store = session::open_dir(&request.out, progress)?;
            let experiment = gate::measure(request, &setup.change, &mut store, progress, tell).await?;
            Ok((experiment, request.sandbox))
        })
        .await
    }
}
