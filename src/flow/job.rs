//! A run of the loop as a job on GitHub: begun with what is known, gone on with where another job was stopped, delivered as pull requests.

use super::deliver::{Opened, deliver};
use super::sync::{Hub, Notebook};
use super::{FlowError, Request, Summary, improve, revert};
use crate::bundle::Bundle;
use crate::progress::Progress;
use crate::store::{DirStore, SharedStore, Store as _, StoreError, Witness};
use sprag_core::fact::What;
use sprag_core::harness::Harness;
use sprag_core::hash;
use sprag_core::id::RunId;
use sprag_core::ledger::{Entry, Event, Plan};
use sprag_core::machine::{self, State};
use std::time::{Duration, Instant};

/// A run hands its ledger on at most this often, and at its end: GitHub wants few pushes.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// A run that begins, or goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// Its id.
    pub run: RunId,
    /// What is known of its ledger.
    pub ledger: Vec<Entry>,
}

impl Begun {
    /// The newest run, if a job left it in the middle and it can be gone on with: the same configuration, runner and harness. Else a new
    /// one; `mark` tells it from one that another job begins at the same time. A job that is run again, with the same mark, begins no second
    /// run: it ends what its first try had left, if only the answers.
    pub fn next(notebook: &Notebook, config_digest: &str, runner: &str, harness: &Harness, mark: &str) -> Self {
        let book = notebook.book();
        let same = |plan: &Plan| plan.config == config_digest && plan.runner == runner && plan.harness == *harness;
        let mark = format!("-{}", &hash::of_text(mark)[..8]);
        let own = book.latest_run().filter(|run| run.as_str().ends_with(&mark));
        let known = own.or_else(|| book.unfinished()).map(|run| Self {
            run: run.clone(),
            ledger: book.runs[run].clone(),
        });
        known
            .filter(|begun| begun.plan().is_some_and(same))
            .unwrap_or_else(|| Self {
                run: RunId::new(format!("r{:04}{mark}", book.n_runs() + 1)),
                ledger: Vec::new(),
            })
    }

    /// What it was begun with, if it was begun before.
    pub fn plan(&self) -> Option<&Plan> {
        match self.ledger.first().map(|entry| &entry.event) {
            Some(Event::Started(plan)) => Some(plan),
            _ => None,
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Done {
    /// Its last state.
    pub state: State,
    /// Its figures.
    pub summary: Summary,
    /// The pull requests it opened.
    pub pulls: Vec<Opened>,
    /// The pull request that offers to take a merged change back.
    pub revert: Option<u64>,
}

/// Runs the loop to its end and opens its pull requests. However it ends, what was measured is on the state branch.
pub async fn run(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    request: &Request<'_>,
    mut dir: DirStore,
    begun: &Begun,
    progress: &Progress,
) -> Result<Done, FlowError> {
    let without = revert::look(hub, notebook, request, &mut dir, progress).await?;
    let revert = revert::settle(hub, notebook, request, without.as_ref()).await?;
    let (ended, entries) = improve_noted(notebook, request, dir, begun, progress).await?;
    notebook.keep()?;
    let state = match ended {
        Ok(state) => state,
        Err(FlowError::OutOfTime) => {
            // What was accepted before the time was over need not wait for the next run.
            if let (Some(state), _) = machine::replay(entries.iter().map(|entry| &entry.event)) {
                deliver(hub, notebook, request, &begun.run, &state).await?;
            }
            return Err(FlowError::OutOfTime);
        }
        Err(error) => return Err(error),
    };
    let summary = Summary::write(request, &state, &entries)?;
    let pulls = deliver(hub, notebook, request, &begun.run, &state).await?;
    Ok(Done {
        state,
        summary,
        pulls,
        revert,
    })
}

/// The first half of [`run`], for a job that may write nowhere: what it learned comes back as a bundle, however the loop ended. The second half
/// is [`handover::publish`](super::handover::publish).
///
/// # Errors
/// When nothing can be handed over; why the loop ended before its end stands beside the bundle.
pub async fn optimize(
    hub: &Hub<'_>,
    notebook: Notebook,
    request: &Request<'_>,
    mut dir: DirStore,
    begun: &Begun,
    progress: &Progress,
) -> Result<(Bundle, Result<(State, Summary), FlowError>), FlowError> {
    let mut notebook = notebook.held();
    let without = revert::look(hub, &mut notebook, request, &mut dir, progress).await?;
    let (ended, entries) = improve_noted(&mut notebook, request, dir, begun, progress).await?;
    let bundle = Bundle {
        repository: hub.place.repo.to_string(),
        commit: request.workspace.head_commit()?,
        run: begun.run.clone(),
        sandbox: request.sandbox.to_owned(),
        facts: notebook.noted().to_vec(),
        without,
    };
    let ended = ended.and_then(|state| {
        let summary = Summary::write(request, &state, &entries)?;
        Ok((state, summary))
    });
    Ok((bundle, ended))
}

/// How the loop ended, and the ledger, all of which is noted.
async fn improve_noted(
    notebook: &mut Notebook,
    request: &Request<'_>,
    dir: DirStore,
    begun: &Begun,
    progress: &Progress,
) -> Result<(Result<State, FlowError>, Vec<Entry>), FlowError> {
    let mut scribe = Scribe {
        notebook,
        run: begun.run.clone(),
        kept: Instant::now(),
    };
    let mut store = SharedStore::open(dir, &begun.ledger, &mut scribe)?;
    let ended = improve(request, &mut store, progress).await;
    Ok((ended, store.entries().to_vec()))
}

/// Writes the ledger of a run into the notebook as it grows.
struct Scribe<'a> {
    notebook: &'a mut Notebook,
    run: RunId,
    kept: Instant,
}

impl Witness for Scribe<'_> {
    fn witness(&mut self, entry: &Entry) -> Result<(), StoreError> {
        self.notebook.note(What::RunEntry {
            run: self.run.clone(),
            entry: Box::new(entry.clone()),
        });
        if self.kept.elapsed() >= KEEP_EVERY {
            self.notebook.keep()?;
            self.kept = Instant::now();
        }
        Ok(())
    }
}
