//! A trace: one recorded run of the agent. The serialized form is the trace object of `docs/worker-protocol.md`.

mod chat;
mod claude_code;
mod cut;
mod document;
mod folder;
mod format;
mod gh_aw;
mod harbor;
pub mod inspect;
mod json;
pub mod junit;
mod mapped;
mod message;
mod otlp;
mod parts;
mod promptfoo;
mod python;
pub mod read;
mod responses;
mod scan;
pub mod stream;
pub mod tau2;
mod tau_bench;
mod window;
mod worker;

use crate::severity::{self, Severity};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One recorded run of the agent: what was said, called and answered, how it ended, and (where known) what should have happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// Everything that happened, in order. A step's number, as people see it, is its index here.
    pub steps: Vec<Step>,
    /// How the run ended.
    pub termination: Termination,
    /// What the agent could call, if the runner says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// What should have been done, if the runner knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// What the evaluator looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// How bad a failure of this run is, if its source says.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "severity::lenient")]
    pub impact: Option<Severity>,
}

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Who spoke.
    pub role: Role,
    /// The text; for a tool step its result.
    #[serde(deserialize_with = "null_as_default")]
    pub content: String,
    /// The calls made in this message.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub tool_calls: Vec<ToolCall>,
    /// For a tool step: the id of the call it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// For a tool step: whether the call failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub error: bool,
}

/// Who spoke.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions.
    System,
    /// The person, or whatever started the run.
    #[default]
    User,
    /// The agent.
    Assistant,
    /// A tool's answer.
    Tool,
}

/// One tool call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    /// Links the answer to the call; may be empty.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments by name.
    pub arguments: Map<String, Value>,
    /// `user` when the person (or their simulator) acted and not the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requestor: Option<String>,
}

/// A tool the agent could call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// Whether it only looks or changes something.
    #[serde(default)]
    pub effect: Effect,
    /// The arguments it cannot do without.
    #[serde(default)]
    pub required: Vec<String>,
}

/// What a tool does to the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only looks.
    Read,
    /// It changes something.
    Write,
    /// Nobody said.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Ground truth that came with a trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expected {
    /// The actions that should have been done, in order.
    pub actions: Vec<ExpectedAction>,
    /// What the person should have been told.
    pub communicate: Vec<String>,
}

/// An action that should have been done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExpectedAction {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// The arguments that count; `None` means all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<Vec<String>>,
    /// `user` when the person should have acted and not the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requestor: Option<String>,
}

/// One thing the evaluator looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// `state`, `action`, `communicate`, `assertion`, … as the runner says.
    pub kind: String,
    /// Whether it held.
    pub passed: bool,
    /// More, for a reader.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Check {
    fn new(name: &str, kind: &str, passed: bool, detail: String) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            passed,
            detail,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// The agent ended it.
    AgentStop,
    /// The person ended it.
    UserStop,
    /// Too many steps.
    MaxSteps,
    /// Too much time.
    Timeout,
    /// Too many tool errors.
    TooManyErrors,
    /// The agent broke the protocol.
    AgentError,
    /// The context window was full.
    ContextWindowExceeded,
    /// The person's simulator broke.
    UserError,
    /// The machinery broke.
    InfrastructureError,
    /// Something broke that nobody foresaw.
    UnexpectedError,
    /// Not said, or a word we do not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Termination {
    /// The word for it on the wire, such as `max_steps`.
    pub fn word(self) -> &'static str {
        match self {
            Self::AgentStop => "agent_stop",
            Self::UserStop => "user_stop",
            Self::MaxSteps => "max_steps",
            Self::Timeout => "timeout",
            Self::TooManyErrors => "too_many_errors",
            Self::AgentError => "agent_error",
            Self::ContextWindowExceeded => "context_window_exceeded",
            Self::UserError => "user_error",
            Self::InfrastructureError => "infrastructure_error",
            Self::UnexpectedError => "unexpected_error",
            Self::Unknown => "unknown",
        }
    }
}

/// A call with the step that made it and the answer it got.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The index of the step that made the call.
    pub step: usize,
    /// The call.
    pub call: &'a ToolCall,
    /// The index and the step of the answer, if there was one.
    pub answer: Option<(usize, &'a Step)>,
}

impl Exchange<'_> {
    /// Whether the call was answered without an error.
    pub fn succeeded(&self) -> bool {
        self.answer.is_some_and(|(_, step)| !step.error)
    }
}

impl Trace {
    /// Every call in order with its answer: by call id, and for calls or answers without one, the next unanswered call.
    pub fn exchanges(&self) -> Vec<Exchange<'_>> {
        let mut exchanges: Vec<Exchange<'_>> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            for call in &step.tool_calls {
                open.push(exchanges.len());
                exchanges.push(Exchange {
                    step: index,
                    call,
                    answer: None,
                });
            }
            if step.role == Role::Tool {
                let wanted = step.call_id.as_deref().filter(|id| !id.is_empty());
                let by_id = wanted.and_then(|id| open.iter().position(|&at| exchanges[at].call.id == id));
                let position = by_id.or_else(|| {
                    (!open.is_empty() && wanted.is_none_or(|_| open.iter().all(|&at| exchanges[at].call.id.is_empty())))
                        .then_some(0)
                });
                if let Some(position) = position {
                    let at = open.remove(position);
                    exchanges[at].answer = Some((index, step));
                }
            }
        }
        exchanges
    }

    /// What the trace says a tool does; `Unknown` when it says nothing.
    pub fn effect_of(&self, tool: &str) -> Effect {
        self.tools
            .iter()
            .find(|spec| spec.name == tool)
            .map_or(Effect::Unknown, |spec| spec.effect)
    }
}

impl ExpectedAction {
    /// Whether a call is this action: the same tool, and equal in all arguments that count.
    pub fn matches(&self, call: &ToolCall) -> bool {
        self.name == call.name && self.differing_arguments(call).is_empty()
    }

    /// The names of the arguments that count and differ in `call`; numbers are compared by value, so `2` equals `2.0`.
    pub fn differing_arguments(&self, call: &ToolCall) -> Vec<String> {
        let names: Vec<String> = match &self.compare {
            Some(names) => names.clone(),
            None => self
                .arguments
                .keys()
                .chain(call.arguments.keys().filter(|key| !self.arguments.contains_key(*key)))
                .cloned()
                .collect(),
        };
        names
            .into_iter()
            .filter(|name| !same_value(self.arguments.get(name), call.arguments.get(name)))
            .collect()
    }
}

fn same_value(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left.as_f64() == right.as_f64(),
        (left, right) => left.unwrap_or(&Value::Null) == right.unwrap_or(&Value::Null),
    }
}

/// Whether two values are the same where numbers count by value, also inside lists and objects: `2` is `2.0`, and `"2"` is not.
pub(crate) fn same_json(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_json(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, left): (&String, &Value)| right.get(key).is_some_and(|right| same_json(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        (left, right) => left == right,
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
