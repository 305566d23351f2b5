//! The measurements: baseline, traffic, the stages of an experiment, promotion.

use super::FlowError;
use super::advise::{self, Advisor};
use super::bench::{Allowance, Bench};
use super::context::{allowance, candidate_harness, experiment, scorecard};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Stage;
use sprag_core::case::drafted;
use sprag_core::cluster::{Cluster, Revision};
use sprag_core::failure::{FailureKind, FailureRecord, Mechanism};
use sprag_core::harness::Harness;
use sprag_core::id::{CaseId, ClusterId, ExperimentId, RecordId, TaskId};
use sprag_core::ledger::{CaseRerun, Event, Finding};
use sprag_core::machine::{PROMOTION_RUNS, State};
use sprag_core::mine::{self, Judged, Run};
use sprag_core::score::Scorecard;
use sprag_core::signal::{self, Clue};
use sprag_core::trace::Trace;
use sprag_core::trial::{TaskVerdict, Trial, TrialStatus};
use std::collections::BTreeSet;

pub(super) async fn baseline(bench: &Bench<'_>, store: &mut dyn Store, state: &State) -> Result<Event, FlowError> {
    let left = allowance(state);
    let (trials, spent) = bench
        .validation(store, "validation baseline", &state.incumbent, left)
        .await?;
    let validation = scorecard(&trials, &[], None);
    // A bar made of the runs that happened to have a verdict could be far too low. Without money the loop ends by itself.
    if !validation.complete() && spent.over(&left.limits).is_none() {
        return Err(FlowError::NoBaseline {
            errored: validation.errored,
            total: validation.total(),
        });
    }
    Ok(Event::BaselineMeasured { validation, spent })
}

pub(super) async fn traffic(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    batch: u32,
    tasks: &[(TaskId, u32)],
    progress: &Progress,
) -> Result<Event, FlowError> {
    progress.phase(&format!(
        "batch {batch}/{}: {} tasks of traffic",
        state.plan.batches,
        tasks.len()
    ));
    let mut left = allowance(state);
    let (trials, mut spent) = bench.train(store, "traffic", &state.incumbent, tasks, left).await?;
    let harness = state.incumbent.id();
    let source = |(task, number): &(TaskId, u32)| bench.source(&harness, task, *number);
    let sources: Vec<String> = tasks.iter().map(source).collect();
    let named = sources.iter().zip(tasks).zip(&trials);
    let runs: Vec<(&str, &TaskId, &Trial)> = named
        .map(|((source, (task, _)), trial)| (&**source, task, trial))
        .collect();
    let verdict = |(_, task, trial): &(_, &TaskId, &Trial)| TaskVerdict {
        task: (*task).clone(),
        status: trial.status.clone(),
    };
    left.spent.add(spent);
    let records = records_of(bench, left, "traffic", &runs, &mut spent).await?;
    Ok(Event::TrafficRan {
        batch,
        verdicts: runs.iter().map(verdict).collect(),
        records,
        spent,
    })
}

/// A trace in an issue is mined as it is; a task that an issue names is run on the incumbent.
pub(super) async fn signals(bench: &Bench<'_>, store: &mut dyn Store, state: &State) -> Result<Event, FlowError> {
    let mut findings = Vec::new();
    let mut spent = Spent::default();
    for issue in &state.plan.issues {
        let name = format!("issue {}", issue.number);
        let mut clue = signal::leads(issue, &state.plan.train, None)
            .into_iter()
            .next()
            .map(|lead| lead.clue);
        bench.redactor().clean(&mut clue);
        let (mut record, instead) = match clue {
            Some(Clue::Trace(read)) => {
                let task = TaskId::new(format!("issue #{}", issue.number));
                let run = Run {
                    source: &name,
                    task: &task,
                    trace: &read.trace,
                    passed: None,
                    blamed: None,
                };
                let mut left = allowance(state);
                left.spent.add(spent);
                let should = signal::told(&issue.body).map(|told| told.should);
                let mined = mined(bench, left, &[run], &mut spent).await?.pop();
                let drafted = mined.map(|record| drafted(&name, record, &read.trace, should.as_deref()));
                (drafted, None)
            }
            Some(Clue::Task(task)) => {
                let mut left = allowance(state);
                left.spent.add(spent);
                let run = [(task.clone(), 0)];
                let (trials, cost) = bench.train(store, "issues", &state.incumbent, &run, left).await?;
                spent.add(cost);
                let source = format!("{name} {}", bench.source(&state.incumbent.id(), &task, 0));
                left.spent.add(cost);
                let runs = [(&*source, &task, &trials[0])];
                let record = records_of(bench, left, &name, &runs, &mut spent).await?.pop();
                let instead = record
                    .is_none()
                    .then(|| format!("task `{task}` passes on the harness as it is"));
                (record, instead)
            }
            Some(Clue::Told(told)) => (Some(signal::record_of_told(&name, issue.number, &told)), None),
            Some(Clue::Unreadable(problem)) => (None, Some(problem)),
            // Links lead to GitHub, where `sprag sync` follows them.
            Some(Clue::Attachment { .. } | Clue::Artifact { .. } | Clue::WorkflowRun { .. }) | None => (None, None),
        };
        if let Some(record) = &mut record {
            record.impact = record.impact.max(issue.severity());
        }
        findings.push(Finding {
            issue: issue.number,
            record,
            instead,
        });
    }
    Ok(Event::SignalsRead { findings, spent })
}

/// Failed runs are mined, beside all of them; one without a verdict is recorded as what it is, so that it is seen and never scored. `seen` says where.
async fn records_of(
    bench: &Bench<'_>,
    left: Allowance,
    seen: &str,
    runs: &[(&str, &TaskId, &Trial)],
    spent: &mut Spent,
) -> Result<Vec<FailureRecord>, FlowError> {
    let nothing = Trace::default();
    let with_verdict = runs.iter().filter(|(.., trial)| trial.has_verdict());
    let judged: Vec<Run<'_>> = with_verdict
        .map(|(source, task, trial)| Run {
            source,
            task,
            trace: trial.trace.as_ref().unwrap_or(&nothing),
            passed: Some(trial.passed()),
            blamed: None,
        })
        .collect();
    let mined = mined(bench, left, &judged, spent).await?;
    let traces = judged
        .iter()
        .filter(|run| run.passed == Some(false))
        .map(|run| run.trace);
    let mut drafted = mined
        .into_iter()
        .zip(traces)
        .map(|(record, trace)| drafted(seen, record, trace, None));
    let records = runs
        .iter()
        .filter_map(|(source, task, trial)| match &trial.status {
            TrialStatus::Passed => None,
            TrialStatus::Failed => drafted.next(),
            TrialStatus::Errored { kind, message } => Some(FailureRecord {
                id: RecordId::new(sprag_core::hash::of_text(source)),
                task: (*task).clone(),
                kind: if *kind == FailureKind::Agent {
                    FailureKind::Unknown
                } else {
                    *kind
                },
                context: String::new(),
                behaviour: message.clone(),
                termination: sprag_core::trace::Termination::Unknown,
                causes: Vec::new(),
                impact: None,
                draft: None,
            }),
        })
        .collect();
    Ok(records)
}

/// What rules have found of clusters, and then what a model finds, if there is one.
pub(super) async fn clusters(bench: &Bench<'_>, state: &State, found: &[Revision]) -> Result<Event, FlowError> {
    let mut revisions = found.to_vec();
    let mut spent = Spent::default();
    if let Some(advisor) = bench.advisor(allowance(state)) {
        let mut book = state.clusters.clone();
        book.revise(&revisions);
        revisions.extend(advisor.curate(&book, &state.records).await?);
        spent.usd = advisor.paid();
    }
    Ok(Event::ClustersRevised { revisions, spent })
}

/// The records of the runs that did not pass. What a model asks for them is booked.
async fn mined(
    bench: &Bench<'_>,
    left: Allowance,
    runs: &[Run<'_>],
    spent: &mut Spent,
) -> Result<Vec<FailureRecord>, FlowError> {
    let advisor = bench.advisor(left);
    let records = advise::together(advisor, runs, |run| run.passed != Some(true)).await?;
    spent.usd += advisor.map_or(0.0, Advisor::paid);
    Ok(records)
}

pub(super) async fn measure(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    id: &ExperimentId,
    stage: Stage,
    tasks: &[TaskId],
) -> Result<Event, FlowError> {
    let experiment = experiment(state, id);
    let harness = candidate_harness(state, experiment);
    let label = format!("{id} {stage}");
    let pair = Pair {
        before: &state.incumbent,
        after: &harness,
    };
    let (card, spent) = if stage == Stage::Validation {
        on_validation(bench, store, &label, pair, allowance(state)).await?
    } else {
        let (before, after, spent) = on_tasks(bench, store, &label, pair, tasks, allowance(state)).await?;
        let mut card = scorecard(&after, &before, Some(tasks));
        if stage == Stage::Cluster {
            count_gone(&mut card, state, &experiment.candidate.cluster, tasks, &before, &after);
        }
        (card, spent)
    };
    Ok(Event::StageMeasured {
        experiment: id.clone(),
        stage,
        card,
        spent,
    })
}

/// Two harnesses that are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) before: &'a Harness,
    pub(super) after: &'a Harness,
}

/// Runs the validation set on both harnesses and counts.
pub(super) async fn on_validation(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    label: &str,
    pair: Pair<'_>,
    mut left: Allowance,
) -> Result<(Scorecard, Spent), FlowError> {
    let (after, mut spent) = bench.validation(store, label, pair.after, left).await?;
    left.spent.add(spent);
    let (before, more) = bench.validation(store, label, pair.before, left).await?;
    spent.add(more);
    Ok((scorecard(&after, &before, None), spent))
}

/// Runs train tasks once on both harnesses.
pub(super) async fn on_tasks(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    label: &str,
    pair: Pair<'_>,
    tasks: &[TaskId],
    mut left: Allowance,
) -> Result<(Vec<Trial>, Vec<Trial>, Spent), FlowError> {
    let first: Vec<(TaskId, u32)> = tasks.iter().map(|task| (task.clone(), 0)).collect();
    let (before, mut spent) = bench.train(store, label, pair.before, &first, left).await?;
    left.spent.add(spent);
    let (after, more) = bench.train(store, label, pair.after, &first, left).await?;
    spent.add(more);
    Ok((before, after, spent))
}

/// In how many runs the cluster's mechanism is gone and nothing new has taken its place. A run that still fails for its other reasons
/// has moved; one whose root cause only got another name has not.
fn count_gone(
    card: &mut Scorecard,
    state: &State,
    cluster: &ClusterId,
    tasks: &[TaskId],
    before: &[Trial],
    now: &[Trial],
) {
    let Some(cluster) = state.clusters.clusters.get(cluster) else {
        return;
    };
    let lacks = lacks(cluster);
    for ((task, before), now) in tasks.iter().zip(before).zip(now) {
        let moved = match (causes(task, before), causes(task, now)) {
            (_, Some(now)) if now.is_empty() => true,
            (Some(before), Some(now)) => {
                !lacks.is_disjoint(&before) && lacks.is_disjoint(&now) && now.is_subset(&before)
            }
            _ => false,
        };
        card.mechanism_gone += u32::from(moved);
    }
}

/// The mechanisms of a cluster, as [`causes`] names them.
fn lacks(cluster: &Cluster) -> BTreeSet<Mechanism> {
    let all = cluster.also.iter().chain([&cluster.mechanism]);
    all.map(mine::lack).collect()
}

/// The mechanisms that a run shows, in the words of [`mine::lack`]: none if it passed; `None` if nothing can be said of it.
fn causes(task: &TaskId, trial: &Trial) -> Option<BTreeSet<Mechanism>> {
    match (&trial.status, &trial.trace) {
        (TrialStatus::Passed, _) => Some(BTreeSet::new()),
        (TrialStatus::Failed, Some(trace)) => {
            let alone = mine::mine_beside("", task, trace, &Judged::default());
            let found: BTreeSet<Mechanism> = alone.causes.iter().map(|cause| mine::lack(&cause.mechanism)).collect();
            (!found.is_empty()).then_some(found)
        }
        (TrialStatus::Failed, None) | (TrialStatus::Errored { .. }, _) => None,
    }
}

/// Whether a case shows a failure: it repeats its task, or was made of it.
fn shown_by(state: &State, case: &CaseId, task: &TaskId, record: &RecordId, failed: &TaskId) -> bool {
    let case = state.cases.cases.get(case);
    failed == task || case.is_some_and(|case| case.records.contains(record))
}

pub(super) async fn promote(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    id: &ExperimentId,
    cases: &[(CaseId, TaskId)],
) -> Result<Event, FlowError> {
    let label = format!("{id} promotion");
    let tasks: Vec<(TaskId, u32)> = cases
        .iter()
        .flat_map(|(_, task)| (0..PROMOTION_RUNS).map(move |trial| (task.clone(), trial)))
        .collect();
    let (trials, spent) = bench
        .train(store, &label, &state.incumbent, &tasks, allowance(state))
        .await?;
    let runs = PROMOTION_RUNS as usize;
    let mut reruns = Vec::new();
    let mut resolved = Vec::new();
    for ((case, task), trials) in cases.iter().zip(trials.chunks(runs)) {
        let count = |wanted: fn(&Trial) -> bool| {
            u32::try_from(trials.iter().filter(|trial| wanted(trial)).count()).unwrap_or(u32::MAX)
        };
        reruns.push(CaseRerun {
            case: case.clone(),
            task: task.clone(),
            runs: count(Trial::has_verdict),
            passes: count(Trial::passed),
        });
        // What was found beside other runs, or by a model, cannot be looked for in these: then only a pass shows that it is gone.
        let tells =
            |trial: &Trial| trial.passed() || trial.trace.as_ref().is_some_and(|trace| trace.expected.is_some());
        for cluster in state.clusters.clusters.values() {
            let lacks = lacks(cluster);
            let by_model = mine::model::is_in_own_words(&cluster.mechanism);
            let gone = trials.iter().all(|trial| {
                (trial.passed() || !by_model && tells(trial))
                    && causes(task, trial).is_some_and(|found| lacks.is_disjoint(&found))
            });
            let members = cluster.members.iter().filter(|(record, member)| {
                gone && !member.resolved && shown_by(state, case, task, record, &member.task)
            });
            resolved.extend(members.map(|(record, _)| (cluster.id.clone(), record.clone())));
        }
    }
    Ok(Event::Promoted {
        experiment: id.clone(),
        cases: reruns,
        resolved,
        spent,
    })
}
