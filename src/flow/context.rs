//! Small things that several steps of the flow need.

use super::Request;
use super::bench::Allowance;
use super::stages::outcome;
use sprag_core::budget::{Limits, Spent};
use sprag_core::candidate::Experiment;
use sprag_core::harness::Harness;
use sprag_core::id::ExperimentId;
use sprag_core::machine::State;
use sprag_core::score::Pair;
use sprag_core::trial::Trial;

/// What is left of the budget.
pub(super) fn allowance(state: &State) -> Allowance {
    Allowance {
        limits: state.plan.limits,
        spent: state.spent,
    }
}

/// The same after a step has spent some of it, which the ledger does not know yet.
pub(super) fn allowance_after(state: &State, spent: Spent) -> Allowance {
    let mut left = allowance(state);
    left.spent.add(spent);
    left
}

/// The budget of what is measured outside of the loop: that of a batch, to itself.
pub(super) fn whole(request: &Request<'_>) -> Allowance {
    let budget = &request.config.budget;
    Allowance {
        limits: Limits {
            experiments: 1,
            experiments_per_batch: 1,
            task_runs: budget.task_runs,
            usd: budget.usd,
        },
        spent: Spent::default(),
    }
}

/// One run of a task, beside one on another harness that has a verdict.
pub(super) fn paired(before: Option<&Trial>, after: &Trial) -> Pair {
    let mut pair = Pair::default();
    if let Some(before) = before.filter(|before| before.has_verdict()) {
        pair.before.add(before.passed());
    }
    pair.take(outcome(after));
    pair
}

/// An experiment that the machine named; it names only those it has.
pub(super) fn experiment<'a>(state: &'a State, id: &ExperimentId) -> &'a Experiment {
    state.experiment(id).expect("the machine names only experiments it has")
}

/// The harness an experiment evaluates: its changes on the incumbent it was proposed for.
pub(super) fn candidate_harness(state: &State, experiment: &Experiment) -> Harness {
    state.incumbent.with(&experiment.candidate.changes)
}
