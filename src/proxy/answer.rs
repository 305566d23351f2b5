//! What a process gets: the provider's answer, whole or in events as it comes, counted and without the key; or why there is none.

use super::session::Charge;
use super::tape::Kept;
use super::upstream::Upstream;
use super::{Proxy, Session};
use futures_util::stream;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use sprag_core::model::meter::{self, Meter};
use sprag_core::model::{Admitted, Route, Wire};
use std::io;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// An answer may have so many bytes.
const MAX_ANSWER: usize = 64 << 20;
/// Of the provider's headers, those that clients act on.
const HEADERS: [&str; 6] = [
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "request-id",
    "x-request-id",
];

/// An answer on its way.
pub(super) type Answered = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// A whole answer.
pub(super) fn whole(status: u16, kind: &str, bytes: Vec<u8>) -> Answered {
    let body = Full::new(Bytes::from(bytes))
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let kind = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Why there is no answer, in a form that clients of `OpenAI` and of Anthropic read.
pub(super) fn refused(status: u16, message: &str) -> Answered {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 | 405 => "not_found_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let error = json!({"type": kind, "code": "sprag_proxy", "param": null, "message": format!("sprag: {message}")});
    whole(
        status,
        "application/json",
        json!({"type": "error", "error": error}).to_string().into(),
    )
}

/// An answer that was kept.
pub(super) fn kept(kept: Kept) -> Answered {
    whole(200, &kept.content_type, kept.answer.into())
}

/// Asks the provider, once.
pub(super) async fn ask(
    proxy: &Arc<Proxy>,
    session: &Arc<Session>,
    upstream: &Upstream,
    route: Route,
    headers: &HeaderMap,
    admitted: Admitted,
) -> Answered {
    // Counting tokens is free.
    let price = proxy.price(&admitted.model).filter(|_| route != Route::Count);
    let mut charge = match session.open(admitted.most, price).await {
        Ok(charge) => charge,
        Err(refusal) => return refused(refusal.status, &refusal.message),
    };
    let deadline = Instant::now() + upstream.limit;
    charge.sent();
    let asked = upstream.ask(route, headers, admitted.body.to_string());
    let response = match timeout_at(deadline, asked).await {
        Ok(Ok(response)) => response,
        Ok(Err((why, unsent))) => {
            charge.settle(None, unsent);
            return refused(502, &format!("the provider did not answer: {why}"));
        }
        Err(_) => return refused(504, "the provider does not answer"),
    };
    let status = response.status();
    tracing::debug!(
        model = admitted.model,
        status = status.as_u16(),
        bytes = admitted.most.input,
        "asked a model for a process"
    );
    if status.is_redirection() || status.is_informational() || response.headers().contains_key(CONTENT_ENCODING) {
        charge.settle(None, !status.is_success());
        return refused(
            502,
            "the provider answered with a redirect, or packed, which is not passed on",
        );
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or("application/json").to_owned();
    let passed = passed_on(response.headers(), upstream);
    let wire = match route {
        Route::Ask(wire) => wire,
        Route::Count | Route::Models => Wire::Messages,
    };
    let mut flow = Flow {
        proxy: proxy.clone(),
        response,
        deadline,
        meter: None,
        charge: Some(charge),
        bytes: 0,
        kept: Kept {
            request: admitted.body,
            content_type: kind,
            answer: String::new(),
        },
        route,
    };
    let mut answered = if status.is_success() && flow.kept.content_type.starts_with("text/event-stream") {
        flow.meter = Some(Meter::new(wire, admitted.hide_usage));
        let events = stream::unfold(flow, |mut flow| async move { Some((flow.next().await?, flow)) });
        Response::new(BodyExt::boxed_unsync(StreamBody::new(events)))
    } else {
        match flow.whole(wire, status).await {
            Ok(bytes) => whole(status.as_u16(), "application/json", bytes),
            Err(why) => return refused(502, &why),
        }
    };
    *answered.status_mut() = status;
    answered.headers_mut().extend(passed);
    answered
}

fn passed_on(headers: &HeaderMap, upstream: &Upstream) -> HeaderMap {
    let known = HEADERS.map(HeaderName::from_static).into_iter();
    known
        .filter_map(|name| Some((name.clone(), headers.get(&name)?.clone())))
        .filter(|(_, value)| !upstream.is_told_by(value))
        .collect()
}

/// An answer that comes through.
struct Flow {
    proxy: Arc<Proxy>,
    response: reqwest::Response,
    deadline: Instant,
    /// For a stream that has not ended.
    meter: Option<Meter>,
    /// Dropped with the stream, it counts as the most it may have cost.
    charge: Option<Charge>,
    bytes: usize,
    kept: Kept,
    route: Route,
}

impl Flow {
    /// The next bytes of the body; `None` at its end.
    async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the answer does not end");
        let chunk = timeout_at(self.deadline, self.response.chunk())
            .await
            .map_err(|_elapsed| late())?;
        let chunk = chunk.map_err(|error| io::Error::other(crate::client::cause(&error)))?;
        self.bytes += chunk.as_ref().map_or(0, Bytes::len);
        if self.bytes > MAX_ANSWER {
            return Err(io::Error::other("the answer is too long"));
        }
        Ok(chunk)
    }

    fn clean(&self, bytes: Vec<u8>) -> Vec<u8> {
        match &self.proxy.upstream {
            Some(upstream) => upstream.without_key(bytes),
            None => bytes,
        }
    }

    /// The next whole events; `None` when all are through.
    async fn next(&mut self) -> Option<io::Result<Frame<Bytes>>> {
        while let Some(mut meter) = self.meter.take() {
            let (out, whole) = match self.chunk().await {
                Ok(Some(piece)) => match meter.push(&piece) {
                    Ok(out) => {
                        self.meter = Some(meter);
                        (out, false)
                    }
                    Err(endless) => return Some(Err(io::Error::other(endless))),
                },
                Ok(None) => {
                    let (rest, usage) = meter.finish();
                    if let Some(charge) = self.charge.take() {
                        charge.settle(usage, false);
                    }
                    (rest, usage.is_some())
                }
                Err(error) => return Some(Err(error)),
            };
            let out = self.clean(out);
            if self.proxy.recorder.is_some() {
                self.kept.answer.push_str(&String::from_utf8_lossy(&out));
            }
            if whole {
                self.keep();
            }
            if !out.is_empty() {
                return Some(Ok(Frame::data(out.into())));
            }
        }
        None
    }

    /// A whole answer, or a whole error.
    async fn whole(mut self, wire: Wire, status: StatusCode) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            match self.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(error.to_string()),
            }
        }
        let told: Option<Value> = serde_json::from_slice(&body).ok();
        let usage = told.as_ref().and_then(|told| meter::of_answer(wire, told));
        if let Some(charge) = self.charge.take() {
            charge.settle(usage, !status.is_success() || self.route == Route::Count);
        }
        let body = self.clean(body);
        if status.is_success() && told.is_some() {
            self.kept.answer = String::from_utf8_lossy(&body).into_owned();
            self.keep();
        }
        Ok(body)
    }

    /// Keeps what came through, if somebody wants it kept.
    fn keep(&self) {
        if let Some(recorder) = &self.proxy.recorder
            && let Err(error) = recorder.write(self.route, &self.kept)
        {
            tracing::warn!(%error, "an exchange with a model could not be kept");
        }
    }
}
