//! Edits of structured text files that keep comments, order and formatting.
//!
//! A format says *where* the text changes, by the places that its parser reports; nothing outside those places is written again. What the
//! edit *means* is said once, over plain values, in `change`. Both are held against each other before a text is given out.

mod change;
mod flow;
mod json;
mod jsonl;
mod markdown;
mod text;
mod toml;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use text::{Splice, splice};

/// Where a new entry goes in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Before all others.
    Start,
    /// Before the last one (for lists whose last entry closes the work).
    BeforeLast,
    /// After all others.
    End,
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Adds `value` to the list at `at`: an array or array of tables (TOML), a sequence (YAML, JSON), the lines of a JSONL file
    /// (`at` is empty), the bullet list or the text under the heading `at` (Markdown; `value` is a string). A missing list is created.
    Append {
        /// A dotted path, or a Markdown heading.
        at: String,
        /// The entry.
        value: Value,
        /// Where it goes.
        position: Position,
    },
    /// Gives the key at the dotted path `at` the value. A missing key is created in its table.
    Set {
        /// A dotted path.
        at: String,
        /// The value.
        value: Value,
    },
}

/// The formats that can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// TOML.
    Toml,
    /// YAML 1.2, one document.
    Yaml,
    /// JSON, also with comments and trailing commas.
    Json,
    /// JSON Lines.
    Jsonl,
    /// Markdown.
    Markdown,
}

impl Format {
    /// The format of a file, by the ending of its path.
    pub fn of(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "jsonl" => Some(Self::Jsonl),
            "md" => Some(Self::Markdown),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Json => "JSON",
            Self::Jsonl => "JSON Lines",
            Self::Markdown => "Markdown",
        })
    }
}

/// Why an edit could not be made; the file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("edit {path}: {fault}")]
pub struct EditError {
    /// The file.
    pub path: String,
    /// Why.
    #[source]
    pub fault: Fault,
}

/// What stands in the way of an edit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The ending of the path says no format.
    #[error("only files that end in .toml, .yaml, .yml, .json, .jsonl or .md can be edited")]
    Unsupported,
    /// The text is not what the ending says.
    #[error("line {line} is not {format}: {message}")]
    Parse {
        /// What it should be.
        format: Format,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// There is nothing at the path, or no such heading.
    #[error("there is no `{at}` in it")]
    NotFound {
        /// The dotted path as far as it was followed, or the heading.
        at: String,
    },
    /// Something else is there.
    #[error("`{at}` needs {wanted} but is {found}")]
    WrongType {
        /// The dotted path.
        at: String,
        /// What the edit needs.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The format, or the form in which the file is written, has no place for the change.
    #[error("`{at}` cannot be changed: {why}")]
    Unwritable {
        /// The dotted path.
        at: String,
        /// Why.
        why: String,
    },
    /// The changed text would not have held what the edit says: a case that this version cannot write.
    #[error("the changed file would not read back as intended, so it was left as it is")]
    Broken,
}

/// Makes one edit in the text of the file at `path`, whose ending says the format. Everything outside the edited place stays byte for byte;
/// the result was read again and holds what the edit says and nothing else new.
pub fn apply(path: &str, text: &str, edit: &Edit) -> Result<String, EditError> {
    let format = Format::of(path).ok_or(Fault::Unsupported);
    format
        .and_then(|format| apply_as(format, text, edit))
        .map_err(|fault| EditError {
            path: path.to_owned(),
            fault,
        })
}

/// What stands at the place that an edit would name: the value at a dotted path, the lines of a JSONL file, the bullets under a Markdown heading.
/// `None` where nothing does, or the file cannot be read.
pub fn held(path: &str, text: &str, at: &str) -> Option<Value> {
    let format = Format::of(path)?;
    let whole = read(format, text).ok()?;
    if format == Format::Markdown {
        return markdown::entries(&whole, at);
    }
    change::lookup(&whole, &change::parts(at)).cloned()
}

fn apply_as(format: Format, text: &str, edit: &Edit) -> Result<String, Fault> {
    let (splices, wanted) = plan(format, text, edit)?;
    let changed = splice(text, splices);
    if read(format, &changed).is_ok_and(|held| held == wanted) {
        Ok(changed)
    } else {
        Err(Fault::Broken)
    }
}

/// How the text must change, and what it must hold afterwards.
fn plan(format: Format, text: &str, edit: &Edit) -> Result<(Vec<Splice>, Value), Fault> {
    let by_value = |plan: fn(&str, &change::Change<'_>) -> Result<Vec<Splice>, Fault>| {
        let (change, wanted) = change::resolve(&read(format, text)?, edit)?;
        Ok((plan(text, &change)?, wanted))
    };
    match format {
        Format::Toml => by_value(toml::plan),
        Format::Yaml => by_value(yaml::plan),
        Format::Json => by_value(json::plan),
        Format::Jsonl => by_value(jsonl::plan),
        Format::Markdown => markdown::plan(text, edit),
    }
}

fn read(format: Format, text: &str) -> Result<Value, Fault> {
    match format {
        Format::Toml => toml::read(text),
        Format::Yaml => yaml::read(text),
        Format::Json => json::read(text),
        Format::Jsonl => jsonl::read(text),
        Format::Markdown => Ok(markdown::read(text)),
    }
}

#[cfg(test)]
mod tests;
