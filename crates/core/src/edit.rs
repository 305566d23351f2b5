//! Edits of structured text files that keep comments, order and formatting.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// stub
#[derive(Debug)] pub struct EditError;
/// stub
pub fn apply(_: &str, t: &str, _: &Edit) -> Result<String, EditError> { Ok(t.to_owned()) }
