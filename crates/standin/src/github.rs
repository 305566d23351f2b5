//! API, git and contents on one port of this machine, with a clock of its own, people, and faults on demand.
//!
//! It is held to GitHub's official description: every exchange is checked by [`crate::contract`], and violations that nobody looked at fail the
//! test. What the description cannot say (who may do what, what a 422 is given for) follows GitHub's documentation.

mod api;
mod auth;
mod fault;
mod git;
mod line;
mod page;
mod people;
mod server;
mod view;
mod world;

pub use fault::Fault;
pub use people::{Person, Repository};
pub use server::Exchange;

use crate::contract::Endpoint;
use jiff::Timestamp;
use line::{Cut, Door};
use server::Shared;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;
use world::{App, Installation, Repo, Token, World};

/// What the token of a job that runs sprag, and its App, may do: access by name.
pub const PERMISSIONS: [(&str, &str); 6] = [
    ("contents", "write"),
    ("issues", "write"),
    ("pull_requests", "write"),
    ("checks", "write"),
    ("actions", "read"),
    ("metadata", "read"),
];

/// A GitHub of one test.
#[derive(Debug)]
pub struct FakeGitHub {
    shared: Arc<Shared>,
    /// `None` once it is shut down.
    runtime: Option<Runtime>,
    _folder: tempfile::TempDir,
}

impl FakeGitHub {
    /// Starts one on a free port, with a thread of its own: a test may block its own thread, or stop its runtime's clock.
    ///
    /// # Panics
    /// If there is no port or folder to be had.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("there is a thread to be had");
        let path = folder.path().to_owned();
        let started = runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                .await
                .expect("there is a free port");
            let port = listener.local_addr().expect("it is bound").port();
            let shared = Arc::new(Shared {
                world: Mutex::new(World::new(path, port)),
                record: Mutex::default(),
            });
            let router = axum::Router::new()
                .fallback(server::serve)
                .with_state(Arc::clone(&shared));
            let service = router.into_make_service_with_connect_info::<Cut>();
            tokio::spawn(async move { axum::serve(Door(listener), service).await });
            shared
        });
        let shared = started.await.expect("it starts");
        Self {
            shared,
            runtime: Some(runtime),
            _folder: folder,
        }
    }

    /// The root of the API as on github.com.
    pub fn api_url(&self) -> String {
        self.shared.world().web.clone()
    }

    /// The root of the API as on GitHub Enterprise Server.
    pub fn enterprise_url(&self) -> String {
        format!("{}/api/v3", self.shared.world().web)
    }

    /// The time here.
    pub fn now(&self) -> Timestamp {
        self.shared.world().now
    }

    /// A function that tells the time here.
    pub fn clock(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let shared = Arc::clone(&self.shared);
        Arc::new(move || shared.world().now)
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let mut world = self.shared.world();
        world.now += by;
    }

    /// Comments and events of a repository are paged through to no more than so many; a multiple of 100.
    pub fn pages_no_further_than(&self, items: usize) {
        self.shared.world().most_items = items;
    }

    /// Makes a repository, without commits and with the branch `main` as default; the owner is made too, and may do everything.
    pub fn create_repo(&self, name: &str, private: bool) -> Repository {
        let mut world = self.shared.world();
        let owner = name.split('/').next().unwrap_or_default().to_owned();
        world.user(&owner);
        // Two ids: the one after a repository's own is that of its fork.
        let (id, _fork, created_at) = (world.id(), world.id(), world.now);
        let repo = Repo {
            id,
            name: name.to_owned(),
            private,
            created_at,
            roles: BTreeMap::from([(owner, "admin".to_owned())]),
            labels: Vec::new(),
            issues: Vec::new(),
            comments: Vec::new(),
            events: Vec::new(),
            runs: Vec::new(),
            artifacts: Vec::new(),
            checks: Vec::new(),
            protected: BTreeMap::new(),
            refuses_drafts: false,
            git: git::Git::init(&world.folder.join(format!("{name}.git"))),
        };
        world.repos.insert(name.to_owned(), repo);
        drop(world);
        self.repo(name)
    }

    /// A repository that is there.
    pub fn repo(&self, name: &str) -> Repository {
        Repository {
            shared: Arc::clone(&self.shared),
            name: name.to_owned(),
        }
    }

    /// A person, in the first repository by name; made if there is none of this login.
    pub fn person(&self, login: &str) -> Person {
        let mut world = self.shared.world();
        world.user(login);
        let repo = world.repos.keys().next().cloned().unwrap_or_default();
        Person {
            shared: Arc::clone(&self.shared),
            repo,
            login: login.to_owned(),
        }
    }

    /// A personal token: may do what its user may.
    pub fn user_token(&self, login: &str) -> String {
        let mut world = self.shared.world();
        world.user(login);
        let token = format!("ghp_{:0>36}", world.id());
        let grant = Token {
            login: login.to_owned(),
            app: None,
            repo: None,
            expires: None,
        };
        world.tokens.insert(token.clone(), grant);
        token
    }

    /// Registers an app, whose public key is `github/key.pub.pem`; gives its id.
    pub fn create_app(&self, slug: &str, permissions: &[(&str, &str)]) -> u64 {
        let mut world = self.shared.world();
        world.user(&format!("{slug}[bot]"));
        let (id, created_at) = (world.id(), world.now);
        let permissions = permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
            .collect();
        world.apps.push(App {
            id,
            slug: slug.to_owned(),
            permissions,
            created_at,
        });
        id
    }

    /// Installs an app on a repository; gives the installation's id.
    pub fn install(&self, app: u64, repo: &str) -> u64 {
        let mut world = self.shared.world();
        let id = world.id();
        world.installations.push(Installation {
            id,
            app,
            repo: repo.to_owned(),
        });
        id
    }

    /// The code with which a browser comes back from registering an app by manifest: it stands for the app made last, whose private key is `pem`.
    pub fn manifest_code(&self, pem: &str) -> String {
        let mut world = self.shared.world();
        let code = format!("{:x}", world.id());
        world.codes.insert(code.clone(), pem.to_owned());
        code
    }

    /// All tokens become unknown.
    pub fn revoke_tokens(&self) {
        self.shared.world().tokens.clear();
    }

    /// So many requests are left in this hour.
    pub fn rate_left(&self, requests: u64) {
        self.shared.world().rate_left = requests;
    }

    /// The `request`-th request of all (from 1; API, git and contents) will meet a fault; see [`Self::requests`].
    pub fn fault(&self, request: u64, fault: Fault) {
        self.shared.record().plan.at(request, fault);
    }

    /// The next request to an endpoint will meet a fault, the one after that the fault of the next call, and so on.
    pub fn fault_next(&self, method: &str, template: &str, fault: Fault) {
        let endpoint = Endpoint {
            method: method.to_owned(),
            template: template.to_owned(),
        };
        self.shared.record().plan.next(endpoint, fault);
    }

    /// Whether faults are left that no request has met.
    pub fn faults_left(&self) -> bool {
        !self.shared.record().plan.is_empty()
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.shared.record().requests
    }

    /// Every request so far, in the order of their answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.record().exchanges.clone()
    }

    /// The same to read: a line a request.
    pub fn log(&self) -> String {
        let lines = self.exchanges().into_iter().map(|exchange| {
            let fault = exchange.fault.map(|fault| format!(" [{fault:?}]")).unwrap_or_default();
            let who = exchange.who;
            format!(
                "{} {} -> {} ({who}){fault}\n",
                exchange.endpoint.method, exchange.target, exchange.status
            )
        });
        lines.collect()
    }

    /// What was not as the official description says, on either side. They count as seen from here on.
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.record().violations)
    }

    /// What a person would see: issues, pull requests, branches and check runs of all repositories.
    pub fn page(&self) -> String {
        page::page(&self.shared.world())
    }
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        let violations = self.violations();
        let seen = violations.is_empty() || std::thread::panicking();
        assert!(seen, "not as GitHub's description says:\n  {}", violations.join("\n  "));
    }
}

#[cfg(test)]
mod tests;
