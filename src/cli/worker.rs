//! `sprag worker check`: its arguments, what it prints, and its exit code.

use super::print;
use super::session;
use super::simulate::project_dir;
use crate::error::CommandError;
use crate::model::Tape;
use crate::runner::check::{CheckReport, CheckRequest, check};
use crate::workspace::files_of_folder;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Helps with writing the worker that makes your agent run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(CheckArgs),
}

pub(super) async fn worker(args: Args) -> Result<ExitCode, CommandError> {
    let Command::Check(args) = args.command;
    let project = if args.config.exists() {
        project_dir(&args.config)?
    } else {
        std::env::current_dir()?
    };
    let (command, config) = if args.command.is_empty() {
        let config = session::load_config(&args.config)?;
        (config.runner.command.clone(), config)
    } else {
        (args.command.clone(), session::parse_config("", "")?)
    };
    let files = session::project(files_of_folder(&project)?, &config.harness, &command)?.files;
    let proxy = session::proxy(config.runner.model.as_ref(), &config, &Tape::Off)?;
    let scratch = tempfile::tempdir()?;
    let report = check(CheckRequest {
        command: session::expand(&command, &project)?,
        hold: session::hold(&config, &project)?,
        project_dir: project,
        files,
        env_pass: config.runner.env,
        scratch: scratch.path().to_owned(),
        limit: args.limit,
        shutdown_limit: args.shutdown_limit,
        proxy,
    })
    .await?;
    print(render(&report, args.json).trim_end())?;
    Ok(ExitCode::from(exit_code(&report)))
}

/// Runs the worker protocol against a worker and says in plain words what is wrong with it.
///
/// Exit code 0 when there is no problem (warnings do not count), 6 when there is one.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// The configuration whose `runner.command` is checked
    #[arg(long, default_value = "sprag.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// How long one answer may take, in seconds
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub limit: Duration,
    /// How long the worker may take to end after `shutdown`, in seconds
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub shutdown_limit: Duration,
    /// Check this command instead of the configured one
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|error| format!("{error}; give a number of seconds, such as 30 or 0.5"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// The report as it is printed: one finding a line and a verdict, or one JSON object.
pub fn render(report: &CheckReport, json: bool) -> String {
    if json {
        let (problems, warnings) = (report.n_problems(), report.n_warnings());
        return json!({"problems": problems, "warnings": warnings, "checks": report.checks}).to_string();
    }
    report.to_string()
}

/// 0 when the worker can be used, 6 ("outside service failed") when not.
pub fn exit_code(report: &CheckReport) -> u8 {
    if report.n_problems() == 0 { 0 } else { 6 }
}
