//! Edits of Markdown: a bullet under a heading.

use super::change::index;
use super::text::Splice;
use super::{Edit, Fault};
use serde_json::{Value, json};
use std::ops::Range;

/// What the text holds, as far as edits can change it: its sections with the entries of their lists.
pub(super) fn read(text: &str) -> Value {
    sections(text).iter().map(|section| json!({ "heading": section.heading, "entries": section.entries.iter().map(|entry| entry.text).collect::<Vec<_>>() })).collect()
}

/// How the text must change, and what it must hold afterwards.
pub(super) fn plan(text: &str, edit: &Edit) -> Result<(Vec<Splice>, Value), Fault> {
    let Edit::Append { at, value, position } = edit else {
        return Err(Fault::Unwritable {
            at: String::new(),
            why: "Markdown has no keys; only a list under a heading can grow".to_owned(),
        });
    };
    let Some(entry) = value.as_str().map(str::trim).filter(|entry| !entry.is_empty()) else {
        return Err(Fault::WrongType {
            at: at.clone(),
            wanted: "a text to add",
            found: super::change::type_name(value),
        });
    };
    let sections = sections(text);
    let found = sections.iter().position(|section| section.heading == wanted(at));
    let Some(number) = found else {
        return Err(Fault::NotFound { at: at.clone() });
    };
    let section = &sections[number];
    let index = index(*position, section.entries.len());
    let bullet = section.bullet(index, entry);
    let mut after = read(text);
    if let Value::Array(entries) = &mut after[number]["entries"] {
        entries.insert(index, Value::from(bullet.trim_end()));
    }
    Ok((vec![section.insert(text, index, &bullet)], after))
}

/// The bullets under a heading, of what [`read`] gives.
pub(super) fn entries(whole: &Value, at: &str) -> Option<Value> {
    let sections = whole.as_array()?;
    let section = sections.iter().find(|section| section["heading"] == wanted(at))?;
    Some(section["entries"].clone())
}

/// A heading as a person may write it, without its `#`.
fn wanted(at: &str) -> &str {
    at.trim().trim_start_matches('#').trim()
}

/// One heading with the text below it, up to the next heading. The first section has no heading: it is what stands above all.
struct Section<'t> {
    heading: &'t str,
    body: Range<usize>,
    /// The entries of its last list.
    entries: Vec<Entry<'t>>,
}

struct Entry<'t> {
    range: Range<usize>,
    text: &'t str,
}

impl Section<'_> {
    /// A new entry with the marker of its neighbours: `-`, `*`, `+`, or a number.
    fn bullet(&self, index: usize, entry: &str) -> String {
        let near = self
            .entries
            .get(index)
            .or(self.entries.last())
            .map_or("-", |entry| entry.text);
        let blanks = &near[..near.len() - near.trim_start().len()];
        let marker = near.trim_start().split(' ').next().unwrap_or("-");
        let digits = marker.len() - marker.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let marker = match marker[..digits].parse::<u64>() {
            Ok(number) => format!(
                "{}{}",
                number + u64::from(index == self.entries.len()),
                &marker[digits..]
            ),
            Err(_) => marker.to_owned(),
        };
        let next_lines = format!("\n{blanks}{}", " ".repeat(marker.len() + 1));
        let lines: Vec<&str> = entry
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        format!("{blanks}{marker} {}\n", lines.join(&next_lines))
    }

    fn insert(&self, text: &str, index: usize, bullet: &str) -> Splice {
        let airy = self
            .entries
            .windows(2)
            .any(|pair| text[pair[0].range.end..pair[1].range.start].contains('\n'));
        let gap = if airy { "\n" } else { "" };
        match (self.entries.get(index), self.entries.last()) {
            (Some(next), _) => Splice::lines(text, next.range.start, &format!("{bullet}{gap}")),
            (None, Some(last)) => Splice::lines(text, last.range.end, &format!("{gap}{bullet}")),
            (None, None) => {
                let body = &text[self.body.clone()];
                let end = self.body.start + body.trim_end().len();
                let end = if body.trim().is_empty() {
                    self.body.start
                } else {
                    super::text::next_line(text, end)
                };
                Splice::lines(text, end, &format!("{}{bullet}", if end == 0 { "" } else { "\n" }))
            }
        }
    }
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section {
        heading: "",
        body: 0..0,
        entries: Vec::new(),
    }];
    let mut fence: Option<&str> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        let fenced = fence.is_some();
        if let Some(mark) = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark))
        {
            fence = if fence == Some(mark) {
                None
            } else {
                fence.or(Some(mark))
            };
        }
        match heading(line).filter(|_| !fenced) {
            Some(heading) => sections.push(Section {
                heading,
                body: range.end..range.end,
                entries: Vec::new(),
            }),
            None => {
                if let Some(section) = sections.last_mut() {
                    section.body.end = range.end;
                    add_line(section, text, range, fenced || fence.is_some());
                }
            }
        }
    }
    sections
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && (rest.starts_with(' ') || rest.trim().is_empty()))
        .then(|| rest.trim().trim_end_matches('#').trim())
}

/// Takes a line into the list of its section: it begins an entry, belongs to the last one, or ends the list.
fn add_line<'t>(section: &mut Section<'t>, text: &'t str, range: Range<usize>, fenced: bool) {
    let line = &text[range.clone()];
    let blanks = line.len() - line.trim_start().len();
    let outer = section
        .entries
        .first()
        .map_or(blanks, |entry| entry.text.len() - entry.text.trim_start().len());
    let contiguous = |entries: &[Entry<'_>]| {
        entries
            .last()
            .is_some_and(|last| text[last.range.end..range.start].trim().is_empty())
    };
    let adjacent = section.entries.last().is_some_and(|last| last.range.end == range.start);
    if line.trim().is_empty() {
        return;
    }
    if !fenced && is_bullet(line) && blanks <= outer.max(1) {
        if !contiguous(&section.entries) {
            section.entries.clear();
        }
        section.entries.push(Entry {
            text: line.trim_end(),
            range,
        });
    } else if contiguous(&section.entries)
        && (adjacent || blanks > outer)
        && let Some(last) = section.entries.last_mut()
    {
        last.range.end = range.end;
        last.text = text[last.range.clone()].trim_end();
    }
}

fn is_bullet(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.len() - line.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let rest = &line[digits..];
    let marks: &[char] = if digits == 0 { &['-', '*', '+'] } else { &['.', ')'] };
    rest.strip_prefix(marks)
        .is_some_and(|rest| rest.starts_with([' ', '\t']))
}
