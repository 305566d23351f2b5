//! `sprag optimize`: the half of a run that measures. Its token needs no right to write.

use super::github::{self, GithubArgs};
use super::model::{self, ModelArgs};
use super::run::{begin, go_on, refusal};
use super::session::{self, Session};
use super::simulate::project_dir;
use super::{print, print_json};
use crate::actions::Job;
use crate::bundle::Bundle;
use crate::error::CommandError;
use crate::flow::{Summary, job};
use sprag_core::machine::State;
use sprag_core::render::summary;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs traffic, mines its failures and measures changes, as `sprag run` does, and writes nothing to GitHub.
///
/// What it learned is left in the folder of `--bundle`, also when the run is stopped before its end: `sprag publish` takes it from there. It reads
/// no issues, artifacts or comments; `sprag sync` does that before.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    github: GithubArgs,
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Batches of traffic
    #[arg(long, env = "SPRAG_BATCHES", default_value_t = 1)]
    batches: u32,
    /// Decides which tasks each batch has, and the seeds of the runs; without it, the number of the run
    #[arg(long, env = "SPRAG_SEED")]
    seed: Option<u64>,
    /// Where the ledger and the report go
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// Where the bundle goes
    #[arg(long, env = "SPRAG_BUNDLE", default_value = "sprag-bundle", value_name = "DIR")]
    bundle: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub(super) async fn optimize(args: Args, job_of: &Job) -> Result<ExitCode, CommandError> {
    if let Some(refusal) = refusal(&args.github, job_of).await? {
        job_of.put_summary(&summary::refused(&refusal))?;
        print(&refusal)?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = session::load_config(&args.config)?;
    let project_dir = project_dir(&args.config)?;
    let workspace = github::workspace(&project_dir)?;
    let advisor = args.model.advisor(Some(&config))?;
    let progress = session::progress(args.json);
    let forge = args.github.forge()?;
    let notebook = args.github.notebook(&forge, &args.out, job_of, &progress).await?;
    let scratch = tempfile::tempdir()?;
    let files = workspace.files()?;
    let suite = github::suite(&files)?;
    let tasks = notebook.book().tasks();
    let hub = args
        .github
        .hub(&forge, &config, scratch.path(), suite.clone(), tasks, advisor.as_ref())?;
    let begun = begin(&config, files, &notebook, job_of)?;
    let mut session = Session {
        project: args.github.repository()?.to_string(),
        seed: args.seed.unwrap_or_else(|| notebook.book().n_runs() + 1),
        batches: args.batches,
        experiments: config.budget.experiments.saturating_mul(args.batches),
        advisor: advisor.as_ref(),
        tape: args.model.tape(),
        quiet: args.json,
        ..Session::of(&config, &workspace, &project_dir, args.out.clone())
    };
    go_on(&mut session, &begun, &notebook, &suite);
    let (bundle, ended) = session::with_request(session, async |request, progress| {
        let dir = session::open_dir(&request.out, progress)?;
        Ok(job::optimize(&hub, notebook, request, dir, &begun, progress).await?)
    })
    .await?;
    bundle.write(&args.bundle)?;
    job_of.put_output("bundle", &args.bundle.display().to_string())?;
    model::tell(advisor.as_ref(), &progress);
    let (state, summary) = ended?;
    job_of.put_output("report", &summary.report.display().to_string())?;
    tell(&args, &bundle, &state, &summary)?;
    Ok(session::exit_code(&state))
}

fn tell(args: &Args, bundle: &Bundle, state: &State, summary: &Summary) -> Result<(), CommandError> {
    if args.json {
        return print_json(summary);
    }
    let folder = format!("{} ({} facts)", args.bundle.display(), bundle.facts.len());
    print(&summary.text(state, vec![("bundle".to_owned(), folder)]))
}
