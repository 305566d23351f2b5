//! Labels of the repository and of issues, and reactions to comments. GitHub itself makes these idempotent.

use super::error::{ErrorClass, ForgeError};
use super::issues::if_there;
use super::send::Turn;
use super::{Forge, endpoint};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use std::collections::BTreeSet;

/// A reaction to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// 👀: seen.
    Eyes,
    /// 👍: done.
    ThumbsUp,
    /// 👎: refused.
    ThumbsDown,
}

#[derive(Debug, Deserialize)]
struct Label {
    name: String,
}

impl Forge {
    /// The names of all labels of the repository.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn labels(&self) -> Result<Vec<String>, ForgeError> {
        let call = self.call(endpoint::LABELS, &[]);
        let labels = self.list::<Vec<Label>>(&call, |_| false).await?;
        Ok(labels.into_iter().map(|label| label.name).collect())
    }

    fn labels_there(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        let labels = self.inner.labels.lock();
        labels.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Makes sure, once for each, that the repository has a label. One that exists keeps its colour (six hexadecimal digits) and description.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn keep_label(&self, name: &str, color: &str, description: &str) -> Result<(), ForgeError> {
        let mut turn = self.turn().await;
        let label = self.call(endpoint::LABEL, &[&name]);
        let known = self.labels_there().contains(name);
        if known || if_there(self.read::<IgnoredAny>(&label).await)?.is_some() {
            self.labels_there().insert(name.to_owned());
            return Ok(());
        }
        let create = self
            .call(endpoint::NEW_LABEL, &[])
            .body(json!({"name": name, "color": color, "description": description}));
        match self.change::<IgnoredAny>(&mut turn, &create).await {
            // Somebody else was faster, or an earlier try of ours was heard after all.
            Err(ForgeError::Refused(refusal))
                if refusal.class == ErrorClass::Invalid && refusal.message.contains("already_exists") =>
            {
                Ok(())
            }
            created => created.map(|_| ()),
        }
        .map(|()| {
            self.labels_there().insert(name.to_owned());
        })
    }

    /// Puts labels on an issue or pull request.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn add_labels(&self, issue: u64, labels: &[&str]) -> Result<(), ForgeError> {
        self.add_labels_in_turn(&mut self.turn().await, issue, labels).await
    }

    pub(super) async fn add_labels_in_turn(
        &self,
        turn: &mut Turn<'_>,
        issue: u64,
        labels: &[&str],
    ) -> Result<(), ForgeError> {
        if labels.is_empty() {
            return Ok(());
        }
        let call = self
            .call(endpoint::ADD_LABELS, &[&issue])
            .body(json!({"labels": labels}));
        self.change::<IgnoredAny>(turn, &call).await.map(|_| ())
    }

    /// Takes a label off an issue or pull request, if it is there.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn remove_label(&self, issue: u64, label: &str) -> Result<(), ForgeError> {
        let call = self.call(endpoint::REMOVE_LABEL, &[&issue, &label]);
        if_there(self.change::<IgnoredAny>(&mut self.turn().await, &call).await).map(|_| ())
    }

    /// Reacts to a comment.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn react(&self, comment: u64, content: Reaction) -> Result<(), ForgeError> {
        let content = match content {
            Reaction::Eyes => "eyes",
            Reaction::ThumbsUp => "+1",
            Reaction::ThumbsDown => "-1",
        };
        let call = self
            .call(endpoint::REACT, &[&comment])
            .body(json!({"content": content}));
        let mut turn = self.turn().await;
        self.change::<IgnoredAny>(&mut turn, &call).await.map(|_| ())
    }
}
