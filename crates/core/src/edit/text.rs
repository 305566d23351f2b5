//! Small changes of a text, and what its own style is.

use std::ops::Range;

/// One replaced range of bytes; an insertion where the range is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    /// What is replaced.
    pub(super) range: Range<usize>,
    /// What takes its place, with plain `\n` at line ends.
    pub(super) text: String,
}

impl Splice {
    /// An insertion at a byte.
    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self {
            range: at..at,
            text: text.into(),
        }
    }

    /// An insertion of whole lines at a byte that begins a line or ends the text; the line before is ended where it is not.
    pub(super) fn lines(text: &str, at: usize, lines: &str) -> Self {
        let open = at > 0 && !text[..at].ends_with('\n');
        Self::insert(at, format!("{}{lines}", if open { "\n" } else { "" }))
    }
}

/// The text with all splices done; new line ends are written as the text's own.
pub(super) fn splice(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.range.start);
    let crlf = text.contains("\r\n");
    let mut out = text.to_owned();
    for Splice { range, text: new } in splices.into_iter().rev() {
        out.replace_range(range, &if crlf { new.replace('\n', "\r\n") } else { new });
    }
    out
}

/// The line of a byte, from 1.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Where the line of a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line after that of a byte begins, or the end of the text.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// The blanks at the beginning of the line of a byte.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Where the comment lines that stand directly above the line of a byte begin; the start of that line when there are none.
pub(super) fn above_comments(text: &str, at: usize, comment: &str) -> usize {
    let mut start = line_start(text, at);
    while start > 0 {
        let above = line_start(text, start - 1);
        if !text[above..start].trim_start().starts_with(comment) {
            break;
        }
        start = above;
    }
    start
}

/// Whether a blank line stands directly above the line that begins at a byte.
pub(super) fn blank_above(text: &str, start: usize) -> bool {
    start > 0 && text[line_start(text, start - 1)..start].trim().is_empty()
}

/// One level of indentation: that of the first indented line, or `default`.
pub(super) fn unit<'t>(text: &'t str, default: &'t str) -> &'t str {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| &line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
        .find(|blanks| !blanks.is_empty())
        .unwrap_or(default)
}
