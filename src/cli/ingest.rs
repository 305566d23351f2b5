//! `sprag ingest`: recorded traces in, failures and their clusters out.

use super::session::load_config;
use super::{print, print_json};
use crate::error::{CommandError, Exit};
use crate::intake::FileReader;
use serde_json::json;
use sprag_core::cluster::{self, Cluster, ClusterBook, Rank};
use sprag_core::config::Config;
use sprag_core::failure::{FailureKind, FailureRecord};
use sprag_core::id::ClusterId;
use sprag_core::mine::{self, Judged};
use sprag_core::redact::Redactor;
use sprag_core::render::text;
use sprag_core::trace::read::{Format, ReadTrace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many clusters are explained on a terminal; `--json` has all.
const EXPLAINED: usize = 5;

/// Reads recorded traces, says why the failed ones failed, and groups them.
///
/// Reads files, archives and folders: spans of OpenTelemetry, logs of Inspect, results of promptfoo, tau2 and tau-bench, test reports,
/// chats, what Claude Code, Harbor and agentic workflows leave, worker traces, and records of your own with `[signals.mapping]`
/// (docs/formats.md). What cannot be read is named; the rest is used.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Trace files, archives and folders
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The format of all of them, where the content does not tell
    #[arg(long, value_name = "FORMAT", value_parser = clap::builder::PossibleValuesParser::new(Format::names()))]
    format: Option<String>,
    /// The configuration whose `[redact]` and `[signals.mapping]` count; without it, the one of this folder, if there is one
    #[arg(long, env = "SPRAG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn ingest(args: &Args) -> Result<ExitCode, CommandError> {
    let (traces, warnings) = read(args)?;
    let records = mined(&traces);
    let mut book = ClusterBook::default();
    let agent = records.iter().filter(|record| record.kind == FailureKind::Agent);
    book.join_all(agent, 1);
    book.gather();
    let by_id = records
        .iter()
        .map(|record| (record.id.clone(), record.clone()))
        .collect();
    let explained = cluster::explain(&book, &by_id);
    let ranks: BTreeMap<&ClusterId, Rank> = book
        .clusters
        .keys()
        .filter_map(|id| Some((id, book.rank_of(id)?)))
        .collect();
    let clusters: Vec<Cluster> = book.ranked().into_iter().map(|(_, cluster)| cluster.clone()).collect();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    records
        .iter()
        .for_each(|record| *kinds.entry(record.kind.to_string()).or_default() += 1);
    if args.json {
        let failed = records.len();
        print_json(
            &json!({"traces": traces.len(), "failed": failed, "kinds": kinds, "clusters": clusters, "ranks": ranks, "explanations": explained, "warnings": warnings}),
        )?;
    } else {
        warnings
            .iter()
            .try_for_each(|warning| print(&format!("warning: {warning}")))?;
        let by_kind: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        print(&format!(
            "{} traces, {} failed{}\n",
            traces.len(),
            records.len(),
            if by_kind.is_empty() {
                String::new()
            } else {
                format!(" ({})", by_kind.join(", "))
            }
        ))?;
        print(&text::clusters(&clusters))?;
        let told = clusters
            .iter()
            .take(EXPLAINED)
            .filter_map(|cluster| Some((cluster, ranks.get(&cluster.id)?, explained.get(&cluster.id)?)));
        told.into_iter()
            .try_for_each(|(cluster, rank, why)| print(&text::explained(cluster, rank, why)))?;
    }
    if traces.is_empty() {
        return Err(CommandError::new(
            Exit::Nothing,
            "no trace could be read",
            "docs/formats.md lists the formats and how they are told apart",
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The traces in all files, without their secrets, and what could not be read.
fn read(args: &Args) -> Result<(Vec<ReadTrace>, Vec<String>), CommandError> {
    let config = config(args.config.as_deref())?;
    let redactor = config
        .as_ref()
        .map(|config| Redactor::new(&config.redact))
        .unwrap_or_default();
    let reading = FileReader {
        format: args.format.as_deref().and_then(Format::named),
        mapping: config.and_then(|config| config.signals.mapping),
    };
    let mut traces: Vec<ReadTrace> = Vec::new();
    let mut warnings: Vec<String> = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let read = reading.path(path, &name).map_err(|error| {
            CommandError::new(
                Exit::Config,
                error.to_string(),
                "name a file or a folder that exists and may be read",
            )
        })?;
        traces.extend(read.traces);
        warnings.extend(read.problems);
    }
    traces.iter_mut().for_each(|trace| redactor.clean(trace));
    redactor.clean(&mut warnings);
    Ok((traces, warnings))
}

/// The configuration that was named, or else the project's.
fn config(named: Option<&Path>) -> Result<Option<Config>, CommandError> {
    let usual = Path::new("sprag.toml");
    named
        .or_else(|| usual.is_file().then_some(usual))
        .map(load_config)
        .transpose()
}

/// The failed runs, mined beside all that were judged.
fn mined(traces: &[ReadTrace]) -> Vec<FailureRecord> {
    let judged = Judged::new(
        traces
            .iter()
            .filter_map(|run| Some((&run.task, &run.trace, run.passed?))),
    );
    let failed = traces.iter().filter(|run| run.passed == Some(false));
    let mut records: Vec<FailureRecord> = failed.map(|run| record(run, &judged)).collect();
    mine::clumps(&mut records);
    mine::settle(&mut records);
    records
}

/// What the file itself says about who is to blame outweighs what the miner sees in the trace.
fn record(trace: &ReadTrace, judged: &Judged) -> FailureRecord {
    let mined = mine::mine_beside(&trace.source, &trace.task, &trace.trace, judged);
    let kind = trace.kind_hint.unwrap_or(mined.kind);
    FailureRecord { kind, ..mined }
}
