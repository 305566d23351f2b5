//! What went wrong with a request, and whether trying again helps. Read from status, headers and body, for every provider alike.

use super::TokenUsage;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// A proxy may answer with a whole page.
const MAX_MESSAGE: usize = 400;

/// What kind of trouble it is: decides whether a request is sent again, made smaller, or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// Too many requests or tokens for now.
    RateLimited,
    /// The account has no money or no quota left; waiting does not help.
    QuotaSpent,
    /// The request is longer than the model reads, or than this account may send.
    ContextLength,
    /// The model, or a filter before it, does not want to.
    Refused,
    /// An answer that says nothing.
    Empty,
    /// The provider does not take the request: a parameter, a schema, a name.
    Invalid,
    /// The key is not accepted, or does not allow this.
    Auth,
    /// There is no such model or no such address.
    NotFound,
    /// The provider's own trouble.
    Server,
    /// No answer in time, or half an answer.
    Broken,
    /// What came back is not what the provider describes.
    Garbled,
}

impl FaultClass {
    /// Whether the same request may succeed later.
    pub fn passes(self) -> bool {
        matches!(self, Self::RateLimited | Self::Server | Self::Broken)
    }

    fn words(self) -> &'static str {
        match self {
            Self::RateLimited => "too many requests",
            Self::QuotaSpent => "the quota is spent",
            Self::ContextLength => "the request is too long",
            Self::Refused => "the model refuses",
            Self::Empty => "the answer is empty",
            Self::Invalid => "the request is not accepted",
            Self::Auth => "the key is not accepted",
            Self::NotFound => "there is no such model or address",
            Self::Server => "the provider is unwell",
            Self::Broken => "there is no whole answer",
            Self::Garbled => "the answer cannot be read",
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of trouble.
    pub class: FaultClass,
    /// The HTTP status, where it says more than that all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the provider says, at most 400 characters, or what happened on the way.
    pub message: String,
    /// How long the provider asks to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Duration>,
    /// What was counted all the same: refusals and empty answers are billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class.words())?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        if self.message.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.message)
    }
}

impl Fault {
    /// A fault without more to say of it.
    pub fn new(class: FaultClass, message: impl AsRef<str>) -> Self {
        Self {
            class,
            status: None,
            message: message.as_ref().chars().take(MAX_MESSAGE).collect(),
            wait: None,
            usage: None,
        }
    }

    pub(super) fn with_usage(self, usage: Option<TokenUsage>) -> Self {
        Self { usage, ..self }
    }

    /// What an answer that is no success says. `header` gives the value of a header by its name in lower case; `now` is seconds since 1970,
    /// for headers that tell a moment.
    ///
    /// `OpenAI`, GitHub and compatible servers answer `{"error": {"message", "type", "code"}}`, Anthropic
    /// `{"type": "error", "error": {"type", "message"}}`, some servers `{"error": "…"}` or `{"message": "…"}`.
    pub fn of(status: u16, header: impl Fn(&str) -> Option<String>, body: &[u8], now: i64) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let said = Said::of(&body);
        let wait = asked_wait(&header, now);
        let class = said.class().unwrap_or(match status {
            401 | 403 => FaultClass::Auth,
            402 => FaultClass::QuotaSpent,
            404 | 301 | 302 | 307 | 308 => FaultClass::NotFound,
            408 | 425 => FaultClass::Broken,
            413 => FaultClass::ContextLength,
            429 => FaultClass::RateLimited,
            500.. => FaultClass::Server,
            400.. => FaultClass::Invalid,
            _ => FaultClass::Garbled,
        });
        // GitHub limits with 403 and says so only in the headers.
        let limited = status == 403 && wait.is_some();
        Self {
            status: Some(status),
            wait,
            ..Self::new(if limited { FaultClass::RateLimited } else { class }, said.message)
        }
    }

    /// What an error in the middle of a stream, or in an answer of status 200, says.
    pub(super) fn in_answer(error: &Value) -> Self {
        let said = Said::of(error);
        Self::new(said.class().unwrap_or(FaultClass::Server), said.message)
    }
}

/// The words of an error.
struct Said<'a> {
    message: &'a str,
    /// `type` and `code`.
    words: [&'a str; 2],
}

impl<'a> Said<'a> {
    fn of(body: &'a Value) -> Self {
        let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        Self {
            message: error.as_str().unwrap_or_else(|| text("message")),
            words: [text("type"), text("code")],
        }
    }

    /// The class that the provider's own words name; `None` where the status says more.
    fn class(&self) -> Option<FaultClass> {
        let named = self.words.iter().find_map(|word| match *word {
            "insufficient_quota" | "billing_error" | "billing_hard_limit_reached" | "billing_not_active" => {
                Some(FaultClass::QuotaSpent)
            }
            "context_length_exceeded"
            | "string_above_max_length"
            | "tokens_limit_reached"
            | "request_too_large"
            | "exceed_context_size_error" => Some(FaultClass::ContextLength),
            "content_filter" | "content_policy_violation" | "invalid_prompt" | "bio_policy" => {
                Some(FaultClass::Refused)
            }
            "rate_limit_error" | "rate_limit_exceeded" | "RateLimitReached" => Some(FaultClass::RateLimited),
            "overloaded_error" | "api_error" | "server_error" => Some(FaultClass::Server),
            "timeout_error" => Some(FaultClass::Broken),
            "authentication_error" | "permission_error" | "invalid_api_key" => Some(FaultClass::Auth),
            "not_found_error" | "model_not_found" | "unknown_model" => Some(FaultClass::NotFound),
            _ => None,
        });
        // Those that give no word of their own for it: Anthropic, llama.cpp, vLLM.
        let message = self.message.to_lowercase();
        let long = [
            "prompt is too long",
            "context length",
            "context size",
            "context window",
            "maximum context",
        ]
        .iter()
        .any(|words| message.contains(words));
        match named {
            None if long => Some(FaultClass::ContextLength),
            None if message.contains("credit balance is too low") => Some(FaultClass::QuotaSpent),
            named => named,
        }
    }
}

/// `retry-after-ms`, or `retry-after` in seconds, or as a date, or (GitHub) when nothing is left, until the limit is reset.
fn asked_wait(header: &impl Fn(&str) -> Option<String>, now: i64) -> Option<Duration> {
    let number = |name: &str| header(name)?.trim().parse::<f64>().ok();
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    if let Some(wait) = number("retry-after-ms").and_then(|ms| seconds(ms / 1000.0)) {
        return Some(wait);
    }
    if let Some(wait) = number("retry-after").and_then(seconds) {
        return Some(wait);
    }
    if number("x-ratelimit-remaining") != Some(0.0) {
        return None;
    }
    let reset: i64 = header("x-ratelimit-reset")?.trim().parse().ok()?;
    Some(Duration::from_secs(reset.saturating_sub(now).max(0).unsigned_abs() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
        let header = |name: &str| {
            let found = headers.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Fault::of(status, header, body.as_bytes(), 1_000)
    }

    use FaultClass::{Auth, Broken, ContextLength, Invalid, NotFound, QuotaSpent, RateLimited, Refused, Server};

    /// What the providers answer.
    const ERRORS: &[(u16, &str, FaultClass)] = &[
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#,
            RateLimited,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            QuotaSpent,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ContextLength,
        ),
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Auth,
        ),
        (
            404,
            r#"{"error":{"message":"The model does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
            NotFound,
        ),
        (
            400,
            r#"{"error":{"message":"Unknown parameter: 'sed'","type":"invalid_request_error","code":"unknown_parameter"}}"#,
            Invalid,
        ),
        (
            500,
            r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#,
            Server,
        ),
        (
            413,
            r#"{"error":{"code":"tokens_limit_reached","message":"Request body too large. Max size: 8000 tokens."}}"#,
            ContextLength,
        ),
        (
            400,
            r#"{"error":{"code":"content_filter","message":"The prompt triggered a filter"}}"#,
            Refused,
        ),
        (
            400,
            r#"{"error":{"code":"unknown_model","message":"Unknown model: x"}}"#,
            NotFound,
        ),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Server,
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#,
            RateLimited,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            ContextLength,
        ),
        (
            413,
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ContextLength,
        ),
        (
            402,
            r#"{"type":"error","error":{"type":"billing_error","message":"no credit"}}"#,
            QuotaSpent,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
            QuotaSpent,
        ),
        (
            403,
            r#"{"type":"error","error":{"type":"permission_error","message":"not yours"}}"#,
            Auth,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            ContextLength,
        ),
        (
            503,
            r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
            Server,
        ),
        (502, "<html>bad gateway</html>", Server),
        (408, "", Broken),
        (302, "", NotFound),
    ];

    #[test]
    fn each_provider_s_errors_have_their_class() {
        for (status, body, class) in ERRORS {
            let found = fault(*status, &[], body);
            assert_eq!((found.class, found.status), (*class, Some(*status)), "{body}");
        }
        assert_eq!(fault(400, &[], r#"{"error":"no"}"#).message, "no");
        assert_eq!(fault(400, &[], r#"{"message":"no","error":null}"#).message, "no");
    }

    #[test]
    fn waits_are_read_in_every_spelling() {
        let wait = |headers: &[(&str, &str)]| fault(429, headers, "").wait.map(|wait| wait.as_millis());
        assert_eq!(wait(&[("retry-after", "7")]), Some(7_000));
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "7")]), Some(250));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(wait(&[("retry-after", "-1")]), Some(0));
        assert_eq!(wait(&[("retry-after", "tomorrow")]), None);
        assert_eq!(
            wait(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1009")]),
            Some(10_000)
        );
        assert_eq!(
            wait(&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "1009")]),
            None
        );
        assert_eq!(fault(403, &[("retry-after", "9")], "").class, RateLimited);
    }

    #[test]
    fn a_page_of_a_proxy_is_not_told_whole() {
        let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(10_000));
        assert_eq!(fault(500, &[], &long).message.len(), MAX_MESSAGE);
    }
}
