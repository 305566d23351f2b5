//! The placeholders of recipe templates, and which of them each template may use.

use super::convert::{Mistake, listed};
use super::problem::nearest;
use serde_json::Value;

/// Those of `recipe.entry`.
pub(super) const ENTRY: &[&str] = &["title", "tool", "conditions", "calls", "say", "finding", "should"];
/// Those of `recipe.entry` with op `few_shot`.
pub(super) const EXAMPLE: &[&str] = &["input", "output", "tool", "arguments", "calls"];
/// Those of `recipe.call` and `recipe.observe.entry`.
pub(super) const CALL: &[&str] = &["tool", "arguments"];
/// Those of `recipe.reference`.
pub(super) const REFERENCE: &[&str] = &["tool", "field"];
/// Those of the conditions over lines.
pub(super) const LINE: &[&str] = &["tool", "line"];
/// Those of the conditions over fields.
pub(super) const FIELD: &[&str] = &["tool", "field", "value"];
/// Those of the condition over the input.
pub(super) const PHRASE: &[&str] = &["phrase"];

/// The first placeholder of a template that is not among those it may use.
pub(super) fn check(template: &Value, allowed: &[&str]) -> Result<(), Mistake> {
    let Some(unknown) = used(template)
        .into_iter()
        .find(|name| !allowed.contains(&name.as_str()))
    else {
        return Ok(());
    };
    let fix = match nearest(&unknown, allowed.iter().copied()) {
        Some(meant) => format!("did you mean `{{{meant}}}`?"),
        None => {
            let braced: Vec<String> = allowed.iter().map(|name| format!("{{{name}}}")).collect();
            format!("use {}", listed(&braced.iter().map(String::as_str).collect::<Vec<_>>()))
        }
    };
    Err(Mistake::new(
        format!("uses `{{{unknown}}}`, which has no meaning here"),
        fix,
    ))
}

/// The names of all placeholders in the texts of a template, in order.
pub(super) fn used(template: &Value) -> Vec<String> {
    match template {
        Value::String(text) => in_text(text),
        Value::Array(items) => items.iter().flat_map(used).collect(),
        Value::Object(map) => map.values().flat_map(used).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// A placeholder is a word in braces; other braces are the harness's own.
fn in_text(text: &str) -> Vec<String> {
    let after_braces = text.split('{').skip(1);
    let words = after_braces
        .filter_map(|rest| rest.split_once('}'))
        .map(|(word, _)| word);
    words
        .filter(|word| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '_'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_words_in_braces_are_placeholders() {
        let template =
            json!({"a": "{tool} and {{tool}.{field}}", "b": ["{ not }", "{}", "{1}", {"c": "{title}"}], "d": 3});
        assert_eq!(used(&template), ["tool", "tool", "field", "title"]);
    }
}
