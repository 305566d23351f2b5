//! Reader for Inspect logs (version 2): the `.json` of one file, and the entries of an `.eval` archive, where header and samples are files
//! of their own.

use super::document::Document;
use super::folder::Piece;
use super::json::{Node, Object};
use super::read::{Content, ReadTrace, Warning};
use super::{Check, Role, Step, Termination, Trace, message, tau2};
use crate::failure::FailureKind;
use crate::id::TaskId;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a score is a full one. Inspect's values are `C` correct, `I` incorrect, `P` partial, `N` no answer; numbers and truth values; or
/// several of them, in a list or by name.
pub fn is_full(value: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(is_full),
        Value::Object(values) => !values.is_empty() && values.values().all(is_full),
        one => amount(one).is_some_and(|amount| amount >= 1.0),
    }
}

/// A score as a number; of several the mean.
fn amount(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "C" => Some(1.0),
            "P" => Some(0.5),
            "I" | "N" => Some(0.0),
            word => match word.to_lowercase().as_str() {
                "yes" | "true" => Some(1.0),
                "no" | "false" => Some(0.0),
                number => number.parse().ok().filter(|number: &f64| number.is_finite()),
            },
        },
        Value::Array(values) => mean(values.iter()),
        Value::Object(values) => mean(values.values()),
        Value::Null => None,
    }
}

fn mean<'a>(values: impl Iterator<Item = &'a Value>) -> Option<f64> {
    let known: Vec<f64> = values.filter_map(amount).map(|amount| amount.clamp(0.0, 1.0)).collect();
    let count = u32::try_from(known.len()).ok().filter(|count| *count > 0)?;
    Some(known.iter().sum::<f64>() / f64::from(count))
}

/// What a log says of all its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    run: String,
    task: String,
    /// `None` for the note that a run was started.
    status: Option<String>,
}

impl Header {
    fn of(log: &Object<'_>) -> Option<Self> {
        let eval = log.node("eval")?.as_object()?;
        let run = ["run_id", "eval_id"].iter().find_map(|key| eval.word(key));
        Some(Self {
            run: run.unwrap_or_default(),
            task: eval.word("task").unwrap_or_default(),
            status: log.word("status"),
        })
    }

    /// Gives a sample the names of its log. A log that was started or cancelled is not whole and judges nothing.
    pub(super) fn apply(&self, sample: &mut ReadTrace) {
        let epoch = sample.trial + 1;
        sample.source = format!("inspect:{}:{}:{epoch}", self.run, sample.task);
        sample.task = TaskId::new(format!("{}/{}", self.task, sample.task));
        if matches!(self.status.as_deref(), Some("started" | "cancelled")) {
            sample.passed = None;
            sample.score = None;
        }
    }

    fn warn(&self, warnings: &mut Vec<Warning>) {
        if let Some(status @ ("started" | "cancelled")) = self.status.as_deref() {
            let message = format!("the log is `{status}`, so it is not whole, and its scores do not count");
            warnings.push(Warning::new("status", message));
        }
    }
}

/// Whether a document is a log, or a file of an `.eval` archive.
pub(super) fn recognises(document: &Document<'_>) -> bool {
    let heads = document.heads(1);
    heads.first().is_some_and(|head| {
        let log = head.has("version") && head.has("eval") && (head.has("status") || head.has("plan"));
        let sample = head.has("id") && head.has("epoch") && head.has("input");
        let reductions = head.has("scorer") && head.has("samples");
        log || sample || reductions
    })
}

pub(super) fn read(document: &Document<'_>, warnings: &mut Vec<Warning>) -> Content {
    let mut content = Content::default();
    if document.has_list("") {
        // Summaries and reductions: what they tell is in the samples too.
        return content;
    }
    let top = document.object();
    if !top.has("eval") {
        content.traces.extend(sample(&top, warnings));
        return content;
    }
    let Some(header) = Header::of(&top) else { return content };
    header.warn(warnings);
    if !document.has_list("samples") {
        // The note of the start is followed by the header, if the run came so far.
        content.piece = header.status.is_some().then_some(Piece::Inspect(header));
        return content;
    }
    for node in document.items("samples") {
        let read = node.object(warnings).and_then(|object| sample(&object, warnings));
        content.traces.extend(read.map(|mut trace| {
            header.apply(&mut trace);
            trace
        }));
    }
    content
}

/// One sample, with its id for a task.
fn sample(sample: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<ReadTrace> {
    let Some(id) = sample.text("id", warnings) else {
        sample.warn("left out: a sample without an `id`", warnings);
        return None;
    };
    let mut steps = message::steps(sample.list("messages", warnings), warnings);
    if steps.is_empty() {
        steps = input(sample, warnings);
    }
    resolve(&mut steps, sample);
    let (checks, passed, score) = scores(sample, warnings);
    let error = sample.node("error").is_some();
    let trace = Trace {
        termination: termination(sample, error, &steps),
        steps,
        checks,
        ..Trace::default()
    };
    let epoch = sample.number("epoch", warnings).map_or(1, tau2::whole);
    Some(ReadTrace {
        source: format!("inspect:{id}:{epoch}:{}", crate::hash::of_trace(&trace)),
        task: TaskId::new(id),
        trial: epoch.saturating_sub(1),
        passed: passed.filter(|_| !error),
        score: score.filter(|_| !error),
        // A crash of the agent's code and one of the machinery look alike.
        kind_hint: error.then_some(FailureKind::Unknown),
        trace,
    })
}

fn input(sample: &Object<'_>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let Some(input) = sample.node("input") else {
        return Vec::new();
    };
    match input.as_list() {
        Some(messages) => message::steps(messages, warnings),
        None => vec![Step {
            content: input.shown(),
            ..Step::default()
        }],
    }
}

/// Long texts stand once, among the attachments, and `attachment://<hash>` where they belong.
fn resolve(steps: &mut [Step], sample: &Object<'_>) {
    const SCHEME: &str = "attachment://";
    let Some(attachments) = sample.node("attachments").and_then(|node| node.as_object()) else {
        return;
    };
    let resolved = |text: &str| attachments.word(text.strip_prefix(SCHEME)?);
    for step in steps {
        if let Some(text) = resolved(&step.content) {
            step.content = text;
        }
        for value in step.tool_calls.iter_mut().flat_map(|call| call.arguments.values_mut()) {
            if let Some(text) = value.as_str().and_then(resolved) {
                *value = Value::String(text);
            }
        }
    }
}

/// A sample passed if every scorer gave it a full score.
fn scores(sample: &Object<'_>, warnings: &mut Vec<Warning>) -> (Vec<Check>, Option<bool>, Option<f64>) {
    let scores = sample.object("scores", warnings);
    let by_scorer: BTreeMap<String, Node<'_>> = scores
        .iter()
        .flat_map(|scores| {
            scores
                .keys()
                .filter_map(|key| Some((key.to_owned(), scores.node(key)?)))
        })
        .collect();
    let mut checks = Vec::new();
    let mut amounts = Vec::new();
    for (scorer, node) in by_scorer {
        let Some(score) = node.object(warnings) else { continue };
        let value: Option<Value> = score.node("value").and_then(|value| value.parse(warnings));
        let Some((value, amount)) = value.and_then(|value| Some((amount(&value)?, value)).map(|(a, v)| (v, a))) else {
            score.warn("the score is neither a number nor one of Inspect's letters", warnings);
            continue;
        };
        let said = ["explanation", "answer"].iter().find_map(|key| score.word(key));
        checks.push(Check {
            name: scorer,
            kind: "score".to_owned(),
            passed: is_full(&value),
            detail: format!("{value}: {}", said.unwrap_or_default()),
        });
        amounts.push(Value::from(amount));
    }
    let passed = (!checks.is_empty()).then(|| checks.iter().all(|check| check.passed));
    (checks, passed, mean(amounts.iter()))
}

fn termination(sample: &Object<'_>, error: bool, steps: &[Step]) -> Termination {
    if error {
        return Termination::UnexpectedError;
    }
    let limit = sample.node("limit").and_then(|limit| limit.at("/type")?.as_text());
    let stop = sample
        .node("output")
        .and_then(|output| output.at("/choices/0/stop_reason")?.as_text());
    match (limit.as_deref(), stop.as_deref()) {
        (Some("time" | "working"), _) => Termination::Timeout,
        (Some("message" | "turn" | "token" | "cost"), _) => Termination::MaxSteps,
        (Some("context"), _) | (None, Some("model_length")) => Termination::ContextWindowExceeded,
        (None, _) if steps.last().is_some_and(|step| step.role == Role::Assistant) => Termination::AgentStop,
        _ => Termination::Unknown,
    }
}

#[cfg(test)]
mod tests;
