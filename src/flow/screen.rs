//! Runs the drafts of a round on their cluster's own cases.

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
use sprag_core::search::Screened;

/// The cases' first trial is what the proposer has looked at; the gate judges by others.
pub(super) async fn screen(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (experiment, cluster, drafts): (&ExperimentId, &ClusterId, &[Candidate]),
) -> Result<Event, FlowError> {
    let tasks: Vec<(TaskId, u32)> = state.screening(cluster).into_iter().map(|task| (task, 0)).collect();
    let (mut screened, mut spent) = (Vec::new(), Spent::default());
    for (n, draft) in (1..).zip(drafts) {
        let harness = state.incumbent.with(&draft.changes);
        let label = format!("{experiment} draft {n} of {}", drafts.len());
        let mut left = allowance(state);
        left.spent.add(spent);
        let (trials, cost) = bench.train(store, &label, &harness, &tasks, left).await?;
        spent.add(cost);
        let mut outcomes: Vec<Outcome> = trials.iter().map(outcome).collect();
        let made = Made {
            tasks: &tasks,
            trials: &trials,
        };
        spent.add(tell_moved(bench, store, state, (cluster, made), &mut outcomes, spent).await?);
        let ended = |how: Outcome| {
            let tasks = tasks.iter().zip(&outcomes).filter(move |(_, outcome)| **outcome == how);
            tasks.map(|((task, _), _)| task.clone()).collect()
        };
        screened.push(Screened {
            solved: ended(Outcome::Passed),
            moved: ended(Outcome::Moved),
        });
    }
    Ok(Event::Screened {
        experiment: experiment.clone(),
        cluster: cluster.clone(),
        screened,
        spent,
    })
}
