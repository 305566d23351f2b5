//! The command line: arguments in, a request to the flow, a result printed. One file a command.

pub mod app;
mod bench;
mod cases;
mod clusters;
mod demo;
mod doctor;
mod explain;
mod failures;
mod gate;
mod gate_agent;
mod github;
mod helpdesk_worker;
mod ingest;
pub mod init;
mod model;
mod optimize;
mod plan;
mod publish;
mod run;
mod session;
mod simulate;
mod source;
mod state;
mod sync;
mod test;
pub mod worker;

use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::log::{Stderr, defused};
use clap::{Parser, Subcommand};
use sprag_core::redact::Redactor;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Turns the failures of an AI agent into measured, reviewed changes of its harness.
#[derive(Debug, Parser)]
#[command(name = "sprag", version, about, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Simulate(simulate::Args),
    Plan(plan::Args),
    Run(Box<run::Args>),
    Optimize(Box<optimize::Args>),
    Publish(Box<publish::Args>),
    Sync(Box<sync::Args>),
    Gate(Box<gate::Args>),
    Test(Box<test::Args>),
    Doctor(Box<doctor::Args>),
    Ingest(ingest::Args),
    Failures(Box<failures::Args>),
    Clusters(Box<clusters::ListArgs>),
    Cluster(clusters::Args),
    Explain(Box<explain::Args>),
    Cases(Box<cases::Args>),
    State(Box<state::Args>),
    Bench(bench::Args),
    Init(init::InitArgs),
    App(app::Args),
    Worker(worker::Args),
    #[command(hide = true)]
    GateAgent(gate_agent::Args),
    /// Plays the demo's helpdesk agent as a worker
    #[command(hide = true)]
    HelpdeskWorker,
}

/// Parses the command line, runs the command, prints what went wrong.
pub fn main() -> ExitCode {
    keep_to_ourselves();
    let filter = EnvFilter::try_from_env("SPRAG_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let result = runtime.block_on(dispatch(cli.command));
    // A worker that will not die must not keep us.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

/// Tokens and keys come by the environment, and what sprag runs has the same user: it must not read them out of this process.
fn keep_to_ourselves() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::debug!("other processes of this user may read the environment of this one: {error}");
    }
}

async fn dispatch(command: Command) -> Result<ExitCode, CommandError> {
    let job = Job::from_env(|name| std::env::var(name).ok());
    match command {
        Command::Demo(args) => demo::demo(args).await,
        Command::Simulate(args) => simulate::simulate(args).await,
        Command::Plan(args) => plan::plan(args).await,
        Command::Run(args) => run::run(*args, &job).await,
        Command::Optimize(args) => optimize::optimize(*args, &job).await,
        Command::Publish(args) => publish::publish(*args, &job).await,
        Command::Sync(args) => sync::sync(*args, &job).await,
        Command::Gate(args) => gate::gate(*args, &job).await,
        Command::Test(args) => test::test(*args, &job).await,
        Command::Doctor(args) => doctor::doctor(*args, &job).await,
        Command::Ingest(args) => ingest::ingest(&args).await,
        Command::Failures(args) => failures::failures(*args, &job).await,
        Command::Clusters(args) => clusters::list(*args, &job).await,
        Command::Cluster(args) => clusters::one(args, &job).await,
        Command::Explain(args) => explain::explain(*args, &job).await,
        Command::Cases(args) => cases::cases(*args, &job).await,
        Command::State(args) => state::state(*args, &job).await,
        Command::Bench(args) => bench::bench(args).await,
        Command::Init(args) => init::on_terminal(&args).map(|()| ExitCode::SUCCESS),
        Command::App(args) => app::on_github(args).await.map(|()| ExitCode::SUCCESS),
        Command::Worker(args) => worker::worker(args).await,
        Command::GateAgent(args) => gate_agent::serve(args),
        Command::HelpdeskWorker => helpdesk_worker::serve(),
    }
}

fn report(error: &CommandError) -> ExitCode {
    // It can quote what a worker or GitHub said, and the log of a job may be public.
    let told = error.to_string();
    let told = Redactor::default().text(&told);
    // Nobody is left to tell when stderr is closed.
    let _closed = writeln!(std::io::stderr(), "{}", defused(&told));
    error.exit.into()
}

/// Prints to stdout. A reader that went away (`sprag … | head`) is no error.
fn print(text: &str) -> Result<(), CommandError> {
    match writeln!(std::io::stdout(), "{}", defused(text)) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a part that follows another one, after an empty line; nothing if there is nothing to say.
fn print_also(text: &str) -> Result<(), CommandError> {
    match text.trim_end() {
        "" => Ok(()),
        text => print(&format!("\n{text}")),
    }
}

/// Prints one JSON object on one line.
fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string(value).map_err(|error| {
        CommandError::new(
            Exit::Internal,
            error.to_string(),
            "please report this as a defect of sprag",
        )
    })?;
    print(&text)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn other_processes_of_the_user_cannot_read_our_environment() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        super::keep_to_ourselves();
        assert_eq!(dumpable_behavior().ok(), Some(DumpableBehavior::NotDumpable));
    }
}
