//! The regression suite, with flakes in mind: only a suspicious failure is run again, and only a case that is confirmed broken counts.

use crate::gate::purchase::Task;
use crate::gate::stats::{Tally, log_odds, of_log_odds};
use std::collections::BTreeMap;

/// How probable a case breaks, before it is run.
const BREAKS: f64 = 0.03;
/// The part of its pass rate that a broken case keeps.
const REST: f64 = 0.3;
/// From this probability on a case is broken; up to the other it is not.
pub(in crate::gate) const BROKEN: f64 = 0.9;
const WHOLE: f64 = 0.1;
/// Runs of one case on one candidate.
const RUNS_A_CASE: f64 = 5.0;

/// What the runs so far say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// This case must be run.
    Run(Task),
    /// This case broke.
    Fell(Task),
    /// Everything was run that needs to be.
    Held,
}

/// The pass rate of a promoted case, pulled a little towards what promoted cases do.
fn rate(history: Tally, repeats_itself: bool) -> f64 {
    if repeats_itself && history.passed > 0.0 {
        return 0.999;
    }
    ((history.passed + 1.8) / (history.runs() + 2.2)).min(0.97)
}

/// How probable it is that a case broke: log-odds of "keeps a part of its pass rate" against "as before".
pub(in crate::gate) fn broken(history: Tally, runs: Tally, repeats_itself: bool) -> f64 {
    let p = rate(history, repeats_itself);
    let q = REST * p;
    of_log_odds(log_odds(BREAKS) + runs.passed * (q / p).ln() + runs.failed * ((1.0 - q) / (1.0 - p)).ln())
}

/// What comes next. Reliable cases come first: their failure says most.
pub(super) fn next(suite: &BTreeMap<Task, Tally>, runs: &BTreeMap<Task, Tally>, repeats_itself: bool) -> Step {
    if let Some(case) = broken_cases(suite, runs, repeats_itself).first() {
        return Step::Fell(*case);
    }
    let mut order: Vec<(f64, Task)> = suite
        .iter()
        .map(|(task, history)| (rate(*history, repeats_itself), *task))
        .collect();
    order.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
    let open = order.into_iter().map(|(_, task)| task).find(|task| {
        let runs = runs.get(task).copied().unwrap_or_default();
        let p = suite
            .get(task)
            .map_or(0.0, |history| broken(*history, runs, repeats_itself));
        runs.runs() == 0.0 || (p > WHOLE && p < BROKEN && runs.runs() < RUNS_A_CASE)
    });
    open.map_or(Step::Held, Step::Run)
}

/// The cases that are confirmed broken.
pub(super) fn broken_cases(
    suite: &BTreeMap<Task, Tally>,
    runs: &BTreeMap<Task, Tally>,
    repeats_itself: bool,
) -> Vec<Task> {
    runs.iter()
        .filter(|(task, runs)| {
            runs.runs() > 0.0
                && suite
                    .get(task)
                    .is_some_and(|history| broken(*history, **runs, repeats_itself) >= BROKEN)
        })
        .map(|(task, _)| *task)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: f64, failed: f64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn one_failure_of_a_reliable_case_is_run_again_and_a_second_one_breaks_it() {
        let suite = BTreeMap::from([(1, tally(8.0, 0.0)), (2, tally(3.0, 1.0))]);
        let mut runs = BTreeMap::new();
        assert_eq!(next(&suite, &runs, false), Step::Run(1), "the reliable one first");
        runs.insert(1, tally(0.0, 1.0));
        assert_eq!(next(&suite, &runs, false), Step::Run(1));
        runs.insert(1, tally(0.0, 2.0));
        assert_eq!(next(&suite, &runs, false), Step::Fell(1));
        assert_eq!(broken_cases(&suite, &runs, false), [1]);
    }

    #[test]
    fn one_failure_is_enough_of_an_agent_that_repeats_itself() {
        let suite = BTreeMap::from([(1, tally(1.0, 0.0))]);
        let runs = BTreeMap::from([(1, tally(0.0, 1.0))]);
        assert_eq!(next(&suite, &runs, true), Step::Fell(1));
        assert_eq!(next(&suite, &runs, false), Step::Run(1));
    }

    #[test]
    fn a_case_that_wavers_is_not_broken_by_a_failure() {
        let suite = BTreeMap::from([(2, tally(3.0, 3.0))]);
        let runs = BTreeMap::from([(2, tally(1.0, 1.0))]);
        assert_eq!(next(&suite, &runs, false), Step::Held);
        assert_eq!(next(&BTreeMap::new(), &BTreeMap::new(), false), Step::Held);
    }
}
