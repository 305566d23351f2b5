//! Which provider speaks which wire, and the parts of a wire that all of them have: a path, a body, an answer that comes in events or whole.

use super::sse::Events;
use super::{Fault, FaultClass, ModelAnswer, ModelRequest, chat, messages, responses};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whose interface an endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// GitHub Models, with a token that has `models: read`; the job's own will do.
    GithubModels,
    /// `OpenAI`.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Any server with the interface of `OpenAI`; a local one too.
    OpenaiCompatible,
}

/// The form of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// `OpenAI` Chat Completions, which everybody speaks.
    Chat,
    /// `OpenAI` Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
}

impl Provider {
    /// The word for it in `sprag.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::GithubModels => "github-models",
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenaiCompatible => "openai-compatible",
        }
    }

    /// The address of its API; `None` where only the user knows.
    pub fn base_url(self) -> Option<&'static str> {
        match self {
            Self::GithubModels => Some("https://models.github.ai/inference"),
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::OpenaiCompatible => None,
        }
    }

    /// The environment variable with its key.
    pub fn key_env(self) -> &'static str {
        match self {
            Self::GithubModels => "GITHUB_TOKEN",
            Self::Openai => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::OpenaiCompatible => "SPRAG_MODEL_KEY",
        }
    }

    /// Whether nothing works without a key. A local server has none.
    pub fn needs_key(self) -> bool {
        self != Self::OpenaiCompatible
    }

    /// The header that carries the key, and what stands before it.
    pub fn key_header(self) -> (&'static str, &'static str) {
        match self {
            Self::Anthropic => ("x-api-key", ""),
            Self::GithubModels | Self::Openai | Self::OpenaiCompatible => ("authorization", "Bearer "),
        }
    }

    /// More headers that it wants.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => &[("anthropic-version", "2023-06-01")],
            Self::GithubModels => &[("x-github-api-version", "2022-11-28")],
            Self::Openai | Self::OpenaiCompatible => &[],
        }
    }
}

impl Wire {
    /// The path below the address of the API.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Responses => "/responses",
            Self::Messages => "/messages",
        }
    }

    /// The body of a request; the answer is asked for as a stream.
    pub fn body(self, provider: Provider, request: &ModelRequest) -> Value {
        match self {
            Self::Chat => chat::body(provider, request),
            Self::Responses => responses::body(request),
            Self::Messages => messages::body(request),
        }
    }

    /// A whole answer.
    ///
    /// # Errors
    /// A refusal, an answer that says nothing, an error in place of one, or JSON of another shape.
    pub fn answer(self, body: &Value) -> Result<ModelAnswer, Fault> {
        if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
            return Err(Fault::in_answer(error));
        }
        let answer = match self {
            Self::Chat => chat::answer(body),
            Self::Responses => responses::answer(body),
            Self::Messages => messages::answer(body),
        };
        answer?.checked()
    }
}

/// An answer that comes in pieces.
#[derive(Debug)]
pub struct Received {
    wire: Wire,
    events: Events,
    whole: Whole,
}

/// What of a stream has come so far.
#[derive(Debug)]
enum Whole {
    Chat(chat::Assembly),
    Responses(Option<Value>),
    Messages(messages::Assembly),
}

impl Received {
    /// Nothing so far.
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            events: Events::default(),
            whole: match wire {
                Wire::Chat => Whole::Chat(chat::Assembly::default()),
                Wire::Responses => Whole::Responses(None),
                Wire::Messages => Whole::Messages(messages::Assembly::default()),
            },
        }
    }

    /// Reads the next bytes of the body.
    ///
    /// # Errors
    /// An error in the middle of the stream, or events of another shape.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let events = self.events.push(piece);
        let events = events.ok_or_else(|| Fault::new(FaultClass::Garbled, "an event of the stream is endless"))?;
        for event in events.into_iter().filter(|event| event.data.trim() != "[DONE]") {
            let data: Value = serde_json::from_str(&event.data).map_err(|error| {
                Fault::new(
                    FaultClass::Garbled,
                    format!("an event of the stream is no JSON: {error}"),
                )
            })?;
            if event.name == "error" || data.get("error").is_some_and(|error| !error.is_null()) {
                return Err(Fault::in_answer(data.get("error").unwrap_or(&data)));
            }
            match &mut self.whole {
                Whole::Chat(whole) => whole.add(&data),
                Whole::Responses(whole) => responses::add(whole, data),
                Whole::Messages(whole) => whole.add(data),
            }
        }
        Ok(())
    }

    /// The answer, when the body has ended.
    ///
    /// # Errors
    /// See [`Wire::answer`]; a stream that was cut off is [`FaultClass::Broken`].
    pub fn finish(self) -> Result<ModelAnswer, Fault> {
        let body = match self.whole {
            Whole::Chat(whole) => whole.finish(),
            Whole::Responses(whole) => whole,
            Whole::Messages(whole) => whole.finish(),
        };
        let cut = || Fault::new(FaultClass::Broken, "the stream broke off before its end");
        self.wire.answer(&body.ok_or_else(cut)?)
    }
}

/// Some text of a JSON object; empty when it is absent or null.
pub(super) fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A number of tokens.
pub(super) fn tokens(of: &Value, key: &str) -> u64 {
    of.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// What is not of the shape that the provider describes.
pub(super) fn garbled(what: &str) -> Fault {
    Fault::new(FaultClass::Garbled, format!("the answer has no {what}"))
}
