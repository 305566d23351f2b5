//! Few-shot bootstrapping: train runs that passed become examples in the harness, chosen for what they cover and how short they are.
//!
//! A run is its own proof that the agent can do it, so its trajectory shows the form that works (Khattab and others, "`DSPy`: Compiling declarative
//! language model calls into self-improving pipelines", 2023, `BootstrapFewShot`). Only tasks that never failed are shown: those that did are the
//! cases that judge a change, and the answer of a case in the harness would be cheating. `candidate/check` holds for examples as for anything else.

use super::draft::{Draft, finish};
use super::select::{Item, Selection, Target, select};
use super::template::{fill, uses_any};
use super::write::without_empty;
use super::{Brief, Example};
use crate::candidate::Candidate;
use crate::candidate::check::objection;
use crate::config::Recipe;
use crate::edit::{self, Edit, Position, held};
use crate::harness::FileChange;
use crate::redact::holds_placeholder;
use crate::trace::{Role, Step, ToolCall};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// From so many characters on, an answer is a text of its own and no kind of answer.
const KIND: usize = 40;
/// What a failing task of another cluster counts beside one of the cluster's own.
const OTHER: f64 = 0.25;
/// What a task that passes counts beside one that fails: what comes next may be like it.
const PASSING: f64 = 0.1;

/// What a set of examples should lie near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// All that fails.
    All,
    /// The cluster's own tasks first.
    Cluster,
}

/// A run as the harness would show it.
struct Shown {
    item: Item,
    entry: Value,
}

/// Sets of examples: as many as there is room for, half of them, a quarter; near everything that fails, and near the cluster.
pub(super) fn candidates(brief: &Brief<'_>, recipe: &Recipe) -> Vec<Candidate> {
    let (Some(limits), Some(text)) = (recipe.few_shot, brief.harness.get(&recipe.file)) else {
        return Vec::new();
    };
    let there = match held(&recipe.file, text, &recipe.at) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    };
    let room = limits.most.saturating_sub(there.len());
    let fits = |shown: &Shown| {
        shown.item.length <= limits.length
            && !there.contains(&shown.entry)
            && !holds_placeholder(&shown.entry.to_string())
            && is_honest(brief, recipe, &shown.entry)
    };
    let pool: Vec<Shown> = brief
        .shown
        .iter()
        .filter_map(|example| shown(recipe, example))
        .filter(fits)
        .collect();
    let known: Vec<String> = there.iter().map(words).collect();
    let items: Vec<Item> = pool.iter().map(|shown| shown.item.clone()).collect();
    let (whole, half, quarter) = (room, room.div_ceil(2), room.div_ceil(4));
    let sets = [
        (whole, Aim::All),
        (half, Aim::Cluster),
        (whole, Aim::Cluster),
        (half, Aim::All),
        (quarter, Aim::Cluster),
    ];
    let mut seen = BTreeSet::new();
    let candidate = |(size, aim): (usize, Aim)| {
        let picked = select(&items, &targets(brief, aim), &known, size);
        drafted(brief, recipe, &pool, &picked, aim)
    };
    let made = sets.into_iter().filter(|(size, _)| *size > 0).filter_map(candidate);
    made.filter(|candidate| seen.insert(candidate.id.clone())).collect()
}

fn drafted(brief: &Brief<'_>, recipe: &Recipe, pool: &[Shown], picked: &Selection, aim: Aim) -> Option<Candidate> {
    let n = picked.items.len();
    let append = |at: &usize| Edit::Append {
        at: recipe.at.clone(),
        value: pool[*at].entry.clone(),
        position: Position::End,
    };
    let own = |example: &Example<'_>| {
        brief
            .cluster
            .members
            .values()
            .any(|member| member.task == *example.task)
    };
    let needed = brief.base.iter().enumerate().filter(|(_, example)| own(example));
    let runs = if n == 1 { "run that passed" } else { "runs that passed" };
    let draft = Draft {
        edits: picked.items.iter().map(append).collect(),
        title: format!("Show {n} {runs} as examples in `{}`", recipe.file),
        hypothesis: format!(
            "The agent does these tasks; shown how, it may do those that are like them. The examples show {} of answers; to the tasks seen so far, the nearest one lies at {:.2} (mean cosine, those that fail count most; 1 is the same). None of their tasks ever failed, so none is a case. The gates decide.",
            crate::mine::text::counted(picked.classes, "kind"),
            picked.near,
        ),
        needed: needed.map(|(at, _)| at).collect(),
        parameters: format!("n={n}, near={}", if aim == Aim::All { "all" } else { "cluster" }),
    };
    (n > 0).then(|| finish(brief, recipe, draft)).flatten()
}

/// Whether the entry alone would pass the check: one that does not would make the whole set invalid.
fn is_honest(brief: &Brief<'_>, recipe: &Recipe, entry: &Value) -> bool {
    let append = Edit::Append {
        at: recipe.at.clone(),
        value: entry.clone(),
        position: Position::End,
    };
    let text = brief.harness.get(&recipe.file).unwrap_or_default();
    edit::apply(&recipe.file, text, &append).is_ok_and(|text| {
        let change = FileChange {
            path: recipe.file.clone(),
            text: Some(text),
        };
        objection(brief.harness, &[change], brief.policy, brief.guarded).is_none()
    })
}

/// What fails, with its weight; and a little what passes, so that the examples stand for all that comes.
fn targets(brief: &Brief<'_>, aim: Aim) -> Vec<Target> {
    let own: BTreeSet<_> = brief.cluster.members.values().map(|member| &member.task).collect();
    let target = |example: &Example<'_>, weight| Target {
        text: input(&example.trace.steps),
        weight,
    };
    let failing = brief.base.iter().filter(|example| !example.passed).map(|example| {
        let other = aim == Aim::Cluster && !own.contains(example.task);
        target(example, if other { OTHER } else { 1.0 })
    });
    failing
        .chain(brief.shown.iter().map(|example| target(example, PASSING)))
        .collect()
}

/// A run in the form of the recipe; `None` when it has not what the form asks for.
fn shown(recipe: &Recipe, example: &Example<'_>) -> Option<Shown> {
    let steps = &example.trace.steps;
    let calls: Vec<&ToolCall> = of(steps, Role::Assistant).flat_map(|step| &step.tool_calls).collect();
    let input = input(steps);
    let output = of(steps, Role::Assistant)
        .map(|step| step.content.trim())
        .rfind(|said| !said.is_empty())
        .unwrap_or_default();
    let only = match calls.as_slice() {
        [call] => Some(*call),
        _ => None,
    };
    let uses = |names: &[&str]| uses_any(&recipe.entry, names);
    let lacks = input.is_empty()
        || (uses(&["output"]) && output.is_empty())
        || (uses(&["tool", "arguments"]) && only.is_none())
        || (uses(&["calls"]) && calls.is_empty());
    if lacks {
        return None;
    }
    let arguments = |call: &ToolCall| Value::Object(call.arguments.clone());
    let written = |call: &&ToolCall| {
        let values = BTreeMap::from([("tool", json!(call.name)), ("arguments", arguments(call))]);
        recipe
            .call
            .as_ref()
            .map(|template| without_empty(fill(template, &values)))
    };
    let values = BTreeMap::from([
        ("input", json!(input)),
        ("output", json!(output)),
        ("tool", json!(only.map(|call| &call.name))),
        ("arguments", only.map_or(Value::Object(Map::new()), arguments)),
        ("calls", calls.iter().filter_map(written).collect()),
    ]);
    let entry = without_empty(fill(&recipe.entry, &values));
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    let class = match names.is_empty() && output.chars().count() < KIND {
        true => output.to_owned(),
        false => names.join(" "),
    };
    let length = entry.to_string().chars().count();
    Some(Shown {
        item: Item {
            text: input,
            class,
            length,
        },
        entry,
    })
}

/// What the person said.
fn input(steps: &[Step]) -> String {
    let said: Vec<&str> = of(steps, Role::User)
        .map(|step| step.content.trim())
        .filter(|said| !said.is_empty())
        .collect();
    said.join("\n")
}

fn of(steps: &[Step], role: Role) -> impl DoubleEndedIterator<Item = &Step> {
    steps.iter().filter(move |step| step.role == role)
}

/// All texts of an entry.
fn words(entry: &Value) -> String {
    match entry {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("\n"),
        Value::Object(map) => map.values().map(words).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}
