//! A server on this machine that answers as a test says, and remembers what it was asked.

use super::super::{Credentials, Forge, ForgeConfig};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use secrecy::SecretString;
use serde_json::{Value, json};
use sprag_core::github::RepoName;
use sprag_core::render::markdown::Markdown;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The time at which every test begins.
pub(super) const NOW: i64 = 1_800_000_000;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) raw_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(u16, Value, Vec<(&'static str, String)>),
    Bytes(u16, Vec<u8>),
    /// It has done it, and the connection breaks before a word is said.
    Drop,
    /// It breaks in the middle of the answer.
    Cut(&'static str),
    /// The same with status 200.
    Half(&'static str),
    /// It never answers.
    Hang,
}

pub(super) fn ok(value: Value) -> Reply {
    Reply::Json(200, value, Vec::new())
}

pub(super) fn status(status: u16, message: &str) -> Reply {
    Reply::Json(status, json!({"message": message}), Vec::new())
}

impl Reply {
    pub(super) fn header(self, name: &'static str, value: impl std::fmt::Display) -> Self {
        match self {
            Self::Json(status, body, mut headers) => {
                headers.push((name, format!("{value}")));
                Self::Json(status, body, headers)
            }
            reply => reply,
        }
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The server, with a forge in front of it.
pub(super) struct Bench {
    pub(super) forge: Forge,
    pub(super) base: String,
    inner: Arc<Inner>,
    waits: Arc<Mutex<Vec<u64>>>,
    /// Our clock, seconds.
    pub(super) clock: Arc<AtomicI64>,
}

struct Inner {
    answer: Box<Answer>,
    seen: Mutex<Vec<Seen>>,
    /// The server's clock, seconds.
    clock: Arc<AtomicI64>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Bench {
    pub(super) async fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(answer, |_| {}).await
    }

    /// With a changed configuration.
    pub(super) async fn with(
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
        change: impl FnOnce(&mut ForgeConfig),
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let inner = Arc::new(Inner {
            answer: Box::new(answer),
            seen: Mutex::default(),
            clock: Arc::new(AtomicI64::new(NOW)),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(serve).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let waits = Arc::new(Mutex::new(Vec::new()));
        let mut config = ForgeConfig::new(
            &base,
            RepoName::parse("acme/shop").unwrap(),
            Credentials::Token(SecretString::from("ghp_token")),
        );
        config.pace = Duration::ZERO;
        config.clock = {
            let clock = clock.clone();
            Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap())
        };
        config.wait = {
            let waits = waits.clone();
            Arc::new(move |wait| {
                waits.lock().unwrap().push(wait.as_secs());
                Box::pin(std::future::ready(()))
            })
        };
        change(&mut config);
        Self {
            forge: Forge::new(config).unwrap(),
            base,
            inner,
            waits,
            clock,
        }
    }

    pub(super) fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().clone()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// The requests so far, as `METHOD /path`.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    pub(super) fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|seen| *seen == line).count()
    }

    /// The most requests that were answered at one time.
    pub(super) fn most_at_once(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }
}

async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let now = inner.running.fetch_add(1, Ordering::SeqCst) + 1;
    inner.most.fetch_max(now, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let query = axum::extract::Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).unwrap();
    let seen = Seen {
        line: format!("{} {}", parts.method, parts.uri.path()),
        query: query.0,
        raw_query,
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let reply = (inner.answer)(&seen);
    inner.seen.lock().unwrap().push(seen);
    // Others get their turn while this one is answered.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    inner.running.fetch_sub(1, Ordering::SeqCst);
    let date = Timestamp::from_second(inner.clock.load(Ordering::SeqCst)).unwrap();
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
    let response = Response::builder().header("date", date);
    match reply {
        Reply::Json(status, body, headers) => {
            let bare = matches!(status, 204 | 304);
            let body = if bare { String::new() } else { body.to_string() };
            let fill = |response: http::response::Builder, (name, value)| response.header(name, value);
            let response = headers.into_iter().fold(response.status(status), fill);
            response.body(Body::from(body)).unwrap()
        }
        Reply::Bytes(status, bytes) => response.status(status).body(Body::from(bytes)).unwrap(),
        // Ends the connection without a message on stderr.
        Reply::Drop => std::panic::resume_unwind(Box::new(())),
        Reply::Cut(start) => response.status(201).body(broken(start)).unwrap(),
        Reply::Half(start) => response.body(broken(start)).unwrap(),
        Reply::Hang => std::future::pending().await,
    }
}

/// A body that breaks off.
fn broken(start: &'static str) -> Body {
    let cut = std::io::Error::other("cut");
    Body::from_stream(futures_util::stream::iter([Ok(start), Err(cut)]))
}

pub(super) fn user(id: u64, login: &str) -> Value {
    json!({"id": id, "login": login, "type": "User"})
}

pub(super) fn issue(number: u64, author: &Value, title: &str, body: &str) -> Value {
    json!({
        "number": number, "title": title, "body": body, "state": "open", "labels": [{"name": "agent-failure"}], "user": author,
        "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z"
    })
}

pub(super) fn comment(id: u64, author: &Value, body: &str) -> Value {
    json!({
        "id": id, "issue_url": "https://api.github.com/repos/acme/shop/issues/7",
        "html_url": "https://github.com/acme/shop/issues/7#issuecomment-1", "user": author, "body": body,
        "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z"
    })
}

/// Text as it is kept.
pub(super) fn markdown(text: &str) -> Markdown {
    serde_json::from_value(text.into()).unwrap()
}
