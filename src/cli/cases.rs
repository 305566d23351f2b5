//! `sprag cases`: the eval cases there are, and as tests of other tools.

use super::session::{self, load_config};
use super::{print, print_json};
use crate::error::{CommandError, Exit};
use crate::project::{self, ProjectFile};
use crate::store::{DirStore, Store as _};
use fs_err as fs;
use serde_json::json;
use sprag_core::case::export::{self, Tool};
use sprag_core::case::{CaseState, EvalCase, Refusal, SUITE};
use sprag_core::config::RunnerKind;
use sprag_core::id::CaseId;
use sprag_core::machine;
use sprag_core::render::text;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Lists the eval cases: those of the regression suite, and those that a local run made
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The project's configuration; its folder is the project
    #[arg(
        long,
        env = "SPRAG_CONFIG",
        default_value = "sprag.toml",
        value_name = "FILE",
        global = true
    )]
    config: PathBuf,
    /// The folder of a local run, whose cases are listed too
    #[arg(
        long,
        env = "SPRAG_OUT",
        default_value = "sprag-out",
        value_name = "DIR",
        global = true
    )]
    state: PathBuf,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Writes cases as tests of promptfoo, Inspect or pytest, which run the agent through its worker
    Export(ExportArgs),
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// For which tool
    #[arg(long, value_enum)]
    to: To,
    /// The folder to write to; files that are there under the same names are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The regression suite only (the default)
    #[arg(long, conflicts_with = "all")]
    suite: bool,
    /// Also cases that are open
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum To {
    Promptfoo,
    Inspect,
    Pytest,
}

/// What is known of cases here.
struct Found {
    cases: BTreeMap<CaseId, EvalCase>,
    refused: Vec<Refusal>,
}

pub(super) fn cases(args: &Args) -> Result<ExitCode, CommandError> {
    let project_dir = args.config.parent().unwrap_or(Path::new(""));
    let found = found(project_dir, &args.state)?;
    match &args.command {
        Some(Command::Export(export)) => write(args, export, &found),
        None => list(args, &found),
    }
}

/// The suite as it stands in the project's folder, then what a local run made of cases.
fn found(project_dir: &Path, state: &Path) -> Result<Found, CommandError> {
    let mut cases: BTreeMap<CaseId, EvalCase> = BTreeMap::new();
    let mut refused = Vec::new();
    let folder = state.join(".sprag/state");
    if folder.is_dir() {
        let (store, damage) = DirStore::open(&folder)?;
        session::tell_damage(&damage, &session::progress(false));
        let (state, _) = machine::replay(store.entries().iter().map(|entry| &entry.event));
        if let Some(state) = state {
            cases.extend(state.cases.cases);
            refused.extend(state.refused.into_values());
        }
    }
    let suite = project::suite(&suite_files(project_dir)?)?;
    cases.extend(suite.into_iter().map(|case| (case.id.clone(), case)));
    Ok(Found { cases, refused })
}

fn suite_files(project_dir: &Path) -> Result<Vec<ProjectFile>, CommandError> {
    let folder = project_dir.join(SUITE);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(ProjectFile {
                path: format!("{SUITE}{}", entry.file_name().to_string_lossy()),
                bytes: fs::read(entry.path())?,
                executable: false,
            });
        }
    }
    Ok(files)
}

fn list(args: &Args, found: &Found) -> Result<ExitCode, CommandError> {
    if args.json {
        let cases: Vec<&EvalCase> = found.cases.values().collect();
        print_json(&json!({"cases": cases, "refused": found.refused}))?;
    } else {
        let cases: Vec<&EvalCase> = found.cases.values().collect();
        print(&text::cases(&cases, &found.refused))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(args: &Args, export: &ExportArgs, found: &Found) -> Result<ExitCode, CommandError> {
    let wanted = |case: &&EvalCase| match case.state {
        CaseState::Promoted => true,
        CaseState::Open => export.all,
        CaseState::Candidate | CaseState::Unconfirmed | CaseState::Quarantined => false,
    };
    let cases: Vec<&EvalCase> = found.cases.values().filter(wanted).collect();
    if cases.is_empty() {
        let hint =
            "`sprag cases` lists all; `--all` also exports open ones, and `--state` names the folder of a local run";
        return Err(CommandError::new(Exit::Nothing, "there is no case to export", hint));
    }
    let worker = match load_config(&args.config)?.runner {
        runner if runner.kind == RunnerKind::Worker => runner.command,
        _ => Vec::new(),
    };
    let tool = match export.to {
        To::Promptfoo => Tool::Promptfoo,
        To::Inspect => Tool::Inspect,
        To::Pytest => Tool::Pytest,
    };
    fs::create_dir_all(&export.out)?;
    let mut written = Vec::new();
    for file in export::files(tool, &cases, &worker) {
        let path = export.out.join(file.name);
        fs::write(&path, file.text)?;
        written.push(path.display().to_string());
    }
    if args.json {
        print_json(&json!({"cases": cases.len(), "files": written}))?;
    } else {
        print(&text::exported(cases.len(), &written))?;
    }
    Ok(ExitCode::SUCCESS)
}
