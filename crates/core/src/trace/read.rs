//! Reading trace files: what format a file has, and what every reader hands back.

use super::json::{self, Document};
use super::{Trace, tau2, worker};
use crate::failure::FailureKind;
use crate::id::TaskId;
use std::borrow::Cow;
use std::fmt;

/// One run that was read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadTrace {
    /// Names the run by what it is and not by the file it stands in, so that the same run read twice has the same name.
    pub source: String,
    /// What the agent was to do.
    pub task: TaskId,
    /// Which repetition.
    pub trial: u32,
    /// The verdict; `None` where nobody judged.
    pub passed: Option<bool>,
    /// From 0 to 1; `None` where nobody judged.
    pub score: Option<f64>,
    /// Whose fault it is, where the file itself says so.
    pub kind_hint: Option<FailureKind>,
    /// What happened.
    pub trace: Trace,
}

/// Something in a file that could not be used. Never an error: the rest of the file is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where: a JSON path such as `simulations[3].messages[7]`, a byte such as `byte 1024`, a line such as `line 4`.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

impl Warning {
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Reads a trace file of any format that sprag knows (`docs/formats.md`), found out from its content.
/// `name` is what people call the file; it is only used in warnings.
pub fn read_any(name: &str, bytes: &[u8]) -> (Vec<ReadTrace>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let text = decoded(bytes, &mut warnings);
    let traces = match format_of(&text) {
        Some(Format::Tau) => tau2::read_text(&text, &mut warnings),
        Some(Format::Worker) => worker::read_text(&text, &mut warnings),
        Some(Format::Lines) => worker::read_lines(&text, &mut warnings),
        None if text.trim().is_empty() => {
            warnings.push(Warning::new(name, "the file is empty"));
            Vec::new()
        }
        None => {
            Document::read(&text, &[], &mut warnings);
            warnings.push(Warning::new(name, UNKNOWN));
            Vec::new()
        }
    };
    (traces, warnings)
}

const UNKNOWN: &str = "not a format that sprag knows; it reads tau2 result files, tau-bench lists and traces of a worker (docs/formats.md)";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tau,
    Worker,
    Lines,
}

fn format_of(text: &str) -> Option<Format> {
    let text = text.trim();
    let first_line = text.lines().next().unwrap_or_default();
    if first_line.len() < text.len() && first_line.starts_with('{') && json::is_one_value(first_line) {
        return Some(Format::Lines);
    }
    let document = Document::read(text, &["simulations"], &mut Vec::new());
    if tau2::recognises(&document) {
        return Some(Format::Tau);
    }
    let listed = document
        .items("")
        .into_iter()
        .find_map(|item| item.object(&mut Vec::new()));
    let object = listed.unwrap_or_else(|| document.into_object());
    (object.has("steps") || object.has("trace")).then_some(Format::Worker)
}

/// The text of a file; bytes that are not UTF-8 are reported and replaced.
pub(super) fn decoded<'a>(bytes: &'a [u8], warnings: &mut Vec<Warning>) -> Cow<'a, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let place = format!("byte {}", error.valid_up_to());
            warnings.push(Warning::new(
                place,
                "not UTF-8 from here on; the bytes that are none are replaced",
            ));
            String::from_utf8_lossy(bytes)
        }
    }
}

#[cfg(test)]
mod tests;
