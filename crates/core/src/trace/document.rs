//! What stands at the top of a file: one JSON value, or one a line; each is only looked through, not parsed, until somebody asks for it.

use super::json::{Node, Object, in_words, numbered};
use super::python;
use super::read::Warning;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Lists of runs whose items are kept even if the file breaks off in the middle of them.
const STREAMED: [&str; 5] = ["simulations", "samples", "resourceSpans", "results", "results.results"];
/// So many lines of a log are looked at for one that is JSON.
const NOISE: usize = 200;

/// A file as far as it can be read.
#[derive(Default)]
pub(super) struct Document<'a> {
    /// The items of a list, by the dotted name of the field; that of a list at the top, or of lines, is empty.
    pub(super) lists: BTreeMap<String, Vec<&'a RawValue>>,
    /// The other fields of an object.
    pub(super) fields: BTreeMap<String, &'a RawValue>,
    /// Where each item stands, if there is one a line.
    lines: Vec<usize>,
}

impl<'a> Document<'a> {
    /// Reads a text whose top is an object or a list, or which has one of them a line.
    pub(super) fn read(text: &'a str, warnings: &mut Vec<Warning>) -> Self {
        match lines_of(text) {
            Some(noisy) => Self::of_lines(text, noisy, warnings),
            None => Self::of_value(text, warnings),
        }
    }

    fn of_value(text: &'a str, warnings: &mut Vec<Warning>) -> Self {
        let mut document = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let top = Part {
            document: &mut document,
            name: String::new(),
        };
        let end = top.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        if let Err(error) = end {
            let message = format!("{}; what stands before it is used", in_words(&error));
            warnings.push(Warning::new(format!("byte {}", offset_of(text, &error)), message));
        }
        document
    }

    fn of_lines(text: &'a str, noisy: bool, warnings: &mut Vec<Warning>) -> Self {
        let mut document = Self::default();
        let items = document.lists.entry(String::new()).or_default();
        let mut noise = 0_usize;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str::<&RawValue>(line.trim_start_matches('\u{feff}')) {
                Ok(raw) if !noisy || raw.get().starts_with('{') => {
                    items.push(raw);
                    document.lines.push(number);
                }
                Err(error) if !noisy => {
                    warnings.push(Warning::new(format!("line {number}"), in_words(&error)));
                }
                _ => noise += 1,
            }
        }
        if noise > 0 {
            let message = format!("{noise} lines are no JSON objects; the others are used");
            warnings.push(Warning::new("", message));
        }
        document
    }

    /// The items of a list, numbered as people see them.
    pub(super) fn items(&self, field: &str) -> Vec<Node<'a>> {
        let items = self.lists.get(field).cloned().unwrap_or_default();
        if !field.is_empty() || self.lines.is_empty() {
            return numbered(field, items);
        }
        let places = self.lines.iter().map(|line| format!("line {line}"));
        places.zip(items).map(|(path, raw)| Node { path, raw }).collect()
    }

    /// Whether the file has a list of that name.
    pub(super) fn has_list(&self, field: &str) -> bool {
        self.lists.contains_key(field)
    }

    /// The fields of the object at the top.
    pub(super) fn object(&self) -> Object<'a> {
        Object::new("", self.fields.clone())
    }

    /// The first objects, to know the format by: those of the list, or the one at the top.
    pub(super) fn heads(&self, most: usize) -> Vec<Object<'a>> {
        let Some(items) = self.lists.get("") else {
            return vec![self.object()];
        };
        let first = numbered("", items.iter().take(most).copied().collect());
        first.iter().filter_map(Node::as_object).collect()
    }

    /// The runs of a format that has one a line, in a list, or alone.
    pub(super) fn objects(&self, warnings: &mut Vec<Warning>) -> Vec<Object<'a>> {
        if self.has_list("") {
            let items = self.items("");
            return items.into_iter().filter_map(|item| item.object(warnings)).collect();
        }
        vec![self.object()]
    }
}

/// The text as JSON, if it is written in Python's notation.
pub(super) fn as_json(text: &str) -> Cow<'_, str> {
    let inside = text.trim_start().trim_start_matches(['[', '{', ' ', '\n']);
    let python = inside.starts_with('\'').then(|| python::to_json(text)).flatten();
    python.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Whether a text has one JSON value a line, and if so, whether it has other lines among them, as the log of a program has.
fn lines_of(text: &str) -> Option<bool> {
    let text = text.trim();
    let first = text.lines().next().unwrap_or_default();
    if text.starts_with(['{', '[']) {
        return (first.len() < text.len() && is_one_value(first)).then_some(false);
    }
    let mut lines = text.lines().take(NOISE);
    let found = lines.any(|line| line.starts_with('{') && is_one_value(line));
    found.then_some(true)
}

/// Whether a text is one JSON value and nothing else; cheap, as nothing is kept.
fn is_one_value(text: &str) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    IgnoredAny::deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
}

fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    (before + error.column()).min(text.len())
}

/// The top of a document, or a field of it that is streamed.
struct Part<'d, 'a> {
    document: &'d mut Document<'a>,
    name: String,
}

impl<'a> DeserializeSeed<'a> for Part<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Part<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if self.name.is_empty() {
            return Err(E::invalid_type(serde::de::Unexpected::Unit, &self));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut sequence: A) -> Result<(), A::Error> {
        let items = self.document.lists.entry(self.name).or_default();
        while let Some(item) = sequence.next_element::<&'a RawValue>()? {
            items.push(item);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let name = if self.name.is_empty() {
                key
            } else {
                format!("{}.{key}", self.name)
            };
            if STREAMED.contains(&name.as_str()) {
                map.next_value_seed(Part {
                    document: &mut *self.document,
                    name,
                })?;
            } else {
                self.document.fields.insert(name, map.next_value()?);
            }
        }
        Ok(())
    }
}
