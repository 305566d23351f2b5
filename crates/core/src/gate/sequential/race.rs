//! A race of several changes for one cluster: the probe, run on all of them at the same time, until one is left or nothing more can be told.
//!
//! Successive elimination (Even-Dar, Mannor, Mansour, *JMLR* 7, 2006) by the probe's posterior: each lap runs one case, with the same seed, on every change that is still
//! in the race. What is run here is on record when the probe of the best asks for it.

use super::known::Known;
use super::policy::Policy;
use super::probe;
use crate::gate::purchase::Task;
use crate::gate::stats::{Tally, log_odds};
use std::collections::BTreeMap;

/// A change whose odds are so many times worse than those of the best, as a logarithm, is out.
const BEHIND: f64 = 3.0;
/// Laps of one race.
const LAPS: f64 = 8.0;

/// Where a race stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lap {
    /// The change that is ahead; at equal odds the first.
    pub best: usize,
    /// The changes that are left, and the case that they run next; `None` when the race is over.
    pub next: Option<(Vec<usize>, Task)>,
}

/// Where a race stands of changes of which each has run so much of the cases, which are in the order of the probe.
pub(super) fn next(known: &Known, policy: &Policy, order: &[Task], runs: &[BTreeMap<Task, Tally>]) -> Lap {
    let fixes: Vec<f64> = runs.iter().map(|runs| probe::fixes(known, policy, runs)).collect();
    let best = (0..runs.len()).fold(0, |best, at| if fixes[at] > fixes[best] { at } else { best });
    let within_reach =
        |at: &usize| fixes[*at] > policy.probe_low && log_odds(fixes[best]) - log_odds(fixes[*at]) < BEHIND;
    let left: Vec<usize> = (0..runs.len()).filter(within_reach).collect();
    let is_open = |at: &usize| fixes[*at] < policy.probe_high;
    let laps: f64 = runs
        .get(best)
        .map_or(0.0, |runs| runs.values().map(|runs| runs.runs()).sum());
    let goes_on = left.len() > 1 && left.iter().any(is_open) && laps < LAPS;
    // All that are left have run the same.
    let case = runs
        .get(best)
        .filter(|_| goes_on)
        .and_then(|runs| probe::fewest(order, runs, false));
    Lap {
        best,
        next: case.map(|case| (left, case)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases that failed twice.
    fn known() -> Known {
        let mut known = Known::default();
        known.validation = vec![Tally::default(); 20];
        for task in [1, 2, 3] {
            known.cases.insert(
                task,
                Tally {
                    passed: 0.0,
                    failed: 2.0,
                },
            );
        }
        known
    }

    fn tally(passed: f64, failed: f64) -> Tally {
        Tally { passed, failed }
    }

    fn of(runs: &[&[(Task, f64, f64)]]) -> Lap {
        let runs: Vec<BTreeMap<Task, Tally>> = runs
            .iter()
            .map(|runs| runs.iter().map(|(task, p, f)| (*task, tally(*p, *f))).collect())
            .collect();
        next(&known(), &Policy::default(), &[1, 2, 3], &runs)
    }

    #[test]
    fn all_run_the_same_case_until_one_is_left() {
        assert_eq!(of(&[&[], &[], &[]]).next, Some((vec![0, 1, 2], 1)));
        let lap = of(&[&[(1, 0.0, 1.0)], &[(1, 1.0, 0.0)], &[(1, 1.0, 0.0)]]);
        assert_eq!(lap.next, Some((vec![0, 1, 2], 2)), "one failure is bad luck");
        let behind: &[(Task, f64, f64)] = &[(1, 0.0, 1.0), (2, 0.0, 1.0)];
        let ahead: &[(Task, f64, f64)] = &[(1, 1.0, 0.0), (2, 0.0, 1.0)];
        let lap = of(&[behind, ahead, ahead]);
        assert_eq!((lap.best, lap.next), (1, Some((vec![1, 2], 3))), "two are enough");
        let out: &[(Task, f64, f64)] = &[(1, 0.0, 1.0), (2, 0.0, 1.0)];
        let lap = of(&[out, &[(1, 1.0, 0.0), (2, 1.0, 0.0)]]);
        assert_eq!(
            (lap.best, lap.next),
            (1, None),
            "not the first, but the one that passes"
        );
    }

    #[test]
    fn equals_do_not_race_for_ever_and_the_first_of_them_wins() {
        let sure: &[(Task, f64, f64)] = &[(1, 1.0, 0.0), (2, 1.0, 0.0), (3, 1.0, 0.0)];
        let over = Lap { best: 0, next: None };
        assert_eq!(of(&[sure, sure]), over, "both are known to fix it");
        let open: &[(Task, f64, f64)] = &[(1, 1.0, 1.0), (2, 1.0, 1.0), (3, 1.0, 1.0)];
        assert_eq!(of(&[open, open]), over, "each case has run twice");
        assert_eq!(of(&[&[]]), over, "one is no race");
        let without_cases = next(&known(), &Policy::default(), &[], &[BTreeMap::new(), BTreeMap::new()]);
        assert_eq!(without_cases, over);
    }
}
