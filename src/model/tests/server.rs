//! A server on this machine that answers as a test says, and remembers what it was asked; the model's clock stands but for its waits.

use super::super::{HttpConfig, HttpModel, Purse};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use sprag_core::model::{Message, ModelRequest, Price, Provider, Wire};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The time at which every test begins, seconds.
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const KEY: &str = "sk-test-1234567890";

#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Status, headers, body.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// A stream of events.
    Events(String),
    /// A stream that breaks in the middle.
    Cut(String),
    /// It never answers.
    Hang,
}

pub(super) fn status(status: u16, body: &str) -> Reply {
    Reply::Whole(status, Vec::new(), body.to_owned())
}

/// A chat completion of this text.
pub(super) fn said(text: &str) -> Reply {
    Reply::Events(events(text))
}

pub(super) fn events(text: &str) -> String {
    let delta = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
    format!("data: {delta}\n\ndata: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

type Answer = dyn Fn(usize, &Seen) -> Reply + Send + Sync;

pub(super) struct Bench {
    pub(super) model: Arc<HttpModel>,
    pub(super) purse: Arc<Purse>,
    inner: Arc<Inner>,
    waits: Arc<Mutex<Vec<u64>>>,
}

struct Inner {
    answer: Box<Answer>,
    seen: Mutex<Vec<Seen>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Bench {
    /// A server whose answers depend on how many requests came before.
    pub(super) async fn new(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(answer, |_| {}).await
    }

    pub(super) async fn with(
        answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
        change: impl FnOnce(&mut HttpConfig),
    ) -> Self {
        let inner = Arc::new(Inner {
            answer: Box::new(answer),
            seen: Mutex::default(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(serve).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let clock = Arc::new(AtomicI64::new(NOW * 1000));
        let waits = Arc::new(Mutex::new(Vec::new()));
        let mut config = HttpConfig {
            provider: Provider::OpenaiCompatible,
            wire: Wire::Chat,
            base_url: base,
            key: Some(SecretString::from(KEY)),
            concurrency: 4,
            tokens_per_minute: None,
            timeout: Duration::from_secs(20),
            price: Some(Price {
                input: 1.0,
                cached_input: None,
                output: 10.0,
            }),
            embeddings_price: None,
            purse: Purse::new(1.0),
            max_tries: 4,
            max_wait: Duration::from_mins(5),
            clock: {
                let clock = clock.clone();
                Arc::new(move || Timestamp::from_millisecond(clock.load(Ordering::SeqCst)).unwrap())
            },
            wait: {
                let waits = waits.clone();
                Arc::new(move |wait| {
                    waits.lock().unwrap().push(wait.as_secs());
                    clock.fetch_add(i64::try_from(wait.as_millis()).unwrap(), Ordering::SeqCst);
                    Box::pin(std::future::ready(()))
                })
            },
        };
        change(&mut config);
        Self {
            purse: config.purse.clone(),
            model: Arc::new(HttpModel::new(config).unwrap()),
            inner,
            waits,
        }
    }

    pub(super) fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().clone()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
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
    let seen = Seen {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let before = {
        let mut all = inner.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    let reply = (inner.answer)(before, &seen);
    // Others get their turn while this one is answered.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    inner.running.fetch_sub(1, Ordering::SeqCst);
    let stream = |body| {
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(body)
            .unwrap()
    };
    match reply {
        Reply::Whole(status, headers, body) => {
            let response = Response::builder()
                .status(status)
                .header("content-type", "application/json");
            let fill = |response: http::response::Builder, (name, value)| response.header(name, value);
            headers.into_iter().fold(response, fill).body(Body::from(body)).unwrap()
        }
        Reply::Events(events) => stream(Body::from(events)),
        Reply::Cut(start) => {
            let cut = std::io::Error::other("cut");
            stream(Body::from_stream(futures_util::stream::iter([Ok(start), Err(cut)])))
        }
        Reply::Hang => std::future::pending().await,
    }
}

pub(super) fn request(text: &str) -> ModelRequest {
    ModelRequest {
        model: "m".to_owned(),
        messages: vec![Message::User { text: text.to_owned() }],
        max_output_tokens: 100,
        ..ModelRequest::default()
    }
}
