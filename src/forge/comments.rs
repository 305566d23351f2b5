//! Comments on issues and pull requests, and the one that sprag keeps on each.

use super::issues::{if_there, same};
use super::wire::CommentWire;
use super::{Forge, ForgeError, endpoint};
use serde::de::IgnoredAny;
use serde_json::json;
use sprag_core::github::Comment;
use sprag_core::render::markdown::Markdown;

impl Forge {
    /// All comments in the repository by their last update; since a time in RFC 3339, inclusively.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn comments(&self, since: Option<&str>) -> Result<Vec<Comment>, ForgeError> {
        let call = self
            .call(endpoint::COMMENTS, &[])
            .query("sort", "updated")
            .query("direction", "asc")
            .query_if("since", since);
        let comments: Vec<CommentWire> = self.list_by_update(&call, CommentWire::stamp).await?;
        Ok(comments.into_iter().map(Comment::from).collect())
    }

    /// All comments on an issue or pull request, oldest first.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn comments_of(&self, issue: u64) -> Result<Vec<Comment>, ForgeError> {
        let call = self.call(endpoint::COMMENTS_OF, &[&issue]);
        let comments = self.list::<Vec<CommentWire>>(&call, |_| false).await?;
        Ok(comments.into_iter().map(Comment::from).collect())
    }

    /// The one comment of ours that has the hidden marker: created, updated where it differs, or left. Further ones, of runs that raced, are
    /// deleted; the oldest stays. What others wrote never counts, whatever it holds.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn keep_comment(&self, issue: u64, marker: &str, body: &Markdown) -> Result<Comment, ForgeError> {
        let mut turn = self.turn().await;
        let me = self.myself().await?.id;
        let create = self.call(endpoint::NEW_COMMENT, &[&issue]).body(json!({"body": body}));
        let mut patience = self.patience();
        loop {
            let mut ours = self.comments_of(issue).await?;
            ours.retain(|comment| comment.author.id == me && comment.body.contains(marker));
            ours.sort_by_key(|comment| comment.id);
            let mut ours = ours.into_iter();
            if let Some(kept) = ours.next() {
                for surplus in ours {
                    let delete = self.call(endpoint::DELETE_COMMENT, &[&surplus.id]);
                    if_there(self.change::<IgnoredAny>(&mut turn, &delete).await)?;
                }
                if same(&kept.body, body) {
                    return Ok(kept);
                }
                let change = self
                    .call(endpoint::CHANGE_COMMENT, &[&kept.id])
                    .body(json!({"body": body}));
                let comment: CommentWire = self.change(&mut turn, &change).await?;
                return Ok(comment.into());
            }
            match self.change_once::<CommentWire>(&mut turn, &create).await {
                Ok(comment) => return Ok(comment.into()),
                Err(error) => patience.after(error).await?,
            }
        }
    }
}
