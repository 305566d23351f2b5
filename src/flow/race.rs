//! Runs one case on each draft that races for an experiment.

use super::FlowError;
use super::bench::Bench;
use super::context::allowance;
use super::stages::{Made, outcome, tell_moved};
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
use sprag_core::gate::purchase::Outcome;
use sprag_core::id::{ClusterId, ExperimentId, TaskId};
use sprag_core::ledger::Event;
use sprag_core::machine::State;

/// All of them right after one another, with the same seed.
pub(super) async fn race(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (experiment, cluster, drafts): (&ExperimentId, &ClusterId, &[Candidate]),
    (task, trial): (&TaskId, u32),
) -> Result<Event, FlowError> {
    let tasks = [(task.clone(), trial)];
    let (mut outcomes, mut spent) = (Vec::new(), Spent::default());
    for draft in drafts {
        let harness = state.incumbent.with(&draft.changes);
        let mut left = allowance(state);
        left.spent.add(spent);
        let label = format!("{experiment} race");
        let (trials, cost) = bench.train(store, &label, &harness, &tasks, left).await?;
        spent.add(cost);
        let mut ended: Vec<Outcome> = trials.iter().map(outcome).collect();
        let made = Made {
            tasks: &tasks,
            trials: &trials,
        };
        spent.add(tell_moved(bench, store, state, (cluster, made), &mut ended, spent).await?);
        outcomes.extend(ended.into_iter().map(|ended| (draft.id.clone(), ended)));
    }
    Ok(Event::Raced {
        experiment: experiment.clone(),
        cluster: cluster.clone(),
        task: task.clone(),
        trial,
        outcomes,
        spent,
    })
}
