//! The places in files that the remarks of a check run point at.

use crate::case::EvalCase;
use crate::id::TaskId;
use crate::score::Scorecard;

/// Lines of the new file that a diff adds, or the place where it removes some.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file.
    pub(super) path: String,
    /// From 1.
    pub(super) start: u32,
    /// See `start`.
    pub(super) end: u32,
}

/// The files of the cases that broke.
pub(super) fn broken_places(card: &Scorecard) -> Vec<Place> {
    let cases = card
        .broken_tasks
        .iter()
        .map(|task| EvalCase::id_of(&TaskId::new(task.clone())));
    cases
        .map(|case| Place {
            path: EvalCase::file_of(&case),
            start: 1,
            end: 1,
        })
        .collect()
}

/// One place a hunk of a unified diff: its first to its last added line.
pub(super) fn changed_places(diff: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut path: Option<String> = None;
    let mut next = 1;
    let mut left = (0, 0);
    let mut added: Option<(u32, u32)> = None;
    for line in diff.lines() {
        let inside = left != (0, 0);
        match line.as_bytes().first() {
            Some(b'+') if inside => {
                added = Some(added.map_or((next, next), |(start, _)| (start, next)));
                next += 1;
                left.1 = u32::saturating_sub(left.1, 1);
            }
            Some(b'-') if inside => left.0 = u32::saturating_sub(left.0, 1),
            Some(b' ') | None if inside => {
                next += 1;
                left = (u32::saturating_sub(left.0, 1), u32::saturating_sub(left.1, 1));
            }
            _ => {}
        }
        if inside && left == (0, 0) {
            let (start, end) = added
                .take()
                .unwrap_or((next.saturating_sub(1).max(1), next.saturating_sub(1).max(1)));
            places.extend(path.clone().map(|path| Place { path, start, end }));
        } else if !inside && let Some(name) = line.strip_prefix("+++ ") {
            path = name.strip_prefix("b/").map(str::to_owned);
        } else if !inside && let Some((old, new)) = hunk(line) {
            next = new.0.max(1);
            left = (old.1, new.1);
        }
    }
    places
}

/// Start and length of both sides of `@@ -a,b +c,d @@`.
fn hunk(line: &str) -> Option<((u32, u32), (u32, u32))> {
    let mut parts = line.strip_prefix("@@ -")?.split(' ');
    let old = range(parts.next()?)?;
    let new = range(parts.next()?.strip_prefix('+')?)?;
    Some((old, new))
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (start, length) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.parse().ok()?, length.parse().ok()?))
}
