//! Brings accepted changes to GitHub: pushes the branch, opens the pull request, sets its check runs.

use super::context::experiment;
use super::publish::{OnBranch, counted, gate_view, land, left_out, pull_view};
use super::sync::{Hub, Notebook};
use super::{FlowError, Request};
use crate::forge::ErrorClass;
use crate::workspace::Remote;
use sprag_core::book::Book;
use sprag_core::fact::What;
use sprag_core::id::{ExperimentId, RunId};
use sprag_core::machine::State;
use sprag_core::render::check::{Conclusion, check_runs, conclusions};
use sprag_core::render::pull::pull_request;
use sprag_core::render::view::CheckView;
use std::collections::BTreeSet;

/// A pull request that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its number.
    pub number: u64,
    /// What its regression and validation check say.
    pub conclusions: Option<[Conclusion; 2]>,
}

/// Opens a pull request for every accepted change of a run that has none yet. A branch, pull request or check
/// run that is there already is brought up to date, never doubled.
pub async fn deliver(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    run: &RunId,
    state: &State,
) -> Result<Vec<Opened>, FlowError> {
    // The token of the beginning may have ended during the run.
    let remote = hub.remote().await?;
    let repository = hub.forge.repository().await?;
    let base_sha = request.workspace.head_commit()?;
    let mut opened = Vec::new();
    for id in undelivered(notebook.book(), run, state) {
        let on_branch = land(request, state, &id)?;
        hub.forge.push_turn().await;
        let head_sha = push(request, &remote, &on_branch)?;
        let experiment = experiment(state, &id);
        let mut view = pull_view(request, state, experiment, &on_branch);
        if view.base == request.workspace.head_branch()? {
            view.base.clone_from(&repository.default_branch);
        }
        let cluster = &experiment.candidate.cluster;
        // The book knows of more issues and of earlier tries than this run does.
        let book = notebook.book();
        let issues: BTreeSet<u64> = [&view.issues[..], &view.issues_left, &book.issues_of(cluster)]
            .concat()
            .into_iter()
            .filter(|_| experiment.candidate.removes.is_none())
            .collect();
        (view.issues, view.issues_left) = issues.into_iter().partition(|issue| book.settled_by(cluster, *issue));
        view.rejections = book.rejections(cluster);
        let pull = hub.forge.keep_pull(&pull_request(&view)).await?;
        let checks = CheckView {
            head_sha: head_sha.clone(),
            experiment: experiment.clone(),
            gate: gate_view(request, state),
            folder: request.workspace.folder().to_owned(),
            suite: counted(state, &id),
            left_out: left_out(state),
            buttons: hub.forge.is_app(),
        };
        let runs = check_runs(&checks);
        for check in &runs {
            match hub.forge.keep_check(check).await {
                Ok(_) => {}
                // GitHub lets Apps alone write check runs. What was measured is in the pull request too.
                Err(error) if error.class() == ErrorClass::Forbidden => {
                    tracing::warn!("#{} has no `{}`: {error}", pull.number, check.name);
                }
                Err(error) => return Err(error.into()),
            }
        }
        notebook.note(What::PullOpened {
            pull: pull.number,
            cluster: cluster.clone(),
            run: run.clone(),
            experiment: id,
            branch: on_branch.head,
            head_sha,
            base_sha: base_sha.clone(),
        });
        notebook.keep()?;
        opened.push(Opened {
            number: pull.number,
            conclusions: conclusions(&runs),
        });
    }
    Ok(opened)
}

/// The published experiments of a run that no pull request stands for.
fn undelivered(book: &Book, run: &RunId, state: &State) -> Vec<ExperimentId> {
    let has_pull = |id: &ExperimentId| {
        book.pulls
            .values()
            .any(|pull| pull.run == *run && pull.experiment == *id)
    };
    state.published.keys().filter(|id| !has_pull(id)).cloned().collect()
}

/// The commit that stands on the server's branch in the end. What an earlier job pushed is kept if it holds the same: its commit only
/// differs in its time.
fn push(request: &Request<'_>, remote: &Remote, change: &OnBranch) -> Result<String, FlowError> {
    let there = request.workspace.remote_branch(remote, &change.head)?;
    if let Some(there) = &there {
        request.workspace.fetch(remote, there)?;
        if request.workspace.tree_of(there)? == change.landed.tree {
            return Ok(there.clone());
        }
    }
    request.workspace.push(remote, &change.head, there.as_deref())?;
    Ok(change.landed.commit.clone())
}
