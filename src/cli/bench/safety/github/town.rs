//! A team with the helpdesk's project on a GitHub of this machine, and the jobs that its workflows run.

use crate::flow::job::{self, Begun};
use crate::flow::sync::{self, Hub, Notebook};
use crate::flow::{Clock, FlowError, Request};
use crate::forge::{Credentials, Forge, ForgeConfig};
use crate::helpdesk::{self, Inside};
use crate::progress::Progress;
use crate::project::{self, Project, ProjectFile};
use crate::runner::Runner as _;
use crate::store::{BranchStore, DirStore};
use crate::workspace::Workspace;
use fs_err as fs;
use sprag_core::config::{self, Config};
use sprag_core::github::RepoName;
use sprag_core::id::TaskId;
use sprag_core::signal::{Place, Report};
use sprag_core::trial::Split;
use sprag_standin::github::{FakeGitHub, PERMISSIONS, Person};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The repository.
pub(super) const REPO: &str = "acme/helpdesk";
/// How long a request may take that is never answered.
const SILENCE: Duration = Duration::from_millis(500);

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

/// A repository, alice who may push, and bob who may not.
pub(super) struct Town {
    pub(super) fake: Arc<FakeGitHub>,
    pub(super) alice: Person,
    pub(super) bob: Person,
    dir: TempDir,
    config: Config,
    issues: Vec<Report>,
    tasks: Vec<TaskId>,
    jobs: Cell<u32>,
    /// How often a request is tried.
    tries: u32,
}

impl Town {
    /// Jobs try each request so often.
    pub(super) async fn new(scratch: &Path, tries: u32) -> Result<Self, Error> {
        let fake = Arc::new(FakeGitHub::start().await);
        let repo = fake.create_repo(REPO, true);
        let files = helpdesk::project_files();
        let toml = files.iter().find(|(path, _)| *path == "sprag.toml");
        let config = config::parse(toml.map_or("", |(_, text)| text)).map_err(|problems| format!("{problems:?}"))?;
        repo.commit("main", &files, "Begin");
        let (alice, bob) = (fake.person("alice").at(REPO), fake.person("bob").at(REPO));
        repo.role("alice", "write");
        repo.role("bob", "read");
        fake.rate_left(u32::MAX.into());
        let dir = tempfile::tempdir_in(scratch)?;
        let tasks = Inside::new(dir.path().join("desk"))?.list(Split::Train).await?;
        Ok(Self {
            fake,
            alice,
            bob,
            dir,
            config,
            issues: helpdesk::issues(),
            tasks,
            jobs: Cell::new(0),
            tries,
        })
    }

    /// Some minutes go by.
    pub(super) fn later(&self) {
        self.fake.advance(Duration::from_secs(600));
    }

    /// bob reports one of the failures of the helpdesk, and alice says that it is one.
    pub(super) fn reports(&self, which: usize) -> u64 {
        let report = &self.issues[which % self.issues.len()];
        let issue = self.bob.opens_issue(&report.title, &report.body);
        self.alice.labels(issue, "agent-failure");
        issue
    }

    /// `sprag sync` on a fresh runner.
    pub(super) async fn sync(&self) -> Result<(), FlowError> {
        let dir = self.fresh()?;
        let workspace = self.checkout(&dir)?;
        let forge = self.forge()?;
        let hub = self.hub(&forge, &dir, &workspace)?;
        let mut notebook = self.notebook(&hub, &dir).await?;
        sync::sync(&hub, &mut notebook, &Progress::new(true, false)).await?;
        Ok(())
    }

    /// `sprag run` on a fresh runner; jobs with one mark are tries of one workflow run.
    pub(super) async fn run(&self, mark: &str) -> Result<(), FlowError> {
        let dir = self.fresh()?;
        let workspace = self.checkout(&dir)?;
        let forge = self.forge()?;
        let hub = self.hub(&forge, &dir, &workspace)?;
        let progress = Progress::new(true, false);
        let mut notebook = self.notebook(&hub, &dir).await?;
        let mut report = sync::sync(&hub, &mut notebook, &progress).await?;
        let project = self.project(&workspace)?;
        let begun = Begun::next(
            &notebook,
            &self.config.digest(),
            "helpdesk",
            &project.files.harness,
            mark,
        );
        let runner = Inside::new(dir.join("desk"))?;
        let request = Request {
            config: &self.config,
            workspace: &workspace,
            harness: project.files.harness,
            policy: project.policy,
            runner: &runner,
            advisor: None,
            agent: None,
            runner_identity: "helpdesk".to_owned(),
            project: REPO.to_owned(),
            out: dir.join("out"),
            seed: begun.plan().map_or(1, |plan| plan.seed),
            batches: 1,
            experiments: self.config.budget.experiments,
            merge: false,
            issues: notebook.book().to_run(),
            known: notebook.book().known(&hub.suite),
            // Its agent is a part of this program.
            sandbox: "none",
            clock: self.clock(),
            wall: Duration::from_hours(1),
            interrupted: Arc::default(),
        };
        let (store, _) = DirStore::open(&request.out.join(".sprag/state"))?;
        job::run(&hub, &mut notebook, &request, store, &begun, &progress).await?;
        sync::answer(&hub, &mut notebook, &mut report, &progress).await?;
        Ok(())
    }

    /// The number of the first pull request that is open.
    pub(super) fn open_pull(&self) -> Option<u64> {
        let page = self.fake.page();
        let mut lines = page.lines().filter_map(|line| line.strip_prefix("pull request #"));
        let open = lines.find(|line| line.contains(" [open] ") || line.contains(" [draft] "))?;
        open.split(' ').next()?.parse().ok()
    }

    /// What people see, without what may differ when something is done again: commits, ids of comments, edits, the way of the state branch.
    pub(super) fn page(&self) -> String {
        let web = self.fake.api_url();
        let page = self.fake.page().replace(&web, "https://github.test");
        let lines = page
            .lines()
            .filter(|line| !line.trim_start().starts_with("sprag/state:"));
        let lines = lines.map(|line| match line.split_once("reply comment=") {
            Some((before, _)) => format!("{before}reply -->"),
            None => without_commits(&line.replace(", edited", "")),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn forge(&self) -> Result<Forge, FlowError> {
        let fake = Arc::clone(&self.fake);
        Ok(Forge::new(ForgeConfig {
            api_url: self.fake.enterprise_url(),
            repo: repo(),
            credentials: Credentials::Token(self.fake.repo(REPO).job_token(&PERMISSIONS).into()),
            permissions: &[],
            pace: Duration::ZERO,
            clock: self.fake.clock(),
            // Waiting moves the clock of GitHub.
            wait: Arc::new(move |time| {
                fake.advance(time);
                Box::pin(async {})
            }),
            max_wait: Duration::from_hours(1),
            max_tries: self.tries,
            timeout: SILENCE,
        })?)
    }

    fn clock(&self) -> Clock {
        let now = self.fake.clock();
        Arc::new(move || format!("{:.6}", now()))
    }

    /// A folder for the next job, as a fresh runner has it.
    fn fresh(&self) -> std::io::Result<PathBuf> {
        let number = self.jobs.replace(self.jobs.get() + 1);
        let dir = self.dir.path().join(format!("job-{number}"));
        // What the job before it left is gone with its runner.
        if let Some(before) = number.checked_sub(1) {
            fs::remove_dir_all(self.dir.path().join(format!("job-{before}"))).ok();
        }
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// As `actions/checkout` does it.
    fn checkout(&self, dir: &Path) -> Result<Workspace, FlowError> {
        let path = dir.join("repo");
        self.fake.repo(REPO).clone_to(&path);
        Ok(Workspace::open(&path)?)
    }

    fn project(&self, workspace: &Workspace) -> Result<Project, FlowError> {
        let files: Vec<ProjectFile> = workspace.files()?;
        let made = Project::new(files, &self.config.harness, &self.config.runner.command);
        made.map_err(|error| std::io::Error::other(error.to_string()).into())
    }

    fn hub<'a>(&'a self, forge: &'a Forge, scratch: &'a Path, workspace: &Workspace) -> Result<Hub<'a>, FlowError> {
        let web = self.fake.api_url();
        Ok(Hub {
            forge,
            config: &self.config,
            place: Place {
                host: web.split("://").last().unwrap_or_default().to_owned(),
                repo: repo(),
            },
            scratch,
            tasks: self.tasks.clone(),
            suite: project::suite(&workspace.files()?).map_err(|error| std::io::Error::other(error.to_string()))?,
            git_url: self.fake.repo(REPO).clone_url(),
            advisor: None,
        })
    }

    async fn notebook(&self, hub: &Hub<'_>, dir: &Path) -> Result<Notebook, FlowError> {
        let remote = hub.remote().await?;
        let (store, damage) = tokio::task::block_in_place(|| BranchStore::open(remote, "sprag/state", dir))?;
        if let Some(damage) = damage.first() {
            return Err(std::io::Error::other(format!("{damage:?}")).into());
        }
        let store = store.patient(8, |_| {});
        let name = dir.display().to_string();
        Ok(Notebook::open(store, hub.forge.clone(), self.clock(), name)?)
    }
}

fn repo() -> RepoName {
    RepoName {
        owner: "acme".to_owned(),
        name: "helpdesk".to_owned(),
    }
}

/// Words of 12 or 40 hexadecimal digits are commits.
fn without_commits(line: &str) -> String {
    let mut shown = String::new();
    let mut word = String::new();
    for c in line.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_ascii_digit() || ('a'..='f').contains(&c) => word.push(c),
            other => {
                let commit = word.len() == 40 || word.len() == 12 && word.chars().any(|c| c.is_ascii_digit());
                shown.push_str(if commit { "<commit>" } else { &word });
                word.clear();
                shown.extend(other);
            }
        }
    }
    shown
}
