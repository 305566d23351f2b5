//! Looks after sprag's own pull requests: what people merged or closed, and why.

use super::{Hub, Notebook, Report};
use crate::flow::FlowError;
use sprag_core::book::PullState;
use sprag_core::command;
use sprag_core::fact::What;
use sprag_core::github::{Permission, Pull};
use sprag_core::render::markdown;

/// Notes what became of the pull requests that were open, and closes those that a person rejected with a command.
pub(super) async fn settle(hub: &Hub<'_>, notebook: &mut Notebook, report: &mut Report) -> Result<(), FlowError> {
    let open = notebook
        .book()
        .pulls
        .iter()
        .filter(|(_, pull)| pull.state == PullState::Open);
    let open: Vec<(u64, bool)> = open.map(|(number, pull)| (*number, !pull.reasons.is_empty())).collect();
    for (number, rejected) in open {
        let mut pull = hub.forge.pull(number).await?;
        if pull.open && rejected {
            hub.forge.close_pull(number).await?;
            pull = hub.forge.pull(number).await?;
        }
        if pull.open {
            continue;
        }
        let reason = if pull.merged || rejected {
            None
        } else {
            reason(hub, number).await?
        };
        notebook.note(What::PullSettled {
            pull: number,
            settled_at: settled_at(&pull).unwrap_or_else(|| notebook.now()),
            merged: pull.merged.then(|| pull.merge_sha.clone().unwrap_or_default()),
            reason,
        });
        report.settled += 1;
    }
    Ok(notebook.keep()?)
}

fn settled_at(pull: &Pull) -> Option<String> {
    pull.merged_at.clone().or_else(|| pull.closed_at.clone())
}

/// The last thing that somebody with write access wrote below a pull request that was closed.
async fn reason(hub: &Hub<'_>, number: u64) -> Result<Option<String>, FlowError> {
    let mut comments = hub.forge.comments_of(number).await?;
    while let Some(comment) = comments.pop() {
        if comment.author.bot || markdown::is_ours(&comment.body) || !command::parse(&comment.body).is_empty() {
            continue;
        }
        if hub.forge.permission(&comment.author.login).await? >= Permission::Write {
            return Ok(Some(markdown::truncate(comment.body.trim(), 500)));
        }
    }
    Ok(None)
}
