//! `sprag explain`: one failure with its evidence in context, or one verdict made again from its runs.

use super::ingest;
use super::source::{SourceArgs, state_dir, unknown};
use super::{print, print_json};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::flow;
use crate::reading::Reading;
use crate::store::DirStore;
use serde_json::json;
use sprag_core::failure::{FailureRecord, RootCause};
use sprag_core::id::{ClusterId, ExperimentId};
use sprag_core::machine;
use sprag_core::mine::text::counted;
use sprag_core::overview::{Origin, Overview};
use sprag_core::render::{listing, text};
use sprag_core::trace::Trace;
use sprag_core::trace::read::Format;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Says of one failure what went wrong and why, with the steps of the trace that show it.
///
/// Names a failure as `sprag failures` lists it, or a trace file, whose failed runs are explained one after the other. Files are read as
/// `sprag ingest` reads them, and nothing is kept.
///
/// With the id of an experiment (`E007`) of the run in `--out`, its verdict is made again from the recorded runs, told with what speaks for it, and held
/// against what the ledger says; exit code 5 if they differ.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The id of a failure (its beginning is enough), a trace file, or the id of an experiment
    #[arg(value_name = "TRACE")]
    trace: String,
    /// The most failures of a file that are explained
    #[arg(long, default_value_t = 5, value_name = "N")]
    limit: usize,
    /// The format of the file, where the content does not tell
    #[arg(long, value_name = "FORMAT", value_parser = clap::builder::PossibleValuesParser::new(Format::names()))]
    format: Option<String>,
    /// The configuration whose `[redact]` and `[signals.mapping]` count; without it, the one of this folder, if there is one
    #[arg(long, env = "SPRAG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// A failure and what is left of its run.
struct Found {
    record: FailureRecord,
    trace: Option<Trace>,
    origin: Option<Origin>,
}

pub(super) async fn explain(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    if let Some(experiment) = experiment_named(&args.trace) {
        return decided(&args, &experiment);
    }
    let overview = args.source.overview(job).await?;
    let (found, left) = if Path::new(&args.trace).exists() {
        in_file(&args)?
    } else {
        (vec![known(&args, &overview)?], 0)
    };
    if args.json {
        let told: Vec<_> = found
            .iter()
            .map(|found| json!({"failure": found.record, "step": found.record.decisive_step(), "origin": found.origin, "trace": found.trace}))
            .collect();
        print_json(&json!({"failures": told, "left": left}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let told: Vec<String> = found.iter().map(|found| told(found, &overview)).collect();
    print(told.join("\n").trim_end())?;
    if let [
        Found {
            trace: None,
            origin: Some(origin),
            ..
        },
    ] = found.as_slice()
    {
        print(&format!(
            "\nthe trace is not kept here ({origin}), so only the quotes are shown"
        ))?;
    }
    if left > 0 {
        print(&format!("\n{left} more failed; `--limit` shows more"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The experiment that is meant, if one is: `E007`.
fn experiment_named(name: &str) -> Option<ExperimentId> {
    let digits = name.strip_prefix('E')?;
    let is_one = digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !Path::new(name).exists();
    is_one.then(|| ExperimentId::new(name))
}

fn decided(args: &Args, id: &ExperimentId) -> Result<ExitCode, CommandError> {
    let ledger = DirStore::ledger(&state_dir(&args.source.out))?;
    let again = machine::decide_again(ledger.iter().map(|entry| &entry.event), id).ok_or_else(|| {
        CommandError::new(
            Exit::Nothing,
            format!("the run in {} has no verdict of {id}", args.source.out.display()),
            "`--out` names the folder of a run; its results.tsv lists the experiments",
        )
    })?;
    let agrees = again.agrees();
    if args.json {
        let experiment = &again.experiment;
        let follows = again
            .again
            .as_ref()
            .map(|(ground, reason)| json!({"ground": ground, "reason": reason}));
        print_json(&json!({"experiment": experiment, "again": follows, "agrees": agrees}))?;
    } else {
        print(text::decided_again(&again).trim_end())?;
    }
    Ok(if agrees {
        ExitCode::SUCCESS
    } else {
        Exit::Rejected.into()
    })
}

fn told(found: &Found, overview: &Overview) -> String {
    let record = &found.record;
    // A failure that is not kept would join the cluster of its mechanism.
    let cluster_of = |cause: &RootCause| -> Option<ClusterId> {
        let of = overview
            .clusters
            .clusters
            .values()
            .find(|cluster| cluster.shows(&cause.mechanism));
        let known = overview.cluster_of(&record.id, cause);
        known.or_else(|| {
            of.filter(|_| !overview.records.contains_key(&record.id))
                .map(|cluster| cluster.id.clone())
        })
    };
    listing::failure(record, found.trace.as_ref(), found.origin.as_ref(), cluster_of)
}

/// The failed runs of a file, and how many more there are.
fn in_file(args: &Args) -> Result<(Vec<Found>, usize), CommandError> {
    let read = reading(args)?.mine(&[PathBuf::from(&args.trace)], args.limit)?;
    if !args.json {
        read.warnings
            .iter()
            .try_for_each(|warning| print(&format!("warning: {warning}")))?;
    }
    if read.records.is_empty() {
        return Err(CommandError::new(
            Exit::Nothing,
            match read.traces {
                0 => format!("no trace could be read in {}", args.trace),
                n => format!(
                    "{}: none of {} is of a run that failed",
                    args.trace,
                    counted(n, "trace")
                ),
            },
            "a run counts as failed where the file says that it failed; docs/formats.md says how each format tells",
        ));
    }
    let left = read.records.len() - read.kept.len();
    let found = read.records.into_iter().zip(read.kept).map(|(record, trace)| Found {
        record,
        trace: Some(trace),
        origin: Some(Origin::Files {
            names: vec![args.trace.clone()],
        }),
    });
    Ok((found.collect(), left))
}

fn reading(args: &Args) -> Result<Reading, CommandError> {
    let config = ingest::config(args.config.as_deref())?;
    Ok(Reading::new(args.format.as_deref(), config.as_ref()))
}

/// A failure that is known, with its trace where that is still at hand: on record in the folder of the run, or in the files it was read from.
fn known(args: &Args, overview: &Overview) -> Result<Found, CommandError> {
    let record = overview
        .record(&args.trace)
        .map_err(|problem| unknown(problem, "failures"))?;
    let origin = overview.origins.get(&record.id).cloned();
    let trace = match &origin {
        Some(Origin::Files { names }) => {
            let files: Vec<PathBuf> = names.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
            reading(args)?.trace_of(&files, &record.id)?
        }
        Some(Origin::Run { run: None }) => {
            let state = state_dir(&args.source.out);
            flow::recorded_trace(&state, &DirStore::ledger(&state)?, record)
        }
        _ => None,
    };
    Ok(Found {
        record: record.clone(),
        trace,
        origin,
    })
}
