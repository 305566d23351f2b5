//! Runs the drafts of a round on their cluster's own cases, and those that help on passing tasks that are most like these.

use super::FlowError;
use super::bench::Bench;
use super::context::allowance_after;
use super::stages::{on_draft, outcome};
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
use sprag_core::gate::purchase::Outcome;
use sprag_core::harness::Harness;
use sprag_core::id::{ClusterId, ExperimentId, TaskId};
use sprag_core::ledger::Event;
use sprag_core::machine::State;
use sprag_core::search::{Screened, most_alike};
use sprag_core::trace::{Role, Trace};
use sprag_core::trial::Trial;

/// Passing tasks that a draft is run on which helps.
const GUARDS: usize = 6;
/// Characters of a run that it is compared by.
const COMPARED: usize = 8_000;

/// The cases' first trial is what the proposer has looked at; the gate judges by others.
pub(super) async fn screen(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (experiment, cluster, drafts): (&ExperimentId, &ClusterId, &[Candidate]),
) -> Result<Event, FlowError> {
    let mut screening = Screening {
        bench,
        state,
        tasks: state.screening(cluster).into_iter().map(|task| (task, 0)).collect(),
        guards: None,
        spent: Spent::default(),
    };
    let mut screened = Vec::new();
    for (n, draft) in (1..).zip(drafts) {
        let label = format!("{experiment} draft {n} of {}", drafts.len());
        screened.push(screening.draft(store, cluster, &label, draft).await?);
    }
    Ok(Event::Screened {
        experiment: experiment.clone(),
        cluster: cluster.clone(),
        screened,
        spent: screening.spent,
    })
}

struct Screening<'a, 'b> {
    bench: &'a Bench<'b>,
    state: &'a State,
    /// The cluster's cases.
    tasks: Vec<(TaskId, u32)>,
    /// Tasks that pass and are most like them; looked for when the first draft helps.
    guards: Option<Vec<(TaskId, u32)>>,
    spent: Spent,
}

impl Screening<'_, '_> {
    async fn draft(
        &mut self,
        store: &mut dyn Store,
        cluster: &ClusterId,
        label: &str,
        draft: &Candidate,
    ) -> Result<Screened, FlowError> {
        let tasks = self.tasks.clone();
        let (of, runs) = ((cluster, draft), (label, &tasks[..]));
        let outcomes = on_draft(self.bench, store, self.state, of, runs, &mut self.spent).await?;
        let ended = |how: Outcome| {
            let tasks = tasks.iter().zip(&outcomes).filter(move |(_, outcome)| **outcome == how);
            tasks.map(|((task, _), _)| task.clone()).collect()
        };
        let mut screened = Screened {
            solved: ended(Outcome::Passed),
            moved: ended(Outcome::Moved),
            broken: Vec::new(),
        };
        if screened.helps() {
            let harness = self.state.incumbent.with(&draft.changes);
            screened.broken = self.broken(store, label, &harness).await?;
        }
        Ok(screened)
    }

    /// The guards that fail with the draft and pass without it.
    async fn broken(
        &mut self,
        store: &mut dyn Store,
        label: &str,
        harness: &Harness,
    ) -> Result<Vec<TaskId>, FlowError> {
        let guards = match self.guards.clone() {
            Some(guards) => guards,
            None => self.look_for_guards(store).await?,
        };
        self.guards = Some(guards.clone());
        let trials = self.run(store, label, harness, &guards).await?;
        let failed = guards
            .into_iter()
            .zip(&trials)
            .filter(|(_, trial)| outcome(trial) == Outcome::Failed);
        let failed: Vec<(TaskId, u32)> = failed.map(|(guard, _)| guard).collect();
        // Each passed in the traffic, perhaps on an earlier harness.
        let before = self.run(store, "before", &self.state.incumbent, &failed).await?;
        let broken = failed.into_iter().zip(&before).filter(|(_, trial)| trial.passed());
        Ok(broken.map(|((task, _), _)| task).collect())
    }

    async fn look_for_guards(&mut self, store: &mut dyn Store) -> Result<Vec<(TaskId, u32)>, FlowError> {
        let tasks = self.tasks.clone();
        let failing = self.run(store, "before", &self.state.incumbent, &tasks).await?;
        let failing: Vec<String> = failing
            .iter()
            .filter_map(|trial| Some(told(trial.trace.as_ref()?)))
            .collect();
        let mut guards = Vec::new();
        let mut passing = Vec::new();
        for run in self.state.passing_runs() {
            let is_case = self.tasks.iter().any(|(task, _)| *task == run.task);
            if let Some(trace) = self.bench.recorded(store, &run)?.filter(|_| !is_case) {
                passing.push(told(&trace));
                guards.push((run.task, run.trial));
            }
        }
        let chosen = most_alike(&failing, &passing, GUARDS);
        Ok(chosen.into_iter().map(|at| guards[at].clone()).collect())
    }

    async fn run(
        &mut self,
        store: &mut dyn Store,
        label: &str,
        harness: &Harness,
        tasks: &[(TaskId, u32)],
    ) -> Result<Vec<Trial>, FlowError> {
        let left = allowance_after(self.state, self.spent);
        let (trials, cost) = self.bench.train(store, label, harness, tasks, left).await?;
        self.spent.add(cost);
        Ok(trials)
    }
}

/// What an agent was told in a run, by people and tools.
fn told(trace: &Trace) -> String {
    let told = trace
        .steps
        .iter()
        .filter(|step| matches!(step.role, Role::User | Role::Tool));
    let all: Vec<&str> = told.map(|step| step.content.as_str()).collect();
    all.join("\n").chars().take(COMPARED).collect()
}
