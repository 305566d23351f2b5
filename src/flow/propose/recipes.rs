//! Asks the recipes, which may want to see what wider looking harnesses do.

use super::{Proposed, Question, examples};
use crate::flow::FlowError;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::cluster::Cluster;
use sprag_core::failure::RootCause;
use sprag_core::harness::Harness;
use sprag_core::id::{CandidateId, TaskId};
use sprag_core::machine::State;
use sprag_core::propose::{Brief, Example, Look as LookKind, Proposal, propose as ask, watched};
use sprag_core::search::Dropped;
use sprag_core::trial::Trial;
use std::collections::{BTreeMap, BTreeSet};

/// What the recipes are asked about.
pub(super) struct Ground<'a> {
    /// The cluster.
    pub(super) cluster: &'a Cluster,
    /// The harness to change.
    pub(super) harness: &'a Harness,
    /// The train tasks to look at.
    pub(super) tasks: &'a [TaskId],
    /// What is not wanted again.
    pub(super) tried: &'a BTreeSet<CandidateId>,
    /// What was drafted earlier and not worth an experiment.
    pub(super) dropped: &'a [Dropped],
}

pub(super) async fn propose(question: &Question<'_, '_>, store: &mut dyn Store) -> Result<Proposed, FlowError> {
    let tried = question.state.tried_here();
    let ground = Ground {
        cluster: question.cluster,
        harness: &question.state.incumbent,
        tasks: &question.look.tasks,
        tried: &tried,
        dropped: question.state.dropped(),
    };
    on(question, store, &ground, Spent::default()).await
}

/// Asks about a cluster on any harness. `spent` is what this proposal has cost so far.
pub(super) async fn on(
    question: &Question<'_, '_>,
    store: &mut dyn Store,
    ground: &Ground<'_>,
    spent: Spent,
) -> Result<Proposed, FlowError> {
    let Question {
        request, state, look, ..
    } = question;
    let (trials, cost) = look.at_some(store, ground.harness, ground.tasks, spent).await?;
    let mut spent = spent;
    spent.add(cost);
    let base = examples(ground.tasks, &trials);
    let (passed, guarded) = (question.passed_runs(store)?, question.guarded());
    let shown = |(task, trace)| Example {
        task,
        passed: true,
        trace,
    };
    let mut seen: BTreeMap<LookKind, Vec<Trial>> = BTreeMap::new();
    let proposal = loop {
        let brief = Brief {
            cluster: ground.cluster,
            cause: cause_of(state, ground.cluster),
            watched: watched(&base),
            base: base.clone(),
            looks: seen
                .iter()
                .map(|(kind, trials)| (*kind, examples(ground.tasks, trials)))
                .collect(),
            harness: ground.harness,
            recipes: &request.config.recipes,
            policy: &request.policy,
            tried: ground.tried,
            past: &state.experiments,
            batch: state.batch,
            drafts: state.drafts(),
            dropped: ground.dropped,
            shown: passed.iter().map(|(task, trace)| shown((task, trace))).collect(),
            guarded: &guarded,
            seed: state.plan.seed,
        };
        match ask(&brief) {
            Proposal::Explore { look: kind, harness } if !seen.contains_key(&kind) => {
                let (trials, cost) = look.at_some(store, &harness, ground.tasks, spent).await?;
                spent.add(cost);
                seen.insert(kind, trials);
            }
            proposal => break proposal,
        }
    };
    Ok(match proposal {
        Proposal::Candidate(candidate) => Proposed {
            change: Ok(candidate),
            spent,
        },
        Proposal::Nothing(reason) => Proposed::nothing(reason, spent),
        Proposal::Explore { .. } => Proposed::nothing("the proposer asked to look twice", spent),
    })
}

/// The root cause of the cluster's first record.
fn cause_of<'a>(state: &'a State, cluster: &Cluster) -> Option<&'a RootCause> {
    let records = cluster.members.keys().filter_map(|record| state.records.get(record));
    records
        .flat_map(|record| &record.causes)
        .find(|cause| cause.mechanism == cluster.mechanism)
}
