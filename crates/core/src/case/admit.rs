//! What may not enter the pool: a case that is there already, or one that says nearly the same.

use super::{CaseState, EvalCase, Fixture};
use crate::id::CaseId;
use crate::similar::Rarity;
use serde::{Deserialize, Serialize};

/// The cosine of two inputs from which on they are nearly the same: another date or greeting leaves it above, another request below.
pub const NEAR: f64 = 0.95;

/// A candidate that does not become a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The candidate.
    pub case: CaseId,
    /// Why, as half a sentence. Names nothing that is held out.
    pub reason: String,
    /// The older case that says nearly the same, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<CaseId>,
}

/// Whether two texts are equal but for case and white space, or nearly.
pub fn near(left: &str, right: &str) -> bool {
    let rarity = Rarity::default();
    rarity.vector(left).cosine(&rarity.vector(right)) >= NEAR
}

/// The cases that are refused, given those that are there already. Both oldest first. The older one stays; but of a task and a recorded
/// input, the task, whose verdict is the runner's: a recorded input gives way to it, unless it is in the suite or quarantined.
pub fn refusals(pool: &[&EvalCase], candidates: &[&EvalCase]) -> Vec<Refusal> {
    let mut kept: Vec<&EvalCase> = pool.to_vec();
    let mut refused = Vec::new();
    let refusal = |case: &EvalCase, for_the_sake_of: &EvalCase, likeness: &str| Refusal {
        case: case.id.clone(),
        reason: format!("{likeness} {}", for_the_sake_of.id),
        kept: Some(for_the_sake_of.id.clone()),
    };
    let (recorded, tasks): (Vec<&EvalCase>, Vec<&EvalCase>) = candidates.iter().partition(|case| case.is_recorded());
    for task in tasks {
        let other = kept.iter().filter(|case| !case.is_recorded());
        let double = other.filter_map(|case| Some((case, likeness(case, task)?))).next();
        if let Some((case, likeness)) = double {
            refused.push(refusal(task, case, likeness));
            continue;
        }
        kept.retain(|case| {
            let gives_way = case.is_recorded() && !matches!(case.state, CaseState::Promoted | CaseState::Quarantined);
            let likeness = likeness(case, task).filter(|_| gives_way);
            refused.extend(likeness.map(|likeness| refusal(case, task, likeness)));
            likeness.is_none()
        });
        kept.push(task);
    }
    for candidate in recorded {
        match kept.iter().find_map(|case| Some((case, likeness(case, candidate)?))) {
            Some((case, likeness)) => refused.push(refusal(candidate, case, likeness)),
            None => kept.push(candidate),
        }
    }
    refused
}

/// Why two cases are one, as the beginning of half a sentence; `None` when they are two. Two tasks of the runner are more than what is known of
/// them: they are one only if they begin nearly the same, expect the same to the value, and met the same world.
fn likeness(case: &EvalCase, other: &EvalCase) -> Option<&'static str> {
    if case.id == other.id || case.expect.is_empty() {
        return None;
    }
    let text = |case: &EvalCase| Some(case.input.as_ref()?.messages.join("\n"));
    let (left, right) = (text(case)?, text(other)?);
    if !case.is_recorded() && !other.is_recorded() {
        let same = case.expect == other.expect && near(&left, &right) && same_world(&case.fixtures, &other.fixtures);
        return same.then_some("begins nearly the same, expects the same and met the same world as");
    }
    if case.expect == other.expect && left == right {
        return Some("runs and expects the same as");
    }
    let mechanisms = |case: &EvalCase| {
        case.expect
            .iter()
            .map(super::Expectation::mechanism)
            .collect::<Vec<_>>()
    };
    (mechanisms(case) == mechanisms(other) && near(&left, &right)).then_some("begins and expects nearly the same as")
}

/// Whether two runs made a call that both were answered alike, and none that they were answered differently. Runs that called nothing, or
/// nothing in common, do not say what world they met.
fn same_world(left: &[Fixture], right: &[Fixture]) -> bool {
    let pairs = left.iter().flat_map(|one| right.iter().map(move |other| (one, other)));
    let mut shared = pairs
        .filter(|(one, other)| one.name == other.name && one.arguments == other.arguments)
        .map(|(one, other)| one.result == other.result && one.error == other.error)
        .peekable();
    shared.peek().is_some() && shared.all(|same| same)
}
