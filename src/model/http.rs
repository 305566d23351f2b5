//! A provider over HTTP: limits, retries by class of fault, answers in events or whole, money.

use super::pace::Pace;
use super::purse::{Purse, Reservation};
use super::{Model, ModelError};
use crate::client;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sprag_core::config::ModelConfig;
use sprag_core::model::{
    Embeddings, EmbeddingsRequest, Fault, FaultClass, ModelAnswer, ModelRequest, Price, Prices, Provider, Received,
    TokenUsage, Wire,
};
use sprag_core::redact::Redactor;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// An answer may have so many bytes.
const MAX_BODY: usize = 64 << 20;
/// The first wait after a fault that does not say how long.
const TRANSIENT: Duration = Duration::from_secs(1);
/// The same after a rate limit.
const LIMITED: Duration = Duration::from_secs(10);
/// A whole answer may take so many times the time-out of a pause.
const PAUSES: u32 = 10;

/// Where a model is and how patiently it is asked.
#[derive(Clone)]
pub struct HttpConfig {
    /// Whose interface it has.
    pub provider: Provider,
    /// The form of requests.
    pub wire: Wire,
    /// The address of the API.
    pub base_url: String,
    /// The key, if there is one.
    pub key: Option<SecretString>,
    /// Requests at a time.
    pub concurrency: usize,
    /// Tokens a minute.
    pub tokens_per_minute: Option<u64>,
    /// How long connecting, and each pause while reading, may take.
    pub timeout: Duration,
    /// What the model costs, if anybody knows.
    pub price: Option<Price>,
    /// The same for embeddings.
    pub embeddings_price: Option<Price>,
    /// Whose money it is.
    pub purse: Arc<Purse>,
    /// How often one request is tried.
    pub max_tries: u32,
    /// How long one request waits in all before it is given up.
    pub max_wait: Duration,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How to wait.
    pub wait: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl HttpConfig {
    /// What `[model]` says, with the real clock.
    ///
    /// # Errors
    /// When it names no address.
    pub fn new(config: &ModelConfig, key: Option<SecretString>, purse: Arc<Purse>) -> Result<Self, ModelError> {
        let prices = Prices::shipped();
        let shipped = |model: &str| prices.of(config.provider, model).map(|(price, _)| price);
        let said = config.embeddings_price.map(|input| Price {
            input,
            cached_input: None,
            output: 0.0,
        });
        let base_url = config.base_url.as_deref().or(config.provider.base_url());
        Ok(Self {
            provider: config.provider,
            wire: config.wire,
            base_url: base_url.unwrap_or_default().to_owned(),
            key,
            concurrency: config.concurrency,
            tokens_per_minute: config.tokens_per_minute,
            timeout: Duration::from_millis(config.timeout_ms),
            price: config.price.or_else(|| shipped(&config.name)),
            embeddings_price: said.or_else(|| config.embeddings.as_deref().and_then(shipped)),
            purse,
            max_tries: 6,
            max_wait: Duration::from_mins(10),
            clock: Arc::new(Timestamp::now),
            wait: Arc::new(|wait| Box::pin(tokio::time::sleep(wait))),
        })
    }
}

impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConfig")
            .field("provider", &self.provider)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A model of a provider.
pub struct HttpModel {
    config: HttpConfig,
    client: reqwest::Client,
    base: Url,
    headers: HeaderMap,
    turns: Semaphore,
    pace: Pace,
}

impl fmt::Debug for HttpModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.config, f)
    }
}

/// One request on its way: what it says, what it may cost, how its answer is read.
struct Errand<'a, T> {
    path: &'static str,
    body: Value,
    /// For limits per minute.
    likely_tokens: u64,
    /// For money.
    most: TokenUsage,
    price: Option<Price>,
    read: &'a (dyn Fn(Taken) -> Result<(T, Option<TokenUsage>), Fault> + Sync),
}

/// An answer as it came.
enum Taken {
    Events(Received),
    Whole(Value),
}

impl HttpModel {
    /// A model. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is not https, or the key cannot be sent.
    pub fn new(config: HttpConfig) -> Result<Self, ModelError> {
        let address = |what| ModelError::Address {
            what,
            url: config.base_url.clone(),
        };
        Ok(Self {
            base: client::base(&config.base_url).map_err(address)?,
            client: client::new(config.timeout).map_err(ModelError::Client)?,
            headers: super::headers(config.provider, config.key.as_ref())?,
            turns: Semaphore::new(config.concurrency.max(1)),
            pace: Pace::new(config.tokens_per_minute),
            config,
        })
    }

    fn error(&self, fault: Fault) -> ModelError {
        ModelError::Fault {
            host: self.base.host_str().unwrap_or_default().to_owned(),
            fault,
        }
    }

    /// Asks until there is an answer, or no hope of one.
    async fn ask<T>(&self, errand: &Errand<'_, T>) -> Result<T, ModelError> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(ModelError::Client("it is being shut down".to_owned()));
        };
        let (mut tries, mut waited) = (0, Duration::ZERO);
        let (mut transient, mut limited) = (TRANSIENT, LIMITED);
        loop {
            while let Some(wait) = self.pace.take(errand.likely_tokens, (self.config.clock)()) {
                (self.config.wait)(wait).await;
            }
            let reservation = self
                .config
                .purse
                .reserve(errand.price.map(|price| price.usd(errand.most)))
                .await?;
            let fault = match self.once(errand, reservation).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let step = if fault.class == FaultClass::RateLimited {
                &mut limited
            } else {
                &mut transient
            };
            let wait = fault.wait.unwrap_or(*step);
            *step = step.saturating_mul(2);
            tries += 1;
            waited = waited.saturating_add(wait);
            if !fault.class.passes() || tries >= self.config.max_tries || waited > self.config.max_wait {
                return Err(self.error(fault));
            }
            tracing::info!(
                "{}: {fault}; next try in {} ms",
                self.base.host_str().unwrap_or_default(),
                wait.as_millis()
            );
            if fault.class == FaultClass::RateLimited {
                // For the others too: they would be refused as well, and make it last longer.
                let now = (self.config.clock)();
                let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
                self.pace.pause(now.checked_add(wait).unwrap_or(Timestamp::MAX));
            } else {
                (self.config.wait)(wait).await;
            }
        }
    }

    /// Asks once, and books what it cost.
    async fn once<T>(&self, errand: &Errand<'_, T>, mut reservation: Reservation) -> Result<T, Fault> {
        let address = format!("{}{}", self.base.as_str().trim_end_matches('/'), errand.path);
        let request = self
            .client
            .post(address)
            .headers(self.headers.clone())
            .body(errand.body.to_string());
        tracing::debug!(path = errand.path, "asking the model");
        reservation.sent();
        let whole = async {
            let response = request.send().await.map_err(|error| {
                let fault = Fault::new(FaultClass::Broken, client::cause(&error));
                (fault, error.is_connect())
            })?;
            self.take(response).await.map_err(|fault| (fault, false))
        };
        let limit = self.config.timeout.saturating_mul(PAUSES);
        let taken = match tokio::time::timeout(limit, whole).await {
            Ok(taken) => taken,
            Err(_elapsed) => Err((Fault::new(FaultClass::Broken, "the answer does not end"), false)),
        };
        let answer = taken.and_then(|taken| (errand.read)(taken).map_err(|fault| (fault, false)));
        let (usage, told) = match &answer {
            Ok((_, usage)) => (*usage, true),
            Err((fault, unsent)) => (fault.usage, *unsent || fault.status.is_some_and(|status| status >= 300)),
        };
        reservation.book(usage, errand.most, errand.price, answer.is_err() && told);
        answer
            .map(|(answer, _)| answer)
            .map_err(|(fault, _)| self.without_secrets(fault))
    }

    /// Providers repeat a key that they refuse, and whatever else they were sent.
    fn without_secrets(&self, mut fault: Fault) -> Fault {
        if let Some(key) = &self.config.key {
            fault.message = fault.message.replace(key.expose_secret(), "[key]");
        }
        fault.message = Redactor::default().text(&fault.message).into_owned();
        fault
    }

    async fn take(&self, mut response: Response) -> Result<Taken, Fault> {
        let status = response.status();
        let headers = response.headers().clone();
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let events =
            status.is_success() && header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let mut received = Received::new(self.config.wire);
        let mut body = Vec::new();
        let mut bytes = 0;
        loop {
            let piece = response.chunk().await.map_err(|error| {
                let message = format!("the answer broke off: {}", client::cause(&error));
                Fault::new(FaultClass::Broken, message)
            })?;
            let Some(piece) = piece else { break };
            bytes += piece.len();
            if bytes > MAX_BODY {
                return Err(Fault::new(
                    FaultClass::Garbled,
                    format!("the answer is longer than {} MB", MAX_BODY >> 20),
                ));
            }
            if events {
                received.push(&piece)?;
            } else {
                body.extend_from_slice(&piece);
            }
        }
        if !status.is_success() {
            let now = (self.config.clock)().as_second();
            return Err(Fault::of(status.as_u16(), header, &body, now));
        }
        if events {
            return Ok(Taken::Events(received));
        }
        let whole = serde_json::from_slice(&body);
        whole.map(Taken::Whole).map_err(|error| {
            let class = if error.is_eof() {
                FaultClass::Broken
            } else {
                FaultClass::Garbled
            };
            Fault::new(class, format!("the answer is no JSON: {error}"))
        })
    }
}

impl Model for HttpModel {
    fn complete<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        let wire = self.config.wire;
        let read = move |taken| {
            let answer = match taken {
                Taken::Events(received) => received.finish(),
                Taken::Whole(body) => wire.answer(&body),
            }?;
            let usage = answer.usage;
            Ok((answer, usage))
        };
        Box::pin(async move {
            let output = u64::from(request.max_output_tokens);
            let errand = Errand {
                path: wire.path(),
                body: wire.body(self.config.provider, request),
                likely_tokens: request.likely_input_tokens().saturating_add(output),
                most: TokenUsage {
                    input: request.most_input_tokens(),
                    cached: 0,
                    output,
                },
                price: self.config.price,
                read: &read,
            };
            self.ask(&errand).await
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbeddingsRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        let read = |taken| match taken {
            Taken::Whole(body) => {
                let answer = request.answer(&body)?;
                let usage = answer.usage;
                Ok((answer, usage))
            }
            Taken::Events(_) => Err(Fault::new(FaultClass::Garbled, "embeddings come in no stream")),
        };
        Box::pin(async move {
            let errand = Errand {
                path: "/embeddings",
                body: request.body(),
                likely_tokens: request.most_tokens() / 4,
                most: TokenUsage {
                    input: request.most_tokens(),
                    ..TokenUsage::default()
                },
                price: self.config.embeddings_price,
                read: &read,
            };
            self.ask(&errand).await
        })
    }
}
