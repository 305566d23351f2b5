//! Content hashes: the first 128 bits of SHA-256 over canonical JSON, in hexadecimal.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// 32 hexadecimal digits that name `value` by its content; keys of objects count in sorted order.
pub fn of<T: Serialize + ?Sized>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    of_text(&canonical(&value).to_string())
}

/// 32 hexadecimal digits that name a text.
pub fn of_text(text: &str) -> String {
    let mut digits = sha256(text);
    digits.truncate(32);
    digits
}

/// The whole SHA-256 of a text, 64 hexadecimal digits.
pub fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().map(|(key, inner)| (key.clone(), canonical(inner))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}
