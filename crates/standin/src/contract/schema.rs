//! Turns the schemas of `OpenAPI` 3.0 into JSON Schema 2020-12, and closes every object that lists its properties.
//!
//! Each component is there twice. Used on its own, it is closed: nothing may stand in it that is not named. As a branch of `allOf`, `anyOf` or
//! `oneOf` it must be open, since the properties of its siblings stand in the same object; the composition as a whole is closed.

use serde_json::{Map, Value, json};

/// Where the components are found by references.
pub(super) const BASE: &str = "https://github.invalid/description";

/// Keywords that mean the same in both.
const KEPT: &[&str] = &[
    "required",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];
const COMPOSITIONS: &[&str] = &["allOf", "anyOf", "oneOf"];

/// All components, closed and open.
pub(super) fn components(schemas: &Value) -> Value {
    let all = |closed: bool| -> Map<String, Value> {
        let schemas = schemas.as_object().into_iter().flatten();
        schemas
            .map(|(name, schema)| (name.clone(), convert(schema, closed)))
            .collect()
    };
    json!({"closed": all(true), "open": all(false)})
}

/// A schema that stands on its own.
pub(super) fn closed(schema: &Value) -> Value {
    convert(schema, true)
}

fn convert(schema: &Value, closed: bool) -> Value {
    let Some(schema) = schema.as_object() else {
        return schema.clone();
    };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let kind = if closed { "closed" } else { "open" };
        return json!({"$ref": format!("{BASE}#/{kind}/{name}")});
    }
    let mut made = Map::new();
    for (key, value) in schema {
        if KEPT.contains(&key.as_str()) {
            made.insert(key.clone(), value.clone());
        } else if COMPOSITIONS.contains(&key.as_str()) {
            let branches = value.as_array().into_iter().flatten();
            made.insert(key.clone(), branches.map(|branch| convert(branch, false)).collect());
        }
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let properties: Map<String, Value> = properties
            .iter()
            .map(|(name, property)| (name.clone(), convert(property, true)))
            .collect();
        made.insert("properties".to_owned(), properties.into());
    }
    if let Some(items) = schema.get("items") {
        made.insert("items".to_owned(), convert(items, true));
    }
    close(schema, &mut made, closed);
    nullable(schema, made)
}

/// An object that lists its properties has no others, even where the description would allow any; one that lists none is free.
fn close(schema: &Map<String, Value>, made: &mut Map<String, Value>, closed: bool) {
    let lists = schema.contains_key("properties");
    let composed = COMPOSITIONS.iter().any(|key| schema.contains_key(*key));
    match schema.get("additionalProperties") {
        Some(Value::Object(of)) => {
            made.insert("additionalProperties".to_owned(), convert(&of.clone().into(), true));
        }
        Some(Value::Bool(false)) => {
            made.insert("additionalProperties".to_owned(), false.into());
        }
        _ if closed && (lists || composed) => {
            made.insert("unevaluatedProperties".to_owned(), false.into());
        }
        _ if !lists && !composed && schema.get("type").is_some_and(|kind| kind == "object") => {
            made.insert("additionalProperties".to_owned(), true.into());
        }
        _ => {}
    }
}

/// `nullable` adds null to the types and to the values: the description often forgets the latter.
fn nullable(schema: &Map<String, Value>, mut made: Map<String, Value>) -> Value {
    let nullable = schema.get("nullable").is_some_and(|nullable| *nullable == true);
    if let Some(kind) = schema.get("type") {
        made.insert("type".to_owned(), kind.clone());
    }
    if let Some(values) = schema.get("enum") {
        made.insert("enum".to_owned(), values.clone());
    }
    if nullable {
        json!({"anyOf": [made, {"type": "null"}]})
    } else {
        made.into()
    }
}
