//! What may not enter the pool: a case that is there already, or one that says nearly the same.

use super::{CaseState, EvalCase};
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

/// Why two cases are one, as the beginning of half a sentence; `None` when they are two. What a task begins with is not all that it is, so two
/// tasks of the runner are two, however alike they begin.
fn likeness(case: &EvalCase, other: &EvalCase) -> Option<&'static str> {
    let tasks = !case.is_recorded() && !other.is_recorded();
    if tasks || case.id == other.id || case.expect.is_empty() {
        return None;
    }
    let text = |case: &EvalCase| Some(case.input.as_ref()?.messages.join("\n"));
    let (left, right) = (text(case)?, text(other)?);
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
