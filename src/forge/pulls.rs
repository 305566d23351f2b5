//! Pull requests: read, and the one that sprag keeps for a branch.

use super::error::{ErrorClass, ForgeError};
use super::issues::same;
use super::send::Turn;
use super::wire::PullWire;
use super::{Forge, endpoint};
use serde_json::json;
use sprag_core::github::Pull;
use sprag_core::render::pull::PullRequest;

impl Forge {
    /// The pull requests from a branch of this repository, open and closed, newest first.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn pulls_from(&self, branch: &str) -> Result<Vec<Pull>, ForgeError> {
        let pulls = self.pulls_with_labels(branch).await?;
        Ok(pulls.into_iter().map(|(pull, _)| pull).collect())
    }

    /// A pull request.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        let pull: PullWire = self.read(&self.call(endpoint::PULL, &[&number])).await?;
        Ok(pull.into())
    }

    /// All open pull requests, newest first.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn open_pulls(&self) -> Result<Vec<Pull>, ForgeError> {
        let call = self.call(endpoint::PULLS, &[]).query("state", "open");
        let pulls = self.list::<Vec<PullWire>>(&call, |_| false).await?;
        Ok(pulls.into_iter().map(Pull::from).collect())
    }

    /// The open pull request of a branch: title, text and base are updated in place where they differ, else it is opened, as a draft where the
    /// repository has drafts. Missing labels are added; whether it is a draft is then left to people.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn keep_pull(&self, pull: &PullRequest) -> Result<Pull, ForgeError> {
        let mut turn = self.turn().await;
        let (kept, has) = self.open_or_update(&mut turn, pull).await?;
        let missing = pull.labels.iter().filter(|label| !has.contains(label));
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        self.add_labels_in_turn(&mut turn, kept.number, &missing).await?;
        Ok(kept)
    }

    /// Closes a pull request without merging it.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn close_pull(&self, number: u64) -> Result<(), ForgeError> {
        let call = self
            .call(endpoint::CHANGE_PULL, &[&number])
            .body(json!({"state": "closed"}));
        let mut turn = self.turn().await;
        self.change::<PullWire>(&mut turn, &call).await.map(|_| ())
    }

    /// Has a pull request go to another branch.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn retarget_pull(&self, number: u64, base: &str) -> Result<(), ForgeError> {
        let call = self.call(endpoint::CHANGE_PULL, &[&number]).body(json!({"base": base}));
        let mut turn = self.turn().await;
        self.change::<PullWire>(&mut turn, &call).await.map(|_| ())
    }

    async fn open_or_update(&self, turn: &mut Turn<'_>, pull: &PullRequest) -> Result<(Pull, Vec<String>), ForgeError> {
        let mut draft = pull.draft;
        let mut raced = false;
        let mut patience = self.patience();
        loop {
            let pulls = self.pulls_with_labels(&pull.head).await?;
            if let Some((open, labels)) = pulls.into_iter().find(|(open, _)| open.open) {
                if same(&open.title, &pull.title) && same(&open.body, &pull.body) && open.base == pull.base {
                    return Ok((open, labels));
                }
                let call = self.call(endpoint::CHANGE_PULL, &[&open.number]);
                let call = call.body(json!({"title": pull.title, "body": pull.body, "base": pull.base}));
                return Ok(self.change::<PullWire>(turn, &call).await?.split());
            }
            let call = self.call(endpoint::NEW_PULL, &[]).body(json!({
                "title": pull.title, "body": pull.body, "head": pull.head, "base": pull.base, "draft": draft
            }));
            match self.change_once::<PullWire>(turn, &call).await {
                Ok(opened) => return Ok(opened.split()),
                Err(ForgeError::Refused(refusal)) if refusal.class == ErrorClass::Invalid => {
                    let says = refusal.message.to_lowercase();
                    if draft && says.contains("draft") {
                        draft = false;
                    } else if !raced && says.contains("already exists") {
                        // Somebody else opened it between the look and the request: the next look sees it.
                        raced = true;
                    } else {
                        return Err(ForgeError::Refused(refusal));
                    }
                }
                Err(error) => patience.after(error).await?,
            }
        }
    }

    async fn pulls_with_labels(&self, branch: &str) -> Result<Vec<(Pull, Vec<String>)>, ForgeError> {
        let call = self
            .call(endpoint::PULLS, &[])
            .query("state", "all")
            .query("head", format!("{}:{branch}", self.inner.repo.owner))
            .query("sort", "created")
            .query("direction", "desc");
        let pulls = self.list::<Vec<PullWire>>(&call, |_| false).await?;
        // GitHub ignores a `head` that it does not understand, and lists everything.
        let pulls = pulls.into_iter().map(PullWire::split);
        Ok(pulls
            .filter(|(pull, _)| pull.head == branch && !pull.from_fork)
            .collect())
    }
}
