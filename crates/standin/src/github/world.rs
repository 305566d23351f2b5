//! What this GitHub knows: plain data, changed by requests and by people.

use super::git::Git;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Requests that a token has an hour.
pub(super) const RATE: u64 = 5000;
/// A repository's comments and events have no cursors, and end here; people have met 30,000 and 40,000.
const MOST_ITEMS: usize = 30_000;

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) ids: u64,
    /// `http://127.0.0.1:port`, where API and web pages are.
    pub(super) web: String,
    /// `http://localhost:port`: another origin, where contents are.
    pub(super) blobs: String,
    pub(super) folder: PathBuf,
    pub(super) users: BTreeMap<String, User>,
    pub(super) apps: Vec<App>,
    pub(super) installations: Vec<Installation>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) codes: BTreeMap<String, String>,
    pub(super) repos: BTreeMap<String, Repo>,
    /// Path on the web origin to the repository and the content.
    pub(super) attachments: BTreeMap<String, (String, Vec<u8>)>,
    pub(super) rate_left: u64,
    pub(super) rate_reset: Timestamp,
    /// Of a repository's comments and events, no more are paged through.
    pub(super) most_items: usize,
}

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) bot: bool,
}

#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) id: u64,
    pub(super) slug: String,
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Installation {
    pub(super) id: u64,
    pub(super) app: u64,
    pub(super) repo: String,
}

/// What a token is good for.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) login: String,
    /// The app and its permissions, if it is one of an installation.
    pub(super) app: Option<(u64, BTreeMap<String, String>)>,
    /// The one repository that it opens; `None` for all that the user sees.
    pub(super) repo: Option<String>,
    pub(super) expires: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Repo {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) created_at: Timestamp,
    pub(super) roles: BTreeMap<String, String>,
    pub(super) labels: Vec<Label>,
    /// Pull requests are issues too; the n-th has the number n + 1.
    pub(super) issues: Vec<Issue>,
    pub(super) comments: Vec<Comment>,
    pub(super) events: Vec<Event>,
    pub(super) runs: Vec<Run>,
    pub(super) artifacts: Vec<Artifact>,
    pub(super) checks: Vec<Check>,
    /// Branches and the status checks that they need.
    pub(super) protected: BTreeMap<String, Vec<String>>,
    pub(super) refuses_drafts: bool,
    pub(super) git: Git,
}

#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) color: String,
    pub(super) description: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Issue {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) author: String,
    pub(super) labels: Vec<String>,
    pub(super) state_reason: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// When and by whom, if it is closed.
    pub(super) closed: Option<(Timestamp, String)>,
    pub(super) locked: bool,
    pub(super) pull: Option<Pull>,
}

#[derive(Debug, Clone)]
pub(super) struct Pull {
    pub(super) head: String,
    pub(super) base: String,
    pub(super) head_sha: String,
    pub(super) base_sha: String,
    pub(super) draft: bool,
    /// When somebody else's repository, in which its branch lies, was pushed to last; `None` for a branch of this one.
    pub(super) fork: Option<Timestamp>,
    /// By which commit, when and by whom.
    pub(super) merged: Option<(String, Timestamp, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) issue: u64,
    pub(super) author: String,
    pub(super) body: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Id, who and what.
    pub(super) reactions: Vec<(u64, String, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) issue: u64,
    pub(super) actor: String,
    /// `labeled`, `unlabeled`, `closed`, `reopened`, `renamed` or `merged`.
    pub(super) kind: &'static str,
    pub(super) label: Option<String>,
    pub(super) rename: Option<(String, String)>,
    pub(super) at: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) path: String,
    pub(super) workflow: u64,
    pub(super) number: u64,
    pub(super) conclusion: Option<String>,
    pub(super) event: String,
    pub(super) branch: String,
    pub(super) head_sha: String,
    pub(super) fork: bool,
    pub(super) created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Artifact {
    pub(super) id: u64,
    pub(super) run: u64,
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) expired: bool,
    pub(super) created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) id: u64,
    pub(super) app: u64,
    pub(super) name: String,
    pub(super) head_sha: String,
    pub(super) external_id: String,
    pub(super) details_url: Option<String>,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) started_at: String,
    pub(super) completed_at: Option<String>,
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) text: Option<String>,
    pub(super) annotations: Vec<Value>,
    pub(super) actions: Vec<Value>,
}

impl World {
    pub(super) fn new(folder: PathBuf, port: u16) -> Self {
        let now: Timestamp = "2026-11-02T08:00:00Z".parse().expect("a time");
        let mut world = Self {
            now,
            ids: 1_000_000,
            web: format!("http://127.0.0.1:{port}"),
            blobs: format!("http://localhost:{port}"),
            folder,
            users: BTreeMap::new(),
            apps: Vec::new(),
            installations: Vec::new(),
            tokens: BTreeMap::new(),
            codes: BTreeMap::new(),
            repos: BTreeMap::new(),
            attachments: BTreeMap::new(),
            rate_left: RATE,
            rate_reset: now + 1.hour(),
            most_items: MOST_ITEMS,
        };
        // The app behind every workflow's own token, with the ids that it really has.
        world.apps.push(App {
            id: 15368,
            slug: "github-actions".to_owned(),
            permissions: BTreeMap::new(),
            created_at: now,
        });
        let login = "github-actions[bot]".to_owned();
        let bot = User {
            id: 41_898_282,
            login: login.clone(),
            bot: true,
        };
        world.users.insert(login, bot);
        world
    }

    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Makes the user if there is none of this name.
    pub(super) fn user(&mut self, login: &str) {
        if !self.users.contains_key(login) {
            let user = User {
                id: self.id(),
                login: login.to_owned(),
                bot: login.ends_with("[bot]"),
            };
            self.users.insert(login.to_owned(), user);
        }
    }

    pub(super) fn repo(&self, name: &str) -> &Repo {
        self.repos
            .get(name)
            .unwrap_or_else(|| panic!("there is no repository {name}"))
    }

    pub(super) fn repo_mut(&mut self, name: &str) -> &mut Repo {
        self.repos
            .get_mut(name)
            .unwrap_or_else(|| panic!("there is no repository {name}"))
    }

    pub(super) fn open_issue(&mut self, repo: &str, author: &str, title: &str, body: Option<&str>) -> u64 {
        let (id, now) = (self.id(), self.now);
        let issues = &mut self.repo_mut(repo).issues;
        let number = issues.len() as u64 + 1;
        issues.push(Issue {
            id,
            number,
            title: title.to_owned(),
            body: body.map(str::to_owned),
            author: author.to_owned(),
            labels: Vec::new(),
            state_reason: None,
            locked: false,
            created_at: now,
            updated_at: now,
            closed: None,
            pull: None,
        });
        number
    }

    pub(super) fn comment(&mut self, repo: &str, issue: u64, author: &str, body: &str) -> u64 {
        let (id, now) = (self.id(), self.now);
        let repo = self.repo_mut(repo);
        repo.touch(issue, now);
        repo.comments.push(Comment {
            id,
            issue,
            author: author.to_owned(),
            body: body.to_owned(),
            created_at: now,
            updated_at: now,
            reactions: Vec::new(),
        });
        id
    }

    /// Puts a label on an issue; one that the repository does not have yet is made.
    pub(super) fn label(&mut self, repo: &str, issue: u64, actor: &str, label: &str) {
        self.keep_label(repo, label, "ededed", None);
        let known = self.repo(repo).find_label(label).map(|label| label.name.clone());
        let name = known.unwrap_or_else(|| label.to_owned());
        let labels = &mut self.repo_mut(repo).issue_mut(issue).labels;
        if !labels.contains(&name) {
            labels.push(name.clone());
            self.event(repo, issue, actor, "labeled", Some(name), None);
        }
    }

    /// Whether the issue had the label.
    pub(super) fn unlabel(&mut self, repo: &str, issue: u64, actor: &str, label: &str) -> bool {
        let labels = &mut self.repo_mut(repo).issue_mut(issue).labels;
        let Some(at) = labels.iter().position(|name| name.eq_ignore_ascii_case(label)) else {
            return false;
        };
        let name = labels.remove(at);
        self.event(repo, issue, actor, "unlabeled", Some(name), None);
        true
    }

    /// Whether the label is new.
    pub(super) fn keep_label(&mut self, repo: &str, name: &str, color: &str, description: Option<&str>) -> bool {
        let new = self.repo(repo).find_label(name).is_none();
        if new {
            let label = Label {
                id: self.id(),
                name: name.to_owned(),
                color: color.to_owned(),
                description: description.map(str::to_owned),
            };
            self.repo_mut(repo).labels.push(label);
        }
        new
    }

    pub(super) fn set_open(&mut self, repo: &str, issue: u64, actor: &str, open: bool, reason: Option<&str>) {
        let now = self.now;
        let of = self.repo_mut(repo).issue_mut(issue);
        if let Some(reason) = reason {
            of.state_reason = Some(reason.to_owned());
        }
        if open == of.closed.is_none() {
            return;
        }
        of.closed = (!open).then(|| (now, actor.to_owned()));
        if of.pull.is_none() && reason.is_none() {
            of.state_reason = Some(if open { "reopened" } else { "completed" }.to_owned());
        }
        self.event(repo, issue, actor, if open { "reopened" } else { "closed" }, None, None);
    }

    pub(super) fn event(
        &mut self,
        repo: &str,
        issue: u64,
        actor: &str,
        kind: &'static str,
        label: Option<String>,
        rename: Option<(String, String)>,
    ) {
        let (id, at) = (self.id(), self.now);
        let repo = self.repo_mut(repo);
        repo.touch(issue, at);
        let actor = actor.to_owned();
        repo.events.push(Event {
            id,
            issue,
            actor,
            kind,
            label,
            rename,
            at,
        });
    }

    /// Brings the open pull requests up to date with their branches, as GitHub does after a push.
    pub(super) fn after_push(&mut self, repo: &str, actor: &str) {
        let of = self.repo(repo);
        let open = of.issues.iter().filter(|issue| issue.closed.is_none());
        let pulls: Vec<(u64, Pull)> = open
            .filter_map(|issue| Some((issue.number, issue.pull.clone()?)))
            .collect();
        for (number, pull) in pulls {
            let git = &self.repo(repo).git;
            let (head, base) = (git.branch(&pull.head), git.branch(&pull.base));
            let (Some(head), Some(base)) = (head, base) else {
                self.set_open(repo, number, actor, false, None);
                continue;
            };
            if head != pull.head_sha && git.contains(&base, &head) {
                self.merged(repo, number, actor, &head);
                continue;
            }
            if head == pull.head_sha {
                continue;
            }
            let now = self.now;
            let issue = self.repo_mut(repo).issue_mut(number);
            issue.updated_at = now;
            if let Some(pull) = &mut issue.pull {
                (pull.head_sha, pull.base_sha) = (head, base);
            }
        }
    }

    /// A pull request's change has arrived in its base: closes it, and what it says it closes.
    pub(super) fn merged(&mut self, repo: &str, number: u64, actor: &str, sha: &str) {
        let now = self.now;
        let default = self.repo(repo).git.default_branch();
        let issue = self.repo_mut(repo).issue_mut(number);
        let body = issue.body.clone().unwrap_or_default();
        let pull = issue.pull.as_mut().expect("it is a pull request");
        pull.merged = Some((sha.to_owned(), now, actor.to_owned()));
        let into_default = pull.base == default;
        self.event(repo, number, actor, "merged", None, None);
        self.set_open(repo, number, actor, false, None);
        for closed in closing(&body).into_iter().filter(|_| into_default) {
            if closed <= self.repo(repo).issues.len() as u64 {
                self.set_open(repo, closed, actor, false, Some("completed"));
            }
        }
    }
}

/// The issues that a pull request's text says it closes.
fn closing(body: &str) -> Vec<u64> {
    let words: Vec<&str> = body.split_whitespace().collect();
    let keywords = [
        "close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved",
    ];
    let pairs = words.windows(2).filter(|pair| {
        let word = pair[0].trim_end_matches(':').to_lowercase();
        keywords.contains(&word.as_str())
    });
    pairs
        .filter_map(|pair| {
            pair[1]
                .strip_prefix('#')?
                .trim_end_matches(['.', ',', ';'])
                .parse()
                .ok()
        })
        .collect()
}

impl Repo {
    pub(super) fn issue(&self, number: u64) -> Option<&Issue> {
        self.issues.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    pub(super) fn issue_mut(&mut self, number: u64) -> &mut Issue {
        let at = usize::try_from(number).expect("a small number").wrapping_sub(1);
        self.issues
            .get_mut(at)
            .unwrap_or_else(|| panic!("there is no issue {number}"))
    }

    pub(super) fn touch(&mut self, issue: u64, now: Timestamp) {
        self.issue_mut(issue).updated_at = now;
    }

    pub(super) fn find_label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|label| label.name.eq_ignore_ascii_case(name))
    }

    /// What a user may do: `none`, `read`, `triage`, `write`, `maintain` or `admin`.
    pub(super) fn role(&self, login: &str) -> &str {
        let given = self.roles.get(login).map(String::as_str);
        given.unwrap_or(if self.private { "none" } else { "read" })
    }
}

/// The rank of a role or of a level of access, least first.
pub(super) fn rank(role: &str) -> usize {
    let ranks = ["none", "read", "triage", "write", "maintain", "admin"];
    ranks.iter().position(|known| *known == role).unwrap_or_default()
}
