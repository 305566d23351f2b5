//! Edits of YAML: new entries of block lists are written as blocks, those of lists in brackets as in brackets.

mod tree;
mod write;

use super::Fault;
use super::change::Change;
use super::flow::{First, Flow};
use super::text::{Splice, above_comments, blank_above, line_start, next_line};
use serde_json::Value;
use std::ops::Range;
use tree::{Kind, Node};
use write::Style;

/// What the text holds.
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    Ok(tree::parse(text)?.value())
}

/// How the text must change.
pub(super) fn plan(text: &str, change: &Change<'_>) -> Result<Vec<Splice>, Fault> {
    let root = tree::parse(text)?;
    let style = Style::of(text, &root);
    let column = |byte: usize| byte - line_start(text, byte);
    let find = |path: &[&str]| {
        let found = root.find(path).map(|(node, key)| (node, key.map(column)));
        found.ok_or_else(|| Fault::NotFound { at: path.join(".") })
    };
    match change {
        Change::Insert { list, index, value } => {
            let (node, key) = find(list)?;
            match &node.kind {
                Kind::List { items, .. } if items.is_empty() => {
                    replace(text, &style, node, key, &Value::Array(vec![(*value).clone()]), list)
                }
                Kind::List {
                    items,
                    dashes: Some(dashes),
                } => Ok(vec![insert_block(text, &style, items, dashes, *index, value)]),
                Kind::List { items, dashes: None } => {
                    let items = items.iter().map(|item| item.range.clone()).collect();
                    Ok(flow(text, node, items).insert(*index, |_| write::flow(value)))
                }
                Kind::Table { .. } | Kind::Scalar(_) | Kind::Alias(_) => Err(written_elsewhere(list)),
            }
        }
        Change::Replace { at, value } => {
            let (node, key) = find(at)?;
            replace(text, &style, node, key, value, at)
        }
        Change::Add { table, key, value } => add(text, &style, find(table)?.0, table, key, value),
    }
}

fn insert_block(text: &str, style: &Style, items: &[Node], dashes: &[usize], index: usize, value: &Value) -> Splice {
    let first = dashes[0];
    let column = first - line_start(text, first);
    let entry = format!("- {}", style.item(value, column + 2));
    let blanks = " ".repeat(column);
    let starts_line = |dash: usize| text[line_start(text, dash)..dash].trim().is_empty();
    let airy = dashes.len() > 1
        && dashes[1..]
            .iter()
            .all(|dash| blank_above(text, above_comments(text, *dash, "#")));
    let gap = if airy { "\n" } else { "" };
    match dashes.get(index) {
        Some(dash) if starts_line(*dash) => Splice::lines(
            text,
            above_comments(text, *dash, "#"),
            &format!("{blanks}{entry}\n{gap}"),
        ),
        Some(dash) => Splice::insert(*dash, format!("{entry}\n{gap}{blanks}")),
        None => {
            let last = items
                .last()
                .map_or(first, |item| item.last_letter(text))
                .max(dashes[dashes.len() - 1]);
            Splice::lines(
                text,
                block_end(text, last, column, false),
                &format!("{gap}{blanks}{entry}\n"),
            )
        }
    }
}

/// Gives a value that is not a block another one; an empty one may become a block. `key` is the column of its key in a block table.
fn replace(
    text: &str,
    style: &Style,
    node: &Node,
    key: Option<usize>,
    value: &Value,
    at: &[&str],
) -> Result<Vec<Splice>, Fault> {
    let empty = node.range.is_empty() || matches!(&node.kind, Kind::List { items, dashes: None } if items.is_empty());
    let composite = matches!(value, Value::Array(items) if !items.is_empty())
        || matches!(value, Value::Object(map) if !map.is_empty());
    if let Some(column) = key.filter(|_| empty && composite) {
        let blanks_before = text[..node.range.start].len() - text[..node.range.start].trim_end_matches(' ').len();
        let range = node.range.start - blanks_before..node.range.end;
        return Ok(vec![Splice {
            range,
            text: style.below_key(value, column),
        }]);
    }
    match node.kind {
        Kind::List { dashes: Some(_), .. } | Kind::Table { flow: false, .. } => Err(Fault::Unwritable {
            at: at.join("."),
            why: "it is a block; name a key in it".to_owned(),
        }),
        Kind::List { .. } | Kind::Table { .. } | Kind::Scalar(_) | Kind::Alias(_) => {
            let gap = if node.range.is_empty() && !text[..node.range.start].ends_with([' ', '\n']) {
                " "
            } else {
                ""
            };
            let end = node.range.start + text[node.range.clone()].trim_end().len();
            Ok(vec![Splice {
                range: node.range.start..end,
                text: format!("{gap}{}", write::flow(value)),
            }])
        }
    }
}

fn add(text: &str, style: &Style, node: &Node, table: &[&str], key: &str, value: &Value) -> Result<Vec<Splice>, Fault> {
    match &node.kind {
        Kind::Table { entries, flow: true } => {
            let items = entries
                .iter()
                .map(|(key, value)| key.range.start..value.range.end.max(key.range.end))
                .collect();
            Ok(flow(text, node, items).insert(entries.len(), |_| {
                format!("{}: {}", write::key(key), write::flow(value))
            }))
        }
        Kind::Table { entries, flow: false } => {
            let (Some((first, _)), Some((last, inner))) = (entries.first(), entries.last()) else {
                return Err(written_elsewhere(table));
            };
            let column = first.range.start - line_start(text, first.range.start);
            let from = inner.last_letter(text).max(last.range.start);
            let at = block_end(text, from, column, matches!(inner.kind, Kind::List { .. }));
            Ok(vec![Splice::lines(
                text,
                at,
                &format!("{}{}\n", " ".repeat(column), style.entry(key, value, column)),
            )])
        }
        // An empty file.
        Kind::Scalar(Value::Null) if table.is_empty() => Ok(vec![Splice::lines(
            text,
            text.len(),
            &format!("{}\n", style.entry(key, value, 0)),
        )]),
        Kind::List { .. } | Kind::Scalar(_) | Kind::Alias(_) => Err(written_elsewhere(table)),
    }
}

fn flow<'t>(text: &'t str, node: &Node, items: Vec<Range<usize>>) -> Flow<'t> {
    Flow {
        text,
        inner: node.range.start + 1..node.range.end - 1,
        items,
        comment: "#",
        first: First::SameLine(""),
    }
}

/// Where the lines end that belong to a block with its last known letter at `from`: further in than `column`, or dashes at it.
fn block_end(text: &str, from: usize, column: usize, dashes: bool) -> usize {
    let mut end = next_line(text, from);
    let mut at = end;
    while at < text.len() {
        let next = next_line(text, at);
        let line = text[at..next].trim_end();
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let dash = dashes && blanks == column && (line.trim() == "-" || line.trim_start().starts_with("- "));
        if !line.is_empty() {
            if blanks <= column && !dash {
                break;
            }
            end = next;
        }
        at = next;
    }
    end
}

fn written_elsewhere(at: &[&str]) -> Fault {
    Fault::Unwritable {
        at: at.join("."),
        why: "it is written elsewhere in the file, by an alias".to_owned(),
    }
}
