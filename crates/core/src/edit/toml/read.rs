//! What a TOML text holds, as plain values.

use serde_json::{Number, Value};
use toml_edit::{Item, TableLike, Value as Toml};

/// A table of any kind.
pub(super) fn of_table(table: &dyn TableLike) -> Value {
    Value::Object(
        table
            .iter()
            .map(|(key, item)| (key.to_owned(), of_item(item)))
            .collect(),
    )
}

fn of_item(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => Value::Array(tables.iter().map(|table| of_table(table)).collect()),
    }
}

fn of_value(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Integer(integer) => Value::from(*integer.value()),
        Toml::Float(float) => {
            Number::from_f64(*float.value()).map_or_else(|| Value::String(float.value().to_string()), Value::Number)
        }
        Toml::Boolean(flag) => Value::Bool(*flag.value()),
        Toml::Datetime(time) => Value::String(time.value().to_string()),
        Toml::Array(items) => Value::Array(items.iter().map(of_value).collect()),
        Toml::InlineTable(table) => of_table(table),
    }
}
