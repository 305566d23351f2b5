//! What people and workflows do on GitHub, and how a test looks into a repository.

use super::server::Shared;
use super::world::{Artifact, Run, World};
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};

/// A person at work in one repository.
#[derive(Debug, Clone)]
pub struct Person {
    pub(super) shared: Arc<Shared>,
    pub(super) repo: String,
    pub(super) login: String,
}

impl Person {
    /// The same person in another repository.
    pub fn at(&self, repo: &str) -> Self {
        Self {
            repo: repo.to_owned(),
            ..self.clone()
        }
    }

    /// Opens an issue; gives its number.
    pub fn opens_issue(&self, title: &str, body: &str) -> u64 {
        self.world().open_issue(&self.repo, &self.login, title, Some(body))
    }

    /// Puts a label on an issue or pull request.
    pub fn labels(&self, issue: u64, label: &str) {
        self.world().label(&self.repo, issue, &self.login, label);
    }

    /// Takes a label off.
    pub fn unlabels(&self, issue: u64, label: &str) {
        self.world().unlabel(&self.repo, issue, &self.login, label);
    }

    /// Comments; gives the comment's id.
    pub fn comments(&self, issue: u64, text: &str) -> u64 {
        self.world().comment(&self.repo, issue, &self.login, text)
    }

    /// Changes the text of an issue or pull request.
    pub fn edits(&self, issue: u64, body: &str) {
        let mut world = self.world();
        let now = world.now;
        let issue = world.repo_mut(&self.repo).issue_mut(issue);
        (issue.body, issue.updated_at) = (Some(body.to_owned()), now);
    }

    /// Changes the text of a comment.
    pub fn edits_comment(&self, comment: u64, body: &str) {
        let mut world = self.world();
        let now = world.now;
        let repo = world.repo_mut(&self.repo);
        let comment = repo
            .comments
            .iter_mut()
            .find(|known| known.id == comment)
            .expect("the comment is there");
        (comment.body, comment.updated_at) = (body.to_owned(), now);
        let issue = comment.issue;
        repo.touch(issue, now);
    }

    /// Closes an issue, or a pull request without merging it.
    pub fn closes(&self, issue: u64) {
        self.world().set_open(&self.repo, issue, &self.login, false, None);
    }

    /// Opens it again.
    pub fn reopens(&self, issue: u64) {
        self.world().set_open(&self.repo, issue, &self.login, true, None);
    }

    /// Locks the conversation: nobody comments there any more.
    pub fn locks(&self, issue: u64) {
        self.world().repo_mut(&self.repo).issue_mut(issue).locked = true;
    }

    /// Has a pull request go to another branch.
    pub fn retargets(&self, pull: u64, base: &str) {
        let mut world = self.world();
        let repo = world.repo_mut(&self.repo);
        let base_sha = repo.git.branch(base).expect("the branch is there");
        let of = repo.issue_mut(pull).pull.as_mut().expect("it is a pull request");
        (of.base, of.base_sha) = (base.to_owned(), base_sha);
    }

    /// Says that a draft is ready for review.
    pub fn readies(&self, pull: u64) {
        let mut world = self.world();
        let issue = world.repo_mut(&self.repo).issue_mut(pull);
        issue.pull.as_mut().expect("it is a pull request").draft = false;
    }

    /// Merges a pull request with a merge commit, whose sha it gives. Closes the issues that its text says it closes.
    ///
    /// # Panics
    /// If it is closed, a draft, or in conflict.
    pub fn merges(&self, pull: u64) -> String {
        let mut world = self.world();
        let at = world.now.as_second();
        let repo = world.repo(&self.repo);
        let issue = repo.issue(pull).expect("the pull request is there");
        let of = issue.pull.as_ref().expect("it is a pull request");
        assert!(
            issue.closed.is_none() && !of.draft,
            "#{pull} is closed or a draft, GitHub does not merge it"
        );
        let message = format!("Merge pull request #{pull} from {}\n\n{}", of.head, issue.title);
        let sha = repo.git.merge(&of.base, &of.head_sha, &message, &self.login, at);
        world.merged(&self.repo, pull, &self.login, &sha);
        world.after_push(&self.repo, &self.login);
        sha
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

/// A repository, seen from its server.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
}

impl Repository {
    /// Makes a label; one that is there stays as it is.
    pub fn has_label(&self, name: &str, color: &str) {
        self.world().keep_label(&self.name, name, color, None);
    }

    /// Its labels with their colours.
    pub fn labels(&self) -> Vec<(String, String)> {
        let world = self.world();
        let labels = world.repo(&self.name).labels.iter();
        labels.map(|label| (label.name.clone(), label.color.clone())).collect()
    }

    /// Where git clones it from and pushes to.
    pub fn clone_url(&self) -> String {
        format!("{}/{}.git", self.world().web, self.name)
    }

    /// Clones it into a folder that is not there, with its default branch checked out.
    pub fn clone_to(&self, path: &std::path::Path) {
        let git = self.world().repo(&self.name).git.clone();
        git.clone_to(path);
    }

    /// Lets a user do what a role allows: `read`, `triage`, `write`, `maintain` or `admin`; makes the user if needed.
    pub fn role(&self, login: &str, role: &str) {
        let mut world = self.world();
        world.user(login);
        world
            .repo_mut(&self.name)
            .roles
            .insert(login.to_owned(), role.to_owned());
    }

    /// Commits whole files on a branch, which is made from the default branch if needed; gives the sha.
    pub fn commit(&self, branch: &str, files: &[(&str, &str)], message: &str) -> String {
        let files: Vec<(&str, Option<&str>)> = files.iter().map(|(path, content)| (*path, Some(*content))).collect();
        self.change(branch, &files, message)
    }

    /// The same, where `None` deletes a file.
    pub fn change(&self, branch: &str, files: &[(&str, Option<&str>)], message: &str) -> String {
        let mut world = self.world();
        let at = world.now.as_second();
        let owner = self.name.split('/').next().unwrap_or_default();
        let sha = world.repo(&self.name).git.write(branch, files, message, owner, at);
        world.after_push(&self.name, owner);
        sha
    }

    /// A file on a branch.
    pub fn read(&self, branch: &str, path: &str) -> Option<String> {
        self.world().repo(&self.name).git.read(branch, path)
    }

    /// The paths of all files on a branch.
    pub fn files(&self, branch: &str) -> Vec<String> {
        self.world().repo(&self.name).git.files(branch)
    }

    /// Names and shas of all branches.
    pub fn branches(&self) -> Vec<(String, String)> {
        self.world().repo(&self.name).git.branches()
    }

    /// The newest commit of a branch.
    pub fn sha(&self, branch: &str) -> Option<String> {
        self.world().repo(&self.name).git.branch(branch)
    }

    /// Deletes a branch; pull requests from it are closed.
    pub fn delete_branch(&self, branch: &str) {
        let mut world = self.world();
        world.repo(&self.name).git.delete_branch(branch);
        world.after_push(&self.name, self.name.split('/').next().unwrap_or_default());
    }

    /// Protects a branch with required status checks.
    pub fn protect(&self, branch: &str, checks: &[&str]) {
        let checks = checks.iter().map(|check| (*check).to_owned()).collect();
        self.world()
            .repo_mut(&self.name)
            .protected
            .insert(branch.to_owned(), checks);
    }

    /// The branch of a pull request lies in somebody else's repository, as far as the API tells, which was pushed to just now.
    ///
    /// # Panics
    /// If it is no pull request.
    pub fn is_from_a_fork(&self, pull: u64) {
        let mut world = self.world();
        let now = world.now;
        let issue = world.repo_mut(&self.name).issue_mut(pull);
        issue.pull.as_mut().expect("it is a pull request").fork = Some(now);
    }

    /// From now on drafts are refused, as on plans that do not have them.
    pub fn refuse_drafts(&self) {
        self.world().repo_mut(&self.name).refuses_drafts = true;
    }

    /// A finished run of `.github/workflows/<file>` on the default branch; gives its id. `fork`: its code came from elsewhere.
    pub fn workflow_run(&self, file: &str, conclusion: &str, fork: bool) -> u64 {
        let id = self.begins_run(file, fork);
        self.ends_run(id, conclusion);
        id
    }

    /// The same, but it goes on until [`Self::ends_run`].
    pub fn begins_run(&self, file: &str, fork: bool) -> u64 {
        let mut world = self.world();
        let (id, fresh, created_at) = (world.id(), world.id(), world.now);
        let repo = world.repo_mut(&self.name);
        let path = format!(".github/workflows/{file}");
        let branch = repo.git.default_branch();
        let head_sha = repo.git.branch(&branch).unwrap_or_else(|| "0".repeat(40));
        let workflow = repo
            .runs
            .iter()
            .find(|run| run.path == path)
            .map_or(fresh, |run| run.workflow);
        let event = if fork { "pull_request" } else { "schedule" }.to_owned();
        let number = repo.runs.len() as u64 + 1;
        repo.runs.push(Run {
            id,
            path,
            workflow,
            number,
            conclusion: None,
            event,
            branch,
            head_sha,
            fork,
            created_at,
        });
        id
    }

    /// Ends a run.
    pub fn ends_run(&self, id: u64, conclusion: &str) {
        let mut world = self.world();
        let mut runs = world.repo_mut(&self.name).runs.iter_mut();
        let run = runs.find(|run| run.id == id).expect("the run is there");
        run.conclusion = Some(conclusion.to_owned());
    }

    /// The run uploads an artifact; gives its id.
    pub fn uploads_artifact(&self, run: u64, name: &str, zip: &[u8]) -> u64 {
        let mut world = self.world();
        let (id, created_at) = (world.id(), world.now);
        let artifact = Artifact {
            id,
            run,
            name: name.to_owned(),
            bytes: zip.to_vec(),
            expired: false,
            created_at,
        };
        world.repo_mut(&self.name).artifacts.push(artifact);
        id
    }

    /// GitHub deletes the content of an artifact.
    pub fn expires_artifact(&self, id: u64) {
        let mut world = self.world();
        let artifact = world
            .repo_mut(&self.name)
            .artifacts
            .iter_mut()
            .find(|artifact| artifact.id == id);
        artifact.expect("the artifact is there").expired = true;
    }

    /// Somebody drags a file into an issue; gives its address on the web origin.
    pub fn attaches(&self, name: &str, bytes: &[u8]) -> String {
        let mut world = self.world();
        let path = format!("/user-attachments/files/{}/{name}", world.id());
        world
            .attachments
            .insert(path.clone(), (self.name.clone(), bytes.to_vec()));
        format!("{}{path}", world.web)
    }

    /// A token as a workflow's job gets it: acts as `github-actions[bot]`, with these permissions.
    pub fn job_token(&self, permissions: &[(&str, &str)]) -> String {
        let permissions: BTreeMap<String, String> = permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
            .collect();
        let mut world = self.world();
        let (token, expires) = (format!("ghs_{:0>36}", world.id()), None);
        let (login, app) = ("github-actions[bot]".to_owned(), Some((15368, permissions)));
        let repo = Some(self.name.clone());
        world.tokens.insert(
            token.clone(),
            super::world::Token {
                login,
                app,
                repo,
                expires,
            },
        );
        token
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}
