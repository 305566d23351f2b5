//! JSON of strangers, read field by field: what has the wrong type is reported with its path and left out, the rest is used.
//!
//! Values stay unparsed slices of the file until somebody asks for them, so what nobody asks for (`raw_data`, audio) costs no memory.

use super::read::Warning;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

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
    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
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

    /// An object by name; a text that holds one, as `OpenAI` writes arguments, counts.
    pub(super) fn map(&self, key: &str, warnings: &mut Vec<Warning>) -> serde_json::Map<String, Value> {
        let Some(node) = self.node(key) else {
            return serde_json::Map::new();
        };
        let inner = serde_json::from_str::<String>(node.raw.get()).ok();
        let text = inner.as_deref().unwrap_or(node.raw.get());
        match serde_json::from_str(text) {
            Ok(map) => map,
            Err(_) if text.trim().is_empty() => serde_json::Map::new(),
            Err(_) => {
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

fn numbered<'a>(path: &str, items: Vec<&'a RawValue>) -> Vec<Node<'a>> {
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

/// The items of the lists at the top of a document, as far as the document can be read.
#[derive(Default)]
pub(super) struct Document<'a> {
    /// The items of a list, or of each list among the fields of an object.
    pub(super) lists: BTreeMap<String, Vec<&'a RawValue>>,
    /// The other fields of an object.
    pub(super) fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Document<'a> {
    /// Reads a document whose top is an object or a list. `streamed` are the fields whose items are kept even if
    /// the document breaks off in the middle of them. For a list at the top the name of the field is empty.
    pub(super) fn read(text: &'a str, streamed: &[&str], warnings: &mut Vec<Warning>) -> Self {
        let mut document = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let top = Top {
            document: &mut document,
            streamed,
        };
        let end = top.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        if let Err(error) = end {
            let message = format!("{}; what stands before it is used", in_words(&error));
            warnings.push(Warning::new(format!("byte {}", offset_of(text, &error)), message));
        }
        document
    }

    /// The items of a list, numbered as people see them.
    pub(super) fn items(&self, field: &str) -> Vec<Node<'a>> {
        numbered(field, self.lists.get(field).cloned().unwrap_or_default())
    }

    /// The fields of the object as an object.
    pub(super) fn into_object(self) -> Object<'a> {
        Object {
            path: String::new(),
            fields: self.fields,
        }
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

fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    (before + error.column()).min(text.len())
}

struct Top<'d, 'a, 's> {
    document: &'d mut Document<'a>,
    streamed: &'s [&'s str],
}

impl<'a> DeserializeSeed<'a> for Top<'_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Top<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, sequence: A) -> Result<(), A::Error> {
        push_all(sequence, self.document.lists.entry(String::new()).or_default())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.streamed.contains(&key.as_str()) {
                map.next_value_seed(Items(self.document.lists.entry(key).or_default()))?;
            } else {
                self.document.fields.insert(key, map.next_value()?);
            }
        }
        Ok(())
    }
}

struct Items<'d, 'a>(&'d mut Vec<&'a RawValue>);

impl<'a> DeserializeSeed<'a> for Items<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Items<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, sequence: A) -> Result<(), A::Error> {
        push_all(sequence, self.0)
    }
}

fn push_all<'a, A: SeqAccess<'a>>(mut sequence: A, into: &mut Vec<&'a RawValue>) -> Result<(), A::Error> {
    while let Some(item) = sequence.next_element::<&'a RawValue>()? {
        into.push(item);
    }
    Ok(())
}

/// Whether a text is one JSON value and nothing else; cheap, as nothing is kept.
pub(super) fn is_one_value(text: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    IgnoredAny::deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
}
