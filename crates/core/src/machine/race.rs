//! The race for an experiment: drafts that were worth it run their cluster's cases side by side, until the gate knows which is gone on with.

use super::{Command, State, ask_gate, begin_experiment};
use crate::candidate::Candidate;
use crate::gate::purchase::{Outcome, Task};
use crate::gate::stats::Tally;
use crate::id::{CandidateId, ExperimentId, TaskId};
use crate::ledger::Event;
use crate::search::{Dropped, Screened};
use std::collections::BTreeMap;

/// A draft in a race.
#[derive(Debug, Clone)]
pub(super) struct Entrant {
    pub(super) draft: Candidate,
    /// What it did in the screening.
    pub(super) screened: Screened,
}

/// The drafts of one cluster, the best by the screening first.
#[derive(Debug, Clone)]
pub(super) struct Race {
    /// What the best will be.
    experiment: ExperimentId,
    entrants: Vec<Entrant>,
    /// What each has run, as the probe counts it.
    runs: Vec<BTreeMap<Task, Tally>>,
    /// Task runs that drafting, screening and the race have cost.
    task_runs: u64,
}

/// Begins a race of at least one draft; one alone has won it.
pub(super) fn begin(state: &mut State, experiment: &ExperimentId, entrants: Vec<Entrant>, task_runs: u64) -> Command {
    let race = Race {
        experiment: experiment.clone(),
        runs: vec![BTreeMap::new(); entrants.len()],
        entrants,
        task_runs,
    };
    go_on(state, race, true)
}

/// Takes in a lap. A case that broke off for one of them ends the race: the rest would have run another one.
pub(super) fn ran(state: &mut State, task: &TaskId, outcomes: &[(CandidateId, Outcome)], task_runs: u64) -> Command {
    let Some(mut race) = state.race.take() else {
        return ask_gate(state);
    };
    let number = state.numbers.task(task);
    race.task_runs += task_runs;
    for (entrant, runs) in race.entrants.iter().zip(&mut race.runs) {
        let outcome = outcomes.iter().find(|(id, _)| *id == entrant.draft.id);
        if let Some((_, verdict)) = outcome.filter(|(_, outcome)| *outcome != Outcome::Errored) {
            runs.entry(number).or_default().add(*verdict != Outcome::Failed);
        }
    }
    let whole = outcomes.iter().all(|(_, outcome)| *outcome != Outcome::Errored);
    go_on(state, race, whole)
}

fn go_on(state: &mut State, race: Race, may_run: bool) -> Command {
    let cluster = race.entrants[0].draft.cluster.clone();
    let proposal = state.proposal(&cluster);
    let lap = state.gate.race(&proposal, &race.runs);
    let may_run = may_run && state.spent.over(&state.plan.limits).is_none();
    let next = lap.next.filter(|_| may_run);
    let Some((left, case, task)) = next.and_then(|(left, case)| Some((left, case, state.task(case)?.clone()))) else {
        won(state, race, lap.best);
        return ask_gate(state);
    };
    let ran = race.runs[left[0]].get(&case).map_or(0, |runs| runs.runs() as u32);
    let command = Command::Race {
        experiment: race.experiment.clone(),
        cluster,
        drafts: left.iter().map(|at| race.entrants[*at].draft.clone()).collect(),
        trial: state.account.on_next_candidate(case) + ran,
        task,
    };
    state.race = Some(race);
    command
}

/// The winner is the experiment; of the others, those that solved something wait in the frontier.
fn won(state: &mut State, mut race: Race, best: usize) {
    let winner = race.entrants.remove(best).draft;
    for entrant in race.entrants.into_iter().rev() {
        let Entrant { draft, screened } = entrant;
        if screened.solved.is_empty() {
            state.dropped.push(Dropped {
                candidate: draft,
                screened,
                batch: state.batch,
            });
        } else {
            state.frontier.keep(draft, screened.solved, false);
        }
    }
    begin_experiment(state, &race.experiment, &winner, race.task_runs);
    state.tell_candidate(&winner.cluster);
}

/// In a ledger from before there were races, what follows a screening is about the best of it.
pub(super) fn forgo(state: &mut State, event: &Event) {
    if !matches!(event, Event::Raced { .. })
        && let Some(race) = state.race.take()
    {
        won(state, race, 0);
    }
}
