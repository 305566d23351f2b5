//! What readers carry from one part of a large file to the next: runs whose records stand apart, and names that depend on what came before.
//!
//! A run is finished when a part of the file brings nothing new of it. Its records are kept until then, so that the reader sees all of them
//! at once; what comes of it after that is left out with a warning. A file that is read as a whole is one part.

use super::promptfoo::{Naming, Traced};
use super::read::Warning;
use std::collections::BTreeSet;

/// How a reader tells which runs it may finish, and what it hands back.
#[derive(Default)]
pub(super) struct Window {
    /// The records from here on are new; those before were kept.
    pub(super) fresh: usize,
    /// Whether more may come.
    pub(super) more: bool,
    /// By index, the records that the reader needs to see again.
    pub(super) keep: BTreeSet<usize>,
    /// How promptfoo's runs are named.
    pub(super) naming: Option<Naming>,
    /// The spans beside promptfoo's rows, which stand in no part of the file.
    pub(super) traced: Option<Traced>,
    /// The runs that were finished, and those of them that were told of to have come again.
    done: BTreeSet<String>,
    told: BTreeSet<String>,
}

impl Window {
    /// Whether a run with these records must be kept open.
    pub(super) fn is_open(&self, records: &[usize]) -> bool {
        self.more && records.iter().any(|record| *record >= self.fresh)
    }

    /// Keeps the records of a run that is open.
    pub(super) fn keep(&mut self, records: &[usize]) {
        self.keep.extend(records);
    }

    /// Whether a run may be handed out now: not if it was before. New records of such a run are warned of.
    pub(super) fn finish(&mut self, run: &str, records: &[usize], warnings: &mut Vec<Warning>) -> bool {
        if self.done.insert(run.to_owned()) {
            return true;
        }
        if records.iter().any(|record| *record >= self.fresh) && self.told.insert(run.to_owned()) {
            let message =
                format!("a part of the run `{run}` stands too far from the rest of it in the file, and is left out");
            warnings.push(Warning::new("", message));
        }
        false
    }
}
