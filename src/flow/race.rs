//! Runs one case on each draft that races for an experiment.

use super::FlowError;
use super::bench::Bench;
use super::stages::on_draft;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
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
    let label = format!("{experiment} race");
    let (mut outcomes, mut spent) = (Vec::new(), Spent::default());
    for draft in drafts {
        let ended = on_draft(bench, store, state, (cluster, draft), (&label, &tasks), &mut spent).await?;
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
