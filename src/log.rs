//! What sprag writes for people on stdout and stderr, so that no word of it commands the runner of GitHub Actions.
//!
//! The runner reads commands out of a job's log: lines that begin with `::name`, and `##[name]` anywhere. What is logged can quote a worker, a
//! model or an issue, so such marks are taken apart in all that is logged, but for the few commands that sprag gives itself.

use std::borrow::Cow;
use std::io::{self, Write};

/// The text with every mark of a command taken apart. Doing it twice changes nothing.
pub fn defused(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    // Whatever a reader may take for the end of a line is one.
    for line in text.split_inclusive(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']) {
        let begins = line.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || is_unseen(c));
        let begins = after_colours(begins);
        if let Some(rest) = begins.strip_prefix("::") {
            out.push_str(&line[..line.len() - begins.len()]);
            out.push_str(": :");
            out.push_str(rest);
        } else {
            out.push_str(line);
        }
    }
    // In a JSON text this is still the same string.
    Cow::Owned(if out.trim_start().starts_with('{') {
        out.replace("##[", "#\\u0023[")
    } else {
        out.replace("##[", "# #[")
    })
}

/// What a terminal does not show and some readers drop.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

/// The text behind colours that a terminal obeys.
fn after_colours(text: &str) -> &str {
    let mut text = text;
    while let Some(rest) = text.strip_prefix('[')
        && let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic())
        && rest[..end].chars().all(|c| c.is_ascii_digit() || c == ';')
    {
        text = rest[end + 1..].trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    }
    text
}

/// stderr, where everything that is written is [`defused`]. One write is one text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(defused(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_taken_apart_where_the_runner_looks_for_them() {
        assert_eq!(defused("::error::x\n  ::group::y"), ": :error::x\n  : :group::y");
        assert_eq!(defused("a ##[group]b"), "a # #[group]b");
        assert_eq!(
            defused("a std::fmt b ::c"),
            "a std::fmt b ::c",
            "elsewhere it is no mark"
        );
        let json = serde_json::json!({"a": "##[group]x"});
        let told = defused(&json.to_string()).into_owned();
        assert!(!told.contains("##["));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), json);
    }

    proptest! {
        #[test]
        fn twice_is_once(text in "[:#\\[ \n\ta\u{1b}\u{feff}m0{]{0,40}") {
            let once = defused(&text).into_owned();
            prop_assert_eq!(defused(&once), once.as_str());
        }
    }
}
