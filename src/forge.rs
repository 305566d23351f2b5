//! GitHub, as sprag uses it: one repository, over HTTP. Every operation may be repeated: what is to be created is looked for first, and again
//! when it is unknown whether GitHub acted. Reads ask with `ETag`s; changes come one after the other; rate limits are waited for.
//!
//! Transport and errors are in `forge/transport.rs`, `forge/send.rs` and `forge/classify.rs`, the identity in `forge/auth.rs`; the other files below hold the operations by what they are about.

mod actions;
mod app;
mod auth;
mod cache;
mod call;
mod checks;
mod classify;
mod comments;
mod download;
mod endpoint;
mod error;
mod events;
mod issues;
mod labels;
mod lately;
mod list;
mod pulls;
mod repository;
mod send;
mod transport;
mod wire;

pub use app::{App, NewApp, convert_manifest};
pub use endpoint::{ENDPOINTS, Endpoint};
pub use error::{ErrorClass, ForgeError, Refusal};
pub use issues::{IssueChange, StateReason};
pub use labels::Reaction;
pub use repository::{Branch, Repository};

use auth::Identity;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lately::{Lately, Pushes};
use secrecy::SecretString;
use sprag_core::github::{Actor, Permission, RepoName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use transport::Transport;

/// Where the repository is, who asks, and how patiently.
#[derive(Clone)]
pub struct ForgeConfig {
    /// `https://api.github.com`, or `https://<host>/api/v3`. `http` only on this machine.
    pub api_url: String,
    /// The repository.
    pub repo: RepoName,
    /// Who asks.
    pub credentials: Credentials,
    /// What the tokens of an App are good for, name and access; all that the App may when empty. A plain token is what it is.
    pub permissions: &'static [(&'static str, &'static str)],
    /// The least time between two changes; zero: no change and no push waits for anything.
    pub pace: Duration,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How to wait.
    pub wait: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
    /// How long one operation waits in all before it gives up.
    pub max_wait: Duration,
    /// How often one operation is tried.
    pub max_tries: u32,
    /// How long connecting, and each pause while reading, may take.
    pub timeout: Duration,
}

impl ForgeConfig {
    /// What suits github.com, with the real clock.
    pub fn new(api_url: impl Into<String>, repo: RepoName, credentials: Credentials) -> Self {
        Self {
            api_url: api_url.into(),
            repo,
            credentials,
            permissions: &[],
            pace: Duration::from_secs(1),
            clock: Arc::new(Timestamp::now),
            wait: Arc::new(|wait| Box::pin(tokio::time::sleep(wait))),
            max_wait: Duration::from_mins(15),
            max_tries: 8,
            timeout: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for ForgeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForgeConfig")
            .field("api_url", &self.api_url)
            .field("repo", &self.repo)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A token: the job's `GITHUB_TOKEN`, or a person's.
    Token(SecretString),
    /// A GitHub App, which must be installed in the repository.
    App {
        /// The app's id or client id.
        id: String,
        /// RSA, PEM, PKCS#1 or PKCS#8; line ends may be written as `\n`.
        private_key: SecretString,
    },
}

/// What somebody may do, and their id where GitHub tells it.
type Standing = (Permission, Option<u64>);

/// One repository on GitHub. Cheap to clone; clones share tokens, cache and the order of changes.
#[derive(Clone)]
pub struct Forge {
    inner: Arc<Inner>,
}

struct Inner {
    config: ForgeConfig,
    repo: RepoName,
    transport: Transport,
    identity: Identity,
    cache: Mutex<cache::Cache>,
    /// What was changed lately.
    mutation: tokio::sync::Mutex<Lately>,
    pushes: Mutex<Pushes>,
    myself: tokio::sync::OnceCell<Actor>,
    private: tokio::sync::OnceCell<bool>,
    permissions: Mutex<BTreeMap<String, Standing>>,
    /// Labels that the repository has.
    labels: Mutex<BTreeSet<String>>,
}

impl Forge {
    /// A forge for one repository. Nothing is sent yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the address is not https, or the private key cannot be read.
    pub fn new(config: ForgeConfig) -> Result<Self, ForgeError> {
        Ok(Self {
            inner: Arc::new(Inner {
                transport: Transport::new(&config.api_url, config.timeout)?,
                identity: Identity::new(config.credentials.clone())?,
                repo: config.repo.clone(),
                config,
                cache: Mutex::default(),
                mutation: tokio::sync::Mutex::default(),
                pushes: Mutex::default(),
                myself: tokio::sync::OnceCell::new(),
                private: tokio::sync::OnceCell::new(),
                permissions: Mutex::default(),
                labels: Mutex::default(),
            }),
        })
    }

    /// Whether sprag acts as an App of its own, and not with a job's or a person's token.
    pub fn is_app(&self) -> bool {
        matches!(self.inner.identity, Identity::App { .. })
    }

    /// How long the next push of git has to wait, so that there are no more than GitHub likes. It counts as done then.
    pub fn push_wait(&self) -> Duration {
        if self.inner.config.pace.is_zero() {
            return Duration::ZERO;
        }
        let mut pushes = self.inner.pushes.lock().unwrap_or_else(PoisonError::into_inner);
        pushes.next(self.now())
    }

    /// Waits until git may push.
    pub async fn push_turn(&self) {
        let wait = self.push_wait();
        if !wait.is_zero() {
            (self.inner.config.wait)(wait).await;
        }
    }

    /// The requests sent so far, all kinds counted.
    pub fn requests(&self) -> u64 {
        self.inner.transport.sent()
    }
}

impl fmt::Debug for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forge")
            .field("api_url", &self.inner.config.api_url)
            .field("repo", &self.inner.repo)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
