//! Edits of TOML.

mod read;
mod write;

use super::change::{Change, type_name};
use super::flow::{First, Flow};
use super::text::{Splice, above_comments, blank_above, indent, line_number, line_start, next_line};
use super::{Fault, Format};
use serde_json::{Map, Value};
use toml_edit::{Array, ArrayOfTables, Document, InlineTable, Item, Table, Value as Toml};
use write::{Style, WIDTH, bare, header, inline};

/// What the text holds.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    Ok(read::of_table(document(text)?.as_table()))
}

/// How the text must change.
pub(super) fn plan(text: &str, change: &Change<'_>) -> Result<Vec<Splice>, Fault> {
    let document = document(text)?;
    let root = document.as_table();
    let style = Style::of(text);
    let find = |path: &[&str]| find(root, path).ok_or_else(|| Fault::NotFound { at: path.join(".") });
    refuse_null(change)?;
    match change {
        Change::Insert { list, index, value } => match find(list)? {
            Node::Tables(tables) => insert_table(&style, tables, &list.join("."), &header(list), *index, value),
            Node::Value(Toml::Array(array)) => insert_item(&style, array, *index, value),
            Node::Table(_) | Node::Value(_) => Err(Fault::NotFound { at: list.join(".") }),
        },
        Change::Replace { at, value } => match find(at)? {
            Node::Value(old) => {
                let range = old.span().ok_or_else(|| unplaced(at))?;
                let column = range.start - line_start(text, range.start);
                Ok(vec![Splice {
                    text: style.written(value, indent(text, range.start), column),
                    range,
                }])
            }
            Node::Table(_) | Node::Tables(_) => Err(Fault::Unwritable {
                at: at.join("."),
                why: "it has a header of its own; name a key in it".to_owned(),
            }),
        },
        Change::Add { table, key, value } => match find(table)? {
            Node::Value(Toml::InlineTable(inline)) => add_inline(&style, inline, key, value),
            Node::Table(inner) => add_key(&style, root, inner, table, key, value),
            Node::Tables(_) | Node::Value(_) => Err(Fault::NotFound { at: table.join(".") }),
        },
    }
}

fn document(text: &str) -> Result<Document<&str>, Fault> {
    Document::parse(text).map_err(|error| {
        let line = line_number(text, error.span().map_or(0, |span| span.start));
        Fault::Parse {
            format: Format::Toml,
            line,
            message: error.message().replace('\n', "; "),
        }
    })
}

/// A place in a document.
enum Node<'d> {
    Table(&'d Table),
    Tables(&'d ArrayOfTables),
    Value(&'d Toml),
}

fn find<'d>(root: &'d Table, path: &[&str]) -> Option<Node<'d>> {
    path.iter().try_fold(Node::Table(root), |node, part| {
        let item = match node {
            Node::Table(table) => table.get(part)?,
            Node::Tables(tables) => return tables.get(part.parse().ok()?).map(Node::Table),
            Node::Value(Toml::InlineTable(table)) => return table.get(part).map(Node::Value),
            Node::Value(Toml::Array(array)) => return array.get(part.parse().ok()?).map(Node::Value),
            Node::Value(_) => return None,
        };
        match item {
            Item::None => None,
            Item::Value(value) => Some(Node::Value(value)),
            Item::Table(table) => Some(Node::Table(table)),
            Item::ArrayOfTables(tables) => Some(Node::Tables(tables)),
        }
    })
}

fn refuse_null(change: &Change<'_>) -> Result<(), Fault> {
    let (at, value) = match change {
        Change::Insert { list, value, .. } => (list.join("."), *value),
        Change::Replace { at, value } => (at.join("."), value),
        Change::Add { table, key, value } => (table.iter().chain([key]).copied().collect::<Vec<_>>().join("."), value),
    };
    if has_null(value) {
        Err(Fault::Unwritable {
            at,
            why: "TOML has no null".to_owned(),
        })
    } else {
        Ok(())
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn insert_item(style: &Style<'_>, array: &Array, index: usize, value: &Value) -> Result<Vec<Splice>, Fault> {
    let span = array.span().ok_or_else(|| unplaced(&[]))?;
    let items = array
        .iter()
        .map(Toml::span)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| unplaced(&[]))?;
    let entry = inline(value);
    let column = span.end - line_start(style.text, span.start);
    let first = if column + entry.chars().count() > WIDTH {
        First::OwnLine(style.unit)
    } else {
        First::SameLine("")
    };
    let flow = Flow {
        text: style.text,
        inner: span.start + 1..span.end - 1,
        items,
        comment: "#",
        first,
    };
    Ok(flow.insert(index, |_| entry.clone()))
}

fn add_inline(style: &Style<'_>, table: &InlineTable, key: &str, value: &Value) -> Result<Vec<Splice>, Fault> {
    let span = table.span().ok_or_else(|| unplaced(&[key]))?;
    let range = |(name, value): (&str, &Toml)| Some(table.key(name)?.span()?.start..value.span()?.end);
    let items = table
        .iter()
        .map(range)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| unplaced(&[key]))?;
    let entry = format!("{} = {}", bare(key), inline(value));
    let n_items = items.len();
    let flow = Flow {
        text: style.text,
        inner: span.start + 1..span.end - 1,
        items,
        comment: "#",
        first: First::SameLine(" "),
    };
    Ok(flow.insert(n_items, |_| entry.clone()))
}

fn insert_table(
    style: &Style<'_>,
    tables: &ArrayOfTables,
    at: &str,
    header: &str,
    index: usize,
    value: &Value,
) -> Result<Vec<Splice>, Fault> {
    let Value::Object(map) = value else {
        return Err(Fault::WrongType {
            at: at.to_owned(),
            wanted: "an entry that is a table, as the others are,",
            found: type_name(value),
        });
    };
    let text = style.text;
    let start = |index: usize| {
        tables
            .get(index)
            .and_then(Table::span)
            .map(|span| above_comments(text, span.start, "#"))
    };
    let block = style.block(&format!("[[{header}]]"), map);
    let airy = tables.len() < 2 || start(tables.len() - 1).is_some_and(|start| blank_above(text, start));
    let gap = if airy { "\n" } else { "" };
    Ok(vec![match start(index) {
        Some(start) => Splice::lines(text, start, &format!("{block}{gap}")),
        None => {
            let end = tables.iter().map(end_of).max().unwrap_or(text.len());
            Splice::lines(text, next_line(text, end), &format!("{gap}{block}"))
        }
    }])
}

fn add_key(
    style: &Style<'_>,
    root: &Table,
    table: &Table,
    path: &[&str],
    key: &str,
    value: &Value,
) -> Result<Vec<Splice>, Fault> {
    if table.is_dotted() {
        return Err(unplaced(path));
    }
    let text = style.text;
    if let Some(maps) = tables_of(value) {
        let name = format!("[[{}]]", header(path.iter().chain([&key])));
        let blocks = maps
            .into_iter()
            .map(|map| style.block(&name, map))
            .collect::<Vec<_>>()
            .join("\n");
        let at = if path.is_empty() {
            text.len()
        } else {
            next_line(text, end_of(table))
        };
        return Ok(vec![Splice::lines(
            text,
            at,
            &format!("{}{blocks}", if text.trim().is_empty() { "" } else { "\n" }),
        )]);
    }
    let line = style.key_line(key, value);
    let own_values = own_end(table);
    let at = if path.is_empty() {
        own_values
    } else {
        own_values.or(table.span().filter(|_| !table.is_implicit()).map(|span| span.end))
    };
    Ok(vec![match at {
        Some(end) => Splice::lines(text, next_line(text, end), &line),
        None if path.is_empty() => match first_header(root) {
            Some(first) => Splice::lines(text, above_comments(text, first, "#"), &format!("{line}\n")),
            None => Splice::lines(text, text.len(), &line),
        },
        None => Splice::lines(text, text.len(), &format!("\n[{}]\n{line}", header(path))),
    }])
}

/// The entries of a list that is written as `[[…]]`.
fn tables_of(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    value
        .as_array()
        .filter(|items| !items.is_empty())?
        .iter()
        .map(Value::as_object)
        .collect()
}

/// The last byte that belongs to a table or to one within it.
fn end_of(table: &Table) -> usize {
    let ends = table.iter().map(|(_, item)| match item {
        Item::Table(inner) => end_of(inner),
        Item::ArrayOfTables(tables) => tables.iter().map(end_of).max().unwrap_or(0),
        Item::Value(value) => end_of_value(value),
        Item::None => 0,
    });
    ends.chain(table.span().map(|span| span.end)).max().unwrap_or(0)
}

fn end_of_value(value: &Toml) -> usize {
    let dotted = value.as_inline_table().filter(|table| table.is_dotted());
    match dotted {
        Some(table) => table.iter().map(|(_, inner)| end_of_value(inner)).max().unwrap_or(0),
        None => value.span().map_or(0, |span| span.end),
    }
}

/// The end of the last value that stands directly under a table's header.
fn own_end(table: &Table) -> Option<usize> {
    let end = |item: &Item| match item {
        Item::Value(value) => Some(end_of_value(value)),
        Item::Table(inner) if inner.is_dotted() => own_end(inner),
        Item::Table(_) | Item::ArrayOfTables(_) | Item::None => None,
    };
    table.iter().filter_map(|(_, item)| end(item)).max()
}

fn first_header(table: &Table) -> Option<usize> {
    let start = |item: &Item| match item {
        Item::Table(inner) if inner.is_implicit() => first_header(inner),
        Item::Table(inner) => inner.span().map(|span| span.start),
        Item::ArrayOfTables(tables) => tables.get(0).and_then(Table::span).map(|span| span.start),
        Item::Value(_) | Item::None => None,
    };
    table.iter().filter_map(|(_, item)| start(item)).min()
}

/// A value whose place the parser does not give, which happens in tables made by dotted keys.
fn unplaced(path: &[&str]) -> Fault {
    Fault::Unwritable {
        at: path.join("."),
        why: "it is written with dotted keys; give it a header of its own".to_owned(),
    }
}
