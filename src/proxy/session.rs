//! One process and its way to the model: its word, its connections, what it has used and may use.

use super::{Proxy, answer};
use crate::model::Reservation;
use answer::Answered;
use fs_err as fs;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sprag_core::model::{Admitted, Price, Provider, Refusal, Route, TokenUsage};
use sprag_core::trial::Usage;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Read};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

/// How long it is waited after a connection could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one run may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// US dollars.
    pub usd: Option<f64>,
    /// Tokens, read and written.
    pub tokens: Option<u64>,
    /// Requests.
    pub requests: u64,
}

/// What a process has used since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metered {
    /// Tokens and US dollars.
    pub usage: Usage,
    /// Requests that went to the provider.
    pub requests: u64,
    /// Whether the budget of the whole run of sprag refused one: then what came of the run says nothing about the agent.
    pub cut: bool,
}

/// One process and its way to the model.
#[derive(Debug)]
pub struct Session {
    proxy: Arc<Proxy>,
    /// Stands where a key would. On this machine others can reach the port; they do not know it.
    word: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: Metered,
    /// Runs that the process works on.
    runs: u32,
    /// Requests that are not settled.
    open: u64,
    /// The most US dollars that they may cost.
    reserved: f64,
}

/// Answers a process until it is dropped.
#[derive(Debug)]
pub struct Serving {
    session: Arc<Session>,
    port: u16,
    /// Keeps the port until it is clear who listens there.
    reserved: Mutex<Option<TcpListener>>,
    accepting: Mutex<Option<AbortHandle>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
    }
}

impl Serving {
    /// Finds a port of this machine that is free, so that the process can be told of it. Nobody is answered yet.
    ///
    /// # Errors
    /// When there is no port, or no random bits.
    pub fn prepare(proxy: &Arc<Proxy>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self {
            session: Session::new(proxy)?,
            port: listener.local_addr()?.port(),
            reserved: Mutex::new(Some(listener)),
            accepting: Mutex::default(),
        })
    }

    /// Answers from now on: on a listener of any kind, one inside the process's sandbox too, or on the port that was found. Needs a runtime to
    /// be entered.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn answer(&self, listener: Option<TcpListener>) -> io::Result<()> {
        let reserved = lock(&self.reserved).take();
        let Some(listener) = listener.or(reserved) else {
            return Err(io::Error::other("nobody listens for the process"));
        };
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let accepting = tokio::spawn(accept(listener, self.port, self.session.clone()));
        *lock(&self.accepting) = Some(accepting.abort_handle());
        Ok(())
    }

    /// The port that the process connects to, inside its sandbox too.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whom it answers.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the process has to know.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        self.session.environment(self.port)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// A way to the model for a process.
    ///
    /// # Errors
    /// When the system has no random bits.
    pub fn new(proxy: &Arc<Proxy>) -> io::Result<Arc<Self>> {
        let mut bytes = [0; 16];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Arc::new(Self {
            proxy: proxy.clone(),
            word: format!("sprag-{digits}"),
            state: Mutex::default(),
        }))
    }

    /// What the process has to know, as the clients of the providers read it.
    pub fn environment(&self, port: u16) -> Vec<(OsString, OsString)> {
        let (address, key, end) = match self.proxy.admission.provider {
            Provider::Anthropic => ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", ""),
            Provider::Openai | Provider::GithubModels | Provider::OpenaiCompatible => {
                ("OPENAI_BASE_URL", "OPENAI_API_KEY", "/v1")
            }
        };
        vec![
            (address.into(), format!("http://127.0.0.1:{port}{end}").into()),
            (key.into(), self.word.clone().into()),
        ]
    }

    /// What stands where a key would.
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    /// The process begins a run: it may use what one run may.
    pub fn begin(&self) {
        self.state().runs += 1;
    }

    /// The process has ended a run. What it has used since the last one ended; with several runs at a time, that is of all of them.
    pub fn end(&self) -> Metered {
        let mut state = self.state();
        state.runs = state.runs.saturating_sub(1);
        std::mem::take(&mut state.used)
    }

    /// Takes one request into account before it is sent.
    pub(super) async fn open(self: &Arc<Self>, most: TokenUsage, price: Option<Price>) -> Result<Charge, Refusal> {
        let usd = price.map(|price| price.usd(most)).unwrap_or_default();
        let mut charge = self.hold(most, price, usd)?;
        let reserved = self.proxy.purse.reserve(Some(usd)).await;
        charge.reservation = Some(reserved.map_err(|error| {
            self.state().used.cut = true;
            Refusal::new(402, error.to_string())
        })?);
        Ok(charge)
    }

    /// Holds a request against what one run may use.
    fn hold(self: &Arc<Self>, most: TokenUsage, price: Option<Price>, usd: f64) -> Result<Charge, Refusal> {
        let limits = self.proxy.limits;
        let mut state = self.state();
        let runs = state.runs.max(1);
        let used = state.used;
        let tokens = used.usage.input_tokens.saturating_add(used.usage.output_tokens);
        let over = |what: String| Refusal::new(402, format!("{what}: this run may use no more of the model"));
        if used.requests.saturating_add(state.open) >= limits.requests.saturating_mul(u64::from(runs)) {
            return Err(over(format!("{} requests are made", limits.requests)));
        }
        if let Some(most) = limits
            .tokens
            .filter(|most| tokens >= most.saturating_mul(u64::from(runs)))
        {
            return Err(over(format!("{most} tokens are used")));
        }
        let fits = |most: f64| used.usage.usd + state.reserved + usd <= most * f64::from(runs);
        if let Some(most) = limits.usd.filter(|most| usd > 0.0 && !fits(*most)) {
            return Err(over(format!("${most:.2} do not cover the next request")));
        }
        state.open += 1;
        state.reserved += usd;
        Ok(Charge {
            session: self.clone(),
            reservation: None,
            most,
            price,
            usd,
        })
    }

    /// Whoever asks must be the process that this is for. A key of somebody else's is no reason to ask for him.
    fn known(&self, headers: &HeaderMap) -> bool {
        let value = |name: &str| {
            headers
                .get_all(name)
                .iter()
                .map(|value| value.as_bytes())
                .collect::<Vec<_>>()
        };
        let bearer = format!("Bearer {}", self.word);
        let (tokens, keys) = (value(AUTHORIZATION.as_str()), value("x-api-key"));
        let others = [
            "api-key",
            "proxy-authorization",
            "x-goog-api-key",
            "openai-organization",
            "openai-project",
        ];
        let ours = tokens.iter().all(|token| *token == bearer.as_bytes())
            && keys.iter().all(|key| *key == self.word.as_bytes());
        ours && tokens.len() + keys.len() > 0 && !others.iter().any(|name| headers.contains_key(*name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>, port: u16) -> Answered {
        let (head, body) = request.into_parts();
        match self.admit(&head, body, port).await {
            Ok(None) => answer::whole(
                200,
                "application/json",
                self.proxy.admission.models().to_string().into(),
            ),
            Ok(Some((route, admitted))) => self.proxy.answer(&self, route, &head.headers, admitted).await,
            Err(refusal) => {
                tracing::debug!(status = refusal.status, "the model proxy refused a request");
                answer::refused(refusal.status, &refusal.message)
            }
        }
    }

    /// The question of a request; `None` when it asks for the list of models.
    async fn admit(&self, head: &Parts, body: Incoming, port: u16) -> Result<Option<(Route, Admitted)>, Refusal> {
        framed(head, port)?;
        if !self.known(&head.headers) {
            return Err(Refusal::new(401, "the key is not the one that this process was given"));
        }
        let admission = &self.proxy.admission;
        let route = admission.route(head.method.as_str(), head.uri.path(), head.uri.query())?;
        if route == Route::Models {
            return Ok(None);
        }
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::new(415, "only JSON is passed on"));
        }
        let body = self.read(body).await?;
        admission.admit(route, &body).map(|admitted| Some((route, admitted)))
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Refusal> {
        let bounds = self.proxy.bounds;
        let most = u64::try_from(bounds.body).unwrap_or(u64::MAX);
        let too_long = || Refusal::new(413, format!("the body has more than {} MB", bounds.body >> 20));
        if hyper::body::Body::size_hint(&body).lower() > most {
            return Err(too_long());
        }
        match tokio::time::timeout(bounds.patience, Limited::new(body, bounds.body).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
            Ok(Err(_)) => Err(Refusal::new(400, "the body broke off")),
            Err(_) => Err(Refusal::new(408, "the body takes too long")),
        }
    }
}

/// What a request is held to cost, until it is settled. Dropped before it was sent, it cost nothing; after that, the most it may have.
#[derive(Debug)]
pub(super) struct Charge {
    session: Arc<Session>,
    reservation: Option<Reservation>,
    most: TokenUsage,
    price: Option<Price>,
    /// What is held of the run's own money.
    usd: f64,
}

impl Charge {
    /// From now on it may cost something.
    pub(super) fn sent(&mut self) {
        if let Some(reservation) = &mut self.reservation {
            reservation.sent();
            self.session.state().used.requests += 1;
        }
    }

    /// Books what it did cost: what the provider counted; nothing when it said no; else the most.
    pub(super) fn settle(mut self, counted: Option<TokenUsage>, refused: bool) {
        self.close(counted, refused);
    }

    fn close(&mut self, counted: Option<TokenUsage>, refused: bool) {
        let Some(reservation) = self.reservation.take() else {
            return;
        };
        let unsent = !reservation.is_sent();
        let booked = reservation.book(counted, self.most, self.price, refused || unsent);
        let mut state = self.session.state();
        let usage = &mut state.used.usage;
        usage.input_tokens = usage.input_tokens.saturating_add(booked.usage.input);
        usage.output_tokens = usage.output_tokens.saturating_add(booked.usage.output);
        usage.usd += booked.usd;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.close(None, false);
        let mut state = self.session.state();
        state.open -= 1;
        // What rounding leaves over must not count against anybody.
        state.reserved = if state.open == 0 {
            0.0
        } else {
            state.reserved - self.usd
        };
    }
}

/// What plain HTTP/1.1 to this address looks like. Anything else is somebody who tries something.
fn framed(head: &Parts, port: u16) -> Result<(), Refusal> {
    let headers = &head.headers;
    if head.uri.scheme().is_some() || head.uri.authority().is_some() {
        return Err(Refusal::new(
            421,
            "this proxy goes to one address only, whatever is asked for",
        ));
    }
    let hosts: Vec<_> = headers.get_all(HOST).iter().map(|host| host.as_bytes()).collect();
    let here = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
    if hosts.len() != 1 || !here.iter().any(|here| here.as_bytes() == hosts[0]) {
        return Err(Refusal::new(421, "the host is not this one"));
    }
    // The length of a body is said in one way, so that nobody can see another end of it.
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::new(411, "a body comes with its length, and not in chunks"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::new(415, "a body that is packed is not read"));
    }
    if headers.contains_key(UPGRADE) {
        return Err(Refusal::new(400, "only HTTP/1.1 is spoken"));
    }
    Ok(())
}

/// Answers a process on a listener of any kind. Needs a runtime to be entered.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, session: Arc<Session>) -> io::Result<Serving> {
    let serving = Serving {
        port: listener.local_addr()?.port(),
        session,
        reserved: Mutex::default(),
        accepting: Mutex::default(),
    };
    serving.answer(Some(listener))?;
    Ok(serving)
}

/// Takes connections until it is aborted, which ends them too.
async fn accept(listener: tokio::net::TcpListener, port: u16, session: Arc<Session>) {
    let turns = Arc::new(Semaphore::new(session.proxy.bounds.connections));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(turn) = turns.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let session = session.clone();
                connections.spawn(async move {
                    converse(stream, port, session).await;
                    drop(turn);
                });
            }
            // Of files there may be none left; that passes.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(stream: tokio::net::TcpStream, port: u16, session: Arc<Session>) {
    let bounds = session.proxy.bounds;
    let service = service_fn(move |request| {
        let session = session.clone();
        async move { Ok::<_, Infallible>(session.answer(request, port).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.patience)
        .max_headers(bounds.headers)
        .max_buf_size(bounds.head)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the model proxy ended early");
    }
}
