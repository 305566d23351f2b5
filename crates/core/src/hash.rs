//! Content hashes: the first 128 bits of SHA-256 over canonical JSON, in hexadecimal.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// 32 hexadecimal digits that name `value` by its content; keys of objects count in sorted order.
pub fn of<T: Serialize + ?Sized>(value: &T) -> String {
    let mut value = serde_json::to_value(value).unwrap_or(Value::Null);
    value.sort_all_objects();
    of_text(&value.to_string())
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
