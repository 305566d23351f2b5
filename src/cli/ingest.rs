//! `sprag ingest`: recorded traces in, failures and their clusters out.

use super::model::{self, ModelArgs};
use super::session::{self, load_config, now};
use super::source::{facts_dir, state_dir};
use super::{print, print_json};
use crate::error::{CommandError, Exit};
use crate::flow::advise::{self, Advisor};
use crate::reading::{self, Reading};
use crate::store::{DirStore, FactFile};
use serde_json::json;
use sprag_core::case::drafted;
use sprag_core::cluster::{self, Cluster, Explanation, Rank, Revision};
use sprag_core::config::Config;
use sprag_core::curation::{self, Review};
use sprag_core::fact::{Fact, What};
use sprag_core::failure::FailureRecord;
use sprag_core::hash;
use sprag_core::id::{ClusterId, RecordId};
use sprag_core::mine::text::counted;
use sprag_core::overview::Overview;
use sprag_core::render::text;
use sprag_core::trace::Trace;
use sprag_core::trace::read::Format;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Failures of one fact.
const PART: usize = 1_000;
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
    /// Where the failures are kept, for the other commands and for `sprag run --local`
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// Say what was found, and keep nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn ingest(args: &Args) -> Result<ExitCode, CommandError> {
    // Whoever cannot keep what is found should not pay for finding it.
    let file = if args.dry_run {
        None
    } else {
        Some(open_facts(&args.out)?)
    };
    let config = config(args.config.as_deref())?;
    let advisor = args.model.advisor(config.as_ref())?;
    let reading = Reading::new(args.format.as_deref(), config.as_ref());
    // A model wants to see the runs themselves.
    let mut read = reading.mine(&args.files, if advisor.is_some() { usize::MAX } else { 0 })?;
    // There may be many: they are handed on, and never held twice.
    let records = std::mem::take(&mut read.records);
    let records = match &advisor {
        Some(advisor) => advised(advisor, records, &read.kept).await?,
        None => records,
    };
    let new = New::of(&records);
    let facts = facts(args, read.traces, records);
    let review = config.map(|config| config.review).unwrap_or_default();
    let overview = match file {
        Some(file) => keep(&args.out, file, facts, advisor.as_ref(), review).await?,
        None => {
            let mut overview = Overview::local(&[], facts, &[]);
            revised(&mut overview, advisor.as_ref(), review).await?;
            overview
        }
    };
    let account = advisor.as_ref().map(Advisor::account);
    let found = Found::new(&overview, new);
    if args.json {
        let clusters: Vec<&Cluster> = found.clusters.iter().collect();
        print_json(
            &json!({"traces": read.traces, "failed": found.new.records.len(), "kinds": found.new.kinds, "clusters": clusters, "ranks": found.ranks, "explanations": found.explained, "warnings": read.warnings, "model": account}),
        )?;
    } else {
        read.warnings
            .iter()
            .try_for_each(|warning| print(&format!("warning: {warning}")))?;
        print(&found.text(&read))?;
        if let Some(account) = &account {
            print(&format!("\n{}", model::told(account)))?;
        }
        let waiting = overview.waiting_clusters().len();
        if waiting > 0 {
            print(&format!(
                "\n{} for a person to confirm: `sprag clusters` shows why, `sprag cluster accept ID` accepts one",
                match waiting {
                    1 => "1 cluster waits".to_owned(),
                    many => format!("{many} clusters wait"),
                }
            ))?;
        }
        if !args.dry_run && !found.new.records.is_empty() {
            let out = args.out.display();
            print(&format!(
                "\nkept in {out}: `sprag failures` lists them, `sprag cluster show` shows a cluster, `sprag explain` one failure"
            ))?;
        }
    }
    if read.traces == 0 {
        return Err(CommandError::new(
            Exit::Nothing,
            "no trace could be read",
            "docs/formats.md lists the formats and how they are told apart",
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The records with what a model adds to each; their traces stand beside them.
async fn advised(
    advisor: &Advisor,
    records: Vec<FailureRecord>,
    traces: &[Trace],
) -> Result<Vec<FailureRecord>, CommandError> {
    let failures: Vec<_> = traces.iter().zip(records).collect();
    let records = advisor.mine(&failures).await?;
    let drafted = records.into_iter().zip(traces).map(|(record, trace)| {
        let seen = record
            .draft
            .as_ref()
            .map_or_else(String::new, |draft| draft.provenance.source.clone());
        drafted(&seen, record, trace, None)
    });
    Ok(drafted.collect())
}

/// The failures that were read just now.
struct New {
    records: BTreeSet<RecordId>,
    kinds: BTreeMap<String, usize>,
}

impl New {
    fn of(records: &[FailureRecord]) -> Self {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        records
            .iter()
            .for_each(|record| *kinds.entry(record.kind.to_string()).or_default() += 1);
        Self {
            records: records.iter().map(|record| record.id.clone()).collect(),
            kinds,
        }
    }
}

/// What is shown of the failures that were read.
struct Found {
    new: New,
    /// Those that the failures joined, by rank.
    clusters: Vec<Cluster>,
    ranks: BTreeMap<ClusterId, Rank>,
    explained: BTreeMap<ClusterId, Explanation>,
}

impl Found {
    fn new(overview: &Overview, new: New) -> Self {
        let book = &overview.clusters;
        let joined = |cluster: &Cluster| cluster.members.keys().any(|member| new.records.contains(member));
        let ranked = book.ranked().into_iter().map(|(_, cluster)| cluster);
        let clusters: Vec<Cluster> = ranked.filter(|cluster| joined(cluster)).cloned().collect();
        let ids: BTreeSet<&ClusterId> = clusters.iter().map(|cluster| &cluster.id).collect();
        let mut explained = cluster::explain(book, &overview.records);
        explained.retain(|id, _| ids.contains(id));
        Self {
            ranks: ids
                .iter()
                .filter_map(|id| Some(((*id).clone(), book.rank_of(id)?)))
                .collect(),
            explained,
            clusters,
            new,
        }
    }

    fn text(&self, read: &reading::Found) -> String {
        let failed = self.new.records.len();
        let kinds: Vec<String> = self
            .new
            .kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let kinds = if kinds.is_empty() {
            String::new()
        } else {
            format!(" ({})", kinds.join(", "))
        };
        let traces = counted(read.traces, "trace");
        if read.judged == 0 && read.traces > 0 {
            return format!("{traces}, of which nobody has said whether they passed: nothing to mine");
        }
        let mut parts = vec![format!("{traces}, {failed} failed{kinds}\n")];
        if failed > 0 {
            parts.push(text::clusters(&self.clusters, self.clusters.len()));
        }
        let told = self.clusters.iter().take(EXPLAINED);
        parts.extend(told.filter_map(|cluster| {
            let (rank, why) = (self.ranks.get(&cluster.id)?, self.explained.get(&cluster.id)?);
            Some(text::explained(cluster, rank, why))
        }));
        parts.join("\n").trim_end().to_owned()
    }
}

/// The failures as facts, of which none is too large.
fn facts(args: &Args, n_traces: usize, records: Vec<FailureRecord>) -> Vec<Fact> {
    let at = now();
    // The hash of all records at once would need them all as one text.
    let digest = hash::of(&records.iter().map(hash::of).collect::<Vec<String>>());
    let files: Vec<String> = args.files.iter().map(|path| path.display().to_string()).collect();
    let mut records = records.into_iter();
    let mut facts = Vec::new();
    loop {
        let failures: Vec<FailureRecord> = records.by_ref().take(PART).collect();
        if failures.is_empty() {
            return facts;
        }
        facts.push(Fact {
            at: at.clone(),
            what: What::FilesRead {
                digest: digest.clone(),
                files: files.clone(),
                part: u32::try_from(facts.len()).unwrap_or(u32::MAX),
                traces: u32::try_from(n_traces).unwrap_or(u32::MAX),
                failures,
            },
        });
    }
}

fn open_facts(out: &Path) -> Result<FactFile, CommandError> {
    let (file, damage) = FactFile::open(&facts_dir(out))?;
    session::tell_damage(&damage, &session::progress(false));
    Ok(file)
}

/// Keeps what was read beside what is known, and what follows from both.
async fn keep(
    out: &Path,
    mut file: FactFile,
    facts: Vec<Fact>,
    advisor: Option<&Advisor>,
    review: Review,
) -> Result<Overview, CommandError> {
    for fact in facts {
        file.note(fact.at, fact.what)?;
    }
    let ledger = DirStore::ledger(&state_dir(out))?;
    let mut overview = Overview::local(&ledger, file.take_facts(), &[]);
    // A run that was begun keeps to what it was begun with.
    let review = if ledger.is_empty() { review } else { overview.review };
    for what in revised(&mut overview, advisor, review).await? {
        file.note(now(), what)?;
    }
    Ok(overview)
}

/// Brings clusters to what is known now, as `sprag sync` does: what is alike becomes one, and a model that is there decides about those
/// that nobody has decided about. What changed comes back.
async fn revised(
    overview: &mut Overview,
    advisor: Option<&Advisor>,
    review: Review,
) -> Result<Vec<What>, CommandError> {
    overview.review = review;
    let mut changed = Vec::new();
    let mut revise = |overview: &mut Overview, revisions: Vec<Revision>| {
        overview.revise(&revisions);
        if !revisions.is_empty() {
            changed.push(What::ClustersRevised { revisions });
        }
    };
    let revisions = advise::revisions(advisor, &overview.clusters, &overview.records).await?;
    revise(overview, revisions);
    if let Some(advisor) = advisor {
        let curations = advisor
            .curations(&overview.clusters, &overview.records, &overview.curations)
            .await?;
        curations.iter().for_each(|curation| overview.curations.take(curation));
        revise(overview, curation::merges(review, &curations));
        if !curations.is_empty() {
            changed.push(What::Curated { curations });
        }
    }
    Ok(changed)
}

/// The configuration that was named, or else the project's.
pub(super) fn config(named: Option<&Path>) -> Result<Option<Config>, CommandError> {
    let usual = Path::new("sprag.toml");
    named
        .or_else(|| usual.is_file().then_some(usual))
        .map(load_config)
        .transpose()
}
