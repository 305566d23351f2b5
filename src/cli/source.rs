//! Where the commands that only look find what is known: on this machine, or on the state branch of a repository on GitHub.

use super::github::GithubArgs;
use super::session::{self, now};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::project::{self, ProjectFile};
use crate::store::{BranchStore, Damage, DirStore, FactFile};
use fs_err as fs;
use sprag_core::case::{EvalCase, SUITE};
use sprag_core::fact::{Decision, What};
use sprag_core::overview::Overview;
use sprag_core::score::Sealed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where to look.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SourceArgs {
    /// The folder of `sprag run --local`, `sprag simulate` and `sprag ingest`
    #[arg(
        long,
        env = "SPRAG_OUT",
        default_value = "sprag-out",
        value_name = "DIR",
        global = true
    )]
    pub(super) out: PathBuf,
    /// Look at the state branch of the repository on GitHub instead
    #[arg(long, global = true)]
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

    /// When the sealed test split was opened for each release, and what it said.
    pub(super) async fn opened(&self, job: &Job) -> Result<BTreeMap<String, (String, Sealed)>, CommandError> {
        if self.github {
            let forge = self.on_github.forge()?;
            let progress = session::progress(true);
            let notebook = self.on_github.notebook(&forge, &self.out, job, &progress).await?;
            return Ok(notebook.book().opened.clone());
        }
        let (facts, problem) = FactFile::read(&facts_dir(&self.out))?;
        if let Some(problem) = problem {
            return Err(CommandError::new(
                Exit::Outside,
                format!("{problem}, so nobody can say whether the sealed test was opened"),
                "any command that writes there, such as `sprag ingest`, sets the damaged lines aside",
            ));
        }
        let mut opened = BTreeMap::new();
        for fact in facts {
            if let What::TestOpened { release, sealed, .. } = fact.what {
                opened.entry(release).or_insert((fact.at, sealed));
            }
        }
        Ok(opened)
    }

    /// Notes that the sealed test split was opened for a release.
    pub(super) async fn open(&self, job: &Job, release: &str, sealed: Sealed) -> Result<(), CommandError> {
        let release = release.to_owned();
        self.note(job, |by| What::TestOpened { release, by, sealed }).await
    }

    /// The state branch and what of it was damaged, if that is where to look.
    pub(super) async fn branch(&self, job: &Job) -> Result<Option<(BranchStore, Vec<Damage>)>, CommandError> {
        if !self.github {
            return Ok(None);
        }
        let forge = self.on_github.forge()?;
        self.on_github.branch(&forge, &self.out, job).await.map(Some)
    }

    /// Keeps what a person decided: for this folder, or for everybody on the state branch.
    pub(super) async fn decide(&self, job: &Job, decision: Decision) -> Result<(), CommandError> {
        let decisions = vec![decision];
        self.note(job, |by| What::Decided { by, decisions }).await
    }

    /// Notes what a person did, with their name.
    async fn note(&self, job: &Job, what: impl FnOnce(String) -> What) -> Result<(), CommandError> {
        if self.github {
            let forge = self.on_github.forge()?;
            let progress = session::progress(true);
            let mut notebook = self.on_github.notebook(&forge, &self.out, job, &progress).await?;
            let by = forge.myself().await?.login;
            notebook.note(what(by));
            return Ok(notebook.keep()?);
        }
        let (mut facts, damage) = FactFile::open(&facts_dir(&self.out))?;
        session::tell_damage(&damage, &session::progress(false));
        let by = std::env::var("USER").unwrap_or_default();
        facts.note(now(), what(by))?;
        Ok(())
    }
}

/// What is known on this machine.
pub(super) fn local(out: &Path, suite: &[EvalCase]) -> Result<Overview, CommandError> {
    let ledger = DirStore::ledger(&state_dir(out))?;
    let (facts, problem) = FactFile::read(&facts_dir(out))?;
    if let Some(problem) = problem {
        session::progress(false).line(&format!("warning: {problem}; the rest is used"));
    }
    let mut overview = Overview::local(&ledger, facts, suite);
    // Before the first run, the configuration says who confirms what is new.
    if ledger.is_empty()
        && let Some(config) = super::ingest::config(None)?
    {
        overview.review = config.review;
    }
    Ok(overview)
}

/// What to say where more was read and decided since the run in a folder began than it was told.
pub(super) fn left_out(out: &Path) -> Result<Option<String>, CommandError> {
    let ledger = DirStore::ledger(&state_dir(out))?;
    let Some(began) = ledger.first().map(|entry| entry.at.clone()) else {
        return Ok(None);
    };
    let (facts, _) = FactFile::read(&facts_dir(out))?;
    let later = facts.iter().filter(|fact| fact.at > began).count();
    let state = state_dir(out);
    Ok((later > 0).then(|| {
        format!(
            "note: this run began before the last {later} of what was read and decided here, and does not know of them; to begin the next one, which will, move {} away",
            state.display()
        )
    }))
}

/// The regression suite as it stands in this folder.
pub(super) fn suite() -> Result<Vec<EvalCase>, CommandError> {
    let folder = Path::new(SUITE);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(ProjectFile {
                path: format!("{SUITE}{}", entry.file_name().to_string_lossy()),
                bytes: fs::read(entry.path())?,
                executable: false,
            });
        }
    }
    Ok(project::suite(&files)?)
}

/// An id that a person gave and nothing has.
pub(super) fn unknown(problem: String, list: &str) -> CommandError {
    CommandError::new(
        Exit::Usage,
        problem,
        format!("`sprag {list}` lists the ids; the beginning of one is enough"),
    )
}
