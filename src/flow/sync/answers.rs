//! Brings everything that sprag shows on GitHub to what the book says it should be. What was brought there before, and has not changed
//! since, is not looked at; what is looked at is found by its marker first, so nothing is ever there twice.

use super::signals::Seen;
use super::{Hub, Notebook, Report, commands};
use crate::flow::FlowError;
use crate::forge::{ErrorClass, ForgeError, IssueChange, Reaction, StateReason};
use crate::progress::Progress;
use sprag_core::book::standing::{LEFT_CLOSED, thing_state};
use sprag_core::book::{Book, PullState};
use sprag_core::candidate::Proof;
use sprag_core::fact::{DASHBOARD, What};
use sprag_core::hash;
use sprag_core::render::labels::{self, Label};
use sprag_core::render::markdown::Markdown;
use sprag_core::render::{comment, dashboard, reply};
use std::collections::{BTreeMap, BTreeSet};

/// After so many answers, what was done is kept.
const KEEP_EVERY: usize = 50;
/// Issues that one job answers: GitHub takes 80 new things a minute and 500 an hour. The next job goes on.
pub(crate) const ISSUES_PER_JOB: usize = 200;

/// Something that should look so.
struct Wanted {
    /// Its name among the answered things.
    thing: String,
    /// What its look is told from others by.
    digest: String,
    act: Act,
}

enum Act {
    Comment {
        issue: u64,
        body: Markdown,
    },
    Label {
        issue: u64,
        label: Option<Label>,
    },
    Reply {
        on: u64,
        comment: u64,
        /// None for those who may not ask for anything here: they get a thumb.
        body: Option<Markdown>,
        refused: bool,
    },
    State {
        issue: u64,
        open: bool,
        /// When the pull request that closes it was merged.
        merged_at: String,
    },
    Dashboard {
        body: Markdown,
    },
}

/// Brings everything up to date. `seen` are the issues as this job has just seen them.
pub(super) async fn give(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    report: &mut Report,
    seen: &Seen,
    progress: &Progress,
) -> Result<(), FlowError> {
    let mut job = Job {
        hub,
        notebook,
        report,
        seen,
        refused: None,
        given: Vec::new(),
    };
    job.dashboard().await?;
    let wanted = wanted(job.notebook.book());
    let (now, later) = bounded(wanted);
    if !now.is_empty() {
        progress.phase(&format!("bringing {} answers up to date", now.len()));
    }
    job.report.left = later;
    for wanted in now {
        job.give(wanted).await?;
    }
    job.notebook.keep()?;
    // What another job did at the same moment may be there twice now. Whichever of us comes last sees both, and looks once more.
    for wanted in std::mem::take(&mut job.given) {
        if job.notebook.book().doubled.contains(&wanted.thing) {
            act(hub, seen, &wanted.act).await?;
        }
    }
    match job.refused {
        // What is refused once is a locked conversation; what is always refused is a permission that is missing.
        Some(error) if job.report.answered == 0 => Err(error.into()),
        _ => Ok(()),
    }
}

struct Job<'a, 'h> {
    hub: &'a Hub<'h>,
    notebook: &'a mut Notebook,
    report: &'a mut Report,
    seen: &'a Seen,
    refused: Option<ForgeError>,
    given: Vec<Wanted>,
}

impl Job<'_, '_> {
    /// The dashboard is what people look at first, and holds their boxes: they are read again right before it is written.
    async fn dashboard(&mut self) -> Result<(), FlowError> {
        if board(self.notebook.book(), self.hub).is_none() {
            return Ok(());
        }
        commands::boxes(self.hub, self.notebook).await?;
        match board(self.notebook.book(), self.hub) {
            Some(wanted) => self.give(wanted).await,
            None => Ok(()),
        }
    }

    async fn give(&mut self, wanted: Wanted) -> Result<(), FlowError> {
        let digest = match act(self.hub, self.seen, &wanted.act).await {
            Ok(instead) => instead.unwrap_or_else(|| wanted.digest.clone()),
            Err(error) => match error.class() {
                // It is gone, or GitHub will never take it: that must not keep everything else waiting.
                ErrorClass::NotFound | ErrorClass::Gone | ErrorClass::Invalid => {
                    tracing::warn!("the {} is left as it is: {error}", wanted.thing);
                    wanted.digest.clone()
                }
                ErrorClass::Forbidden => {
                    tracing::warn!("the {} is left for the next time: {error}", wanted.thing);
                    self.report.left += 1;
                    self.refused = Some(error);
                    return Ok(());
                }
                _ => return Err(error.into()),
            },
        };
        self.notebook.note(What::Answered {
            thing: wanted.thing.clone(),
            digest,
            by: self.notebook.job().to_owned(),
        });
        self.report.answered += 1;
        self.given.push(wanted);
        if self.report.answered.is_multiple_of(KEEP_EVERY) {
            self.notebook.keep()?;
        }
        Ok(())
    }
}

/// The dashboard, if it does not look as it should.
fn board(book: &Book, hub: &Hub<'_>) -> Option<Wanted> {
    // A repository in which nothing ever failed needs none.
    if book.issues.is_empty() && book.runs.is_empty() && book.artifacts.is_empty() {
        return None;
    }
    let body = dashboard::dashboard(book, &hub.suite, hub.config.review);
    let wanted = looks(DASHBOARD.to_owned(), Act::Dashboard { body });
    (book.answered.get(DASHBOARD) != Some(&wanted.digest)).then_some(wanted)
}

/// Everything else that does not look as it should, as far as is known; what people asked for first, then the newest issues.
fn wanted(book: &Book) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (&comment, command) in &book.commands {
        let body = (!command.reply.is_empty()).then(|| reply::reply_comment(comment, &command.reply));
        wanted.push(looks(
            format!("reply to {comment}"),
            Act::Reply {
                on: command.on,
                comment,
                body,
                refused: command.refused,
            },
        ));
    }
    // Many issues may have one pull request, and to tell what speaks for it a run is replayed.
    let mut proofs: BTreeMap<u64, Option<Proof>> = BTreeMap::new();
    for &issue in book.issues.keys().rev() {
        let Some(standing) = book.standing(issue) else { continue };
        if let Some(body) = comment::standing_comment(&standing, |pull| {
            proofs.entry(pull).or_insert_with(|| book.proof(pull)).clone()
        }) {
            wanted.push(looks(format!("comment on {issue}"), Act::Comment { issue, body }));
        }
        let label = labels::of(&standing);
        wanted.push(looks(format!("label of {issue}"), Act::Label { issue, label }));
        if let Some((open, why)) = book.should_be_open(issue) {
            let merged_at = merged_at(book, &why);
            wanted.push(Wanted {
                thing: thing_state(issue),
                digest: why,
                act: Act::State { issue, open, merged_at },
            });
        }
    }
    wanted.retain(|wanted| book.answered.get(&wanted.thing) != Some(&wanted.digest));
    wanted
}

/// When the pull request that words like `closed by #12` name was merged.
fn merged_at(book: &Book, why: &str) -> String {
    let number = why.rsplit('#').next().and_then(|number| number.parse().ok());
    let pull = number.and_then(|number: u64| book.pulls.get(&number));
    match pull.map(|pull| &pull.state) {
        Some(PullState::Merged { at, .. }) => at.clone(),
        _ => String::new(),
    }
}

/// As much as one job may do, and how much is left.
fn bounded(wanted: Vec<Wanted>) -> (Vec<Wanted>, usize) {
    let mut issues = BTreeSet::new();
    let total = wanted.len();
    let now: Vec<Wanted> = wanted
        .into_iter()
        .filter(|wanted| match wanted.act {
            Act::Comment { issue, .. } | Act::Label { issue, .. } | Act::State { issue, .. } => {
                issues.contains(&issue) || issues.len() < ISSUES_PER_JOB && issues.insert(issue)
            }
            Act::Reply { .. } | Act::Dashboard { .. } => true,
        })
        .collect();
    let left = total - now.len();
    (now, left)
}

fn looks(thing: String, act: Act) -> Wanted {
    let digest = match &act {
        Act::Comment { body, .. } | Act::Dashboard { body } => hash::of_text(body),
        Act::Reply { body, .. } => body.as_deref().map_or_else(|| "none".to_owned(), hash::of_text),
        Act::Label { label, .. } => label.map_or("none", |label| label.name).to_owned(),
        Act::State { open, .. } => open.to_string(),
    };
    Wanted { thing, digest, act }
}

/// Makes it look so. What comes back is noted instead of the digest: it was found to be something else.
async fn act(hub: &Hub<'_>, seen: &Seen, act: &Act) -> Result<Option<String>, ForgeError> {
    let forge = hub.forge;
    match act {
        Act::Comment { issue, body } => {
            forge.keep_comment(*issue, comment::MARKER, body).await?;
        }
        Act::Label { issue, label } => label_issue(hub, seen, *issue, *label).await?,
        Act::Reply {
            on,
            comment,
            body,
            refused,
        } => {
            if let Some(body) = body {
                forge.keep_comment(*on, &reply::reply_marker(*comment), body).await?;
            }
            let reaction = if *refused {
                Reaction::ThumbsDown
            } else {
                Reaction::ThumbsUp
            };
            forge.react(*comment, reaction).await?;
        }
        Act::State { issue, open, merged_at } => {
            let now = forge.issue(*issue).await?;
            // The merge itself closes what the pull request names; what was closed before, a person closed.
            if !now.open && now.closed_at.is_some_and(|closed| closed < *merged_at) {
                return Ok(Some(LEFT_CLOSED.to_owned()));
            }
            if now.open == *open {
                return Ok(None);
            }
            let reason = if *open {
                StateReason::Reopened
            } else {
                StateReason::Completed
            };
            let change = IssueChange {
                open: Some(*open),
                state_reason: Some(reason),
                ..IssueChange::default()
            };
            forge.update_issue(*issue, &change).await?;
        }
        Act::Dashboard { body } => {
            let label = labels::DASHBOARD;
            forge.keep_label(label.name, label.color, label.description).await?;
            forge
                .keep_issue(dashboard::MARKER, label.name, dashboard::TITLE, body)
                .await?;
        }
    }
    Ok(None)
}

async fn label_issue(hub: &Hub<'_>, seen: &Seen, issue: u64, label: Option<Label>) -> Result<(), ForgeError> {
    let forge = hub.forge;
    let asked;
    let has: &[String] = match seen.get(&issue) {
        Some(labels) => labels,
        None => {
            asked = forge.issue(issue).await?.labels;
            &asked
        }
    };
    for old in labels::STANDINGS {
        if has.iter().any(|name| name == old.name) && Some(old) != label {
            forge.remove_label(issue, old.name).await?;
        }
    }
    if let Some(label) = label.filter(|label| !has.iter().any(|name| name == label.name)) {
        forge.keep_label(label.name, label.color, label.description).await?;
        forge.add_labels(issue, &[label.name]).await?;
    }
    Ok(())
}
