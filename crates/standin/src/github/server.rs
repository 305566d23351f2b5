//! The HTTP side: takes requests in, has them answered, checks the exchange against the contract, and lets faults happen.

use super::api::{self, Ask, Denied, Reply, denied};
use super::auth::{self, Needs, Who};
use super::fault::{Fault, Plan};
use super::git;
use super::line::Cut;
use super::world::World;
use crate::contract::{Contract, Endpoint};
use axum::body::{Body, Bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests with more are refused by the server; pushes of tests are small.
const MAX_BODY: usize = 64 << 20;

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was called; for git and contents a template of our own.
    pub endpoint: Endpoint,
    /// 0 if no answer came.
    pub status: u16,
    /// Who asked, by login; `nobody` without credentials.
    pub who: String,
    /// The path with its query, as it was sent.
    pub target: String,
    /// What went wrong on purpose.
    pub fault: Option<Fault>,
}

/// What server and test share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) record: Mutex<Record>,
}

#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) requests: u64,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) violations: Vec<String>,
    pub(super) plan: Plan,
}

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request as far as the server understands it.
struct Incoming {
    method: Method,
    path: String,
    /// Path with query.
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Incoming {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// What a request is for.
enum Kind {
    Api {
        root: &'static str,
        target: String,
    },
    Git {
        repo: String,
        rest: String,
        push: bool,
    },
    /// Contents on the other origin.
    Content,
    /// Files attached to issues.
    Attachment,
}

/// Status, headers, body.
type Raw = (u16, Vec<(String, String)>, Vec<u8>);

pub(super) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let path = head.uri.path().to_owned();
    let incoming = Incoming {
        method: head.method,
        path,
        target,
        headers: head.headers,
        body,
    };
    let kind = kind(&incoming);
    let endpoint = endpoint(&incoming, &kind);
    let fault = {
        let mut record = shared.record();
        record.requests += 1;
        let number = record.requests;
        record.plan.take(number, &endpoint)
    };
    // GitHub learns who asks before anything else; a request that meets a fault before is not looked at.
    let acts = fault.is_none_or(Fault::acts);
    let (who, raw) = if acts {
        answer(&shared, &incoming, &kind).await
    } else {
        (String::new(), None)
    };
    let now = shared.world().now;
    let (response, status) = respond(fault, raw, now, &cut).await;
    shared.record().exchanges.push(Exchange {
        endpoint,
        status,
        who,
        target: incoming.target,
        fault,
    });
    match response {
        Some(response) => response,
        None => std::future::pending().await,
    }
}

fn kind(incoming: &Incoming) -> Kind {
    let path = incoming.path.as_str();
    if path.starts_with("/_content/") {
        return Kind::Content;
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if path.starts_with("/user-attachments/") || parts.get(2) == Some(&"files") && parts.first() != Some(&"repos") {
        return Kind::Attachment;
    }
    if let Some(rest) = ["/info/refs", "/git-upload-pack", "/git-receive-pack"]
        .iter()
        .find(|rest| path.ends_with(**rest))
    {
        let repo = path
            .trim_start_matches('/')
            .trim_end_matches(rest)
            .trim_end_matches(".git")
            .to_owned();
        let push = *rest == "/git-receive-pack" || incoming.query().contains("git-receive-pack");
        return Kind::Git {
            repo,
            rest: (*rest).to_owned(),
            push,
        };
    }
    match incoming.target.strip_prefix("/api/v3") {
        Some(target) => Kind::Api {
            root: "/api/v3",
            target: target.to_owned(),
        },
        None => Kind::Api {
            root: "",
            target: incoming.target.clone(),
        },
    }
}

fn endpoint(incoming: &Incoming, kind: &Kind) -> Endpoint {
    let method = incoming.method.to_string();
    let template = match kind {
        Kind::Api { target, .. } => {
            let found = Contract::official().find(&method, target);
            found.map_or_else(|| incoming.path.clone(), |call| call.endpoint.template)
        }
        Kind::Git { rest, .. } => format!("/{{owner}}/{{repo}}.git{rest}"),
        Kind::Content => "/_content/{id}".to_owned(),
        Kind::Attachment => "/user-attachments/{id}".to_owned(),
    };
    Endpoint { method, template }
}

/// Who asked and what they are answered.
async fn answer(shared: &Shared, incoming: &Incoming, kind: &Kind) -> (String, Option<Raw>) {
    let who = auth::who(&shared.world(), incoming.header("authorization"));
    let name = who.as_ref().map_or_else(|_| "an unknown token".to_owned(), Who::name);
    let raw = match kind {
        Kind::Api { root, target } => call(shared, incoming, who, root, target),
        Kind::Git { repo, rest, push } => smart_http(shared, incoming, who, repo, rest, *push).await,
        Kind::Content => content(&shared.world(), incoming),
        Kind::Attachment => attachment(&shared.world(), incoming, who.as_ref()),
    };
    (name, Some(raw))
}

fn call(shared: &Shared, incoming: &Incoming, who: Result<Who, Denied>, root: &str, target: &str) -> Raw {
    let contract = Contract::official();
    let mut world = shared.world();
    let Some(call) = contract.find(incoming.method.as_str(), target) else {
        let message = format!("{} {target}: not an endpoint that the description has", incoming.method);
        shared.record().violations.push(message);
        return raw(*denied(404, "Not Found"));
    };
    let mut wrong = contract.request(&call, incoming.header("content-type"), &incoming.body);
    if incoming.header("user-agent").is_none() {
        wrong.push("no user agent, which GitHub requires".to_owned());
    }
    let malformed = !wrong.is_empty();
    let body: Value = serde_json::from_slice(&incoming.body).unwrap_or_default();
    let api = format!("{}{root}", world.web);
    let outcome = limit(&mut world).and(who).and_then(|who| {
        if malformed {
            return Err(denied(422, "Invalid request."));
        }
        let ask = Ask {
            call: &call,
            body: &body,
            who: &who,
            api: &api,
            target,
        };
        api::act(&mut world, &ask)
    });
    let reply = outcome.unwrap_or_else(|denied| *denied);
    let status = reply.status;
    let mut raw = raw(reply);
    let location = raw.1.iter().any(|(name, _)| name == "location");
    let wrong_answer = contract.response(&call.endpoint, status, location, &raw.2);
    wrong.extend(
        wrong_answer
            .into_iter()
            .map(|wrong| format!("answer {status}: {wrong}")),
    );
    if status == 200 && incoming.method == Method::GET {
        let mut hasher = DefaultHasher::new();
        raw.2.hash(&mut hasher);
        let tag = format!("W/\"{:016x}\"", hasher.finish());
        if incoming.header("if-none-match") == Some(&tag) {
            (raw.0, raw.2) = (304, Vec::new());
            // What has not changed costs nothing.
            world.rate_left += 1;
        }
        raw.1.push(("etag".to_owned(), tag));
    }
    rate_headers(&world, &mut raw.1);
    let mut record = shared.record();
    record
        .violations
        .extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", call.endpoint)));
    raw
}

/// Counts a request; nothing is left until the hour is over.
fn limit(world: &mut World) -> Result<(), Denied> {
    if world.now >= world.rate_reset {
        world.rate_left = super::world::RATE;
        world.rate_reset = world.now + 1.hour();
    }
    if world.rate_left == 0 {
        return Err(denied(403, "API rate limit exceeded for installation."));
    }
    world.rate_left -= 1;
    Ok(())
}

fn rate_headers(world: &World, headers: &mut Vec<(String, String)>) {
    let numbers = [
        ("limit", super::world::RATE.to_string()),
        ("remaining", world.rate_left.to_string()),
        ("used", super::world::RATE.saturating_sub(world.rate_left).to_string()),
        ("reset", world.rate_reset.as_second().to_string()),
        ("resource", "core".to_owned()),
    ];
    headers.extend(numbers.map(|(name, value)| (format!("x-ratelimit-{name}"), value)));
}

fn raw(reply: Reply) -> Raw {
    let mut headers = reply.headers;
    let body = reply.body.map(|body| body.to_string().into_bytes());
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json; charset=utf-8".to_owned()));
    }
    (reply.status, headers, body.unwrap_or_default())
}

async fn smart_http(
    shared: &Shared,
    incoming: &Incoming,
    who: Result<Who, Denied>,
    repo: &str,
    rest: &str,
    push: bool,
) -> Raw {
    let plain = |status: u16, message: &str| {
        let asks = ("www-authenticate".to_owned(), "Basic realm=\"GitHub\"".to_owned());
        let headers = if status == 401 { vec![asks] } else { Vec::new() };
        (status, headers, message.as_bytes().to_vec())
    };
    let Ok(who) = who else {
        return plain(401, "Invalid username or token.");
    };
    let (root, login) = {
        let world = shared.world();
        let known = world.repos.get(repo);
        let nobody = matches!(who, Who::Nobody | Who::App(_));
        let needs = Needs {
            any_of: &["contents"],
            write: push,
            role: if push { "write" } else { "read" },
        };
        match known.map(|of| (auth::allowed(&who, of, &needs), of.private)) {
            Some((Ok(()), _)) => {}
            _ if nobody => return plain(401, "No anonymous access."),
            None => return plain(404, "Repository not found."),
            Some((Err(reason), private)) => {
                let status = if reason.status == 404 || private && !push && reason.status != 403 {
                    404
                } else {
                    403
                };
                return plain(status, "Permission to this repository denied.");
            }
        }
        (world.folder.clone(), who.name())
    };
    let path = format!("/{repo}.git{rest}");
    let answer = git::backend(
        &root,
        &incoming.method,
        &path,
        incoming.query(),
        &incoming.headers,
        &incoming.body,
    )
    .await;
    if push && rest == "/git-receive-pack" {
        shared.world().after_push(repo, &login);
    }
    answer
}

/// Contents are at addresses that are good for themselves; credentials beside them are refused, as the real store does.
fn content(world: &World, incoming: &Incoming) -> Raw {
    if incoming.headers.contains_key("authorization") {
        return (403, Vec::new(), b"InvalidAuthenticationInfo".to_vec());
    }
    let zip = ("content-type".to_owned(), "application/zip".to_owned());
    let id = incoming.path.trim_start_matches("/_content/");
    let found = match id.strip_prefix("artifacts/") {
        Some(id) => {
            let mut artifacts = world.repos.values().flat_map(|repo| &repo.artifacts);
            artifacts
                .find(|artifact| artifact.id.to_string() == id)
                .map(|artifact| artifact.bytes.clone())
        }
        None => world.attachments.get(&format!("/{id}")).map(|(_, bytes)| bytes.clone()),
    };
    match found {
        Some(bytes) => (200, vec![zip], bytes),
        None => (404, Vec::new(), Vec::new()),
    }
}

fn attachment(world: &World, incoming: &Incoming, who: Result<&Who, &Denied>) -> Raw {
    let found = world.attachments.get(&incoming.path);
    let repo = found.and_then(|(repo, _)| world.repos.get(repo));
    match (repo, who) {
        (Some(repo), Ok(who)) if auth::sees(who, repo) => {
            let address = format!("{}/_content{}", world.blobs, incoming.path);
            (302, vec![("location".to_owned(), address)], Vec::new())
        }
        _ => (404, Vec::new(), b"Not Found".to_vec()),
    }
}

/// The answer as it goes out, and the status it shows; `None` and 0 if none ever does.
async fn respond(fault: Option<Fault>, raw: Option<Raw>, now: Timestamp, cut: &Cut) -> (Option<Response>, u16) {
    let error = |status: u16, message: &str, headers: Vec<(String, String)>| {
        let (status, mut all, body) = self::raw(*denied(status, message));
        all.extend(headers);
        (status, all, body)
    };
    let after = |seconds: Option<u64>| {
        seconds
            .map(|seconds| ("retry-after".to_owned(), seconds.to_string()))
            .into_iter()
            .collect()
    };
    let secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let mut announced = None;
    let raw = match (fault, raw) {
        (None, Some(raw)) => raw,
        (Some(Fault::TooManyRequests(wait)), _) => error(429, secondary, after(wait)),
        (Some(Fault::SecondaryLimit(wait)), _) => error(403, secondary, after(wait)),
        (Some(Fault::PrimaryLimit), _) => {
            let reset = (now + 1.minute()).as_second().to_string();
            let headers = [("remaining", "0".to_owned()), ("reset", reset)];
            let headers = headers.map(|(name, value)| (format!("x-ratelimit-{name}"), value));
            error(403, "API rate limit exceeded.", headers.into())
        }
        (Some(Fault::ServerError), _) => error(500, "Server Error", Vec::new()),
        (Some(Fault::BadGateway | Fault::BadGatewayAfter), _) => {
            (502, Vec::new(), b"<html><h1>502 Bad Gateway</h1></html>".to_vec())
        }
        (Some(Fault::Html), _) => {
            let html = ("content-type".to_owned(), "text/html".to_owned());
            (200, vec![html], b"<!DOCTYPE html><title>Unicorn!</title>".to_vec())
        }
        (Some(Fault::Truncated), Some((status, headers, body))) if !body.is_empty() => {
            announced = Some(body.len());
            (status, headers, body[..body.len() / 2].to_vec())
        }
        (Some(Fault::HalfJson), Some((status, headers, body))) => (status, headers, body[..body.len() / 2].to_vec()),
        (Some(Fault::Silence | Fault::SilenceAfter), _) => return (None, 0),
        // A truncated empty answer is none at all.
        _ => {
            cut.now();
            return (Some(Response::default()), 0);
        }
    };
    let status = raw.0;
    (Some(response(raw, announced, now)), status)
}

fn response((status, headers, body): Raw, announced: Option<usize>, now: Timestamp) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response = response
        .header("date", date)
        .header("x-github-request-id", format!("{:016X}", hasher.finish()));
    let body = match announced {
        Some(length) => {
            response = response.header("content-length", length);
            let parts = [
                Ok(Bytes::from(body)),
                Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            ];
            // Between the two the server gets the time to send the first.
            Body::from_stream(futures_util::stream::iter(parts).then(async |part| {
                tokio::task::yield_now().await;
                part
            }))
        }
        None => Body::from(body),
    };
    response.body(body).expect("the headers are plain text")
}
