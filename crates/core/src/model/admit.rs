//! What a process that may not have the key may ask a model for: which paths, which model, which parts of a request. What is admitted is
//! rewritten, so that the provider reads what was checked and nothing else.
//!
//! Refused is what reaches further than an answer to this request: tools that the provider runs, addresses that it fetches, files and
//! conversations that it keeps, other models. The lists are of what is known to be harmless, by the references of
//! [Chat Completions](https://platform.openai.com/docs/api-reference/chat), [Responses](https://platform.openai.com/docs/api-reference/responses)
//! and [Messages](https://platform.claude.com/docs/en/api/messages); whatever they do not name is refused, and named in the refusal.

mod content;
mod keys;

use super::{Provider, TokenUsage, Wire, chat};
use serde_json::{Map, Value, json};

/// What may be asked for, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Whose interface the upstream has.
    pub provider: Provider,
    /// The models, as the provider names them. Never empty.
    pub names: Vec<String>,
    /// The most tokens of an answer, where a request names no other number.
    pub max_output_tokens: u32,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A question on one of the wires.
    Ask(Wire),
    /// How many tokens a question has; Anthropic alone answers that.
    Count,
    /// The list of models, which nobody needs to be asked for.
    Models,
}

/// A request that may go to the provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// What is sent.
    pub body: Value,
    /// The model that is asked.
    pub model: String,
    /// The most tokens that the provider can count: a token is at least one byte.
    pub most: TokenUsage,
    /// Whether the last event of the stream, which tells the usage, was not asked for by the process.
    pub hide_usage: bool,
}

/// Why a request goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl Route {
    /// The path below the address of the upstream's API.
    pub fn path(self) -> &'static str {
        match self {
            Self::Ask(wire) => wire.path(),
            Self::Count => "/messages/count_tokens",
            Self::Models => "/models",
        }
    }
}

impl Admission {
    /// Where a method and a path lead. `query` is what stands behind the `?`.
    ///
    /// # Errors
    /// When they are not on the list.
    pub fn route(&self, method: &str, path: &str, query: Option<&str>) -> Result<Route, Refusal> {
        let nowhere = || Refusal::new(404, format!("{method} {path} is nothing that may be asked for here"));
        let route = match path.strip_prefix("/v1").ok_or_else(nowhere)? {
            "/models" => Route::Models,
            "/chat/completions" => Route::Ask(Wire::Chat),
            "/responses" => Route::Ask(Wire::Responses),
            "/messages" => Route::Ask(Wire::Messages),
            "/messages/count_tokens" => Route::Count,
            _ => return Err(nowhere()),
        };
        let spoken = match (self.provider, route) {
            (_, Route::Models) => true,
            (Provider::Anthropic, Route::Count | Route::Ask(Wire::Messages)) => true,
            (Provider::Anthropic, _) | (_, Route::Count | Route::Ask(Wire::Messages)) => false,
            (Provider::GithubModels, Route::Ask(wire)) => wire == Wire::Chat,
            (Provider::Openai | Provider::OpenaiCompatible, Route::Ask(_)) => true,
        };
        if !spoken {
            let why = format!("{path} is nothing that \"{}\" has", self.provider.word());
            return Err(Refusal::new(404, why));
        }
        let wanted = if route == Route::Models { "GET" } else { "POST" };
        if method != wanted {
            return Err(Refusal::new(405, format!("{path} takes {wanted} and not {method}")));
        }
        // Anthropic's own clients send it; it names no other thing.
        let known = query.is_none_or(|query| query.is_empty() || query == "beta=true");
        known
            .then_some(route)
            .ok_or_else(|| Refusal::new(404, "parameters in the address are not passed on"))
    }

    /// The answer to `GET /v1/models`, in a form that clients of `OpenAI` and of Anthropic read.
    pub fn models(&self) -> Value {
        let model = |name: &String| json!({"id": name, "object": "model", "type": "model", "display_name": name, "created": 0, "owned_by": "sprag"});
        let data: Vec<Value> = self.names.iter().map(model).collect();
        json!({"object": "list", "data": data, "has_more": false})
    }

    /// Checks and rewrites the body of a question.
    ///
    /// # Errors
    /// When any part of it is not known to be harmless.
    pub fn admit(&self, route: Route, body: &[u8]) -> Result<Admitted, Refusal> {
        // Of a key that stands there twice the last counts, and is the only one that is sent.
        let read = serde_json::from_slice(body);
        let mut body: Map<String, Value> =
            read.map_err(|error| Refusal::new(400, format!("the body is no JSON object: {error}")))?;
        body.retain(|_, value| !value.is_null());
        keys::check(route, &body)?;
        let model = self.model(&body)?;
        let wire = match route {
            Route::Ask(wire) => wire,
            Route::Count | Route::Models => Wire::Messages,
        };
        tools(wire, &body)?;
        for key in ["messages", "input", "system", "instructions", "prediction"] {
            body.get(key).map_or(Ok(()), content::check)?;
        }
        let output = match route {
            Route::Ask(wire) => self.bounded(wire, &model, &mut body)?,
            Route::Count | Route::Models => 0,
        };
        let hide_usage = wire == Wire::Chat && asks_for_usage(&mut body);
        let body = Value::Object(body);
        let input = body.to_string().len() as u64;
        let most = TokenUsage {
            input,
            cached: 0,
            output,
        };
        Ok(Admitted {
            body,
            model,
            most,
            hide_usage,
        })
    }

    /// The model is fixed: a harness that asks for another would be measured with it.
    fn model(&self, body: &Map<String, Value>) -> Result<String, Refusal> {
        let asked = body.get("model").and_then(Value::as_str).unwrap_or_default();
        if self.names.iter().any(|name| name == asked) {
            return Ok(asked.to_owned());
        }
        let names = self.names.join(", ");
        let shown: String = asked.chars().take(80).collect();
        let why = format!("the model is fixed: \"{shown}\" may not be used, only {names}");
        Err(Refusal::new(403, why))
    }

    /// The most tokens of all answers that a question asks for. What names none is bounded here.
    fn bounded(&self, wire: Wire, model: &str, body: &mut Map<String, Value>) -> Result<u64, Refusal> {
        let names: &[&str] = match wire {
            Wire::Chat => &["max_completion_tokens", "max_tokens"],
            Wire::Responses => &["max_output_tokens"],
            Wire::Messages => &["max_tokens"],
        };
        let mut most = None;
        for name in names {
            most = most.max(whole(body, name)?);
        }
        let most = most.unwrap_or_else(|| {
            let name = match wire {
                Wire::Chat => chat::most_tokens(self.provider, model),
                Wire::Responses | Wire::Messages => names[0],
            };
            body.insert(name.to_owned(), self.max_output_tokens.into());
            u64::from(self.max_output_tokens)
        });
        let answers = whole(body, "n")?.unwrap_or(1);
        Ok(most.saturating_mul(answers.max(1)))
    }
}

fn whole(body: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refusal> {
    let number = |value: &Value| {
        value
            .as_u64()
            .ok_or_else(|| Refusal::new(400, format!("`{name}` is no whole number")))
    };
    body.get(name).map(number).transpose()
}

/// Asks for the usage at the end of a stream. Whether it was not asked for before.
fn asks_for_usage(body: &mut Map<String, Value>) -> bool {
    if body.get("stream") != Some(&Value::Bool(true)) {
        return false;
    }
    let options = body.entry("stream_options").or_insert_with(|| json!({}));
    if !options.is_object() {
        *options = json!({});
    }
    let asked = options.get("include_usage") == Some(&Value::Bool(true));
    options["include_usage"] = true.into();
    !asked
}

/// Tools that the process itself runs. A type that is not known here may be one that the provider runs: those reach the network, with the
/// key's rights.
fn tools(wire: Wire, body: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(tools) = body.get("tools") else { return Ok(()) };
    let list = tools
        .as_array()
        .ok_or_else(|| Refusal::new(400, "`tools` is no list"))?;
    for tool in list {
        let kind = tool.get("type").filter(|kind| !kind.is_null());
        let known = match (wire, kind) {
            _ if !tool.is_object() => false,
            (Wire::Messages, None) => true,
            (_, None) => false,
            (wire, Some(kind)) => kind.as_str().is_some_and(|kind| runs_here(wire, kind)),
        };
        if !known {
            let kind = kind.map_or_else(|| "no type".to_owned(), |kind| format!("the type {kind}"));
            let why = format!(
                "a tool of {kind} is not passed on: only tools that the agent runs itself are, such as functions"
            );
            return Err(Refusal::new(403, why));
        }
    }
    Ok(())
}

fn runs_here(wire: Wire, kind: &str) -> bool {
    let dated = |name: &str| {
        let date = kind.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
        date.is_some_and(|date| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match wire {
        Wire::Chat => ["function", "custom"].contains(&kind),
        Wire::Responses => ["function", "custom", "local_shell", "apply_patch"].contains(&kind),
        Wire::Messages => kind == "custom" || ["bash", "text_editor", "memory"].into_iter().any(dated),
    }
}

#[cfg(test)]
mod tests;
