//! The level-triggered half of sprag on GitHub: compares what GitHub shows with what is known, notes what is new, and brings every
//! comment, label, issue and pull request to what the book says it should be. Events are only hints; doing all of it again is harmless.

mod answers;
mod artifacts;
mod commands;
mod notebook;
mod pulls;
mod signals;

pub(crate) use answers::ISSUES_PER_JOB;
pub use commands::press;
pub use notebook::Notebook;

use super::FlowError;
use super::advise::{self, Advisor};
use crate::forge::{ErrorClass, Forge};
use crate::progress::Progress;
use crate::workspace::Remote;
use sprag_core::case::EvalCase;
use sprag_core::config::Config;
use sprag_core::curation;
use sprag_core::fact::What;
use sprag_core::id::TaskId;
use sprag_core::mine::text::counted;
use sprag_core::redact::Redactor;
use sprag_core::render::labels::FAILURE;
use sprag_core::signal::Place;
use std::fmt;
use std::path::Path;

/// What a job on GitHub works with.
#[derive(Debug)]
pub struct Hub<'a> {
    /// The repository on GitHub.
    pub forge: &'a Forge,
    /// The checked `sprag.toml`.
    pub config: &'a Config,
    /// Where the repository is, to tell its own links from others.
    pub place: Place,
    /// A folder for what is downloaded.
    pub scratch: &'a Path,
    /// The runner's train tasks, as far as they are known: an issue may name one.
    pub tasks: Vec<TaskId>,
    /// The regression suite on the default branch.
    pub suite: Vec<EvalCase>,
    /// The repository for git.
    pub git_url: String,
    /// Says why runs failed, beside the rules, and what to change of clusters.
    pub advisor: Option<&'a Advisor>,
}

impl Hub<'_> {
    /// Takes the secrets out of what comes in.
    pub(crate) fn redactor(&self) -> Redactor {
        Redactor::new(&self.config.redact)
    }

    /// The repository for git, with a token that is good for the next minutes.
    pub async fn remote(&self) -> Result<Remote, FlowError> {
        Ok(Remote {
            url: self.git_url.clone(),
            token: Some(self.forge.token().await?),
        })
    }
}

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Issues that were read anew.
    pub issues: usize,
    /// Artifacts that were read.
    pub artifacts: usize,
    /// Failures in both.
    pub failures: usize,
    /// Comments with commands.
    pub commands: usize,
    /// Pull requests of sprag's that people merged or closed.
    pub settled: usize,
    /// Comments, labels, issues and replies that were written or changed.
    pub answered: usize,
    /// Those that the next job has to see to.
    pub left: usize,
    /// Requests that all of it took.
    pub requests: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = counted;
        write!(
            f,
            "read {} and {} anew ({}), heard {}, {} settled, {} brought up to date{}; {}",
            count(self.issues, "issue"),
            count(self.artifacts, "artifact"),
            count(self.failures, "failure"),
            count(self.commands, "command"),
            count(self.settled, "pull request"),
            count(self.answered, "thing"),
            match self.left {
                0 => String::new(),
                left => format!(", {left} left for the next job"),
            },
            count(self.requests, "request")
        )
    }
}

/// Brings sprag up to date with GitHub, and GitHub with sprag.
pub async fn sync(hub: &Hub<'_>, notebook: &mut Notebook, progress: &Progress) -> Result<Report, FlowError> {
    let before = hub.forge.requests();
    let mut report = Report::default();
    keep_labels(hub).await?;
    commands::hear(hub, notebook, &mut report).await?;
    let seen = signals::issues(hub, notebook, &mut report, progress).await?;
    artifacts::artifacts(hub, notebook, &mut report, progress).await?;
    let book = notebook.book();
    // Without new failures a model would only be asked again what it has answered.
    let advisor = hub.advisor.filter(|_| report.failures > 0);
    let revisions = advise::revisions(advisor, &book.clusters, &book.records).await?;
    if !revisions.is_empty() {
        notebook.note(What::ClustersRevised { revisions });
    }
    if let Some(advisor) = advisor {
        curate(hub, notebook, advisor).await?;
    }
    pulls::settle(hub, notebook, &mut report).await?;
    answers::give(hub, notebook, &mut report, &seen, progress).await?;
    report.requests = usize::try_from(hub.forge.requests() - before).unwrap_or(usize::MAX);
    Ok(report)
}

/// Asks a model what becomes of the clusters that nobody has decided about.
async fn curate(hub: &Hub<'_>, notebook: &mut Notebook, advisor: &Advisor) -> Result<(), FlowError> {
    let book = notebook.book();
    let curations = advisor
        .curations(&book.clusters, &book.records, &book.curations)
        .await?;
    let revisions = curation::merges(hub.config.review, &curations);
    if !curations.is_empty() {
        notebook.note(What::Curated { curations });
    }
    if !revisions.is_empty() {
        notebook.note(What::ClustersRevised { revisions });
    }
    Ok(())
}

/// Makes the labels that report failures: GitHub drops the label of an issue form without a word where the repository has none of that name.
async fn keep_labels(hub: &Hub<'_>) -> Result<(), FlowError> {
    for name in &hub.config.signals.issue_labels {
        let kept = hub.forge.keep_label(name, FAILURE.color, FAILURE.description).await;
        match kept {
            Err(error) if matches!(error.class(), ErrorClass::Forbidden | ErrorClass::Invalid) => {
                tracing::warn!("the label {name} cannot be made: {error}");
            }
            kept => kept?,
        }
    }
    Ok(())
}

/// The second half of [`sync`] alone: brings the answers up to date after a run.
pub async fn answer(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    report: &mut Report,
    progress: &Progress,
) -> Result<(), FlowError> {
    answers::give(hub, notebook, report, &signals::Seen::new(), progress).await
}

/// A time some days earlier.
fn days_before(time: &str, days: i64) -> Option<String> {
    let time: jiff::Timestamp = time.parse().ok()?;
    Some(
        time.checked_sub(jiff::SignedDuration::from_hours(24 * days))
            .ok()?
            .to_string(),
    )
}
