//! What an edit means, apart from any file format: the value that the file holds before, and the value that it must hold after.

use super::{Edit, Fault, Position};
use serde_json::{Map, Value};

/// An edit, resolved against what the file holds. Paths are the parts of a dotted path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change<'e> {
    /// A new entry of a list that is there.
    Insert {
        list: Vec<&'e str>,
        index: usize,
        value: &'e Value,
    },
    /// A new value of a key that is there.
    Replace { at: Vec<&'e str>, value: Value },
    /// A new key of a table that is there.
    Add {
        table: Vec<&'e str>,
        key: &'e str,
        value: Value,
    },
}

/// Resolves an edit; also gives what the file must hold afterwards.
pub(super) fn resolve<'e>(before: &Value, edit: &'e Edit) -> Result<(Change<'e>, Value), Fault> {
    let mut after = before.clone();
    let at = match edit {
        Edit::Append { at, .. } | Edit::Set { at, .. } => at,
    };
    let path = parts(at);
    let was_there = lookup(before, &path).is_some();
    let slot = slot(&mut after, &path)?;
    let put = |value: Value| match path.split_last() {
        Some((key, table)) if !was_there => Change::Add {
            table: table.to_vec(),
            key,
            value,
        },
        _ => Change::Replace {
            at: path.clone(),
            value,
        },
    };
    let change = match edit {
        Edit::Append { value, position, .. } => match slot {
            Value::Array(items) => {
                let index = index(*position, items.len());
                items.insert(index, value.clone());
                Change::Insert {
                    list: path,
                    index,
                    value,
                }
            }
            Value::Null => {
                *slot = Value::Array(vec![value.clone()]);
                put(slot.clone())
            }
            other => {
                return Err(Fault::WrongType {
                    at: at.clone(),
                    wanted: "a list",
                    found: type_name(other),
                });
            }
        },
        Edit::Set { value, .. } => {
            *slot = value.clone();
            put(value.clone())
        }
    };
    Ok((change, after))
}

/// Where a new entry goes among `n_items`.
pub(super) fn index(position: Position, n_items: usize) -> usize {
    match position {
        Position::Start => 0,
        Position::BeforeLast => n_items.saturating_sub(1),
        Position::End => n_items,
    }
}

/// What people call the type of a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// The parts of a dotted path; none for the empty one. A number is the index of a list's entry, from 0.
pub(super) fn parts(at: &str) -> Vec<&str> {
    if at.is_empty() {
        Vec::new()
    } else {
        at.split('.').collect()
    }
}

/// What stands at a path.
pub(super) fn lookup<'v>(root: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(root, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}

/// The place of a path, with nothing in it when its last key is not there; everything before the last key must be.
fn slot<'v>(root: &'v mut Value, path: &[&str]) -> Result<&'v mut Value, Fault> {
    if root.is_null() && !path.is_empty() {
        *root = Value::Object(Map::new());
    }
    let mut value = root;
    for (depth, part) in path.iter().enumerate() {
        let here = || path[..=depth].join(".");
        let found = type_name(value);
        value = match value {
            Value::Object(map) => {
                if depth + 1 == path.len() {
                    map.entry(*part).or_insert(Value::Null)
                } else {
                    map.get_mut(*part).ok_or_else(|| Fault::NotFound { at: here() })?
                }
            }
            Value::Array(items) => part
                .parse()
                .ok()
                .and_then(|index: usize| items.get_mut(index))
                .ok_or_else(|| Fault::NotFound { at: here() })?,
            _ => {
                return Err(Fault::WrongType {
                    at: path[..depth].join("."),
                    wanted: "a table",
                    found,
                });
            }
        };
    }
    Ok(value)
}
