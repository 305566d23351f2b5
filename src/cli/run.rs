//! `sprag run --local`: the loop on the user's own repository.

use super::session::{self, Session};
use super::simulate::project_dir;
use super::{print, print_json};
use crate::error::{CommandError, Exit};
use crate::workspace::Workspace;
use sprag_core::config::Config;
use sprag_core::ledger::Known;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs traffic, mines its failures, and proposes gated changes on branches of this repository.
///
/// Branches `sprag/<cluster>` are made in the repository; the branch you are on and your files stay as they are. Pull requests, check
/// runs and the report are written to the folder of `--out` as GitHub would get them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Work without GitHub, network or model; the only way so far
    #[arg(long)]
    local: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The project's configuration; its folder is the project
    #[arg(long, default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Batches of traffic
    #[arg(long, default_value_t = 1)]
    batches: u32,
    /// Decides which tasks each batch has, and the seeds of the runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where ledger, pull requests and report go
    #[arg(long, default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, CommandError> {
    if !args.local {
        return Err(CommandError::new(
            Exit::Usage,
            "this version works only on this machine",
            "add `--local`",
        ));
    }
    let config = session::load_config(&args.config)?;
    let project_dir = project_dir(&args.config)?;
    let workspace = Workspace::open(&project_dir).map_err(|error| {
        CommandError::new(
            Exit::Config,
            format!(
                "{} is not in a git repository with a commit ({error})",
                project_dir.display()
            ),
            "run `git init`, commit the project, and try again",
        )
    })?;
    if args.dry_run {
        print(&plan(&config, &workspace, &args)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = project_dir
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (summary, state) = session::run(Session {
        config: &config,
        workspace: &workspace,
        project_dir: &project_dir,
        project: name,
        out: args.out.clone(),
        seed: args.seed,
        batches: args.batches,
        experiments: config.budget.experiments.saturating_mul(args.batches),
        merge: false,
        issues: Vec::new(),
        known: Known::default(),
        files: None,
        quiet: args.json,
    })
    .await?;
    if args.json {
        print_json(&summary)?;
    } else {
        let branches = state
            .published
            .iter()
            .map(|(id, branch)| (format!("branch of {id}"), branch.clone()));
        print(&summary.text(&state, branches.collect()))?;
    }
    Ok(session::exit_code(&state))
}

fn plan(config: &Config, workspace: &Workspace, args: &Args) -> Result<String, CommandError> {
    let budget = &config.budget;
    let mut lines = vec![
        format!(
            "runner       {} ({} at a time)",
            config.runner.command.join(" "),
            config.runner.concurrency
        ),
        format!("harness      {}", config.harness.paths.join(", ")),
        format!(
            "traffic      {} batch(es) of {} tasks, {} trial(s) each",
            args.batches, config.traffic.batch_size, config.runner.trials
        ),
        format!(
            "recipes      {}",
            config
                .recipes
                .iter()
                .map(|recipe| recipe.name.as_str())
                .collect::<Vec<_>>()
                .join("; ")
        ),
        format!(
            "gate         strict: regression suite >= {:.2}, then validation >= best seen",
            config.gate.regression_threshold
        ),
        format!(
            "budget       {} experiments, {} task runs, ${:.2}",
            budget.experiments.saturating_mul(args.batches),
            budget.task_runs,
            budget.usd
        ),
        format!(
            "would make   branches sprag/<cluster> on top of {}",
            workspace.head_branch()?
        ),
        format!("would write  {}", args.out.display()),
        "would change nothing else: neither your files nor the branch you are on".to_owned(),
    ];
    if config.recipes.is_empty() {
        lines.push(
            "note: there is no [[recipe]], so failures would be mined and clustered, and nothing proposed".to_owned(),
        );
    }
    Ok(lines.join("\n"))
}
