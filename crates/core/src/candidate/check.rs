//! What no candidate may do, whoever made it: checked on the harness that it would give, before anything is measured.
//!
//! A finding makes the candidate invalid, and shows the line. What counts, and what does not so that honest changes pass, is in
//! `docs/proposers.md`.

mod added;
mod guarded;
mod settings;
mod shuffled;
mod spelling;
mod surroundings;
mod tree;

pub use guarded::Guarded;
pub use tree::{TreeChange, tree_objection};

use crate::harness::{FileChange, Harness, PathPolicy};
use crate::mine::text::shortened;
use added::Added;
use std::collections::BTreeMap;

/// Stands in an objection about a held-out task, whose line is not shown: it would tell which task it is.
pub const HELD_OUT: &str = "a held-out task";

/// The most files that a candidate may change.
const FILES: usize = 50;
/// The largest file, in bytes.
const FILE: usize = 256 * 1024;
/// The most bytes of all new texts.
const TOTAL: usize = 1024 * 1024;

/// Where a candidate breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    path: String,
    /// From 1; 0 for what is no line of the new text.
    line: usize,
    /// The line itself.
    text: String,
    /// What it does, as the end of a sentence.
    what: String,
}

impl Hit {
    fn at(added: &Added<'_>, what: String) -> Self {
        Self {
            path: added.path.to_owned(),
            line: added.line,
            text: added.text.to_owned(),
            what,
        }
    }

    fn told(&self) -> String {
        let path = shortened(&self.path, 200);
        let text = shortened(&self.text, 160).replace('`', "'");
        match self.line {
            0 => format!("{path}: {}: `{text}`", self.what),
            line => format!("{path}:{line}: {}: `{text}`", self.what),
        }
    }
}

/// Why a change is invalid, as a sentence for a person that shows the line; `None` when it may be measured.
pub fn objection(before: &Harness, changes: &[FileChange], policy: &PathPolicy, guarded: &Guarded) -> Option<String> {
    if let Some(outside) = changes.iter().find(|change| !policy.allows(&change.path)) {
        return Some(format!(
            "{}: is no part of the harness and may not be changed",
            shortened(&outside.path, 200)
        ));
    }
    if let Some(problem) = too_large(changes) {
        return Some(problem);
    }
    let after = before.with(changes);
    if let Some(problem) = collision(&after) {
        return Some(problem);
    }
    let added = added::lines(before, &after);
    settings::hit(before, &after, &added)
        .or_else(|| surroundings::hit(before, &added, policy))
        .or_else(|| guarded.hit(before, &added))
        .map(|hit| hit.told())
}

/// Whether a change names one of some ids, which it is not told, in any of the ways that [`objection`] looks for.
pub fn names_any<'a>(before: &Harness, changes: &[FileChange], ids: impl IntoIterator<Item = &'a str>) -> bool {
    let guarded = Guarded::of_ids(ids);
    guarded
        .hit(before, &added::lines(before, &before.with(changes)))
        .is_some()
}

fn too_large(changes: &[FileChange]) -> Option<String> {
    if changes.len() > FILES {
        return Some(format!("changes {} files, and {FILES} are allowed", changes.len()));
    }
    let size = |change: &FileChange| change.text.as_ref().map_or(0, String::len);
    if let Some(large) = changes.iter().find(|change| size(change) > FILE) {
        let (path, has) = (shortened(&large.path, 200), size(large) / 1024);
        return Some(format!("{path}: has {has} KiB, and {} are allowed", FILE / 1024));
    }
    let total: usize = changes.iter().map(size).sum();
    (total > TOTAL).then(|| format!("has {} KiB of new text, and {} are allowed", total / 1024, TOTAL / 1024))
}

/// Two files that some file systems take for one, or a file in the place of a folder.
fn collision(after: &Harness) -> Option<String> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (path, _) in after.files() {
        if let Some(other) = seen.insert(path.to_lowercase(), path) {
            let paths = (shortened(other, 200), shortened(path, 200));
            return Some(format!(
                "{} and {} are one file where case does not count",
                paths.0, paths.1
            ));
        }
    }
    let folder = |path: &str| {
        path.match_indices('/')
            .map(|(at, _)| path[..at].to_lowercase())
            .find(|folder| seen.contains_key(folder))
    };
    let (path, folder) = after.files().find_map(|(path, _)| Some((path, folder(path)?)))?;
    Some(format!(
        "{}: {} is a file",
        shortened(path, 200),
        shortened(&folder, 200)
    ))
}

#[cfg(test)]
mod tests;
