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
use sprag_core::score::Scorecard;
use std::collections::BTreeSet;

/// What the branches begin with; the number of the pull request follows.
pub(super) const BRANCH: &str = "sprag/revert-";

/// A suite that fails on the default branch, and the merged change that may be why.
struct Failing {
    /// The number of the pull request.
    number: u64,
    pull: PullEntry,
    card: Scorecard,
    back: Option<Back>,
    /// The cases that do not come with the change.
    rest: Vec<EvalCase>,
}

/// Runs the suite on the default branch once for each commit, and, if it fails, without the newest merged change too; what that said comes
/// back. What was offered before, whatever became of it, is not measured again.
pub async fn look(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    store: &mut dyn Store,
    progress: &Progress,
) -> Result<Option<Scorecard>, FlowError> {
    let suite = suite(request);
    if newest_merged(notebook.book()).is_none() || suite.is_empty() {
        return Ok(None);
    }
    let sha = request.workspace.head_commit()?;
    if notebook.book().suite.iter().all(|(known, _)| *known != sha) {
        let card = gate::suite(request, &request.harness, &suite, store, progress).await?;
        notebook.note(What::SuiteMeasured { sha, card });
        notebook.keep()?;
    }
    let Some(Failing {
        number,
        back: Some(back),
        rest,
        ..
    }) = failing(notebook.book(), request)?
    else {
        return Ok(None);
    };
    if !hub.forge.pulls_from(&branch(number)).await?.is_empty() {
        return Ok(None);
    }
    let without = request.harness.with(&back.changes);
    Ok(Some(gate::suite(request, &without, &rest, store, progress).await?))
}

/// If the suite fails less without the newest merged change, opens a pull request that takes the change back; its number comes back. What
/// was offered before is not offered again.
pub async fn settle(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    without: Option<&Scorecard>,
) -> Result<Option<u64>, FlowError> {
    let Some(failing) = failing(notebook.book(), request)? else {
        return Ok(None);
    };
    let Failing {
        number,
        pull,
        card,
        back,
        rest,
    } = failing;
    let head = branch(number);
    if let Some(offered) = hub.forge.pulls_from(&head).await?.first() {
        if offered.open && pull.revert.is_none() {
            offer(notebook, number, offered.number)?;
        }
        return Ok(None);
    }
    let (Some(back), Some(without)) = (back, without) else {
        return Ok(None);
    };
    let fails_with = rest
        .iter()
        .filter(|case| card.broken_tasks.contains(&case.task.to_string()));
    let fails_with = u32::try_from(fails_with.count()).unwrap_or(u32::MAX);
    if !without.complete() || without.failed >= fails_with {
        return Ok(None);
    }
    let view = RevertView {
        reverts: number,
        head,
        base: hub.forge.repository().await?.default_branch,
        with: card,
        without: without.clone(),
        cases: back.cases.len(),
        threshold: request.config.gate.regression_threshold,
    };
    let revert = open(hub, request, &view, &back).await?;
    offer(notebook, number, revert)?;
    Ok(Some(revert))
}

/// What is known of the suite on the commit of the workspace, if it fails after a merge.
fn failing(book: &Book, request: &Request<'_>) -> Result<Option<Failing>, FlowError> {
    let sha = request.workspace.head_commit()?;
    let measured = book.suite.iter().find(|(known, _)| *known == sha);
    let (Some((number, pull)), Some((_, card))) = (newest_merged(book), measured) else {
        return Ok(None);
    };
    let threshold = request.config.gate.regression_threshold;
    if !card.complete() || card.score().is_none_or(|score| score >= threshold) {
        return Ok(None);
    }
    let back = Back::of(book, request, &pull);
    let comes_with = |case: &EvalCase| back.as_ref().is_some_and(|back| back.cases.contains(&case.id));
    let rest = suite(request).into_iter().filter(|case| !comes_with(case)).collect();
    Ok(Some(Failing {
        number,
        pull,
        card: card.clone(),
        back,
        rest,
    }))
}

/// The cases that count.
fn suite(request: &Request<'_>) -> Vec<EvalCase> {
    let promoted = |case: &&EvalCase| case.state == CaseState::Promoted;
    request.known.suite.iter().filter(promoted).cloned().collect()
}

fn branch(number: u64) -> String {
    format!("{BRANCH}{number}")
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
