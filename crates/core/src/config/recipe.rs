//! `[[recipe]]`: each one checked on its own, against the others, and against what a candidate may change.

use super::convert::{Mistake, anything, choice, listed, text, wrong_type};
use super::knob;
use super::placeholder::{self, CALL, ENTRY, EXAMPLE, FIELD, LINE, PHRASE, REFERENCE};
use super::reader::Reader;
use super::{ConditionTemplates, Observe, Recipe, RecipeOp};
use crate::edit::{Format, Position};
use crate::harness::PathPolicy;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::de::DeValue;

/// All recipes in order. Without a policy nobody knows which files they may edit.
pub(super) fn read_all(file: &Reader<'_>, policy: Option<&PathPolicy>) -> Vec<Recipe> {
    let names = RefCell::new(BTreeSet::new());
    file.tables("recipe", |table| {
        let recipe = read(table);
        if !recipe.name.is_empty() && !names.borrow_mut().insert(recipe.name.clone()) {
            table.problem(
                "name",
                Mistake::new(
                    format!("is \"{}\", as that of a recipe above", recipe.name),
                    "give each recipe its own name",
                ),
            );
        }
        check_file(table, &recipe, policy);
        recipe
    })
}

fn read(table: &Reader<'_>) -> Recipe {
    table.require(
        "name",
        "write what the recipe does, such as name = \"add the missing step\"",
    );
    table.require(
        "mechanisms",
        "write which ones it answers to: mechanisms = [\"missing_action\"], or [\"*\"] for every one",
    );
    table.require(
        "file",
        "write which harness file it edits, such as file = \"agent/workflow.toml\"",
    );
    table.require("op", "write op = \"append\", \"set\", \"knob\" or \"few_shot\"");
    let op = table.one("op", choice(OPS));
    let placeholders = match op {
        Some(RecipeOp::FewShot) => EXAMPLE,
        _ => ENTRY,
    };
    let recipe = Recipe {
        name: table.one("name", text).unwrap_or_default(),
        mechanisms: table.some("mechanisms", text).unwrap_or_default(),
        file: table.one("file", text).unwrap_or_default(),
        op: op.unwrap_or(RecipeOp::Append),
        at: table.one("at", place).unwrap_or_default(),
        entry: table.one("entry", template(placeholders)).unwrap_or(Value::Null),
        positions: table
            .some("positions", choice(POSITIONS))
            .unwrap_or_else(|| vec![Position::End]),
        values: table.some("values", anything).unwrap_or_default(),
        call: table.one("call", template(CALL)),
        reference: table.one("reference", reference),
        condition: table.table("condition", conditions),
        observe: table.has("observe").then(|| table.table("observe", observe)),
        knob: knob::knob(table, op == Some(RecipeOp::Knob)),
        few_shot: Some(knob::few_shot(table)).filter(|_| op == Some(RecipeOp::FewShot)),
    };
    if let Some(op) = op {
        let meaningless = KEYS.iter().filter(|(_, ops)| !ops.contains(&op));
        meaningless.for_each(|(key, _)| unused(table, key, &format!("op \"{}\"", word(op))));
    }
    match op {
        Some(RecipeOp::Append) => check_append(table, &recipe),
        Some(RecipeOp::Set) => check_set(table, &recipe),
        Some(RecipeOp::Knob) => check_keyed(table, &recipe),
        Some(RecipeOp::FewShot) => check_few_shot(table, &recipe),
        None => {}
    }
    recipe
}

const OPS: &[(&str, Option<RecipeOp>)] = &[
    ("append", Some(RecipeOp::Append)),
    ("set", Some(RecipeOp::Set)),
    ("knob", Some(RecipeOp::Knob)),
    ("few_shot", Some(RecipeOp::FewShot)),
];

/// The keys that have a meaning for some operations alone.
const KEYS: &[(&str, &[RecipeOp])] = &[
    ("entry", &[RecipeOp::Append, RecipeOp::FewShot]),
    ("call", &[RecipeOp::Append, RecipeOp::FewShot]),
    ("positions", &[RecipeOp::Append]),
    ("reference", &[RecipeOp::Append]),
    ("condition", &[RecipeOp::Append]),
    ("observe", &[RecipeOp::Append]),
    ("values", &[RecipeOp::Set]),
    ("type", &[RecipeOp::Knob]),
    ("range", &[RecipeOp::Knob]),
    ("choices", &[RecipeOp::Knob]),
    ("most", &[RecipeOp::FewShot]),
    ("length", &[RecipeOp::FewShot]),
];

fn word(op: RecipeOp) -> &'static str {
    let named = OPS.iter().find(|(_, meaning)| *meaning == Some(op));
    named.map_or("", |(word, _)| word)
}

const POSITIONS: &[(&str, Option<Position>)] = &[
    ("start", Some(Position::Start)),
    ("before_last", Some(Position::BeforeLast)),
    ("end", Some(Position::End)),
];

fn conditions(table: &Reader<'_>) -> ConditionTemplates {
    ConditionTemplates {
        line: table.one("line", template(LINE)),
        no_line: table.one("no_line", template(LINE)),
        field: table.one("field", template(FIELD)),
        at_least: table.one("at_least", template(FIELD)),
        at_most: table.one("at_most", template(FIELD)),
        phrase: table.one("phrase", template(PHRASE)),
    }
}

fn observe(table: &Reader<'_>) -> Observe {
    table.require("at", "write the list to append to, such as at = \"diagnose\"");
    table.require(
        "entry",
        "write how one look is written, such as entry = { tool = \"{tool}\", args = \"{arguments}\" }",
    );
    let arguments = table.one("arguments", |value| match anything(value)? {
        Value::Object(map) => Ok(map),
        _ => Err(wrong_type(
            value,
            "a table",
            "the values by argument name, such as { app_name = \"messaging\" }",
        )),
    });
    Observe {
        at: table.one("at", text).unwrap_or_default(),
        entry: table.one("entry", template(CALL)).unwrap_or(Value::Null),
        arguments: arguments.unwrap_or_default().into_iter().collect(),
    }
}

fn check_append(table: &Reader<'_>, recipe: &Recipe) {
    check_entry(table, recipe);
    let uses = |name: &str| placeholder::used(&recipe.entry).iter().any(|used| used == name);
    if uses("conditions") && recipe.condition == ConditionTemplates::default() && !table.has("condition") {
        table.problem("entry", Mistake::new("uses `{conditions}`, but the recipe does not say how a condition is written", "write [recipe.condition] with at least one of `line`, `no_line`, `field`, `at_least`, `at_most` and `phrase`"));
    }
}

/// What every operation needs that adds entries.
fn check_entry(table: &Reader<'_>, recipe: &Recipe) {
    if !table.has("entry") {
        table.problem(
            "op",
            Mistake::new(
                format!("is \"{}\", but there is no entry to append", word(recipe.op)),
                "write [recipe.entry] with its keys below it, or entry = \"…\"",
            ),
        );
    }
    let used = placeholder::used(&recipe.entry);
    if used.iter().any(|placeholder| placeholder == "calls") && !table.has("call") {
        table.problem(
            "entry",
            Mistake::new(
                "uses `{calls}`, but the recipe does not say how a call is written",
                "write call = { tool = \"{tool}\", args = \"{arguments}\" } in the form of your harness",
            ),
        );
    }
}

/// An example is what was asked and what was done.
fn check_few_shot(table: &Reader<'_>, recipe: &Recipe) {
    check_entry(table, recipe);
    let used = placeholder::used(&recipe.entry);
    let uses = |names: &[&str]| used.iter().any(|placeholder| names.contains(&placeholder.as_str()));
    let shows = uses(&["input"]) && uses(&["output", "tool", "calls"]);
    // An entry with another mistake reads as none.
    if !shows && !recipe.entry.is_null() {
        table.problem(
            "entry",
            Mistake::new(
                "shows no run: it needs `{input}`, and one of `{output}`, `{tool}` and `{calls}`",
                "write entry = { user = \"{input}\", answer = \"{output}\" } in the form of your harness",
            ),
        );
    }
}

fn check_set(table: &Reader<'_>, recipe: &Recipe) {
    if !table.has("values") {
        table.problem(
            "op",
            Mistake::new(
                "is \"set\", but there are no values to try",
                "write values = […], in the order in which they are tried",
            ),
        );
    }
    check_keyed(table, recipe);
}

/// What every operation needs that gives a key a value.
fn check_keyed(table: &Reader<'_>, recipe: &Recipe) {
    if matches!(Format::of(&recipe.file), Some(Format::Jsonl | Format::Markdown)) {
        table.problem(
            "op",
            Mistake::new(
                format!("is \"{}\", but the file has no keys", word(recipe.op)),
                "write op = \"append\", or name a TOML, YAML or JSON file",
            ),
        );
    }
}

fn check_file(table: &Reader<'_>, recipe: &Recipe, policy: Option<&PathPolicy>) {
    if recipe.file.is_empty() {
        return;
    }
    let Some(format) = Format::of(&recipe.file) else {
        let endings = listed(&[".toml", ".yaml", ".yml", ".json", ".jsonl", ".md"]);
        return table.problem(
            "file",
            Mistake::new(
                format!("is \"{}\", whose ending says no format that can be edited", recipe.file),
                format!("name a file that ends in one of {endings}"),
            ),
        );
    };
    if policy.is_some_and(|policy| !policy.allows(&recipe.file)) {
        table.problem(
            "file",
            Mistake::new(
                format!("is \"{}\", which a candidate may not change", recipe.file),
                "name a file under harness.paths that is not protected, or add it to harness.paths",
            ),
        );
    }
    match format {
        Format::Jsonl if !recipe.at.is_empty() => table.problem(
            "at",
            Mistake::new(
                "has no meaning for a JSONL file, which is one list of lines",
                "take it out",
            ),
        ),
        Format::Toml | Format::Yaml | Format::Json if !table.has("at") => {
            table.problem(
                "at",
                Mistake::new("is missing", "write the dotted path in the file, such as at = \"step\""),
            );
        }
        Format::Markdown if table.has("entry") && !recipe.entry.is_string() && !recipe.entry.is_null() => {
            table.problem(
                "entry",
                Mistake::new(
                    "is not a text, but the file is Markdown",
                    "write entry = \"{should}\" or another text",
                ),
            );
        }
        Format::Jsonl | Format::Toml | Format::Yaml | Format::Json | Format::Markdown => {}
    }
}

fn unused(table: &Reader<'_>, key: &str, place: &str) {
    if table.has(key) {
        table.problem(key, Mistake::new(format!("has no meaning for {place}"), "take it out"));
    }
}

fn template(allowed: &'static [&'static str]) -> impl Fn(&DeValue<'_>) -> Result<Value, Mistake> {
    move |value| {
        let template = anything(value)?;
        placeholder::check(&template, allowed).map(|()| template)
    }
}

fn reference(value: &DeValue<'_>) -> Result<String, Mistake> {
    const RIGHT: &str = "write a text with {tool} and {field}, such as \"{{tool}.{field}}\"";
    let written = text(value)?;
    placeholder::check(&Value::String(written.clone()), REFERENCE)?;
    match written.contains("{tool}") && written.contains("{field}") {
        true => Ok(written),
        false => Err(Mistake::new("must say both the tool and the field", RIGHT)),
    }
}

/// An empty place is the whole of a Markdown or JSONL file.
fn place(value: &DeValue<'_>) -> Result<String, Mistake> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| wrong_type(value, "a text", "a dotted path or a heading in quotes"))
}
