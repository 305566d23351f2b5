//! The loop in two jobs: one measures and may write nowhere, the other writes and runs nothing. Between them goes a [`Bundle`].

use super::deliver::{Opened, deliver};
use super::publish::{OnBranch, land};
use super::sync::{Hub, Notebook};
use super::{FlowError, Request, revert};
use crate::bundle::{Bundle, BundleError};
use crate::runner::{BoxFuture, Job, Runner, RunnerError};
use sprag_core::fact::{Fact, What};
use sprag_core::handover::{Terms, check};
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::ledger::Event;
use sprag_core::machine::State;
use sprag_core::trial::{Split, Trial};
use tokio::sync::mpsc::UnboundedSender;

/// What came of a bundle.
#[derive(Debug, Clone)]
pub struct Published {
    /// The state that the run has come to; none before its first entry.
    pub state: Option<State>,
    /// The pull requests that were opened.
    pub pulls: Vec<Opened>,
    /// The pull request that offers to take a merged change back.
    pub revert: Option<u64>,
}

/// Checks all of a bundle, and only then keeps what it says and opens its pull requests. Doing it again changes nothing.
pub async fn publish(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    bundle: Bundle,
) -> Result<Published, FlowError> {
    let (new, state) = believed(hub, notebook, request, &bundle)?;
    notebook.learn(new);
    notebook.keep()?;
    let revert = revert::settle(hub, notebook, request, bundle.without.as_ref()).await?;
    let pulls = match &state {
        Some(state) => deliver(hub, notebook, request, &bundle.run, state).await?,
        None => Vec::new(),
    };
    Ok(Published { state, pulls, revert })
}

/// What a bundle says that is new, and the state it leads to, if all of it is believed. Branches are made here and pushed nowhere.
fn believed(
    hub: &Hub<'_>,
    notebook: &Notebook,
    request: &Request<'_>,
    bundle: &Bundle,
) -> Result<(Vec<Fact>, Option<State>), FlowError> {
    let commit = request.workspace.head_commit()?;
    let here = [
        ("repository", &bundle.repository, hub.place.repo.to_string()),
        ("commit", &bundle.commit, commit.clone()),
    ];
    if let Some((what, found, here)) = here.into_iter().find(|(_, found, here)| *found != here) {
        let found = found.clone();
        return Err(BundleError::Elsewhere { what, found, here }.into());
    }
    bundle.inspect(&hub.redactor(), &notebook.now())?;
    let book = notebook.book();
    let known = book.runs.get(&bundle.run).map_or(&[][..], Vec::as_slice);
    // A job that is run again brings what it has brought before.
    let is_new = |fact: &&Fact| match &fact.what {
        What::RunEntry { entry, .. } => !known.contains(entry),
        _ => true,
    };
    let new: Vec<Fact> = bundle.facts.iter().filter(is_new).cloned().collect();
    let terms = Terms {
        config: request.config,
        runner: &request.runner_identity,
        harness: &request.harness,
        policy: &request.policy,
        commit: &commit,
    };
    let state = check(&new, book, &bundle.run, &terms).map_err(BundleError::from)?;
    if let Some(state) = &state {
        hold_to_its_trees(request, state, bundle)?;
    }
    Ok((new, state))
}

/// Every change makes the branch and the tree that the ledger says, and the tree holds nothing that it may not.
fn hold_to_its_trees(request: &Request<'_>, state: &State, bundle: &Bundle) -> Result<(), FlowError> {
    for fact in &bundle.facts {
        let What::RunEntry { entry, .. } = &fact.what else {
            continue;
        };
        let Event::Published {
            experiment,
            branch,
            tree,
        } = &entry.event
        else {
            continue;
        };
        let OnBranch { head, landed, .. } = land(request, state, experiment)?;
        if (&head, &landed.tree) != (branch, tree) {
            return Err(BundleError::Tree { branch: head }.into());
        }
    }
    Ok(())
}

/// Stands where an agent would, in a job that runs none.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

fn nobody<T>() -> Result<T, RunnerError> {
    Err(RunnerError::Start {
        command: "of the project".to_owned(),
        source: std::io::Error::other("a job that publishes runs nothing"),
    })
}

impl Runner for Nobody {
    fn list(&self, _: Split) -> BoxFuture<'_, Result<Vec<TaskId>, RunnerError>> {
        Box::pin(async { nobody() })
    }

    fn run<'a>(
        &'a self,
        _: &'a Harness,
        _: &'a [Job],
        _: UnboundedSender<(usize, Trial)>,
    ) -> BoxFuture<'a, Result<(), RunnerError>> {
        Box::pin(async { nobody() })
    }
}
