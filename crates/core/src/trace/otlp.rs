//! Reader for OpenTelemetry spans as JSON: an `ExportTraceServiceRequest` (or one a line), spans one a line, and the flat spans of HALO; with
//! the `GenAI` conventions, their older names, `OpenInference`, `OpenLLMetry` and the Vercel AI SDK.
//!
//! All spans of one trace id are one run. It failed if an evaluation says so, or if its root span did; a tool that failed below a root that
//! is well is only a symptom.

mod attributes;
mod span;
mod spoken;

use super::document::Document;
use super::json::Object;
use super::message;
use super::read::{ReadTrace, Warning, unnamed_task};
use super::window::Window;
use super::{Check, Step, Termination, Trace};
use crate::id::TaskId;
use span::{Event, Span};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A score of an evaluation without a label and without a threshold of its own fails below it.
const THRESHOLD: f64 = 0.5;

/// Whether an object is a request, or a span alone.
pub(super) fn recognises(object: &Object<'_>) -> bool {
    let request = ["resourceSpans", "resource_spans", "resourceLogs", "resource_logs"];
    request.iter().any(|key| object.has(key)) || span::recognises(object)
}

/// Reads all runs, in the order in which they first appear.
pub(super) fn read(document: &Document<'_>, window: &mut Window, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let mut found = span::Found::default();
    for (at, resource) in document.look("resourceSpans").enumerate() {
        found.record = at;
        found.resource(resource, warnings);
    }
    for (at, object) in document.objects(warnings) {
        found.record = at;
        found.object(&object, warnings);
    }
    let mut order: Vec<String> = Vec::new();
    let mut by_trace: BTreeMap<String, Run<'_>> = BTreeMap::new();
    for (record, span) in found.spans {
        if !by_trace.contains_key(&span.trace) {
            order.push(span.trace.clone());
        }
        let run = by_trace.entry(span.trace.clone()).or_default();
        run.records.push(record);
        run.spans.push(span);
    }
    for (record, trace, event) in found.logged {
        if let Some(run) = by_trace.get_mut(&trace) {
            run.records.push(record);
            run.logged.push(event);
        }
    }
    let mut traces = Vec::new();
    for (id, run) in order.iter().filter_map(|id| Some((id, by_trace.remove(id)?))) {
        if window.is_open(&run.records) {
            window.keep(&run.records);
        } else if window.finish(id, &run.records, warnings) {
            traces.push(run.finish(id, warnings));
        }
    }
    traces
}

/// What was said in the spans of one trace, which need not name it. Those that `leave` names are not the agent's: `(attribute, value)`.
pub(super) fn said(spans: &[Object<'_>], trace: &str, leave: (&str, &str), warnings: &mut Vec<Warning>) -> Vec<Step> {
    let spans = spans.iter().filter_map(|span| span::of_trace(span, trace));
    let mut run = Run {
        spans: spans.filter(|span| !span.attributes.is(leave.0, &[leave.1])).collect(),
        ..Run::default()
    };
    run.spans.sort_by_key(|span| span.start);
    spoken::steps(&run.spans, run.root(), warnings)
}

#[derive(Default)]
struct Run<'a> {
    /// The records of the file that its spans stand in.
    records: Vec<usize>,
    spans: Vec<Span<'a>>,
    logged: Vec<Event<'a>>,
}

impl Run<'_> {
    fn finish(mut self, id: &str, warnings: &mut Vec<Warning>) -> ReadTrace {
        // Exporters write a span when it ends, so children come first. The sort is stable: equal times keep the order of the file.
        self.spans.sort_by_key(|span| span.start);
        let root = self.root();
        let mut checks = self.evaluations();
        let judged = !checks.is_empty();
        let failed = root.and_then(|root| self.spans[root].failure());
        let termination = failed.as_deref().map_or(Termination::Unknown, termination);
        if let Some(detail) = failed {
            checks.push(Check {
                name: root.map(|root| self.spans[root].name.clone()).unwrap_or_default(),
                kind: "status".to_owned(),
                passed: false,
                detail,
            });
        }
        let held = checks.iter().all(|check| check.passed);
        let tools = self.spans.iter().find_map(|span| {
            let definitions = span.attributes.list("gen_ai.tool.definitions")?;
            Some(definitions.read(message::tools))
        });
        let trace = Trace {
            impact: None,
            steps: spoken::steps(&self.spans, root, warnings),
            termination,
            tools: tools.unwrap_or_default(),
            expected: None,
            checks,
        };
        let task = ["test.case.name", "gen_ai.task.id", "task.id"]
            .iter()
            .find_map(|key| root.and_then(|root| self.spans[root].attributes.text(key)));
        ReadTrace {
            source: format!("otlp:{id}"),
            task: task.map_or_else(|| unnamed_task(&trace.steps), TaskId::new),
            trial: 0,
            passed: if held { judged.then_some(true) } else { Some(false) },
            score: None,
            kind_hint: None,
            trace,
        }
    }

    /// The span that no other span of the file contains: the first one, or the first agent among them.
    fn root(&self) -> Option<usize> {
        let known: BTreeSet<&str> = self.spans.iter().map(|span| span.id.as_str()).collect();
        let top = |at: &usize| !known.contains(self.spans[*at].parent.as_str()) || self.spans[*at].parent.is_empty();
        let mut tops = (0..self.spans.len()).filter(top);
        let agent = tops.clone().find(|at| self.spans[*at].is_agent());
        agent.or_else(|| tops.next())
    }

    fn evaluations(&self) -> Vec<Check> {
        let of_spans = self.spans.iter().flat_map(|span| &span.events);
        let events = of_spans.chain(&self.logged);
        events.filter_map(evaluation).collect()
    }
}

/// What an evaluation says; one that gives neither a label nor a score that can be judged says nothing.
fn evaluation(event: &Event<'_>) -> Option<Check> {
    if event.name != "gen_ai.evaluation.result" {
        return None;
    }
    let text = |key: &str| event.attributes.text(&format!("gen_ai.evaluation.{key}"));
    let label = text("score.label");
    let score = text("score.value").and_then(|score| score.parse::<f64>().ok());
    let threshold = text("score.threshold").or_else(|| text("threshold"));
    let threshold = threshold.and_then(|threshold| threshold.parse().ok());
    let by_score = || match (score?, threshold) {
        (score, Some(threshold)) => Some(score >= threshold),
        // Without a threshold only a score between 0 and 1 says anything.
        (score, None) => (0.0..=1.0).contains(&score).then_some(score >= THRESHOLD),
    };
    let passed = label.as_deref().and_then(verdict).or_else(by_score)?;
    let score = score.map(|score| score.to_string().into());
    let told: Vec<Cow<'_, str>> = [label, score, text("explanation")].into_iter().flatten().collect();
    Some(Check {
        name: text("name").map_or_else(|| "evaluation".to_owned(), Cow::into_owned),
        kind: "judged".to_owned(),
        passed,
        detail: told.join(": "),
    })
}

fn verdict(label: &str) -> Option<bool> {
    match label.to_lowercase().as_str() {
        "pass" | "passed" | "true" | "yes" | "correct" | "success" | "relevant" | "factual" => Some(true),
        "fail" | "failed" | "false" | "no" | "incorrect" | "failure" | "irrelevant" | "hallucinated" => Some(false),
        _ => None,
    }
}

/// How a run ended, as far as the words of its root span are clear.
fn termination(failure: &str) -> Termination {
    let failure = failure.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| failure.contains(word));
    if says(&["context_length", "context length", "context window"]) {
        Termination::ContextWindowExceeded
    } else if says(&[
        "max_turns",
        "maxturns",
        "max turns",
        "recursion limit",
        "max_steps",
        "max iterations",
    ]) {
        Termination::MaxSteps
    } else if says(&["timeout", "timed out", "deadline"]) {
        Termination::Timeout
    } else if says(&[
        "connection refused",
        "connectionerror",
        "econnre",
        "rate_limit",
        "ratelimit",
        "unavailable",
    ]) {
        Termination::InfrastructureError
    } else {
        Termination::Unknown
    }
}

#[cfg(test)]
mod tests;
