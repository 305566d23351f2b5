//! Signals: where evidence of a failure comes from. A labelled issue is read for everything it gives to work with: traces, links to
//! traces, names of tasks, and what a person tells.

mod blocks;
mod form;
mod label;
mod links;

pub use form::{Told, record_of_told};
pub use label::{LabelStanding, labelled_by_trusted};
pub use links::Place;

use crate::id::TaskId;
use crate::trace::read::{ReadTrace, read_any};
use serde::{Deserialize, Serialize};

/// What people wrote in a labelled issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text, Markdown.
    pub body: String,
    /// What people wrote below it; not what sprag or other machines did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Remark>,
}

/// A comment below an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Who wrote it.
    pub author_login: String,
    /// Whether what it says counts: its author opened the issue, or has triage rights.
    pub author_trusted: bool,
    /// Its text, Markdown.
    pub body: String,
}

/// Something in a report that leads to a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Clue {
    /// A recorded run in a fenced block.
    Trace(Box<ReadTrace>),
    /// A file that may hold traces.
    Attachment {
        /// Where it is.
        url: String,
        /// What it is called.
        name: String,
    },
    /// An artifact of a workflow run of this repository.
    Artifact {
        /// The run.
        run: u64,
        /// The artifact.
        id: u64,
    },
    /// A workflow run of this repository.
    WorkflowRun {
        /// Its id.
        id: u64,
    },
    /// The name of a task that the runner knows.
    Task(TaskId),
    /// What a person tells in the fields of the issue form.
    Told(Told),
    /// Something that looks like a trace and is none, as half a sentence.
    Unreadable(String),
}

impl Clue {
    /// The best first.
    fn worth(&self) -> u8 {
        match self {
            Self::Trace(_) => 0,
            Self::Attachment { .. } => 1,
            Self::Artifact { .. } => 2,
            Self::WorkflowRun { .. } => 3,
            Self::Task(_) => 4,
            Self::Told(_) => 5,
            Self::Unreadable(_) => 6,
        }
    }
}

/// Everything in a report that leads to a failure, the best first. `known` are the runner's train tasks; `place` is the repository, whose
/// links are followed.
pub fn clues(report: &Report, known: &[TaskId], place: Option<&Place>) -> Vec<Clue> {
    let counted = report.comments.iter().filter(|remark| remark.author_trusted);
    let texts = std::iter::once(report.body.as_str()).chain(counted.map(|remark| remark.body.as_str()));
    let mut found: Vec<Clue> = Vec::new();
    for text in texts {
        for block in blocks::fenced(text) {
            found.extend(traces(&block));
        }
        found.extend(links::find(text, place));
        found.extend(tasks(text, known));
    }
    found.extend(tasks(&report.title, known));
    found.extend(form::told(&report.body).map(Clue::Told));
    let mut clues: Vec<Clue> = Vec::new();
    for clue in found {
        if !clues.contains(&clue) {
            clues.push(clue);
        }
    }
    clues.sort_by_key(Clue::worth);
    clues
}

/// The traces in a fenced block; a block that begins like JSON and holds none is said to be unreadable.
fn traces(block: &str) -> Vec<Clue> {
    if !block.trim_start().starts_with(['{', '[']) {
        return Vec::new();
    }
    let (traces, warnings) = read_any("the fenced block", block.as_bytes());
    if traces.is_empty() {
        let why = warnings
            .first()
            .map(|warning| format!(" ({warning})"))
            .unwrap_or_default();
        return vec![Clue::Unreadable(format!(
            "the fenced block cannot be read as a trace{why}"
        ))];
    }
    traces.into_iter().map(|trace| Clue::Trace(Box::new(trace))).collect()
}

/// The tasks that a text names as whole words.
fn tasks(text: &str, known: &[TaskId]) -> Vec<Clue> {
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')))
        // A full stop ends a sentence, not a name.
        .flat_map(|word| [word, word.trim_end_matches('.')])
        .collect();
    let named = known.iter().filter(|task| words.contains(&task.as_str()));
    named.map(|task| Clue::Task(task.clone())).collect()
}

#[cfg(test)]
mod tests;
