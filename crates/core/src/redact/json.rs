//! JSON inside a text: its strings are redacted as what they say, and it stays JSON.

use serde::de::IgnoredAny;
use serde_json::Deserializer;
use std::ops::Range;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: Range<usize>,
    /// Whether it is a whole object or array.
    pub(super) json: bool,
}

/// The objects and arrays in a text, and what lies between them. No byte is tried twice: after one that breaks off, looking goes on where it broke.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(next) = text[at..].find(['{', '[']) {
        let start = at + next;
        let follows = bytes[start + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
        let begins = match bytes[start] {
            b'{' => matches!(follows, Some(b'"' | b'}')),
            _ => follows.is_some_and(|byte| b"[]{\"-tfn".contains(byte) || byte.is_ascii_digit()),
        };
        if !begins {
            at = start + 1;
            continue;
        }
        let mut values = Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => {
                let end = start + values.byte_offset();
                pieces.extend((done < start).then_some(Piece {
                    at: done..start,
                    json: false,
                }));
                pieces.push(Piece {
                    at: start..end,
                    json: true,
                });
                (done, at) = (end, end);
            }
            Some(Err(error)) => at = (start + 1).max(start + offset(&bytes[start..], error.line(), error.column())),
            None => at = start + 1,
        }
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    pieces.extend((done < text.len()).then_some(Piece {
        at: done..text.len(),
        json: false,
    }));
    pieces
}

/// Where a line and a column are.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let mut ends = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    let start = line
        .checked_sub(2)
        .map_or(0, |before| ends.nth(before).unwrap_or(bytes.len()));
    (start + column.saturating_sub(1)).min(bytes.len())
}

/// An object or array whose strings and whole numbers have been through `redact`, which gets the key a value stands under; `None` when
/// nothing changed. What does not change stays to the byte.
pub(super) fn rewrite(json: &str, redact: &mut impl FnMut(Option<&str>, &str) -> Option<String>) -> Option<String> {
    let bytes = json.as_bytes();
    let mut out = String::new();
    let (mut done, mut at) = (0, 0);
    let mut key: Option<String> = None;
    while at < bytes.len() {
        let start = at;
        let replaced = match bytes[at] {
            b'"' => {
                at = end_of_string(bytes, at);
                let literal = &json[start..at];
                let is_key = bytes[at..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                let said = serde_json::from_str::<String>(literal);
                let redacted = match &said {
                    Ok(said) => redact(key.as_deref(), said).map(|new| quoted(&new)),
                    // Half a surrogate pair: no text, but letters all the same.
                    Err(_) => redact(None, &literal[1..literal.len() - 1]).map(|new| format!("\"{new}\"")),
                };
                key = said.ok().filter(|_| is_key);
                redacted
            }
            b'0'..=b'9' | b'-' => {
                at += bytes[at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                    .count();
                let number = &json[start..at];
                let whole = number.bytes().all(|byte| byte.is_ascii_digit());
                let redacted = whole.then(|| redact(key.as_deref(), number)).flatten();
                key = None;
                redacted.map(|new| quoted(&new))
            }
            byte => {
                at += 1;
                if matches!(byte, b',' | b'{' | b'[' | b'}' | b']') {
                    key = None;
                }
                None
            }
        };
        if let Some(replaced) = replaced {
            out.push_str(&json[done..start]);
            out.push_str(&replaced);
            done = at;
        }
    }
    (done > 0).then(|| out + &json[done..])
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The end of the string literal that begins at a quote.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}
