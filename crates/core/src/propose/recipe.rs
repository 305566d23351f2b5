//! From a recipe to candidates: mine the condition, bind the arguments, fill the template, edit the file.

use super::contrast::{Condition, conditions};
use super::needed::{Argument, NeededCall, Variant, communications, variants};
use super::observation::{Atom, Moment, Snapshot, number_json};
use super::template::fill;
use super::{Brief, Example, Look};
use crate::candidate::Candidate;
use crate::config::{ConditionTemplates, Observe, Recipe, RecipeOp};
use crate::edit::{self, Edit, Position};
use crate::harness::{FileChange, Harness};
use crate::hash;
use crate::id::CandidateId;
use crate::trace::Effect;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many conditions are tried for one variant of a missing action.
const CONDITIONS: usize = 6;
/// From this J on a condition is as good as the runs on record can tell.
const CLEAR: f64 = 0.95;

/// How many conditions are tried before the next position, or the next recipe, has its first.
const LATER: usize = 2;

/// One candidate in outline, ranked before it is written.
#[derive(Debug, Clone)]
struct Sketch<'a> {
    recipe: &'a Recipe,
    look: Look,
    variant: Variant,
    condition: Condition,
    position: Position,
    /// Its place among the conditions of its variant.
    rank: usize,
    /// Its place among the positions of its recipe.
    place: usize,
}

/// All candidates for the brief's cluster, the most promising first: clear conditions before doubtful ones, then the recipes' order.
pub(super) fn candidates<'a>(
    brief: &'a Brief<'a>,
    recipes: &[&'a Recipe],
) -> impl Iterator<Item = Candidate> + use<'a> {
    let appends = recipes.iter().filter(|recipe| recipe.op == RecipeOp::Append);
    let mut sketches: Vec<(usize, Sketch<'a>)> = appends
        .enumerate()
        .flat_map(|(order, recipe)| sketches(brief, recipe).into_iter().map(move |sketch| (order, sketch)))
        .collect();
    sketches.sort_by_key(|(order, sketch)| {
        (
            doubt(&sketch.condition),
            sketch.look,
            sketch.rank + LATER * (order + sketch.place),
        )
    });
    let knobs: Vec<&'a Recipe> = recipes
        .iter()
        .filter(|recipe| recipe.op == RecipeOp::Set)
        .copied()
        .collect();
    let knobs = knobs
        .into_iter()
        .flat_map(move |recipe| recipe.values.iter().filter_map(move |value| set(brief, recipe, value)));
    sketches
        .into_iter()
        .filter_map(move |(_, sketch)| append(brief, &sketch))
        .chain(knobs)
}

/// What to look at before proposing: first wider; then again, if nothing separates clearly so far.
pub(super) fn explore(brief: &Brief<'_>, recipes: &[&Recipe]) -> Option<(Look, Harness)> {
    if variants_of(brief, &brief.base).is_empty() {
        return None;
    }
    let observing = recipes
        .iter()
        .find(|recipe| recipe.op == RecipeOp::Append && recipe.observe.is_some())?;
    let looks = |look: Look| !brief.looks.contains_key(&look);
    if looks(Look::Wider)
        && let Some(harness) = look_wider(brief, observing)
    {
        return Some((Look::Wider, harness));
    }
    let clear = || {
        sketches(brief, observing)
            .iter()
            .any(|sketch| doubt(&sketch.condition) == 0)
    };
    if looks(Look::Again) && !clear() {
        return look_again(brief, observing).map(|harness| (Look::Again, harness));
    }
    None
}

/// Two facts together separate a few runs by chance far more often than one, so they count as less clear.
fn doubt(condition: &Condition) -> u8 {
    match condition.merit() {
        j if j >= CLEAR => 0,
        j if j >= 0.75 => 1,
        _ => 2,
    }
}

fn sketches<'a>(brief: &'a Brief<'a>, recipe: &'a Recipe) -> Vec<Sketch<'a>> {
    let mut out = Vec::new();
    for look in [Look::Wider, Look::Again] {
        let Some(examples) = examples(brief, look) else {
            continue;
        };
        for variant in variants_of(brief, examples) {
            for (place, &position) in recipe.positions.iter().enumerate() {
                // What is read at the end is known only there.
                if look == Look::Again && position != Position::End {
                    continue;
                }
                let found = conditions_for(brief, recipe, look, &variant, position);
                out.extend(found.into_iter().enumerate().map(|(rank, condition)| Sketch {
                    recipe,
                    look,
                    variant: variant.clone(),
                    condition,
                    position,
                    rank,
                    place,
                }));
            }
        }
    }
    out
}

/// The runs to learn from: those that looked, else (for a wider look that found nothing more to see) those of the incumbent.
fn examples<'a>(brief: &'a Brief<'a>, look: Look) -> Option<&'a [Example<'a>]> {
    match (brief.looks.get(&look), look) {
        (Some(examples), _) => Some(examples),
        (None, Look::Wider) => Some(&brief.base),
        (None, Look::Again) => None,
    }
}

fn variants_of(brief: &Brief<'_>, examples: &[Example<'_>]) -> Vec<Variant> {
    match brief.cluster.mechanism.rule.as_str() {
        "missing_action" => variants(&brief.cluster.mechanism.subject, examples),
        "unmet_communication" => communications(examples),
        _ => Vec::new(),
    }
}

fn set(brief: &Brief<'_>, recipe: &Recipe, value: &Value) -> Option<Candidate> {
    let edit = Edit::Set {
        at: recipe.at.clone(),
        value: value.clone(),
    };
    let title = format!("Set `{}` to {value}", recipe.at);
    let hypothesis = format!(
        "A knob of the harness: \"{}\" may be answered by `{}` = {value}. No run has shown it yet; the gates decide.",
        brief.cluster.title, recipe.at
    );
    finish(
        brief,
        recipe,
        Draft {
            edits: vec![edit],
            title,
            hypothesis,
            needed: Vec::new(),
            parameters: value.to_string(),
        },
    )
}

/// The conditions that this recipe can write, best first; last the empty one, if the mined ones leave room for doubt.
fn conditions_for(
    brief: &Brief<'_>,
    recipe: &Recipe,
    look: Look,
    variant: &Variant,
    position: Position,
) -> Vec<Condition> {
    let examples = examples(brief, look).unwrap_or_default();
    let moment = if position == Position::Start {
        Moment::BeforeWrites
    } else {
        Moment::End
    };
    let snapshots = |indexes: &[usize]| -> Vec<Snapshot<'_>> {
        indexes
            .iter()
            .map(|&at| Snapshot::of(examples[at].trace, moment))
            .collect()
    };
    let in_sight = within_sight(brief, recipe);
    let writable = |atom: &Atom| {
        template_of(&recipe.condition, atom).is_some() && atom.tool().is_none_or(|tool| in_sight.contains(tool))
    };
    let about: String = variant
        .calls
        .iter()
        .map(describe_call)
        .chain([variant.does()])
        .collect();
    let (needed, not_needed) = (snapshots(&variant.needed), snapshots(&variant.not_needed));
    let mut found = conditions(&needed, &not_needed, &about, &writable, CONDITIONS);
    if look == Look::Wider && found.first().is_none_or(|best| best.j < CLEAR) {
        found.push(Condition {
            atoms: Vec::new(),
            hits: needed.len(),
            false_alarms: not_needed.len(),
            j: 0.0,
        });
    }
    found
}

/// The tools that the harness looks at, or can be made to look at.
fn within_sight(brief: &Brief<'_>, recipe: &Recipe) -> BTreeSet<String> {
    let unseen = readable(&brief.base)
        .into_iter()
        .filter(|tool| observation(brief, recipe, tool).is_some());
    brief.watched.iter().cloned().chain(unseen).collect()
}

fn append(brief: &Brief<'_>, sketch: &Sketch<'_>) -> Option<Candidate> {
    let Sketch {
        recipe,
        look,
        variant,
        condition,
        position,
        ..
    } = sketch;
    let mut edits = looking(brief, sketch)?;
    let conditions: Option<Vec<Value>> = condition
        .atoms
        .iter()
        .map(|atom| write_atom(&recipe.condition, atom))
        .collect();
    let calls: Vec<Value> = variant
        .calls
        .iter()
        .filter_map(|call| write_call(recipe, call))
        .collect();
    let when = words(&condition.atoms);
    let does = variant.does();
    let values = BTreeMap::from([
        (
            "title",
            json!(format!("{does}{when}").replace('`', "").replace('_', " ")),
        ),
        ("conditions", Value::Array(conditions?)),
        ("calls", Value::Array(calls)),
        (
            "say",
            variant
                .say
                .as_ref()
                .map_or(Value::Null, |say| write_argument(recipe, say)),
        ),
    ]);
    let value = without_empty(fill(&recipe.entry, &values));
    edits.push(Edit::Append {
        at: recipe.at.clone(),
        value,
        position: *position,
    });
    let hypothesis = format!(
        "The action was needed in {} of the train runs on record and not in {}. {} of the former and {} of the latter show this condition.",
        variant.needed.len(),
        variant.not_needed.len(),
        condition.hits,
        condition.false_alarms
    );
    let again = if *look == Look::Again {
        ", after a second look"
    } else {
        ""
    };
    let draft = Draft {
        edits,
        title: format!("{}{when}{again}", capitalised(&does)),
        hypothesis,
        needed: variant.needed.clone(),
        parameters: format!(
            "position={}, facts={}{again}",
            position_word(*position),
            condition.atoms.len()
        ),
    };
    finish(brief, recipe, draft)
}

/// The edits that let the harness see what the condition and the arguments are about.
fn looking(brief: &Brief<'_>, sketch: &Sketch<'_>) -> Option<Vec<Edit>> {
    let referenced = referenced_tools(&sketch.variant).filter(|tool| !brief.watched.contains(*tool));
    let tested = sketch.condition.atoms.iter().filter_map(Atom::tool);
    match sketch.look {
        Look::Wider => {
            let unseen = tested.filter(|tool| !brief.watched.contains(*tool));
            let tools: BTreeSet<&str> = unseen.chain(referenced).collect();
            tools
                .into_iter()
                .map(|tool| observation(brief, sketch.recipe, tool))
                .collect()
        }
        Look::Again => {
            let again = tested
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|tool| read_again(brief, sketch.recipe, tool));
            referenced
                .map(|tool| observation(brief, sketch.recipe, tool))
                .chain(again)
                .collect()
        }
    }
}

struct Draft {
    edits: Vec<Edit>,
    title: String,
    hypothesis: String,
    needed: Vec<usize>,
    parameters: String,
}

/// Applies the edits. `None` when the file is not there, may not be changed, or would not change.
fn finish(brief: &Brief<'_>, recipe: &Recipe, draft: Draft) -> Option<Candidate> {
    if !brief.policy.allows(&recipe.file) {
        return None;
    }
    let before = brief.harness.get(&recipe.file)?;
    let text = draft
        .edits
        .iter()
        .try_fold(before.to_owned(), |text, edit| edit::apply(&recipe.file, &text, edit))
        .ok()?;
    if text == before {
        return None;
    }
    let changes = vec![FileChange {
        path: recipe.file.clone(),
        text: Some(text),
    }];
    // The looks ran the same tasks in the same order.
    let failing = draft
        .needed
        .iter()
        .filter_map(|&at| brief.base.get(at))
        .filter(|example| !example.passed);
    let mut predicted: Vec<_> = failing.map(|example| example.task.clone()).collect();
    predicted.sort();
    Some(Candidate {
        id: CandidateId::new(&hash::of(&(&recipe.name, &recipe.file, &draft.edits))[..12]),
        cluster: brief.cluster.id.clone(),
        parent: brief.harness.id(),
        title: draft.title,
        hypothesis: draft.hypothesis,
        diff: brief.harness.diff(&brief.harness.with(&changes)),
        changes,
        predicted,
        origin: format!("recipes: {}, {}", recipe.name, draft.parameters),
    })
}

/// The incumbent with a read call for everything it could look at and does not; `None` when there is nothing such.
fn look_wider(brief: &Brief<'_>, recipe: &Recipe) -> Option<Harness> {
    let unseen = readable(&brief.base)
        .into_iter()
        .filter(|tool| !brief.watched.contains(tool));
    let edits: Vec<Edit> = unseen.filter_map(|tool| observation(brief, recipe, &tool)).collect();
    with_edits(brief, recipe, &edits)
}

/// The incumbent with every read call it can make once more at its end.
fn look_again(brief: &Brief<'_>, recipe: &Recipe) -> Option<Harness> {
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
fn read_again(brief: &Brief<'_>, recipe: &Recipe, tool: &str) -> Option<Edit> {
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
fn observation(brief: &Brief<'_>, recipe: &Recipe, tool: &str) -> Option<Edit> {
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

fn referenced_tools(variant: &Variant) -> impl Iterator<Item = &str> {
    let arguments = variant
        .calls
        .iter()
        .flat_map(|call| call.arguments.values())
        .chain(&variant.say);
    arguments.filter_map(|argument| match argument {
        Argument::Reference(tool, _) => Some(tool.as_str()),
        Argument::Constant(_) => None,
    })
}

fn write_call(recipe: &Recipe, call: &NeededCall) -> Option<Value> {
    let arguments: serde_json::Map<String, Value> = call
        .arguments
        .iter()
        .map(|(name, argument)| (name.clone(), write_argument(recipe, argument)))
        .collect();
    let values = BTreeMap::from([("tool", json!(call.tool)), ("arguments", Value::Object(arguments))]);
    recipe
        .call
        .as_ref()
        .map(|template| without_empty(fill(template, &values)))
}

fn write_argument(recipe: &Recipe, argument: &Argument) -> Value {
    match argument {
        Argument::Constant(Value::Number(number)) => number.as_f64().map_or(json!(number), number_json),
        Argument::Constant(value) => value.clone(),
        Argument::Reference(tool, field) => {
            let template = recipe
                .reference
                .clone()
                .unwrap_or_else(|| "{{tool}.{field}}".to_owned());
            fill(
                &Value::String(template),
                &BTreeMap::from([("tool", json!(tool)), ("field", json!(field))]),
            )
        }
    }
}

fn template_of<'a>(templates: &'a ConditionTemplates, atom: &Atom) -> Option<&'a Value> {
    match atom {
        Atom::Line { .. } => templates.line.as_ref(),
        Atom::Lacks { .. } => templates.no_line.as_ref(),
        Atom::Field { .. } => templates.field.as_ref(),
        Atom::AtLeast { .. } => templates.at_least.as_ref(),
        Atom::AtMost { .. } => templates.at_most.as_ref(),
        Atom::Phrase { .. } => templates.phrase.as_ref(),
    }
}

fn write_atom(templates: &ConditionTemplates, atom: &Atom) -> Option<Value> {
    let mut values = BTreeMap::new();
    if let Some(tool) = atom.tool() {
        values.insert("tool", json!(tool));
    }
    match atom {
        Atom::Line { line, .. } | Atom::Lacks { line, .. } => {
            values.insert("line", json!(line));
        }
        Atom::Field { field, value, .. } => {
            values.insert("field", json!(field));
            values.insert("value", value.to_json());
        }
        Atom::AtLeast { field, value, .. } | Atom::AtMost { field, value, .. } => {
            values.insert("field", json!(field));
            values.insert("value", number_json(*value));
        }
        Atom::Phrase { phrase } => {
            values.insert("phrase", json!(phrase));
        }
    }
    template_of(templates, atom).map(|template| fill(template, &values))
}

/// Entries read better without empty tables and lists, and a `null` cannot be written in TOML at all.
fn without_empty(value: Value) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => Value::Object(map.into_iter().filter(|(_, value)| !empty(value)).collect()),
        other => other,
    }
}

fn words(atoms: &[Atom]) -> String {
    let facts: Vec<String> = atoms.iter().map(Atom::describe).collect();
    if facts.is_empty() {
        " always".to_owned()
    } else {
        format!(" when {}", facts.join(" and "))
    }
}

fn describe_call(call: &NeededCall) -> String {
    let constants = call.arguments.values().filter_map(|argument| match argument {
        Argument::Constant(value) => Some(value.to_string()),
        Argument::Reference(..) => None,
    });
    format!("{} {} ", call.tool, constants.collect::<Vec<_>>().join(" "))
}

fn position_word(position: Position) -> &'static str {
    match position {
        Position::Start => "start",
        Position::BeforeLast => "before_last",
        Position::End => "end",
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
