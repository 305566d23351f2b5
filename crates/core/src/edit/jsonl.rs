//! Edits of JSON Lines: the file is one list, a line an entry.

use super::change::Change;
use super::json::Style;
use super::text::{Splice, next_line};
use super::{Fault, Format};
use serde_json::Value;

/// What the text holds: a list.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Fault::Parse {
            format: Format::Jsonl,
            line: index + 1,
            message: error.to_string(),
        })
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(Value::Array(lines.map(parse).collect::<Result<_, _>>()?))
}

/// How the text must change.
pub(super) fn plan(text: &str, change: &Change<'_>) -> Result<Vec<Splice>, Fault> {
    match change {
        Change::Insert { list, index, value } if list.is_empty() => {
            let starts = entries(text);
            let after_last = starts.last().map_or(0, |last| next_line(text, *last));
            let at = starts.get(*index).copied().unwrap_or(after_last);
            Ok(vec![Splice::lines(
                text,
                at,
                &format!("{}\n", Style::of(text).compact(value)),
            )])
        }
        Change::Insert { list: at, .. } | Change::Replace { at, .. } | Change::Add { table: at, .. } => {
            Err(Fault::Unwritable {
                at: at.join("."),
                why: "a JSONL file takes only new lines".to_owned(),
            })
        }
    }
}

/// Where the lines that are not blank begin.
fn entries(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            starts.push(at);
        }
        at += line.len();
    }
    starts
}
