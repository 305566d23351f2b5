//! Where the commands that only look find what is known: on this machine, or on the state branch of a repository on GitHub.

use super::github::{self, GithubArgs};
use super::session::{self, now};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::store::{DirStore, FactFile};
use crate::workspace::Workspace;
use sprag_core::case::EvalCase;
use sprag_core::fact::{Decision, What};
use sprag_core::overview::Overview;
use std::path::{Path, PathBuf};

/// Where to look.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SourceArgs {
    /// The folder of `sprag run --local`, `sprag simulate` and `sprag ingest`
    #[arg(long, env = "SPRAG_OUT", default_value = "sprag-out", value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Look at the state branch of the repository on GitHub instead
    #[arg(long)]
    github: bool,
    #[command(flatten)]
    on_github: GithubArgs,
}

/// The facts of a project that is not on GitHub.
pub(super) fn facts_dir(out: &Path) -> PathBuf {
    out.join(".sprag/facts")
}

/// The ledger and the recorded runs of the run in a folder.
pub(super) fn state_dir(out: &Path) -> PathBuf {
    out.join(".sprag/state")
}

impl SourceArgs {
    /// Everything that is known there.
    pub(super) async fn overview(&self, job: &Job) -> Result<Overview, CommandError> {
        let suite = suite()?;
        if !self.github {
            return local(&self.out, &suite);
        }
        let forge = self.on_github.forge()?;
        let progress = session::progress(true);
        let notebook = self.on_github.notebook(&forge, &self.out, job, &progress).await?;
        Ok(Overview::of_book(notebook.book(), &suite))
    }

    /// Keeps what a person decided: for this folder, or for everybody on the state branch.
    pub(super) async fn decide(&self, job: &Job, decision: Decision) -> Result<(), CommandError> {
        let decisions = vec![decision];
        if self.github {
            let forge = self.on_github.forge()?;
            let progress = session::progress(true);
            let mut notebook = self.on_github.notebook(&forge, &self.out, job, &progress).await?;
            let by = forge.myself().await?.login;
            notebook.note(What::Decided { by, decisions });
            return Ok(notebook.keep()?);
        }
        let (mut facts, _) = FactFile::open(&facts_dir(&self.out))?;
        let by = std::env::var("USER").unwrap_or_default();
        facts.note(now(), What::Decided { by, decisions })?;
        Ok(())
    }
}

/// What is known on this machine.
pub(super) fn local(out: &Path, suite: &[EvalCase]) -> Result<Overview, CommandError> {
    let ledger = DirStore::ledger(&state_dir(out))?;
    let facts = FactFile::read(&facts_dir(out))?;
    Ok(Overview::local(&ledger, &facts, suite))
}

/// The regression suite of the project around this folder, if there is one.
pub(super) fn suite() -> Result<Vec<EvalCase>, CommandError> {
    match Workspace::open(Path::new(".")) {
        Ok(workspace) => github::suite(&workspace.files()?),
        Err(_) => Ok(Vec::new()),
    }
}

/// An id that a person gave and nothing has.
pub(super) fn unknown(problem: String, list: &str) -> CommandError {
    CommandError::new(
        Exit::Usage,
        problem,
        format!("`sprag {list}` lists the ids; the beginning of one is enough"),
    )
}
