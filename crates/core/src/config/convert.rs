//! From TOML values to checked ones, with what is wrong and what would be right.

use super::problem::nearest;
use serde_json::{Map, Number, Value};
use toml::de::{DeFloat, DeInteger, DeValue};

/// What is wrong with a value, and what would be right.
pub(super) struct Mistake {
    /// To be read after the key.
    pub(super) what: String,
    /// An order: "write …".
    pub(super) fix: String,
}

impl Mistake {
    /// A mistake.
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fix: fix.into(),
        }
    }
}

/// A text.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Mistake> {
    match value.as_str() {
        Some(text) if text.trim().is_empty() => Err(Mistake::new("is empty", "write a text between the quotes")),
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong_type(value, "a text", "a text in quotes")),
    }
}

/// A whole number within bounds.
pub(super) fn whole(least: u64, most: u64) -> impl Fn(&DeValue<'_>) -> Result<u64, Mistake> {
    move |value| {
        let right = format!("a whole number from {least} to {most}");
        let Some(integer) = value.as_integer() else {
            return Err(wrong_type(value, "a whole number", &right));
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
        match u64::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(Mistake::new(
                format!(
                    "is {}, which is too {}",
                    integer.as_str(),
                    if number < i128::from(least) { "small" } else { "large" }
                ),
                format!("write {right}"),
            )),
        }
    }
}

/// A number within bounds; `right` says which.
pub(super) fn number(least: f64, most: f64, right: &'static str) -> impl Fn(&DeValue<'_>) -> Result<f64, Mistake> {
    move |value| {
        let written = value
            .as_float()
            .map(DeFloat::as_str)
            .or_else(|| value.as_integer().map(DeInteger::as_str));
        let Some(written) = written else {
            return Err(wrong_type(value, "a number", right));
        };
        match written.parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(Mistake::new(
                format!("is {written}, which is not {right}"),
                format!("write {right}"),
            )),
        }
    }
}

/// A time such as `"120s"`, in milliseconds.
pub(super) fn duration(value: &DeValue<'_>) -> Result<u64, Mistake> {
    const RIGHT: &str = "a time such as \"500ms\", \"120s\", \"2m\" or \"3h\"";
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let Some(written) = value.as_str() else {
        return Err(wrong_type(value, "a time", RIGHT));
    };
    let digits = written
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(written.len());
    let amount = written[..digits].parse::<u64>().ok();
    let unit = UNITS
        .iter()
        .find(|(unit, _)| *unit == written[digits..].trim())
        .map(|(_, ms)| *ms);
    match amount.zip(unit).and_then(|(amount, unit)| amount.checked_mul(unit)) {
        Some(0) => Err(Mistake::new(
            format!("is \"{written}\", which is no time at all"),
            format!("write {RIGHT}"),
        )),
        Some(ms) => Ok(ms),
        None => Err(Mistake::new(
            format!("is \"{written}\", which is not a time"),
            format!("write {RIGHT}"),
        )),
    }
}

/// One of some words; a word without a value is known but not in this version.
pub(super) fn choice<T: Copy>(
    words: &'static [(&'static str, Option<T>)],
) -> impl Fn(&DeValue<'_>) -> Result<T, Mistake> {
    move |value| {
        let here: Vec<&str> = words
            .iter()
            .filter(|(_, meaning)| meaning.is_some())
            .map(|(word, _)| *word)
            .collect();
        let right = here
            .iter()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(" or ");
        let Some(written) = value.as_str() else {
            return Err(wrong_type(value, "a text", &right));
        };
        match words.iter().find(|(word, _)| *word == written) {
            Some((_, Some(meaning))) => Ok(*meaning),
            Some((_, None)) => Err(Mistake::new(
                format!("is \"{written}\", which this version does not have yet"),
                format!("write {right}, the only choice so far"),
            )),
            None => {
                let fix = nearest(written, here.iter().copied()).map_or_else(
                    || format!("write {right}"),
                    |meant| format!("did you mean \"{meant}\"?"),
                );
                Err(Mistake::new(
                    format!("is \"{written}\", which is not one of the choices"),
                    fix,
                ))
            }
        }
    }
}

/// Any value, its keys in the order of the file.
pub(super) fn anything(value: &DeValue<'_>) -> Result<Value, Mistake> {
    Ok(json(value))
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or(Value::Null, Value::Number),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, inner)| (key.get_ref().to_string(), json(inner.get_ref())))
                    .collect::<Map<_, _>>(),
            )
        }
    }
}

/// The mistake of a value of another type than `wanted`.
pub(super) fn wrong_type(value: &DeValue<'_>, wanted: &str, right: &str) -> Mistake {
    let found = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Mistake::new(format!("is {found}, but {wanted} is needed"), format!("write {right}"))
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
