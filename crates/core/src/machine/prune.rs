//! Pruning: the kept changes are taken out one after the other, and what nothing needs any more goes, if the gate finds no harm in it.

use super::{Command, State, ask_gate, begin_experiment, next_work};
use crate::candidate::{Candidate, Experiment};
use crate::id::{ExperimentId, TaskId};
use crate::search::frontier;
use std::collections::VecDeque;

/// What is known of pruning.
#[derive(Debug, Clone, Default)]
pub(super) struct Pruning {
    /// The kept changes that are still to be looked at, the oldest first.
    open: VecDeque<ExperimentId>,
    /// How many had been kept when it was begun last.
    looked: usize,
}

/// The next change to be taken out, when enough were kept since the last time, or one was and there is nothing else to do.
pub(super) fn next(state: &mut State, idle: bool) -> Option<Command> {
    let kept: Vec<ExperimentId> = state.prunable().map(|experiment| experiment.id.clone()).collect();
    let enough = if idle { 1 } else { state.plan.search.prune as usize };
    let new = kept.len().saturating_sub(state.pruning.looked);
    if state.plan.search.prune > 0 && new >= enough && state.pruning.open.is_empty() {
        state.pruning = Pruning {
            looked: kept.len(),
            open: kept.into(),
        };
    }
    while let Some(kept) = state.pruning.open.pop_front() {
        let candidate = state.removal(&kept).filter(|made| !state.tried.contains(&made.id));
        let tasks = state.needed_by(&kept);
        if let Some(candidate) = candidate.filter(|_| !tasks.is_empty()) {
            return Some(Command::Ablate {
                kept,
                candidate: Box::new(candidate),
                tasks,
            });
        }
    }
    None
}

/// What is not needed any more is measured as any other change is.
pub(super) fn ablated(state: &mut State, kept: &ExperimentId, failed: &[TaskId], task_runs: u64) -> Command {
    let Some(candidate) = state.removal(kept).filter(|_| failed.is_empty()) else {
        return next_work(state);
    };
    let id = state.next_experiment();
    begin_experiment(state, &id, &candidate, task_runs);
    state.tell_removal();
    ask_gate(state)
}

impl State {
    /// Changes that were kept in an earlier batch: what has just passed the gate needs no second look.
    fn prunable(&self) -> impl Iterator<Item = &Experiment> {
        let experiments = self.experiments.iter();
        experiments.filter(|one| one.accepted() && one.candidate.removes.is_none() && one.batch < self.batch)
    }

    /// The change that takes a kept one out of the incumbent; `None` where later ones have been built on it, or nothing of it is left.
    pub fn removal(&self, kept: &ExperimentId) -> Option<Candidate> {
        let lineage = self.lineage();
        frontier::removal(self.made(&lineage), kept, &self.experiment(kept)?.candidate)
    }

    /// The train tasks that speak for a kept change: those that it had fixed, and the regression suite.
    fn needed_by(&self, kept: &ExperimentId) -> Vec<TaskId> {
        let Some(kept) = self.experiment(kept) else {
            return Vec::new();
        };
        let mut tasks: Vec<TaskId> = kept.fixed_tasks().into_iter().map(TaskId::new).collect();
        let cluster = self
            .clusters
            .clusters
            .get(&self.clusters.current(&kept.candidate.cluster));
        let resolved = cluster.into_iter().flat_map(|cluster| cluster.members.values());
        let resolved = resolved.filter(|member| member.resolved && self.plan.train.contains(&member.task));
        let suite = self.cases.suite().map(|case| &case.task);
        for task in resolved.map(|member| &member.task).chain(suite) {
            if !tasks.contains(task) {
                tasks.push(task.clone());
            }
        }
        tasks
    }
}
