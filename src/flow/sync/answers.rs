//! Brings everything that sprag shows on GitHub to what the book says it should be. What was brought there before, and has not changed
//! since, is not looked at; what is looked at is found by its marker first, so nothing is ever there twice.

use super::{Hub, Notebook, Report};
use crate::flow::FlowError;
use crate::forge::{ForgeError, IssueChange, Reaction, StateReason};
use crate::progress::Progress;
use sprag_core::book::Book;
use sprag_core::book::standing::thing_state;
use sprag_core::case::EvalCase;
use sprag_core::fact::What;
use sprag_core::hash;
use sprag_core::render::labels::{self, Label};
use sprag_core::render::{comment, dashboard, markdown};

/// The dashboard among the answered things.
pub(super) const DASHBOARD: &str = "dashboard";
/// After so many answers, what was done is kept.
const KEEP_EVERY: usize = 50;

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
        body: String,
    },
    Label {
        issue: u64,
        label: Option<Label>,
    },
    Reply {
        on: u64,
        comment: u64,
        body: String,
        refused: bool,
    },
    State {
        issue: u64,
        open: bool,
    },
    Dashboard {
        body: String,
    },
}

/// Brings everything up to date.
pub(super) async fn give(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    report: &mut Report,
    progress: &Progress,
) -> Result<(), FlowError> {
    let wanted = wanted(notebook.book(), &hub.suite);
    if !wanted.is_empty() {
        progress.phase(&format!("bringing {} answers up to date", wanted.len()));
    }
    for (n, wanted) in (1..).zip(&wanted) {
        act(hub, &wanted.act).await?;
        notebook.note(What::Answered {
            thing: wanted.thing.clone(),
            digest: wanted.digest.clone(),
            by: notebook.job().to_owned(),
        });
        report.answered += 1;
        if n % KEEP_EVERY == 0 {
            notebook.keep()?;
        }
    }
    notebook.keep()?;
    // What another job did at the same moment may be there twice now. Whichever of us comes last sees both, and looks once more.
    for wanted in &wanted {
        if notebook.book().doubled.contains(&wanted.thing) {
            act(hub, &wanted.act).await?;
        }
    }
    Ok(())
}

/// Everything that does not look as it should, as far as is known.
fn wanted(book: &Book, suite: &[EvalCase]) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (&comment, command) in &book.commands {
        let marker = markdown::marker("reply", &[("comment", &comment.to_string())]);
        wanted.push(looks(
            format!("reply to {comment}"),
            Act::Reply {
                on: command.on,
                comment,
                body: format!("{marker}\n\n{}\n", command.reply),
                refused: command.refused,
            },
        ));
    }
    for &issue in book.issues.keys() {
        let Some(standing) = book.standing(issue) else { continue };
        if let Some(body) = comment::standing_comment(&standing) {
            wanted.push(looks(format!("comment on {issue}"), Act::Comment { issue, body }));
        }
        let label = labels::of(&standing);
        wanted.push(looks(format!("label of {issue}"), Act::Label { issue, label }));
        if let Some((open, why)) = book.should_be_open(issue) {
            wanted.push(Wanted {
                thing: thing_state(issue),
                digest: why,
                act: Act::State { issue, open },
            });
        }
    }
    // A repository in which nothing ever failed needs no dashboard.
    if !book.issues.is_empty() || !book.runs.is_empty() || !book.artifacts.is_empty() {
        let body = dashboard::dashboard(book, suite);
        wanted.push(looks(DASHBOARD.to_owned(), Act::Dashboard { body }));
    }
    wanted.retain(|wanted| book.answered.get(&wanted.thing) != Some(&wanted.digest));
    wanted
}

fn looks(thing: String, act: Act) -> Wanted {
    let digest = match &act {
        Act::Comment { body, .. } | Act::Reply { body, .. } | Act::Dashboard { body } => hash::of_text(body),
        Act::Label { label, .. } => label.map_or("none", |label| label.name).to_owned(),
        Act::State { open, .. } => open.to_string(),
    };
    Wanted { thing, digest, act }
}

async fn act(hub: &Hub<'_>, act: &Act) -> Result<(), ForgeError> {
    let forge = hub.forge;
    match act {
        Act::Comment { issue, body } => {
            forge.keep_comment(*issue, comment::MARKER, body).await?;
        }
        Act::Label { issue, label } => {
            let has = forge.issue(*issue).await?.labels;
            for old in labels::STANDINGS {
                if has.iter().any(|name| name == old.name) && Some(old) != *label {
                    forge.remove_label(*issue, old.name).await?;
                }
            }
            if let Some(label) = label.filter(|label| !has.iter().any(|name| name == label.name)) {
                forge.keep_label(label.name, label.color, label.description).await?;
                forge.add_labels(*issue, &[label.name]).await?;
            }
        }
        Act::Reply {
            on,
            comment,
            body,
            refused,
        } => {
            let marker = markdown::marker("reply", &[("comment", &comment.to_string())]);
            forge.keep_comment(*on, &marker, body).await?;
            let reaction = if *refused {
                Reaction::ThumbsDown
            } else {
                Reaction::ThumbsUp
            };
            forge.react(*comment, reaction).await?;
        }
        Act::State { issue, open } => {
            let change = IssueChange {
                open: Some(*open),
                state_reason: Some(if *open {
                    StateReason::Reopened
                } else {
                    StateReason::Completed
                }),
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
    Ok(())
}
