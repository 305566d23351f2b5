//! YAML as a person writes it.

use super::tree::{Kind, Node};
use crate::edit::text::{line_start, unit};
use serde_json::Value;

/// Words that some reader of YAML takes for something else than a text.
const RESERVED: [&str; 11] = [
    "true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf",
];

/// How a file is indented.
pub(super) struct Style {
    /// By how much a table stands further in than its key.
    table: usize,
    /// By how much the dashes of a list stand further in than its key; may be 0.
    list: usize,
}

impl Style {
    /// The style of a text.
    pub(super) fn of(text: &str, root: &Node) -> Self {
        let table = unit(text, "  ").len();
        Self {
            table,
            list: list_indent(text, root).unwrap_or(2),
        }
    }

    /// What stands after a dash; its further lines are indented by `column`.
    pub(super) fn item(&self, value: &Value, column: usize) -> String {
        let next = format!("\n{}", " ".repeat(column));
        match value {
            Value::Array(items) if !items.is_empty() => items
                .iter()
                .map(|item| format!("- {}", self.item(item, column + 2)))
                .collect::<Vec<_>>()
                .join(&next),
            Value::Object(map) if !map.is_empty() => map
                .iter()
                .map(|(key, inner)| self.entry(key, inner, column))
                .collect::<Vec<_>>()
                .join(&next),
            scalar => block_scalar(scalar, column),
        }
    }

    /// A key with its value; the key stands at `column`.
    pub(super) fn entry(&self, name: &str, value: &Value, column: usize) -> String {
        format!("{}:{}", key(name), self.below_key(value, column))
    }

    /// What stands after the colon of a key at `column`.
    pub(super) fn below_key(&self, value: &Value, column: usize) -> String {
        let inner = match value {
            Value::Array(items) if !items.is_empty() => column + self.list,
            Value::Object(map) if !map.is_empty() => column + self.table,
            scalar => return format!(" {}", block_scalar(scalar, column + self.table)),
        };
        format!("\n{}{}", " ".repeat(inner), self.item(value, inner))
    }
}

/// A value within brackets or on the line of its key.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => format!(
            "{{{}}}",
            map.iter()
                .map(|(name, inner)| format!("{}: {}", key(name), flow(inner)))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Value::String(text) => key(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text, in quotes unless nobody can misread it without.
pub(super) fn key(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || " _-./()".contains(letter))
        && !text.ends_with(' ')
        && !RESERVED.contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// A text of several lines as a block below, anything else on its line.
fn block_scalar(value: &Value, column: usize) -> String {
    let Some(text) = value.as_str().filter(|text| is_block(text)) else {
        return flow(value);
    };
    let (mark, body) = text.strip_suffix('\n').map_or(("|-", text), |body| ("|", body));
    let lines = body.lines().map(|line| {
        if line.is_empty() {
            String::new()
        } else {
            format!("{}{line}", " ".repeat(column))
        }
    });
    format!("{mark}\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// Whether a text reads back the same from a block: several lines, the first not indented, no odd ends.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && body.chars().all(|letter| letter == '\n' || !letter.is_control())
}

/// How far the first block list of the file stands in from its key.
fn list_indent(text: &str, node: &Node) -> Option<usize> {
    let column = |at: usize| at - line_start(text, at);
    match &node.kind {
        Kind::Table { entries, flow: false } => entries.iter().find_map(|(key, value)| match &value.kind {
            Kind::List {
                dashes: Some(dashes), ..
            } => column(*dashes.first()?).checked_sub(column(key.range.start)),
            _ => list_indent(text, value),
        }),
        Kind::List { items, .. } => items.iter().find_map(|item| list_indent(text, item)),
        Kind::Table { .. } | Kind::Scalar(_) | Kind::Alias(_) => None,
    }
}
