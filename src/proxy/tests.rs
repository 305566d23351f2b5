//! The proxy between a client and a provider that a test plays.

use super::*;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Mutex;

const KEY: &str = "sk-real-0123456789";
const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}\n\ndata: [DONE]\n\n";

#[derive(Clone)]
struct Provided {
    status: u16,
    kind: &'static str,
    body: &'static str,
    /// Whether the stream never ends.
    hangs: bool,
    seen: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
}

async fn provide(State(provided): State<Provided>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    provided
        .seen
        .lock()
        .unwrap()
        .push((head.uri.to_string(), head.headers, body));
    let body = if provided.hangs {
        let begin = futures_util::stream::iter([Ok::<_, Infallible>(provided.body)]);
        Body::from_stream(futures_util::StreamExt::chain(begin, futures_util::stream::pending()))
    } else {
        Body::from(provided.body)
    };
    Response::builder()
        .status(provided.status)
        .header("content-type", provided.kind)
        .header("retry-after", "7")
        .header("set-cookie", "a=b")
        .body(body)
        .unwrap()
}

use std::convert::Infallible;

struct Bench {
    provided: Provided,
    proxy: Arc<Proxy>,
    session: Arc<Session>,
    port: u16,
    word: String,
    _serving: Serving,
}

struct Told {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Bench {
    async fn new(provider: &str, kind: &'static str, body: &'static str) -> Self {
        Self::with(provider, Provided::new(kind, body), &Tape::Off).await
    }

    async fn with(provider: &str, provided: Provided, tape: &Tape) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(provide).with_state(provided.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let text = format!(
            "[runner.model]\nprovider = \"{provider}\"\nnames = [\"m-1\"]\nbase_url = \"{base}\"\nprices = {{ input = 1, output = 10 }}\n"
        );
        let config = sprag_core::config::parse(&text).unwrap().runner.model.unwrap();
        let env = |_: &str| Some(KEY.to_owned());
        let proxy = Proxy::open(&config, tape, Redactor::default(), Purse::new(1.0), env).unwrap();
        let session = Session::new(&proxy).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let environment = session.environment(port);
        let word = environment[1].1.to_str().unwrap().to_owned();
        let serving = serve(listener, session.clone()).unwrap();
        Self {
            provided,
            proxy,
            session,
            port,
            word,
            _serving: serving,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let client = crate::client::new(Duration::from_secs(20)).unwrap();
        let request = client.post(format!("http://127.0.0.1:{}{path}", self.port));
        let request = request.header("authorization", format!("Bearer {}", self.word));
        let request = request.header(
            "anthropic-beta",
            "interleaved-thinking-2025-05-14,mcp-client-2025-11-20",
        );
        let request = request.header("cookie", "a=b").header("x-stainless-os", "Linux");
        request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    async fn ask(&self, path: &str, body: &Value) -> Told {
        let response = self.post(path, body).await;
        Told {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    fn seen(&self) -> Vec<(String, HeaderMap, Value)> {
        self.provided.seen.lock().unwrap().clone()
    }
}

impl Provided {
    fn new(kind: &'static str, body: &'static str) -> Self {
        Self {
            status: 200,
            kind,
            body,
            hangs: false,
            seen: Arc::default(),
        }
    }
}

fn question() -> Value {
    json!({"model": "m-1", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 100, "stream": true})
}

#[tokio::test]
async fn no_abuse_reaches_the_provider_or_the_key() {
    let attempts = abuse::attempts().await.unwrap();
    let fallen: Vec<_> = attempts.iter().filter(|attempt| !attempt.held()).collect();
    assert!(fallen.is_empty(), "{fallen:#?}");
    assert!(attempts.len() >= 80, "{}", attempts.len());
}

#[tokio::test]
async fn a_stream_comes_through_with_our_key_and_is_counted() {
    let bench = Bench::new("openai", "text/event-stream", STREAM).await;
    let told = bench.ask("/v1/chat/completions", &question()).await;
    assert_eq!(
        (told.status, told.headers["content-type"].to_str().unwrap()),
        (200, "text/event-stream")
    );
    assert_eq!(told.headers["retry-after"], "7");
    assert!(!told.headers.contains_key("set-cookie"));
    assert!(
        told.body.contains("hi") && told.body.ends_with("[DONE]\n\n") && !told.body.contains("usage"),
        "{}",
        told.body
    );
    let (path, headers, body) = bench.seen().remove(0);
    assert_eq!(path, "/v1/chat/completions");
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    for dropped in ["cookie", "x-stainless-os", "anthropic-beta"] {
        assert!(!headers.contains_key(dropped), "{dropped}");
    }
    assert_eq!(body["stream_options"]["include_usage"], true);
    let metered = bench.session.end();
    assert_eq!(
        (
            metered.usage.input_tokens,
            metered.usage.output_tokens,
            metered.requests
        ),
        (1000, 100, 1)
    );
    assert!((metered.usage.usd - 0.002).abs() < 1e-9 && !metered.cut);
    assert_eq!(bench.session.end(), Metered::default(), "counted once");
}

#[tokio::test]
async fn anthropics_wire_has_its_own_paths_header_and_count() {
    let bench = Bench::new(
        "anthropic",
        "application/json",
        r#"{"content":[],"usage":{"input_tokens":20,"output_tokens":3}}"#,
    )
    .await;
    let asked = json!({"model": "m-1", "messages": [], "max_tokens": 9});
    let told = bench.ask("/v1/messages?beta=true", &asked).await;
    assert!(told.body.contains("output_tokens"), "{}", told.body);
    let (path, headers, body) = bench.seen().remove(0);
    assert_eq!((path.as_str(), &body), ("/v1/messages", &asked));
    assert_eq!(
        (headers["x-api-key"].to_str().unwrap(), headers.get("authorization")),
        (KEY, None)
    );
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert_eq!(
        headers["anthropic-beta"], "interleaved-thinking-2025-05-14",
        "what reaches servers is left out"
    );
    assert_eq!(bench.session.end().usage.output_tokens, 3);
    assert_eq!(bench.ask("/v1/chat/completions", &asked).await.status, 404);
    let names: Vec<String> = bench
        .session
        .environment(9)
        .into_iter()
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect();
    assert_eq!(
        names,
        [
            "ANTHROPIC_BASE_URL=http://127.0.0.1:9".to_owned(),
            format!("ANTHROPIC_API_KEY={}", bench.word)
        ]
    );
}

#[tokio::test]
async fn an_error_of_the_provider_comes_through_and_costs_nothing() {
    let provided = Provided {
        status: 429,
        ..Provided::new("application/json", r#"{"error":{"message":"slow down"}}"#)
    };
    let bench = Bench::with("openai", provided, &Tape::Off).await;
    let told = bench.ask("/v1/chat/completions", &question()).await;
    assert_eq!((told.status, told.headers["retry-after"].to_str().unwrap()), (429, "7"));
    assert!(told.body.contains("slow down"));
    let metered = bench.session.end();
    assert_eq!((metered.usage.usd, metered.requests), (0.0, 1));
}

#[tokio::test]
async fn whoever_hangs_up_pays_the_most() {
    let provided = Provided {
        hangs: true,
        ..Provided::new("text/event-stream", "data: {\"choices\":[{\"delta\":{}}]}\n\n")
    };
    let bench = Bench::with("openai", provided, &Tape::Off).await;
    let mut response = bench.post("/v1/chat/completions", &question()).await;
    assert!(response.chunk().await.unwrap().is_some(), "events come as they are");
    assert_eq!(bench.session.end().usage.output_tokens, 0);
    drop(response);
    let settled = async {
        while bench.proxy.purse.total().usd == 0.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), settled).await.unwrap();
    assert_eq!(bench.session.end().usage.output_tokens, 100);
}

#[tokio::test]
async fn what_is_recorded_is_replayed_without_key_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(
        "openai",
        Provided::new("text/event-stream", STREAM),
        &Tape::Record(dir.path().to_owned()),
    )
    .await;
    let first = bench.ask("/v1/chat/completions", &question()).await.body;
    let second = bench.ask("/v1/chat/completions", &question()).await.body;
    assert_eq!((bench.seen().len(), &second), (1, &first));
    let replay = Bench::with(
        "openai",
        Provided::new("text/plain", "nobody is asked"),
        &Tape::Replay(dir.path().to_owned()),
    )
    .await;
    assert_eq!(replay.ask("/v1/chat/completions", &question()).await.body, first);
    let mut other = question();
    other["max_tokens"] = 7.into();
    let missing = replay.ask("/v1/chat/completions", &other).await;
    assert_eq!(missing.status, 502);
    assert!(missing.body.contains("never recorded"), "{}", missing.body);
    assert_eq!((replay.seen().len(), replay.session.end()), (0, Metered::default()));
}

#[tokio::test]
async fn a_budget_that_all_share_marks_the_run_and_its_own_limit_does_not() {
    let bench = Bench::new("openai", "text/event-stream", STREAM).await;
    bench.proxy.allow(0.0001);
    let told = bench.ask("/v1/chat/completions", &question()).await;
    assert_eq!((told.status, bench.seen().len()), (402, 0));
    assert!(
        told.body
            .contains("sprag: the budget of $0.00 does not cover the next request"),
        "{}",
        told.body
    );
    assert!(bench.session.end().cut);
}

#[test]
fn without_its_key_there_is_no_proxy_and_the_key_is_in_no_debug_print() {
    let text = "[runner.model]\nprovider = \"openai\"\nnames = [\"m-1\"]\n";
    let config = sprag_core::config::parse(text).unwrap().runner.model.unwrap();
    let open = |key: Option<&str>| {
        let key = key.map(str::to_owned);
        Proxy::open(&config, &Tape::Off, Redactor::default(), Purse::new(1.0), move |_| {
            key.clone()
        })
    };
    assert!(open(None).unwrap_err().to_string().contains("OPENAI_API_KEY"));
    assert!(!format!("{:?}", open(Some(KEY)).unwrap()).contains(KEY));
}
