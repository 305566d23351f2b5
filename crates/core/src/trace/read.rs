//! Reading trace files: what format a file has, and what every reader hands back.

use super::document::{self, Document};
use super::folder::Piece;
use super::window::Window;
use super::{Role, Step, Trace, format, junit, mapped};
use crate::config::Mapping;
use crate::failure::FailureKind;
use crate::id::TaskId;
use std::borrow::Cow;
use std::fmt;

pub use super::folder::Folder;
pub use super::format::Format;

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
    let content = content(name, bytes, None, &mut warnings);
    (content.alone(&mut warnings), warnings)
}

/// Reads a trace file of a format that somebody names.
pub fn read_as(format: Format, name: &str, bytes: &[u8]) -> (Vec<ReadTrace>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let content = content(name, bytes, Some(format), &mut warnings);
    (content.alone(&mut warnings), warnings)
}

/// Reads a file whose records have the keys that `[signals.mapping]` names; a file that has none of them is read by its own format.
pub fn read_mapped(mapping: &Mapping, name: &str, bytes: &[u8]) -> (Vec<ReadTrace>, Vec<Warning>) {
    let mut warnings = Vec::new();
    match mapped::read(mapping, bytes, &mut warnings) {
        Some(traces) => (traces, warnings),
        None => read_any(name, bytes),
    }
}

/// What one file gives: runs, or a piece of a run whose other pieces are other files.
#[derive(Default)]
pub(super) struct Content {
    pub(super) traces: Vec<ReadTrace>,
    pub(super) piece: Option<Piece>,
    /// Whether the file has a format that sprag knows.
    pub(super) known: bool,
}

impl Content {
    /// The runs when there are no other files.
    pub(super) fn alone(self, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
        let mut traces = self.traces;
        traces.extend(self.piece.and_then(|piece| piece.alone(warnings)));
        traces
    }
}

pub(super) fn content(name: &str, bytes: &[u8], format: Option<Format>, warnings: &mut Vec<Warning>) -> Content {
    let text = decoded(bytes, warnings);
    if text.trim().is_empty() {
        warnings.push(Warning::new(name, "the file is empty"));
        return Content::default();
    }
    let is_xml = format.map_or_else(|| junit::recognises(&text), |format| format == Format::Junit);
    if is_xml {
        return Content {
            traces: junit::read(&text, warnings),
            piece: None,
            known: true,
        };
    }
    let text = document::as_json(&text);
    let document = Document::read(&text, warnings);
    let Some(format) = format.or_else(|| format::of(&document)) else {
        warnings.push(Warning::new(name, UNKNOWN));
        return Content::default();
    };
    Content {
        known: true,
        ..format.read(&document, &mut Window::default(), warnings)
    }
}

/// A run of which only the steps are known.
pub(super) fn of_steps(source: String, steps: Vec<Step>) -> ReadTrace {
    ReadTrace {
        source,
        task: unnamed_task(&steps),
        trial: 0,
        passed: None,
        score: None,
        kind_hint: None,
        trace: Trace {
            steps,
            ..Trace::default()
        },
    }
}

/// The same where nothing names the run; `kind` begins its name.
pub(crate) fn of_unnamed_steps(kind: &str, steps: Vec<Step>) -> ReadTrace {
    let mut run = of_steps(String::new(), steps);
    run.source = format!("{kind}:{}", crate::hash::of_trace(&run.trace));
    run
}

/// A name for a task that nobody named: runs that begin with the same request are of the same task.
pub(super) fn unnamed_task(steps: &[Step]) -> TaskId {
    let asked = steps
        .iter()
        .find(|step| step.role == Role::User && !step.content.trim().is_empty());
    let hash = match asked {
        Some(step) => crate::hash::of_text(&step.content),
        None => crate::hash::of(&steps),
    };
    TaskId::new(format!("trace-{}", &hash[..12]))
}

pub(super) const UNKNOWN: &str = "not a format that sprag knows (docs/formats.md lists them)";

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
#[cfg(test)]
mod traps;
