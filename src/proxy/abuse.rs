//! What an evil process tries with the model proxy: each attempt is made on a real one, in front of a provider that counts what arrives.

mod requests;

use super::upstream::Upstream;
use super::{Bounds, Limits, Proxy, Session, serve};
use crate::attempt::Attempt;
use crate::model::{ModelError, Purse};
use requests::{honest, hostile};
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
