//! Filling the placeholders of a recipe.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `template` with every `{name}` replaced. A string that is nothing but one placeholder takes the value with its type; inside a longer
/// string, strings are put in as they are and other values as JSON. Unknown names stay as they are, so that a harness may have braces
/// of its own.
pub(super) fn fill(template: &Value, values: &BTreeMap<&str, Value>) -> Value {
    match template {
        Value::String(text) => fill_text(text, values),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill(item, values)).collect()),
        Value::Object(map) => {
            let filled: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), fill(value, values)))
                .collect();
            Value::Object(filled)
        }
        other => other.clone(),
    }
}

/// Whether a template has one of these placeholders.
pub(super) fn uses_any(template: &Value, names: &[&str]) -> bool {
    match template {
        Value::String(text) => names.iter().any(|name| text.contains(&format!("{{{name}}}"))),
        Value::Array(items) => items.iter().any(|item| uses_any(item, names)),
        Value::Object(map) => map.values().any(|item| uses_any(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fill_text(text: &str, values: &BTreeMap<&str, Value>) -> Value {
    let whole = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    if let Some(value) = whole.and_then(|name| values.get(name)) {
        return value.clone();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let name = rest[1..]
            .find(['{', '}'])
            .filter(|&end| rest.as_bytes()[end + 1] == b'}')
            .map(|end| &rest[1..=end]);
        match name.and_then(|name| values.get(name).map(|value| (name, value))) {
            Some((name, value)) => {
                out.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                rest = &rest[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Value::String(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lone_placeholder_keeps_its_type_and_others_become_text() {
        let values = BTreeMap::from([("tool", json!("refund")), ("field", json!("a.b")), ("n", json!(2.5))]);
        let template = json!({"do": "{n}", "ref": "{{tool}.{field}}", "text": "at {n} of {other}", "list": ["{tool}"]});
        let expected = json!({"do": 2.5, "ref": "{refund.a.b}", "text": "at 2.5 of {other}", "list": ["refund"]});
        assert_eq!(fill(&template, &values), expected);
    }
}
