//! When the regression suite fails on the default branch after a merge: offers to take the newest merged change back.

use super::gate;
use super::sync::{Hub, Notebook};
use super::{FlowError, Request};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::book::{PullEntry, PullState};
use sprag_core::case::{CaseState, EvalCase};
use sprag_core::fact::What;
use sprag_core::harness::FileChange;
use sprag_core::render::revert::{RevertView, revert_pull};
use sprag_core::score::Scorecard;

/// Runs the suite on the default branch once for each commit, and opens a pull request that takes the newest merged change back if the
/// suite fails. Its number comes back. A revert that was offered before, whatever became of it, is not offered again.
pub async fn watch(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    store: &mut dyn Store,
    progress: &Progress,
) -> Result<Option<u64>, FlowError> {
    let Some((number, pull)) = newest_merged(notebook) else {
        return Ok(None);
    };
    let suite: Vec<EvalCase> = request
        .known
        .suite
        .iter()
        .filter(|case| case.state == CaseState::Promoted)
        .cloned()
        .collect();
    let sha = request.workspace.head_commit()?;
    let measured = notebook.book().suite.iter().find(|(known, _)| *known == sha);
    let card = match measured {
        Some((_, card)) => card.clone(),
        None if suite.is_empty() => return Ok(None),
        None => {
            let card = gate::suite(request, &suite, store, progress).await?;
            notebook.note(What::SuiteMeasured {
                sha: sha.clone(),
                card: card.clone(),
            });
            notebook.keep()?;
            card
        }
    };
    let fails = card.complete()
        && card
            .score()
            .is_some_and(|score| score < request.config.gate.regression_threshold);
    if !fails {
        return Ok(None);
    }
    offer(hub, notebook, request, number, &pull, &card).await
}

fn newest_merged(notebook: &Notebook) -> Option<(u64, PullEntry)> {
    let merged = notebook
        .book()
        .pulls
        .iter()
        .filter_map(|(number, pull)| match &pull.state {
            PullState::Merged { at, .. } => Some((at, *number, pull)),
            PullState::Open | PullState::Closed { .. } => None,
        });
    merged
        .max_by_key(|(at, number, _)| ((*at).clone(), *number))
        .map(|(_, number, pull)| (number, pull.clone()))
}

async fn offer(
    hub: &Hub<'_>,
    notebook: &Notebook,
    request: &Request<'_>,
    number: u64,
    pull: &PullEntry,
    card: &Scorecard,
) -> Result<Option<u64>, FlowError> {
    let branch = format!("sprag/revert-{number}");
    if !hub.forge.pulls_from(&branch).await?.is_empty() {
        return Ok(None);
    }
    let state = notebook.book().run(&pull.run);
    let Some(changes) = state
        .as_ref()
        .and_then(|state| state.experiment(&pull.experiment))
        .map(|experiment| &experiment.candidate.changes)
    else {
        return Ok(None);
    };
    let remote = hub.remote().await?;
    tokio::task::block_in_place(|| request.workspace.fetch(&remote, &pull.base_sha))?;
    let before = request.workspace.files_at(&pull.base_sha)?;
    let mut back = Vec::new();
    for change in changes {
        // What somebody has edited since is not ours to take back.
        if request.harness.get(&change.path) != change.text.as_deref() {
            return Ok(None);
        }
        let old = before.iter().find(|file| file.path == change.path);
        back.push(FileChange {
            path: change.path.clone(),
            text: old.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()),
        });
    }
    let base = hub.forge.repository().await?.default_branch;
    let body = revert_pull(&RevertView {
        reverts: number,
        head: branch.clone(),
        base,
        card: card.clone(),
        threshold: request.config.gate.regression_threshold,
    });
    let message = format!("{}\n", body.title);
    let head = request.workspace.head_branch()?;
    request.workspace.land(&head, &branch, &message, &back)?;
    let there = request.workspace.remote_branch(&remote, &branch)?;
    request.workspace.push(&remote, &branch, there.as_deref())?;
    Ok(Some(hub.forge.keep_pull(&body).await?.number))
}
