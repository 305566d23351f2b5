//! From a recipe to candidates: rank the conditions, fill the template, edit the file.

use super::contrast::{Condition, Terms, conditions};
use super::draft::{self, Draft, edit_id, finish};
use super::look::{look_again, look_wider, observation, read_again, within_sight};
use super::needed::{Argument, Variant, communications, guards, variants};
use super::observation::{Atom, Moment, Snapshot};
use super::past::Past;
use super::template::{fill, uses_any};
use super::write::{
    capitalised, describe_call, position_word, template_of, without_empty, words, write_argument, write_atom,
    write_call,
};
use super::{Brief, Example, Look, few_shot, knob};
use crate::candidate::Candidate;
use crate::config::{Recipe, RecipeOp};
use crate::edit::{Edit, Position};
use crate::harness::Harness;
use crate::mine::lack;
use crate::redact::holds_placeholder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many conditions are tried for one variant of a missing action.
const CONDITIONS: usize = 6;
/// From this J on a condition is as good as the runs on record can tell.
const CLEAR: f64 = 0.95;

/// How many conditions are tried before the next position, or the next recipe, has its first.
const LATER: usize = 2;

/// The placeholders of an entry that stand for something mined.
const MINED: [&str; 3] = ["conditions", "calls", "say"];

/// How titles end of what needs a second look.
const AGAIN: &str = ", after a second look";

/// A change but for its condition.
#[derive(Debug, Clone)]
struct Shape<'a> {
    recipe: &'a Recipe,
    look: Look,
    variant: Variant,
    position: Position,
}

/// One candidate in outline, ranked before it is written.
#[derive(Debug, Clone)]
struct Sketch<'a> {
    shape: Shape<'a>,
    condition: Condition,
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
    let of_op = |op: RecipeOp| recipes.iter().copied().filter(move |recipe| recipe.op == op);
    let mut sketches: Vec<(usize, Sketch<'a>)> = of_op(RecipeOp::Append)
        .enumerate()
        .filter(|(_, recipe)| uses_any(&recipe.entry, &MINED))
        .flat_map(|(order, recipe)| sketches(brief, recipe).into_iter().map(move |sketch| (order, sketch)))
        .collect();
    sketches.sort_by_key(|(order, sketch)| {
        (
            doubt(&sketch.condition),
            sketch.shape.look,
            sketch.rank + LATER * (order + sketch.place),
        )
    });
    let plain_ones: Vec<&'a Recipe> = of_op(RecipeOp::Append).collect();
    let searched: Vec<&'a Recipe> = recipes
        .iter()
        .copied()
        .filter(|recipe| recipe.op != RecipeOp::Append)
        .collect();
    let mined = sketches
        .into_iter()
        .filter_map(move |(_, sketch)| append(brief, &sketch));
    mined
        .chain(plain_ones.into_iter().flat_map(move |recipe| plain(brief, recipe)))
        .chain(std::iter::once_with(move || in_turn(brief, &searched)).flatten())
}

/// Recipes that search take turns: whichever has made the fewest experiments on this harness comes first, so that none waits until another one
/// has tried all that it can.
fn in_turn(brief: &Brief<'_>, recipes: &[&Recipe]) -> Vec<Candidate> {
    let here = brief.harness.id();
    let mut turns = Vec::new();
    for (order, recipe) in recipes.iter().enumerate() {
        let made = brief.past.iter().map(|experiment| &experiment.candidate);
        let made = made
            .filter(|made| made.parent == here && draft::is_by(recipe, made))
            .count();
        let found = match recipe.op {
            RecipeOp::Append => Vec::new(),
            RecipeOp::Set => recipe
                .values
                .iter()
                .filter_map(|value| set(brief, recipe, value))
                .collect(),
            RecipeOp::Knob => knob::candidates(brief, recipe),
            RecipeOp::FewShot => few_shot::candidates(brief, recipe),
        };
        let untried = found
            .into_iter()
            .filter(|candidate| !brief.tried.contains(&candidate.id));
        turns.extend(
            untried
                .enumerate()
                .map(|(rank, candidate)| (made + rank, order, candidate)),
        );
    }
    turns.sort_by_key(|(turn, order, _)| (*turn, *order));
    turns.into_iter().map(|(.., candidate)| candidate).collect()
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
    let past = Past::of(brief, recipe);
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
                let variant = variant.clone();
                let shape = Shape {
                    recipe,
                    look,
                    variant,
                    position,
                };
                let found = conditions_for(brief, &past, &shape);
                out.extend(found.into_iter().enumerate().map(|(rank, condition)| Sketch {
                    shape: shape.clone(),
                    condition,
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
    match lack(&brief.cluster.mechanism).rule.as_str() {
        "missing_action" => variants(&brief.cluster.mechanism.subject, examples),
        "extra_write" => guards(&brief.cluster.mechanism.subject, examples),
        "unmet_communication" => communications(examples),
        _ => Vec::new(),
    }
}

/// For a recipe that asks for nothing mined (a rule for a prompt, say): its entry with the words of the cluster's likeliest cause.
fn plain<'a>(brief: &'a Brief<'a>, recipe: &'a Recipe) -> impl Iterator<Item = Candidate> + use<'a> {
    let wanted = brief.cause.filter(|_| !uses_any(&recipe.entry, &MINED));
    let places = wanted
        .into_iter()
        .flat_map(|cause| recipe.positions.iter().map(move |position| (cause, *position)));
    places.filter_map(move |(cause, position)| {
        let values = BTreeMap::from([
            ("title", json!(brief.cluster.title)),
            ("tool", json!(brief.cluster.mechanism.subject)),
            ("finding", json!(cause.finding)),
            ("should", json!(cause.should)),
        ]);
        let value = without_empty(fill(&recipe.entry, &values));
        // What was taken out of the traces is not known here, and no agent could do anything with `[email-1]`.
        if holds_placeholder(&value.to_string()) {
            return None;
        }
        let hypothesis = format!(
            "The harness does not say so yet: {}. No run has shown the change; the gates decide.",
            cause.should
        );
        let draft = Draft {
            edits: vec![Edit::Append {
                at: recipe.at.clone(),
                value,
                position,
            }],
            title: format!("Add to `{}` of `{}`: {}", recipe.at, recipe.file, cause.should),
            hypothesis,
            needed: Vec::new(),
            parameters: format!("position={}", position_word(position)),
        };
        finish(brief, recipe, draft)
    })
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
fn conditions_for(brief: &Brief<'_>, past: &Past<'_>, shape: &Shape<'_>) -> Vec<Condition> {
    let Shape {
        recipe,
        look,
        variant,
        position,
    } = shape;
    let examples = examples(brief, *look).unwrap_or_default();
    let moment = if *position == Position::Start {
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
        template_of(&recipe.condition, atom).is_some()
            && atom.tool().is_none_or(|tool| in_sight.contains(tool))
            // Nobody's address or number is a reason to act.
            && !atom.holds_placeholder()
    };
    let about: String = variant
        .calls
        .iter()
        .map(describe_call)
        .chain([variant.does()])
        .collect();
    let (needed, not_needed) = (snapshots(&variant.needed), snapshots(&variant.not_needed));
    let tried = |atoms: &[Atom]| {
        past.of_change(&title(shape, atoms), || {
            let elsewhere = recipe.positions.iter().filter(|place| *place != position);
            let places = [*position].into_iter().chain(elsewhere.copied());
            let at = |position| {
                let shape = Shape {
                    position,
                    ..shape.clone()
                };
                Some(edit_id(recipe, &edits(brief, &shape, atoms)?, &brief.harness.id()))
            };
            places.filter_map(at).collect()
        })
    };
    let terms = Terms {
        about: &about,
        usable: &writable,
        tried: &tried,
    };
    let found = conditions(&needed, &not_needed, &terms, CONDITIONS);
    let doubtful = found.telling.first().is_none_or(|best| best.j < CLEAR);
    let always = found.always.filter(|_| *look == Look::Wider && doubtful);
    found.telling.into_iter().chain(always).collect()
}

/// What a change does, and when.
fn title(shape: &Shape<'_>, atoms: &[Atom]) -> String {
    let does = capitalised(&shape.variant.does());
    format!("{does}{}{}", words(atoms), again(shape))
}

fn again(shape: &Shape<'_>) -> &'static str {
    if shape.look == Look::Again { AGAIN } else { "" }
}

fn append(brief: &Brief<'_>, sketch: &Sketch<'_>) -> Option<Candidate> {
    let Sketch { shape, condition, .. } = sketch;
    let variant = &shape.variant;
    let hypothesis = format!(
        "The action was needed in {} of the train runs on record and not in {}. {} of the former and {} of the latter show this condition.",
        variant.needed.len(),
        variant.not_needed.len(),
        condition.hits,
        condition.false_alarms
    );
    let draft = Draft {
        edits: edits(brief, shape, &condition.atoms)?,
        title: title(shape, &condition.atoms),
        hypothesis,
        needed: variant.needed.clone(),
        parameters: format!(
            "position={}, facts={}{}",
            position_word(shape.position),
            condition.atoms.len(),
            again(shape)
        ),
    };
    finish(brief, shape.recipe, draft)
}

/// The entry, and what lets the harness see what it is about.
fn edits(brief: &Brief<'_>, shape: &Shape<'_>, atoms: &[Atom]) -> Option<Vec<Edit>> {
    let Shape {
        recipe,
        variant,
        position,
        ..
    } = shape;
    let mut edits = looking(brief, shape, atoms)?;
    let conditions: Option<Vec<Value>> = atoms.iter().map(|atom| write_atom(&recipe.condition, atom)).collect();
    let calls: Vec<Value> = variant
        .calls
        .iter()
        .filter_map(|call| write_call(recipe, call))
        .collect();
    let name = format!("{}{}", variant.does(), words(atoms));
    let say = variant.say.as_ref();
    let values = BTreeMap::from([
        ("title", json!(name.replace('`', "").replace('_', " "))),
        ("conditions", Value::Array(conditions?)),
        ("calls", Value::Array(calls)),
        ("say", say.map_or(Value::Null, |say| write_argument(recipe, say))),
    ]);
    edits.push(Edit::Append {
        at: recipe.at.clone(),
        value: without_empty(fill(&recipe.entry, &values)),
        position: *position,
    });
    Some(edits)
}

/// The edits that let the harness see what the condition and the arguments are about.
fn looking(brief: &Brief<'_>, shape: &Shape<'_>, atoms: &[Atom]) -> Option<Vec<Edit>> {
    let recipe = shape.recipe;
    let referenced = referenced_tools(&shape.variant).filter(|tool| !brief.watched.contains(*tool));
    let tested = atoms.iter().filter_map(Atom::tool);
    match shape.look {
        Look::Wider => {
            let unseen = tested.filter(|tool| !brief.watched.contains(*tool));
            let tools: BTreeSet<&str> = unseen.chain(referenced).collect();
            tools.into_iter().map(|tool| observation(brief, recipe, tool)).collect()
        }
        Look::Again => {
            let again = tested
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|tool| read_again(brief, recipe, tool));
            referenced
                .map(|tool| observation(brief, recipe, tool))
                .chain(again)
                .collect()
        }
    }
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
