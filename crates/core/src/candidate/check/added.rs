//! The lines that a change adds, and the texts that something is looked for in: as they stand, and put together from pieces.

use crate::harness::Harness;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// A line of the new harness that the old one did not have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added<'a> {
    pub(super) path: &'a str,
    /// From 1.
    pub(super) line: usize,
    pub(super) text: &'a str,
}

impl Added<'_> {
    /// Whether the file is written for people, so that its words are words.
    pub(super) fn is_prose(&self) -> bool {
        is_prose(self.path)
    }
}

pub(super) fn is_prose(path: &str) -> bool {
    matches!(ending(path), "md" | "mdx" | "txt" | "rst" | "adoc" | "prompt")
}

/// Whether the file is written in a programming language.
pub(super) fn is_code(path: &str) -> bool {
    !is_prose(path)
        && !matches!(
            ending(path),
            "toml" | "yaml" | "yml" | "json" | "jsonl" | "ini" | "cfg" | "env" | "csv" | "xml"
        )
}

fn ending(path: &str) -> &str {
    path.rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .map_or("", |(_, ending)| ending)
}

/// All of them, in order of the paths and lines.
pub(super) fn lines<'a>(before: &'a Harness, after: &'a Harness) -> Vec<Added<'a>> {
    let mut added = Vec::new();
    for (path, new) in after.files() {
        let old = before.get(path).unwrap_or_default();
        if old == new {
            continue;
        }
        let diff = similar::TextDiff::from_lines(old, new);
        let inserted = diff
            .iter_all_changes()
            .filter(|change| change.tag() == similar::ChangeTag::Insert);
        let fresh: Vec<usize> = inserted.filter_map(|change| change.new_index()).collect();
        let lines: Vec<&'a str> = new.lines().collect();
        added.extend(fresh.into_iter().filter_map(|at| {
            Some(Added {
                path,
                line: at + 1,
                text: lines.get(at)?,
            })
        }));
    }
    added
}

/// A text made of pieces of lines, which remembers what came from where.
#[derive(Debug, Default)]
pub(super) struct Hay {
    text: String,
    /// Where the piece of each line begins.
    begins: Vec<usize>,
}

impl Hay {
    /// Puts together what `piece` makes of each line.
    pub(super) fn of(added: &[Added<'_>], piece: impl Fn(&str) -> String) -> Self {
        let mut hay = Self::default();
        for line in added {
            hay.begins.push(hay.text.len());
            hay.text.push_str(&piece(line.text));
        }
        hay
    }

    /// The index of the line in which a needle begins.
    pub(super) fn find(&self, needle: &str) -> Option<usize> {
        let at = self.text.find(needle)?;
        // Lines without a piece begin where the next one does; the last of these has the piece.
        Some(self.begins.partition_point(|begin| *begin <= at).saturating_sub(1))
    }
}

/// Letters and digits alone, in lower case.
pub(super) fn squashed(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// What stands between quotes, put together and [`squashed`].
pub(super) fn literals(text: &str) -> String {
    static QUOTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`"#).expect("it is a regex"));
    let inner = |found: Captures<'_>| {
        found
            .iter()
            .skip(1)
            .flatten()
            .map(|part| squashed(part.as_str()))
            .collect::<String>()
    };
    QUOTED.captures_iter(text).map(inner).collect()
}

/// What stands between quotes without its placeholders, and whole numbers outside of them, put together and [`squashed`]: the pieces of
/// `'id-%d' % 7`.
pub(super) fn spoken(text: &str) -> String {
    tokens(text).concat()
}

/// The quoted texts of a line without their placeholders, and its whole numbers, each [`squashed`].
pub(super) fn tokens(text: &str) -> Vec<String> {
    static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`|\b(\d+)\b"#).expect("it is a regex")
    });
    static PLACEHOLDER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"%[-+ 0-9.]*[sdrixX]|\$?\{\w*(?::[^{}]*)?\}").expect("it is a regex"));
    let inner = |found: Captures<'_>| {
        let part = found.iter().skip(1).flatten().next()?;
        Some(squashed(&PLACEHOLDER.replace_all(part.as_str(), "")))
    };
    TOKEN
        .captures_iter(text)
        .filter_map(inner)
        .filter(|token| !token.is_empty())
        .collect()
}

/// Escapes, character codes and letters of full width as the characters that they stand for.
pub(super) fn decoded(text: &str) -> String {
    static ESCAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\\x([0-9a-f]{2})|\\u\{?([0-9a-f]{4})\}?|%([0-9a-f]{2})|&#x([0-9a-f]{1,5});|\\([0-3][0-7]{2})|&#([0-9]{1,6});|\bchr\(([0-9]{1,6})\)|\bfromCharCode\(([0-9]{1,6})\)")
            .expect("it is a regex")
    });
    static CODES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:(?:0x[0-9a-f]{2}|\d{2,3})\s*,\s*){3,}(?:0x[0-9a-f]{2}|\d{2,3})\b").expect("it is a regex")
    });
    let escapes = ESCAPE.replace_all(text, |found: &Captures<'_>| {
        let code = (1..9).find_map(|at| {
            let digits = found.get(at)?.as_str();
            let radix = match at {
                1..5 => 16,
                5 => 8,
                _ => 10,
            };
            u32::from_str_radix(digits, radix).ok()
        });
        code.and_then(char::from_u32)
            .map_or_else(|| found[0].to_owned(), String::from)
    });
    let codes = CODES.replace_all(&escapes, |found: &Captures<'_>| {
        let code = |number: &str| match number.trim().to_lowercase().strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => number.trim().parse().ok(),
        };
        let letters: Option<String> = found[0]
            .split(',')
            .map(|number| code(number).filter(|code| (b' '..=b'~').contains(code)).map(char::from))
            .collect();
        letters.unwrap_or_else(|| found[0].to_owned())
    });
    codes.chars().map(narrow).collect()
}

/// A letter of full width as the one that it looks like.
fn narrow(letter: char) -> char {
    match u32::from(letter) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap_or(letter),
        _ => letter,
    }
}
