//! Attributes of spans and events: as OTLP writes them, a list of keys with typed values, or flat, as an object.

use super::super::json::{Node, Object, Place};
use super::super::scan;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names of flattened lists have few parts; the rest of a longer one is taken as one.
const PARTS: usize = 12;
/// Lists in typed values may hold lists; nobody nests them deeper.
const DEPTH: usize = 32;

/// Names of values that hold others, in both spellings.
const TYPED: [&str; 4] = ["arrayValue", "array_value", "kvlistValue", "kvlist_value"];

/// Attributes by name, unparsed.
#[derive(Default)]
pub(in super::super) struct Attributes<'a> {
    /// In the order of their names.
    values: Vec<(Cow<'a, str>, Given<'a>)>,
}

/// The value of an attribute.
enum Given<'a> {
    Plain(&'a str),
    /// A list, or pairs, whose values have types again.
    Typed(&'a str),
}

/// JSON of a list that stood in an attribute.
pub(in super::super) struct Listed<'a>(Cow<'a, str>);

impl Listed<'_> {
    /// Hands the items over.
    pub(in super::super) fn read<T>(&self, read: impl FnOnce(Vec<Node<'_>>) -> T) -> T {
        read(Node::new(Place::named(""), &self.0).as_list().unwrap_or_default())
    }
}

impl<'a> Attributes<'a> {
    pub(in super::super) fn of(node: Option<Node<'a>>) -> Self {
        let Some(node) = node else { return Self::default() };
        let mut values: Vec<_> = match node.items() {
            Some(pairs) => pairs.filter_map(|pair| typed(&pair)).collect(),
            None => node
                .fields()
                .map(|(key, value)| (key, Given::Plain(value.raw)))
                .collect(),
        };
        // Of those with one name the last one counts.
        scan::in_order(&mut values);
        Self { values }
    }

    /// The value as text; lists and objects as JSON.
    pub(in super::super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        let at = self.values.binary_search_by(|(name, _)| name.as_ref().cmp(key)).ok()?;
        self.values[at].1.shown()
    }

    /// Whether an attribute is one of some words.
    pub(in super::super) fn is(&self, key: &str, words: &[&str]) -> bool {
        self.text(key).is_some_and(|word| words.contains(&word.as_ref()))
    }

    /// A list of messages or tools, which may be structured or JSON in a text; one object alone is a list of one.
    pub(in super::super) fn list(&self, key: &str) -> Option<Listed<'a>> {
        listed(self.text(key)?)
    }

    /// A list that was flattened into names such as `llm.input_messages.0.message.role`; `prefix` ends before the number.
    pub(in super::super) fn flattened(&self, prefix: &str) -> Option<Listed<'static>> {
        let mut items = Map::new();
        let start = format!("{prefix}.");
        let from = self.values.partition_point(|(name, _)| name.as_ref() < start.as_str());
        for (name, given) in self.values[from..]
            .iter()
            .take_while(|(name, _)| name.starts_with(&start))
        {
            let Some(value) = given.shown() else { continue };
            let parts: Vec<&str> = name[start.len()..].splitn(PARTS, '.').collect();
            if parts.len() > 1 && parts[0].parse::<u32>().is_ok() {
                insert(&mut items, &parts, value.into_owned());
            }
        }
        let items = listed_items(Value::Object(items));
        let filled = items.as_array().is_some_and(|items| !items.is_empty());
        filled.then(|| Listed(items.to_string().into()))
    }
}

impl<'a> Given<'a> {
    fn shown(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Plain(raw) => scalar(raw),
            Self::Typed(raw) => {
                let value = serde_json::from_str(raw).ok()?;
                Some(plain(value, DEPTH).to_string().into())
            }
        }
    }
}

/// A pair of a name and a typed value.
fn typed<'a>(pair: &Node<'a>) -> Option<(Cow<'a, str>, Given<'a>)> {
    let (mut key, mut value) = (None, None);
    for (name, field) in pair.fields() {
        match name.as_ref() {
            "key" => key = Some(field),
            "value" => value = Some(field),
            _ => {}
        }
    }
    let (key, value) = (scan::text(key?.raw)?, value?);
    let first = |left: (Cow<'a, str>, Node<'a>), right: (Cow<'a, str>, Node<'a>)| {
        if right.0 <= left.0 { right } else { left }
    };
    let given = match value.fields().reduce(first) {
        Some((kind, _)) if TYPED.contains(&kind.as_ref()) => Given::Typed(value.raw),
        Some((_, inner)) => Given::Plain(inner.raw),
        None => Given::Plain("null"),
    };
    Some((key, given))
}

/// The text as a list, if it is JSON of one or of an object.
pub(in super::super) fn listed(text: Cow<'_, str>) -> Option<Listed<'_>> {
    let first = text.trim_start().as_bytes().first().copied();
    if !matches!(first, Some(b'[' | b'{')) {
        return None;
    }
    Node::of_text("", &text)?;
    Some(Listed(match first {
        Some(b'{') => format!("[{text}]").into(),
        _ if text.starts_with('[') => text,
        _ => text.trim_start().to_owned().into(),
    }))
}

/// An object that stood in an attribute as JSON.
pub(in super::super) fn object(text: &str) -> Option<Object<'_>> {
    let text = text.trim_start();
    text.starts_with('{')
        .then(|| Node::of_text("", text)?.as_object())
        .flatten()
}

fn scalar(text: &str) -> Option<Cow<'_, str>> {
    match text.as_bytes().first()? {
        b'"' => scan::text(text),
        _ => (text != "null").then_some(Cow::Borrowed(text)),
    }
}

/// A typed value without its types.
fn plain(value: Value, depth: usize) -> Value {
    let Value::Object(mut union) = value else { return value };
    let values = |inner: Option<Value>| match inner {
        Some(Value::Object(mut inner)) => inner.remove("values"),
        _ => None,
    };
    let mut take = |names: [&str; 2]| names.iter().find_map(|name| union.remove(*name));
    if depth == 0 {
        return Value::Null;
    }
    if let Some(list) = take(["arrayValue", "array_value"]) {
        let Some(Value::Array(items)) = values(Some(list)) else {
            return Value::Array(Vec::new());
        };
        return items.into_iter().map(|item| plain(item, depth - 1)).collect();
    }
    if let Some(pairs) = take(["kvlistValue", "kvlist_value"]) {
        let Some(Value::Array(pairs)) = values(Some(pairs)) else {
            return Value::Object(Map::new());
        };
        let pair = |pair: Value| {
            let Value::Object(mut pair) = pair else { return None };
            let key = pair.remove("key")?.as_str()?.to_owned();
            Some((key, plain(pair.remove("value")?, depth - 1)))
        };
        return Value::Object(pairs.into_iter().filter_map(pair).collect());
    }
    union.into_iter().next().map_or(Value::Null, |(_, value)| value)
}

fn insert(into: &mut Map<String, Value>, parts: &[&str], value: String) {
    match parts {
        [] => {}
        [last] => {
            into.insert((*last).to_owned(), Value::String(value));
        }
        [first, rest @ ..] => {
            let inner = into
                .entry((*first).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Objects whose keys are numbers become lists, and what `OpenInference` wraps once more is unwrapped.
fn listed_items(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut numbered: BTreeMap<u32, Value> = BTreeMap::new();
    let mut named = Map::new();
    for (key, value) in fields {
        let value = listed_items(value);
        match key.parse() {
            Ok(at) => {
                numbered.insert(at, value);
            }
            Err(_) => {
                named.insert(if key == "contents" { "content".to_owned() } else { key }, value);
            }
        }
    }
    if !numbered.is_empty() && named.is_empty() {
        return numbered.into_values().collect();
    }
    for wrapper in ["message", "tool_call", "message_content"] {
        if named.len() == 1
            && let Some(inner) = named.remove(wrapper)
        {
            return inner;
        }
    }
    Value::Object(named)
}
