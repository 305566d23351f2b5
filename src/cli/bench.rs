//! `sprag bench`: how well sprag does on failures that others have labelled, and whether it keeps what it promises.

mod data;
mod mine;
mod safety;

use super::{print, print_json};
use crate::error::CommandError;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures sprag: on failures that others have labelled, and on what it promises.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Root causes, decisive steps, clusters and duplicates, without a model, beside what simple methods reach
    Mine(MineArgs),
    /// What sprag promises, tried on this machine: one page with each promise, the cases tried and those that held
    Safety(safety::Args),
}

#[derive(Debug, clap::Args)]
struct MineArgs {
    /// The folder with the labelled failures; `docs/benchmark.md` says what is read of it
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print what stands in each cluster of the τ set, beside the labels
    #[arg(long, conflicts_with = "json")]
    clusters: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn bench(args: Args) -> Result<ExitCode, CommandError> {
    match args.what {
        What::Mine(args) => mine(&args),
        What::Safety(args) => safety::safety(args).await,
    }
}

fn mine(args: &MineArgs) -> Result<ExitCode, CommandError> {
    let measured = mine::measure(&args.data)?;
    if args.json {
        print_json(&measured.json())?;
    } else {
        print(&sprag_core::render::bench::mine(&measured.rows()))?;
    }
    if args.clusters {
        print(&sprag_core::render::bench::clusters(measured.clusters()))?;
    }
    Ok(ExitCode::SUCCESS)
}
