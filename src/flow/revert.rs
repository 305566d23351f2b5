//! When the regression suite fails on the default branch after a merge: offers to take the newest merged change back, if that helps.

use super::gate;
use super::sync::{Hub, Notebook};
use super::{FlowError, Request};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::book::{Book, PullEntry, PullState};
use sprag_core::case::{CaseState, EvalCase};
use sprag_core::fact::What;
use sprag_core::harness::FileChange;
use sprag_core::id::CaseId;
use sprag_core::render::revert::{RevertView, revert_pull};
use std::collections::BTreeSet;

/// What the branches begin with; the number of the pull request follows.
pub(super) const BRANCH: &str = "sprag/revert-";

/// Runs the suite on the default branch once for each commit. If it fails, and fails less without the newest merged change, a pull request
/// that takes the change back is opened, and its number comes back. What was offered before, whatever became of it, is not offered again.
pub async fn watch(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    store: &mut dyn Store,
    progress: &Progress,
) -> Result<Option<u64>, FlowError> {
    let Some((number, pull)) = newest_merged(notebook.book()) else {
        return Ok(None);
    };
    let promoted = |case: &&EvalCase| case.state == CaseState::Promoted;
    let suite: Vec<EvalCase> = request.known.suite.iter().filter(promoted).cloned().collect();
    if suite.is_empty() {
        return Ok(None);
    }
    let sha = request.workspace.head_commit()?;
    let measured = notebook.book().suite.iter().find(|(known, _)| *known == sha);
    let card = match measured {
        Some((_, card)) => card.clone(),
        None => {
            let card = gate::suite(request, &request.harness, &suite, store, progress).await?;
            notebook.note(What::SuiteMeasured {
                sha,
                card: card.clone(),
            });
            notebook.keep()?;
            card
        }
    };
    let threshold = request.config.gate.regression_threshold;
    if !card.complete() || card.score().is_none_or(|score| score >= threshold) {
        return Ok(None);
    }
    let branch = format!("{BRANCH}{number}");
    if let Some(offered) = hub.forge.pulls_from(&branch).await?.first() {
        if offered.open && pull.revert.is_none() {
            offer(notebook, number, offered.number)?;
        }
        return Ok(None);
    }
    let Some(back) = Back::of(notebook.book(), request, &pull) else {
        return Ok(None);
    };
    let rest: Vec<EvalCase> = suite
        .into_iter()
        .filter(|case| !back.cases.contains(&case.id))
        .collect();
    let without = gate::suite(request, &request.harness.with(&back.changes), &rest, store, progress).await?;
    let fails_with = rest
        .iter()
        .filter(|case| card.broken_tasks.contains(&case.task.to_string()));
    let fails_with = u32::try_from(fails_with.count()).unwrap_or(u32::MAX);
    if !without.complete() || without.failed >= fails_with {
        return Ok(None);
    }
    let view = RevertView {
        reverts: number,
        head: branch,
        base: hub.forge.repository().await?.default_branch,
        with: card,
        without,
        cases: back.cases.len(),
        threshold,
    };
    let revert = open(hub, request, &view, &back).await?;
    offer(notebook, number, revert)?;
    Ok(Some(revert))
}

fn newest_merged(book: &Book) -> Option<(u64, PullEntry)> {
    let merged = book.pulls.iter().filter_map(|(number, pull)| match &pull.state {
        PullState::Merged { at, .. } => Some((at, number, pull)),
        PullState::Open | PullState::Closed { .. } | PullState::TakenBack { .. } => None,
    });
    merged
        .max_by_key(|(at, number, _)| (*at, *number))
        .map(|(_, number, pull)| (*number, pull.clone()))
}

fn offer(notebook: &mut Notebook, pull: u64, revert: u64) -> Result<(), FlowError> {
    notebook.note(What::RevertOffered { pull, revert });
    Ok(notebook.keep()?)
}

/// What taking a change back comes to.
struct Back {
    /// Of the harness.
    changes: Vec<FileChange>,
    /// The cases that came with the change: without it they fail.
    cases: BTreeSet<CaseId>,
}

impl Back {
    /// `None` when somebody has edited since what the change had changed: that is not ours to take back.
    fn of(book: &Book, request: &Request<'_>, pull: &PullEntry) -> Option<Self> {
        let state = book.run(&pull.run)?;
        let change = &state.experiment(&pull.experiment)?.candidate.changes;
        let earlier = state
            .experiments
            .iter()
            .take_while(|earlier| earlier.id != pull.experiment);
        let before = earlier
            .filter(|earlier| earlier.accepted())
            .fold(state.plan.harness.clone(), |harness, earlier| {
                harness.with(&earlier.candidate.changes)
            });
        let untouched = |change: &FileChange| request.harness.get(&change.path) == change.text.as_deref();
        change.iter().all(untouched).then(|| Self {
            changes: change
                .iter()
                .map(|change| FileChange {
                    path: change.path.clone(),
                    text: before.get(&change.path).map(str::to_owned),
                })
                .collect(),
            cases: state
                .new_cases(&pull.experiment)
                .into_iter()
                .map(|case| case.id)
                .filter(|id| request.known.suite.iter().any(|case| case.id == *id))
                .collect(),
        })
    }
}

async fn open(hub: &Hub<'_>, request: &Request<'_>, view: &RevertView, back: &Back) -> Result<u64, FlowError> {
    let pull = revert_pull(view);
    let cases = back.cases.iter().map(|case| FileChange {
        path: EvalCase::file_of(case),
        text: None,
    });
    let changes: Vec<FileChange> = back.changes.iter().cloned().chain(cases).collect();
    let on = request.workspace.head_branch()?;
    let message = format!("{}\n", pull.title);
    request.workspace.land(&on, &view.head, &message, &changes)?;
    let remote = hub.remote().await?;
    hub.forge.push_turn().await;
    tokio::task::block_in_place(|| {
        let there = request.workspace.remote_branch(&remote, &view.head)?;
        request.workspace.push(&remote, &view.head, there.as_deref())
    })?;
    Ok(hub.forge.keep_pull(&pull).await?.number)
}
