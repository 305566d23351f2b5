//! `sprag gate`: the gates on a pull request, whoever made it.

use super::github::{self, GithubArgs};
use super::session::{self, Session};
use super::simulate::project_dir;
use super::{print, print_json};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::flow::gate;
use crate::flow::pull::{self, Outcome, Setup, Silent, Target, Tell};
use crate::workspace::Workspace;
use sprag_core::candidate::Experiment;
use sprag_core::ledger::Known;
use sprag_core::render::text;
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
    job.put_output("verdict", &outcome.verdict)?;
    job.put_summary(&outcome.summary)?;
    if args.json {
        print_json(&outcome)?;
    } else {
        print(&text::gate(&outcome.of, &outcome.verdict, &outcome.reason))?;
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
            stranger: false,
        })
    }

    async fn local(&self) -> Result<Outcome, CommandError> {
        let target = self.named().expect("clap asks for the base");
        match Setup::read(self.workspace, &target, &self.config_name())? {
            None => Ok(pull::skipped(&target, "no file of the harness differs", String::new())),
            Some(setup) => {
                let experiment = self.measure(&setup, &Silent).await?;
                Ok(pull::outcome(&target, &experiment, String::new()))
            }
        }
    }

    async fn on_github(&self, job: &Job) -> Result<Outcome, CommandError> {
        let github = &self.args.github;
        let forge = github.forge()?;
        let webhook = job
            .webhook()
            .map_err(|error| CommandError::new(Exit::Usage, error.to_string(), "run it on a pull request's event"))?;
        let target = match (self.named(), &webhook) {
            (Some(target), _) => Some(target),
            (None, Some(webhook)) => pull::target(&forge, &webhook.hint).await?,
            (None, None) => None,
        };
        let target = target.ok_or_else(|| {
            CommandError::new(
                Exit::Usage,
                "there is no pull request to measure",
                "run it on `pull_request`, `merge_group` or a `/sprag gate` comment, or name `--base` and `--head`",
            )
        })?;
        let remote = github.remote(&forge, job).await?;
        let name = self.config_name();
        pull::on_pull(&forge, self.workspace, &remote, &target, &name, async |setup, tell| {
            self.measure(setup, tell).await
        })
        .await
    }

    async fn measure(&self, setup: &Setup, tell: &dyn Tell) -> Result<Experiment, CommandError> {
        let session = Session {
            config: &setup.config,
            workspace: self.workspace,
            project_dir: self.project_dir,
            project: setup.change.name.clone(),
            out: self.args.out.join("gate"),
            seed: 1,
            batches: 0,
            experiments: 1,
            merge: false,
            issues: Vec::new(),
            known: Known::default(),
            files: Some(setup.files.clone()),
            quiet: self.args.json,
        };
        session::with_request(session, async |request, progress| {
            let mut store = session::open_dir(&request.out, progress)?;
            Ok(gate::measure(request, &setup.change, &mut store, progress, tell).await?)
        })
        .await
    }
}
