//! `.sprag/learnings.md`: read for the proposers, and written with the changes that are accepted and beside the report.

use super::{FlowError, Request};
use fs_err as fs;
use sprag_core::harness::FileChange;
use sprag_core::id::ExperimentId;
use sprag_core::learnings::{FILE, Learning, Page, of_experiments};
use sprag_core::machine::State;
use std::io;
use std::path::PathBuf;

/// What a run is told of it: one that is begun anew in its folder goes on with the file that people may have edited there.
pub(super) fn told(request: &Request<'_>, learned: &[Learning]) -> Result<Vec<String>, FlowError> {
    let mut page = Page::read(beside(request)?.as_deref());
    page.learn(learned);
    Ok(page.told())
}

/// The file as it comes with an accepted change that stands on `base`; `None` when another pull request may change it, too.
pub(super) fn with_change(
    request: &Request<'_>,
    state: &State,
    id: &ExperimentId,
    base: &str,
) -> Result<Option<FileChange>, FlowError> {
    if state.plan.known.learnings_wait {
        return Ok(None);
    }
    let before = request.workspace.text_at(base, FILE)?;
    let at = state.experiments.iter().position(|one| one.id == *id);
    let so_far = &state.experiments[..at.map_or(0, |at| at + 1)];
    let mut page = Page::read(before.as_deref());
    page.learn(&state.plan.known.learnings);
    page.learn(&of_experiments(so_far, &state.clusters));
    Ok(Some(FileChange {
        path: FILE.to_owned(),
        text: Some(page.text()),
    }))
}

/// Writes what the whole run has learned into its folder.
pub(super) fn write(request: &Request<'_>, state: &State) -> Result<(), FlowError> {
    let learned = of_experiments(&state.experiments, &state.clusters);
    if learned.is_empty() {
        return Ok(());
    }
    let mut page = Page::read(beside(request)?.as_deref());
    page.learn(&state.plan.known.learnings);
    page.learn(&learned);
    Ok(fs::write(path(request), page.text())?)
}

/// The file in the folder of the run, else that of the project.
fn beside(request: &Request<'_>) -> Result<Option<String>, FlowError> {
    match fs::read_to_string(path(request)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(request.workspace.text_at("HEAD", FILE)?),
        Err(error) => Err(error.into()),
    }
}

fn path(request: &Request<'_>) -> PathBuf {
    request.out.join("learnings.md")
}
