//! The loop as a state machine: `step(state, event)` gives the next state and what must be done next.
//!
//! Every command leads to exactly one event (see [`Command`]), so a run that was killed is resumed by folding the ledger and doing
//! the commands of the last step again.

mod again;
mod buying;
mod cases;
mod command;
mod curation;
mod prune;
mod race;
mod round;
mod schedule;
mod state;
mod suite;

pub use again::{Again, decide_again};
pub use cases::CaseTrial;
pub use command::Command;
pub use schedule::batches;
pub use state::{PassedRun, State};

use crate::candidate::{Candidate, Experiment, Ground, Verdict};
use crate::case::EvalCase;
use crate::cluster::ClusterState;
use crate::failure::{FailureKind, FailureRecord};
use crate::gate::purchase::{Ask, Promotion, Purpose, Request};
use crate::id::{ClusterId, ExperimentId, RecordId};
use crate::ledger::{CaseRerun, Event};
use crate::search::SearchMode;
use crate::trial::{TaskVerdict, TrialStatus};
use round::Round;

/// What follows from an event. `None` is the state before the first event; only `Started` makes something of it.
pub fn step(state: Option<State>, event: &Event) -> (Option<State>, Vec<Command>) {
    let Some(mut state) = state else {
        return match event {
            Event::Started(plan) => {
                let mut state = State::new(plan);
                let command = ask_gate(&mut state);
                (Some(state), vec![command])
            }
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
    race::forgo(state, event);
    let next = match event {
        Event::Started(_) => return Vec::new(),
        Event::Bought {
            request,
            outcomes,
            cleared,
            spent,
            ..
        } => {
            state.take_bought(request, outcomes, cleared, spent.task_runs);
            ask_gate(state)
        }
        Event::SignalsRead { findings, .. } => {
            findings
                .iter()
                .filter_map(|finding| finding.record.as_ref())
                .for_each(|record| take_failure(state, record, false));
            state.findings.clone_from(findings);
            run_traffic(state)
        }
        Event::TrafficRan { records, verdicts, .. } => traffic_ran(state, records, verdicts),
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
        Event::SuiteRevised { changes } => {
            suite::revise(state, changes);
            if state.batch == 0 {
                begin_work(state)
            } else {
                next_work(state)
            }
        }
        Event::Proposed {
            experiment,
            candidate,
            objection,
            spent,
        } => {
            begin_experiment(state, experiment, candidate, spent.task_runs);
            match objection {
                Some(reason) => refuse(experiment, reason),
                None => {
                    state.tell_candidate(&candidate.cluster);
                    ask_gate(state)
                }
            }
        }
        Event::Drafted { .. } | Event::Screened { .. } | Event::NothingProposed { .. } => round::take(state, event),
        Event::Ablated { kept, failed, spent } => prune::ablated(state, kept, failed, spent.task_runs),
        Event::Raced {
            task, outcomes, spent, ..
        } => race::ran(state, task, outcomes, spent.task_runs),
        Event::Decided { ground, reason, .. } => decided(state, *ground, reason),
        Event::Promoted {
            experiment,
            cases,
            resolved,
        } => promoted(state, experiment, cases, resolved),
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

fn promoted(
    state: &mut State,
    experiment: &ExperimentId,
    cases: &[CaseRerun],
    resolved: &[(ClusterId, RecordId)],
) -> Command {
    cases::promote(state, experiment, cases);
    suite::count_streaks(state);
    state.account.kept();
    for (cluster, record) in resolved {
        state.clusters.resolve_record(cluster, record);
    }
    Command::Publish {
        experiment: experiment.clone(),
    }
}

fn traffic_ran(state: &mut State, records: &[FailureRecord], verdicts: &[TaskVerdict]) -> Command {
    let passed = verdicts.iter().filter(|verdict| verdict.status == TrialStatus::Passed);
    passed.for_each(|verdict| state.clusters.resolve_task(&verdict.task));
    suite::seen(state, verdicts);
    records.iter().for_each(|record| take_failure(state, record, true));
    state.tell_traffic(verdicts, records);
    suite::count_streaks(state);
    state.batch_verdicts.push(verdicts.to_vec());
    revise_clusters(state, !records.is_empty())
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
    if let Some(command) = suite::revise_now(state) {
        return command;
    }
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
        best_before: state.gate.level(),
        task_runs,
        ..Experiment::new(id.clone(), state.batch, candidate.clone())
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
    if let Some(reason) = worn_out(state) {
        return Command::Finish { reason };
    }
    if let Some(command) = suite::tend(state) {
        return command;
    }
    let may_propose =
        state.batch_experiments < limits.experiments_per_batch && state.n_experiments() < limits.experiments;
    if let Some(round) = state.round.take().filter(|_| may_propose) {
        return round::next(state, round);
    }
    if let Some(command) = may_propose.then(|| prune::next(state, false)).flatten() {
        return command;
    }
    let cluster = may_propose.then(|| state.next_cluster()).flatten();
    if let Some(cluster) = cluster {
        let cases = cases::of_cluster(state, &cluster);
        if !cases.is_empty() {
            return Command::TryCases { cases };
        }
        if state.plan.search.mode == SearchMode::Frontier {
            let round = Round::new(state, cluster);
            return round::next(state, round);
        }
        return Command::Propose {
            experiment: state.next_experiment(),
            cluster,
            start: None,
        };
    }
    let idle = may_propose.then(|| prune::next(state, true)).flatten();
    idle.unwrap_or_else(|| next_batch(state))
}

/// Why the validation set may not be asked any more, if it may not.
fn worn_out(state: &State) -> Option<String> {
    let tasks = u32::try_from(state.plan.n_validation).unwrap_or(u32::MAX);
    let (asked, per_task) = (state.asked(), state.plan.gate.leakage);
    (asked.spent(tasks, per_task) >= 1.0).then(|| {
        format!(
            "the validation set is worn out: {} verdicts on it, {} of them acceptances, have told {:.0} of the {:.0} bits that `gate.leakage` allows; prepare new held-out tasks",
            asked.queries,
            asked.accepted,
            asked.bits(),
            per_task * f64::from(tasks)
        )
    })
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
        ground: Ground::Illegal,
        reason: reason.to_owned(),
    }
}

/// What the gate wants, or what comes after it.
fn ask_gate(state: &mut State) -> Command {
    let experiment = state.judged();
    match (state.gate.ask().clone(), experiment) {
        (Ask::Run(request), experiment) => buy(state, experiment, request),
        (Ask::Decide(judgement), Some(experiment)) => {
            let broken: Vec<String> = judgement
                .evidence
                .broken_cases
                .iter()
                .map(|task| case_name(state, *task))
                .collect();
            let named = judgement.ground == Ground::Regression && !broken.is_empty();
            let mut reason = match named {
                true => format!("{}: {}", judgement.reason, broken.join(", ")),
                false => judgement.reason,
            };
            if let Some(removed) = state
                .experiment(&experiment)
                .and_then(|one| one.candidate.removes.as_ref())
            {
                let what = match judgement.ground.verdict() {
                    Verdict::Accepted => "is no longer needed",
                    _ => "stays",
                };
                reason = format!("what {removed} added {what}: {reason}");
            }
            Command::Decide {
                experiment,
                ground: judgement.ground,
                reason,
            }
        }
        (Ask::Promote(promotion), Some(experiment)) => promote(state, experiment, &promotion),
        (Ask::Ready, _) if state.batch == 0 => begin_work(state),
        (Ask::Ready | Ask::Decide(_) | Ask::Promote(_), _) => next_work(state),
    }
}

/// A case as people know it.
fn case_name(state: &State, task: u32) -> String {
    let Some(task) = state.task(task) else {
        return format!("case {task}");
    };
    let case = state.cases.suite().find(|case| case.task == *task);
    case.map_or_else(|| format!("`{task}`"), EvalCase::named)
}

/// Nothing more is bought on an empty purse.
fn buy(state: &mut State, experiment: Option<ExperimentId>, request: Request) -> Command {
    let over = state.spent.over(&state.plan.limits);
    match (over, request.purpose, experiment) {
        (None, _, experiment) => Command::Buy {
            trials: state.account.trials(&request, state.gate.known().repeats_itself()),
            experiment,
            request,
        },
        (Some(_), Purpose::Promotion, Some(experiment)) => {
            state.gate.settle();
            let promotion = match state.gate.ask() {
                Ask::Promote(promotion) => promotion.clone(),
                _ => Promotion::default(),
            };
            promote(state, experiment, &promotion)
        }
        (Some(reason), Purpose::Probe | Purpose::Suite | Purpose::Validation, Some(experiment)) => {
            let ground = Ground::Budget;
            Command::Decide {
                experiment,
                ground,
                reason,
            }
        }
        (Some(reason), ..) => Command::Finish { reason },
    }
}

fn promote(state: &State, experiment: ExperimentId, promotion: &Promotion) -> Command {
    let resolved = state.underway.cleared.iter().filter(|(_, gone)| **gone);
    Command::Promote {
        cases: cases::rerun(state, &experiment, promotion),
        resolved: resolved.map(|(membership, _)| membership.clone()).collect(),
        experiment,
    }
}

fn decided(state: &mut State, ground: Ground, reason: &str) -> Command {
    let evidence = match state.gate.ask() {
        Ask::Decide(judgement) => Some(judgement.evidence.clone()),
        _ => state.gate.evidence(),
    };
    let Some(experiment) = state.experiments.last_mut() else {
        return next_work(state);
    };
    let broken = evidence
        .as_ref()
        .map_or(Vec::new(), |evidence| evidence.broken_cases.clone());
    experiment.decide(ground, reason, evidence);
    let experiment = experiment.clone();
    let cluster = experiment.candidate.cluster.clone();
    state.clusters.mark(&cluster, ClusterState::Open);
    if ground.verdict() != Verdict::Accepted {
        state.gate.stop();
        suite::fell(state, ground, &broken);
        round::fell(state, &experiment);
        return next_work(state);
    }
    state.frontier.kept(&experiment.candidate);
    state.incumbent = state.incumbent.with(&experiment.candidate.changes);
    state.case_tallies.clear();
    suite::kept(state);
    state.gate.kept();
    match state.gate.ask().clone() {
        Ask::Run(request) => buy(state, Some(experiment.id), request),
        Ask::Promote(promotion) => promote(state, experiment.id, &promotion),
        Ask::Ready | Ask::Decide(_) => promote(state, experiment.id, &Promotion::default()),
    }
}

#[cfg(test)]
mod tests;
