//! Small things that several steps of the flow need.

use super::bench::Allowance;
use sprag_core::candidate::Experiment;
use sprag_core::harness::Harness;
use sprag_core::id::{ExperimentId, TaskId};
use sprag_core::machine::State;
use sprag_core::score::Scorecard;
use sprag_core::trial::{Trial, TrialStatus};

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

/// Counts trials, paired with what the incumbent did on the same tasks. `names` are the tasks to show, none for held-out ones.
pub(super) fn scorecard(trials: &[Trial], incumbent: &[Trial], names: Option<&[TaskId]>) -> Scorecard {
    let mut card = Scorecard::default();
    for (at, trial) in trials.iter().enumerate() {
        let before = incumbent.get(at);
        let name = || names.and_then(|names| names.get(at)).map(ToString::to_string);
        match trial.status {
            TrialStatus::Passed => {
                card.passed += 1;
                if before.is_some_and(|before| before.status == TrialStatus::Failed) {
                    card.fixed += 1;
                    card.fixed_tasks.extend(name());
                }
            }
            TrialStatus::Failed => {
                card.failed += 1;
                if before.is_some_and(Trial::passed) {
                    card.broken += 1;
                    card.broken_tasks.extend(name());
                }
            }
            TrialStatus::Errored { .. } => card.errored += 1,
        }
    }
    card
}
