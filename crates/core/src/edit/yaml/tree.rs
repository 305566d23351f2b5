//! What a YAML text holds, with the place of each part.

use crate::edit::text::line_number;
use crate::edit::{Fault, Format};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::ops::Range;

/// Deeper texts are refused rather than walked.
const MAX_DEPTH: usize = 128;

/// One value with its place in bytes. The range is empty where nothing is written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Value),
    /// A copy of what an anchor names.
    Alias(Value),
    /// A list, with its dashes when it is a block.
    List {
        items: Vec<Node>,
        dashes: Option<Vec<usize>>,
    },
    /// A table; `flow` when it is in braces.
    Table {
        entries: Vec<(Node, Node)>,
        flow: bool,
    },
}

impl Node {
    /// What it holds.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) | Kind::Alias(value) => value.clone(),
            Kind::List { items, .. } => Value::Array(items.iter().map(Self::value).collect()),
            Kind::Table { entries, .. } => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.name(), value.value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The node at a path, and the byte of the first key beside it when it stands in a block table.
    pub(super) fn find(&self, path: &[&str]) -> Option<(&Self, Option<usize>)> {
        let Some((part, rest)) = path.split_first() else {
            return Some((self, None));
        };
        let (inner, column) = match &self.kind {
            Kind::List { items, .. } => (items.get(part.parse::<usize>().ok()?)?, None),
            Kind::Table { entries, flow } => {
                let (key, value) = entries.iter().find(|(key, _)| key.name() == *part)?;
                let first = entries.first().map_or(key, |(first, _)| first);
                (value, (!flow).then_some(first.range.start))
            }
            Kind::Scalar(_) | Kind::Alias(_) => return None,
        };
        if rest.is_empty() {
            Some((inner, column))
        } else {
            inner.find(rest)
        }
    }

    /// Where its last letter begins, blanks at the end not counted.
    pub(super) fn last_letter(&self, text: &str) -> usize {
        let last = text[..self.range.end].trim_end().char_indices().next_back();
        last.map_or(0, |(at, _)| at).max(self.range.start)
    }

    fn name(&self) -> String {
        match self.value() {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    let mut builder = Builder {
        text,
        bytes: text.char_indices().map(|(at, _)| at).collect(),
        parser: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
    };
    loop {
        let (event, _) = builder.next()?;
        match event {
            Event::StreamEnd => {
                return Ok(Node {
                    range: text.len()..text.len(),
                    kind: Kind::Scalar(Value::Null),
                });
            }
            Event::DocumentStart(_) => break,
            _ => {}
        }
    }
    let root = builder.node(0, 0)?;
    loop {
        let (event, range) = builder.next()?;
        match event {
            Event::StreamEnd => return Ok(root),
            Event::DocumentStart(_) => {
                return Err(fault(
                    text,
                    range.start,
                    "a second document; only files with one can be edited",
                ));
            }
            _ => {}
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    /// The byte at which each character begins: the parser counts characters.
    bytes: Vec<usize>,
    parser: Parser<'t, StrInput<'t>>,
    anchors: BTreeMap<usize, Value>,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.range(&span))),
            Some(Err(error)) => Err(Fault::Parse {
                format: Format::Yaml,
                line: error.marker().line(),
                message: error.info().to_owned(),
            }),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let byte = |index: usize| self.bytes.get(index).copied().unwrap_or(self.text.len());
        byte(span.start.index())..byte(span.end.index())
    }

    /// The next node; `from` is a byte before it with nothing but blanks, comments, anchors and tags between.
    fn node(&mut self, from: usize, depth: usize) -> Result<Node, Fault> {
        let (event, range) = self.next()?;
        self.node_of(event, range, from, depth)
    }

    fn node_of(&mut self, event: Event<'t>, range: Range<usize>, from: usize, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(fault(self.text, range.start, "nested too deeply"));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => {
                return Ok(Node {
                    range,
                    kind: Kind::Alias(self.anchors.get(&anchor).cloned().unwrap_or(Value::Null)),
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let range = self.scalar_range(&text, style, range, from);
                let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.suffix != "str");
                let value = if plain {
                    resolve(&text)
                } else {
                    Value::String(text.into_owned())
                };
                (
                    anchor,
                    Node {
                        range,
                        kind: Kind::Scalar(value),
                    },
                )
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(range, from, depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.table(range, depth)?),
            _ => return Err(fault(self.text, range.start, "something that is not a value")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.value());
        }
        Ok(node)
    }

    /// The parser's own range leaves out the head of a block scalar, takes in a comment behind quotes, and puts a scalar that is not
    /// written at whatever comes next.
    fn scalar_range(&self, value: &str, style: ScalarStyle, range: Range<usize>, from: usize) -> Range<usize> {
        match style {
            ScalarStyle::Plain if value.is_empty() => from..from,
            ScalarStyle::Plain => range,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => range.start..quoted_end(self.text, range.clone()),
            ScalarStyle::Literal => find_mark(self.text, from, '|').unwrap_or(range.start)..range.end,
            ScalarStyle::Folded => find_mark(self.text, from, '>').unwrap_or(range.start)..range.end,
        }
    }

    fn list(&mut self, range: Range<usize>, from: usize, depth: usize) -> Result<Node, Fault> {
        let bracket = bracket(self.text, &range, '[');
        let mut items: Vec<Node> = Vec::new();
        let mut dashes = Vec::new();
        let mut end = from;
        loop {
            let (event, place) = self.next()?;
            if event == Event::SequenceEnd {
                let (range, dashes) = match bracket {
                    Some(start) => (start..place.end, None),
                    None => (range.start..end, Some(dashes)),
                };
                return Ok(Node {
                    range,
                    kind: Kind::List { items, dashes },
                });
            }
            let from = match bracket {
                Some(_) => place.start,
                None => {
                    let dash = find_mark(self.text, end, '-')
                        .ok_or_else(|| fault(self.text, end, "a list whose dashes cannot be found"))?;
                    dashes.push(dash);
                    dash + 1
                }
            };
            let item = self.node_of(event, place, from, depth + 1)?;
            end = item.range.end;
            items.push(item);
        }
    }

    fn table(&mut self, range: Range<usize>, depth: usize) -> Result<Node, Fault> {
        let brace = bracket(self.text, &range, '{');
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut end = range.end;
        loop {
            let (event, place) = self.next()?;
            if event == Event::MappingEnd {
                let range = match brace {
                    Some(start) => start..place.end,
                    None => range.start..end,
                };
                return Ok(Node {
                    range,
                    kind: Kind::Table {
                        entries,
                        flow: brace.is_some(),
                    },
                });
            }
            let from = place.start;
            let key = self.node_of(event, place, from, depth + 1)?;
            let colon = find_mark(self.text, key.range.end, ':');
            let value = self.node(colon.map_or(key.range.end, |colon| colon + 1), depth + 1)?;
            end = value.range.end;
            entries.push((key, value));
        }
    }
}

/// The byte of the bracket that opens a list or table, whose range may begin with its anchor and tag; `None` for a block.
fn bracket(text: &str, range: &Range<usize>, bracket: char) -> Option<usize> {
    text[range.clone()].ends_with(bracket).then(|| range.end - 1)
}

/// The byte of `mark`, which must be the next thing after blanks, comments, anchors and tags.
fn find_mark(text: &str, from: usize, mark: char) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text[at..].trim_start();
        at = text.len() - rest.len();
        if rest.starts_with(mark) {
            return Some(at);
        }
        match rest.chars().next()? {
            '#' => at += rest.find('\n')?,
            '&' | '!' => at += rest.find(char::is_whitespace)?,
            _ => return None,
        }
    }
}

/// Where the quotes end that begin in `range`, after an anchor or tag.
fn quoted_end(text: &str, range: Range<usize>) -> usize {
    let Some((start, quote)) = text[range.clone()]
        .char_indices()
        .find(|(_, letter)| matches!(letter, '"' | '\''))
    else {
        return range.end;
    };
    let mut letters = text[range.start + start + 1..range.end].char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let doubled = quote == '\'' && letter == quote && letters.peek().is_some_and(|(_, next)| *next == quote);
        if doubled || (quote == '"' && letter == '\\') {
            letters.next();
        } else if letter == quote {
            return range.start + start + 1 + at + 1;
        }
    }
    range.end
}

/// The value of a plain scalar in the core schema of YAML 1.2.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text
            .chars()
            .all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
    let radix = |prefix: &str, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::from(number);
    }
    if !numeric {
        return Value::String(text.to_owned());
    }
    let whole = text.parse::<i64>().ok().map(Value::from);
    let float = || text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number);
    whole.or_else(float).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn fault(text: &str, at: usize, message: &str) -> Fault {
    Fault::Parse {
        format: Format::Yaml,
        line: line_number(text, at),
        message: message.to_owned(),
    }
}
