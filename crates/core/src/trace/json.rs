//! JSON of strangers, read field by field: what has the wrong type is reported with its path and left out, the rest is used.
//!
//! Values stay unparsed slices of the file until somebody asks for them, so what nobody asks for (`raw_data`, audio) costs no memory.

use super::python;
use super::read::Warning;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An unparsed value and where it stands, such as `simulations[3].messages[7]`.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) path: String,
    pub(super) raw: &'a RawValue,
}

impl<'a> Node<'a> {
    /// The value as an object; anything else is reported.
    pub(super) fn object(self, warnings: &mut Vec<Warning>) -> Option<Object<'a>> {
        match serde_json::from_str(self.raw.get()) {
            Ok(fields) => Some(Object {
                path: self.path,
                fields,
            }),
            Err(_) => {
                warnings.push(Warning::new(
                    self.path,
                    format!("expected an object, found {}", kind_of(self.raw)),
                ));
                None
            }
        }
    }

    /// The value as an object, or nothing.
    pub(super) fn as_object(&self) -> Option<Object<'a>> {
        // Asking the parser costs a message about the whole value each time that it is something else.
        let text = Some(self.raw.get()).filter(|text| text.starts_with('{'))?;
        let fields = serde_json::from_str(text).ok()?;
        Some(Object {
            path: self.path.clone(),
            fields,
        })
    }

    /// The items of the value, if it is a list.
    pub(super) fn as_list(&self) -> Option<Vec<Self>> {
        let text = Some(self.raw.get()).filter(|text| text.starts_with('['))?;
        Some(numbered(&self.path, serde_json::from_str(text).ok()?))
    }

    /// A text, a number, a boolean, or the texts of a list of message parts.
    pub(super) fn as_text(&self) -> Option<String> {
        text_of(self)
    }

    /// The value as people can read it: a text as it is, anything else as JSON.
    pub(super) fn shown(&self) -> String {
        self.as_text().unwrap_or_else(|| self.raw.get().to_owned())
    }

    /// What a JSON pointer such as `/case/id` or `/0/text` leads to. The empty pointer is the value itself.
    pub(super) fn at(&self, pointer: &str) -> Option<Self> {
        let mut node = self.clone();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            node = match node.raw.get().as_bytes().first() {
                Some(b'[') => node.as_list()?.into_iter().nth(token.parse().ok()?)?,
                _ => node.as_object()?.node(&token)?,
            };
        }
        (node.raw.get() != "null").then_some(node)
    }

    /// The value as `T`; one that is none is reported.
    pub(super) fn parse<T: DeserializeOwned>(&self, warnings: &mut Vec<Warning>) -> Option<T> {
        let parsed = serde_json::from_str(self.raw.get());
        parsed
            .map_err(|error| warnings.push(Warning::new(&self.path, in_words(&error))))
            .ok()
    }
}

/// An object whose fields are unparsed.
pub(super) struct Object<'a> {
    path: String,
    fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// An object of fields that were read elsewhere.
    pub(super) fn new(path: impl Into<String>, fields: BTreeMap<String, &'a RawValue>) -> Self {
        Self {
            path: path.into(),
            fields,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// The names of the fields, in the order of the alphabet.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// The first of some fields that is there and not null.
    pub(super) fn any(&self, keys: &[&str]) -> Option<Node<'a>> {
        keys.iter().find_map(|key| self.node(key))
    }

    /// A text, if that is what the field holds; anything else is not reported.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        self.node(key)?.as_text()
    }

    /// A number, if that is what the field holds; anything else is not reported.
    pub(super) fn amount(&self, key: &str) -> Option<f64> {
        let number = self.word(key)?.trim().parse::<f64>().ok()?;
        number.is_finite().then_some(number)
    }

    /// A field that is there and not null.
    pub(super) fn node(&self, key: &str) -> Option<Node<'a>> {
        let raw = self.fields.get(key).filter(|raw| raw.get() != "null")?;
        Some(Node {
            path: self.path_of(key),
            raw,
        })
    }

    /// A field that must be an object.
    pub(super) fn object(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<Self> {
        self.node(key)?.object(warnings)
    }

    /// A field that must be a list; empty when there is none.
    pub(super) fn list(&self, key: &str, warnings: &mut Vec<Warning>) -> Vec<Node<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        match serde_json::from_str::<Vec<&'a RawValue>>(node.raw.get()) {
            Ok(items) => numbered(&node.path, items),
            Err(_) => {
                warnings.push(Warning::new(
                    node.path,
                    format!("expected a list, found {}", kind_of(node.raw)),
                ));
                Vec::new()
            }
        }
    }

    /// The objects of a list.
    pub(super) fn objects(&self, key: &str, warnings: &mut Vec<Warning>) -> Vec<Self> {
        let nodes = self.list(key, warnings);
        nodes.into_iter().filter_map(|node| node.object(warnings)).collect()
    }

    /// A text; a number or a boolean counts as its text.
    pub(super) fn text(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<String> {
        let node = self.node(key)?;
        let text = text_of(&node);
        if text.is_none() {
            warnings.push(Warning::new(
                node.path,
                format!("expected a text, found {}", kind_of(node.raw)),
            ));
        }
        text
    }

    /// A number; a text that spells one counts.
    pub(super) fn number(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<f64> {
        let node = self.node(key)?;
        let number = text_of(&node)
            .and_then(|text| text.trim().parse::<f64>().ok())
            .filter(|number| number.is_finite());
        if number.is_none() {
            warnings.push(Warning::new(
                node.path,
                format!("expected a number, found {}", kind_of(node.raw)),
            ));
        }
        number
    }

    /// A boolean; 0 and 1, also as `0.0` and `1.0`, count.
    pub(super) fn flag(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<bool> {
        let node = self.node(key)?;
        let flag = match node.raw.get() {
            "true" | "\"true\"" | "\"True\"" | "1" | "1.0" => Some(true),
            "false" | "\"false\"" | "\"False\"" | "0" | "0.0" => Some(false),
            _ => None,
        };
        if flag.is_none() {
            warnings.push(Warning::new(
                node.path,
                format!("expected true or false, found {}", kind_of(node.raw)),
            ));
        }
        flag
    }

    /// An object by name; a text that holds one, as `OpenAI` writes arguments, counts, also in Python's notation.
    pub(super) fn map(&self, key: &str, warnings: &mut Vec<Warning>) -> serde_json::Map<String, Value> {
        let Some(node) = self.node(key) else {
            return serde_json::Map::new();
        };
        let quoted = Some(node.raw.get()).filter(|text| text.starts_with('"'));
        let inner = quoted.and_then(|text| serde_json::from_str::<String>(text).ok());
        let text = inner.as_deref().unwrap_or(node.raw.get());
        let as_python = || serde_json::from_str(&python::to_json(text)?).ok();
        match serde_json::from_str(text).ok().or_else(as_python) {
            Some(map) => map,
            None if text.trim().is_empty() => serde_json::Map::new(),
            None => {
                warnings.push(Warning::new(
                    node.path,
                    "expected an object of arguments by name".to_owned(),
                ));
                serde_json::Map::new()
            }
        }
    }

    /// The texts of a list.
    pub(super) fn texts(&self, key: &str, warnings: &mut Vec<Warning>) -> Vec<String> {
        let nodes = self.list(key, warnings);
        nodes.iter().filter_map(text_of).collect()
    }

    pub(super) fn warn(&self, message: impl Into<String>, warnings: &mut Vec<Warning>) {
        warnings.push(Warning::new(&self.path, message));
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

pub(super) fn numbered<'a>(path: &str, items: Vec<&'a RawValue>) -> Vec<Node<'a>> {
    items
        .into_iter()
        .enumerate()
        .map(|(at, raw)| Node {
            path: format!("{path}[{at}]"),
            raw,
        })
        .collect()
}

/// A scalar as text, and the text parts of a list of message parts.
fn text_of(node: &Node<'_>) -> Option<String> {
    if node.raw.get().starts_with('"') {
        return serde_json::from_str(node.raw.get()).ok();
    }
    match serde_json::from_str(node.raw.get()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts
                .iter()
                .map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
                .collect();
            texts.map(|texts| texts.join("\n"))
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn kind_of(raw: &RawValue) -> String {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        Some(b'"') => format!("the text {}", raw.get().chars().take(40).collect::<String>()),
        _ => format!("`{}`", raw.get()),
    }
}

/// What a JSON error says, without the place that its text ends with.
pub(super) fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    if error.is_eof() {
        "the file breaks off here".to_owned()
    } else {
        text[..end].to_owned()
    }
}
