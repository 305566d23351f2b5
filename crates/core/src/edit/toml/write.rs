//! TOML as a person writes it.

use crate::edit::text::unit;
use serde_json::{Map, Value};
use toml_edit::{Key, Value as Toml};

/// Lines are kept to this many letters where a list can be broken.
pub(super) const WIDTH: usize = 100;

/// How a file writes its TOML.
pub(super) struct Style<'t> {
    /// The whole file.
    pub(super) text: &'t str,
    /// One level of indentation.
    pub(super) unit: &'t str,
    crlf: bool,
}

impl<'t> Style<'t> {
    /// The style of a text.
    pub(super) fn of(text: &'t str) -> Self {
        Self {
            text,
            unit: unit(text, "    "),
            crlf: text.contains("\r\n"),
        }
    }

    /// A table with its header.
    pub(super) fn block(&self, header: &str, map: &Map<String, Value>) -> String {
        let lines: String = map.iter().map(|(key, value)| self.key_line(key, value)).collect();
        format!("{header}\n{lines}")
    }

    /// A key with its value.
    pub(super) fn key_line(&self, key: &str, value: &Value) -> String {
        let key = bare(key);
        format!("{key} = {}\n", self.written(value, "", key.chars().count() + 3))
    }

    /// A value on one line where it fits behind `column`; else a list with an entry a line, and a text over several lines.
    pub(super) fn written(&self, value: &Value, blanks: &str, column: usize) -> String {
        let short = inline(value);
        match value {
            Value::Array(items) if !items.is_empty() && column + short.chars().count() > WIDTH => {
                let inner = format!("{blanks}{}", self.unit);
                let lines: String = items
                    .iter()
                    .map(|item| format!("{inner}{},\n", self.written(item, &inner, inner.len())))
                    .collect();
                format!("[\n{lines}{blanks}]")
            }
            // Line ends within such a text are part of it, so a file with other line ends than `\n` takes the form on one line.
            Value::String(text) if text.contains('\n') && !self.crlf => Toml::from(text.as_str()).to_string(),
            _ => short,
        }
    }
}

/// A value on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        // A JSON string is a TOML string but for this one letter.
        Value::String(text) if text.contains('\n') => value.to_string().replace('\u{7f}', "\\u007F"),
        Value::String(text) => Toml::from(text.as_str()).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, inner)| format!("{} = {}", bare(key), inline(inner)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A key, in quotes only where it needs them.
pub(super) fn bare(key: &str) -> String {
    Key::new(key).to_string()
}

/// The dotted name in a header; indexes into arrays of tables are not written there.
pub(super) fn header<'p>(path: impl IntoIterator<Item = &'p &'p str>) -> String {
    let names = path.into_iter().filter(|part| part.parse::<usize>().is_err());
    names.map(|part| bare(part)).collect::<Vec<_>>().join(".")
}
