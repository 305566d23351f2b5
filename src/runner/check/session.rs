//! A conversation with a worker that may do anything: every way not to answer becomes a trouble in words.

use super::super::answer::quote;
use super::super::checkout::Checkout;
use super::super::lanes::end_of;
use super::super::process::{Conversation, Launch};
use super::super::way_to_model;
use super::super::worker::in_words;
use super::CheckRequest;
use super::report::Trouble;
use crate::proxy::Serving;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How many lines of noise are kept to be shown.
const NOISE_SHOWN: usize = 3;
/// Noise of more bytes than this is a flood.
const MAX_NOISE: usize = 64 * 1024 * 1024;

const ANSWER: &str = "answer every message with one line of JSON and flush stdout after it (Python: `flush=True`); \
                      if it only needs longer, give `--limit SECONDS`";
const START: &str =
    "run the command by hand in the root of the project until it waits for input; its log says what is missing";
const SURVIVE: &str = "catch what goes wrong in a run and answer with an `error` result; the log shows where it ended";
const JSON: &str = "write one JSON object a line, with no line break inside (Python: `json.dumps`)";
const STREAM: &str = "write only messages to stdout, and end each with a line break";

/// A worker under check. It is started anew when a check lost it.
pub(super) struct Session<'a> {
    request: &'a CheckRequest,
    checkout: Checkout,
    conversation: Option<Conversation>,
    /// Its way to the model.
    model: Option<Serving>,
    pub noise: Noise,
}

/// Lines on stdout that are no messages.
#[derive(Default)]
pub(super) struct Noise {
    pub n_lines: usize,
    pub first: Vec<String>,
    bytes: usize,
}

/// A message of the worker with the line it stood on.
pub(super) struct Said {
    pub value: Value,
    pub line: String,
}

impl<'a> Session<'a> {
    pub(super) fn new(request: &'a CheckRequest) -> std::io::Result<Self> {
        let checkout = Checkout::write(&request.scratch, &request.files, &request.files.harness)?;
        Ok(Self {
            request,
            checkout,
            conversation: None,
            model: None,
            noise: Noise::default(),
        })
    }

    /// Starts the process; the first thing it is asked must be [`Self::hello`].
    pub(super) async fn start(&mut self) -> std::io::Result<()> {
        let model = way_to_model(self.request.proxy.as_ref())?;
        let launch = Launch {
            command: &self.request.command,
            dir: self.checkout.path(),
            project_dir: &self.request.project_dir,
            env_pass: &self.request.env_pass,
            model: model.as_ref(),
            hold: &self.request.hold,
            write: &[],
        };
        self.conversation = Some(Conversation::start(launch).await?);
        self.model = model;
        Ok(())
    }

    pub(super) async fn hello(&mut self) -> Result<Said, Trouble> {
        self.send(&json!({"type": "hello", "protocol": 1}), "hello").await?;
        self.receive("hello", "ready").await
    }

    /// Sends a message and waits for an answer of the type `wanted`.
    pub(super) async fn ask(&mut self, message: &Value, wanted: &str) -> Result<Said, Trouble> {
        self.revive().await?;
        let asked = message["type"].as_str().unwrap_or_default();
        self.send(message, asked).await?;
        self.receive(asked, wanted).await
    }

    /// Sends a message that gets no answer.
    pub(super) async fn tell(&mut self, message: &Value) -> Result<(), Trouble> {
        self.revive().await?;
        self.send(message, message["type"].as_str().unwrap_or_default()).await
    }

    /// The next answer to a message that was sent by [`Self::tell`].
    pub(super) async fn next(&mut self, asked: &str, wanted: &str) -> Result<Said, Trouble> {
        self.receive(asked, wanted).await
    }

    /// Whether the worker ends by itself in this time. It is gone afterwards in any case.
    pub(super) async fn ends_within(&mut self, limit: Duration) -> bool {
        let Some(mut conversation) = self.conversation.take() else {
            return true;
        };
        let ended = conversation.ends_within(limit).await;
        conversation.end(Duration::ZERO).await;
        ended
    }

    async fn revive(&mut self) -> Result<(), Trouble> {
        if self.conversation.is_none() {
            self.start()
                .await
                .map_err(|error| Trouble::new(format!("cannot be started again: {error}"), ""))?;
            self.hello().await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: &Value, asked: &str) -> Result<(), Trouble> {
        let line = format!("{message}\n");
        let deadline = Instant::now() + self.request.limit;
        let Some(conversation) = &mut self.conversation else {
            return Err(Trouble::new("is not running", ""));
        };
        match timeout_at(deadline, conversation.send(line.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended(asked).await),
            Err(_) => Err(self.silent(asked).await),
        }
    }

    async fn receive(&mut self, asked: &str, wanted: &str) -> Result<Said, Trouble> {
        let deadline = Instant::now() + self.request.limit;
        loop {
            let Some(conversation) = &mut self.conversation else {
                return Err(Trouble::new("is not running", ""));
            };
            let line = match timeout_at(deadline, conversation.receive()).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return Err(self.ended(asked).await),
                Ok(Err(error)) => return Err(self.stop(Trouble::new(error.to_string(), STREAM)).await),
                Err(_) => return Err(self.silent(asked).await),
            };
            let shown = quote(&line);
            match serde_json::from_slice::<Value>(&line) {
                Ok(value) if value["type"] == wanted => return Ok(Said { value, line: shown }),
                Ok(value) if value["type"].is_string() => {
                    let message = format!(
                        "answered `{asked}` with the type {} instead of \"{wanted}\"",
                        value["type"]
                    );
                    return Err(Trouble::new(message, ANSWER).quoting(&shown));
                }
                Ok(value) if value.is_object() => {
                    let message = format!("answered `{asked}` with an object without a `type`");
                    return Err(Trouble::new(message, "give every message its `type`").quoting(&shown));
                }
                Err(error) if shown.starts_with('{') => {
                    let message = format!("answered `{asked}` with a line that is not JSON: {error}");
                    return Err(Trouble::new(message, JSON).quoting(&shown));
                }
                Ok(_) | Err(_) => self.bear(shown, line.len()).await?,
            }
        }
    }

    async fn bear(&mut self, shown: String, n_bytes: usize) -> Result<(), Trouble> {
        self.noise.n_lines += 1;
        self.noise.bytes += n_bytes + 1;
        if self.noise.first.len() < NOISE_SHOWN {
            self.noise.first.push(shown);
        }
        if self.noise.bytes > MAX_NOISE {
            self.noise.bytes = 0;
            return Err(self
                .stop(Trouble::new("floods stdout with other lines than messages", STREAM))
                .await);
        }
        Ok(())
    }

    async fn ended(&mut self, asked: &str) -> Trouble {
        let Some(mut conversation) = self.conversation.take() else {
            return Trouble::new("is not running", "");
        };
        let (status, log) = conversation.post_mortem().await;
        let log = end_of(&log);
        match status {
            Some(status) => {
                let fix = if asked == "hello" { START } else { SURVIVE };
                Trouble::new(format!("ended ({status}) instead of answering `{asked}`{log}"), fix)
            }
            None => Trouble::new(format!("closed its stdout instead of answering `{asked}`{log}"), ANSWER),
        }
    }

    async fn silent(&mut self, asked: &str) -> Trouble {
        let limit = in_words(self.request.limit);
        self.stop(Trouble::new(format!("did not answer `{asked}` within {limit}"), ANSWER))
            .await
    }

    /// Ends the worker; what it logged joins the trouble.
    async fn stop(&mut self, mut trouble: Trouble) -> Trouble {
        if let Some(mut conversation) = self.conversation.take() {
            conversation.end(Duration::ZERO).await;
            trouble.message += &end_of(&conversation.post_mortem().await.1);
        }
        trouble
    }
}
