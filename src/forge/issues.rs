//! Issues: read, created, changed; and the one that sprag keeps, the dashboard.

use super::error::{ErrorClass, ForgeError};
use super::send::Turn;
use super::wire::IssueWire;
use super::{Forge, endpoint};
use serde::Serialize;
use serde_json::json;
use sprag_core::github::Issue;
use sprag_core::render::markdown::Markdown;

/// What to change of an issue; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueChange {
    /// The title.
    pub title: Option<String>,
    /// The text, Markdown.
    pub body: Option<Markdown>,
    /// Open or closed.
    pub open: Option<bool>,
    /// Why it is opened or closed.
    pub state_reason: Option<StateReason>,
}

/// Why an issue is opened or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateReason {
    /// It is done.
    Completed,
    /// It will not be done.
    NotPlanned,
    /// It is open again.
    Reopened,
}

impl Forge {
    /// All issues with a label, open and closed, by their last update; since a time in RFC 3339, inclusively. Pull requests are among them, marked.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn issues(&self, label: &str, since: Option<&str>) -> Result<Vec<Issue>, ForgeError> {
        let call = self
            .call(endpoint::ISSUES, &[])
            .query("labels", label)
            .query("state", "all")
            .query("sort", "updated")
            .query("direction", "asc")
            .query_if("since", since);
        let issues: Vec<IssueWire> = self.list_by_update(&call, IssueWire::stamp).await?;
        Ok(issues.into_iter().map(Issue::from).collect())
    }

    /// One issue.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn issue(&self, number: u64) -> Result<Issue, ForgeError> {
        let issue: IssueWire = self.read(&self.call(endpoint::ISSUE, &[&number])).await?;
        Ok(issue.into())
    }

    /// Opens an issue. When it is unknown whether GitHub did, it is looked for among the newer ones of ours.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn create_issue(&self, title: &str, body: &Markdown, labels: &[&str]) -> Result<Issue, ForgeError> {
        let mut turn = self.turn().await;
        let newest = self.newest_issues().await?.first().map_or(0, |issue| issue.number);
        let me = self.myself().await?.id;
        let ours = |issue: &Issue| {
            issue.number > newest && issue.author.id == me && same(&issue.title, title) && same(&issue.body, body)
        };
        let call = self
            .call(endpoint::NEW_ISSUE, &[])
            .body(json!({"title": title, "body": body, "labels": labels}));
        let mut patience = self.patience();
        loop {
            match self.change_once::<IssueWire>(&mut turn, &call).await {
                Ok(issue) => return Ok(issue.into()),
                Err(error) => patience.after(error).await?,
            }
            if let Some(issue) = self.newest_issues().await?.into_iter().find(ours) {
                return Ok(issue);
            }
        }
    }

    /// Changes an issue.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn update_issue(&self, number: u64, change: &IssueChange) -> Result<Issue, ForgeError> {
        self.update_in_turn(&mut self.turn().await, number, change).await
    }

    /// The one issue of ours with this label and the hidden marker: created, updated where title or text differ, or left. Whether it is open is
    /// left to people. Further ones, of runs that raced, are closed; the oldest stays.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn keep_issue(
        &self,
        marker: &str,
        label: &str,
        title: &str,
        body: &Markdown,
    ) -> Result<Issue, ForgeError> {
        let mut turn = self.turn().await;
        let me = self.myself().await?.id;
        let call = self
            .call(endpoint::NEW_ISSUE, &[])
            .body(json!({"title": title, "body": body, "labels": [label]}));
        let mut patience = self.patience();
        loop {
            let mut ours = self.ours(me, marker, label).await?.into_iter();
            if let Some(kept) = ours.next() {
                for surplus in ours.filter(|issue| issue.open) {
                    let close = IssueChange {
                        open: Some(false),
                        state_reason: Some(StateReason::NotPlanned),
                        ..IssueChange::default()
                    };
                    self.update_in_turn(&mut turn, surplus.number, &close).await?;
                }
                if same(&kept.title, title) && same(&kept.body, body) {
                    return Ok(kept);
                }
                let change = IssueChange {
                    title: Some(title.to_owned()),
                    body: Some(body.to_owned()),
                    ..IssueChange::default()
                };
                return self.update_in_turn(&mut turn, kept.number, &change).await;
            }
            match self.change_once::<IssueWire>(&mut turn, &call).await {
                Ok(issue) => return Ok(issue.into()),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// The issue that [`Self::keep_issue`] keeps, if it is there.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn kept_issue(&self, marker: &str, label: &str) -> Result<Option<Issue>, ForgeError> {
        let me = self.myself().await?.id;
        Ok(self.ours(me, marker, label).await?.into_iter().next())
    }

    /// Issues that we opened, with a label and a marker, the oldest first.
    async fn ours(&self, me: u64, marker: &str, label: &str) -> Result<Vec<Issue>, ForgeError> {
        let mut ours = self.issues(label, None).await?;
        ours.retain(|issue| !issue.pull && issue.author.id == me && issue.body.contains(marker));
        ours.sort_by_key(|issue| issue.number);
        Ok(ours)
    }

    async fn update_in_turn(
        &self,
        turn: &mut Turn<'_>,
        number: u64,
        change: &IssueChange,
    ) -> Result<Issue, ForgeError> {
        let mut body = serde_json::Map::new();
        let mut set = |key: &str, value: Option<serde_json::Value>| {
            if let Some(value) = value {
                body.insert(key.to_owned(), value);
            }
        };
        set("title", change.title.as_ref().map(|title| json!(title)));
        set("body", change.body.as_ref().map(|body| json!(body)));
        let state = |open| json!(if open { "open" } else { "closed" });
        set("state", change.open.map(state));
        set("state_reason", change.state_reason.map(|reason| json!(reason)));
        let call = self.call(endpoint::CHANGE_ISSUE, &[&number]).body(body.into());
        let issue: IssueWire = self.change(turn, &call).await?;
        Ok(issue.into())
    }

    /// The newest hundred issues.
    async fn newest_issues(&self) -> Result<Vec<Issue>, ForgeError> {
        let call = self
            .call(endpoint::ISSUES, &[])
            .query("state", "all")
            .query("sort", "created")
            .query("direction", "desc")
            .query("per_page", 100);
        let issues: Vec<IssueWire> = self.read(&call).await?;
        Ok(issues.into_iter().map(Issue::from).collect())
    }
}

/// Whether two texts are the same to GitHub, which changes line ends and drops white space at the end.
pub(super) fn same(left: &str, right: &str) -> bool {
    let lines = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    lines(left) == lines(right)
}

/// `None` for what is not there.
pub(super) fn if_there<T>(result: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
