//! The loop as a state machine: `step(state, event)` gives the next state and what must be done next.
//!
//! Every command leads to exactly one event (see [`Command`]), so a run that was killed is resumed by folding the ledger and doing
//! the commands of the last step again.

mod cases;
mod curation;
mod schedule;
mod state;

pub use cases::{CaseTrial, PROMOTION_RUNS};
pub use schedule::batches;
pub use state::{PassedRun, State};

use crate::candidate::{Candidate, Experiment, Stage, Verdict};
use crate::cluster::{ClusterState, Revision};
use crate::failure::{FailureKind, FailureRecord};
use crate::gate::{self, GateStep};
use crate::id::{CaseId, ClusterId, ExperimentId, TaskId};
use crate::ledger::Event;
use crate::score::Scorecard;
use crate::trial::TrialStatus;

/// What must be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Measure the validation set on the incumbent; leads to `BaselineMeasured`.
    MeasureBaseline,
    /// Read the labelled issues of the plan; leads to `SignalsRead`.
    ReadSignals,
    /// Run these tasks on the incumbent and mine the failures; leads to `TrafficRan`.
    RunTraffic {
        /// From 1.
        batch: u32,
        /// With the number of times each was in the traffic before, which is its trial.
        tasks: Vec<(TaskId, u32)>,
    },
    /// Change the clusters that the traffic has made alike, and ask the model, if there is one; leads to `ClustersRevised`.
    ReviseClusters {
        /// What rules found.
        found: Vec<Revision>,
    },
    /// Ask a model what becomes of new clusters and cases; leads to `Curated`.
    Curate {
        /// The clusters.
        clusters: Vec<ClusterId>,
        /// The cases.
        cases: Vec<CaseId>,
    },
    /// Run new cases again on the incumbent, or refuse them; leads to `CasesTried`.
    TryCases {
        /// The candidates, oldest first.
        cases: Vec<CaseTrial>,
    },
    /// Ask the proposer; leads to `Proposed` or `NothingProposed`.
    Propose {
        /// The id the experiment gets.
        experiment: ExperimentId,
        /// The cluster to work on.
        cluster: ClusterId,
    },
    /// Measure a stage of an experiment; leads to `StageMeasured`.
    Measure {
        /// The experiment.
        experiment: ExperimentId,
        /// The stage.
        stage: Stage,
        /// The tasks, but for the validation set, whose tasks the core does not know.
        tasks: Vec<TaskId>,
    },
    /// Write the verdict down; leads to `Decided`.
    Decide {
        /// The experiment.
        experiment: ExperimentId,
        /// The verdict.
        verdict: Verdict,
        /// Why.
        reason: String,
    },
    /// Run the open cases again on the new incumbent, repeatedly; leads to `Promoted`.
    Promote {
        /// The experiment.
        experiment: ExperimentId,
        /// The open cases of its cluster, and open recorded inputs of others.
        cases: Vec<(CaseId, TaskId)>,
    },
    /// Write branch, pull request and check runs; leads to `Published`.
    Publish {
        /// The experiment.
        experiment: ExperimentId,
    },
    /// Write down that the run is over; leads to `Finished`.
    Finish {
        /// Why.
        reason: String,
    },
}

/// What follows from an event. `None` is the state before the first event; only `Started` makes something of it.
pub fn step(state: Option<State>, event: &Event) -> (Option<State>, Vec<Command>) {
    let Some(mut state) = state else {
        return match event {
            Event::Started(plan) => (Some(State::new(plan)), vec![Command::MeasureBaseline]),
            _ => (None, Vec::new()),
        };
    };
    let commands = apply(&mut state, event);
    (Some(state), commands)
}

/// The state after a whole ledger, and what must be done next.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> (Option<State>, Vec<Command>) {
    events
        .into_iter()
        .fold((None, Vec::new()), |(state, _), event| step(state, event))
}

fn apply(state: &mut State, event: &Event) -> Vec<Command> {
    state.spent.add(event.spent());
    let next = match event {
        Event::Started(_) => return Vec::new(),
        Event::BaselineMeasured { validation, .. } => {
            state.best = validation.score().unwrap_or(0.0);
            state.baseline = Some(validation.clone());
            begin_work(state)
        }
        Event::SignalsRead { findings, .. } => {
            findings
                .iter()
                .filter_map(|finding| finding.record.as_ref())
                .for_each(|record| take_failure(state, record, false));
            state.findings.clone_from(findings);
            run_traffic(state)
        }
        Event::TrafficRan { records, verdicts, .. } => {
            let passed = verdicts.iter().filter(|verdict| verdict.status == TrialStatus::Passed);
            passed.for_each(|verdict| state.clusters.resolve_task(&verdict.task));
            records.iter().for_each(|record| take_failure(state, record, true));
            state.batch_verdicts.push(verdicts.clone());
            revise_clusters(state, !records.is_empty())
        }
        Event::ClustersRevised { revisions, .. } => {
            state.revise(revisions);
            curate(state)
        }
        Event::Curated { curations, .. } => {
            curation::take(state, curations);
            try_cases(state)
        }
        Event::CasesTried { tried, refused, .. } => {
            cases::tried(state, tried, refused);
            next_work(state)
        }
        Event::Proposed {
            experiment,
            candidate,
            objection,
            spent,
        } => {
            begin_experiment(state, experiment, candidate, spent.task_runs);
            objection
                .as_ref()
                .map_or_else(|| ask_gate(state), |reason| refuse(experiment, reason))
        }
        Event::NothingProposed { cluster, .. } => {
            state.exhausted.insert(cluster.clone());
            next_work(state)
        }
        Event::StageMeasured { stage, card, spent, .. } => {
            measured(state, *stage, card, spent.task_runs);
            ask_gate(state)
        }
        Event::Decided { verdict, reason, .. } => decided(state, *verdict, reason),
        Event::Promoted {
            experiment,
            cases,
            resolved,
            ..
        } => {
            cases::promote(state, experiment, cases);
            resolved
                .iter()
                .for_each(|(cluster, record)| state.clusters.resolve_record(cluster, record));
            Command::Publish {
                experiment: experiment.clone(),
            }
        }
        Event::Published { experiment, branch, .. } => {
            state.published.insert(experiment.clone(), branch.clone());
            // A change has passed: the next traffic shows what it is worth.
            next_batch(state)
        }
        Event::Finished { reason } => {
            state.finished = Some(reason.clone());
            return Vec::new();
        }
    };
    vec![next]
}

fn measured(state: &mut State, stage: Stage, card: &Scorecard, task_runs: u64) {
    if let Some(experiment) = state.experiments.last_mut() {
        experiment.task_runs += task_runs;
        *experiment.stage_mut(stage) = Some(card.clone());
    }
}

/// Clusters are looked at where rules find them alike, and, by a model, when something has failed.
fn revise_clusters(state: &mut State, failed: bool) -> Command {
    let found = state.clusters.alike();
    if found.is_empty() && !(state.plan.advised && failed) {
        return curate(state);
    }
    Command::ReviseClusters { found }
}

/// What is new is decided about before anything is done with it.
fn curate(state: &mut State) -> Command {
    curation::next(state).unwrap_or_else(|| try_cases(state))
}

/// What is known and told comes before traffic.
fn begin_work(state: &mut State) -> Command {
    take_known(state);
    if state.plan.issues.is_empty() {
        run_traffic(state)
    } else {
        Command::ReadSignals
    }
}

/// What other runs and people have found.
fn take_known(state: &mut State) {
    let known = state.plan.known.clone();
    known
        .failures
        .iter()
        .for_each(|record| take_failure(state, record, false));
    state.revise(&known.revisions);
    known
        .curations
        .iter()
        .for_each(|curation| state.curations.take(curation));
    // A change that waits for a person must not grow under them.
    state.clusters.leave_to_people(known.decided.iter().chain(&known.busy));
}

fn begin_experiment(state: &mut State, id: &ExperimentId, candidate: &Candidate, task_runs: u64) {
    state.tried.insert(candidate.id.clone());
    state.clusters.mark(&candidate.cluster, ClusterState::InProgress);
    state.batch_experiments += 1;
    state.experiments.push(Experiment {
        id: id.clone(),
        batch: state.batch,
        candidate: candidate.clone(),
        cluster_cases: None,
        regression: None,
        validation: None,
        best_before: state.best,
        verdict: None,
        task_runs,
    });
}

/// A batch begins: its budget of experiments is whole again, and clusters that were given up are looked at anew.
fn run_traffic(state: &mut State) -> Command {
    state.batch += 1;
    state.batch_experiments = 0;
    state.exhausted.clear();
    state.tried_cases.clear();
    state.asked.clear();
    let tasks = state.schedule[state.batch as usize - 1].clone();
    let tasks = tasks
        .into_iter()
        .flat_map(|task| {
            let seen = state.times_seen.entry(task.clone()).or_default();
            let first = *seen;
            *seen += state.plan.trials;
            (first..*seen).map(move |trial| (task.clone(), trial))
        })
        .collect();
    Command::RunTraffic {
        batch: state.batch,
        tasks,
    }
}

/// A failure of the agent joins its clusters and makes a case; one of anything else is only counted.
/// `here` says that it was a run on the incumbent.
fn take_failure(state: &mut State, record: &FailureRecord, here: bool) {
    *state.failure_kinds.entry(record.kind).or_default() += 1;
    if record.kind != FailureKind::Agent {
        // What a person tells has no trace to be mined, and can be a case all the same.
        if record.draft.is_some() {
            cases::add(state, record, Vec::new(), here);
        }
        return;
    }
    let clusters = state.clusters.join(record, state.batch.max(1));
    cases::add(state, record, clusters, here);
    state.records.insert(record.id.clone(), record.clone());
}

/// What failed must fail again before it is worked on.
fn try_cases(state: &mut State) -> Command {
    let cases = cases::seen_here(state);
    if cases.is_empty() {
        return next_work(state);
    }
    Command::TryCases { cases }
}

/// The highest-ranked unresolved cluster that the proposer has something for, or the next batch, or the end.
fn next_work(state: &mut State) -> Command {
    let limits = state.plan.limits;
    if let Some(reason) = state.spent.over(&limits) {
        return Command::Finish { reason };
    }
    let may_propose =
        state.batch_experiments < limits.experiments_per_batch && state.n_experiments() < limits.experiments;
    let cluster = may_propose.then(|| state.next_cluster()).flatten();
    if let Some(cluster) = cluster {
        let cases = cases::of_cluster(state, &cluster);
        if !cases.is_empty() {
            return Command::TryCases { cases };
        }
        let experiment = ExperimentId::new(format!("E{:03}", state.experiments.len() + 1));
        return Command::Propose { experiment, cluster };
    }
    next_batch(state)
}

fn next_batch(state: &mut State) -> Command {
    if let Some(reason) = state.spent.over(&state.plan.limits) {
        return Command::Finish { reason };
    }
    if (state.batch as usize) < state.schedule.len() {
        return run_traffic(state);
    }
    let reason = match state.batch {
        1 => "the batch is done".to_owned(),
        n => format!("all {n} batches are done"),
    };
    Command::Finish { reason }
}

/// Nothing is measured of what is no legal change.
fn refuse(experiment: &ExperimentId, reason: &str) -> Command {
    Command::Decide {
        experiment: experiment.clone(),
        verdict: Verdict::Invalid,
        reason: reason.to_owned(),
    }
}

fn ask_gate(state: &State) -> Command {
    let Some(experiment) = state.experiments.last() else {
        return Command::Finish {
            reason: "the ledger measures an experiment that was never proposed".to_owned(),
        };
    };
    let id = experiment.id.clone();
    match gate::next(&state.plan.gate, experiment, state.cases.suite().count()) {
        GateStep::Measure(stage) => {
            let tasks = match stage {
                Stage::Cluster => state.cluster_tasks(&experiment.candidate.cluster),
                Stage::Regression => state.cases.suite().map(|case| case.task.clone()).collect(),
                Stage::Validation => Vec::new(),
            };
            Command::Measure {
                experiment: id,
                stage,
                tasks,
            }
        }
        GateStep::Decide(verdict, reason) => Command::Decide {
            experiment: id,
            verdict,
            reason,
        },
    }
}

fn decided(state: &mut State, verdict: Verdict, reason: &str) -> Command {
    let Some(experiment) = state.experiments.last_mut() else {
        return next_work(state);
    };
    experiment.verdict = Some((verdict, reason.to_owned()));
    let experiment = experiment.clone();
    let cluster = experiment.candidate.cluster.clone();
    state.clusters.mark(&cluster, ClusterState::Open);
    if verdict != Verdict::Accepted {
        return next_work(state);
    }
    state.incumbent = state.incumbent.with(&experiment.candidate.changes);
    let score = experiment.validation.as_ref().and_then(Scorecard::score).unwrap_or(0.0);
    state.best = state.best.max(score);
    state.case_tallies.clear();
    let cases = state.cases_to_promote(&cluster);
    Command::Promote {
        experiment: experiment.id,
        cases,
    }
}

#[cfg(test)]
mod tests;
