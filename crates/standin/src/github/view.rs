//! The JSON of GitHub's objects, with every field that its description requires.

use super::world::{Artifact, Check, Comment, Event, Issue, Label, Pull, Repo, Run, World};
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

/// Fields of a repository that hold an address below its own.
const ADDRESSES: &[&str] = &[
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];

/// How much of a repository is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Minimal,
    Usual,
    Full,
}

/// What all objects need: the world, and the root of the API as the request named it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) api: &'a str,
}

impl View<'_> {
    pub(super) fn user(&self, login: &str) -> Value {
        let Some(user) = self.world.users.get(login) else {
            return Value::Null;
        };
        let url = format!("{}/users/{}", self.api, user.login);
        let mut shown = json!({
            "login": user.login, "id": user.id, "node_id": format!("U_{}", user.id), "gravatar_id": "",
            "avatar_url": format!("{}/avatars/{}", self.world.web, user.id), "url": url.replace('[', "%5B").replace(']', "%5D"),
            "html_url": format!("{}/{}", self.world.web, user.login.replace("[bot]", "")),
            "type": if user.bot { "Bot" } else { "User" }, "site_admin": false, "user_view_type": "public",
        });
        for name in [
            "followers",
            "following",
            "gists",
            "starred",
            "subscriptions",
            "organizations",
            "repos",
            "events",
            "received_events",
        ] {
            let below = url.replace('[', "%5B").replace(']', "%5D");
            shown[format!("{name}_url")] = format!("{below}/{name}").into();
        }
        shown
    }

    pub(super) fn app(&self, id: u64) -> Value {
        let Some(app) = self.world.apps.iter().find(|app| app.id == id) else {
            return Value::Null;
        };
        json!({
            "id": app.id, "slug": app.slug, "node_id": format!("A_{}", app.id), "owner": self.user(self.world.users.keys().next().map_or("", String::as_str)),
            "name": app.slug, "description": "", "external_url": self.world.web, "html_url": format!("{}/apps/{}", self.world.web, app.slug),
            "created_at": app.created_at.to_string(), "updated_at": app.created_at.to_string(), "permissions": app.permissions, "events": [],
        })
    }

    pub(super) fn repo(&self, repo: &Repo, detail: Detail, role: Option<&str>) -> Value {
        let (owner, name) = repo.name.split_once('/').unwrap_or_default();
        let url = self.at(repo, "");
        let html = format!("{}/{}", self.world.web, repo.name);
        let mut shown = json!({
            "id": repo.id, "node_id": format!("R_{}", repo.id), "name": name, "full_name": repo.name, "private": repo.private,
            "owner": self.user(owner), "html_url": html, "description": null, "fork": false, "url": url,
        });
        for address in ADDRESSES {
            shown[format!("{address}_url")] = format!("{url}/{address}").into();
        }
        if detail == Detail::Minimal {
            return shown;
        }
        let open = repo.issues.iter().filter(|issue| issue.closed.is_none()).count();
        let time = repo.created_at.to_string();
        add(
            &mut shown,
            json!({
                "clone_url": format!("{html}.git"), "git_url": format!("{html}.git"), "ssh_url": format!("{html}.git"), "svn_url": html,
                "default_branch": repo.git.default_branch(), "forks": 0, "forks_count": 0, "has_downloads": true, "has_issues": true,
                "has_projects": false, "has_wiki": false, "has_pages": false, "has_discussions": false, "homepage": null, "language": null,
                "archived": false, "disabled": false, "mirror_url": null, "open_issues": open, "open_issues_count": open, "license": null,
                "pushed_at": time, "size": 1, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "created_at": time, "updated_at": time,
                "visibility": if repo.private { "private" } else { "public" },
            }),
        );
        if let Some(role) = role {
            let can = |least: &str| super::world::rank(role) >= super::world::rank(least);
            shown["permissions"] = json!({
                "admin": can("admin"), "maintain": can("maintain"), "push": can("write"), "triage": can("triage"), "pull": can("read"),
            });
        }
        if detail == Detail::Full {
            add(&mut shown, json!({"network_count": 0, "subscribers_count": 0}));
        }
        shown
    }

    pub(super) fn label(&self, repo: &Repo, label: &Label) -> Value {
        json!({
            "id": label.id, "node_id": format!("LA_{}", label.id), "url": self.at(repo, &format!("/labels/{}", label.id)),
            "name": label.name, "description": label.description, "color": label.color, "default": false,
        })
    }

    fn labels(&self, repo: &Repo, issue: &Issue) -> Vec<Value> {
        let labels = issue.labels.iter().filter_map(|name| repo.find_label(name));
        labels.map(|label| self.label(repo, label)).collect()
    }

    /// The labels of an issue as a list.
    pub(super) fn labels_of(&self, repo: &Repo, number: u64) -> Value {
        repo.issue(number)
            .map(|issue| self.labels(repo, issue))
            .unwrap_or_default()
            .into()
    }

    pub(super) fn issue(&self, repo: &Repo, issue: &Issue) -> Value {
        let url = self.at(repo, &format!("/issues/{}", issue.number));
        let kind = if issue.pull.is_some() { "pull" } else { "issues" };
        let html = format!("{}/{}/{kind}/{}", self.world.web, repo.name, issue.number);
        let comments = repo
            .comments
            .iter()
            .filter(|comment| comment.issue == issue.number)
            .count();
        let mut shown = json!({
            "id": issue.id, "node_id": format!("I_{}", issue.id), "number": issue.number, "title": issue.title, "body": issue.body,
            "state": if issue.closed.is_none() { "open" } else { "closed" }, "state_reason": issue.state_reason, "locked": issue.locked,
            "user": self.user(&issue.author), "labels": self.labels(repo, issue), "assignee": null, "assignees": [], "milestone": null,
            "comments": comments, "created_at": issue.created_at.to_string(), "updated_at": issue.updated_at.to_string(),
            "closed_at": issue.closed.as_ref().map(|(at, _)| at.to_string()), "url": url, "html_url": html,
            "repository_url": self.at(repo, ""), "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"),
            "labels_url": format!("{url}/labels"), "author_association": association(repo, &issue.author),
        });
        if let Some(pull) = &issue.pull {
            shown["draft"] = pull.draft.into();
            shown["pull_request"] = json!({
                "url": self.at(repo, &format!("/pulls/{}", issue.number)), "html_url": html, "diff_url": format!("{html}.diff"),
                "patch_url": format!("{html}.patch"), "merged_at": pull.merged.as_ref().map(|(_, at, _)| at.to_string()),
            });
        }
        shown
    }

    pub(super) fn comment(&self, repo: &Repo, comment: &Comment) -> Value {
        let issue = self.at(repo, &format!("/issues/{}", comment.issue));
        let on_pull = repo.issue(comment.issue).is_some_and(|issue| issue.pull.is_some());
        let page = if on_pull { "pull" } else { "issues" };
        json!({
            "id": comment.id, "node_id": format!("IC_{}", comment.id), "url": self.at(repo, &format!("/issues/comments/{}", comment.id)),
            "html_url": format!("{}/{}/{page}/{}#issuecomment-{}", self.world.web, repo.name, comment.issue, comment.id),
            "issue_url": issue, "body": comment.body, "user": self.user(&comment.author), "created_at": comment.created_at.to_string(),
            "updated_at": comment.updated_at.to_string(), "author_association": association(repo, &comment.author),
        })
    }

    /// An event; `issue` says whether it stands in the list of the whole repository, where it tells its issue.
    pub(super) fn event(&self, repo: &Repo, event: &Event, issue: bool) -> Value {
        let mut shown = json!({
            "id": event.id, "node_id": format!("E_{}", event.id), "url": self.at(repo, &format!("/issues/events/{}", event.id)),
            "actor": self.user(&event.actor), "event": event.kind, "commit_id": null, "commit_url": null,
            "created_at": event.at.to_string(), "performed_via_github_app": null,
        });
        if let Some(name) = &event.label {
            let color = repo.find_label(name).map_or("ededed", |label| &label.color);
            shown["label"] = json!({"name": name, "color": color});
        }
        if let Some((from, to)) = &event.rename {
            shown["rename"] = json!({"from": from, "to": to});
        }
        if issue && let Some(issue) = repo.issue(event.issue) {
            shown["issue"] = self.issue(repo, issue);
        }
        shown
    }

    pub(super) fn run(&self, repo: &Repo, run: &Run) -> Value {
        let url = self.at(repo, &format!("/actions/runs/{}", run.id));
        let at = run.created_at.to_string();
        let mut head_repository = self.repo(repo, Detail::Minimal, None);
        if run.fork {
            head_repository["id"] = (repo.id + 1).into();
            head_repository["fork"] = true.into();
            head_repository["full_name"] =
                format!("stranger/{}", repo.name.split('/').next_back().unwrap_or_default()).into();
        }
        json!({
            "id": run.id, "node_id": format!("WFR_{}", run.id), "name": run.path, "head_branch": run.branch, "head_sha": run.head_sha,
            "path": run.path, "display_title": "run", "run_number": run.number, "event": run.event,
            "status": if run.conclusion.is_some() { "completed" } else { "in_progress" }, "conclusion": run.conclusion,
            "workflow_id": run.workflow, "url": url, "html_url": format!("{}/{}/actions/runs/{}", self.world.web, repo.name, run.id),
            "pull_requests": [], "created_at": at, "updated_at": at, "run_attempt": 1, "run_started_at": at, "head_commit": null,
            "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"), "artifacts_url": format!("{url}/artifacts"),
            "check_suite_url": self.at(repo, "/check-suites/1"), "cancel_url": format!("{url}/cancel"), "rerun_url": format!("{url}/rerun"),
            "workflow_url": self.at(repo, &format!("/actions/workflows/{}", run.workflow)),
            "repository": self.repo(repo, Detail::Minimal, None), "head_repository": head_repository,
        })
    }

    pub(super) fn artifact(&self, repo: &Repo, artifact: &Artifact) -> Value {
        let url = self.at(repo, &format!("/actions/artifacts/{}", artifact.id));
        let run = repo.runs.iter().find(|run| run.id == artifact.run).map(|run| {
            json!({
                "id": run.id, "repository_id": repo.id, "head_repository_id": repo.id + u64::from(run.fork),
                "head_branch": run.branch, "head_sha": run.head_sha,
            })
        });
        let at = artifact.created_at.to_string();
        json!({
            "id": artifact.id, "node_id": format!("AR_{}", artifact.id), "name": artifact.name, "size_in_bytes": artifact.bytes.len(),
            "url": url, "archive_download_url": format!("{url}/zip"), "expired": artifact.expired, "created_at": at, "updated_at": at,
            "expires_at": (artifact.created_at + (24 * 90).hours()).to_string(), "workflow_run": run,
        })
    }

    pub(super) fn pull(&self, repo: &Repo, issue: &Issue, pull: &Pull, whole: bool) -> Value {
        let url = self.at(repo, &format!("/pulls/{}", issue.number));
        let of_issue = self.at(repo, &format!("/issues/{}", issue.number));
        let html = format!("{}/{}/pull/{}", self.world.web, repo.name, issue.number);
        let owner = repo.name.split('/').next().unwrap_or_default();
        let side = |branch: &str, sha: &str, fork: Option<Timestamp>| {
            let mut of = self.repo(repo, Detail::Usual, None);
            if let Some(pushed_at) = fork {
                (of["id"], of["fork"]) = ((repo.id + 1).into(), true.into());
                of["pushed_at"] = pushed_at.to_string().into();
            }
            json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "user": self.user(owner), "repo": of})
        };
        let statuses = self.at(repo, &format!("/statuses/{}", pull.head_sha));
        let links = [
            ("self", url.clone()),
            ("html", html.clone()),
            ("issue", of_issue.clone()),
            ("comments", format!("{of_issue}/comments")),
            ("review_comments", format!("{url}/comments")),
            ("review_comment", self.at(repo, "/pulls/comments{/number}")),
            ("commits", format!("{url}/commits")),
            ("statuses", statuses.clone()),
        ];
        let links: Map<String, Value> = links
            .into_iter()
            .map(|(name, href)| (name.to_owned(), json!({"href": href})))
            .collect();
        let mut shown = json!({
            "id": issue.id, "node_id": format!("PR_{}", issue.id), "number": issue.number, "url": url, "html_url": html,
            "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"), "issue_url": of_issue,
            "comments_url": format!("{of_issue}/comments"), "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"), "review_comment_url": self.at(repo, "/pulls/comments{/number}"),
            "statuses_url": statuses, "state": if issue.closed.is_none() { "open" } else { "closed" }, "locked": false,
            "title": issue.title, "body": issue.body, "user": self.user(&issue.author), "labels": self.labels(repo, issue), "assignee": null,
            "assignees": [], "milestone": null, "requested_reviewers": [], "requested_teams": [], "draft": pull.draft,
            "created_at": issue.created_at.to_string(), "updated_at": issue.updated_at.to_string(),
            "closed_at": issue.closed.as_ref().map(|(at, _)| at.to_string()),
            "merged_at": pull.merged.as_ref().map(|(_, at, _)| at.to_string()),
            "merge_commit_sha": pull.merged.as_ref().map(|(sha, ..)| sha), "auto_merge": null,
            "author_association": association(repo, &issue.author), "head": side(&pull.head, &pull.head_sha, pull.fork),
            "base": side(&pull.base, &pull.base_sha, None), "_links": links,
        });
        if whole {
            add(
                &mut shown,
                json!({
                    "merged": pull.merged.is_some(), "merged_by": pull.merged.as_ref().map(|(.., by)| self.user(by)), "mergeable": null,
                    "mergeable_state": "unknown", "comments": repo.comments.iter().filter(|comment| comment.issue == issue.number).count(),
                    "review_comments": 0, "commits": 1, "additions": 0, "deletions": 0,
                    "changed_files": repo.git.changed(&pull.base_sha, &pull.head_sha).len(), "maintainer_can_modify": false,
                }),
            );
        }
        shown
    }

    pub(super) fn check(&self, repo: &Repo, check: &Check) -> Value {
        let url = self.at(repo, &format!("/check-runs/{}", check.id));
        let html = format!("{}/{}/runs/{}", self.world.web, repo.name, check.id);
        json!({
            "id": check.id, "node_id": format!("CR_{}", check.id), "head_sha": check.head_sha, "name": check.name, "url": url,
            "html_url": html, "details_url": check.details_url.as_ref().unwrap_or(&html), "status": check.status,
            "conclusion": check.conclusion, "started_at": check.started_at, "completed_at": check.completed_at,
            "external_id": check.external_id, "check_suite": {"id": 1}, "app": self.app(check.app), "pull_requests": [],
            "output": {
                "title": check.title, "summary": check.summary, "text": check.text, "annotations_count": check.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
        })
    }

    /// An address below the repository's.
    pub(super) fn at(&self, repo: &Repo, rest: &str) -> String {
        format!("{}/repos/{}{rest}", self.api, repo.name)
    }
}

/// Adds the members of one object to another.
pub(super) fn add(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

fn association(repo: &Repo, login: &str) -> &'static str {
    match repo.role(login) {
        _ if repo.name.split('/').next() == Some(login) => "OWNER",
        "triage" | "write" | "maintain" | "admin" => "COLLABORATOR",
        _ => "NONE",
    }
}
