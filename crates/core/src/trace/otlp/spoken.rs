//! What was said during a run, put together from its spans. Every call of a model repeats the conversation so far, and tools have spans of
//! their own besides: each thing is taken once.

use super::super::json::Node;
use super::super::read::Warning;
use super::super::{Role, Step, ToolCall, message, python};
use super::attributes::{listed, object};
use super::span::{Kind, Span};
use crate::hash::of_words;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The steps of a run. `root` is the span that contains the others; `spans` are in the order of their beginning.
pub(super) fn steps(spans: &[Span<'_>], root: Option<usize>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let mut spoken = Spoken::default();
    for span in spans {
        match span.kind() {
            Kind::Model => {
                let mut said = inputs(span, warnings);
                said.extend(outputs(span, warnings));
                spoken.take(said);
            }
            Kind::Tool => spoken.tool(span),
            Kind::Other => {}
        }
    }
    let mut steps = spoken.steps;
    let spoke = |steps: &[Step], role| steps.iter().any(|step: &Step| step.role == role);
    if let Some(root) = root.map(|root| &spans[root]) {
        if !spoke(&steps, Role::User) {
            let asked = inputs(root, warnings);
            steps.splice(0..0, asked);
        }
        if !spoke(&steps, Role::Assistant) || steps.last().is_some_and(|step| step.role == Role::Tool) {
            steps.extend(outputs(root, warnings));
        }
    }
    steps
}

#[derive(Default)]
struct Spoken {
    steps: Vec<Step>,
    /// How often a step was said, by its hash.
    counts: BTreeMap<[u8; 32], usize>,
    calls: BTreeSet<String>,
    answered: BTreeSet<String>,
    /// Calls that models made and no tool span has claimed, by name with their ids.
    open: Vec<(String, String)>,
}

impl Spoken {
    /// Adds what is new in a conversation.
    fn take(&mut self, said: Vec<Step>) {
        let mut here: BTreeMap<[u8; 32], usize> = BTreeMap::new();
        for step in said {
            let hash = of_words(&step);
            let nth = here.entry(hash).or_insert(0);
            *nth += 1;
            let known = self.counts.get(&hash).copied().unwrap_or(0);
            let mut ids = step.tool_calls.iter().map(|call| &call.id);
            let called = !step.tool_calls.is_empty() && ids.all(|id| self.calls.contains(id));
            let answered = step.call_id.as_ref().is_some_and(|id| self.answered.contains(id));
            if *nth > known && !called && !answered {
                self.push(step, hash);
            }
        }
    }

    fn push(&mut self, step: Step, hash: [u8; 32]) {
        *self.counts.entry(hash).or_insert(0) += 1;
        for call in &step.tool_calls {
            if !call.id.is_empty() {
                self.calls.insert(call.id.clone());
            }
            self.open.push((call.name.clone(), call.id.clone()));
        }
        self.answered.extend(step.call_id.clone());
        self.steps.push(step);
    }

    /// A tool's span: the call, unless a model's span has it, and the answer.
    fn tool(&mut self, span: &Span<'_>) {
        let text = |keys: &[&str]| keys.iter().find_map(|key| span.attributes.text(key));
        let name = text(&[
            "gen_ai.tool.name",
            "tool.name",
            "ai.toolCall.name",
            "traceloop.entity.name",
        ]);
        let name = name.map_or_else(
            || span.name.trim_start_matches("execute_tool ").to_owned(),
            Cow::into_owned,
        );
        let id = text(&["gen_ai.tool.call.id", "ai.toolCall.id", "tool_call.id", "tool.id"]);
        let id = id.map(Cow::into_owned).unwrap_or_default();
        let made = |call: &(String, String)| if id.is_empty() { call.0 == name } else { call.1 == id };
        let id = match self.open.iter().position(made) {
            Some(at) => self.open.remove(at).1,
            None => {
                let call = ToolCall {
                    id: id.clone(),
                    name,
                    arguments: arguments(text(&[
                        "gen_ai.tool.call.arguments",
                        "input",
                        "ai.toolCall.args",
                        "input.value",
                        "traceloop.entity.input",
                        "tool.parameters",
                    ])),
                    requestor: None,
                };
                let step = Step {
                    role: Role::Assistant,
                    tool_calls: vec![call],
                    ..Step::default()
                };
                let hash = of_words(&step);
                self.push(step, hash);
                self.open.pop();
                id
            }
        };
        if self.answered.contains(&id) {
            return;
        }
        let result = text(&[
            "gen_ai.tool.call.result",
            "output",
            "ai.toolCall.result",
            "output.value",
            "traceloop.entity.output",
        ]);
        let failure = span.failure();
        let step = Step {
            role: Role::Tool,
            error: failure.is_some(),
            content: result.map(Cow::into_owned).or(failure).unwrap_or_default(),
            tool_calls: Vec::new(),
            call_id: Some(id).filter(|id| !id.is_empty()),
        };
        let hash = of_words(&step);
        self.push(step, hash);
    }
}

fn arguments(text: Option<Cow<'_, str>>) -> serde_json::Map<String, serde_json::Value> {
    let Some(text) = text else {
        return serde_json::Map::new();
    };
    let as_python = || serde_json::from_str(&python::to_json(&text)?).ok();
    let parsed = serde_json::from_str(&text).ok().or_else(as_python);
    parsed.unwrap_or_else(|| [("input".to_owned(), text.into_owned().into())].into_iter().collect())
}

fn said(role: Role, content: impl Into<String>) -> Vec<Step> {
    vec![Step {
        role,
        content: content.into(),
        ..Step::default()
    }]
}

/// A text that is JSON of messages, or just a text.
fn messages(text: &str, role: Role, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let inner = object(text).and_then(|object| object.node("messages").map(|node| node.raw));
    let list = listed(inner.unwrap_or(text).into());
    let is_message = |node: &Node<'_>| node.as_object().is_some_and(|object| object.has("role"));
    let mut steps = |nodes: Vec<Node<'_>>| {
        let spoken = nodes.first().is_some_and(is_message);
        spoken.then(|| message::steps(nodes, warnings))
    };
    let read = list.and_then(|list| list.read(&mut steps));
    read.unwrap_or_else(|| said(role, text))
}

fn inputs(span: &Span<'_>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(text) = span.find(|attributes| attributes.text("gen_ai.system_instructions")) {
        let parts = listed(text.clone()).map(|list| {
            list.read(|parts| {
                let texts = parts
                    .iter()
                    .filter_map(|part| part.as_object()?.any(&["content", "text"])?.as_text());
                texts.collect::<Vec<_>>().join("\n")
            })
        });
        steps.extend(said(
            Role::System,
            parts
                .filter(|parts| !parts.is_empty())
                .unwrap_or_else(|| text.into_owned()),
        ));
    }
    for prefix in ["llm.input_messages", "gen_ai.prompt"] {
        if let Some(list) = span.attributes.flattened(prefix) {
            steps.extend(list.read(|nodes| message::steps(nodes, warnings)));
            return steps;
        }
    }
    for key in [
        "gen_ai.input.messages",
        "ai.prompt.messages",
        "gen_ai.prompt",
        "input.value",
        "traceloop.entity.input",
    ] {
        if let Some(text) = span.find(|attributes| attributes.text(key)) {
            steps.extend(messages(&text, Role::User, warnings));
            return steps;
        }
    }
    if let Some(prompt) = span.attributes.text("ai.prompt") {
        let field = |key: &str| object(&prompt)?.word(key);
        steps.extend(field("system").map(|text| said(Role::System, text)).unwrap_or_default());
        match field("prompt") {
            Some(text) => steps.extend(said(Role::User, text)),
            None => steps.extend(messages(&prompt, Role::User, warnings)),
        }
        return steps;
    }
    steps.extend(events(span, warnings, |name| {
        let role = name.strip_prefix("gen_ai.")?.strip_suffix(".message")?;
        message::role(role)
    }));
    steps
}

fn outputs(span: &Span<'_>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    for prefix in ["llm.output_messages", "gen_ai.completion"] {
        if let Some(list) = span.attributes.flattened(prefix) {
            return list.read(|nodes| message::steps(nodes, warnings));
        }
    }
    for key in ["gen_ai.output.messages", "gen_ai.completion"] {
        if let Some(text) = span.find(|attributes| attributes.text(key)) {
            return messages(&text, Role::Assistant, warnings);
        }
    }
    let text = ["ai.response.text", "ai.response.object"]
        .iter()
        .find_map(|key| span.attributes.text(key));
    let calls = span.attributes.list("ai.response.toolCalls");
    if text.is_some() || calls.is_some() {
        let call = |node: &Node<'_>| {
            let call = node.as_object()?;
            Some(ToolCall {
                id: call.word("toolCallId").unwrap_or_default(),
                name: call.word("toolName")?,
                arguments: arguments(call.any(&["input", "args"]).map(|input| input.shown().into())),
                requestor: None,
            })
        };
        let tool_calls = calls.map(|calls| calls.read(|nodes| nodes.iter().filter_map(call).collect()));
        return vec![Step {
            role: Role::Assistant,
            content: text.map(Cow::into_owned).unwrap_or_default(),
            tool_calls: tool_calls.unwrap_or_default(),
            ..Step::default()
        }];
    }
    let chosen = events(span, warnings, |name| {
        (name == "gen_ai.choice").then_some(Role::Assistant)
    });
    if !chosen.is_empty() {
        return chosen;
    }
    let text = ["output.value", "traceloop.entity.output"]
        .iter()
        .find_map(|key| span.attributes.text(key));
    text.map(|text| messages(&text, Role::Assistant, warnings))
        .unwrap_or_default()
}

/// Messages that are events of a span, the first form of the conventions. What was said is in the body, or in an attribute.
fn events(span: &Span<'_>, warnings: &mut Vec<Warning>, role: impl Fn(&str) -> Option<Role>) -> Vec<Step> {
    let mut steps = Vec::new();
    for event in &span.events {
        let Some(role) = role(&event.name) else { continue };
        let kept = ["gen_ai.event.content", "content", "message"]
            .iter()
            .find_map(|key| event.attributes.text(key));
        let body = event.body.as_ref().map(|body| Cow::Borrowed(body.raw));
        let Some(text) = body.or(kept) else { continue };
        let inner = object(&text).and_then(|object| Some(object.any(&["message", "content"])?.shown()));
        let list =
            listed(text.clone()).filter(|list| list.read(|nodes| nodes.iter().any(|node| node.at("/role").is_some())));
        steps.extend(match list {
            Some(list) => list.read(|nodes| message::steps(nodes, warnings)),
            None => messages(inner.as_deref().unwrap_or(&text), role, warnings),
        });
    }
    steps
}
