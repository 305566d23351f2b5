//! The model proxy: a process that must not have the key asks a model through sprag, which has it.
//!
//! The process gets an address on loopback and a word that is no key. What may be asked is decided in `crates/core/src/model/admit.rs`;
//! here are the connections, the key, the count and the cut. Nothing of a body is logged.

pub mod abuse;
mod answer;
mod session;
mod tape;
mod upstream;

pub use session::{Limits, Metered, Serving, Session, serve};

use crate::model::{self, ModelError, Purse, Tape};
use answer::Answered;
use sprag_core::config::AgentModelConfig;
use sprag_core::model::{Admission, Admitted, Price, Prices, Route};
use sprag_core::redact::Redactor;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tape::Recorder;
use upstream::Upstream;

/// How much of a request is read, and for how long it is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of the request line and the headers; at least 8,192.
    pub head: usize,
    /// Headers.
    pub headers: usize,
    /// Bytes of a body. Anthropic takes 32 MB, the others less.
    pub body: usize,
    /// How long a head, and after it a body, may take.
    pub patience: Duration,
    /// Connections at a time, of one process.
    pub connections: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: 32 * 1024,
            headers: 64,
            body: 32 << 20,
            patience: Duration::from_secs(30),
            connections: 64,
        }
    }
}

/// One upstream with its key, and the money for it. Processes get a [`Session`] each.
pub struct Proxy {
    admission: Admission,
    price: Option<Price>,
    /// Nobody is asked when answers are only replayed.
    upstream: Option<Upstream>,
    recorder: Option<Recorder>,
    purse: Arc<Purse>,
    limits: Limits,
    bounds: Bounds,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("admission", &self.admission)
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// The proxy of `[runner.model]` or `[proposer.model]`. `env` gives the value of an environment variable; `purse` has what all of its
    /// processes may spend.
    ///
    /// # Errors
    /// When the key is missing, or the address is not one that a key may go to.
    pub fn open(
        config: &AgentModelConfig,
        tape: &Tape,
        redactor: Redactor,
        purse: Arc<Purse>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Arc<Self>, ModelError> {
        let recorder = match tape {
            Tape::Off => None,
            Tape::Record(dir) | Tape::Replay(dir) => Some(Recorder::new(dir, redactor)),
        };
        let upstream = match tape {
            Tape::Replay(_) => None,
            Tape::Off | Tape::Record(_) => {
                let key = model::key(config.provider, config.key_env.as_deref(), env)?;
                Some(Upstream::new(config, key)?)
            }
        };
        Ok(Arc::new(Self {
            admission: Admission {
                provider: config.provider,
                names: config.names.clone(),
                max_output_tokens: config.max_output_tokens,
            },
            price: config.price,
            upstream,
            recorder,
            purse,
            limits: Limits {
                usd: config.max_usd,
                tokens: config.max_tokens,
                requests: config.max_requests,
            },
            bounds: Bounds::default(),
        }))
    }

    /// From now on so many US dollars are left for all processes together.
    pub fn allow(&self, usd: f64) {
        self.purse.allow(usd);
    }

    /// What a model costs, if anybody knows.
    fn price(&self, model: &str) -> Option<Price> {
        let shipped = || {
            Prices::shipped()
                .of(self.admission.provider, model)
                .map(|(price, _)| price)
        };
        self.price.or_else(shipped)
    }

    /// Answers an admitted request: from the record, or by asking the provider.
    async fn answer(
        self: &Arc<Self>,
        session: &Arc<Session>,
        route: Route,
        headers: &http::HeaderMap,
        admitted: Admitted,
    ) -> Answered {
        if let Some(recorder) = &self.recorder {
            match recorder.read(route, &admitted.body) {
                Ok(Some(kept)) => return answer::kept(kept),
                Ok(None) if self.upstream.is_some() => {}
                Ok(None) => return answer::refused(502, "this exchange was never recorded"),
                Err(error) => return answer::refused(502, &error.to_string()),
            }
        }
        let Some(upstream) = &self.upstream else {
            return answer::refused(502, "there is nobody to ask");
        };
        answer::ask(self, session, upstream, route, headers, admitted).await
    }
}

#[cfg(test)]
mod tests;
