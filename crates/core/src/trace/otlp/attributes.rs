//! Attributes of spans and events: as OTLP writes them, a list of keys with typed values, or flat, as an object.

use super::super::json::{Node, Object, numbered};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Names of flattened lists have few parts; the rest of a longer one is taken as one.
const PARTS: usize = 12;
/// Lists in typed values may hold lists; nobody nests them deeper.
const DEPTH: usize = 32;

/// Attributes by name, unparsed.
#[derive(Default)]
pub(in super::super) struct Attributes<'a> {
    values: BTreeMap<String, &'a RawValue>,
    typed: bool,
}

/// JSON that stood in an attribute.
pub(in super::super) struct Listed(String);

impl Listed {
    /// Hands the items over.
    pub(in super::super) fn read<T>(&self, read: impl FnOnce(Vec<Node<'_>>) -> T) -> T {
        let items: Vec<&RawValue> = serde_json::from_str(&self.0).unwrap_or_default();
        read(numbered("", items))
    }
}

impl<'a> Attributes<'a> {
    pub(in super::super) fn of(node: Option<Node<'a>>) -> Self {
        let Some(node) = node else { return Self::default() };
        if let Some(pairs) = node.as_list() {
            let pairs = pairs.iter().filter_map(Node::as_object);
            let values = pairs.filter_map(|pair| Some((pair.word("key")?, pair.node("value")?.raw)));
            return Self {
                values: values.collect(),
                typed: true,
            };
        }
        let values = serde_json::from_str(node.raw.get()).unwrap_or_default();
        Self { values, typed: false }
    }

    /// The value as text; lists and objects as JSON.
    pub(in super::super) fn text(&self, key: &str) -> Option<String> {
        self.shown(self.values.get(key)?)
    }

    fn shown(&self, raw: &RawValue) -> Option<String> {
        let text = raw.get();
        if self.typed {
            let union: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            let (kind, value) = union.first_key_value()?;
            return match kind.as_str() {
                "arrayValue" | "array_value" | "kvlistValue" | "kvlist_value" => {
                    let value = serde_json::from_str(text).ok()?;
                    Some(plain(value, DEPTH).to_string())
                }
                _ => scalar(value.get()),
            };
        }
        scalar(text)
    }

    /// A list of messages or tools, which may be structured or JSON in a text; one object alone is a list of one.
    pub(in super::super) fn list(&self, key: &str) -> Option<Listed> {
        listed(self.text(key)?)
    }

    /// A list that was flattened into names such as `llm.input_messages.0.message.role`; `prefix` ends before the number.
    pub(in super::super) fn flattened(&self, prefix: &str) -> Option<Listed> {
        let mut items = Map::new();
        let start = format!("{prefix}.");
        let names = self.values.range(start.clone()..);
        for (name, raw) in names.take_while(|(name, _)| name.starts_with(&start)) {
            let Some(value) = self.shown(raw) else { continue };
            let parts: Vec<&str> = name[start.len()..].splitn(PARTS, '.').collect();
            if parts.len() > 1 && parts[0].parse::<u32>().is_ok() {
                insert(&mut items, &parts, value);
            }
        }
        let items = listed_items(Value::Object(items));
        let filled = items.as_array().is_some_and(|items| !items.is_empty());
        filled.then(|| Listed(items.to_string()))
    }
}

/// The text as a list, if it is JSON of one or of an object.
pub(in super::super) fn listed(text: String) -> Option<Listed> {
    let node = Node {
        path: String::new(),
        raw: serde_json::from_str(&text).ok()?,
    };
    if node.as_object().is_some() {
        return Some(Listed(format!("[{text}]")));
    }
    node.as_list()?;
    Some(Listed(text))
}

/// An object that stood in an attribute as JSON.
pub(in super::super) fn object(text: &str) -> Option<Object<'_>> {
    let node = Node {
        path: String::new(),
        raw: serde_json::from_str(text).ok()?,
    };
    node.as_object()
}

fn scalar(text: &str) -> Option<String> {
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        _ => (text != "null").then(|| text.to_owned()),
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
