//! `sprag clusters` and `sprag cluster`: what failures share, by rank; one cluster in full; what people decide about clusters.

use super::source::{SourceArgs, unknown};
use super::{print, print_also, print_json};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use serde_json::json;
use sprag_core::cluster::{self, Cluster};
use sprag_core::curation::Subject;
use sprag_core::fact::Decision;
use sprag_core::id::ClusterId;
use sprag_core::overview::Overview;
use sprag_core::render::markdown::visible;
use sprag_core::render::{listing, text, waiting};
use std::process::ExitCode;

/// Lists clusters, those that are worth work by their rank.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Resolved and ignored ones too
    #[arg(long)]
    all: bool,
    /// Say why each has its rank
    #[arg(long)]
    why: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// Shows one cluster, or decides about it.
///
/// What is decided holds for good: no later clustering and no model changes it. The beginning of an id is enough.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Says what its failures share, what tells it from its neighbour, why it has its rank, and what became of it
    Show {
        /// The cluster
        cluster: String,
        #[command(flatten)]
        source: Box<SourceArgs>,
    },
    /// Makes the second cluster part of the first
    Merge {
        /// The cluster that stays
        into: String,
        /// The cluster that becomes part of it
        from: String,
        #[command(flatten)]
        source: Box<SourceArgs>,
    },
    /// Takes failures out of a cluster; they become one of their own
    Split {
        /// The cluster
        cluster: String,
        /// The failures that leave it
        #[arg(required = true, value_name = "FAILURE")]
        failures: Vec<String>,
        #[command(flatten)]
        source: Box<SourceArgs>,
    },
    /// Gives a cluster another title
    Rename {
        /// The cluster
        cluster: String,
        /// What the agent does wrong, such as "cancels with the wrong reason"
        title: String,
        #[command(flatten)]
        source: Box<SourceArgs>,
    },
    /// Leaves a cluster alone: nothing is proposed for it
    Ignore {
        /// The cluster
        cluster: String,
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        #[command(flatten)]
        source: Box<SourceArgs>,
    },
    /// Works on a cluster next, also if it was ignored or waits for a person
    Accept {
        /// The cluster
        cluster: String,
        #[command(flatten)]
        source: Box<SourceArgs>,
    },
}

pub(super) async fn list(args: ListArgs, job: &Job) -> Result<ExitCode, CommandError> {
    let overview = args.source.overview(job).await?;
    let book = &overview.clusters;
    let mut clusters: Vec<Cluster> = book.ranked().into_iter().map(|(_, cluster)| cluster.clone()).collect();
    if args.all {
        let rest = book.clusters.values().filter(|cluster| !cluster.state.is_unresolved());
        clusters.extend(rest.cloned());
    }
    if args.json {
        let explained = cluster::explain(book, &overview.records);
        let told: Vec<_> = clusters
            .iter()
            .map(|cluster| json!({"cluster": cluster, "rank": book.rank_of(&cluster.id).filter(|_| cluster.state.is_unresolved()), "explanation": explained.get(&cluster.id)}))
            .collect();
        let waiting: Vec<_> = overview
            .waiting_clusters()
            .into_iter()
            .map(|(cluster, reason)| json!({"cluster": cluster.id, "reason": reason}))
            .collect();
        print_json(&json!({"clusters": told, "waiting": waiting}))?;
    } else {
        print(text::clusters(&clusters, book.ranked().len()).trim_end())?;
        if args.why {
            let ranked = book.ranked().into_iter();
            let ranks: Vec<_> = ranked
                .filter_map(|(_, cluster)| Some((cluster, book.rank_of(&cluster.id)?)))
                .collect();
            print_also(&text::ranks(&ranks))?;
        }
        print_also(&waiting::lines(&overview.waiting_clusters(), &[]))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn one(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let (source, decided) = match args.what {
        What::Show { cluster, source } => return show(&cluster, args.json, &source, job).await,
        What::Merge { into, from, source } => {
            let overview = source.overview(job).await?;
            let (into, from) = (found(&overview, &into)?, found(&overview, &from)?);
            if into == from {
                return Err(refused(format!("`{into}` is one cluster already")));
            }
            let told = format!("{from} is part of {into} now");
            (source, (Decision::Merge { into, from }, told))
        }
        What::Split {
            cluster,
            failures,
            source,
        } => {
            let overview = source.overview(job).await?;
            let decided = split(&overview, &cluster, &failures)?;
            (source, decided)
        }
        What::Rename { cluster, title, source } => {
            let cluster = found(&source.overview(job).await?, &cluster)?;
            let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
            if title.is_empty() {
                return Err(refused("a title cannot be empty".to_owned()));
            }
            let told = format!("{cluster} is called \"{title}\" now");
            (source, (Decision::Rename { cluster, title }, told))
        }
        What::Ignore {
            cluster,
            reason,
            source,
        } => {
            let cluster = found(&source.overview(job).await?, &cluster)?;
            let told = format!("{cluster} is left alone until `sprag cluster accept {cluster}`");
            let decision = Decision::Review {
                of: Subject::Cluster(cluster),
                accepted: false,
                reason,
            };
            (source, (decision, told))
        }
        What::Accept { cluster, source } => {
            let cluster = found(&source.overview(job).await?, &cluster)?;
            let told = format!("{cluster} is worked on next");
            (source, (Decision::Prefer { cluster }, told))
        }
    };
    let (decision, told) = decided;
    source.decide(job, decision.clone()).await?;
    if args.json {
        print_json(&json!({"decision": decision}))?;
    } else {
        print(&visible(&told))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(id: &str, json: bool, source: &SourceArgs, job: &Job) -> Result<ExitCode, CommandError> {
    let overview = source.overview(job).await?;
    let id = found(&overview, id)?;
    let shown = &overview.clusters.clusters[&id];
    let rank = overview.clusters.rank_of(&id).filter(|_| shown.state.is_unresolved());
    let explained = cluster::explain(&overview.clusters, &overview.records);
    let why = explained.get(&id);
    if json {
        let history = overview.clusters.revisions().iter();
        let history: Vec<_> = history
            .filter(|revision| revision.change.clusters().contains(&&id))
            .collect();
        let review = overview.curations.of(&Subject::Cluster(id.clone()));
        print_json(
            &json!({"cluster": shown, "rank": rank, "explanation": why, "history": history, "review": review, "waits": overview.standing(&id).waits().is_some()}),
        )?;
    } else {
        print(listing::cluster(shown, rank.as_ref(), why, &overview).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn split(overview: &Overview, cluster: &str, failures: &[String]) -> Result<(Decision, String), CommandError> {
    let cluster = found(overview, cluster)?;
    let members = &overview.clusters.clusters[&cluster].members;
    let mut records = Vec::new();
    for failure in failures {
        let record = overview
            .record(failure)
            .map_err(|problem| unknown(problem, "failures"))?;
        if !members.contains_key(&record.id) {
            return Err(refused(format!("`{failure}` is no failure of {cluster}")));
        }
        records.push(record.id.clone());
    }
    records.sort();
    records.dedup();
    if records.len() == members.len() {
        return Err(refused(format!("all failures of {cluster} would leave it")));
    }
    let told = format!(
        "{} of {} failures left {cluster} and are a cluster of their own",
        records.len(),
        members.len()
    );
    Ok((Decision::Split { cluster, records }, told))
}

fn found(overview: &Overview, id: &str) -> Result<ClusterId, CommandError> {
    overview
        .cluster(id)
        .map_err(|problem| unknown(problem, "clusters --all"))
}

fn refused(problem: String) -> CommandError {
    CommandError::new(
        Exit::Usage,
        problem,
        "`sprag cluster show` shows a cluster with its failures",
    )
}
