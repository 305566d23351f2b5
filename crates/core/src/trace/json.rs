//! JSON of strangers, read field by field: what has the wrong type is reported with its path and left out, the rest is used.
//!
//! Values stay unparsed slices of the file until somebody asks for them, so what nobody asks for (`raw_data`, audio) costs no memory.

use super::python;
use super::read::Warning;
use super::scan::{self, Tape};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// Where a value stands, such as `simulations[3].messages[7]`; spelled out only when somebody must be told.
#[derive(Clone)]
pub(super) struct Place<'a> {
    up: Option<Rc<Self>>,
    step: Way<'a>,
}

/// The last part of a place.
#[derive(Clone)]
enum Way<'a> {
    Named(Cow<'a, str>),
    Key(Cow<'a, str>),
    Item(usize),
}

impl<'a> Place<'a> {
    /// A place that has a name of its own: a line, a list at the top, or nothing.
    pub(super) fn named(name: impl Into<Cow<'a, str>>) -> Self {
        Self {
            up: None,
            step: Way::Named(name.into()),
        }
    }

    fn below(up: &Rc<Self>, step: Way<'a>) -> Self {
        Self {
            up: Some(Rc::clone(up)),
            step,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let above = self.up.as_ref().map(ToString::to_string).unwrap_or_default();
        match &self.step {
            Way::Named(name) => f.write_str(name),
            Way::Key(key) if above.is_empty() => f.write_str(key),
            Way::Key(key) => write!(f, "{above}.{key}"),
            Way::Item(at) => write!(f, "{above}[{at}]"),
        }
    }
}

/// An unparsed value, known to be well-formed, and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) place: Place<'a>,
    pub(super) raw: &'a str,
    /// Where the value stands in what was gone through already.
    known: Option<(Rc<Tape<'a>>, usize)>,
}

impl<'a> Node<'a> {
    /// A text that is known to be JSON.
    pub(super) fn new(place: Place<'a>, raw: &'a str) -> Self {
        Self {
            place,
            raw,
            known: None,
        }
    }

    fn within(tape: &Rc<Tape<'a>>, at: usize, place: Place<'a>) -> Self {
        Self {
            place,
            raw: tape.raw(at),
            known: Some((Rc::clone(tape), at)),
        }
    }

    fn tape(&self) -> (Rc<Tape<'a>>, usize) {
        let known = self.known.clone();
        known.unwrap_or_else(|| (Rc::new(Tape::of(self.raw)), 0))
    }

    /// A text that is JSON, and nothing else.
    pub(super) fn of_text(name: &'a str, text: &'a str) -> Option<Self> {
        let raw: &serde_json::value::RawValue = serde_json::from_str(text).ok()?;
        Some(Self::new(Place::named(name), raw.get()))
    }

    /// The same value under another place.
    pub(super) fn moved(self, place: Place<'a>) -> Self {
        Self { place, ..self }
    }

    pub(super) fn warn(&self, message: impl Into<String>, warnings: &mut Vec<Warning>) {
        warnings.push(Warning::new(self.place.to_string(), message));
    }

    /// The value as an object; anything else is reported.
    pub(super) fn object(self, warnings: &mut Vec<Warning>) -> Option<Object<'a>> {
        let object = self.as_object();
        if object.is_none() {
            self.warn(format!("expected an object, found {}", kind_of(self.raw)), warnings);
        }
        object
    }

    /// The value as an object, or nothing.
    pub(super) fn as_object(&self) -> Option<Object<'a>> {
        if !self.raw.starts_with('{') {
            return None;
        }
        let (tape, at) = self.tape();
        let field = |(key, at)| Field {
            key,
            raw: tape.raw(at),
            at,
        };
        let fields = tape.fields(at).into_iter().map(field).collect();
        Some(Object {
            place: Rc::new(self.place.clone()),
            fields,
            tape: Some(tape),
        })
    }

    /// The items of the value, if it is a list.
    pub(super) fn as_list(&self) -> Option<Vec<Self>> {
        Some(self.items()?.collect())
    }

    /// The items of the value one after the other, if it is a list.
    pub(super) fn items(&self) -> Option<impl Iterator<Item = Self> + use<'a>> {
        if !self.raw.starts_with('[') {
            return None;
        }
        let (tape, at) = self.tape();
        let list = Rc::new(self.place.clone());
        let items = tape.items(at).into_iter().enumerate();
        Some(items.map(move |(number, at)| Self::within(&tape, at, Place::below(&list, Way::Item(number)))))
    }

    /// The fields of the value in the order of the file, if it is an object; their place is that of the object.
    pub(super) fn fields(&self) -> impl Iterator<Item = (Cow<'a, str>, Self)> + use<'a> {
        let known = self.raw.starts_with('{').then(|| self.tape());
        let place = self.place.clone();
        known.into_iter().flat_map(move |(tape, at)| {
            let place = place.clone();
            let fields = tape.pairs(at).collect::<Vec<_>>();
            let node = move |(key, at)| (key, Self::within(&tape, at, place.clone()));
            fields.into_iter().map(node)
        })
    }

    /// A text, a number, a boolean, or the texts of a list of message parts.
    pub(super) fn as_text(&self) -> Option<String> {
        self.word().map(Cow::into_owned)
    }

    /// The same without a copy, where that can be.
    pub(super) fn word(&self) -> Option<Cow<'a, str>> {
        word_of(self.raw)
    }

    /// The value as people can read it: a text as it is, anything else as JSON.
    pub(super) fn shown(&self) -> String {
        self.as_text().unwrap_or_else(|| self.raw.to_owned())
    }

    /// What a JSON pointer such as `/case/id` or `/0/text` leads to. The empty pointer is the value itself.
    pub(super) fn at(&self, pointer: &str) -> Option<Self> {
        let mut node = self.clone();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            node = match node.raw.as_bytes().first() {
                Some(b'[') => node.items()?.nth(token.parse().ok()?)?,
                _ => node.as_object()?.node(&token)?,
            };
        }
        (node.raw != "null").then_some(node)
    }

    /// The value as `T`; one that is none is reported.
    pub(super) fn parse<T: DeserializeOwned>(&self, warnings: &mut Vec<Warning>) -> Option<T> {
        let parsed = serde_json::from_str(self.raw);
        parsed.map_err(|error| self.warn(in_words(&error), warnings)).ok()
    }
}

/// The items of a list, with their numbers.
pub(super) fn numbered<'a>(list: Place<'a>, items: impl Iterator<Item = &'a str>) -> impl Iterator<Item = Node<'a>> {
    let list = Rc::new(list);
    let items = items.enumerate();
    items.map(move |(at, raw)| Node::new(Place::below(&list, Way::Item(at)), raw))
}

/// An object whose fields are unparsed.
pub(super) struct Object<'a> {
    place: Rc<Place<'a>>,
    /// In the order of their names.
    fields: Vec<Field<'a>>,
    /// What the fields stand in, if that is one text.
    tape: Option<Rc<Tape<'a>>>,
}

struct Field<'a> {
    key: Cow<'a, str>,
    raw: &'a str,
    /// The number of the value in the tape.
    at: usize,
}

impl<'a> Object<'a> {
    /// An object of fields that were read elsewhere, in the order of their names.
    pub(super) fn new(place: Place<'a>, fields: Vec<(Cow<'a, str>, &'a str)>) -> Self {
        let fields = fields.into_iter().map(|(key, raw)| Field { key, raw, at: 0 });
        Self {
            place: Rc::new(place),
            fields: fields.collect(),
            tape: None,
        }
    }

    fn find(&self, key: &str) -> Option<&Field<'a>> {
        let at = self.fields.binary_search_by(|field| field.key.as_ref().cmp(key)).ok()?;
        self.fields.get(at)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// The names of the fields, in the order of the alphabet.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.key.as_ref())
    }

    /// The first of some fields that is there and not null.
    pub(super) fn any(&self, keys: &[&str]) -> Option<Node<'a>> {
        keys.iter().find_map(|key| self.node(key))
    }

    /// Whether a field holds one of some words.
    pub(super) fn is(&self, key: &str, words: &[&str]) -> bool {
        self.peek(key).is_some_and(|word| words.contains(&word.as_ref()))
    }

    /// What a field says, without a copy where that can be; anything but a text is not reported.
    pub(super) fn peek(&self, key: &str) -> Option<Cow<'a, str>> {
        word_of(self.find(key)?.raw)
    }

    /// A text, if that is what the field holds; anything else is not reported.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        self.peek(key).map(Cow::into_owned)
    }

    /// A number, if that is what the field holds; anything else is not reported.
    pub(super) fn amount(&self, key: &str) -> Option<f64> {
        let number = self.peek(key)?.trim().parse::<f64>().ok()?;
        number.is_finite().then_some(number)
    }

    /// A field that is there and not null.
    pub(super) fn node(&self, key: &str) -> Option<Node<'a>> {
        let field = self.find(key).filter(|field| field.raw != "null")?;
        let place = Place::below(&self.place, Way::Key(field.key.clone()));
        Some(match &self.tape {
            Some(tape) => Node::within(tape, field.at, place),
            None => Node::new(place, field.raw),
        })
    }

    /// A field that must be an object.
    pub(super) fn object(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<Self> {
        self.node(key)?.object(warnings)
    }

    /// A field that must be a list; empty when there is none.
    pub(super) fn list(&self, key: &str, warnings: &mut Vec<Warning>) -> Vec<Node<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let items = node.as_list();
        if items.is_none() {
            node.warn(format!("expected a list, found {}", kind_of(node.raw)), warnings);
        }
        items.unwrap_or_default()
    }

    /// The objects of a list.
    pub(super) fn objects(&self, key: &str, warnings: &mut Vec<Warning>) -> Vec<Self> {
        let nodes = self.list(key, warnings);
        nodes.into_iter().filter_map(|node| node.object(warnings)).collect()
    }

    /// A text; a number or a boolean counts as its text.
    pub(super) fn text(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<String> {
        let node = self.node(key)?;
        let text = node.as_text();
        if text.is_none() {
            node.warn(format!("expected a text, found {}", kind_of(node.raw)), warnings);
        }
        text
    }

    /// A number; a text that spells one counts.
    pub(super) fn number(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<f64> {
        let node = self.node(key)?;
        let number = node
            .word()
            .and_then(|text| text.trim().parse::<f64>().ok())
            .filter(|number| number.is_finite());
        if number.is_none() {
            node.warn(format!("expected a number, found {}", kind_of(node.raw)), warnings);
        }
        number
    }

    /// A boolean; 0 and 1, also as `0.0` and `1.0`, count.
    pub(super) fn flag(&self, key: &str, warnings: &mut Vec<Warning>) -> Option<bool> {
        let node = self.node(key)?;
        let flag = match node.raw {
            "true" | "\"true\"" | "\"True\"" | "1" | "1.0" => Some(true),
            "false" | "\"false\"" | "\"False\"" | "0" | "0.0" => Some(false),
            _ => None,
        };
        if flag.is_none() {
            node.warn(format!("expected true or false, found {}", kind_of(node.raw)), warnings);
        }
        flag
    }

    /// An object by name; a text that holds one, as `OpenAI` writes arguments, counts, also in Python's notation.
    pub(super) fn map(&self, key: &str, warnings: &mut Vec<Warning>) -> serde_json::Map<String, Value> {
        let Some(node) = self.node(key) else {
            return serde_json::Map::new();
        };
        let inner = scan::text(node.raw);
        let text = inner.as_deref().unwrap_or(node.raw);
        let as_python = || serde_json::from_str(&python::to_json(text)?).ok();
        match serde_json::from_str(text).ok().or_else(as_python) {
            Some(map) => map,
            None if text.trim().is_empty() => serde_json::Map::new(),
            None => {
                node.warn("expected an object of arguments by name", warnings);
                serde_json::Map::new()
            }
        }
    }

    /// The texts of a list.
    pub(super) fn texts(&self, key: &str, warnings: &mut Vec<Warning>) -> Vec<String> {
        let nodes = self.list(key, warnings);
        nodes.iter().filter_map(Node::as_text).collect()
    }

    pub(super) fn warn(&self, message: impl Into<String>, warnings: &mut Vec<Warning>) {
        warnings.push(Warning::new(self.place.to_string(), message));
    }
}

/// A scalar as text, and the text parts of a list of message parts.
fn word_of(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first()? {
        b'"' => return scan::text(raw),
        b'{' => return None,
        b't' | b'f' => return Some(raw.into()),
        _ => {}
    }
    match serde_json::from_str(raw).ok()? {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(flag.to_string().into()),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts
                .iter()
                .map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
                .collect();
            texts.map(|texts| texts.join("\n").into())
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn kind_of(raw: &str) -> String {
    match raw.as_bytes().first() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        Some(b'"') => format!("the text {}", raw.chars().take(40).collect::<String>()),
        _ => format!("`{raw}`"),
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
