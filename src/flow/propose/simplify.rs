//! Looks for a kept change that is in the way of a cluster: its cases pass without it. If nothing needs the change any more it is taken out; else the
//! recipes make it anew, from all that has run since.

use super::{Proposed, Question, recipes};
use crate::flow::FlowError;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::{Candidate, Experiment};
use sprag_core::config::ProposerKind;
use sprag_core::hash;
use sprag_core::id::{CandidateId, TaskId};
use sprag_core::trial::Trial;
use std::collections::BTreeSet;

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
    let fixed: Vec<TaskId> = kept.fixed_tasks().into_iter().map(TaskId::new).collect();
    let harness = state.incumbent.with(&without.changes);
    let (trials, cost) = look.at_some(store, &harness, &fixed, spent).await?;
    spent.add(cost);
    if trials.iter().all(Trial::passed) && !state.tried.contains(&without.id) {
        without.predicted = tasks;
        return Ok(Proposed {
            change: Ok(Box::new(without)),
            spent,
        });
    }
    if question.request.config.proposer.kind != ProposerKind::Recipes {
        let reason = format!("{} is in the way, and needed", kept.id);
        return Ok(Proposed::nothing(reason, spent));
    }
    let mut tasks = fixed;
    tasks.extend(
        look.tasks
            .iter()
            .filter(|task| !tasks.contains(task))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let instead = |anew: &Candidate| CandidateId::new(&hash::of(&("instead", &kept.candidate.id, &anew.id))[..12]);
    let of = state
        .clusters
        .clusters
        .get(&state.clusters.current(&kept.candidate.cluster));
    let ground = recipes::Ground {
        cluster: of.unwrap_or(question.cluster),
        harness: &harness,
        tasks: &tasks,
        tried: &BTreeSet::from([kept.candidate.id.clone()]),
        unwanted: &|anew| state.tried.contains(&instead(anew)),
    };
    let Proposed { change, spent } = recipes::on(question, store, &ground, spent).await?;
    let change = change.map(|anew| {
        let whole = harness.with(&anew.changes);
        Box::new(Candidate {
            id: instead(&anew),
            cluster: question.cluster.id.clone(),
            parent: state.incumbent.id(),
            title: format!("{}, instead of what {} has added", anew.title, kept.id),
            hypothesis: format!(
                "Failing cases pass without the change of {}, and others need it: it is made anew from all runs by now. {}",
                kept.id, anew.hypothesis
            ),
            changes: state.incumbent.changes_to(&whole),
            diff: state.incumbent.diff(&whole),
            origin: format!("{}, instead of {}", anew.origin, kept.id),
            ..*anew
        })
    });
    Ok(Proposed { change, spent })
}
