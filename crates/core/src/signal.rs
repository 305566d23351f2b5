//! Signals: where evidence of a failure comes from. A labelled issue is read for everything it gives to work with: traces, links to
//! traces, names of tasks, and what a person tells.

mod blocks;
mod form;
mod label;
mod links;
mod pasted;

pub use form::{Told, record_of_told, told};
pub use label::{LabelStanding, labelled_by_trusted, same_label};
pub use links::Place;

use crate::id::TaskId;
use crate::severity::Severity;
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
    /// How bad its labels say it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Severity>,
}

impl Report {
    /// How bad its labels or its form say it is: the worse of both.
    pub fn severity(&self) -> Option<Severity> {
        self.impact.max(form::impact(&self.body))
    }
}

/// A comment below an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Who wrote it.
    pub author_login: String,
    /// Whether what it says counts: its author opened the issue, or has triage rights.
    pub author_trusted: bool,
    /// When, RFC 3339.
    pub at: String,
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

/// A clue, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead<'a> {
    /// What it is.
    pub clue: Clue,
    /// When the comment that gives it was written, RFC 3339; `None` where the issue itself gives it.
    pub told_at: Option<&'a str>,
}

/// Everything in a report that leads to a failure, the best first; what is there twice counts where it came first. `known` are the runner's
/// train tasks; `place` is the repository, whose links are followed.
pub fn leads<'a>(report: &'a Report, known: &[TaskId], place: Option<&Place>) -> Vec<Lead<'a>> {
    let mut leads: Vec<Lead<'a>> = Vec::new();
    let mut add = |clues: Vec<Clue>, told_at: Option<&'a str>| {
        for clue in clues {
            if leads.iter().all(|lead| lead.clue != clue) {
                leads.push(Lead { clue, told_at });
            }
        }
    };
    add(clues_of(&report.body, known, place), None);
    add(tasks(&report.title, known), None);
    add(told(&report.body).map(Clue::Told).into_iter().collect(), None);
    for remark in report.comments.iter().filter(|remark| remark.author_trusted) {
        add(clues_of(&remark.body, known, place), Some(&remark.at));
    }
    leads.sort_by_key(|lead| lead.clue.worth());
    leads
}

fn clues_of(text: &str, known: &[TaskId], place: Option<&Place>) -> Vec<Clue> {
    let mut clues: Vec<Clue> = blocks::fenced(text).iter().flat_map(|block| traces(block)).collect();
    clues.extend(links::find(text, place));
    clues.extend(tasks(text, known));
    clues
}

/// The traces in a fenced block, or the chat; a block that begins like JSON and holds none is said to be unreadable.
fn traces(block: &str) -> Vec<Clue> {
    if let Some(chat) = pasted::read(block) {
        return vec![Clue::Trace(Box::new(chat))];
    }
    let start = block.trim_start();
    if !start.starts_with(['{', '[']) && !start.starts_with("<testsuite") && !start.starts_with("<?xml") {
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
