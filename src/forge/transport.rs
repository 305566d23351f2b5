//! Sends one request and reads one answer, bounded. Nothing is tried again here, no redirect is followed, no secret is logged.

use super::call::Call;
use super::classify;
use super::endpoint::Endpoint;
use super::error::{ErrorClass, ForgeError, Refusal};
use crate::client::{self, AGENT, cause};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, USER_AGENT};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An answer in JSON may have so many bytes.
const MAX_BODY: usize = 64 << 20;

/// The way to one API.
pub(super) struct Transport {
    crab: Octocrab,
    /// For downloads, which are no API calls.
    plain: reqwest::Client,
    base: Url,
    sent: AtomicU64,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) etag: Option<String>,
    pub(super) link: Option<String>,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
}

impl Transport {
    pub(super) fn new(api_url: &str, timeout: Duration) -> Result<Self, ForgeError> {
        let plain = client::new(timeout).map_err(ForgeError::Client)?;
        // No layer of octocrab's own: they add a second user agent and log every status that is tried again as an error.
        let Ok(crab) = OctocrabBuilder::new_empty()
            .with_service(ReqwestConnector::new(plain.clone()))
            .with_auth(AuthState::None)
            .build();
        Ok(Self {
            crab,
            plain,
            base: base(api_url)?,
            sent: AtomicU64::new(0),
        })
    }

    /// Requests sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The address of the API.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request of the API; the body of the answer is not read yet.
    pub(super) async fn send(
        &self,
        call: &Call,
        bearer: Option<&SecretString>,
        etag: Option<&str>,
    ) -> Result<Response, ForgeError> {
        let endpoint = call.endpoint;
        let base = self.base.as_str().trim_end_matches('/');
        let mut request = http::Request::builder()
            .method(endpoint.method())
            .uri(format!("{base}{}", call.target()))
            .header(ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .header(USER_AGENT, AGENT);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, authorization(bearer)?);
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let body = call.body.as_ref().map(ToString::to_string);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.unwrap_or_default())
            .map_err(|error| ForgeError::refused(endpoint, ErrorClass::Invalid, error.to_string()))?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(method = endpoint.method(), path = endpoint.path(), "request");
        let response = self
            .crab
            .execute(request)
            .await
            .map_err(|error| ForgeError::refused(endpoint, ErrorClass::Transient, cause(&error)))?;
        Ok(response.map(reqwest::Body::wrap).into())
    }

    /// Gets an address that is not of the API.
    pub(super) async fn get(
        &self,
        endpoint: Endpoint,
        url: &Url,
        bearer: Option<&SecretString>,
    ) -> Result<Response, ForgeError> {
        let mut request = self.plain.get(url.clone());
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, authorization(bearer)?);
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        let sent = request.send().await;
        sent.map_err(|error| ForgeError::refused(endpoint, ErrorClass::Transient, cause(&error)))
    }
}

/// Reads a whole answer, and makes an error of one that is no success. `304` counts as one.
pub(super) async fn read(endpoint: Endpoint, mut response: Response, now: Timestamp) -> Result<Answer, ForgeError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = chunk(endpoint, &mut response).await? {
        if body.len() + chunk.len() > MAX_BODY {
            let message = format!("the answer is longer than {} MB", MAX_BODY >> 20);
            return Err(ForgeError::refused(endpoint, ErrorClass::Broken, message));
        }
        body.extend_from_slice(&chunk);
    }
    let headers = response.headers();
    if !status.is_success() && status != StatusCode::NOT_MODIFIED {
        return Err(classify::refusal(endpoint, status, headers, &body, now).into());
    }
    let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Ok(Answer {
        status,
        etag: text(ETAG),
        link: text(LINK),
        date: classify::date(headers),
        body,
    })
}

/// The next piece of a body. One that ends too early is an error.
pub(super) async fn chunk(
    endpoint: Endpoint,
    response: &mut Response,
) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, ForgeError> {
    let status = response.status().as_u16();
    response.chunk().await.map_err(|error| {
        Refusal {
            status: Some(status),
            ..Refusal::new(
                endpoint,
                ErrorClass::Transient,
                format!("the answer broke off: {}", cause(&error)),
            )
        }
        .into()
    })
}

fn authorization(bearer: &SecretString) -> Result<HeaderValue, ForgeError> {
    // The error would show the header, so it is not passed on.
    let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret().trim())) else {
        return Err(ForgeError::Client(
            "the token has characters that no token has".to_owned(),
        ));
    };
    value.set_sensitive(true);
    Ok(value)
}

/// The base of an API.
fn base(api_url: &str) -> Result<Url, ForgeError> {
    client::base(api_url).map_err(|what| ForgeError::Address {
        what,
        url: api_url.to_owned(),
    })
}
