//! `[redact]`: what is secret besides what always is.

use super::convert::{Mistake, text};
use super::reader::Reader;
use regex::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};
use toml::de::DeValue;

/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// What is taken out of everything that comes in, on top of the known families.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RedactConfig {
    /// Regular expressions of more that is secret.
    pub patterns: Vec<Pattern>,
    /// Texts that are no secrets, to the letter.
    pub keep: Vec<String>,
}

impl RedactConfig {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A regular expression that was checked. Equal and written as its text.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it; the error says what is wrong, in several lines.
    pub fn new(written: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(written).size_limit(PATTERN_BYTES).build().map(Self)
    }

    /// It, compiled.
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

pub(super) fn read(table: &Reader<'_>) -> RedactConfig {
    RedactConfig {
        patterns: table.many("patterns", pattern).unwrap_or_default(),
        keep: table.many("keep", text).unwrap_or_default(),
    }
}

fn pattern(value: &DeValue<'_>) -> Result<Pattern, Mistake> {
    let written = text(value)?;
    let pattern = Pattern::new(&written).map_err(|error| {
        // The last line of a syntax error says it; those before point into the text.
        let told = error.to_string();
        let why = told
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned();
        Mistake::new(
            format!("has \"{written}\", which is not a regular expression: {why}"),
            "write one such as \"EMP-[0-9]{6}\", in single quotes if it has backslashes",
        )
    })?;
    if pattern.0.is_match("") {
        return Err(Mistake::new(
            format!("has \"{written}\", which matches the empty text, and so everything and nothing"),
            "write a pattern with at least one letter that must be there",
        ));
    }
    Ok(pattern)
}
