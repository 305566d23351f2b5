//! `sprag plan`: what a budget can and cannot resolve, before it is spent.

use super::session::{self, Session};
use super::simulate::{project_dir, project_files};
use super::{print, print_json, source};
use crate::error::{CommandError, Exit};
use crate::store::DirStore;
use crate::workspace::Workspace;
use serde::Serialize;
use sprag_core::budget::Limits;
use sprag_core::config::Config;
use sprag_core::gate;
use sprag_core::gate::forecast::{Forecast, Situation, forecast};
use sprag_core::gate::sequential::Policy;
use sprag_core::gate::stats::real;
use sprag_core::machine::{self, State};
use sprag_core::render;
use sprag_core::trial::Split;
use std::path::PathBuf;
use std::process::ExitCode;

/// Rehearsed candidates of each kind: enough to know a rate to a few parts in a hundred.
const CANDIDATES: u32 = 200;
/// What is assumed of an agent of which nothing was measured.
const LEVEL: f64 = 0.6;

/// Says what the budget can and cannot resolve on these tasks, and what it will cost, before money is spent.
///
/// The gate of `sprag.toml` is rehearsed on as many tasks as there are, with changes of which the true effect is known. How well the agent does and
/// how much its tasks waver come from the run in the folder of `--out`, if there is one; else they are assumed. No task is run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// The folder of an earlier run, which tells what was measured
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// Batches of traffic that the budget is for
    #[arg(long, env = "SPRAG_BATCHES", default_value_t = 1)]
    batches: u32,
    /// Plan for so many validation tasks, not for those that the runner lists
    #[arg(long, value_name = "N")]
    validation: Option<u32>,
    /// Assume that the agent passes this part of its runs
    #[arg(long, value_name = "RATE", value_parser = rate)]
    level: Option<f64>,
    /// Assume this part of pairs of runs of one task to disagree
    #[arg(long, value_name = "RATE", value_parser = rate)]
    disagree: Option<f64>,
    /// Assume that a run costs so much
    #[arg(long, value_name = "USD")]
    usd_a_run: Option<f64>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0 to 1, such as 0.25".to_owned()),
    }
}

#[derive(Serialize)]
struct Printed {
    train_tasks: usize,
    #[serde(flatten)]
    forecast: Forecast,
}

pub(super) async fn plan(args: Args) -> Result<ExitCode, CommandError> {
    let config = session::load_config(&args.config)?;
    let (train, listed) = listed(&args, &config).await?;
    let ledger = DirStore::ledger(&source::state_dir(&args.out))?;
    let (state, _) = machine::replay(ledger.iter().map(|entry| &entry.event));
    let tasks = match args.validation {
        Some(tasks) => tasks,
        None => u32::try_from(listed).unwrap_or(u32::MAX),
    };
    if tasks == 0 {
        return Err(CommandError::new(
            Exit::Config,
            "there are no validation tasks, so no change could be measured",
            "let the runner list some for the split `validation`, or try `--validation 50`",
        ));
    }
    let situation = situation(&args, state.as_ref(), tasks);
    let limits = Limits {
        experiments: config.budget.experiments.saturating_mul(args.batches),
        experiments_per_batch: config.budget.experiments,
        task_runs: config.budget.task_runs,
        usd: config.budget.usd,
    };
    let forecast = forecast(&gate::policy(&config.gate, 1), situation, limits, CANDIDATES);
    if args.json {
        print_json(&Printed {
            train_tasks: train,
            forecast,
        })?;
    } else {
        print(&render::plan::plan(&forecast, train, config.gate.leakage))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of the agent, or assumed.
fn situation(args: &Args, state: Option<&State>, tasks: u32) -> Situation {
    let policy = Policy::default();
    // Without a baseline the gate has nothing but what it assumes.
    let measured = state.filter(|state| state.baseline.is_some());
    let spent = state.map(|state| state.spent).unwrap_or_default();
    let suite = state.map_or(0, |state| state.cases.suite().count());
    let level = measured.map_or(LEVEL, |state| state.gate.level());
    let noise = measured.map_or(policy.noise.0, |state| state.gate.known().noise(&policy));
    Situation {
        tasks,
        suite: u32::try_from(suite).unwrap_or(u32::MAX),
        level: args.level.unwrap_or(level),
        noise: args.disagree.map_or(noise, |rate| rate / 2.0),
        measured: measured.is_some() && args.level.is_none() && args.disagree.is_none(),
        usd_a_run: args.usd_a_run.unwrap_or(spent.usd / real(spent.task_runs.max(1))),
        asked: state.map(State::asked).unwrap_or_default(),
    }
}

/// How many train and validation tasks the runner lists.
async fn listed(args: &Args, config: &Config) -> Result<(usize, usize), CommandError> {
    let project_dir = project_dir(&args.config)?;
    let scratch = tempfile::tempdir()?;
    let files = project_files(&project_dir, &args.out)?;
    let workspace = Workspace::create(&scratch.path().join("repo"), &files)?;
    let session = Session {
        quiet: true,
        ..Session::of(config, &workspace, &project_dir, scratch.path().join("out"))
    };
    session::with_request(session, async |request, _| {
        let train = request.runner.list(Split::Train).await?;
        let validation = request.runner.list(Split::Validation).await?;
        Ok((train.len(), validation.len()))
    })
    .await
}
