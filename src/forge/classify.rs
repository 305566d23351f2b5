//! What an answer means: which class of error, and how long GitHub asks to wait.

use super::endpoint::Endpoint;
use super::error::{ErrorClass, Refusal};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::Deserialize;
use std::time::Duration;

/// GitHub's message is bounded: a proxy may answer with a whole page.
const MAX_MESSAGE: usize = 400;

/// The text of a header.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The server's clock.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    moment(header(headers, "date")?)
}

fn moment(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// What an answer that is no success says. `now` is our clock, for a server that does not tell its own.
pub(super) fn refusal(
    endpoint: Endpoint,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Refusal {
    let message = message(status, body);
    let limited = matches!(status.as_u16(), 403 | 429);
    let wait = asked_wait(headers, limited, date(headers).unwrap_or(now));
    let secondary = ["secondary rate limit", "abuse"]
        .iter()
        .any(|mark| message.to_lowercase().contains(mark));
    let class = match status.as_u16() {
        401 => ErrorClass::Auth,
        429 => ErrorClass::RateLimited,
        403 if wait.is_some() || secondary => ErrorClass::RateLimited,
        403 => ErrorClass::Forbidden,
        301 | 302 | 307 | 308 | 404 => ErrorClass::NotFound,
        408 | 500..=599 => ErrorClass::Transient,
        409 => ErrorClass::Conflict,
        410 | 451 => ErrorClass::Gone,
        400..=499 => ErrorClass::Invalid,
        _ => ErrorClass::Broken,
    };
    Refusal {
        status: Some(status.as_u16()),
        request_id: header(headers, "x-github-request-id").map(str::to_owned),
        needs: header(headers, "x-accepted-github-permissions").map(str::to_owned),
        wait,
        ..Refusal::new(endpoint, class, message)
    }
}

/// `retry-after` in seconds or as a date; else, when nothing is left, until the limit is reset.
fn asked_wait(headers: &HeaderMap, limited: bool, server_now: Timestamp) -> Option<Duration> {
    if let Some(after) = header(headers, "retry-after") {
        return match after.trim().parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => Some(until(moment(after)?, server_now)),
        };
    }
    if !limited || header(headers, "x-ratelimit-remaining") != Some("0") {
        return None;
    }
    let reset = header(headers, "x-ratelimit-reset")?.trim().parse().ok()?;
    Some(until(Timestamp::from_second(reset).ok()?, server_now))
}

/// One second more than it takes: the limit is reset within that second.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let left = at.duration_since(now).as_secs().max(0);
    Duration::from_secs(left.unsigned_abs() + 1)
}

/// GitHub's message with the reasons below it.
fn message(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    let text = match serde_json::from_slice::<Said>(body) {
        Ok(said) => {
            let reasons = said.errors.iter().map(|error| match error {
                serde_json::Value::String(text) => text.clone(),
                error => ["message", "resource", "field", "code"]
                    .iter()
                    .filter_map(|key| error.get(key)?.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
            });
            [said.message].into_iter().chain(reasons).collect::<Vec<_>>().join("; ")
        }
        Err(_) => status.canonical_reason().unwrap_or("no message").to_owned(),
    };
    text.chars().take(MAX_MESSAGE).collect()
}
