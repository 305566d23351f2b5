//! Writing what was mined in the words of a harness: calls, arguments, conditions; and in those of a person.

use super::needed::{Argument, NeededCall};
use super::observation::{Atom, number_json};
use super::template::fill;
use crate::config::{ConditionTemplates, Recipe};
use crate::edit::Position;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn write_call(recipe: &Recipe, call: &NeededCall) -> Option<Value> {
    let arguments: serde_json::Map<String, Value> = call
        .arguments
        .iter()
        .map(|(name, argument)| (name.clone(), write_argument(recipe, argument)))
        .collect();
    let values = BTreeMap::from([("tool", json!(call.tool)), ("arguments", Value::Object(arguments))]);
    recipe
        .call
        .as_ref()
        .map(|template| without_empty(fill(template, &values)))
}

pub(super) fn write_argument(recipe: &Recipe, argument: &Argument) -> Value {
    match argument {
        Argument::Constant(Value::Number(number)) => number.as_f64().map_or(json!(number), number_json),
        Argument::Constant(value) => value.clone(),
        Argument::Reference(tool, field) => {
            let template = recipe
                .reference
                .clone()
                .unwrap_or_else(|| "{{tool}.{field}}".to_owned());
            fill(
                &Value::String(template),
                &BTreeMap::from([("tool", json!(tool)), ("field", json!(field))]),
            )
        }
    }
}

pub(super) fn template_of<'a>(templates: &'a ConditionTemplates, atom: &Atom) -> Option<&'a Value> {
    match atom {
        Atom::Line { .. } => templates.line.as_ref(),
        Atom::Lacks { .. } => templates.no_line.as_ref(),
        Atom::Field { .. } => templates.field.as_ref(),
        Atom::AtLeast { .. } => templates.at_least.as_ref(),
        Atom::AtMost { .. } => templates.at_most.as_ref(),
        Atom::Phrase { .. } => templates.phrase.as_ref(),
    }
}

pub(super) fn write_atom(templates: &ConditionTemplates, atom: &Atom) -> Option<Value> {
    let mut values = BTreeMap::new();
    if let Some(tool) = atom.tool() {
        values.insert("tool", json!(tool));
    }
    match atom {
        Atom::Line { line, .. } | Atom::Lacks { line, .. } => {
            values.insert("line", json!(line));
        }
        Atom::Field { field, value, .. } => {
            values.insert("field", json!(field));
            values.insert("value", value.to_json());
        }
        Atom::AtLeast { field, value, .. } | Atom::AtMost { field, value, .. } => {
            values.insert("field", json!(field));
            values.insert("value", number_json(*value));
        }
        Atom::Phrase { phrase } => {
            values.insert("phrase", json!(phrase));
        }
    }
    template_of(templates, atom).map(|template| fill(template, &values))
}

/// Entries read better without empty tables and lists, and a `null` cannot be written in TOML at all.
pub(super) fn without_empty(value: Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, value)| !empty(value)).collect()),
        other => other,
    }
}

pub(super) fn words(atoms: &[Atom]) -> String {
    let facts: Vec<String> = atoms.iter().map(Atom::describe).collect();
    if facts.is_empty() {
        " always".to_owned()
    } else {
        format!(" when {}", facts.join(" and "))
    }
}

pub(super) fn describe_call(call: &NeededCall) -> String {
    let constants = call.arguments.values().filter_map(|argument| match argument {
        Argument::Constant(value) => Some(value.to_string()),
        Argument::Reference(..) => None,
    });
    format!("{} {} ", call.tool, constants.collect::<Vec<_>>().join(" "))
}

pub(super) fn position_word(position: Position) -> &'static str {
    match position {
        Position::Start => "start",
        Position::BeforeLast => "before_last",
        Position::End => "end",
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
