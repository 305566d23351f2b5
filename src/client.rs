//! HTTP clients, as the forge and the model make them: no redirects, no retries of their own, no secret over an open line or in a message.

use reqwest::{Client, Url};
use std::time::Duration;

/// How sprag calls itself.
pub(crate) const AGENT: &str = concat!("sprag/", env!("CARGO_PKG_VERSION"));

/// A client; `timeout` is for connecting, and for each pause while reading. The error says why there is none.
pub(crate) fn new(timeout: Duration) -> Result<Client, String> {
    // Fails only when somebody else in this process was first, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder()
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(AGENT)
        .build()
        .map_err(|error| cause(&error))
}

/// The base of an API. A secret must not go over the net in the clear, so `http` is for this machine alone. The error says what is wrong.
pub(crate) fn base(address: &str) -> Result<Url, &'static str> {
    let url = Url::parse(address).map_err(|_parse| "the address of the API is not a URL")?;
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err("the address of the API is not https"),
    }
}

/// The innermost cause of an error: the outer ones repeat addresses, which may carry signatures.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(error) = cause.downcast_ref::<reqwest::Error>()
            && error.is_timeout()
        {
            return "timed out".to_owned();
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request could not be sent".to_owned(),
        None => cause.to_string(),
    }
}
