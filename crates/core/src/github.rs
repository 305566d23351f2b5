//! What sprag reads of GitHub, as plain data: only the fields that a decision needs. The forge makes these out of GitHub's answers.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A repository's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepoName {
    /// The user or organisation.
    pub owner: String,
    /// The name below it.
    pub name: String,
}

impl RepoName {
    /// Reads `owner/name`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.chars().all(|c| c == '.')
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        (plain(owner) && plain(name)).then(|| Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Who did something. Decisions go by `id`: a login can be given to somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The numeric id, for life.
    pub id: u64,
    /// The name at the time.
    pub login: String,
    /// Whether it is an app or another machine.
    pub bot: bool,
}

/// What somebody may do in a repository, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Manage issues.
    Triage,
    /// Push.
    Write,
    /// Manage the repository.
    Maintain,
    /// Everything.
    Admin,
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text, Markdown; empty for none.
    pub body: String,
    /// Whether it is open.
    pub open: bool,
    /// When it was closed, RFC 3339.
    pub closed_at: Option<String>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Who opened it.
    pub author: Actor,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// Whether it is a pull request: GitHub lists those as issues too.
    pub pull: bool,
}

/// A comment on an issue or pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// The issue or pull request it is on.
    pub issue: u64,
    /// Whether that is a pull request.
    pub on_pull: bool,
    /// Who wrote it.
    pub author: Actor,
    /// Its text, Markdown.
    pub body: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; later than `created_at` when it was edited.
    pub updated_at: String,
}

/// Somebody put a label on an issue, or took it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEvent {
    /// Its id, growing with time.
    pub id: u64,
    /// The issue.
    pub issue: u64,
    /// Who did it.
    pub actor: Actor,
    /// The label's name.
    pub label: String,
    /// Put on, or taken off.
    pub added: bool,
    /// RFC 3339.
    pub at: String,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRun {
    /// Its id.
    pub id: u64,
    /// The path of its workflow file, such as `.github/workflows/nightly.yml`.
    pub workflow: String,
    /// The commit it ran on.
    pub head_sha: String,
    /// Whether the code it ran came from another repository.
    pub from_fork: bool,
    /// `success`, `failure`, …; `None` while it runs.
    pub conclusion: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// Its page.
    pub url: String,
}

/// An artifact of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Bytes of the zip.
    pub size: u64,
    /// Whether GitHub has deleted its content.
    pub expired: bool,
    /// RFC 3339.
    pub created_at: String,
    /// The run that made it.
    pub run: Option<u64>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text, Markdown; empty for none.
    pub body: String,
    /// Whether it is open.
    pub open: bool,
    /// Whether it was merged.
    pub merged: bool,
    /// Whether it is a draft.
    pub draft: bool,
    /// The branch with the change.
    pub head: String,
    /// Its newest commit.
    pub head_sha: String,
    /// The branch it is for.
    pub base: String,
    /// The newest commit of that branch, as the pull request knows it.
    pub base_sha: String,
    /// The commit by which it was merged.
    pub merge_sha: Option<String>,
    /// RFC 3339.
    pub merged_at: Option<String>,
    /// RFC 3339.
    pub closed_at: Option<String>,
    /// Whether its branch is in another repository.
    pub from_fork: bool,
    /// When something was pushed to that repository last, RFC 3339; `None` where nobody can push to it any more.
    pub pushed_at: Option<String>,
    /// Who opened it.
    pub author: Actor,
}

/// A check run on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRunSeen {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What its maker calls it.
    pub external_id: String,
    /// The commit.
    pub head_sha: String,
    /// `queued`, `in_progress`, `completed`, …
    pub status: String,
    /// `success`, `failure`, …; `None` while it is not completed.
    pub conclusion: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owner_and_name_are_a_repository() {
        assert_eq!(RepoName::parse("acme/shop-bot").unwrap().to_string(), "acme/shop-bot");
        for wrong in ["acme", "acme/", "/x", "a/b/c", "a b/c", "a/..", "a/b?x"] {
            assert_eq!(RepoName::parse(wrong), None, "{wrong}");
        }
    }
}
