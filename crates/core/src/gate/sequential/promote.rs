//! Promotion: which cases are resolved by a change that was kept, and which of them join the regression suite.

use crate::gate::purchase::{Promotion, Proposal, Task};
use crate::gate::stats::Tally;
use std::collections::BTreeMap;

/// Passes that resolve a case, and failures that it may have meanwhile.
const PASSES: f64 = 3.0;
const FAILURES: f64 = 1.0;
/// Errored runs after which a case stays open.
const ERRORS: u32 = 3;
/// Cases that one acceptance may promote: the suite stays small and sharp.
const CASES: u32 = 1;

fn resolved(runs: Tally) -> bool {
    runs.passed >= PASSES && runs.failed <= FAILURES
}

/// The next case to be run, hidden ones first.
pub(super) fn next(
    proposal: &Proposal,
    runs: &BTreeMap<Task, Tally>,
    errors: Option<&BTreeMap<Task, u32>>,
) -> Option<Task> {
    cases(proposal).find(|task| {
        let runs = runs.get(task).copied().unwrap_or_default();
        let errors = errors.and_then(|errors| errors.get(task)).copied().unwrap_or(0);
        runs.passed < PASSES && runs.failed <= FAILURES && errors < ERRORS
    })
}

/// What the runs settle, with so much room for the cluster in the suite.
pub(super) fn settle(
    proposal: &Proposal,
    runs: &BTreeMap<Task, Tally>,
    suite: &BTreeMap<Task, Tally>,
    room: u32,
) -> Promotion {
    let done: Vec<Task> = cases(proposal)
        .filter(|task| runs.get(task).is_some_and(|runs| resolved(*runs)))
        .collect();
    let room = usize::try_from(room.min(CASES)).unwrap_or(0);
    Promotion {
        promoted: done
            .iter()
            .copied()
            .filter(|task| !suite.contains_key(task))
            .take(room)
            .collect(),
        resolved: done,
    }
}

fn cases(proposal: &Proposal) -> impl Iterator<Item = Task> {
    proposal.hidden.iter().chain(&proposal.visible).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_passes_of_four_resolve_a_case_and_one_of_them_joins_the_suite() {
        let proposal = Proposal {
            visible: vec![1, 2],
            hidden: vec![3],
            ..Proposal::default()
        };
        let tally = |passed, failed| Tally { passed, failed };
        let mut runs = BTreeMap::from([(1, tally(3.0, 1.0)), (2, tally(2.0, 2.0)), (3, tally(2.0, 1.0))]);
        assert_eq!(next(&proposal, &runs, None), Some(3));
        let errors = BTreeMap::from([(3, ERRORS)]);
        assert_eq!(
            next(&proposal, &runs, Some(&errors)),
            None,
            "what always breaks off stays open"
        );
        runs.insert(3, tally(3.0, 1.0));
        assert_eq!(next(&proposal, &runs, None), None);
        let promotion = settle(&proposal, &runs, &BTreeMap::new(), 2);
        assert_eq!((promotion.resolved, promotion.promoted), (vec![3, 1], vec![3]));
        let suite = BTreeMap::from([(3, tally(3.0, 0.0))]);
        assert_eq!(settle(&proposal, &runs, &suite, 1).promoted, [1]);
        assert!(settle(&proposal, &runs, &suite, 0).promoted.is_empty());
    }
}
