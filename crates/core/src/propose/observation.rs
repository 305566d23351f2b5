//! Observations: what an agent had seen at a point of a trace, as small facts that a condition can test.

use crate::redact::{holds_placeholder, without_placeholders};
use crate::trace::{Effect, Role, Trace};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The latest successful result of every read tool at a point of a trace, and the text that started the run.
#[derive(Debug, Clone, Default)]
pub struct Snapshot<'a> {
    /// The text of the first user step, in lower case.
    input: String,
    results: BTreeMap<&'a str, Seen<'a>>,
}

/// The latest result of a tool.
#[derive(Debug, Clone)]
enum Seen<'a> {
    Text(&'a str),
    /// Scalars by dotted path.
    Json(BTreeMap<String, FieldValue>),
}

/// When a snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the first call that changes something.
    BeforeWrites,
    /// At the end of the run.
    End,
}

/// One small fact.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Atom {
    /// The latest result of a tool contains a line (or a part of one).
    Line {
        /// The tool.
        tool: String,
        /// The line.
        line: String,
    },
    /// The latest result of a tool contains no such line.
    Lacks {
        /// The tool.
        tool: String,
        /// The line.
        line: String,
    },
    /// A field of the latest JSON result of a tool has a value; `field` is a dotted path.
    Field {
        /// The tool.
        tool: String,
        /// The path.
        field: String,
        /// The value, a scalar.
        value: FieldValue,
    },
    /// A numeric field is at least a value.
    AtLeast {
        /// The tool.
        tool: String,
        /// The path.
        field: String,
        /// The value.
        value: f64,
    },
    /// A numeric field is at most a value.
    AtMost {
        /// The tool.
        tool: String,
        /// The path.
        field: String,
        /// The value.
        value: f64,
    },
    /// The input that started the run contains a phrase, in lower case.
    Phrase {
        /// The phrase.
        phrase: String,
    },
}

/// A scalar of a JSON result, ordered so that atoms can be sorted.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum FieldValue {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Any string.
    Text(String),
}

impl FieldValue {
    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Number(number) => number_json(*number),
            Self::Text(text) => Value::String(text.clone()),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A number as JSON, whole where it is whole, so that a person reads `2` and not `2.0`.
pub fn number_json(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    let whole = number as i64;
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_cmp,
        reason = "the round trip is what is tested"
    )]
    let is_whole = number.abs() < 1e15 && whole as f64 == number;
    if is_whole {
        Value::from(whole)
    } else {
        Value::from(number)
    }
}

impl<'a> Snapshot<'a> {
    /// What had been seen at a moment of a trace.
    pub fn of(trace: &'a Trace, moment: Moment) -> Self {
        let input = trace
            .steps
            .iter()
            .find(|step| step.role == Role::User)
            .map_or("", |step| step.content.as_str());
        let mut results = BTreeMap::<&str, &str>::new();
        for exchange in trace.exchanges() {
            match trace.effect_of(&exchange.call.name) {
                Effect::Write if moment == Moment::BeforeWrites => break,
                Effect::Write => {}
                Effect::Read | Effect::Unknown => {
                    if let Some((_, step)) = exchange.answer.filter(|_| exchange.succeeded()) {
                        results.insert(exchange.call.name.as_str(), step.content.as_str());
                    }
                }
            }
        }
        Self::from_parts(input, results)
    }

    /// A snapshot of an input and the latest result of each tool.
    pub fn from_parts(input: &str, results: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let seen = |text: &'a str| match serde_json::from_str::<Value>(text) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => Seen::Json(scalars(&json).into_iter().collect()),
            _ => Seen::Text(text),
        };
        Snapshot {
            input: without_placeholders(input).to_lowercase(),
            results: results.into_iter().map(|(tool, text)| (tool, seen(text))).collect(),
        }
    }

    /// Every fact of the snapshot that does not depend on other snapshots.
    pub fn atoms(&self) -> Vec<Atom> {
        let mut atoms: Vec<Atom> = Vec::new();
        for (&tool, seen) in &self.results {
            let tool = tool.to_owned();
            match seen {
                Seen::Json(fields) => atoms.extend(fields.iter().map(|(field, value)| Atom::Field {
                    tool: tool.clone(),
                    field: field.clone(),
                    value: value.clone(),
                })),
                Seen::Text(text) => {
                    atoms.extend(lines(text).into_iter().map(|line| Atom::Line {
                        tool: tool.clone(),
                        line,
                    }));
                }
            }
        }
        atoms.extend(phrases(&self.input).into_iter().map(|phrase| Atom::Phrase { phrase }));
        atoms
    }

    /// The value of a field of the latest result of a tool.
    pub fn field(&self, tool: &str, path: &str) -> Option<&FieldValue> {
        match self.results.get(tool)? {
            Seen::Json(fields) => fields.get(path),
            Seen::Text(_) => None,
        }
    }

    /// All scalar fields of JSON results: tool, path, value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str, &FieldValue)> {
        self.results.iter().flat_map(|(&tool, seen)| {
            let fields = match seen {
                Seen::Json(fields) => Some(fields),
                Seen::Text(_) => None,
            };
            fields
                .into_iter()
                .flatten()
                .map(move |(path, value)| (tool, path.as_str(), value))
        })
    }

    /// The numeric fields, by tool and path.
    pub fn numbers(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        self.fields().filter_map(|(tool, path, value)| match value {
            FieldValue::Number(number) => Some((tool, path, *number)),
            _ => None,
        })
    }

    /// Whether the latest text of a tool has a line with this in it; `None` when there is no such text.
    fn has_line(&self, tool: &str, line: &str) -> Option<bool> {
        match self.results.get(tool)? {
            Seen::Text(text) => Some(text.lines().any(|have| have.contains(line))),
            Seen::Json(_) => None,
        }
    }
}

/// Deeper nesting, or a longer list, is detail that no condition should hang on.
const MAX_DEPTH: usize = 4;
const MAX_ITEMS: usize = 4;

fn scalars(json: &Value) -> Vec<(String, FieldValue)> {
    fn walk(value: &Value, path: &str, depth: usize, out: &mut Vec<(String, FieldValue)>) {
        let join = |key: &str| {
            if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            }
        };
        match value {
            Value::Object(map) if depth < MAX_DEPTH => {
                map.iter()
                    .for_each(|(key, inner)| walk(inner, &join(key), depth + 1, out));
            }
            Value::Array(items) if depth < MAX_DEPTH => {
                let items = items.iter().take(MAX_ITEMS).enumerate();
                items.for_each(|(at, inner)| walk(inner, &join(&at.to_string()), depth + 1, out));
            }
            scalar => out.extend(FieldValue::of(scalar).map(|value| (path.to_owned(), value))),
        }
    }
    let mut out = Vec::new();
    walk(json, "", 0, &mut out);
    out
}

/// The lines of a text, and the parts of lines that are lists (`a | b`, `what: a, b`) or several sentences.
fn lines(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        out.insert(line.to_owned());
        let sentences = line.split(" | ").flat_map(|part| part.split(". "));
        let items = sentences
            .clone()
            .filter_map(|part| part.split_once(": "))
            .flat_map(|(_, list)| list.split(", "));
        for part in sentences.chain(items) {
            let part = part.trim().trim_end_matches('.');
            // A bare `ON` or `3` would be found in too many lines that mean something else.
            if part.chars().filter(|c| c.is_alphabetic()).count() >= 3 {
                out.insert(part.to_owned());
            }
        }
    }
    out
}

/// One to three words in a row, as they stand in the text.
fn phrases(text: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    // A phrase never crosses punctuation: what is found must stand in the text letter by letter.
    for clause in text.split(|c: char| !(c.is_alphabetic() || c == ' ' || c == '\'' || c == '-')) {
        let words: Vec<&str> = clause.split(' ').filter(|word| !word.is_empty()).collect();
        for size in 1..=3 {
            out.extend(
                words
                    .windows(size)
                    .map(|window| window.join(" "))
                    .filter(|phrase| phrase.len() > 3),
            );
        }
    }
    out.retain(|phrase| text.contains(phrase.as_str()));
    out
}

impl Atom {
    /// Whether it is about a value that was taken out of the trace.
    pub fn holds_placeholder(&self) -> bool {
        match self {
            Self::Line { line, .. } | Self::Lacks { line, .. } => holds_placeholder(line),
            Self::Field {
                value: FieldValue::Text(text),
                ..
            } => holds_placeholder(text),
            Self::Field { .. } | Self::AtLeast { .. } | Self::AtMost { .. } | Self::Phrase { .. } => false,
        }
    }

    /// Whether the fact holds in a snapshot.
    pub fn holds(&self, snapshot: &Snapshot<'_>) -> bool {
        let number = |tool: &str, field: &str| match snapshot.field(tool, field) {
            Some(FieldValue::Number(number)) => Some(*number),
            _ => None,
        };
        match self {
            Self::Line { tool, line } => snapshot.has_line(tool, line) == Some(true),
            Self::Lacks { tool, line } => snapshot.has_line(tool, line) == Some(false),
            Self::Field { tool, field, value } => snapshot.field(tool, field) == Some(value),
            Self::AtLeast { tool, field, value } => number(tool, field).is_some_and(|have| have >= *value),
            Self::AtMost { tool, field, value } => number(tool, field).is_some_and(|have| have <= *value),
            Self::Phrase { phrase } => snapshot.input.contains(phrase.as_str()),
        }
    }

    /// The tool whose result the fact is about.
    pub fn tool(&self) -> Option<&str> {
        match self {
            Self::Line { tool, .. }
            | Self::Lacks { tool, .. }
            | Self::Field { tool, .. }
            | Self::AtLeast { tool, .. }
            | Self::AtMost { tool, .. } => Some(tool),
            Self::Phrase { .. } => None,
        }
    }

    /// The fact in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Line { tool, line } => format!("`{tool}` says \"{line}\""),
            Self::Lacks { tool, line } => format!("`{tool}` does not say \"{line}\""),
            Self::Field { tool, field, value } => format!("`{field}` of `{tool}` is {}", value.to_json()),
            Self::AtLeast { tool, field, value } => {
                format!("`{field}` of `{tool}` is at least {}", number_json(*value))
            }
            Self::AtMost { tool, field, value } => format!("`{field}` of `{tool}` is at most {}", number_json(*value)),
            Self::Phrase { phrase } => format!("the request mentions \"{phrase}\""),
        }
    }
}
