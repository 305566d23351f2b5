//! Asks the proposer, and makes the train runs it wants to look at.

use super::bench::Bench;
use super::context::allowance;
use super::{FlowError, Request};
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::cluster::Cluster;
use sprag_core::failure::RootCause;
use sprag_core::harness::Harness;
use sprag_core::id::{ClusterId, ExperimentId, TaskId};
use sprag_core::ledger::Event;
use sprag_core::machine::State;
use sprag_core::propose::{Brief, Example, Look as LookKind, Proposal, propose as ask, watched};
use sprag_core::trace::{Termination, Trace};
use sprag_core::trial::Trial;
use std::collections::BTreeMap;

/// How many train tasks the proposer looks at: the cluster's own first, then others for contrast.
const EXAMPLES: usize = 40;

pub(super) async fn propose(
    request: &Request<'_>,
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    experiment: &ExperimentId,
    cluster_id: &ClusterId,
) -> Result<Event, FlowError> {
    let cluster = state
        .clusters
        .clusters
        .get(cluster_id)
        .expect("the machine names only clusters it has");
    let tasks = example_tasks(state, cluster_id);
    let look = Look {
        bench,
        tasks,
        label: format!("{experiment} looking"),
        state,
    };
    let (trials, mut spent) = look.at(store, &state.incumbent, Spent::default()).await?;
    let base = examples(&look.tasks, &trials);
    let mut seen: BTreeMap<LookKind, Vec<Trial>> = BTreeMap::new();
    let proposal = loop {
        let brief = Brief {
            cluster,
            cause: cause_of(state, cluster),
            watched: watched(&base),
            base: base.clone(),
            looks: seen
                .iter()
                .map(|(kind, trials)| (*kind, examples(&look.tasks, trials)))
                .collect(),
            harness: &state.incumbent,
            recipes: &request.config.recipes,
            policy: &request.policy,
            tried: &state.tried,
        };
        match ask(&brief) {
            Proposal::Explore { look: kind, harness } if !seen.contains_key(&kind) => {
                let (trials, cost) = look.at(store, &harness, spent).await?;
                spent.add(cost);
                seen.insert(kind, trials);
            }
            proposal => break proposal,
        }
    };
    Ok(match proposal {
        Proposal::Candidate(candidate) => Event::Proposed {
            experiment: experiment.clone(),
            candidate,
            spent,
        },
        Proposal::Nothing(reason) => Event::NothingProposed {
            cluster: cluster_id.clone(),
            reason,
            spent,
        },
        Proposal::Explore { .. } => Event::NothingProposed {
            cluster: cluster_id.clone(),
            reason: "the proposer asked to look twice".to_owned(),
            spent,
        },
    })
}

/// The root cause of the cluster's first record.
fn cause_of<'a>(state: &'a State, cluster: &Cluster) -> Option<&'a RootCause> {
    let records = cluster.members.keys().filter_map(|record| state.records.get(record));
    records
        .flat_map(|record| &record.causes)
        .find(|cause| cause.mechanism == cluster.mechanism)
}

struct Look<'a, 'b> {
    bench: &'a Bench<'b>,
    tasks: Vec<TaskId>,
    label: String,
    state: &'a State,
}

impl Look<'_, '_> {
    async fn at(
        &self,
        store: &mut dyn Store,
        harness: &Harness,
        spent: Spent,
    ) -> Result<(Vec<Trial>, Spent), FlowError> {
        let tasks: Vec<(TaskId, u32)> = self.tasks.iter().map(|task| (task.clone(), 0)).collect();
        let mut left = allowance(self.state);
        left.spent.add(spent);
        self.bench.train(store, &self.label, harness, &tasks, left).await
    }
}

/// The cluster's unresolved tasks, then the others of the traffic so far, the newest first.
fn example_tasks(state: &State, cluster: &ClusterId) -> Vec<TaskId> {
    let mut tasks = state.cluster_tasks(cluster);
    for verdict in state.batch_verdicts.iter().rev().flatten() {
        if !tasks.contains(&verdict.task) {
            tasks.push(verdict.task.clone());
        }
    }
    tasks.truncate(EXAMPLES);
    tasks
}

fn examples<'a>(tasks: &'a [TaskId], trials: &'a [Trial]) -> Vec<Example<'a>> {
    static NONE: Trace = Trace {
        steps: Vec::new(),
        termination: Termination::Unknown,
        tools: Vec::new(),
        expected: None,
        checks: Vec::new(),
    };
    // One a task in every list, so that the same index means the same task; a run without a trace teaches nothing.
    let example = |(task, trial): (&'a TaskId, &'a Trial)| Example {
        task,
        passed: trial.passed(),
        trace: trial.trace.as_ref().unwrap_or(&NONE),
    };
    tasks.iter().zip(trials).map(example).collect()
}
