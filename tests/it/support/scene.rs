//! A team with the kiosk's project on a fake GitHub, and the jobs that its workflows run.

use super::kiosk::{self, Kiosk};
use serde_json::json;
use sprag::app::GATE_PERMISSIONS;
use sprag::bundle::Bundle;
use sprag::flow::gate;
use sprag::flow::handover::{self, Nobody, Published};
use sprag::flow::job::{self, Begun, Done};
use sprag::flow::pull::{self, SetupError, Stranger, Target};
use sprag::flow::sync::{self, Hub, Notebook};
use sprag::flow::{Clock, FlowError, Request};
use sprag::forge::{Credentials, Forge, ForgeConfig};
use sprag::progress::Progress;
use sprag::project::{self, Project};
use sprag::runner::{Job, Runner};
use sprag::store::{BranchStore, DirStore};
use sprag::workspace::Workspace;
use sprag_core::book::Book;
use sprag_core::config::Config;
use sprag_core::fact::What;
use sprag_core::github::RepoName;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::ledger::Known;
use sprag_core::signal::Place;
use sprag_core::webhook::{Hint, Webhook};
use sprag_testkit::github::{FakeGitHub, PERMISSIONS, PRIVATE_KEY, Person};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The repository.
pub(crate) const REPO: &str = "acme/kiosk";

/// A repository with the App installed, alice who may push, and bob who may not.
pub(crate) struct Scene {
    pub(crate) fake: Arc<FakeGitHub>,
    pub(crate) alice: Person,
    pub(crate) bob: Person,
    app: u64,
    dir: TempDir,
    pub(crate) config: Config,
    jobs: AtomicU32,
    /// How often a request is tried.
    tries: u32,
    nuisance: Mutex<Option<String>>,
    /// The workflow run whose tries the jobs are; each is one of its own without.
    workflow_run: Mutex<Option<String>>,
    /// What people and tools say besides, in every trace that the runner hands over.
    pub(crate) slips: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let fake = Arc::new(FakeGitHub::start().await);
        let repo = fake.create_repo(REPO, true);
        let text = format!(
            "{}\n[signals]\nartifacts = [\"agent-traces*\"]\nworkflows = [\"nightly.yml\"]\n",
            kiosk::CONFIG
        );
        repo.commit(
            "main",
            &[("agent/steps.toml", kiosk::STEPS), ("sprag.toml", &text)],
            "Begin",
        );
        let app = fake.create_app("sprag", &PERMISSIONS);
        fake.install(app, REPO);
        let (alice, bob) = (fake.person("alice").at(REPO), fake.person("bob").at(REPO));
        repo.role("alice", "write");
        repo.role("bob", "read");
        Self {
            config: sprag_core::config::parse(&text).unwrap(),
            fake,
            alice,
            bob,
            app,
            dir: super::quick_dir(),
            jobs: AtomicU32::new(0),
            tries: 5,
            nuisance: Mutex::default(),
            workflow_run: Mutex::default(),
            slips: String::new(),
        }
    }

    /// A tool becomes a nuisance: see [`Kiosk::nuisance`].
    pub(crate) fn has_a_nuisance(&self, tool: &str) {
        *self.nuisance.lock().unwrap() = Some(tool.to_owned());
    }

    /// Jobs from now on are tries of one workflow run.
    pub(crate) fn in_workflow_run(&self, id: &str) {
        *self.workflow_run.lock().unwrap() = Some(id.to_owned());
    }

    fn mark(&self) -> String {
        let own = self.workflow_run.lock().unwrap().clone();
        own.unwrap_or_else(|| format!("job {}", self.jobs.load(Ordering::Relaxed)))
    }

    fn kiosk(&self) -> Kiosk {
        Kiosk {
            nuisance: self.nuisance.lock().unwrap().clone(),
            slips: self.slips.clone(),
            ..Kiosk::new()
        }
    }

    /// Everything that jobs left on their runners.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Some minutes go by.
    pub(crate) fn later(&self) {
        self.fake.advance(Duration::from_secs(600));
    }

    /// The way to GitHub of a new job. Waiting moves the clock of GitHub.
    pub(crate) fn forge(&self) -> Forge {
        self.forge_as(self.app_credentials())
    }

    /// The same of a job that measures.
    fn forge_to_gate(&self) -> Forge {
        self.forge_for(self.app_credentials(), &GATE_PERMISSIONS)
    }

    fn app_credentials(&self) -> Credentials {
        Credentials::App {
            id: self.app.to_string(),
            private_key: PRIVATE_KEY.into(),
        }
    }

    fn forge_as(&self, credentials: Credentials) -> Forge {
        self.forge_for(credentials, &[])
    }

    fn forge_for(&self, credentials: Credentials, permissions: &'static [(&'static str, &'static str)]) -> Forge {
        let fake = Arc::clone(&self.fake);
        Forge::new(ForgeConfig {
            api_url: self.fake.enterprise_url(),
            repo: RepoName::parse(REPO).unwrap(),
            credentials,
            permissions,
            pace: Duration::ZERO,
            clock: self.fake.clock(),
            wait: Arc::new(move |time| {
                fake.advance(time);
                Box::pin(async {})
            }),
            max_wait: Duration::from_secs(3600),
            max_tries: self.tries,
            timeout: Duration::from_millis(500),
        })
        .unwrap()
    }

    /// What a person would see, free of what differs from run to run: commits and the port.
    pub(crate) fn page(&self) -> String {
        let web = self.fake.api_url();
        let page = self.fake.page().replace(&web, "https://github.test");
        let mut shown = String::new();
        let mut word = String::new();
        for c in page.chars().chain([' ']) {
            if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
                word.push(c);
                continue;
            }
            let commit = word.len() == 40 || word.len() == 12 && word.chars().any(|c| c.is_ascii_digit());
            shown.push_str(if commit { "<commit>" } else { &word });
            word.clear();
            shown.push(c);
        }
        shown.trim_end().to_owned() + "\n"
    }

    /// What a person would see of one issue or pull request.
    pub(crate) fn shown(&self, number: u64) -> String {
        let page = self.page();
        let kinds = ["\nissue #", "\npull request #", "\nbranches\n"];
        let parts = kinds.iter().flat_map(|kind| page.split(kind).skip(1));
        let mut parts = parts.filter(|part| part.starts_with(&format!("{number} ")));
        let part = parts.next().unwrap_or_else(|| panic!("#{number} is not there: {page}"));
        let end = kinds
            .iter()
            .filter_map(|kind| part.find(kind))
            .min()
            .unwrap_or(part.len());
        part[..end].to_owned()
    }

    /// A labelled issue that shows how the kiosk fails at a task.
    pub(crate) async fn reports(&self, task: &str) -> u64 {
        let trace = trace_of(task).await;
        let title = format!("{task} fails");
        let issue = self.bob.opens_issue(&title, &format!("```json\n{trace}\n```"));
        self.alice.labels(issue, "agent-failure");
        issue
    }

    /// Jobs from now on give up at the first thing that goes wrong.
    pub(crate) fn without_patience(self) -> Self {
        Self { tries: 1, ..self }
    }

    /// The same with a person's token.
    pub(crate) fn forge_of_alice(&self) -> Forge {
        let token = self.fake.user_token("alice");
        let repo = RepoName::parse(REPO).unwrap();
        Forge::new(ForgeConfig::new(
            self.fake.api_url(),
            repo,
            Credentials::Token(token.into()),
        ))
        .unwrap()
    }

    fn clock(&self) -> Clock {
        let now = self.fake.clock();
        Arc::new(move || format!("{:.6}", now()))
    }

    /// A folder for the next job, as a fresh runner has it.
    fn fresh(&self) -> PathBuf {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.path().join(format!("job-{number}"));
        fs_err::create_dir_all(&dir).unwrap();
        dir
    }

    fn hub<'a>(&'a self, forge: &'a Forge, scratch: &'a Path, workspace: &Workspace) -> Hub<'a> {
        let web = self.fake.api_url();
        Hub {
            forge,
            config: &self.config,
            place: Place {
                host: web.split("://").last().unwrap().to_owned(),
                repo: RepoName::parse(REPO).unwrap(),
            },
            scratch,
            tasks: vec![TaskId::new("k00"), TaskId::new("k01")],
            suite: project::suite(&workspace.files().unwrap()).unwrap(),
            git_url: self.fake.repo(REPO).clone_url(),
            advisor: None,
        }
    }

    async fn notebook(&self, hub: &Hub<'_>, dir: &Path) -> Result<Notebook, FlowError> {
        let remote = hub.remote().await?;
        let opened = tokio::task::block_in_place(|| BranchStore::open(remote, "sprag/state", dir));
        let (store, damage) = opened?;
        assert_eq!(damage, []);
        Ok(Notebook::open(
            store.patient(8, |_| {}),
            hub.forge.clone(),
            self.clock(),
            dir.display().to_string(),
        )?)
    }

    /// As `actions/checkout` does it before sprag begins; what goes wrong there is not sprag's.
    fn checkout(&self, dir: &Path) -> Workspace {
        let token = self.fake.user_token("alice");
        let path = dir.join("repo");
        let clone = || {
            let mut callbacks = git2::RemoteCallbacks::new();
            callbacks.credentials(|_, _, _| git2::Cred::userpass_plaintext("x-access-token", &token));
            let mut fetch = git2::FetchOptions::new();
            fetch.remote_callbacks(callbacks);
            git2::build::RepoBuilder::new()
                .fetch_options(fetch)
                .clone(&self.fake.repo(REPO).clone_url(), &path)
        };
        clone().or_else(|_| clone()).unwrap();
        Workspace::open(&path).unwrap()
    }

    /// `sprag sync` on a fresh runner.
    pub(crate) async fn sync(&self) -> Result<sync::Report, FlowError> {
        let dir = self.fresh();
        let workspace = self.checkout(&dir);
        self.sync_in(&dir, &workspace).await
    }

    pub(crate) async fn sync_in(&self, dir: &Path, workspace: &Workspace) -> Result<sync::Report, FlowError> {
        let forge = self.forge();
        let hub = self.hub(&forge, dir, workspace);
        let mut notebook = self.notebook(&hub, dir).await?;
        sync::sync(&hub, &mut notebook, &Progress::new(true, false)).await
    }

    /// One job notes this, and another reads it.
    pub(crate) async fn passes_on(&self, what: What) -> Result<Book, FlowError> {
        let forge = self.forge();
        for what in [Some(what), None] {
            let dir = self.fresh();
            let workspace = self.checkout(&dir);
            let hub = self.hub(&forge, &dir, &workspace);
            let mut notebook = self.notebook(&hub, &dir).await?;
            match what {
                Some(what) => notebook.note(what),
                None => return Ok(notebook.book().clone()),
            }
            notebook.keep()?;
        }
        unreachable!("the second job returns")
    }

    /// A job that learns something at its beginning and something two hours later.
    pub(crate) async fn long_job(&self) -> Result<(), FlowError> {
        let dir = self.fresh();
        let workspace = self.checkout(&dir);
        let forge = self.forge();
        let hub = self.hub(&forge, &dir, &workspace);
        let mut notebook = self.notebook(&hub, &dir).await?;
        for hours in [0, 2] {
            self.fake.advance(Duration::from_hours(hours));
            notebook.note(What::ReadUntil {
                stream: "a test".to_owned(),
                cursor: hours.to_string(),
            });
            notebook.keep()?;
        }
        Ok(())
    }

    /// `sprag run` on a fresh runner.
    pub(crate) async fn run(&self) -> Result<Done, FlowError> {
        let dir = self.fresh();
        let workspace = self.checkout(&dir);
        self.run_in(&dir, &workspace).await
    }

    pub(crate) async fn run_in(&self, dir: &Path, workspace: &Workspace) -> Result<Done, FlowError> {
        let forge = self.forge();
        let hub = self.hub(&forge, dir, workspace);
        let progress = Progress::new(true, false);
        let mut notebook = self.notebook(&hub, dir).await?;
        let mut report = sync::sync(&hub, &mut notebook, &progress).await?;
        let begun = self.begun(&notebook, workspace);
        let kiosk = self.kiosk();
        let request = self.request(dir, workspace, &kiosk, &notebook, &begun);
        let (store, _) = DirStore::open(&request.out.join(".sprag/state"))?;
        let done = job::run(&hub, &mut notebook, &request, store, &begun, &progress).await?;
        sync::answer(&hub, &mut notebook, &mut report, &progress).await?;
        Ok(done)
    }

    /// `sprag sync`, then `sprag optimize` with a token that may write nothing. The folder of the bundle comes back.
    pub(crate) async fn optimize(&self) -> Result<PathBuf, FlowError> {
        self.sync().await?;
        let dir = self.fresh();
        let workspace = self.checkout_commit(&dir);
        let read = ["contents", "pull_requests"].map(|name| (name, "read"));
        let token = self.fake.repo(REPO).job_token(&read);
        let forge = self.forge_as(Credentials::Token(token.into()));
        let hub = self.hub(&forge, &dir, &workspace);
        let notebook = self.notebook(&hub, &dir).await?;
        let begun = self.begun(&notebook, &workspace);
        let kiosk = self.kiosk();
        let request = self.request(&dir, &workspace, &kiosk, &notebook, &begun);
        let (store, _) = DirStore::open(&request.out.join(".sprag/state"))?;
        let progress = Progress::new(true, false);
        let (bundle, ended) = job::optimize(&hub, notebook, &request, store, &begun, &progress).await?;
        ended?;
        let folder = dir.join("bundle");
        bundle.write(&folder)?;
        Ok(folder)
    }

    /// `sprag publish` on a fresh runner.
    pub(crate) async fn publish(&self, folder: &Path) -> Result<Published, FlowError> {
        let bundle = Bundle::read(folder)?;
        let dir = self.fresh();
        let workspace = self.checkout_commit(&dir);
        let forge = self.forge();
        let hub = self.hub(&forge, &dir, &workspace);
        let mut notebook = self.notebook(&hub, &dir).await?;
        let begun = self.begun(&notebook, &workspace);
        let request = self.request(&dir, &workspace, &Nobody, &notebook, &begun);
        let published = handover::publish(&hub, &mut notebook, &request, bundle).await?;
        let progress = Progress::new(true, false);
        sync::answer(&hub, &mut notebook, &mut sync::Report::default(), &progress).await?;
        Ok(published)
    }

    /// As `actions/checkout` does it when it is given a commit: on no branch.
    fn checkout_commit(&self, dir: &Path) -> Workspace {
        drop(self.checkout(dir));
        let path = dir.join("repo");
        let repository = git2::Repository::open(&path).unwrap();
        let head = repository.head().unwrap().target().unwrap();
        repository.set_head_detached(head).unwrap();
        Workspace::open(&path).unwrap()
    }

    fn begun(&self, notebook: &Notebook, workspace: &Workspace) -> Begun {
        let harness = self.project(workspace).files.harness;
        Begun::next(notebook, &self.config.digest(), "kiosk", &harness, &self.mark())
    }

    fn project(&self, workspace: &Workspace) -> Project {
        let config = &self.config;
        Project::new(workspace.files().unwrap(), &config.harness, &config.runner.command).unwrap()
    }

    fn request<'a>(
        &'a self,
        dir: &Path,
        workspace: &'a Workspace,
        runner: &'a dyn Runner,
        notebook: &Notebook,
        begun: &Begun,
    ) -> Request<'a> {
        let project = self.project(workspace);
        let config = &self.config;
        Request {
            config,
            workspace,
            harness: project.files.harness,
            policy: project.policy,
            runner,
            advisor: None,
            agent: None,
            runner_identity: "kiosk".to_owned(),
            project: REPO.to_owned(),
            out: dir.join("out"),
            seed: begun.plan().map_or(56, |plan| plan.seed),
            batches: 1,
            experiments: config.budget.experiments,
            merge: false,
            issues: notebook.book().to_run(),
            known: notebook
                .book()
                .known(&project::suite(&workspace.files().unwrap()).unwrap()),
            sandbox: "A (namespaces)",
            clock: self.clock(),
            wall: Duration::from_secs(3600),
            interrupted: Arc::default(),
        }
    }
}

impl Scene {
    /// `sprag gate` on a fresh runner, for a pull request.
    pub(crate) async fn gate(&self, number: u64) -> Result<pull::Outcome, GateError> {
        let seen = self.forge().pull(number).await.map_err(FlowError::from)?;
        self.gate_of(&Target {
            name: format!("#{number}"),
            base: seen.base_sha,
            head: seen.head_sha,
            stranger: seen.from_fork.then_some(Stranger::Fork),
            asked: false,
            takes_back: false,
        })
        .await
    }

    /// `sprag gate` on a fresh runner, for an event.
    pub(crate) async fn gate_on(&self, event: &str, payload: &serde_json::Value) -> Result<pull::Outcome, GateError> {
        let hint = Webhook::read(event, &payload.to_string()).unwrap().hint;
        let target = pull::target(&self.forge_to_gate(), &hint).await?;
        self.gate_of(&target.expect("it is about a pull request")).await
    }

    async fn gate_of(&self, target: &Target) -> Result<pull::Outcome, GateError> {
        self.gate_with(self.forge_to_gate(), target).await
    }

    /// `sprag gate` on a fresh runner that has no more than the token of its job, for an event.
    pub(crate) async fn gate_of_job_on(
        &self,
        event: &str,
        payload: &serde_json::Value,
    ) -> Result<pull::Outcome, GateError> {
        let read = ["contents", "pull_requests"].map(|name| (name, "read"));
        let token = self
            .fake
            .repo(REPO)
            .job_token(&[&read[..], &[("checks", "write")]].concat());
        let forge = self.forge_as(Credentials::Token(token.into()));
        let hint = Webhook::read(event, &payload.to_string()).unwrap().hint;
        let target = pull::target(&forge, &hint).await?.expect("it is about a pull request");
        self.gate_with(forge, &target).await
    }

    async fn gate_with(&self, forge: Forge, target: &Target) -> Result<pull::Outcome, GateError> {
        let dir = self.fresh();
        let workspace = self.checkout(&dir);
        let hub = self.hub(&forge, &dir, &workspace);
        let quarantined = self.notebook(&hub, &dir.join("facts")).await?.book().not_counted();
        let place = pull::Place {
            forge: &forge,
            workspace: &workspace,
            remote: &hub.remote().await?,
            config_name: "sprag.toml",
            quarantined: &quarantined,
        };
        let kiosk = self.kiosk();
        let measure = async |setup: &pull::Setup, tell: &dyn gate::Tell| {
            let project =
                Project::new(setup.files.clone(), &setup.config.harness, &setup.config.runner.command).unwrap();
            let request = Request {
                config: &setup.config,
                workspace: &workspace,
                harness: project.files.harness,
                policy: project.policy,
                runner: &kiosk,
                advisor: None,
                agent: None,
                runner_identity: "kiosk".to_owned(),
                project: REPO.to_owned(),
                out: dir.join("gate"),
                seed: 1,
                batches: 0,
                experiments: 1,
                merge: false,
                issues: Vec::new(),
                known: Known::default(),
                sandbox: "A (namespaces)",
                clock: self.clock(),
                wall: Duration::from_secs(3600),
                interrupted: Arc::default(),
            };
            let (mut store, _) = DirStore::open(&request.out).map_err(FlowError::from)?;
            let progress = Progress::new(true, false);
            let experiment = gate::measure(&request, &setup.change, &mut store, &progress, tell).await?;
            Ok((experiment, request.sandbox))
        };
        place.on_pull(target, measure).await
    }

    /// `sprag sync` on a fresh runner, for a button on a check run. What was said of it comes back.
    pub(crate) async fn press(&self, payload: &serde_json::Value) -> Result<Option<String>, FlowError> {
        let Hint::CheckRun(check) = Webhook::read("check_run", &payload.to_string()).unwrap().hint else {
            panic!("{payload} is about no check run");
        };
        let dir = self.fresh();
        let workspace = self.checkout(&dir);
        let forge = self.forge();
        let hub = self.hub(&forge, &dir, &workspace);
        let mut notebook = self.notebook(&hub, &dir).await?;
        sync::press(&hub, &mut notebook, &check).await
    }
}

/// Why a gate could not be measured.
#[derive(Debug)]
pub(crate) enum GateError {
    Flow(#[expect(dead_code, reason = "it is shown")] FlowError),
    Setup(#[expect(dead_code, reason = "it is shown")] SetupError),
}

impl From<FlowError> for GateError {
    fn from(error: FlowError) -> Self {
        Self::Flow(error)
    }
}

impl From<SetupError> for GateError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

/// The recorded run of a train task on the harness that everything begins with, as a worker writes it.
pub(crate) async fn trace_of(task: &str) -> String {
    let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
    let harness = Harness::new([("agent/steps.toml".to_owned(), kiosk::STEPS.to_owned())]);
    let jobs = [Job {
        task: TaskId::new(task),
        case: None,
        trial: 0,
        seed: 1,
        trace: true,
    }];
    Kiosk::new().run(&harness, &jobs, done).await.unwrap();
    let (_, trial) = results.recv().await.unwrap();
    json!({"task": task, "passed": trial.passed(), "trace": trial.trace}).to_string()
}

/// A zip with files, as an artifact is.
pub(crate) fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
