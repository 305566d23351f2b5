//! The one place that makes untrusted text safe in Markdown: issue text, trace quotes, tool output, words of a model.
//!
//! What is published must be inert on GitHub: no markup, no mention, no reference, no link, no closing keyword, nothing invisible.
//! GitHub looks for mentions and references in the *rendered* text, so an HTML entity for `@` does not help; it leaves code alone,
//! so that is where they go. Closing keywords are broken up everywhere, also in code, because a squash merge can copy the text
//! into a commit message, where there is no code.

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;

/// Characters of a text that GitHub takes at most.
pub const LONGEST: usize = 65_535;
/// Characters of a title that GitHub takes at most.
pub const LONGEST_TITLE: usize = 256;
/// What stands at the end of a text that was cut.
const CUT: &str = "\n(cut: too long)\n";

/// Markdown that may be published. Only this folder makes it, so whatever is published went through here, and it is never longer than GitHub
/// takes. Where it was kept as text, it is read back as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Markdown(String);

impl Markdown {
    /// Of a text whose foreign parts went through [`escape`] and its like.
    pub(super) fn new(text: String) -> Self {
        Self(within(text, LONGEST))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Markdown {
    fn deserialize<D: Deserializer<'de>>(kept: D) -> Result<Self, D::Error> {
        Ok(Self::new(String::deserialize(kept)?))
    }
}

impl Deref for Markdown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Markdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

static ANSI: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))"));
static CLOSING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?)(\s*:?\s*)(#\d|GH-\d|[\w.-]+/[\w.-]+#\d|https?://\S+?/(?:issues|pull|discussions)/\d)",
    )
});
static SKIP_CI: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\[(skip ci|ci skip|no ci|skip actions|actions skip)\]|skip-checks:\s*true"));
/// What belongs in a code span: what the text itself put there, names with underscores, and what GitHub would turn into a link or a
/// notification: addresses, mentions of people and teams, references to issues and commits.
static LIVE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:`[^`|]+`|(?:https?|ftp)://[^\s|<>`]+|www\.[^\s|<>`]+|(?:mailto|xmpp):[^\s|<>`]+|[\w./+-]*@\w[\w./-]*|[\w./-]*#\d+|\w*GH-\d+|[[:alnum:]][\w.]*_[\w.]*[[:alnum:]])+",
    )
});
/// What an address begins with, up to where a space makes it none.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)(?:https?|ftp):/|\bwww\.|(?:mailto|xmpp):|\bGH-"));
static SLASH_COMMAND: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^/([A-Za-z])"));
static ORDERED_ITEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\d{1,9})([.)])"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns of this module are valid")
}

/// Text without what a reader cannot see: control characters, terminal colours, bidirectional overrides, zero-width and tag
/// characters. Line breaks become `\n`. Doing it twice changes nothing.
pub fn visible(text: &str) -> String {
    let text = ANSI.replace_all(text, "").replace("\r\n", "\n");
    text.chars()
        .filter_map(|character| match character {
            '\n' | '\t' => Some(character),
            '\r' | '\u{2028}' | '\u{2029}' => Some('\n'),
            hidden if is_hidden(hidden) => None,
            shown => Some(shown),
        })
        .collect()
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Visible text in which no closing keyword and no word that skips CI is left. `fixes #1` reads `fixes issue #1`.
fn inert(text: &str) -> String {
    let text = visible(text);
    let text = CLOSING.replace_all(&text, |found: &regex::Captures<'_>| {
        let space = if found[2].ends_with(char::is_whitespace) {
            ""
        } else {
            " "
        };
        format!("{}{}{space}issue {}", &found[1], &found[2], &found[3])
    });
    SKIP_CI
        .replace_all(&text, |found: &regex::Captures<'_>| found[0].replace([' ', ':'], "-"))
        .into_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Untrusted text as one line of Markdown prose, also inside a table cell. It looks like the text and is nothing but text;
/// names, mentions, references and addresses stand in code spans.
pub fn escape(text: &str) -> String {
    let text = one_line(&inert(text));
    let mut out = String::with_capacity(text.len() + 16);
    let mut end = 0;
    for live in LIVE.find_iter(&text) {
        escape_punctuation(&text[end..live.start()], &mut out);
        out.push_str(&code_span(unquoted(live.as_str())));
        end = live.end();
    }
    escape_punctuation(&text[end..], &mut out);
    escape_start(out)
}

/// The inside of a code span that the text brought along.
fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix('`'))
        .filter(|inner| !inner.contains('`'));
    inner.map(str::trim).filter(|inner| !inner.is_empty()).unwrap_or(text)
}

fn escape_punctuation(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' | '#' => out.extend(['\\', character]),
            plain => out.push(plain),
        }
    }
}

/// Lists, headings, rules and the commands of other bots begin a line.
fn escape_start(text: String) -> String {
    if text.starts_with(['-', '+', '=', '/']) {
        return format!("\\{text}");
    }
    match ORDERED_ITEM.replace(&text, r"$1\$2") {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(escaped) => escaped,
    }
}

/// Untrusted text as a code span on one line; `(empty)` when nothing is left of it. Not for table cells: see [`cell_code`].
pub fn inline_code(text: &str) -> String {
    let text = one_line(&inert(text));
    if text.is_empty() {
        "(empty)".to_owned()
    } else {
        code_span(&text)
    }
}

/// Like [`inline_code`], for a table cell, where a `|` would end even a code span.
pub fn cell_code(text: &str) -> String {
    if text.contains('|') {
        escape(text)
    } else {
        inline_code(text)
    }
}

fn code_span(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Untrusted text as a fenced block that its content cannot leave, ending with a line break. `info` names the language.
pub fn fence(text: &str, info: &str) -> String {
    let text = inert(text);
    let text = SLASH_COMMAND.replace_all(&text, " /$1");
    let ticks = "`".repeat(longest_run(&text, '`').max(2) + 1);
    let info: String = info
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '-')
        .collect();
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{ticks}{info}\n{text}{end}{ticks}\n")
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|character| character != wanted)
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// Untrusted text as a line of plain text, for titles, which are not Markdown but can become commit messages.
pub fn plain(text: &str) -> String {
    let text = one_line(&inert(text));
    let text = LIVE.replace_all(&text, |found: &regex::Captures<'_>| {
        let broken = [('@', "@ "), ('#', "# ")];
        let broken = broken
            .iter()
            .fold(found[0].to_owned(), |text, (from, to)| text.replace(*from, to));
        ADDRESS.replace_all(&broken, "$0 ").into_owned()
    });
    truncate(&one_line(&text), LONGEST_TITLE)
}

/// At most `chars` characters; what is cut ends in `…`. Cut before escaping, not after.
pub fn truncate(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let Some(kept) = chars.checked_sub(1) else {
        return String::new();
    };
    let head: String = text.chars().take(kept).collect();
    format!("{}…", head.trim_end())
}

/// A hidden marker by which sprag finds its own text again: `<!-- sprag:pull cluster=c1 experiment=E007 -->`.
pub fn marker(what: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!(" {name}={}", marker_value(value)))
        .collect();
    format!("<!-- sprag:{what}{fields} -->")
}

/// A comment ends at `-->`, so nothing but letters, digits, dots and single dashes is let in.
fn marker_value(value: &str) -> String {
    let safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_');
    let parts: Vec<&str> = value
        .split(|character| !safe(character))
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("-")
}

/// Whether a text is one of sprag's own: it has a hidden marker.
pub fn is_ours(text: &str) -> bool {
    text.contains("<!-- sprag:")
}

/// At most so many characters of a whole text, cut at the end of a line; what is open there is closed. The parts of a text are bounded, so this
/// cuts only what nobody foresaw.
pub(super) fn within(text: String, most: usize) -> String {
    if text.len() <= most || text.chars().count() <= most {
        return text;
    }
    let mut room = most.saturating_sub(CUT.len());
    loop {
        let end = text.char_indices().nth(room).map_or(text.len(), |(end, _)| end);
        let kept = &text[..text[..end].rfind('\n').map_or(0, |end| end + 1)];
        let closing = closing(kept);
        if kept.chars().count() + closing.len() + CUT.len() <= most || room == 0 {
            return format!("{kept}{closing}{CUT}");
        }
        room = room.saturating_sub(closing.len());
    }
}

/// What closes the fence and the folded parts that are open at the end of a text, which ends with a line break or is empty.
fn closing(text: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut folded = 0_usize;
    for line in text.lines().map(str::trim) {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if ticks.len() >= open.len() && ticks == line => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                folded += line.matches("<details").count();
                folded = folded.saturating_sub(line.matches("</details>").count());
            }
        }
    }
    let fence = fence.map_or_else(String::new, |ticks| format!("{ticks}\n"));
    fence + &"\n</details>\n".repeat(folded)
}

#[cfg(test)]
mod tests;
