//! The provider behind the proxy: one address, one key, no redirects. Of what a process sends, only the body and Anthropic's version headers
//! go on.

use crate::client;
use crate::model::{self, ModelError};
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use sprag_core::config::AgentModelConfig;
use sprag_core::model::{Provider, Route};
use std::fmt;
use std::time::Duration;

/// Features of Anthropic that reach files, servers or machines at the provider. Without the parts of a request that are refused anyway they
/// do nothing; they are left out all the same.
const BETAS: [&str; 6] = ["files-api", "mcp", "code-execution", "web-", "skills", "batch"];

/// Where the requests go.
pub(super) struct Upstream {
    client: reqwest::Client,
    base: Url,
    headers: HeaderMap,
    key: Option<SecretString>,
    provider: Provider,
    /// How long a whole answer may take.
    pub(super) limit: Duration,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Upstream {
    pub(super) fn new(config: &AgentModelConfig, key: Option<SecretString>) -> Result<Self, ModelError> {
        let address = config.base_url.as_deref().or(config.provider.base_url());
        let address = address.unwrap_or_default();
        let timeout = Duration::from_millis(config.timeout_ms);
        Ok(Self {
            client: client::new(timeout).map_err(ModelError::Client)?,
            base: client::base(address).map_err(|what| ModelError::Address {
                what,
                url: address.to_owned(),
            })?,
            headers: model::headers(config.provider, key.as_ref())?,
            key,
            provider: config.provider,
            limit: timeout.saturating_mul(10),
        })
    }

    /// Asks once. The error says why there is no answer, and whether the request was never sent.
    pub(super) async fn ask(&self, route: Route, sent: &HeaderMap, body: String) -> Result<Response, (String, bool)> {
        let address = format!("{}{}", self.base.as_str().trim_end_matches('/'), route.path());
        let mut headers = self.headers.clone();
        // An answer that is packed could not be counted.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.provider == Provider::Anthropic {
            versions(sent, &mut headers);
        }
        let request = self.client.post(address).headers(headers).body(body);
        let answer = request.send().await;
        answer.map_err(|error| (client::cause(&error), error.is_connect()))
    }

    /// Whether a header of an answer repeats the key.
    pub(super) fn is_told_by(&self, value: &HeaderValue) -> bool {
        let key = self.key.as_ref().map(|key| key.expose_secret().as_bytes());
        key.is_some_and(|key| value.as_bytes().windows(key.len()).any(|part| part == key))
    }

    /// Providers repeat a key that they refuse.
    pub(super) fn without_key(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(key) = &self.key else { return bytes };
        let key = key.expose_secret().as_bytes();
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.windows(key.len()).position(|part| part == key) {
            clean.extend_from_slice(&rest[..at]);
            clean.extend_from_slice(b"[key]");
            rest = &rest[at + key.len()..];
        }
        clean.extend_from_slice(rest);
        clean
    }
}

/// Which version of Anthropic's interface a client speaks.
fn versions(sent: &HeaderMap, headers: &mut HeaderMap) {
    let version = HeaderName::from_static("anthropic-version");
    if let Some(value) = sent.get(&version) {
        headers.insert(version, value.clone());
    }
    let beta = HeaderName::from_static("anthropic-beta");
    let asked = sent.get_all(&beta).iter().filter_map(|value| value.to_str().ok());
    let harmless = asked
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !BETAS.iter().any(|begin| name.starts_with(begin)));
    let value = harmless.collect::<Vec<_>>().join(",");
    if let Some(value) = HeaderValue::from_str(&value).ok().filter(|_| !value.is_empty()) {
        headers.insert(beta, value);
    }
}
