//! The measurements: traffic, signals, and the runs that the gate buys.

use super::FlowError;
use super::advise::{self, Advisor};
use super::bench::{Allowance, Bench};
use super::context::{allowance, allowance_after, candidate_harness, experiment};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
use sprag_core::case::drafted;
use sprag_core::cluster::{Cluster, Revision};
use sprag_core::failure::{FailureKind, FailureRecord, Mechanism};
use sprag_core::gate::purchase::{Arm, Outcome, Purpose, Request as Purchase};
use sprag_core::id::{ClusterId, ExperimentId, RecordId, TaskId};
use sprag_core::ledger::{Event, Finding};
use sprag_core::machine::State;
use sprag_core::mine::{self, Judged, Run};
use sprag_core::signal::{self, Clue};
use sprag_core::trace::Trace;
use sprag_core::trial::{TaskVerdict, Trial, TrialStatus};
use std::collections::BTreeSet;

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
                let left = allowance_after(state, spent);
                let should = signal::told(&issue.body).map(|told| told.should);
                let mined = mined(bench, left, &[run], &mut spent).await?.pop();
                let drafted = mined.map(|record| drafted(&name, record, &read.trace, should.as_deref()));
                (drafted, None)
            }
            Some(Clue::Task(task)) => {
                let left = allowance_after(state, spent);
                let run = [(task.clone(), 0)];
                let (trials, cost) = bench.train(store, "issues", &state.incumbent, &run, left).await?;
                spent.add(cost);
                let source = format!("{name} {}", bench.source(&state.incumbent.id(), &task, 0));
                let left = allowance_after(state, spent);
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

/// Makes the runs that the gate asks for.
pub(super) async fn buy(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    id: Option<&ExperimentId>,
    request: &Purchase,
    trials: &[u32],
) -> Result<Event, FlowError> {
    let subject = id.map(|id| experiment(state, id));
    let harness = match (request.arm, subject) {
        // After an acceptance the incumbent is the candidate.
        (Arm::Candidate, Some(experiment)) if !experiment.accepted() => candidate_harness(state, experiment),
        _ => state.incumbent.clone(),
    };
    let label = id.map_or_else(
        || format!("validation {}", request.purpose),
        |id| format!("{id} {}", request.purpose),
    );
    let numbered: Vec<(u32, u32)> = request.tasks.iter().copied().zip(trials.iter().copied()).collect();
    let left = allowance(state);
    let mut cleared = Vec::new();
    let (outcomes, spent) = if request.purpose.is_held_out() {
        let (made, spent) = bench.held_out(store, &label, &harness, &numbered, left).await?;
        if request.purpose == Purpose::Baseline {
            check_baseline(&made, spent, left)?;
        }
        (made.iter().map(outcome).collect(), spent)
    } else {
        let name = |(number, trial): &(u32, u32)| {
            let task = state
                .task(*number)
                .expect("the gate names only tasks that it was told of");
            (task.clone(), *trial)
        };
        let tasks: Vec<(TaskId, u32)> = numbered.iter().map(name).collect();
        let (made, mut spent) = bench.train(store, &label, &harness, &tasks, left).await?;
        let mut outcomes: Vec<Outcome> = made.iter().map(outcome).collect();
        let both = Made {
            tasks: &tasks,
            trials: &made,
        };
        if let Some(experiment) = subject.filter(|_| matches!(request.purpose, Purpose::Probe | Purpose::Promotion)) {
            if request.purpose == Purpose::Probe {
                let cluster = &experiment.candidate.cluster;
                let more = tell_moved(bench, store, state, (cluster, both), &mut outcomes, spent).await?;
                spent.add(more);
            }
            cleared = no_longer_shown(state, both);
        }
        (outcomes, spent)
    };
    Ok(Event::Bought {
        experiment: id.cloned(),
        request: request.clone(),
        outcomes,
        cleared,
        spent,
    })
}

/// A bar made of the runs that happened to have a verdict could be far too low. Without money the loop ends by itself.
pub(super) fn check_baseline(made: &[Trial], spent: Spent, left: Allowance) -> Result<(), FlowError> {
    let errored = made.iter().filter(|trial| !trial.has_verdict()).count();
    if errored > 0 && spent.over(&left.limits).is_none() {
        return Err(FlowError::NoBaseline {
            errored,
            total: made.len(),
        });
    }
    Ok(())
}

/// How a run ended, for the gate.
pub(super) fn outcome(trial: &Trial) -> Outcome {
    match trial.status {
        TrialStatus::Passed => Outcome::Passed,
        TrialStatus::Failed => Outcome::Failed,
        TrialStatus::Errored { .. } => Outcome::Errored,
    }
}

/// Runs that were made: task and trial, and how each went.
#[derive(Clone, Copy)]
struct Made<'a> {
    tasks: &'a [(TaskId, u32)],
    trials: &'a [Trial],
}

/// Runs cases of a cluster on a draft, and tells the runs from which the cluster's mechanism is gone. `spent` grows by what it costs.
pub(super) async fn on_draft(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (cluster, draft): (&ClusterId, &Candidate),
    (label, tasks): (&str, &[(TaskId, u32)]),
    spent: &mut Spent,
) -> Result<Vec<Outcome>, FlowError> {
    let harness = state.incumbent.with(&draft.changes);
    let left = allowance_after(state, *spent);
    let (trials, cost) = bench.train(store, label, &harness, tasks, left).await?;
    spent.add(cost);
    let mut outcomes: Vec<Outcome> = trials.iter().map(outcome).collect();
    let made = Made { tasks, trials: &trials };
    let cost = tell_moved(bench, store, state, (cluster, made), &mut outcomes, *spent).await?;
    spent.add(cost);
    Ok(outcomes)
}

/// Finds the failed runs from which the cluster's mechanism is gone while nothing new has taken its place. A run that still fails for its other
/// reasons has moved; one whose root cause only got another name has not. What the incumbent did is mostly on record.
async fn tell_moved(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (cluster, made): (&ClusterId, Made<'_>),
    outcomes: &mut [Outcome],
    spent: Spent,
) -> Result<Spent, FlowError> {
    let Some(cluster) = state.clusters.clusters.get(cluster) else {
        return Ok(Spent::default());
    };
    let lacks = lacks(cluster);
    let may = |at: &usize| {
        let now = causes(&made.tasks[*at].0, &made.trials[*at]);
        outcomes[*at] == Outcome::Failed && now.is_some_and(|now| lacks.is_disjoint(&now))
    };
    let open: Vec<usize> = (0..made.tasks.len()).filter(may).collect();
    // The traffic and the new cases have run the first two trials.
    let before = |at: &usize| (made.tasks[*at].0.clone(), made.tasks[*at].1.min(1));
    let wanted: Vec<(TaskId, u32)> = open.iter().map(before).collect();
    let left = allowance_after(state, spent);
    let (trials, spent) = bench.train(store, "before", &state.incumbent, &wanted, left).await?;
    for (at, before) in open.into_iter().zip(&trials) {
        let task = &made.tasks[at].0;
        if let (Some(before), Some(now)) = (causes(task, before), causes(task, &made.trials[at]))
            && !lacks.is_disjoint(&before)
            && now.is_subset(&before)
        {
            outcomes[at] = Outcome::Moved;
        }
    }
    Ok(spent)
}

/// The memberships of failures that none of the runs of their tasks show any more.
fn no_longer_shown(state: &State, made: Made<'_>) -> Vec<(ClusterId, RecordId)> {
    let mut gone = Vec::new();
    let tasks: BTreeSet<&TaskId> = made.tasks.iter().map(|(task, _)| task).collect();
    for task in tasks {
        let of_task = made.tasks.iter().zip(made.trials).filter(|((of, _), _)| of == task);
        let trials: Vec<&Trial> = of_task
            .map(|(_, trial)| trial)
            .filter(|trial| trial.has_verdict())
            .collect();
        for (cluster, record) in state.shown_by(task) {
            let Some(of) = state.clusters.clusters.get(&cluster) else {
                continue;
            };
            let lacks = lacks(of);
            // What was found beside other runs, or by a model, cannot be looked for in these: then only a pass shows that it is gone.
            let by_model = mine::model::is_in_own_words(&of.mechanism);
            let tells = |trial: &Trial| !by_model && trial.trace.as_ref().is_some_and(|trace| trace.expected.is_some());
            let lacks_it = |trial: &&Trial| {
                (trial.passed() || tells(trial)) && causes(task, trial).is_some_and(|found| lacks.is_disjoint(&found))
            };
            if !trials.is_empty() && trials.iter().all(lacks_it) {
                gone.push((cluster, record));
            }
        }
    }
    gone
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
