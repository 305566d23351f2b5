//! Every endpoint the forge can call. A request is built from an entry of this table, so nothing else can be sent.

use super::call::Call;
use sprag_core::github::RepoName;
use std::fmt::{Display, Write as _};

/// Who a request speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// Nobody.
    Nobody,
    /// The app itself, by a JWT.
    App,
    /// The installation in this repository, or whoever the given token belongs to.
    Token,
}

/// A method and a path template, exactly as in GitHub's `OpenAPI` description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    method: &'static str,
    path: &'static str,
    speaker: Speaker,
}

impl Endpoint {
    /// `GET`, `POST`, …
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The path with its placeholders: `/repos/{owner}/{repo}/issues/{issue_number}`.
    pub fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn speaker(&self) -> Speaker {
        self.speaker
    }

    /// What is got outside the API, for errors to name. It cannot be called.
    pub(super) const fn outside(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            speaker: Speaker::Nobody,
        }
    }

    /// A request to it. `values` fill the placeholders behind `{owner}/{repo}`, in their order.
    pub(super) fn call(&self, repo: &RepoName, values: &[&(dyn Display + Sync)]) -> Call {
        let mut path = String::new();
        let mut values = values.iter();
        for part in self.path.split('/').skip(1) {
            path.push('/');
            match part {
                "{owner}" => path += &encode(&repo.owner),
                "{repo}" => path += &encode(&repo.name),
                part if part.starts_with('{') => {
                    let value = values.next().map(ToString::to_string).unwrap_or_default();
                    debug_assert!(!value.is_empty(), "{} has no value for {part}", self.path);
                    path += &encode(&value);
                }
                part => path += part,
            }
        }
        debug_assert!(values.next().is_none(), "{} has too many values", self.path);
        Call::new(*self, path)
    }
}

/// Percent-encodes whatever is not unreserved in a URL.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(encoded, "%{byte:02X}").ok();
        }
    }
    encoded
}

macro_rules! endpoints {
    ($($name:ident: $speaker:ident $method:literal $path:literal;)+) => {
        $(pub(super) const $name: Endpoint = Endpoint { method: $method, path: $path, speaker: Speaker::$speaker };)+

        /// Every endpoint the forge can call, in the order of their templates.
        pub const ENDPOINTS: &[Endpoint] = &[$($name),+];
    };
}

endpoints! {
    APP: App "GET" "/app";
    MANIFEST: Nobody "POST" "/app-manifests/{code}/conversions";
    INSTALLATION_TOKEN: App "POST" "/app/installations/{installation_id}/access_tokens";
    REPOSITORY: Token "GET" "/repos/{owner}/{repo}";
    ARTIFACTS: Token "GET" "/repos/{owner}/{repo}/actions/artifacts";
    ARTIFACT_ZIP: Token "GET" "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}";
    RUN: Token "GET" "/repos/{owner}/{repo}/actions/runs/{run_id}";
    ARTIFACTS_OF: Token "GET" "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts";
    RUNS_OF_WORKFLOW: Token "GET" "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs";
    BRANCH: Token "GET" "/repos/{owner}/{repo}/branches/{branch}";
    NEW_CHECK: Token "POST" "/repos/{owner}/{repo}/check-runs";
    CHANGE_CHECK: Token "PATCH" "/repos/{owner}/{repo}/check-runs/{check_run_id}";
    ANNOTATIONS: Token "GET" "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations";
    PERMISSION: Token "GET" "/repos/{owner}/{repo}/collaborators/{username}/permission";
    CHECKS_OF: Token "GET" "/repos/{owner}/{repo}/commits/{ref}/check-runs";
    INSTALLATION: App "GET" "/repos/{owner}/{repo}/installation";
    ISSUES: Token "GET" "/repos/{owner}/{repo}/issues";
    NEW_ISSUE: Token "POST" "/repos/{owner}/{repo}/issues";
    COMMENTS: Token "GET" "/repos/{owner}/{repo}/issues/comments";
    CHANGE_COMMENT: Token "PATCH" "/repos/{owner}/{repo}/issues/comments/{comment_id}";
    DELETE_COMMENT: Token "DELETE" "/repos/{owner}/{repo}/issues/comments/{comment_id}";
    REACT: Token "POST" "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions";
    EVENTS: Token "GET" "/repos/{owner}/{repo}/issues/events";
    ISSUE: Token "GET" "/repos/{owner}/{repo}/issues/{issue_number}";
    CHANGE_ISSUE: Token "PATCH" "/repos/{owner}/{repo}/issues/{issue_number}";
    COMMENTS_OF: Token "GET" "/repos/{owner}/{repo}/issues/{issue_number}/comments";
    NEW_COMMENT: Token "POST" "/repos/{owner}/{repo}/issues/{issue_number}/comments";
    EVENTS_OF: Token "GET" "/repos/{owner}/{repo}/issues/{issue_number}/events";
    ADD_LABELS: Token "POST" "/repos/{owner}/{repo}/issues/{issue_number}/labels";
    REMOVE_LABEL: Token "DELETE" "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}";
    LABELS: Token "GET" "/repos/{owner}/{repo}/labels";
    NEW_LABEL: Token "POST" "/repos/{owner}/{repo}/labels";
    LABEL: Token "GET" "/repos/{owner}/{repo}/labels/{name}";
    PULLS: Token "GET" "/repos/{owner}/{repo}/pulls";
    NEW_PULL: Token "POST" "/repos/{owner}/{repo}/pulls";
    PULL: Token "GET" "/repos/{owner}/{repo}/pulls/{pull_number}";
    CHANGE_PULL: Token "PATCH" "/repos/{owner}/{repo}/pulls/{pull_number}";
    COMPARE: Token "GET" "/repos/{owner}/{repo}/compare/{basehead}";
    MYSELF: Token "GET" "/user";
    USER: Token "GET" "/users/{username}";
}
