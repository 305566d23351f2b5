//! Parts of messages that would make the provider fetch something: an address in a request carries what is written into it to wherever it
//! points.

use super::Refusal;
use serde_json::Value;

/// Refuses messages in which anything but the request itself is read.
pub(super) fn check(value: &Value) -> Result<(), Refusal> {
    let object = match value {
        Value::Array(items) => return items.iter().try_for_each(check),
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Ok(()),
    };
    // What the model called a tool with is data, whatever its names are.
    let call = object
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .ends_with("_use");
    for (key, value) in object {
        match key.as_str() {
            "input" if call => {}
            "image_url" | "file_url" | "video_url" if !is_data(value) => {
                return Err(refused(
                    key,
                    "an address is fetched by the provider; send the bytes as a data: URL",
                ));
            }
            "file_id" | "vector_store_id" => return Err(refused(key, "files at the provider are not reached")),
            "source" => source(value)?,
            _ => check(value)?,
        }
    }
    Ok(())
}

/// `"data:…"`, or an object with it as `url`.
fn is_data(value: &Value) -> bool {
    let url = value.get("url").unwrap_or(value);
    let url = url.as_str().unwrap_or_default();
    url.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("data:"))
}

/// Where Anthropic's images and documents come from: only those that are in the request.
fn source(value: &Value) -> Result<(), Refusal> {
    let Some(object) = value.as_object() else { return Ok(()) };
    match object.get("type").and_then(Value::as_str) {
        Some("base64" | "text") => Ok(()),
        Some("content") => object.get("content").map_or(Ok(()), check),
        _ => Err(refused("source", "only what is in the request itself is read")),
    }
}

fn refused(key: &str, why: &str) -> Refusal {
    Refusal::new(403, format!("`{key}` in a message is not passed on: {why}"))
}
