//! What stands where a secret stood: `[family-n]`.

use regex::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// Every family, as it is named in a placeholder.
const FAMILIES: [&str; 29] = [
    "anthropic-key",
    "api-key",
    "aws-key",
    "azure-key",
    "card",
    "custom",
    "email",
    "github-token",
    "gitlab-token",
    "google-key",
    "huggingface-token",
    "iban",
    "jwt",
    "npm-token",
    "openai-key",
    "password",
    "phone",
    "private-key",
    "pypi-token",
    "secret",
    "sendgrid-key",
    "shopify-token",
    "slack-token",
    "stripe-key",
    "telegram-token",
    "twilio-key",
    "vault-token",
    "webhook",
    "digitalocean-token",
];

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    let families = FAMILIES.join("|");
    Regex::new(&format!(r"\[({families})-([0-9]{{1,9}})\]")).expect("it is a regular expression")
});

/// Whether a text holds the place of a secret: no value that a harness could be told.
pub fn holds_placeholder(text: &str) -> bool {
    text.contains('[') && PLACEHOLDER.is_match(text)
}

/// A text with a sign that is no word in the places of secrets.
pub fn without_placeholders(text: &str) -> Cow<'_, str> {
    if text.contains('[') {
        PLACEHOLDER.replace_all(text, "\u{2026}")
    } else {
        Cow::Borrowed(text)
    }
}

/// Where placeholders stand.
pub(super) fn spans(text: &str) -> impl Iterator<Item = Range<usize>> {
    let found = text.contains('[').then(|| PLACEHOLDER.find_iter(text));
    found.into_iter().flatten().map(|found| found.range())
}

/// Families and numbers of the placeholders.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = (&'static str, u32)> {
    let found = text.contains('[').then(|| PLACEHOLDER.captures_iter(text));
    found.into_iter().flatten().filter_map(|found| {
        let family = FAMILIES.iter().find(|family| **family == &found[1])?;
        Some((*family, found[2].parse().ok()?))
    })
}

/// Families and numbers of the placeholders of what nobody else may know: keys, tokens, passwords, card numbers.
pub(crate) fn credentials(text: &str) -> impl Iterator<Item = (&'static str, u32)> {
    numbers(text).filter(|(family, _)| !["custom", "email", "phone", "iban"].contains(family))
}

/// What lies between placeholders.
pub(super) fn gaps(text: &str) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let mut from = 0;
    for span in spans(text).chain(std::iter::once(text.len()..text.len())) {
        if from < span.start {
            gaps.push(from..span.start);
        }
        from = span.end;
    }
    gaps
}

#[cfg(test)]
pub(super) fn is_family(name: &str) -> bool {
    FAMILIES.contains(&name)
}
