//! The port to language models: a question, or texts, in; an answer, or vectors, out. What they mean is in `crates/core/src/model.rs`.
//!
//! `http` asks a provider, `cassette` keeps and replays exchanges, `journal` keeps those of one step until it is in the ledger. Money is reserved before each request and settled after it, by a purse
//! that all models of a run share.

mod cassette;
mod error;
mod http;
mod journal;
mod pace;
mod purse;

pub use cassette::Cassette;
pub use error::ModelError;
pub use http::{HttpConfig, HttpModel};
pub use journal::Journal;
pub(crate) use purse::Reservation;
pub use purse::{Purse, Tally};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use sprag_core::config::ModelConfig;
use sprag_core::model::{Embeddings, EmbeddingsRequest, ModelAnswer, ModelRequest, Provider};
use sprag_core::redact::Redactor;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A language model. Asking twice is harmless but for the money.
pub trait Model: Send + Sync + fmt::Debug {
    /// Asks for an answer. Dropping the future ends the request.
    fn complete<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelAnswer, ModelError>>;

    /// Asks for the vectors of some texts.
    fn embed<'a>(&'a self, request: &'a EmbeddingsRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>>;
}

/// What becomes of the exchanges with a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Tape {
    /// Nothing is kept.
    #[default]
    Off,
    /// Exchanges are kept in this folder; what is there already is not asked again.
    Record(PathBuf),
    /// Nothing is asked; what is not in this folder is an error.
    Replay(PathBuf),
}

/// The model of `[model]`. `env` gives the value of an environment variable; without a key nothing can be asked, but replayed.
///
/// # Errors
/// When the key is missing, or the address is not one that a key may go to.
pub fn open(
    config: &ModelConfig,
    tape: &Tape,
    redactor: Redactor,
    purse: Arc<Purse>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Arc<dyn Model>, ModelError> {
    if let Tape::Replay(dir) = tape {
        return Ok(Arc::new(Cassette::replay(dir)));
    }
    let model = Arc::new(HttpModel::new(HttpConfig::new(
        config,
        key(config.provider, config.key_env.as_deref(), env)?,
        purse,
    )?)?);
    Ok(match tape {
        Tape::Record(dir) => Arc::new(Cassette::record(dir, model, redactor)?),
        Tape::Off | Tape::Replay(_) => model,
    })
}

/// The key of a provider, from the environment variable that is `named` for it, or its usual one.
pub(crate) fn key(
    provider: Provider,
    named: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<SecretString>, ModelError> {
    let variable = named.unwrap_or(provider.key_env());
    let key = env(variable).filter(|key| !key.trim().is_empty());
    // A variable that somebody named is meant to be there.
    if key.is_none() && (provider.needs_key() || named.is_some()) {
        return Err(ModelError::NoKey {
            provider,
            variable: variable.to_owned(),
        });
    }
    Ok(key.map(|key| SecretString::from(key.trim())))
}

/// The headers of every request to a provider, with the key among them.
pub(crate) fn headers(provider: Provider, key: Option<&SecretString>) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in provider.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(key) = key {
        let (name, before) = provider.key_header();
        // The error would show the header, so it is not passed on.
        let Ok(mut value) = HeaderValue::from_str(&format!("{before}{}", key.expose_secret())) else {
            return Err(ModelError::BadKey);
        };
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
