//! Requests until they are answered: waits by class of error, mutations one after the other, answers that need not be sent again.

use super::Forge;
use super::cache::Kept;
use super::call::Call;
use super::endpoint::{Endpoint, Speaker};
use super::error::{ErrorClass, ForgeError, Refusal};
use super::lately::Lately;
use super::transport::{self, Answer};
use http::StatusCode;
use jiff::Timestamp;
use reqwest::Response;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::MutexGuard;

/// The first wait after an answer that did not come.
const TRANSIENT: Duration = Duration::from_secs(1);
/// The first wait after a secondary limit that does not say how long.
const SECONDARY: Duration = Duration::from_secs(60);

/// How long one operation is tried: so many times, and no longer than that in all.
pub(super) struct Patience<'a> {
    forge: &'a Forge,
    tries: u32,
    waited: Duration,
    transient: Duration,
    secondary: Duration,
}

impl Patience<'_> {
    /// Waits for the next try, or gives the error back when it is hopeless or has lasted too long.
    pub(super) async fn after(&mut self, error: ForgeError) -> Result<(), ForgeError> {
        let ForgeError::Refused(mut refusal) = error else {
            return Err(error);
        };
        let step = match refusal.class {
            ErrorClass::Transient => &mut self.transient,
            ErrorClass::RateLimited => &mut self.secondary,
            _ => return Err(ForgeError::Refused(refusal)),
        };
        // It was given up before: what it is a part of is not tried all over again.
        if refusal.again_at.is_some() {
            return Err(ForgeError::Refused(refusal));
        }
        let wait = refusal.wait.unwrap_or(*step);
        *step = step.saturating_mul(2);
        self.tries += 1;
        self.waited = self.waited.saturating_add(wait);
        let config = &self.forge.inner.config;
        if self.tries >= config.max_tries || self.waited > config.max_wait {
            let now = self.forge.now();
            refusal.again_at = Some(now.saturating_add(wait).unwrap_or(now));
            return Err(ForgeError::Refused(refusal));
        }
        tracing::info!("{refusal}; next try in {} s", wait.as_secs());
        (config.wait)(wait).await;
        Ok(())
    }
}

/// The right to change something. There is one, so changes come one after the other, as GitHub asks for.
pub(super) struct Turn<'a>(MutexGuard<'a, Lately>);

impl Forge {
    pub(super) fn now(&self) -> Timestamp {
        (self.inner.config.clock)()
    }

    pub(super) fn patience(&self) -> Patience<'_> {
        Patience {
            forge: self,
            tries: 0,
            waited: Duration::ZERO,
            transient: TRANSIENT,
            secondary: SECONDARY,
        }
    }

    /// Waits for the right to change something.
    pub(super) async fn turn(&self) -> Turn<'_> {
        Turn(self.inner.mutation.lock().await)
    }

    /// Reads until there is an answer.
    pub(super) async fn read<T: for<'de> Deserialize<'de>>(&self, call: &Call) -> Result<T, ForgeError> {
        Ok(self.read_page(call).await?.0)
    }

    /// Reads until there is an answer; with its `Link` header.
    pub(super) async fn read_page<T: for<'de> Deserialize<'de>>(
        &self,
        call: &Call,
    ) -> Result<(T, Option<String>), ForgeError> {
        let mut patience = self.patience();
        loop {
            match self.read_once(call).await {
                Ok(page) => return Ok(page),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    async fn read_once<T: for<'de> Deserialize<'de>>(&self, call: &Call) -> Result<(T, Option<String>), ForgeError> {
        let target = call.target();
        let kept = self.cache().get(&target);
        let response = self.send(call, kept.as_ref().map(|kept| kept.etag.as_str())).await?;
        let answer = transport::read(call.endpoint, response, self.now()).await?;
        let (body, link): (Arc<[u8]>, _) = match kept {
            Some(kept) if answer.status == StatusCode::NOT_MODIFIED => (kept.body, kept.link),
            _ => (answer.body.into(), answer.link),
        };
        let value = decode(call.endpoint, &body)?;
        // Only what could be read is kept: half an answer must not come back.
        if let Some(etag) = answer.etag {
            let link = link.clone();
            self.cache().keep(target, Kept { etag, body, link });
        }
        Ok((value, link))
    }

    /// Changes something where repeating is harmless, until there is an answer.
    pub(super) async fn change<T: for<'de> Deserialize<'de>>(
        &self,
        turn: &mut Turn<'_>,
        call: &Call,
    ) -> Result<T, ForgeError> {
        let mut patience = self.patience();
        loop {
            match self.change_once(turn, call).await {
                Ok(value) => return Ok(value),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// Tries once to change something. After a [`ErrorClass::Transient`] error it is unknown whether it was done.
    pub(super) async fn change_once<T: for<'de> Deserialize<'de>>(
        &self,
        turn: &mut Turn<'_>,
        call: &Call,
    ) -> Result<T, ForgeError> {
        let config = &self.inner.config;
        // What GitHub calls creating content. Comments that are edited in place are none.
        let creates = call.endpoint.method() == "POST";
        let wait = turn.0.wait(self.now(), config.pace, creates);
        if wait > config.max_wait {
            return Err(self.too_much_made(call.endpoint, wait).into());
        }
        if !wait.is_zero() {
            (config.wait)(wait).await;
        }
        let answer = self.answer(call).await;
        turn.0.sent(self.now(), creates);
        let answer = answer?;
        match answer.status {
            StatusCode::NO_CONTENT => decode(call.endpoint, b"null"),
            _ => decode(call.endpoint, &answer.body),
        }
    }

    /// As much was created as GitHub takes; a later job goes on.
    fn too_much_made(&self, endpoint: Endpoint, wait: Duration) -> Refusal {
        let now = self.now();
        let message = "as much was created within an hour as GitHub takes";
        Refusal {
            again_at: Some(now.saturating_add(wait).unwrap_or(now)),
            ..Refusal::new(endpoint, ErrorClass::RateLimited, message)
        }
    }

    async fn answer(&self, call: &Call) -> Result<Answer, ForgeError> {
        let response = self.send(call, None).await?;
        transport::read(call.endpoint, response, self.now()).await
    }

    /// Sends with the token; with a new one, once, if GitHub no longer takes it. That is safe for changes too: GitHub did nothing.
    pub(super) async fn send(&self, call: &Call, etag: Option<&str>) -> Result<Response, ForgeError> {
        debug_assert_eq!(call.endpoint.speaker(), Speaker::Token);
        let token = self.token().await?;
        let response = self.inner.transport.send(call, Some(&token), etag).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.forget(&token).await {
            let token = self.token().await?;
            return self.inner.transport.send(call, Some(&token), etag).await;
        }
        Ok(response)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, super::cache::Cache> {
        self.inner
            .cache
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Reads JSON. Text that is none was cut off on the way; JSON of another shape will not become better.
pub(super) fn decode<T: for<'de> Deserialize<'de>>(endpoint: Endpoint, body: &[u8]) -> Result<T, ForgeError> {
    serde_json::from_slice(body).map_err(|error| {
        let class = if error.is_data() {
            ErrorClass::Broken
        } else {
            ErrorClass::Transient
        };
        ForgeError::refused(endpoint, class, format!("the answer cannot be read: {error}"))
    })
}
