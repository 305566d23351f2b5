//! Spans in all their envelopes: requests, raw spans, HALO's flat ones, and what the SDKs of Python and JavaScript print.

use super::super::json::{Node, Object};
use super::super::read::Warning;
use super::attributes::Attributes;
use std::borrow::Cow;

/// One span, as far as it matters here.
pub(in super::super) struct Span<'a> {
    pub(in super::super) trace: String,
    pub(in super::super) id: String,
    /// Empty for a root.
    pub(in super::super) parent: String,
    pub(in super::super) name: String,
    /// When it began; only the order means something.
    pub(in super::super) start: u128,
    failed: bool,
    message: String,
    pub(in super::super) attributes: Attributes<'a>,
    pub(in super::super) events: Vec<Event<'a>>,
}

/// Something that happened during a span.
pub(in super::super) struct Event<'a> {
    pub(in super::super) name: String,
    pub(in super::super) attributes: Attributes<'a>,
    pub(in super::super) body: Option<Node<'a>>,
}

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Model,
    Tool,
    Other,
}

/// All spans of a file, and the events that were logged beside them, with the trace that they belong to.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// Each with the record of the file that it stands in.
    pub(super) spans: Vec<(usize, Span<'a>)>,
    pub(super) logged: Vec<(usize, String, Event<'a>)>,
    /// The record that is being read.
    pub(super) record: usize,
}

pub(super) fn recognises(object: &Object<'_>) -> bool {
    ids(object).is_some() && (object.has("name") || object.has("attributes"))
}

impl<'a> Found<'a> {
    /// Takes a request, or a span alone.
    pub(super) fn object(&mut self, object: &Object<'a>, warnings: &mut Vec<Warning>) {
        for key in ["resourceSpans", "resource_spans", "resourceLogs", "resource_logs"] {
            for resource in object.list(key, warnings) {
                self.resource(resource, warnings);
            }
        }
        let record = self.record;
        self.spans.extend(span(object).map(|span| (record, span)));
    }

    pub(super) fn resource(&mut self, resource: Node<'a>, warnings: &mut Vec<Warning>) {
        let Some(resource) = resource.object(warnings) else {
            return;
        };
        let scopes = [
            "scopeSpans",
            "scope_spans",
            "instrumentationLibrarySpans",
            "scopeLogs",
            "scope_logs",
        ];
        for scope in scopes
            .into_iter()
            .flat_map(|key| resource.objects(key, warnings))
            .collect::<Vec<_>>()
        {
            for object in scope.objects("spans", warnings) {
                match span(&object) {
                    Some(span) => self.spans.push((self.record, span)),
                    None => object.warn("left out: a span without a trace id and a span id", warnings),
                }
            }
            for key in ["logRecords", "log_records"] {
                let records = scope.objects(key, warnings);
                let logged = records.iter().filter_map(record);
                self.logged
                    .extend(logged.map(|(trace, event)| (self.record, trace, event)));
            }
        }
    }
}

fn record<'a>(record: &Object<'a>) -> Option<(String, Event<'a>)> {
    let trace = record.any(&["traceId", "trace_id"])?.as_text()?;
    Some((trace, event(record)))
}

fn event<'a>(event: &Object<'a>) -> Event<'a> {
    let attributes = Attributes::of(event.node("attributes"));
    let name = event
        .any(&["name", "eventName", "event_name"])
        .and_then(|name| name.as_text());
    Event {
        name: name
            .or_else(|| attributes.text("event.name").map(Cow::into_owned))
            .unwrap_or_default(),
        attributes,
        body: event.node("body"),
    }
}

/// The ids of trace and span.
fn ids(object: &Object<'_>) -> Option<(String, String)> {
    let context = object
        .any(&["spanContext", "context"])
        .and_then(|context| context.as_object());
    let context = context.as_ref().unwrap_or(object);
    let id = |keys: &[&str]| context.any(keys)?.as_text().filter(|id| !id.is_empty());
    Some((id(&["traceId", "trace_id"])?, id(&["spanId", "span_id"])?))
}

fn span<'a>(object: &Object<'a>) -> Option<Span<'a>> {
    let (trace, id) = ids(object)?;
    Some(named(object, trace, id))
}

/// A span of a list that is one trace's, so that it need not name it.
pub(super) fn of_trace<'a>(object: &Object<'a>, trace: &str) -> Option<Span<'a>> {
    let id = object.any(&["spanId", "span_id"])?.as_text()?;
    Some(named(object, trace.to_owned(), id))
}

fn named<'a>(object: &Object<'a>, trace: String, id: String) -> Span<'a> {
    let parent = object.any(&["parentSpanId", "parent_span_id", "parent_id"]);
    let parent = parent.and_then(|parent| parent.as_text());
    let parent = parent.or_else(|| object.node("parentSpanContext")?.as_object()?.word("spanId"));
    let start = object.any(&["startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime"]);
    let status = object.node("status").and_then(|status| status.as_object());
    let of_status = |keys: &[&str]| status.as_ref()?.any(keys)?.as_text();
    let beside = |keys: &[&str]| object.any(keys).and_then(|node| node.as_text());
    let code = of_status(&["code", "status_code"]).or_else(|| beside(&["status_code", "statusCode"]));
    let code = code.or_else(|| object.word("status")).unwrap_or_default();
    let message = of_status(&["message", "description"]).or_else(|| beside(&["status_message", "statusMessage"]));
    Span {
        trace,
        id,
        parent: parent
            .filter(|id| id.chars().any(|digit| digit != '0'))
            .unwrap_or_default(),
        name: object.word("name").unwrap_or_default(),
        start: start.and_then(|start| time(&start)).unwrap_or(0),
        failed: code == "2" || code.to_uppercase().ends_with("ERROR"),
        message: message.unwrap_or_default(),
        attributes: Attributes::of(object.node("attributes")),
        events: object.objects("events", &mut Vec::new()).iter().map(event).collect(),
    }
}

/// A time that can be compared with others of its file: a number or its text, RFC 3339, or JavaScript's seconds and nanoseconds.
fn time(node: &Node<'_>) -> Option<u128> {
    if let Some(pair) = node.as_list() {
        let part = |at: usize| pair.get(at)?.as_text()?.parse::<u128>().ok();
        return Some(part(0)? * 1_000_000_000 + part(1)?);
    }
    let text = node.as_text()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits =
        |text: &str, count: usize| -> String { text.chars().filter(char::is_ascii_digit).take(count).collect() };
    let billionths: String = fraction.chars().take_while(char::is_ascii_digit).take(9).collect();
    // A number, in whatever unit, is one with or without a fraction.
    let whole = match whole.parse::<u64>() {
        Ok(number) => number.to_string(),
        Err(_) => format!("{:0<14}", digits(whole, 14)),
    };
    format!("{whole}{billionths:0<9}").parse().ok()
}

impl<'a> Span<'a> {
    /// An attribute of the span, or of an event of it that carries content.
    pub(in super::super) fn find<T>(&self, look: impl Fn(&Attributes<'a>) -> Option<T>) -> Option<T> {
        look(&self.attributes).or_else(|| self.events.iter().find_map(|event| look(&event.attributes)))
    }

    /// What is wrong with the span, if something is.
    pub(in super::super) fn failure(&self) -> Option<String> {
        let kind = self.attributes.text("error.type").filter(|kind| !kind.is_empty());
        if !self.failed && kind.is_none() {
            return None;
        }
        let thrown = self.events.iter().find(|event| event.name == "exception");
        let thrown = thrown.and_then(|event| event.attributes.text("exception.message"));
        let said = [kind, Some(self.message.as_str().into()), thrown].into_iter().flatten();
        let said: Vec<Cow<'_, str>> = said.filter(|text| !text.is_empty()).collect();
        Some(if said.is_empty() {
            "the span failed".to_owned()
        } else {
            said.join(": ")
        })
    }

    pub(in super::super) fn is_agent(&self) -> bool {
        let is = |key: &str, words: &[&str]| self.attributes.is(key, words);
        is("gen_ai.operation.name", &["invoke_agent", "invoke_workflow"])
            || is("openinference.span.kind", &["AGENT"])
            || is("traceloop.span.kind", &["workflow", "agent"])
    }

    pub(in super::super) fn kind(&self) -> Kind {
        let word = |key: &str| self.attributes.text(key).unwrap_or_default();
        match word("gen_ai.operation.name").as_ref() {
            "chat" | "generate_content" | "text_completion" => return Kind::Model,
            "execute_tool" => return Kind::Tool,
            _ => {}
        }
        match word("openinference.span.kind").as_ref() {
            "LLM" => return Kind::Model,
            "TOOL" => return Kind::Tool,
            _ => {}
        }
        let vercel = word("ai.operationId");
        if word("traceloop.span.kind") == "tool" || vercel == "ai.toolCall" {
            Kind::Tool
        } else if !word("llm.request.type").is_empty()
            || vercel.ends_with(".doGenerate")
            || vercel.ends_with(".doStream")
        {
            Kind::Model
        } else {
            Kind::Other
        }
    }
}
