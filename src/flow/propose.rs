//! Asks the proposer, makes the train runs it wants to look at, and holds what it gives against the rules.

mod agent;
mod editor;
mod recipes;
mod simplify;

use super::bench::Bench;
use super::context::allowance_after;
use super::{FlowError, Request};
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
use sprag_core::candidate::check::{Guarded, HELD_OUT, objection};
use sprag_core::cluster::Cluster;
use sprag_core::config::ProposerKind;
use sprag_core::harness::Harness;
use sprag_core::id::{ClusterId, ExperimentId, TaskId};
use sprag_core::learnings::{Kind, Learning, of_experiments};
use sprag_core::ledger::Event;
use sprag_core::machine::State;
use sprag_core::propose::Example;
use sprag_core::propose::brief::{Material, brief};
use sprag_core::render::learnings::entry;
use sprag_core::search::Start;
use sprag_core::trace::{Role, Termination, Trace};
use sprag_core::trial::Trial;
use std::collections::BTreeSet;

/// How many train tasks the proposer looks at: the cluster's own first, then others for contrast.
const EXAMPLES: usize = 40;

/// Of each kind, how many changes for other clusters are told.
const ELSEWHERE: usize = 10;
/// How many runs that passed the recipes may choose examples from, the newest first.
const SHOWN: usize = 200;

/// What a proposer is asked about.
struct Question<'a, 'b> {
    request: &'a Request<'b>,
    bench: &'a Bench<'b>,
    state: &'a State,
    cluster: &'a Cluster,
    start: Option<Start>,
    look: Look<'a, 'b>,
}

/// A change or why there is none, and what that cost.
struct Proposed {
    change: Result<Box<Candidate>, String>,
    spent: Spent,
}

impl Proposed {
    fn nothing(reason: impl Into<String>, spent: Spent) -> Self {
        Self {
            change: Err(reason.into()),
            spent,
        }
    }
}

pub(super) async fn propose(
    request: &Request<'_>,
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    (experiment, cluster_id, start): (&ExperimentId, &ClusterId, Option<Start>),
) -> Result<Event, FlowError> {
    let known = state.clusters.clusters.get(cluster_id);
    let mut cluster = known.expect("the machine names only clusters it has").clone();
    let hidden = state.hidden_tasks(cluster_id);
    cluster.members.retain(|_, member| !hidden.contains(&member.task));
    let question = Question {
        request,
        bench,
        state,
        cluster: &cluster,
        start,
        look: Look {
            bench,
            tasks: example_tasks(state, cluster_id, &hidden),
            label: format!("{experiment} looking"),
            state,
        },
    };
    let Proposed { change, spent } = question.ask(store).await?;
    let mut told = false;
    let change = change.and_then(|mut candidate| {
        told = question.keep_quiet(&mut candidate);
        if state.tried_here().contains(&candidate.id) {
            return Err(format!("\"{}\" was tried before, to the letter", candidate.title));
        }
        Ok(candidate)
    });
    Ok(match change {
        Ok(mut candidate) => {
            let objection = told
                .then(|| format!("says the name of {HELD_OUT}"))
                .or_else(|| question.objection(&candidate));
            // The ledger, the report and the next brief show what was changed: not where it would tell which task is held out.
            if objection.as_ref().is_some_and(|objection| objection.contains(HELD_OUT)) {
                candidate.changes.clear();
                candidate.diff = format!("(left out: it names {HELD_OUT})");
            }
            let experiment = experiment.clone();
            match start {
                None => Event::Proposed {
                    experiment,
                    candidate,
                    objection,
                    spent,
                },
                Some(start) => Event::Drafted {
                    experiment,
                    start,
                    candidate,
                    objection,
                    spent,
                },
            }
        }
        Err(reason) => Event::NothingProposed {
            cluster: cluster_id.clone(),
            reason,
            spent,
        },
    })
}

impl Question<'_, '_> {
    /// Asks whoever the starting point leads to.
    async fn ask(&self, store: &mut dyn Store) -> Result<Proposed, FlowError> {
        match (self.start, self.request.config.proposer.kind) {
            (Some(Start::Frontier), _) => {
                let kept = self.state.frontier_draft(&self.cluster.id).map(Box::new);
                Ok(Proposed {
                    change: kept.ok_or_else(|| "nothing on the frontier fits any more".to_owned()),
                    spent: Spent::default(),
                })
            }
            (Some(Start::Simplify), _) => simplify::propose(self, store).await,
            (_, ProposerKind::Recipes) => recipes::propose(self, store).await,
            (_, ProposerKind::Model) => editor::propose(self, store).await,
            (_, ProposerKind::Command) => agent::propose(self, store).await,
        }
    }

    /// What a proposer says of its change is told on in many places: what names a held-out task is left out. Whether anything did.
    fn keep_quiet(&self, candidate: &mut Candidate) -> bool {
        let mut told = false;
        for text in [&mut candidate.title, &mut candidate.hypothesis] {
            if self.bench.says_held_out_id(text) {
                *text = format!("(left out: it names {HELD_OUT})");
                told = true;
            }
        }
        told
    }

    /// Why a change may not be measured.
    fn objection(&self, candidate: &Candidate) -> Option<String> {
        let (before, changes) = (&self.state.incumbent, &candidate.changes);
        objection(before, changes, &self.request.policy, &self.guarded()).or_else(|| {
            let names = self.bench.names_held_out(before, changes);
            names.then(|| format!("names {HELD_OUT}"))
        })
    }

    /// What must not stand in a harness.
    fn guarded(&self) -> Guarded {
        let state = self.state;
        Guarded::of(&state.plan.train, state.cases.cases.values(), state.records.values())
    }

    /// The train runs that may be shown as examples: they passed, their tasks never failed, and they say nothing that a held-out task says.
    fn passed_runs(&self, store: &dyn Store) -> Result<Vec<(TaskId, Trace)>, FlowError> {
        let mut runs = Vec::new();
        for run in self.state.passed_runs().into_iter().take(SHOWN) {
            let Some(trace) = self.bench.recorded(store, &run)? else {
                continue;
            };
            let by_person = trace.steps.iter().filter(|step| step.role == Role::User);
            let said: Vec<String> = by_person.map(|step| step.content.clone()).collect();
            if !self.bench.says_held_out(&said) {
                runs.push((run.task, trace));
            }
        }
        Ok(runs)
    }

    /// What a model or a coding agent is told, of about so many bytes.
    fn brief(&self, base: &[Example<'_>], bytes: usize) -> String {
        let harness = &self.request.config.harness;
        let material = Material {
            cluster: self.cluster,
            records: &self.state.records,
            base,
            harness: &self.state.incumbent,
            globs: (&harness.paths, &harness.protect),
            experiments: &self.state.experiments,
            lessons: &self.lessons(),
            start: self.start.map(|start| (start, self.state.drafts())),
        };
        brief(&material, bytes)
    }

    /// What helped elsewhere in this run, what was known before it, and what did not help elsewhere. What was tried on the cluster itself is
    /// told apart.
    fn lessons(&self) -> Vec<String> {
        let experiments = self.state.experiments.iter().rev();
        let elsewhere = experiments.filter(|one| one.candidate.cluster != self.cluster.id);
        let learned = of_experiments(elsewhere, &self.state.clusters);
        let (kept, fell): (Vec<Learning>, Vec<Learning>) = learned.into_iter().partition(|one| one.kind == Kind::Kept);
        let before = self.state.plan.known.lessons.iter().cloned();
        let kept = kept.iter().take(ELSEWHERE).map(entry);
        kept.chain(before)
            .chain(fell.iter().take(ELSEWHERE).map(entry))
            .collect()
    }
}

struct Look<'a, 'b> {
    bench: &'a Bench<'b>,
    tasks: Vec<TaskId>,
    label: String,
    state: &'a State,
}

impl Look<'_, '_> {
    /// Runs all tasks on a harness. `spent` is what this proposal has cost so far.
    async fn at(
        &self,
        store: &mut dyn Store,
        harness: &Harness,
        spent: Spent,
    ) -> Result<(Vec<Trial>, Spent), FlowError> {
        self.at_some(store, harness, &self.tasks, spent).await
    }

    async fn at_some(
        &self,
        store: &mut dyn Store,
        harness: &Harness,
        tasks: &[TaskId],
        spent: Spent,
    ) -> Result<(Vec<Trial>, Spent), FlowError> {
        let tasks: Vec<(TaskId, u32)> = tasks.iter().map(|task| (task.clone(), 0)).collect();
        let left = allowance_after(self.state, spent);
        self.bench.train(store, &self.label, harness, &tasks, left).await
    }
}

/// The cluster's unresolved tasks, then the others of the traffic so far, the newest first; none of those that are kept for the probe.
fn example_tasks(state: &State, cluster: &ClusterId, hidden: &BTreeSet<TaskId>) -> Vec<TaskId> {
    let mut tasks = state.cluster_tasks(cluster);
    for verdict in state.batch_verdicts.iter().rev().flatten() {
        if !tasks.contains(&verdict.task) {
            tasks.push(verdict.task.clone());
        }
    }
    tasks.retain(|task| !hidden.contains(task));
    tasks.truncate(EXAMPLES);
    tasks
}

fn examples<'a>(tasks: &'a [TaskId], trials: &'a [Trial]) -> Vec<Example<'a>> {
    static NONE: Trace = Trace {
        impact: None,
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
