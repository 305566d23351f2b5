//! What stands at the top of a file: one JSON value, or one a line; each is only looked through, not parsed, until somebody asks for it.

use super::json::{Node, Object, Place, in_words, numbered};
use super::python;
use super::read::Warning;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Lists of runs whose items are kept even if the file breaks off in the middle of them.
pub(super) const STREAMED: [&str; 5] = ["simulations", "samples", "resourceSpans", "results", "results.results"];
/// So many lines of a log are looked at for one that is JSON.
const NOISE: usize = 200;

/// A file as far as it can be read.
#[derive(Default)]
pub(super) struct Document<'a> {
    /// The items of a list, by the dotted name of the field; that of a list at the top, or of lines, is empty.
    pub(super) lists: BTreeMap<String, Vec<&'a str>>,
    /// The other fields of an object.
    pub(super) fields: BTreeMap<String, &'a str>,
    /// Where the items of the list stand that a part of a file has, or that stand one a line.
    places: Places,
}

/// Where items stand that are not simply counted from the beginning.
#[derive(Default)]
struct Places {
    list: String,
    by_line: bool,
    numbers: Vec<usize>,
}

/// Some records of a large file, as text.
pub(super) struct Records<'r> {
    /// Which list they stand in.
    pub(super) list: &'r str,
    /// Whether there is one a line, and whether other lines may stand among them, as in the log of a program.
    pub(super) by_line: bool,
    pub(super) noisy: bool,
    /// Each with its number: a line's, or that in its list.
    pub(super) records: Vec<(usize, &'r str)>,
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
        let records = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let mut document = Self::default();
        let noise = document.take(
            &Records {
                list: "",
                by_line: true,
                noisy,
                records: records.collect(),
            },
            warnings,
        );
        warn_of_noise(noise, warnings);
        document
    }

    /// Reads some records of a large file, whose other fields and whose lists are known. The number of lines comes back that are no records.
    pub(super) fn of_part(
        fields: &'a [(String, String)],
        lists: &[String],
        part: &Records<'a>,
        warnings: &mut Vec<Warning>,
    ) -> (Self, usize) {
        let mut document = Self {
            fields: fields.iter().map(|(name, raw)| (name.clone(), raw.as_str())).collect(),
            lists: lists.iter().map(|name| (name.clone(), Vec::new())).collect(),
            ..Self::default()
        };
        let noise = document.take(part, warnings);
        (document, noise)
    }

    fn take(&mut self, part: &Records<'a>, warnings: &mut Vec<Warning>) -> usize {
        if part.records.is_empty() && !part.by_line {
            return 0;
        }
        let items = self.lists.entry(part.list.to_owned()).or_default();
        self.places = Places {
            list: part.list.to_owned(),
            by_line: part.by_line,
            numbers: Vec::new(),
        };
        let mut noise = 0_usize;
        for (number, text) in &part.records {
            match serde_json::from_str::<&RawValue>(text.trim_start_matches('\u{feff}')) {
                Ok(raw) if !part.noisy || raw.get().starts_with('{') => {
                    items.push(raw.get());
                    self.places.numbers.push(*number);
                }
                Err(error) if !part.noisy => {
                    let place = if part.by_line {
                        format!("line {number}")
                    } else {
                        format!("{}[{number}]", part.list)
                    };
                    warnings.push(Warning::new(place, in_words(&error)));
                }
                _ => noise += 1,
            }
        }
        noise
    }

    /// The items of a list, numbered as people see them.
    pub(super) fn items(&self, field: &str) -> Vec<Node<'a>> {
        self.look(field).collect()
    }

    /// The same one after the other.
    pub(super) fn look(&self, field: &str) -> impl Iterator<Item = Node<'a>> {
        let items = self.lists.get(field).map(Vec::as_slice).unwrap_or_default();
        let numbers = if field == self.places.list {
            self.places.numbers.as_slice()
        } else {
            &[]
        };
        let numbered = numbered(Place::named(field.to_owned()), items.iter().copied());
        numbered.enumerate().map(|(at, node)| match numbers.get(at) {
            Some(number) if self.places.by_line => node.moved(Place::named(format!("line {number}"))),
            Some(number) => node.moved(Place::named(format!("{}[{number}]", self.places.list))),
            None => node,
        })
    }

    /// The numbers of the items that a part of a file has, in their order.
    pub(super) fn numbers(&self) -> Vec<usize> {
        self.places.numbers.clone()
    }

    /// Adds the lists of another part of the same file.
    pub(super) fn join(&mut self, other: Self) {
        let lists = other.lists.into_iter().filter(|(_, items)| !items.is_empty());
        self.lists.extend(lists);
    }

    /// Whether the file has a list of that name.
    pub(super) fn has_list(&self, field: &str) -> bool {
        self.lists.contains_key(field)
    }

    /// The fields of the object at the top.
    pub(super) fn object(&self) -> Object<'a> {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, raw)| (name.clone().into(), *raw));
        Object::new(Place::named(""), fields.collect())
    }

    /// The first objects, to know the format by: those of the list, or the one at the top.
    pub(super) fn heads(&self, most: usize) -> Vec<Object<'a>> {
        if !self.has_list("") {
            return vec![self.object()];
        }
        self.look("").take(most).filter_map(|node| node.as_object()).collect()
    }

    /// The objects of a format that has one a line, in a list, or alone, with their indices.
    pub(super) fn objects(&self, warnings: &mut Vec<Warning>) -> Vec<(usize, Object<'a>)> {
        if self.has_list("") {
            let numbered = self.look("").enumerate();
            return numbered
                .filter_map(|(at, item)| Some((at, item.object(warnings)?)))
                .collect();
        }
        vec![(0, self.object())]
    }
}

/// Whether a text begins as data in Python's notation does.
pub(super) fn is_python(text: &str) -> bool {
    let inside = text.trim_start().trim_start_matches(['[', '{', ' ', '\n']);
    inside.starts_with('\'')
}

/// The text as JSON, if it is written in Python's notation.
pub(super) fn as_json(text: &str) -> Cow<'_, str> {
    let python = is_python(text).then(|| python::to_json(text)).flatten();
    python.map_or(Cow::Borrowed(text), Cow::Owned)
}

pub(super) fn warn_of_noise(lines: usize, warnings: &mut Vec<Warning>) {
    if lines > 0 {
        let message = format!("{lines} lines are no JSON objects; the others are used");
        warnings.push(Warning::new("", message));
    }
}

/// Whether a text has one JSON value a line, and if so, whether it has other lines among them, as the log of a program has.
pub(super) fn lines_of(text: &str) -> Option<bool> {
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

impl Part<'_, '_> {
    /// A plain value where a list is usual says nothing; at the top it is no file of ours.
    fn scalar<E: Error>(self, found: Unexpected<'_>) -> Result<(), E> {
        if self.name.is_empty() {
            return Err(E::invalid_type(found, &self));
        }
        Ok(())
    }
}

impl<'a> Visitor<'a> for Part<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(Unexpected::Unit)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Unexpected::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Unexpected::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Unexpected::Str(value))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut sequence: A) -> Result<(), A::Error> {
        let items = self.document.lists.entry(self.name).or_default();
        while let Some(item) = sequence.next_element::<&'a RawValue>()? {
            items.push(item.get());
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
                let value: &'a RawValue = map.next_value()?;
                self.document.fields.insert(name, value.get());
            }
        }
        Ok(())
    }
}
