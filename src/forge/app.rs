//! The GitHub App itself: what GitHub knows of it, and how a new one comes into being.

use super::endpoint;
use super::send::decode;
use super::transport::{self, Transport};
use super::{Forge, ForgeError, wire};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use sprag_core::github::RepoName;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the conversion may pause.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A GitHub App, as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct App {
    /// Its id.
    pub id: u64,
    /// Its name in addresses; its comments come from `<slug>[bot]`.
    pub slug: String,
    /// What it asks for, by name: `issues` → `write`. What an installation was granted is in [`Forge::granted`].
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// What it is told of.
    #[serde(default)]
    pub events: Vec<String>,
}

/// An app that was just made, with the secrets that are shown this once.
#[derive(Debug, Deserialize)]
pub struct NewApp {
    /// Its id.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its page, where it is installed.
    pub html_url: String,
    /// Its private key.
    #[serde(deserialize_with = "wire::secret")]
    pub pem: SecretString,
    /// What its webhooks are signed with, if it has any.
    #[serde(default, deserialize_with = "wire::secret_if_any")]
    pub webhook_secret: Option<SecretString>,
}

impl Forge {
    /// The app that asks.
    ///
    /// # Errors
    /// [`ForgeError::NotAnApp`] with a plain token.
    pub async fn app(&self) -> Result<App, ForgeError> {
        Ok(self.as_app(&self.call(endpoint::APP, &[])).await?.0)
    }
}

/// Turns the code that GitHub gave after a manifest was accepted into the app. Asked once only: the code is spent with it.
///
/// # Errors
/// [`super::ErrorClass::NotFound`] when the code is wrong, spent, or older than an hour.
pub async fn convert_manifest(api_url: &str, code: &str) -> Result<NewApp, ForgeError> {
    let transport = Transport::new(api_url, TIMEOUT)?;
    let nowhere = RepoName {
        owner: String::new(),
        name: String::new(),
    };
    let call = endpoint::MANIFEST.call(&nowhere, &[&code]);
    let response = transport.send(&call, None, None).await?;
    let answer = transport::read(call.endpoint, response, Timestamp::now()).await?;
    decode(call.endpoint, &answer.body)
}
