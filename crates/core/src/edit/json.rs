//! Edits of JSON, also with comments and trailing commas.

use super::change::Change;
use super::flow::{First, Flow};
use super::text::{Splice, indent, unit};
use super::{Fault, Format};
use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;
use std::ops::Range;

/// A list of plain values stays on one line up to this many letters.
const WIDTH: usize = 80;

/// What the text holds.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    Ok(of_node(&tree(text)?))
}

/// How the text must change.
pub(super) fn plan(text: &str, change: &Change<'_>) -> Result<Vec<Splice>, Fault> {
    let root = tree(text)?;
    let style = Style::of(text);
    let find = |path: &[&str]| find(&root, path).ok_or_else(|| Fault::NotFound { at: path.join(".") });
    match change {
        Change::Insert { list, index, value } => {
            let node = find(list)?;
            let items = node
                .as_array()
                .into_iter()
                .flat_map(|array| &array.elements)
                .map(|item| range(item.range()));
            Ok(style
                .flow(text, node, items.collect())
                .insert(*index, |blanks| style.like_others(text, node, value, blanks)))
        }
        Change::Replace { at, value } => {
            let range = range(find(at)?.range());
            Ok(vec![Splice {
                text: style.write(value, Some(indent(text, range.start))),
                range,
            }])
        }
        Change::Add { table, key, value } => {
            let node = find(table)?;
            let items: Vec<_> = node
                .as_object()
                .into_iter()
                .flat_map(|object| &object.properties)
                .map(|property| range(property.range()))
                .collect();
            let n_items = items.len();
            let name = Value::from(*key);
            let entry = |blanks: Option<&str>| format!("{name}{}{}", style.colon, style.write(value, blanks));
            Ok(style.flow(text, node, items).insert(n_items, entry))
        }
    }
}

/// How a file writes its JSON.
pub(super) struct Style<'t> {
    unit: &'t str,
    colon: &'static str,
    comma: &'static str,
    pad: &'static str,
    one_line: bool,
}

impl<'t> Style<'t> {
    /// The style of a text.
    pub(super) fn of(text: &'t str) -> Self {
        let one_line = !text.trim().contains('\n');
        let tight = text.contains("\":") && !text.contains("\": ");
        let pad = if text.contains("{ \"") { " " } else { "" };
        Self {
            unit: unit(text, "  "),
            colon: if tight { ":" } else { ": " },
            comma: if tight { "," } else { ", " },
            pad,
            one_line,
        }
    }

    /// A value on one line.
    pub(super) fn compact(&self, value: &Value) -> String {
        match value {
            Value::Array(items) => format!(
                "[{}]",
                items
                    .iter()
                    .map(|item| self.compact(item))
                    .collect::<Vec<_>>()
                    .join(self.comma)
            ),
            Value::Object(map) if map.is_empty() => "{}".to_owned(),
            Value::Object(map) => {
                let entries = map
                    .iter()
                    .map(|(key, inner)| format!("{}{}{}", Value::from(key.as_str()), self.colon, self.compact(inner)));
                format!(
                    "{{{pad}{}{pad}}}",
                    entries.collect::<Vec<_>>().join(self.comma),
                    pad = self.pad
                )
            }
            scalar => scalar.to_string(),
        }
    }

    /// A value that may take several lines, whose first one is indented by `blanks`; `None` stands for a place within a line.
    fn write(&self, value: &Value, blanks: Option<&str>) -> String {
        let Some(blanks) = blanks.filter(|_| !self.one_line) else {
            return self.compact(value);
        };
        let inner = format!("{blanks}{}", self.unit);
        match value {
            Value::Array(items)
                if items.iter().all(|item| !item.is_array() && !item.is_object())
                    && self.compact(value).chars().count() <= WIDTH =>
            {
                self.compact(value)
            }
            Value::Array(items) => {
                let lines: Vec<String> = items
                    .iter()
                    .map(|item| format!("{inner}{}", self.write(item, Some(&inner))))
                    .collect();
                format!("[\n{}\n{blanks}]", lines.join(",\n"))
            }
            Value::Object(map) if !map.is_empty() => {
                let line = |(key, item): (&String, &Value)| {
                    format!(
                        "{inner}{}{}{}",
                        Value::from(key.as_str()),
                        self.colon,
                        self.write(item, Some(&inner))
                    )
                };
                format!(
                    "{{\n{}\n{blanks}}}",
                    map.iter().map(line).collect::<Vec<_>>().join(",\n")
                )
            }
            scalar => self.compact(scalar),
        }
    }

    /// An entry of a list, on one line where the others are.
    fn like_others(&self, text: &str, list: &Node<'_>, value: &Value, blanks: Option<&str>) -> String {
        let first = list.as_array().and_then(|array| array.elements.first());
        let composite = first.filter(|first| first.as_object().is_some() || first.as_array().is_some());
        let flat = composite.is_some_and(|first| !first.text(text).contains('\n'));
        self.write(value, blanks.filter(|_| !flat))
    }

    fn flow<'f>(&'f self, text: &'f str, node: &Node<'_>, items: Vec<Range<usize>>) -> Flow<'f> {
        let first = if self.one_line {
            First::SameLine(self.pad)
        } else {
            First::OwnLine(self.unit)
        };
        Flow {
            text,
            inner: node.start() + 1..node.end() - 1,
            items,
            comment: "//",
            first,
        }
    }
}

fn tree(text: &str) -> Result<Node<'_>, Fault> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    let fault = |line, message| Fault::Parse {
        format: Format::Json,
        line,
        message,
    };
    let parsed = parsed.map_err(|error| fault(error.line_display(), error.kind().to_string()))?;
    parsed.value.ok_or_else(|| fault(1, "the file is empty".to_owned()))
}

fn find<'n, 't>(root: &'n Node<'t>, path: &[&str]) -> Option<&'n Node<'t>> {
    path.iter().try_fold(root, |node, part| match node {
        Node::Object(object) => object.get(part).map(|property| &property.value),
        Node::Array(array) => array.elements.get(part.parse::<usize>().ok()?),
        Node::StringLit(_) | Node::NumberLit(_) | Node::BooleanLit(_) | Node::NullKeyword(_) => None,
    })
}

fn range(range: jsonc_parser::common::Range) -> Range<usize> {
    range.start..range.end
}

fn of_node(node: &Node<'_>) -> Value {
    match node {
        Node::StringLit(text) => Value::String(text.value.to_string()),
        Node::NumberLit(number) => {
            serde_json::from_str(number.value).unwrap_or_else(|_| Value::String(number.value.to_owned()))
        }
        Node::BooleanLit(flag) => Value::Bool(flag.value),
        Node::NullKeyword(_) => Value::Null,
        Node::Array(array) => Value::Array(array.elements.iter().map(of_node).collect()),
        Node::Object(object) => Value::Object(
            object
                .properties
                .iter()
                .map(|property| (property.name.as_str().to_owned(), of_node(&property.value)))
                .collect(),
        ),
    }
}
