//! Looking at more: the read calls that a harness could make and does not.

use super::needed::Argument;
use super::observation::{Moment, Snapshot};
use super::template::fill;
use super::write::{without_empty, write_argument};
use super::{Brief, Example};
use crate::config::{Observe, Recipe};
use crate::edit::{self, Edit, Position};
use crate::harness::{FileChange, Harness};
use crate::trace::Effect;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The tools that the harness looks at, or can be made to look at.
pub(super) fn within_sight(brief: &Brief<'_>, recipe: &Recipe) -> BTreeSet<String> {
    let unseen = readable(&brief.base)
        .into_iter()
        .filter(|tool| observation(brief, recipe, tool).is_some());
    brief.watched.iter().cloned().chain(unseen).collect()
}

/// The incumbent with a read call for everything it could look at and does not; `None` when there is nothing such.
pub(super) fn look_wider(brief: &Brief<'_>, recipe: &Recipe) -> Option<Harness> {
    let unseen = readable(&brief.base)
        .into_iter()
        .filter(|tool| !brief.watched.contains(tool));
    let edits: Vec<Edit> = unseen.filter_map(|tool| observation(brief, recipe, &tool)).collect();
    with_edits(brief, recipe, &edits)
}

/// The incumbent with every read call it can make once more at its end.
pub(super) fn look_again(brief: &Brief<'_>, recipe: &Recipe) -> Option<Harness> {
    let tools = readable(&brief.base).into_iter();
    let edits: Vec<Edit> = tools.filter_map(|tool| read_again(brief, recipe, &tool)).collect();
    with_edits(brief, recipe, &edits)
}

fn with_edits(brief: &Brief<'_>, recipe: &Recipe, edits: &[Edit]) -> Option<Harness> {
    if edits.is_empty() {
        return None;
    }
    let before = brief.harness.get(&recipe.file)?;
    let text = edits
        .iter()
        .try_fold(before.to_owned(), |text, edit| edit::apply(&recipe.file, &text, edit))
        .ok()?;
    Some(brief.harness.with(&[FileChange {
        path: recipe.file.clone(),
        text: Some(text),
    }]))
}

/// The edit that makes the harness call a read tool at its end, always.
pub(super) fn read_again(brief: &Brief<'_>, recipe: &Recipe, tool: &str) -> Option<Edit> {
    let values = BTreeMap::from([
        ("tool", json!(tool)),
        ("arguments", read_arguments(brief, recipe, tool)?),
    ]);
    let call = without_empty(fill(recipe.call.as_ref()?, &values));
    let values = BTreeMap::from([
        ("title", json!(format!("look again: {}", tool.replace('_', " ")))),
        ("conditions", json!([])),
        ("calls", json!([call])),
        ("say", Value::Null),
    ]);
    let value = without_empty(fill(&recipe.entry, &values));
    Some(Edit::Append {
        at: recipe.at.clone(),
        value,
        position: Position::End,
    })
}

fn readable(examples: &[Example<'_>]) -> BTreeSet<String> {
    let tools = examples.iter().flat_map(|example| &example.trace.tools);
    tools
        .filter(|tool| tool.effect == Effect::Read)
        .map(|tool| tool.name.clone())
        .collect()
}

/// The edit that makes the diagnosis call a read tool, if all its required arguments are known.
pub(super) fn observation(brief: &Brief<'_>, recipe: &Recipe, tool: &str) -> Option<Edit> {
    let observe = recipe.observe.as_ref()?;
    let values = BTreeMap::from([
        ("tool", json!(tool)),
        ("arguments", read_arguments(brief, recipe, tool)?),
    ]);
    Some(Edit::Append {
        at: observe.at.clone(),
        value: without_empty(fill(&observe.entry, &values)),
        position: Position::End,
    })
}

fn read_arguments(brief: &Brief<'_>, recipe: &Recipe, tool: &str) -> Option<Value> {
    let observe = recipe.observe.as_ref()?;
    let spec = brief
        .base
        .iter()
        .flat_map(|example| &example.trace.tools)
        .find(|spec| spec.name == tool)?;
    let pairs = spec
        .required
        .iter()
        .map(|name| Some((name.clone(), observation_argument(brief, recipe, observe, name)?)));
    pairs
        .collect::<Option<serde_json::Map<String, Value>>>()
        .map(Value::Object)
}

/// A constant that the recipe gives, else a field of the same name in a result that every run has, else the only value that any
/// expected action gives to an argument of this name.
fn observation_argument(brief: &Brief<'_>, recipe: &Recipe, observe: &Observe, name: &str) -> Option<Value> {
    if let Some(constant) = observe.arguments.get(name) {
        return Some(constant.clone());
    }
    let fields = |example: &Example<'_>| -> BTreeSet<(String, String)> {
        let snapshot = Snapshot::of(example.trace, Moment::End);
        let named = snapshot
            .fields()
            .filter(|(_, path, _)| path.rsplit('.').next() == Some(name));
        named
            .map(|(tool, path, _)| (tool.to_owned(), path.to_owned()))
            .collect()
    };
    let mut shared = brief.base.iter().map(fields);
    let first = shared.next().unwrap_or_default();
    let common = shared.fold(first, |all, here| all.intersection(&here).cloned().collect());
    if let Some((tool, path)) = common.into_iter().min_by_key(|(_, path)| path.len()) {
        return Some(write_argument(recipe, &Argument::Reference(tool, path)));
    }
    let expected = brief.base.iter().filter_map(|example| example.trace.expected.as_ref());
    let values: Vec<&Value> = expected
        .flat_map(|e| &e.actions)
        .filter_map(|action| action.arguments.get(name))
        .collect();
    values
        .windows(2)
        .all(|pair| pair[0] == pair[1])
        .then(|| values.first().map(|&value| value.clone()))
        .flatten()
}
