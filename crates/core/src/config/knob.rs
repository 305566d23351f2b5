//! What a recipe searches: the range or the choices of a knob, the number and length of examples.

use super::convert::{Mistake, anything, choice};
use super::read::count;
use super::reader::Reader;
use super::{FewShot, Knob};
use serde_json::{Number, Value};

/// The types of knobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
    Choice,
    Bool,
}

/// The keys of a knob. Nothing is demanded of them when the recipe `is_knob` not.
pub(super) fn knob(table: &Reader<'_>, is_knob: bool) -> Option<Knob> {
    let kind = table.one(
        "type",
        choice(&[
            ("int", Some(Kind::Int)),
            ("float", Some(Kind::Float)),
            ("choice", Some(Kind::Choice)),
            ("bool", Some(Kind::Bool)),
        ]),
    );
    let ends = table.many("range", anything).unwrap_or_default();
    let choices = table.many("choices", anything).unwrap_or_default();
    if !is_knob {
        return None;
    }
    table.require("type", "write type = \"int\", \"float\", \"choice\" or \"bool\"");
    match kind? {
        Kind::Int => range(table, &ends, Number::as_i64).map(|(least, most)| Knob::Int { least, most }),
        Kind::Float => range(table, &ends, Number::as_f64).map(|(least, most)| Knob::Float { least, most }),
        Kind::Choice => chosen(table, choices).map(Knob::Choice),
        Kind::Bool => {
            unused(table, "range", "bool");
            unused(table, "choices", "bool");
            Some(Knob::Choice(vec![Value::Bool(false), Value::Bool(true)]))
        }
    }
}

/// The keys of a list of examples.
pub(super) fn few_shot(table: &Reader<'_>) -> FewShot {
    FewShot {
        most: count(table, "most", 8, 1, 200),
        length: count(table, "length", 600, 20, 100_000),
    }
}

/// Two numbers of one type, the lower first.
fn range<N: PartialOrd + Copy>(
    table: &Reader<'_>,
    ends: &[Value],
    of: impl Fn(&Number) -> Option<N>,
) -> Option<(N, N)> {
    const RIGHT: &str = "write the least and the most, such as range = [1, 16]";
    unused(table, "choices", "int\" or \"float");
    table.require("range", RIGHT);
    let numbers: Option<Vec<N>> = ends.iter().map(|end| end.as_number().and_then(&of)).collect();
    match numbers.as_deref() {
        Some([least, most]) if least < most => Some((*least, *most)),
        _ => {
            if table.has("range") {
                let what = "is not two numbers of the knob's type, the lower first";
                table.problem("range", Mistake::new(what, RIGHT));
            }
            None
        }
    }
}

fn chosen(table: &Reader<'_>, choices: Vec<Value>) -> Option<Vec<Value>> {
    unused(table, "range", "choice");
    table.require(
        "choices",
        "write what may be chosen, such as choices = [\"short\", \"long\"]",
    );
    if choices.len() < 2 && table.has("choices") {
        let fix = "name at least two, or take the recipe out";
        table.problem("choices", Mistake::new("leaves nothing to choose", fix));
    }
    (choices.len() > 1).then_some(choices)
}

fn unused(table: &Reader<'_>, key: &str, kind: &str) {
    if table.has(key) {
        let what = format!("has no meaning for type \"{kind}\"");
        table.problem(key, Mistake::new(what, "take it out"));
    }
}
