//! `sprag run`: the loop on the user's own repository, with GitHub or without.

use super::github::{self, GithubArgs, put_conclusions};
use super::model::{self, ModelArgs};
use super::session::{self, Session};
use super::simulate::project_dir;
use super::{print, print_also, print_json, source};
use crate::actions::Job;
use crate::error::CommandError;
use crate::flow::advise::Advisor;
use crate::flow::job::{self, Begun, Done};
use crate::flow::sync::{self, Notebook};
use crate::project::ProjectFile;
use crate::workspace::Workspace;
use sprag_core::case::EvalCase;
use sprag_core::command::{self, SlashCommand};
use sprag_core::config::{Config, ProposerKind};
use sprag_core::render::{summary, text, waiting};
use sprag_core::webhook::Hint;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Reads what is new on GitHub, runs traffic, mines its failures, and opens pull requests with gated changes.
///
/// With `--local` GitHub is left alone: branches `sprag/<cluster>` are made in the repository, and pull requests, check runs and the
/// report are written to the folder of `--out` as GitHub would get them. Either way the branch you are on and your files stay as they are.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Work without GitHub
    #[arg(long)]
    local: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
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
    /// Where ledger, pull requests and report go
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelArgs,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let config = session::load_config(&args.config)?;
    let project_dir = project_dir(&args.config)?;
    let workspace = github::workspace(&project_dir)?;
    if args.dry_run {
        print(&plan(&config, &workspace, &args)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let advisor = args.model.advisor(Some(&config))?;
    let Done {
        summary,
        state,
        pulls,
        revert,
    } = if args.local {
        let mut session = session_of(&args, &config, &workspace, &project_dir);
        session.known = source::local(&args.out, &[])?.known();
        if let Some(told) = source::left_out(&args.out)? {
            session::progress(args.json).line(&told);
        }
        session.advisor = advisor.as_ref();
        let (summary, state) = session::run(session).await?;
        Done {
            summary,
            state,
            pulls: Vec::new(),
            revert: None,
        }
    } else {
        if let Some(refusal) = refusal(&args.github, job).await? {
            job.put_summary(&summary::refused(&refusal))?;
            print(&refusal)?;
            return Ok(ExitCode::SUCCESS);
        }
        on_github(&args, &config, &workspace, &project_dir, job, advisor.as_ref()).await?
    };
    model::tell(advisor.as_ref(), &session::progress(args.json));
    let opened: Vec<u64> = pulls.iter().map(|pull| pull.number).collect();
    job.put_summary(&summary::run(&state, &opened, revert))?;
    let newest = pulls.last();
    let pull_request = match (newest, &summary.pull_request) {
        (Some(pull), _) => args.github.pull_url(pull.number)?,
        (None, Some(file)) if args.local => file.display().to_string(),
        (None, _) => String::new(),
    };
    job.put_output("report", &summary.report.display().to_string())?;
    job.put_output("pull_request", &pull_request)?;
    put_conclusions(job, newest.and_then(|pull| pull.conclusions))?;
    if args.json {
        print_json(&summary)?;
    } else {
        let branches = state
            .published
            .iter()
            .map(|(id, branch)| (format!("branch of {id}"), branch.clone()));
        print(&summary.text(&state, branches.collect()))?;
        let clusters = state.waiting_clusters();
        let clusters: Vec<_> = clusters
            .iter()
            .filter_map(|(id, why)| Some((state.clusters.clusters.get(id)?, *why)))
            .collect();
        print_also(&waiting::lines(&clusters, &state.waiting_cases()))?;
    }
    Ok(session::exit_code(&state))
}

/// Why a run that a comment set off is not made: it only talks about it, or whoever wrote it may not ask for one. Every other event is the team's own.
pub(super) async fn refusal(github: &GithubArgs, job: &Job) -> Result<Option<String>, CommandError> {
    let webhook = job.webhook()?;
    let Some(Hint::Comment { by, body, .. }) = webhook.map(|webhook| webhook.hint) else {
        return Ok(None);
    };
    if !command::gives(&body, &SlashCommand::Run) {
        let why = "the comment has no `/sprag run` at the beginning of a line, so nothing was run";
        return Ok(Some(why.to_owned()));
    }
    let has = github.forge()?.permission(&by).await?;
    let may = has >= command::needed(&SlashCommand::Run);
    Ok((!may).then(|| format!("{by} may not write to this repository, so nothing was run")))
}

fn session_of<'a>(args: &Args, config: &'a Config, workspace: &'a Workspace, project_dir: &'a Path) -> Session<'a> {
    Session {
        seed: args.seed.unwrap_or(1),
        batches: args.batches,
        experiments: config.budget.experiments.saturating_mul(args.batches),
        tape: args.model.tape(),
        quiet: args.json,
        ..Session::of(config, workspace, project_dir, args.out.clone())
    }
}

async fn on_github(
    args: &Args,
    config: &Config,
    workspace: &Workspace,
    project_dir: &Path,
    job_of: &Job,
    advisor: Option<&Advisor>,
) -> Result<Done, CommandError> {
    let progress = session::progress(args.json);
    let forge = args.github.forge()?;
    let scratch = tempfile::tempdir()?;
    let mut notebook = args.github.notebook(&forge, &args.out, job_of, &progress).await?;
    let files = workspace.files()?;
    let suite = github::suite(&files)?;
    let tasks = notebook.book().tasks();
    let hub = args
        .github
        .hub(&forge, config, scratch.path(), suite.clone(), tasks, advisor)?;
    let mut report = sync::sync(&hub, &mut notebook, &progress).await?;
    // What reading has cost is not the run's.
    advisor.map(Advisor::paid);

    let begun = begin(config, files, &notebook, job_of)?;
    let mut session = session_of(args, config, workspace, project_dir);
    session.project = args.github.repository()?.to_string();
    session.advisor = advisor;
    if args.seed.is_none() {
        session.seed = notebook.book().n_runs() + 1;
    }
    go_on(&mut session, &begun, &notebook, &suite);
    let done = session::with_request(session, async |request, progress| {
        let dir = session::open_dir(&request.out, progress)?;
        Ok(job::run(&hub, &mut notebook, request, dir, &begun, progress).await?)
    })
    .await?;
    sync::answer(&hub, &mut notebook, &mut report, &progress).await?;
    Ok(done)
}

/// The run to go on with, or a new one. All tries of one workflow run are one job.
pub(super) fn begin(
    config: &Config,
    files: Vec<ProjectFile>,
    notebook: &Notebook,
    job: &Job,
) -> Result<Begun, CommandError> {
    let files = session::project(files, &config.harness, &config.runner.command)?.files;
    let identity = session::identity(config, &files);
    let mark = job
        .run_id
        .clone()
        .unwrap_or_else(|| format!("{} {}", notebook.now(), std::process::id()));
    Ok(Begun::next(
        notebook,
        &config.digest(),
        &identity,
        &files.harness,
        &mark,
    ))
}

/// Sets a session up with what is known, in a folder of its own. What was begun is ended as it was begun.
pub(super) fn go_on(session: &mut Session<'_>, begun: &Begun, notebook: &Notebook, suite: &[EvalCase]) {
    session.out = session.out.join("runs").join(begun.run.as_str());
    session.issues = notebook.book().to_run();
    session.known = notebook.book().known(suite);
    if let Some(plan) = begun.plan() {
        session.seed = plan.seed;
        session.batches = plan.batches;
        session.experiments = plan.limits.experiments;
    }
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
        format!("gate         {}", text::rule(&config.gate)),
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
    if config.recipes.is_empty() && config.proposer.kind == ProposerKind::Recipes {
        lines.push(
            "note: there is no [[recipe]], so failures would be mined and clustered, and nothing proposed".to_owned(),
        );
    }
    Ok(lines.join("\n"))
}
