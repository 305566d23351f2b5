//! Small things that several steps of the flow need.

use super::bench::Allowance;
use sprag_core::candidate::Experiment;
use sprag_core::harness::Harness;
use sprag_core::id::ExperimentId;
use sprag_core::machine::State;

/// What is left of the budget.
pub(super) fn allowance(state: &State) -> Allowance {
    Allowance {
        limits: state.plan.limits,
        spent: state.spent,
    }
}

/// An experiment that the machine named; it names only those it has.
pub(super) fn experiment<'a>(state: &'a State, id: &ExperimentId) -> &'a Experiment {
    state.experiment(id).expect("the machine names only experiments it has")
}

/// The harness an experiment evaluates: its changes on the incumbent it was proposed for.
pub(super) fn candidate_harness(state: &State, experiment: &Experiment) -> Harness {
    state.incumbent.with(&experiment.candidate.changes)
}
