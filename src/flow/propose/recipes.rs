//! Asks the recipes, which may want to see what wider looking harnesses do.

use super::{Proposed, Question, examples};
use crate::flow::FlowError;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::cluster::Cluster;
use sprag_core::failure::RootCause;
use sprag_core::machine::State;
use sprag_core::propose::{Brief, Example, Look as LookKind, Proposal, propose as ask, watched};
use sprag_core::trial::Trial;
use std::collections::BTreeMap;

pub(super) async fn propose(question: &Question<'_, '_>, store: &mut dyn Store) -> Result<Proposed, FlowError> {
    let Question {
        request, state, look, ..
    } = question;
    let (trials, mut spent) = look.at(store, &state.incumbent, Spent::default()).await?;
    let base = examples(&look.tasks, &trials);
    let (passed, guarded) = (question.passed_runs(store)?, question.guarded());
    let shown = |(task, trace)| Example {
        task,
        passed: true,
        trace,
    };
    let mut seen: BTreeMap<LookKind, Vec<Trial>> = BTreeMap::new();
    let proposal = loop {
        let brief = Brief {
            cluster: question.cluster,
            cause: cause_of(state, question.cluster),
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
            past: &state.experiments,
            shown: passed.iter().map(|(task, trace)| shown((task, trace))).collect(),
            guarded: &guarded,
            seed: state.plan.seed,
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
