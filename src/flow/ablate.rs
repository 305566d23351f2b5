//! Takes a kept change out of the harness, and runs what speaks for it.

use super::FlowError;
use super::bench::Bench;
use super::context::allowance_after;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
use sprag_core::id::{ExperimentId, TaskId};
use sprag_core::ledger::Event;
use sprag_core::machine::State;

/// Runs after which it is seen whether some have failed: most changes are needed, and the first few runs say so.
const AT_ONCE: usize = 4;

/// Runs the tasks without the change, until some do not pass.
pub(super) async fn ablate(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (kept, candidate, tasks): (&ExperimentId, &Candidate, &[TaskId]),
) -> Result<Event, FlowError> {
    let harness = state.incumbent.with(&candidate.changes);
    let label = format!("without {kept}");
    let (mut failed, mut spent) = (Vec::new(), Spent::default());
    for some in tasks.chunks(AT_ONCE) {
        let runs: Vec<(TaskId, u32)> = some.iter().map(|task| (task.clone(), 0)).collect();
        let left = allowance_after(state, spent);
        let (trials, cost) = bench.train(store, &label, &harness, &runs, left).await?;
        spent.add(cost);
        // What has no verdict shows nothing, and what is not shown stays.
        let some = some.iter().zip(&trials).filter(|(_, trial)| !trial.passed());
        failed.extend(some.map(|(task, _)| task.clone()));
        if !failed.is_empty() {
            break;
        }
    }
    Ok(Event::Ablated {
        kept: kept.clone(),
        failed,
        spent,
    })
}
