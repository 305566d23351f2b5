//! `sprag cases`: the eval cases there are, and as tests of other tools.

use super::session::load_config;
use super::source::{SourceArgs, unknown};
use super::{print, print_also, print_json};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use fs_err as fs;
use serde_json::json;
use sprag_core::case::export::{self, Tool};
use sprag_core::case::{CaseState, EvalCase};
use sprag_core::config::RunnerKind;
use sprag_core::curation::Subject;
use sprag_core::fact::Decision;
use sprag_core::overview::Overview;
use sprag_core::render::markdown::visible;
use sprag_core::render::{listing, text, waiting};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Lists the eval cases: those of the regression suite, those that wait for a fix, and those that did not become one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Writes cases as tests of promptfoo, Inspect or pytest, which run the agent through its worker
    Export(ExportArgs),
    /// Lets a new case in that waits for a person
    Accept {
        /// The case
        case: String,
    },
    /// Leaves a new case out
    Reject {
        /// The case
        case: String,
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// For which tool
    #[arg(long, value_enum)]
    to: To,
    /// The folder to write to; files that are there under the same names are replaced
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Not only the regression suite: open cases too
    #[arg(long)]
    all: bool,
    /// The project's configuration, which says how its agent is started
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum To {
    Promptfoo,
    Inspect,
    Pytest,
}

pub(super) async fn cases(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let overview = args.source.overview(job).await?;
    match &args.command {
        Some(Command::Export(export)) => write(args.json, export, &overview),
        Some(Command::Accept { case }) => decide(&args, job, &overview, case, true, "").await,
        Some(Command::Reject { case, reason }) => decide(&args, job, &overview, case, false, reason).await,
        None => list(args.json, &overview),
    }
}

/// Notes what a person says of a new case. The next run is told of it.
async fn decide(
    args: &Args,
    job: &Job,
    overview: &Overview,
    case: &str,
    accepted: bool,
    reason: &str,
) -> Result<ExitCode, CommandError> {
    let case = overview.case(case).map_err(|problem| unknown(problem, "cases"))?;
    let told = if accepted {
        format!("{case} is let in; the next run sees whether it fails again")
    } else {
        format!("{case} is left out until `sprag cases accept {case}`")
    };
    let decision = Decision::Review {
        of: Subject::Case(case),
        accepted,
        reason: reason.to_owned(),
    };
    args.source.decide(job, decision.clone()).await?;
    if args.json {
        print_json(&json!({"decision": decision}))?;
    } else {
        print(&visible(&told))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(json: bool, overview: &Overview) -> Result<ExitCode, CommandError> {
    let cases: Vec<&EvalCase> = overview.cases.values().collect();
    if json {
        let waiting: Vec<_> = overview
            .waiting_cases()
            .into_iter()
            .map(|(case, reason)| json!({"case": case.id, "reason": reason}))
            .collect();
        let rates: BTreeMap<_, _> = cases
            .iter()
            .filter_map(|case| Some((&case.id, case.flake.rate()?)))
            .collect();
        print_json(&json!({
            "cases": cases,
            "rates": rates,
            "since": overview.aside_since,
            "refused": overview.refused,
            "waiting": waiting,
        }))?;
    } else {
        print(listing::cases(&cases, &overview.refused, &overview.aside_since).trim_end())?;
        print_also(&waiting::lines(&[], &overview.waiting_cases()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(json: bool, export: &ExportArgs, overview: &Overview) -> Result<ExitCode, CommandError> {
    let wanted = |case: &&EvalCase| match case.state {
        CaseState::Promoted => true,
        CaseState::Open | CaseState::Resolved => export.all,
        CaseState::Candidate | CaseState::Unconfirmed | CaseState::Quarantined | CaseState::Retired => false,
    };
    let cases: Vec<&EvalCase> = overview.cases.values().filter(wanted).collect();
    if cases.is_empty() {
        let hint = "`sprag cases` lists all; `--all` also exports open and fixed ones, and `--out` names the folder of a local run";
        return Err(CommandError::new(Exit::Nothing, "there is no case to export", hint));
    }
    let worker = match load_config(&export.config)?.runner {
        // The files are for others too: with them, sprag is what their shell finds.
        runner if runner.kind == RunnerKind::Worker => {
            let parts = runner.command.iter();
            parts.map(|part| part.replace("{sprag}", "sprag")).collect()
        }
        _ => Vec::new(),
    };
    let tool = match export.to {
        To::Promptfoo => Tool::Promptfoo,
        To::Inspect => Tool::Inspect,
        To::Pytest => Tool::Pytest,
    };
    fs::create_dir_all(&export.dir)?;
    let mut written = Vec::new();
    for file in export::files(tool, &cases, &worker) {
        let path = export.dir.join(file.name);
        fs::write(&path, file.text)?;
        written.push(path.display().to_string());
    }
    if json {
        print_json(&json!({"cases": cases.len(), "files": written}))?;
    } else {
        print(&text::exported(cases.len(), &written))?;
    }
    Ok(ExitCode::SUCCESS)
}
