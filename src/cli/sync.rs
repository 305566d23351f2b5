//! `sprag sync`: reads what is new on GitHub and answers it, without running the agent.

use super::github::{self, GithubArgs};
use super::model::{self, ModelArgs};
use super::simulate::project_dir;
use super::{print, print_json, session};
use crate::actions::Job;
use crate::error::CommandError;
use crate::flow::sync;
use sprag_core::render::summary;
use sprag_core::webhook::Hint;
use std::path::PathBuf;
use std::process::ExitCode;

/// Reads labelled issues, artifacts, comments and pull requests, and brings every answer up to date.
///
/// Runs no agent, and costs nothing but requests to GitHub and, with `[model]`, to the model. Doing it again changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    github: GithubArgs,
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Where downloads and the copy of the state branch go
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub(super) async fn sync(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let config = session::load_config(&args.config)?;
    let advisor = args.model.advisor(Some(&config))?;
    let workspace = github::workspace(&project_dir(&args.config)?)?;
    let progress = session::progress(args.json);
    let forge = args.github.forge()?;
    let mut notebook = args.github.notebook(&forge, &args.out, job, &progress).await?;
    let scratch = tempfile::tempdir()?;
    let suite = github::suite(&workspace.files()?)?;
    let tasks = notebook.book().tasks();
    let hub = args
        .github
        .hub(&forge, &config, scratch.path(), suite, tasks, advisor.as_ref())?;
    let webhook = job.webhook()?;
    if let Some(Hint::CheckRun(check)) = webhook.map(|webhook| webhook.hint)
        && let Some(told) = sync::press(&hub, &mut notebook, &check).await?
    {
        progress.line(&told);
    }
    let report = sync::sync(&hub, &mut notebook, &progress).await?;
    model::tell(advisor.as_ref(), &progress);
    job.put_summary(&summary::sync(&report.to_string()))?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&report.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
