//! GitHub's answers, as far as they are used, and what the core calls them. Fields may be null wherever GitHub has seen a user, fork or text disappear.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sprag_core::github::{Actor, Artifact, CheckRunSeen, Comment, Issue, LabelEvent, Pull, WorkflowRun};

/// The user that GitHub shows in place of one who is gone.
fn ghost() -> Actor {
    Actor {
        id: 10137,
        login: "ghost".to_owned(),
        bot: false,
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct UserWire {
    pub(super) id: u64,
    pub(super) login: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

impl From<UserWire> for Actor {
    fn from(user: UserWire) -> Self {
        Self {
            id: user.id,
            bot: user.kind.as_deref() == Some("Bot"),
            login: user.login,
        }
    }
}

fn actor(user: Option<UserWire>) -> Actor {
    user.map_or_else(ghost, Actor::from)
}

/// A label is an object, or in very old answers just its name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum LabelWire {
    Object { name: Option<String> },
    Name(String),
}

fn names(labels: Vec<LabelWire>) -> Vec<String> {
    let name = |label| match label {
        LabelWire::Object { name } => name,
        LabelWire::Name(name) => Some(name),
    };
    labels.into_iter().filter_map(name).collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct IssueWire {
    number: u64,
    title: String,
    body: Option<String>,
    state: String,
    labels: Vec<LabelWire>,
    user: Option<UserWire>,
    created_at: String,
    updated_at: String,
    closed_at: Option<String>,
    pull_request: Option<serde::de::IgnoredAny>,
}

impl IssueWire {
    /// Its number, and when it was updated last.
    pub(super) fn stamp(&self) -> (u64, &str) {
        (self.number, &self.updated_at)
    }
}

impl From<IssueWire> for Issue {
    fn from(issue: IssueWire) -> Self {
        Self {
            number: issue.number,
            title: issue.title,
            body: issue.body.unwrap_or_default(),
            open: issue.state == "open",
            closed_at: issue.closed_at,
            labels: names(issue.labels),
            author: actor(issue.user),
            created_at: issue.created_at,
            updated_at: issue.updated_at,
            pull: issue.pull_request.is_some(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CommentWire {
    id: u64,
    issue_url: String,
    html_url: String,
    user: Option<UserWire>,
    body: Option<String>,
    created_at: String,
    updated_at: String,
}

impl CommentWire {
    /// Its id, and when it was updated last.
    pub(super) fn stamp(&self) -> (u64, &str) {
        (self.id, &self.updated_at)
    }
}

impl From<CommentWire> for Comment {
    fn from(comment: CommentWire) -> Self {
        let number = comment.issue_url.rsplit('/').next().and_then(|n| n.parse().ok());
        Self {
            id: comment.id,
            issue: number.unwrap_or_default(),
            on_pull: comment.html_url.contains("/pull/"),
            author: actor(comment.user),
            body: comment.body.unwrap_or_default(),
            created_at: comment.created_at,
            updated_at: comment.updated_at,
        }
    }
}

/// An event of an issue; only those of labels have one. The `issue` is missing in the list of one issue.
#[derive(Debug, Deserialize)]
pub(super) struct EventWire {
    pub(super) id: u64,
    event: String,
    actor: Option<UserWire>,
    label: Option<LabelWire>,
    issue: Option<NumberWire>,
    pub(super) created_at: String,
}

#[derive(Debug, Deserialize)]
struct NumberWire {
    number: u64,
}

impl EventWire {
    /// The event, if it is one of a label and of an issue that is still there.
    pub(super) fn of_label(self, issue: Option<u64>) -> Option<LabelEvent> {
        let added = match self.event.as_str() {
            "labeled" => true,
            "unlabeled" => false,
            _ => return None,
        };
        Some(LabelEvent {
            id: self.id,
            issue: issue.or(self.issue.map(|issue| issue.number))?,
            actor: actor(self.actor),
            label: names(self.label.into_iter().collect()).pop()?,
            added,
            at: self.created_at,
        })
    }
}

#[derive(Debug, Deserialize)]
struct IdWire {
    id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunWire {
    pub(super) id: u64,
    path: String,
    head_sha: String,
    conclusion: Option<String>,
    pub(super) created_at: String,
    html_url: String,
    repository: IdWire,
    head_repository: Option<IdWire>,
}

impl From<RunWire> for WorkflowRun {
    fn from(run: RunWire) -> Self {
        Self {
            id: run.id,
            // Behind `@` stands the branch of the workflow file, for some kinds of workflows.
            workflow: run.path.split('@').next().unwrap_or_default().to_owned(),
            head_sha: run.head_sha,
            // A repository that is gone was not this one.
            from_fork: run.head_repository.is_none_or(|head| head.id != run.repository.id),
            conclusion: run.conclusion,
            created_at: run.created_at,
            url: run.html_url,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ArtifactWire {
    pub(super) id: u64,
    name: String,
    size_in_bytes: u64,
    expired: bool,
    created_at: Option<String>,
    workflow_run: Option<RunIdWire>,
}

#[derive(Debug, Deserialize)]
struct RunIdWire {
    id: Option<u64>,
}

impl From<ArtifactWire> for Artifact {
    fn from(artifact: ArtifactWire) -> Self {
        Self {
            id: artifact.id,
            name: artifact.name,
            size: artifact.size_in_bytes,
            expired: artifact.expired,
            created_at: artifact.created_at.unwrap_or_default(),
            run: artifact.workflow_run.and_then(|run| run.id),
        }
    }
}

#[derive(Debug, Deserialize)]
struct EndWire {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
    repo: Option<EndRepoWire>,
}

#[derive(Debug, Deserialize)]
struct EndRepoWire {
    id: u64,
    pushed_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PullWire {
    number: u64,
    title: String,
    body: Option<String>,
    state: String,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    labels: Vec<LabelWire>,
    head: EndWire,
    base: EndWire,
    merge_commit_sha: Option<String>,
    merged_at: Option<String>,
    closed_at: Option<String>,
    user: Option<UserWire>,
}

impl PullWire {
    /// The pull request, and the names of its labels.
    pub(super) fn split(mut self) -> (Pull, Vec<String>) {
        let labels = names(std::mem::take(&mut self.labels));
        (self.into(), labels)
    }
}

impl From<PullWire> for Pull {
    fn from(pull: PullWire) -> Self {
        // A fork that is gone is null.
        let from_fork = match (&pull.head.repo, &pull.base.repo) {
            (Some(head), Some(base)) => head.id != base.id,
            _ => true,
        };
        Self {
            number: pull.number,
            title: pull.title,
            body: pull.body.unwrap_or_default(),
            open: pull.state == "open",
            merged: pull.merged_at.is_some(),
            draft: pull.draft.unwrap_or_default(),
            head: pull.head.branch,
            head_sha: pull.head.sha,
            base: pull.base.branch,
            base_sha: pull.base.sha,
            // Before the merge it is the commit of a trial merge.
            merge_sha: pull.merge_commit_sha.filter(|_| pull.merged_at.is_some()),
            merged_at: pull.merged_at,
            closed_at: pull.closed_at,
            from_fork,
            pushed_at: pull.head.repo.and_then(|repo| repo.pushed_at),
            author: actor(pull.user),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckWire {
    pub(super) id: u64,
    name: String,
    external_id: Option<String>,
    head_sha: String,
    status: String,
    conclusion: Option<String>,
    pub(super) output: CheckOutputWire,
    pub(super) app: Option<SlugWire>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckOutputWire {
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    #[serde(default)]
    pub(super) annotations_count: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct SlugWire {
    pub(super) slug: Option<String>,
}

impl CheckWire {
    pub(super) fn seen(&self) -> CheckRunSeen {
        CheckRunSeen {
            id: self.id,
            name: self.name.clone(),
            external_id: self.external_id.clone().unwrap_or_default(),
            head_sha: self.head_sha.clone(),
            status: self.status.clone(),
            conclusion: self.conclusion.clone(),
        }
    }
}

/// Reads a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(text: D) -> Result<SecretString, D::Error> {
    String::deserialize(text).map(SecretString::from)
}

/// Reads a secret, or null.
pub(super) fn secret_if_any<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(text)?.map(SecretString::from))
}

/// Reads a time in RFC 3339.
pub(super) fn time<'de, D: Deserializer<'de>>(text: D) -> Result<Timestamp, D::Error> {
    String::deserialize(text)?.parse().map_err(D::Error::custom)
}
