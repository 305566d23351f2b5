//! `sprag publish`: the half of a run that writes to GitHub. It runs nothing of the project.

use super::github::{self, GithubArgs};
use super::session::{self, now};
use super::simulate::project_dir;
use super::{print, print_json};
use crate::actions::Job;
use crate::bundle::Bundle;
use crate::error::{CommandError, Exit};
use crate::flow::Request;
use crate::flow::handover::{self, Nobody, Published};
use crate::flow::sync::{self, Report};
use crate::project::Project;
use serde_json::json;
use sprag_core::render::summary;
use sprag_sandbox::Tier;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Checks what `sprag optimize` left, keeps it on the state branch, and opens its pull requests.
///
/// Runs nothing of the project. Must stand on the commit that `sprag optimize` worked on. A bundle that is not believed is refused whole.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    github: GithubArgs,
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Where the bundle is
    #[arg(long, env = "SPRAG_BUNDLE", default_value = "sprag-bundle", value_name = "DIR")]
    bundle: PathBuf,
    /// Where the copy of the state branch goes
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

/// The tier that the bundle names, if there is such a one.
fn sandbox(bundle: &Bundle) -> Result<&'static str, CommandError> {
    let mut tiers = Tier::ALL.into_iter().chain([Tier::None]).map(Tier::words);
    tiers.find(|words| *words == bundle.sandbox).ok_or_else(|| {
        CommandError::new(
            Exit::Rejected,
            "the bundle names a sandbox that there is not",
            "use the same version of sprag for `optimize` and `publish`",
        )
    })
}

pub(super) async fn publish(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let bundle = Bundle::read(&args.bundle)?;
    let config = session::load_config(&args.config)?;
    let workspace = github::workspace(&project_dir(&args.config)?)?;
    let progress = session::progress(args.json);
    let forge = args.github.forge()?;
    let mut notebook = args.github.notebook(&forge, &args.out, job, &progress).await?;
    let scratch = tempfile::tempdir()?;
    let files = workspace.files()?;
    let suite = github::suite(&files)?;
    let known = notebook.book().known(&suite);
    let tasks = notebook.book().tasks();
    let hub = args.github.hub(&forge, &config, scratch.path(), suite, tasks, None)?;
    let Project { files, policy } = session::project(files, &config.harness, &config.runner.command)?;
    let request = Request {
        config: &config,
        workspace: &workspace,
        policy,
        runner: &Nobody,
        advisor: None,
        agent: None,
        runner_identity: session::identity(&config, &files),
        harness: files.harness,
        project: args.github.repository()?.to_string(),
        out: args.out.clone(),
        seed: 0,
        batches: 0,
        experiments: 0,
        merge: false,
        issues: Vec::new(),
        known,
        sandbox: sandbox(&bundle)?,
        clock: Arc::new(now),
        wall: Duration::ZERO,
        interrupted: Arc::default(),
    };
    let Published { state, pulls, revert } = handover::publish(&hub, &mut notebook, &request, bundle).await?;
    sync::answer(&hub, &mut notebook, &mut Report::default(), &progress).await?;
    let mut addresses = Vec::new();
    for number in pulls.iter().map(|pull| pull.number).chain(revert) {
        addresses.push(args.github.pull_url(number)?);
    }
    if let Some(state) = &state {
        let opened: Vec<u64> = pulls.iter().map(|pull| pull.number).collect();
        job.put_summary(&summary::run(state, &opened, revert))?;
    }
    let newest = pulls.last();
    let newest_url = newest.map(|pull| args.github.pull_url(pull.number)).transpose()?;
    job.put_output("pull_request", &newest_url.unwrap_or_default())?;
    github::put_conclusions(job, newest.and_then(|pull| pull.conclusions))?;
    if args.json {
        print_json(&json!({ "pull_requests": addresses }))?;
    } else if addresses.is_empty() {
        print("the bundle was kept; it has no change that needs a pull request")?;
    } else {
        print(
            &addresses
                .iter()
                .map(|url| format!("opened {url}"))
                .collect::<Vec<_>>()
                .join("\n"),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
