//! Lists and tables in brackets, which TOML, JSON and YAML write alike: where a new entry goes, with its comma, its line and its indentation.

use super::text::{Splice, above_comments, indent, line_start};
use std::ops::Range;

/// A list or table in brackets.
pub(super) struct Flow<'t> {
    /// The whole file.
    pub(super) text: &'t str,
    /// What is between the brackets.
    pub(super) inner: Range<usize>,
    /// The entries.
    pub(super) items: Vec<Range<usize>>,
    /// What begins a comment that runs to the end of the line.
    pub(super) comment: &'static str,
    /// How the first entry of an empty one is set.
    pub(super) first: First<'t>,
}

/// How the first entry of an empty list or table is set.
pub(super) enum First<'t> {
    /// On the same line, with this on both sides.
    SameLine(&'static str),
    /// On a line of its own, further in by this.
    OwnLine(&'t str),
}

impl Flow<'_> {
    /// Puts a new entry before the one at `index`, or last. `write` gives its text: for a line of its own with these blanks before it, or
    /// with `None` for a place among others on one line.
    pub(super) fn insert(&self, index: usize, write: impl Fn(Option<&str>) -> String) -> Vec<Splice> {
        let Some(first) = self.items.first() else {
            return vec![self.insert_first(write)];
        };
        let blanks = self.text[self.inner.start..first.start]
            .contains('\n')
            .then(|| indent(self.text, first.start));
        let new = write(blanks);
        match self.items.get(index) {
            Some(next) => vec![self.insert_before(next.start, blanks, &new)],
            None => self.insert_last(blanks, &new),
        }
    }

    fn insert_first(&self, write: impl Fn(Option<&str>) -> String) -> Splice {
        let inner = &self.text[self.inner.clone()];
        if inner.trim().is_empty() {
            let text = match self.first {
                First::SameLine(pad) => format!("{pad}{}{pad}", write(None)),
                First::OwnLine(unit) => {
                    let outer = indent(self.text, self.inner.start);
                    let blanks = format!("{outer}{unit}");
                    format!("\n{blanks}{}\n{outer}", write(Some(&blanks)))
                }
            };
            return Splice {
                range: self.inner.clone(),
                text,
            };
        }
        // Only comments in it: the entry goes below them.
        match inner.rfind('\n') {
            Some(newline) => {
                let blanks = inner
                    .lines()
                    .find(|line| line.trim_start().starts_with(self.comment))
                    .map_or("  ", |line| indent(line, 0));
                Splice::insert(
                    self.inner.start + newline + 1,
                    format!("{blanks}{}\n", write(Some(blanks))),
                )
            }
            None => Splice::insert(self.inner.end, format!(" {}", write(None))),
        }
    }

    fn insert_before(&self, next: usize, blanks: Option<&str>, new: &str) -> Splice {
        let begins_line = self.text[line_start(self.text, next)..next].trim().is_empty();
        match blanks.filter(|_| begins_line) {
            Some(blanks) => Splice::insert(
                above_comments(self.text, next, self.comment),
                format!("{blanks}{new},\n"),
            ),
            None => Splice::insert(next, format!("{new}, ")),
        }
    }

    fn insert_last(&self, blanks: Option<&str>, new: &str) -> Vec<Splice> {
        let last = self.items.last().map_or(self.inner.start, |item| item.end);
        let comma = self.comma_after(last);
        let from = comma.unwrap_or(last);
        let line_end = self.text[from..self.inner.end].find('\n').map(|newline| from + newline);
        // A carriage return belongs to the line end.
        let line_end = line_end.map(|end| if self.text[..end].ends_with('\r') { end - 1 } else { end });
        match (blanks, line_end, comma) {
            (Some(blanks), Some(end), Some(_)) => vec![Splice::insert(end, format!("\n{blanks}{new},"))],
            (Some(blanks), Some(end), None) => {
                let line = format!("\n{blanks}{new}");
                if end == last {
                    vec![Splice::insert(last, format!(",{line}"))]
                } else {
                    vec![Splice::insert(last, ","), Splice::insert(end, line)]
                }
            }
            (Some(blanks), None, Some(_)) => vec![Splice::insert(from, format!("\n{blanks}{new},"))],
            (Some(blanks), None, None) => vec![Splice::insert(last, format!(",\n{blanks}{new}"))],
            (None, _, Some(_)) => vec![Splice::insert(from, format!(" {new},"))],
            (None, _, None) => vec![Splice::insert(last, format!(", {new}"))],
        }
    }

    /// The byte after the comma that follows the last entry, past blanks and comments, if there is one.
    fn comma_after(&self, last: usize) -> Option<usize> {
        let mut at = last;
        loop {
            let rest = &self.text[at..self.inner.end];
            at += rest.len() - rest.trim_start().len();
            let rest = rest.trim_start();
            if rest.starts_with(',') {
                return Some(at + 1);
            } else if rest.starts_with(self.comment) {
                at += rest.find('\n')?;
            } else if self.comment == "//" && rest.starts_with("/*") {
                at += rest.find("*/")? + 2;
            } else {
                return None;
            }
        }
    }
}
