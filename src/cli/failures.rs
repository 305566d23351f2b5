//! `sprag failures`: every failure that is known.

use super::source::{SourceArgs, unknown};
use super::{print, print_json};
use crate::actions::Job;
use crate::error::CommandError;
use serde_json::json;
use sprag_core::failure::FailureRecord;
use sprag_core::render::listing;
use std::process::ExitCode;

/// Lists the failures that are known: who is to blame, the step that decided, the cluster, and what went wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only failures of this cluster; the beginning of its id is enough
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only failures of this kind
    #[arg(long, value_name = "KIND", value_parser = ["agent", "infrastructure", "evaluator", "user_simulator", "unknown"])]
    kind: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn failures(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let overview = args.source.overview(job).await?;
    let cluster = args.cluster.as_ref().map(|id| overview.cluster(id)).transpose();
    let cluster = cluster.map_err(|problem| unknown(problem, "clusters"))?;
    let members = cluster.and_then(|id| overview.clusters.clusters.get(&id));
    let wanted = |record: &&FailureRecord| {
        let kind = record.kind.to_string().replace(' ', "_");
        let of_cluster = members.is_none_or(|cluster| cluster.members.contains_key(&record.id));
        of_cluster && args.kind.as_ref().is_none_or(|wanted| *wanted == kind)
    };
    let records: Vec<&FailureRecord> = overview.records.values().filter(wanted).collect();
    if args.json {
        let failures: Vec<_> = records
            .iter()
            .map(|record| {
                let clusters = overview.clusters.holding(&record.id);
                json!({"failure": record, "step": record.decisive_step(), "clusters": clusters, "origin": overview.origins.get(&record.id)})
            })
            .collect();
        print_json(&json!({"failures": failures}))?;
    } else {
        print(listing::failures(&records, &overview).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}
