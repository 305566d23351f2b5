//! Looks after sprag's own pull requests: what people merged or closed, and why.

use super::{Hub, Notebook, Report};
use crate::flow::FlowError;
use sprag_core::book::{Book, PullState};
use sprag_core::command;
use sprag_core::fact::What;
use sprag_core::github::{Permission, Pull};
use sprag_core::render::markdown;
use std::collections::BTreeMap;

/// Notes what became of the pull requests, closes those that a person rejected with a command, and has those that stand on a merged one
/// go to the default branch.
pub(super) async fn settle(hub: &Hub<'_>, notebook: &mut Notebook, report: &mut Report) -> Result<(), FlowError> {
    if notebook.book().pulls.is_empty() {
        return Ok(());
    }
    let default = hub.forge.repository().await?.default_branch;
    let open: BTreeMap<u64, Pull> = (hub.forge.open_pulls().await?.into_iter())
        .map(|pull| (pull.number, pull))
        .collect();
    // The oldest first: what others stand on is settled before them.
    let numbers: Vec<u64> = notebook.book().pulls.keys().copied().collect();
    for number in numbers {
        let entry = &notebook.book().pulls[&number];
        let rejected = !entry.reasons.is_empty();
        match (&entry.state, open.get(&number)) {
            (PullState::Merged { .. }, _) => {
                if let Some(revert) = entry.revert.filter(|revert| !open.contains_key(revert)) {
                    take_revert(hub, notebook, number, revert).await?;
                    report.settled += 1;
                }
            }
            (PullState::Closed { .. }, None) | (PullState::TakenBack { .. }, _) => {}
            (PullState::Closed { at }, Some(_)) => {
                let closed_at = at.clone();
                notebook.note(What::PullReopened {
                    pull: number,
                    closed_at,
                });
            }
            (PullState::Open, Some(_)) if rejected => {
                hub.forge.close_pull(number).await?;
                let pull = hub.forge.pull(number).await?;
                took(hub, notebook, &pull, &default, report).await?;
            }
            (PullState::Open, Some(pull)) => {
                if matches!(under(notebook.book(), &pull.base), Some(PullState::Merged { .. })) {
                    hub.forge.retarget_pull(number, &default).await?;
                }
            }
            (PullState::Open, None) => {
                let pull = hub.forge.pull(number).await?;
                took(hub, notebook, &pull, &default, report).await?;
            }
        }
    }
    Ok(notebook.keep()?)
}

/// Notes what people made of the offer to take a merged change back.
async fn take_revert(hub: &Hub<'_>, notebook: &mut Notebook, pull: u64, revert: u64) -> Result<(), FlowError> {
    let offer = hub.forge.pull(revert).await?;
    notebook.note(What::RevertSettled {
        pull,
        revert,
        taken_back: offer.merged,
        settled_at: settled_at(&offer).unwrap_or_else(|| notebook.now()),
    });
    Ok(())
}

/// Where the pull request stands whose branch this is, if it is one of ours.
fn under<'a>(book: &'a Book, branch: &str) -> Option<&'a PullState> {
    let mut newest_first = book.pulls.values().rev();
    newest_first.find(|pull| pull.branch == branch).map(|pull| &pull.state)
}

/// Notes how a pull request ended, unless it has not, or it depends on one that has not.
async fn took(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    pull: &Pull,
    default: &str,
    report: &mut Report,
) -> Result<(), FlowError> {
    if pull.open {
        return Ok(());
    }
    let mut settled_at = settled_at(pull).unwrap_or_else(|| notebook.now());
    let mut merged = pull.merged.then(|| pull.merge_sha.clone().unwrap_or_default());
    let mut reason = None;
    if pull.merged && pull.base != *default {
        match under(notebook.book(), &pull.base) {
            // It comes along when that one is merged.
            Some(PullState::Open) => return Ok(()),
            Some(PullState::Merged { sha, at }) if *at >= settled_at => {
                merged = Some(sha.clone());
                settled_at.clone_from(at);
            }
            _ => {
                merged = None;
                reason = Some(format!("It was merged into `{}`, not into `{default}`.", pull.base));
            }
        }
    } else if !pull.merged && notebook.book().pulls[&pull.number].reasons.is_empty() {
        reason = last_word(hub, pull.number).await?;
    }
    notebook.note(What::PullSettled {
        pull: pull.number,
        settled_at,
        merged,
        reason,
    });
    report.settled += 1;
    Ok(())
}

fn settled_at(pull: &Pull) -> Option<String> {
    pull.merged_at.clone().or_else(|| pull.closed_at.clone())
}

/// The last thing that somebody with write access wrote below a pull request that was closed.
async fn last_word(hub: &Hub<'_>, number: u64) -> Result<Option<String>, FlowError> {
    let mut comments = hub.forge.comments_of(number).await?;
    while let Some(comment) = comments.pop() {
        if comment.author.bot || markdown::is_ours(&comment.body) || !command::parse(&comment.body).is_empty() {
            continue;
        }
        if hub.forge.permission_of(&comment.author).await? >= Permission::Write {
            let said = hub.redactor().text(comment.body.trim()).into_owned();
            return Ok(Some(markdown::truncate(&said, 500)));
        }
    }
    Ok(None)
}
