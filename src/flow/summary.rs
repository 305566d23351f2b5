//! What a run came to: the lines while it goes on, the files and the JSON object at its end.

use super::publish::{gate_view, pull_folder, write_comments};
use super::{FlowError, Request, learnings};
use crate::progress::Progress;
use fs_err as fs;
use serde::Serialize;
use sprag_core::candidate::{Experiment, Prediction, Verdict};
use sprag_core::case::CaseState;
use sprag_core::gate::purchase::Purpose;
use sprag_core::ledger::{CaseTry, Entry, Event};
use sprag_core::machine::State;
use sprag_core::render::view::{self, BatchView, Provenance, ReportView, SummaryView};
use sprag_core::render::{report, text, tsv};
use sprag_core::score::Scorecard;
use sprag_core::search::SearchMode;
use sprag_core::trial::TrialStatus;
use std::path::{Path, PathBuf};

/// What a run came to: the last line with `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Held-out score of the harness the run began with, from 0 to 1.
    pub baseline_validation: f64,
    /// Held-out score of the harness it ended with.
    pub final_validation: f64,
    /// The same as the gate estimates it from all runs that speak for that harness: what may be claimed.
    pub level: f64,
    /// Batches of traffic.
    pub batches: u32,
    /// Experiments made.
    pub experiments: u32,
    /// Changes that were drafted in rounds, of which some became experiments; absent in a search without rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drafts: Option<u32>,
    /// How many were accepted.
    pub accepted: u32,
    /// How many were rejected.
    pub rejected: u32,
    /// Cases in the regression suite.
    pub suite_size: u32,
    /// Clusters found.
    pub clusters: u32,
    /// How the proposers' predictions of what their changes would fix came out; absent when nothing was predicted and measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// Task runs made; those from the record are not counted.
    pub task_runs: u64,
    /// The HTML report.
    pub report: PathBuf,
    /// The id of the last entry of the ledger: equal for equal runs.
    pub ledger_head: String,
    /// Why the run ended.
    pub ended: String,
    /// What held the code of others: `A (namespaces)`, `B (Landlock and seccomp)`, or `none`.
    pub sandbox: &'static str,
    /// The body of the newest pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PathBuf>,
    /// Its check runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<PathBuf>,
}

impl Summary {
    /// Writes report, `results.tsv` and the comments, and sums the run up.
    pub fn write(request: &Request<'_>, state: &State, entries: &[Entry]) -> Result<Self, FlowError> {
        fs::create_dir_all(&request.out)?;
        let head = entries.last().map(|entry| entry.id.clone()).unwrap_or_default();
        let report_path = request.out.join("report.html");
        fs::write(&report_path, report::report(&report_view(request, state, &head)))?;
        fs::write(request.out.join("results.tsv"), tsv::results(&state.experiments))?;
        write_comments(request, state)?;
        learnings::write(request, state)?;
        let newest = state
            .experiments
            .iter()
            .rev()
            .find(|experiment| state.published.contains_key(&experiment.id));
        let folder = newest.map(|experiment| pull_folder(&request.out, &experiment.id));
        Ok(Self {
            baseline_validation: score(state.baseline.as_ref()),
            final_validation: score(state.incumbent_validation()),
            level: state.gate.level(),
            batches: state.batch,
            experiments: state.n_experiments(),
            drafts: (state.plan.search.mode == SearchMode::Frontier).then_some(state.drafts),
            accepted: count(&state.experiments, Verdict::Accepted),
            rejected: count(&state.experiments, Verdict::Rejected),
            suite_size: suite_size(state),
            clusters: length(state.clusters.clusters.len()),
            prediction: Prediction::of(&state.experiments),
            task_runs: state.spent.task_runs,
            report: report_path,
            ledger_head: head,
            ended: state.finished.clone().unwrap_or_default(),
            sandbox: request.sandbox,
            pull_request: folder.as_ref().map(|folder| folder.join("pull_request.md")),
            checks: folder.map_or_else(Vec::new, |folder| {
                ["check-regression.json", "check-validation.json"]
                    .iter()
                    .map(|name| folder.join(name))
                    .collect()
            }),
        })
    }

    /// The table a person reads at the end.
    pub fn text(&self, state: &State, more: Vec<(String, String)>) -> String {
        let shown = |path: &Path| path.display().to_string();
        let mut files = vec![("report".to_owned(), shown(&self.report))];
        files.extend(
            self.pull_request
                .iter()
                .map(|path| ("pull request".to_owned(), shown(path))),
        );
        files.extend(more);
        text::summary(&SummaryView {
            baseline: state.baseline.clone().unwrap_or_default(),
            latest: state.incumbent_validation().cloned().unwrap_or_default(),
            batches: self.batches,
            experiments: self.experiments,
            accepted: self.accepted,
            rejected: self.rejected,
            suite_size: self.suite_size,
            clusters: self.clusters,
            resolved: length(
                state
                    .clusters
                    .clusters
                    .values()
                    .filter(|cluster| cluster.resolution_rate() >= 1.0)
                    .count(),
            ),
            prediction: self.prediction,
            task_runs: self.task_runs,
            sandbox: self.sandbox,
            files,
        })
    }
}

/// One line for what just happened.
pub(super) fn tell(state: &State, event: &Event, progress: &Progress) {
    let last = || state.experiments.last().cloned();
    if let Event::Screened { cluster, screened, .. } = event {
        let cluster = state.clusters.clusters.get(cluster);
        let told = view::Progress::Screened {
            cluster: cluster.map_or_else(String::new, |cluster| cluster.title.clone()),
            drafts: length(screened.len()),
            helped: length(screened.iter().filter(|screened| screened.is_worth()).count()),
        };
        progress.line(&format!("  {}", text::progress(&told)));
    }
    if let Event::Ablated { kept, failed, .. } = event {
        let told = view::Progress::Ablated {
            kept: kept.clone(),
            failed: failed.len(),
        };
        progress.line(&format!("  {}", text::progress(&told)));
    }
    let told = match event {
        Event::Bought { request, .. } if request.purpose == Purpose::Baseline => Some(view::Progress::Baseline {
            validation: state.baseline.clone().unwrap_or_default(),
        }),
        Event::TrafficRan { .. } => batches(state).pop().map(|batch| view::Progress::Mined {
            batch,
            batches: state.plan.batches,
        }),
        Event::SuiteRevised { changes } => Some(view::Progress::SuiteRevised {
            changes: changes.clone(),
        }),
        Event::CasesTried { tried, refused, .. } => told_of_cases(state, tried, refused.len()),
        // An illegal draft is an experiment too, and so is the best of a round.
        Event::Proposed { experiment, .. }
        | Event::Drafted { experiment, .. }
        | Event::Screened { experiment, .. }
        | Event::Raced { experiment, .. } => last()
            .filter(|last| last.id == *experiment)
            .map(|experiment| view::Progress::Proposed { experiment }),
        // One starting point of many.
        Event::NothingProposed { .. } if state.is_drafting() => None,
        Event::NothingProposed { cluster, reason, .. } => {
            let cluster = state.clusters.clusters.get(cluster);
            // Said once, and again only when the cluster has grown.
            let news = cluster.filter(|cluster| cluster.last_batch == state.batch);
            news.map(|cluster| view::Progress::Idle {
                reason: format!("\"{}\": {reason}", cluster.title),
            })
        }
        Event::Ablated { failed, .. } if failed.is_empty() => {
            last().map(|experiment| view::Progress::Proposed { experiment })
        }
        Event::Decided { .. } => last().map(|experiment| view::Progress::Judged { experiment }),
        Event::Promoted { experiment, .. } => {
            let new = state
                .cases
                .suite()
                .filter(|case| case.fixed_by.as_ref() == Some(experiment))
                .count();
            Some(view::Progress::Promoted {
                cases: length(new),
                suite_size: suite_size(state),
            })
        }
        Event::Curated { curations, .. } if curations.is_empty() => None,
        Event::Curated { curations, .. } => Some(view::Progress::Curated {
            curations: curations.clone(),
        }),
        Event::ClustersRevised { revisions, .. } if revisions.is_empty() => None,
        Event::ClustersRevised { revisions, .. } => Some(view::Progress::Revised {
            revisions: revisions.clone(),
        }),
        Event::Started(_)
        | Event::SignalsRead { .. }
        | Event::Bought { .. }
        | Event::Ablated { .. }
        | Event::Published { .. }
        | Event::Finished { .. } => None,
    };
    if let Some(told) = told {
        progress.line(&format!("  {}", text::progress(&told)));
    }
}

/// What is said of new cases that were tried; nothing of those in the suite, which were only looked at.
fn told_of_cases(state: &State, tried: &[CaseTry], refused: usize) -> Option<view::Progress> {
    let is_new = |tried: &&CaseTry| {
        let case = state.cases.cases.get(&tried.case);
        case.is_none_or(|case| case.state != CaseState::Promoted)
    };
    let tried: Vec<&CaseTry> = tried.iter().filter(is_new).collect();
    let is_open = |tried: &&&CaseTry| {
        let case = state.cases.cases.get(&tried.case);
        case.is_some_and(|case| case.state == CaseState::Open)
    };
    let confirmed = tried.iter().filter(is_open).count();
    (!tried.is_empty() || refused > 0).then(|| view::Progress::Tried {
        confirmed: length(confirmed),
        unconfirmed: length(tried.len() - confirmed),
        refused: length(refused),
    })
}

fn report_view(request: &Request<'_>, state: &State, head: &str) -> ReportView {
    let ranked = state.clusters.ranked();
    let open: Vec<_> = ranked.iter().map(|(_, cluster)| (*cluster).clone()).collect();
    let rest = state
        .clusters
        .clusters
        .values()
        .filter(|cluster| !open.iter().any(|shown| shown.id == cluster.id))
        .cloned();
    let mut rest: Vec<_> = rest.collect();
    rest.sort_by_key(|cluster| std::cmp::Reverse(cluster.total_failures()));
    ReportView {
        name: request.project.clone(),
        baseline: state.baseline.clone().unwrap_or_default(),
        latest: state.incumbent_validation().cloned().unwrap_or_default(),
        batches: batches(state),
        experiments: state.experiments.clone(),
        clusters: open.into_iter().chain(rest).collect(),
        cases: state
            .cases
            .cases
            .values()
            .filter(|case| case.state != CaseState::Open || case.aside.is_some())
            .cloned()
            .collect(),
        asked: state.asked(),
        failure_kinds: state
            .failure_kinds
            .iter()
            .map(|(kind, count)| (*kind, u64::from(*count)))
            .collect(),
        task_runs: state.spent.task_runs,
        gate: gate_view(request, state),
        provenance: Provenance {
            config_digest: state.plan.config.clone(),
            seed: state.plan.seed,
            ledger_head: head.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
    }
}

/// What each batch did.
fn batches(state: &State) -> Vec<BatchView> {
    let numbered = state.batch_verdicts.iter().zip(1..);
    numbered
        .map(|(verdicts, number)| {
            let with = |wanted: fn(&TrialStatus) -> bool| length(verdicts.iter().filter(|v| wanted(&v.status)).count());
            let done: Vec<&Experiment> = state
                .experiments
                .iter()
                .filter(|experiment| experiment.batch == number)
                .collect();
            let accepted = done.iter().filter(|experiment| experiment.accepted()).count();
            let of_batch = |batch: u32| batch == number;
            let until = |experiment: &Experiment| experiment.batch <= number;
            let promoted = state.cases.suite().filter(|case| {
                case.fixed_by
                    .as_ref()
                    .and_then(|id| state.experiment(id))
                    .is_some_and(until)
            });
            BatchView {
                number,
                tasks: length(verdicts.len()),
                passed: with(|status| *status == TrialStatus::Passed),
                failed: with(|status| *status == TrialStatus::Failed),
                errored: with(|status| matches!(status, TrialStatus::Errored { .. })),
                findings: length(
                    state
                        .clusters
                        .clusters
                        .values()
                        .flat_map(|c| c.members.values())
                        .filter(|m| of_batch(m.batch))
                        .count(),
                ),
                new_clusters: length(
                    state
                        .clusters
                        .clusters
                        .values()
                        .filter(|c| of_batch(c.first_batch))
                        .count(),
                ),
                suite_size: length(promoted.count()),
                done: match done.len() {
                    0 => "nothing to evaluate".to_owned(),
                    n => format!("{n} experiments, {accepted} accepted"),
                },
            }
        })
        .collect()
}

fn score(card: Option<&Scorecard>) -> f64 {
    card.and_then(Scorecard::score).unwrap_or(0.0)
}

fn count(experiments: &[Experiment], verdict: Verdict) -> u32 {
    length(
        experiments
            .iter()
            .filter(|experiment| experiment.verdict.as_ref().is_some_and(|(v, _)| *v == verdict))
            .count(),
    )
}

fn suite_size(state: &State) -> u32 {
    length(state.cases.suite().count())
}

fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
