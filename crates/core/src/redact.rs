//! Redaction: takes keys, tokens, passwords, e-mail addresses, phone, card and account numbers out of what comes in, before anything is
//! mined, stored or sent.
//!
//! What is found is replaced by its family and a number, such as `[email-1]`. Within one record (a text, a trace, an issue) equal
//! secrets get equal numbers, so that mining still sees that a value was used again; between records a number means nothing, and it is
//! no function of the secret. Numbers are given in the order of reading, so the same record is always redacted alike. JSON inside a text stays JSON.
//!
//! A placeholder is never redacted again: twice is the same as once. The time is linear in the text.

mod context;
mod email;
mod json;
mod number;
mod placeholder;
mod scope;
mod token;
mod walk;

pub(crate) use placeholder::credentials;
pub use placeholder::{holds_placeholder, without_placeholders};
pub use walk::Redact;

use crate::config::RedactConfig;
use regex::Regex;
use scope::Scope;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

/// Replacing one secret can show another beside it. So many times a text is looked through at most.
const ROUNDS: usize = 8;

/// Finds and replaces secrets. Made once from the configuration.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    patterns: Vec<Regex>,
    keep: BTreeSet<String>,
}

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Find {
    at: Range<usize>,
    family: &'static str,
    /// Found by the words beside it and not by its own shape: bare, it would not be found.
    by_context: bool,
}

impl Find {
    fn by_shape(family: &'static str, at: Range<usize>) -> Self {
        Self {
            at,
            family,
            by_context: false,
        }
    }

    fn by_context(family: &'static str, at: Range<usize>) -> Self {
        Self {
            at,
            family,
            by_context: true,
        }
    }
}

impl Redactor {
    /// What `[redact]` of the configuration asks for, on top of the families that are always looked for.
    pub fn new(config: &RedactConfig) -> Self {
        Self {
            patterns: config.patterns.iter().map(|pattern| pattern.regex().clone()).collect(),
            keep: config.keep.iter().cloned().collect(),
        }
    }

    /// A text without its secrets; borrowed when it has none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut scope = Scope::default();
        scope.heed(text);
        let redacted = self.one(&mut scope, None, text);
        match spread(&mut scope, redacted.as_deref().unwrap_or(text)).or(redacted) {
            Some(redacted) => Cow::Owned(redacted),
            None => Cow::Borrowed(text),
        }
    }

    /// Takes the secrets out of a whole record. Equal secrets stay equal all over it; a value that the words beside it give away in one
    /// place (a password after `password:`) is found in the others too.
    pub fn clean(&self, record: &mut impl Redact) {
        let mut scope = Scope::default();
        record.each_text(&mut |_, text| scope.heed(text));
        record.each_text(&mut |key, text| {
            if let Some(redacted) = self.one(&mut scope, key, text) {
                *text = redacted;
            }
        });
        if scope.has_to_spread() {
            record.each_text(&mut |_, text| {
                if let Some(redacted) = spread(&mut scope, text) {
                    *text = redacted;
                }
            });
        }
    }

    /// One text that stands under a key, if it changes.
    fn one(&self, scope: &mut Scope, key: Option<&str>, text: &str) -> Option<String> {
        let mut redacted: Option<String> = None;
        for _ in 0..ROUNDS {
            match self.round(scope, key, redacted.as_deref().unwrap_or(text)) {
                Some(next) => redacted = Some(next),
                None => break,
            }
        }
        redacted
    }

    fn round(&self, scope: &mut Scope, key: Option<&str>, text: &str) -> Option<String> {
        if let Some(find) = key.and_then(|key| context::under_key(key, text)) {
            let resolved = self.resolve(text, vec![find]);
            if !resolved.is_empty() {
                return Some(scope.replace(text, &resolved));
            }
        }
        by_piece(text, &mut |json, part| {
            if json {
                return json::rewrite(part, &mut |key, text| self.one(scope, key, text));
            }
            let resolved = self.resolve(part, self.finds(part));
            (!resolved.is_empty()).then(|| scope.replace(part, &resolved))
        })
    }

    /// Everything that looks like a secret, what is surest first.
    fn finds(&self, text: &str) -> Vec<Find> {
        let mut finds = Vec::new();
        for gap in placeholder::gaps(text) {
            for pattern in &self.patterns {
                let found = pattern.find_iter(&text[gap.clone()]).filter(|found| !found.is_empty());
                finds.extend(
                    found.map(|found| Find::by_shape("custom", gap.start + found.start()..gap.start + found.end())),
                );
            }
        }
        token::find(text, &mut finds);
        context::find(text, &mut finds);
        email::find(text, &mut finds);
        number::find(text, &mut finds);
        finds
    }

    /// Finds that do not overlap each other or a placeholder, in the order of the text. Of two that overlap the first in the list stands;
    /// of the other what is left over, if the words beside it gave it away: no part of a password may stay.
    fn resolve(&self, text: &str, finds: Vec<Find>) -> Vec<Find> {
        if finds.is_empty() {
            return finds;
        }
        let mut taken: BTreeMap<usize, usize> = placeholder::spans(text).map(|at| (at.start, at.end)).collect();
        let mut kept = Vec::new();
        for find in finds {
            if self.keep.contains(&text[find.at.clone()]) {
                continue;
            }
            let free = free(&taken, &find.at);
            let whole = free.len() == 1 && free[0] == find.at;
            for at in free {
                if whole || find.by_context && worth_hiding(&text[at.clone()]) {
                    taken.insert(at.start, at.end);
                    kept.push(Find { at, ..find.clone() });
                }
            }
        }
        kept.sort_by_key(|find| find.at.start);
        kept
    }
}

/// What was given away elsewhere is taken out here too, and JSON stays JSON.
fn spread(scope: &mut Scope, text: &str) -> Option<String> {
    by_piece(text, &mut |json, part| {
        if json {
            return json::rewrite(part, &mut |_, text| spread(scope, text));
        }
        scope.spread(part)
    })
}

/// A text with its pieces changed; `None` when none changes. `change` gets whether a piece is JSON.
fn by_piece(text: &str, change: &mut impl FnMut(bool, &str) -> Option<String>) -> Option<String> {
    let mut out: Option<String> = None;
    let mut done = 0;
    for piece in json::pieces(text) {
        if let Some(changed) = change(piece.json, &text[piece.at.clone()]) {
            let out = out.get_or_insert_default();
            out.push_str(&text[done..piece.at.start]);
            out.push_str(&changed);
            done = piece.at.end;
        }
    }
    out.map(|out| out + &text[done..])
}

/// What is left over beside another secret is hidden unless it is only punctuation.
fn worth_hiding(part: &str) -> bool {
    part.chars().filter(|c| c.is_alphanumeric()).count() >= 3
}

/// The parts of a range that no taken range covers.
fn free(taken: &BTreeMap<usize, usize>, at: &Range<usize>) -> Vec<Range<usize>> {
    let mut free = Vec::new();
    let before = taken.range(..=at.start).next_back().map_or(at.start, |(_, end)| *end);
    let mut from = at.start.max(before);
    for (start, end) in taken.range((std::ops::Bound::Excluded(at.start), std::ops::Bound::Excluded(at.end))) {
        if from < *start {
            free.push(from..*start);
        }
        from = from.max(*end);
    }
    if from < at.end {
        free.push(from..at.end);
    }
    free
}

#[cfg(test)]
mod tests;
