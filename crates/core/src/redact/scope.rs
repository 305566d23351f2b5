//! The numbers of one record: equal secrets, equal placeholders.

use super::{Find, placeholder};
use regex::Regex;
use std::collections::BTreeMap;

/// Bytes of a value that is found again wherever it stands bare.
const SPREADS_FROM: usize = 6;
/// So many values are found again at most; a record with more is no conversation.
const SPREADS: usize = 200;

/// What one record has had replaced.
#[derive(Debug, Default)]
pub(super) struct Scope {
    numbers: BTreeMap<(&'static str, String), u32>,
    last: BTreeMap<&'static str, u32>,
    /// Values found by what stood beside them, with what they became.
    spreading: BTreeMap<String, String>,
    finder: Option<Regex>,
}

impl Scope {
    /// Numbers that stand there already are not given again.
    pub(super) fn heed(&mut self, text: &str) {
        for (family, number) in placeholder::numbers(text) {
            let last = self.last.entry(family).or_default();
            *last = number.max(*last);
        }
    }

    /// Puts placeholders where the finds are, which are in order and do not overlap.
    pub(super) fn replace(&mut self, text: &str, finds: &[Find]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for find in finds {
            out.push_str(&text[done..find.at.start]);
            let secret = &text[find.at.clone()];
            let name = self.name(find.family, secret);
            out.push_str(&name);
            if find.by_context && self.spreading.len() < SPREADS && spreads(secret) {
                self.finder = None;
                self.spreading.insert(secret.to_owned(), name);
            }
            done = find.at.end;
        }
        out.push_str(&text[done..]);
        out
    }

    fn name(&mut self, family: &'static str, secret: &str) -> String {
        let last = self.last.entry(family).or_default();
        let number = *self.numbers.entry((family, normal(family, secret))).or_insert_with(|| {
            *last = last.saturating_add(1);
            *last
        });
        format!("[{family}-{number}]")
    }

    /// Whether there are values to be found where nothing beside them gives them away.
    pub(super) fn has_to_spread(&self) -> bool {
        !self.spreading.is_empty()
    }

    /// Replaces values that were found elsewhere in the record, if there are any.
    pub(super) fn spread(&mut self, text: &str) -> Option<String> {
        if !self.has_to_spread() {
            return None;
        }
        if self.finder.is_none() {
            // The longest first, so that no value hides one that begins with it.
            let mut values: Vec<&String> = self.spreading.keys().collect();
            values.sort_by_key(|value| std::cmp::Reverse(value.len()));
            let values: Vec<String> = values.into_iter().map(|value| regex::escape(value)).collect();
            self.finder = Regex::new(&values.join("|")).ok();
        }
        let mut out = String::new();
        let mut done = 0;
        for found in self.finder.as_ref()?.find_iter(text) {
            let before = text[..found.start()].bytes().next_back();
            let after = text[found.end()..].bytes().next();
            let inside_a_word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
            if inside_a_word(before) || inside_a_word(after) {
                continue;
            }
            out.push_str(&text[done..found.start()]);
            out.push_str(&self.spreading[found.as_str()]);
            done = found.end();
        }
        (done > 0).then(|| out + &text[done..])
    }
}

/// A short value, or a plain word, would be found where it means something else.
fn spreads(secret: &str) -> bool {
    secret.len() >= SPREADS_FROM
        && secret.chars().any(|c| !c.is_alphabetic())
        && !placeholder::spans(secret).any(|_| true)
}

/// Spellings of one thing that are the same secret.
fn normal(family: &str, secret: &str) -> String {
    match family {
        "email" => secret.to_lowercase(),
        "card" | "phone" => secret.chars().filter(char::is_ascii_digit).collect(),
        "iban" => secret
            .chars()
            .filter(|c| *c != ' ')
            .flat_map(char::to_uppercase)
            .collect(),
        _ => secret.to_owned(),
    }
}
