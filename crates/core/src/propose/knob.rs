//! Knobs: the next value of a typed parameter, found with few experiments and no grid.
//!
//! What has an order is searched by golden sections (Kiefer, "Sequential minimax search for a maximum", 1953), which need to know only whether a
//! value is better than the one in place, and that is all a verdict says. What has none is drawn by Thompson sampling (Thompson, "On the
//! likelihood that one unknown probability exceeds another", 1933), from what each choice came to on this harness and on earlier ones.

use super::Brief;
use super::draft::{Draft, edit_id, finish};
use crate::candidate::{Candidate, Experiment, Verdict};
use crate::config::{Knob, Recipe};
use crate::edit::{Edit, held};
use crate::gate::stats::draw;
use crate::hash;
use crate::id::{CandidateId, HarnessId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most values between the ends of a range that are told apart.
const POINTS: i32 = 32;
/// From the value in place, so much of the wider side is crossed: the smaller part of a golden section.
const SECTION: f64 = 0.381_966;
/// A choice that fell on so many harnesses, and stood on none, is not tried again.
const FELL: usize = 2;
/// More outcomes of one choice than these change nothing.
const COUNTED: usize = 20;

/// What an experiment said about a value, as coarse as a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was kept.
    Kept,
    /// It did nothing for its cluster. On a harness that has changed since, it may.
    Idle,
    /// It did harm, or too little.
    Fell,
}

/// A value that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tried {
    /// Its index among the values.
    value: usize,
    outcome: Outcome,
    /// Whether that was on the harness in place.
    here: bool,
}

/// The values to try next, the most promising first: one where there is an order, since the second depends on what the first comes to.
pub(super) fn candidates(brief: &Brief<'_>, recipe: &Recipe) -> Vec<Candidate> {
    let (Some(knob), Some(text)) = (&recipe.knob, brief.harness.get(&recipe.file)) else {
        return Vec::new();
    };
    let current = held(&recipe.file, text, &recipe.at);
    let values = values(knob);
    let tried = outcomes(brief, recipe, &values);
    let next = match knob {
        Knob::Choice(_) => drawn(brief, recipe, &values, &tried),
        Knob::Int { .. } | Knob::Float { .. } => {
            let place = current.as_ref().and_then(|current| place(&values, current));
            section(place, &bounds(&tried), values.len()).into_iter().collect()
        }
    };
    let changes = next.into_iter().map(|at| &values[at]);
    changes
        .filter(|value| current.as_ref() != Some(*value))
        .filter_map(|value| turned(brief, recipe, current.as_ref(), value, tried.len()))
        .collect()
}

fn turned(
    brief: &Brief<'_>,
    recipe: &Recipe,
    current: Option<&Value>,
    value: &Value,
    n_tried: usize,
) -> Option<Candidate> {
    let before = current.map_or_else(|| "not set".to_owned(), Value::to_string);
    let so_far = match n_tried {
        0 => "no value was tried before".to_owned(),
        n => format!("chosen from what {n} earlier experiments on this knob came to"),
    };
    let draft = Draft {
        edits: vec![Edit::Set {
            at: recipe.at.clone(),
            value: value.clone(),
        }],
        title: format!("Set `{}` to {value}", recipe.at),
        hypothesis: format!(
            "A knob of the harness: \"{}\" may be answered by `{}` = {value} (it is {before}); {so_far}. The gates decide.",
            brief.cluster.title, recipe.at
        ),
        needed: Vec::new(),
        parameters: value.to_string(),
    };
    finish(brief, recipe, draft)
}

/// All values that are told apart, in order.
fn values(knob: &Knob) -> Vec<Value> {
    match knob {
        Knob::Choice(choices) => choices.clone(),
        Knob::Int { least, most } => {
            let steps = most.saturating_sub(*least).min(i64::from(POINTS)).max(1);
            let span = i128::from(*most) - i128::from(*least);
            let point = |step: i64| i128::from(*least) + (span * i128::from(step)) / i128::from(steps);
            (0..=steps)
                .filter_map(|step| i64::try_from(point(step)).ok())
                .map(Value::from)
                .collect()
        }
        Knob::Float { least, most } => (0..=POINTS)
            .map(|step| json!(rounded(least + (most - least) * f64::from(step) / f64::from(POINTS))))
            .collect(),
    }
}

/// To six digits behind the point, so that people can read it.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// What came of each value. An experiment is known by its id, which is made of the edit and of the harness that it was made on.
fn outcomes(brief: &Brief<'_>, recipe: &Recipe, values: &[Value]) -> Vec<Tried> {
    let here = brief.harness.id();
    let tried = |experiment: &Experiment| {
        let parent = &experiment.candidate.parent;
        let value = values
            .iter()
            .position(|value| experiment.candidate.id == id(recipe, value, parent))?;
        Some(Tried {
            value,
            outcome: outcome(experiment)?,
            here: *parent == here,
        })
    };
    brief.past.iter().filter_map(tried).collect()
}

fn id(recipe: &Recipe, value: &Value, parent: &HarnessId) -> CandidateId {
    let edit = Edit::Set {
        at: recipe.at.clone(),
        value: value.clone(),
    };
    edit_id(recipe, &[edit], parent)
}

/// `None` for what could not be measured.
fn outcome(experiment: &Experiment) -> Option<Outcome> {
    match &experiment.verdict {
        Some((Verdict::Accepted, _)) => Some(Outcome::Kept),
        Some((Verdict::Rejected | Verdict::Invalid, _)) => {
            let card = experiment.cluster_cases.as_ref();
            let idle = card.is_some_and(|card| card.fixed == 0 && card.mechanism_gone == 0 && card.broken == 0);
            Some(if idle { Outcome::Idle } else { Outcome::Fell })
        }
        Some((Verdict::Indecisive, _)) | None => None,
    }
}

/// Values that are known not to be best: those that fell, those that did nothing here, and those that were kept and have been left since.
fn bounds(tried: &[Tried]) -> BTreeSet<usize> {
    let bound = tried.iter().filter(|tried| match tried.outcome {
        Outcome::Kept | Outcome::Fell => true,
        Outcome::Idle => tried.here,
    });
    bound.map(|tried| tried.value).collect()
}

/// Where a value stands between the values, as a fraction of their number.
fn place(values: &[Value], current: &Value) -> Option<f64> {
    let current = current.as_f64()?;
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    let steps = f64::from(u32::try_from(numbers.len()).ok()?) - 1.0;
    Some(((current - first) / (last - first) * steps).clamp(0.0, steps))
}

/// The next point: on the wider side of the value in place, up to the nearest bound. `None` when both sides are too narrow to matter.
fn section(place: Option<f64>, bounds: &BTreeSet<usize>, n: usize) -> Option<usize> {
    let position = |at: usize| f64::from(u32::try_from(at).unwrap_or(u32::MAX));
    let end = position(n);
    // A key that is not there yet: the middle is as good as any.
    let place = place.unwrap_or(end / 2.0);
    // Half a step is the same value.
    let is = |at: &usize, side: f64| (position(*at) - place) * side > 0.5;
    let below = bounds
        .iter()
        .rev()
        .find(|at| is(at, -1.0))
        .map_or(-1.0, |at| position(*at));
    let above = bounds.iter().find(|at| is(at, 1.0)).map_or(end, |at| position(*at));
    let mut sides = [(above - place, 1.0), (place - below, -1.0)];
    sides.sort_by(|left, right| right.0.total_cmp(&left.0));
    let narrow = (end / 10.0).max(1.0);
    let fits = |at: &usize| position(*at) > below && position(*at) < above && (is(at, 1.0) || is(at, -1.0));
    sides.iter().filter(|(gap, _)| *gap > narrow).find_map(|(gap, side)| {
        let wanted = place + side * (gap * SECTION).max(1.0);
        (0..n).filter(fits).filter(|at| is(at, *side)).min_by(|left, right| {
            let far = |at: &usize| (position(*at) - wanted).abs();
            far(left).total_cmp(&far(right))
        })
    })
}

/// The choices that are not in place and were not tried on this harness, by one draw each from what is known of them.
fn drawn(brief: &Brief<'_>, recipe: &Recipe, values: &[Value], tried: &[Tried]) -> Vec<usize> {
    let mut draws: Vec<(f64, usize)> = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let of = || tried.iter().filter(|tried| tried.value == at);
        let kept = of().filter(|tried| tried.outcome == Outcome::Kept).count();
        let fell = of().filter(|tried| tried.outcome == Outcome::Fell).count();
        let idle = of().filter(|tried| tried.outcome == Outcome::Idle).count();
        if of().any(|tried| tried.here) || (kept == 0 && fell >= FELL) {
            continue;
        }
        let seed = hash::of(&(brief.seed, &recipe.name, value, tried.len()));
        let seed = u64::from_str_radix(&seed[..16], 16).unwrap_or_default();
        draws.push((beta(seed, 1 + kept, 1 + fell + idle), at));
    }
    draws.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    draws.into_iter().map(|(_, at)| at).collect()
}

/// A draw from a beta distribution with whole parameters: the `a`-th smallest of `a + b - 1` even draws.
fn beta(seed: u64, a: usize, b: usize) -> f64 {
    let (a, b) = (a.min(COUNTED), b.min(COUNTED));
    let mut even: Vec<u32> = (0..a + b - 1).map(|at| draw(seed, at as u64, u32::MAX)).collect();
    even.sort_unstable();
    f64::from(even[a - 1]) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(place: f64, bounds: &[usize], n: usize) -> Option<usize> {
        section(Some(place), &bounds.iter().copied().collect(), n)
    }

    /// How many experiments the search takes to its end, and where it stands then. `worth` has one peak.
    fn search(start: usize, n: usize, worth: impl Fn(usize) -> f64) -> (usize, usize) {
        let (mut at, mut bounds, mut steps) = (start, BTreeSet::new(), 0);
        while let Some(probe) = section(Some(f64::from(u32::try_from(at).unwrap())), &bounds, n) {
            assert!(!bounds.contains(&probe) && probe != at);
            steps += 1;
            if worth(probe) > worth(at) {
                bounds.insert(at);
                at = probe;
            } else {
                bounds.insert(probe);
            }
        }
        (steps, at)
    }

    #[test]
    fn the_wider_side_is_cut_in_golden_sections_up_to_what_fell() {
        assert_eq!(next(8.0, &[], 25), Some(14), "0.38 of the way to the end");
        assert_eq!(next(8.0, &[14], 25), Some(5));
        assert_eq!(next(8.0, &[14, 5], 25), Some(10));
        assert_eq!(next(0.0, &[1], 2), None);
        assert_eq!(next(0.0, &[], 2), Some(1));
    }

    #[test]
    fn a_peak_is_found_with_far_fewer_experiments_than_values() {
        for peak in 0..33_usize {
            for start in [0, 8, 32] {
                let (steps, at) = search(start, 33, |at| -f64::from(u32::try_from(at.abs_diff(peak)).unwrap()));
                assert!(steps <= 10, "{steps} for the peak {peak} from {start}");
                assert!(at.abs_diff(peak) <= 3, "{at} for the peak {peak} from {start}");
            }
        }
    }

    #[test]
    fn ranges_have_readable_values_with_both_ends() {
        assert_eq!(values(&Knob::Int { least: 2, most: 5 }), [2, 3, 4, 5].map(Value::from));
        let wide = values(&Knob::Int { least: 0, most: 1000 });
        assert_eq!((wide.len(), &wide[0], &wide[32]), (33, &json!(0), &json!(1000)));
        let share = values(&Knob::Float { least: 0.1, most: 0.7 });
        assert_eq!(
            (&share[0], &share[1], &share[32]),
            (&json!(0.1), &json!(0.11875), &json!(0.7))
        );
        let whole = values(&Knob::Int {
            least: i64::MIN,
            most: i64::MAX,
        });
        assert_eq!((&whole[0], &whole[32]), (&json!(i64::MIN), &json!(i64::MAX)));
    }

    #[test]
    fn what_did_nothing_bounds_only_the_harness_that_it_was_tried_on() {
        let tried = |value, outcome, here| Tried { value, outcome, here };
        let all = [
            tried(1, Outcome::Idle, false),
            tried(2, Outcome::Idle, true),
            tried(3, Outcome::Fell, false),
        ];
        assert_eq!(bounds(&all), BTreeSet::from([2, 3]));
    }

    #[test]
    fn draws_have_the_mean_of_the_beta_distribution() {
        let mean = |a, b| (0..4000).map(|seed| beta(seed, a, b)).sum::<f64>() / 4000.0;
        assert!((mean(1, 1) - 0.5).abs() < 0.02);
        assert!((mean(4, 2) - 4.0 / 6.0).abs() < 0.02, "{}", mean(4, 2));
        assert!((mean(1, 3) - 0.25).abs() < 0.02);
    }
}
