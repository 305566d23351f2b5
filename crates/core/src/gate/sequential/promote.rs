//! Promotion: which cases are resolved by a change that was kept, and which of them join the regression suite.

use crate::gate::purchase::{Promotion, Proposal, Task};
use crate::gate::stats::Tally;
use std::collections::BTreeMap;

/// Errored runs after which a case stays open.
const ERRORS: u32 = 3;

/// What a case needs to be resolved, and how many may join the suite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    /// Passes that resolve a case, and failures that it may have meanwhile.
    passes: f64,
    failures: f64,
    /// Cases that one acceptance may promote, and one cluster may have in the suite.
    cases: u32,
    a_cluster: u32,
}

impl Terms {
    /// A case that may waver is run until it is reliable, and the suite stays small and sharp. The cases of an agent that repeats itself never
    /// waver: one pass is as good as three, and each costs one run a candidate, so more of them join.
    pub(super) fn of(repeats_itself: bool) -> Self {
        let (passes, failures, cases, a_cluster) = if repeats_itself {
            (1.0, 0.0, 4, 6)
        } else {
            (3.0, 1.0, 1, 2)
        };
        Self {
            passes,
            failures,
            cases,
            a_cluster,
        }
    }

    fn resolved(self, runs: Tally) -> bool {
        runs.passed >= self.passes && runs.failed <= self.failures
    }
}

/// The next case to be run, hidden ones first.
pub(super) fn next(
    terms: Terms,
    proposal: &Proposal,
    runs: &BTreeMap<Task, Tally>,
    errors: Option<&BTreeMap<Task, u32>>,
) -> Option<Task> {
    cases(proposal).find(|task| {
        let runs = runs.get(task).copied().unwrap_or_default();
        let errors = errors.and_then(|errors| errors.get(task)).copied().unwrap_or(0);
        runs.passed < terms.passes && runs.failed <= terms.failures && errors < ERRORS
    })
}

/// What the runs settle, when so many cases of the cluster are in the suite already.
pub(super) fn settle(
    terms: Terms,
    proposal: &Proposal,
    runs: &BTreeMap<Task, Tally>,
    suite: &BTreeMap<Task, Tally>,
    there: u32,
) -> Promotion {
    let resolved: Vec<Task> = cases(proposal)
        .filter(|task| runs.get(task).is_some_and(|runs| terms.resolved(*runs)))
        .collect();
    let room = terms.a_cluster.saturating_sub(there).min(terms.cases);
    let promoted = resolved
        .iter()
        .copied()
        .filter(|task| !suite.contains_key(task))
        .take(usize::try_from(room).unwrap_or(0))
        .collect();
    Promotion {
        promoted,
        resolved,
        returned: Vec::new(),
        runs: runs.clone(),
    }
}

/// What the literal rule settles: every case that passed each of its runs is resolved and joins the suite.
pub(super) fn settle_all(
    proposal: &Proposal,
    runs: &BTreeMap<Task, Tally>,
    suite: &BTreeMap<Task, Tally>,
    wanted: u32,
) -> Promotion {
    let passes = |task: &Task| {
        runs.get(task)
            .is_some_and(|runs| runs.failed == 0.0 && runs.passed >= f64::from(wanted))
    };
    let resolved: Vec<Task> = cases(proposal).filter(passes).collect();
    let new = resolved.iter().copied().filter(|task| !suite.contains_key(task));
    Promotion {
        promoted: new.collect(),
        resolved,
        returned: Vec::new(),
        runs: runs.clone(),
    }
}

/// The cases that an acceptance may settle.
pub(super) fn cases(proposal: &Proposal) -> impl Iterator<Item = Task> {
    let own = proposal.hidden.iter().chain(&proposal.visible);
    own.chain(&proposal.others).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms::of(false)
    }

    #[test]
    fn three_passes_of_four_resolve_a_case_and_one_of_them_joins_the_suite() {
        let proposal = Proposal {
            visible: vec![1, 2],
            hidden: vec![3],
            ..Proposal::default()
        };
        let tally = |passed, failed| Tally { passed, failed };
        let mut runs = BTreeMap::from([(1, tally(3.0, 1.0)), (2, tally(2.0, 2.0)), (3, tally(2.0, 1.0))]);
        assert_eq!(next(terms(), &proposal, &runs, None), Some(3));
        let errors = BTreeMap::from([(3, ERRORS)]);
        assert_eq!(
            next(terms(), &proposal, &runs, Some(&errors)),
            None,
            "what always breaks off stays open"
        );
        runs.insert(3, tally(3.0, 1.0));
        assert_eq!(next(terms(), &proposal, &runs, None), None);
        let promotion = settle(terms(), &proposal, &runs, &BTreeMap::new(), 0);
        assert_eq!((promotion.resolved, promotion.promoted), (vec![3, 1], vec![3]));
        let suite = BTreeMap::from([(3, tally(3.0, 0.0))]);
        assert_eq!(settle(terms(), &proposal, &runs, &suite, 1).promoted, [1]);
        assert!(settle(terms(), &proposal, &runs, &suite, 2).promoted.is_empty());
    }
}
