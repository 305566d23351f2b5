//! Looks for a kept change that is in the way of a cluster: its cases pass without it. If nothing needs the change any more it is taken out; else the
//! recipes make it anew from all that has run since, in as many parts as it takes.

use super::{Proposed, Question, recipes};
use crate::flow::FlowError;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::{Candidate, Experiment};
use sprag_core::cluster::Cluster;
use sprag_core::config::ProposerKind;
use sprag_core::harness::Harness;
use sprag_core::hash;
use sprag_core::id::{CandidateId, ExperimentId, TaskId};
use sprag_core::machine::State;
use sprag_core::search::{Dropped, Screened};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Drafts of a cluster that are looked at for each part.
const DRAFTS: usize = 4;
/// Clusters that are asked for drafts.
const CLUSTERS: usize = 3;
/// The visible cases of a cluster that are run without the change that is in their way.
const CASES: usize = 12;
/// Parts that one change is made anew of.
const PARTS: usize = 3;

pub(super) async fn propose(question: &Question<'_, '_>, store: &mut dyn Store) -> Result<Proposed, FlowError> {
    let (state, look) = (question.state, &question.look);
    let tasks = state.screening(&question.cluster.id);
    let mut spent = Spent::default();
    let mut in_the_way: Option<(usize, &Experiment, Candidate)> = None;
    for (kept, without) in state.without_kept(&question.cluster.id) {
        let harness = state.incumbent.with(&without.changes);
        let (trials, cost) = look.at_some(store, &harness, &tasks, spent).await?;
        spent.add(cost);
        let solved = trials.iter().filter(|trial| trial.passed()).count();
        if solved > in_the_way.as_ref().map_or(0, |(most, ..)| *most) {
            in_the_way = Some((solved, kept, without));
        }
    }
    let Some((_, kept, mut without)) = in_the_way else {
        return Ok(Proposed::nothing("no earlier change is in the way", spent));
    };
    let mut tasks = state.visible_tasks(&question.cluster.id);
    tasks.truncate(CASES);
    let mut anew = Anew {
        question,
        kept,
        harness: state.incumbent.with(&without.changes),
        needed: kept.fixed_tasks().into_iter().map(TaskId::new).collect(),
        tasks,
        parts: Vec::new(),
        spent,
    };
    let passing = anew.passing(store, &anew.harness.clone()).await?;
    if anew.is_whole(&passing) && !state.tried.contains(&without.id) {
        without.predicted = anew.tasks.into_iter().filter(|task| passing.contains(task)).collect();
        return Ok(Proposed {
            change: Ok(Box::new(without)),
            spent: anew.spent,
        });
    }
    let gained = anew.tasks.iter().filter(|task| passing.contains(task)).count();
    let lost = anew.needed.iter().filter(|task| !passing.contains(task)).count();
    let change = match question.request.config.proposer.kind {
        ProposerKind::Recipes if !fell_anew(state, kept) => anew.make(store, passing.clone()).await?,
        _ => None,
    };
    // What cannot be had without it is given up for more.
    let change = change.or_else(|| {
        without.predicted = anew.tasks.into_iter().filter(|task| passing.contains(task)).collect();
        (gained > lost && !state.tried.contains(&without.id)).then(|| Box::new(without))
    });
    Ok(Proposed {
        change: change.ok_or_else(|| format!("{} is in the way, and needed", kept.id)),
        spent: anew.spent,
    })
}

fn origin(kept: &ExperimentId) -> String {
    format!("search: instead of {kept}")
}

/// Whether a kept change was made anew before, in vain.
fn fell_anew(state: &State, kept: &Experiment) -> bool {
    let origin = origin(&kept.id);
    state.experiments.iter().any(|one| one.candidate.origin == origin)
}

/// A kept change that is made anew.
struct Anew<'a, 'b> {
    question: &'a Question<'a, 'b>,
    kept: &'a Experiment,
    /// The incumbent without the change, and with what was made of it so far.
    harness: Harness,
    /// The tasks that the change had fixed.
    needed: Vec<TaskId>,
    /// The failing cases of the cluster that it is in the way of.
    tasks: Vec<TaskId>,
    parts: Vec<Candidate>,
    spent: Spent,
}

impl<'a> Anew<'a, '_> {
    /// Whether everything that the change had fixed passes, and something of what it was in the way of.
    fn is_whole(&self, passing: &BTreeSet<TaskId>) -> bool {
        self.needed.iter().all(|task| passing.contains(task)) && self.tasks.iter().any(|task| passing.contains(task))
    }

    /// Those of all these tasks that pass on a harness.
    async fn passing(&mut self, store: &mut dyn Store, harness: &Harness) -> Result<BTreeSet<TaskId>, FlowError> {
        let all: BTreeSet<TaskId> = self.tasks.iter().chain(&self.needed).cloned().collect();
        let all: Vec<TaskId> = all.into_iter().collect();
        let look = &self.question.look;
        let (trials, cost) = look.at_some(store, harness, &all, self.spent).await?;
        self.spent.add(cost);
        let passed = all.into_iter().zip(&trials).filter(|(_, trial)| trial.passed());
        Ok(passed.map(|(task, _)| task).collect())
    }

    /// Adds the part that makes most pass and breaks no case of the suite, again and again.
    async fn make(
        &mut self,
        store: &mut dyn Store,
        mut passing: BTreeSet<TaskId>,
    ) -> Result<Option<Box<Candidate>>, FlowError> {
        for _ in 0..PARTS {
            let mut better: Vec<(BTreeSet<TaskId>, Candidate)> = Vec::new();
            for part in self.drafts(store).await? {
                let now = self.passing(store, &self.harness.with(&part.changes)).await?;
                if now.len() > passing.len() {
                    better.push((now, part));
                }
            }
            better.sort_by_key(|(now, _)| Reverse(now.len()));
            let mut best = None;
            for (now, part) in better {
                if !self.breaks_suite(store, &part).await? {
                    best = Some((now, part));
                    break;
                }
            }
            let Some((now, part)) = best else { break };
            self.harness = self.harness.with(&part.changes);
            self.parts.push(part);
            passing = now;
            if self.is_whole(&passing) {
                return Ok(Some(Box::new(self.written(&passing))));
            }
        }
        Ok(None)
    }

    /// Whether a part breaks a case of the suite that is not needed anew: those have their own count.
    async fn breaks_suite(&mut self, store: &mut dyn Store, part: &Candidate) -> Result<bool, FlowError> {
        let suite = self.question.state.cases.suite().map(|case| &case.task);
        let suite: BTreeSet<&TaskId> = suite.filter(|task| !self.needed.contains(task)).collect();
        let suite: Vec<TaskId> = suite.into_iter().cloned().collect();
        let (look, harness) = (&self.question.look, self.harness.with(&part.changes));
        let (trials, cost) = look.at_some(store, &harness, &suite, self.spent).await?;
        self.spent.add(cost);
        Ok(trials.iter().any(|trial| trial.has_verdict() && !trial.passed()))
    }

    /// What the recipes say today, without the change itself: of its own cluster, and of others that what it had fixed is in.
    async fn drafts(&mut self, store: &mut dyn Store) -> Result<Vec<Candidate>, FlowError> {
        let state = self.question.state;
        let mut tasks = self.needed.clone();
        let others = self
            .question
            .look
            .tasks
            .iter()
            .filter(|task| !self.needed.contains(task));
        tasks.extend(others.cloned());
        let mut tried = BTreeSet::from([self.kept.candidate.id.clone()]);
        // It is known to be in the way: so is what holds wherever it holds.
        let mut dropped = state.dropped().to_vec();
        dropped.push(Dropped {
            candidate: self.kept.candidate.clone(),
            screened: Screened {
                broken: self.tasks.clone(),
                ..Screened::default()
            },
            batch: state.batch,
        });
        let mut drafts = Vec::new();
        for cluster in self.clusters() {
            for _ in 0..DRAFTS {
                let ground = recipes::Ground {
                    cluster,
                    harness: &self.harness,
                    tasks: &tasks,
                    tried: &tried,
                    dropped: &dropped,
                };
                let made = recipes::on(self.question, store, &ground, self.spent).await?;
                self.spent = made.spent;
                let Ok(draft) = made.change else { break };
                tried.insert(draft.id.clone());
                drafts.push(*draft);
            }
        }
        Ok(drafts)
    }

    /// The clusters of what the change had fixed, its own first, then those that hold most of it.
    fn clusters(&self) -> Vec<&'a Cluster> {
        let clusters = &self.question.state.clusters;
        let own = clusters.current(&self.kept.candidate.cluster);
        let held = |cluster: &Cluster| {
            let tasks: BTreeSet<&TaskId> = cluster.members.values().map(|member| &member.task).collect();
            self.needed.iter().filter(|task| tasks.contains(task)).count()
        };
        let all = clusters.clusters.values().map(|cluster| (held(cluster), cluster));
        let mut of: Vec<(usize, &'a Cluster)> = all.filter(|(held, cluster)| *held > 0 || cluster.id == own).collect();
        of.sort_by_key(|(held, cluster)| (cluster.id != own, Reverse(*held)));
        of.into_iter().take(CLUSTERS).map(|(_, cluster)| cluster).collect()
    }

    fn written(&self, passing: &BTreeSet<TaskId>) -> Candidate {
        let incumbent = &self.question.state.incumbent;
        let kept = &self.kept.id;
        let ids: Vec<&CandidateId> = self.parts.iter().map(|part| &part.id).collect();
        let titles: Vec<&str> = self.parts.iter().map(|part| part.title.as_str()).collect();
        let hypotheses: Vec<&str> = self.parts.iter().map(|part| part.hypothesis.as_str()).collect();
        Candidate {
            removes: None,
            id: CandidateId::new(&hash::of(&("instead", &self.kept.candidate.id, ids, incumbent.id()))[..12]),
            cluster: self.question.cluster.id.clone(),
            parent: incumbent.id(),
            title: format!("{}, instead of what {kept} has added", titles.join("; and ")),
            hypothesis: format!(
                "Failing cases pass without the change of {kept}, and others need it: it is made anew from all runs by now. {}",
                hypotheses.join(" ")
            ),
            changes: incumbent.changes_to(&self.harness),
            diff: incumbent.diff(&self.harness),
            predicted: self
                .tasks
                .iter()
                .filter(|task| passing.contains(*task))
                .cloned()
                .collect(),
            origin: origin(kept),
        }
    }
}
