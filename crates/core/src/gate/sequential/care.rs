//! What the incumbent's own runs say of the cases of the suite: one that wavers says nothing of a change, one that is broken already blocks them all.
//!
//! Only runs on harnesses that were kept count. What a case does on a candidate that fell is the candidate's doing.

use super::known::Known;
use crate::gate::efficient::{BROKEN, broken};
use crate::gate::purchase::Task;
use crate::gate::stats::Tally;
use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A case of the suite passes at least so often ..
const RELIABLE: f64 = 0.8;
/// .. or is taken out when it is so probable that it does not.
const SURE: f64 = 0.8;
/// What is believed of a case that joins: as many passes and failures.
const PRIOR: (f64, f64) = (1.8, 0.4);
/// Passes in a row that bring a case back; one that passes every second time has them once in 64.
pub const BACK: u32 = 6;
/// Passes that one acceptance asks of such a case at most.
const AT_ONCE: f64 = 3.0;
/// Such cases that one acceptance runs again.
const CASES: usize = 3;
/// Runs without a verdict after which a case waits for the next time.
const ERRORS: u32 = 3;
/// Runs on the incumbent that a case gets which has failed there.
pub const LOOKS: u32 = 3;

/// Why a case of the suite should leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It passes and fails.
    Wavers,
    /// It fails now.
    Broke,
}

/// A case that has left the suite because it wavered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Wavering {
    /// Its runs on harnesses that were kept, older ones counting less.
    pub runs: Tally,
    /// How often it has passed in a row since it left.
    pub streak: u32,
    /// How many acceptances have run it again.
    pub tried: u32,
}

impl Known {
    /// The cases of the suite that the incumbent's runs speak against.
    pub fn doubts(&self) -> Vec<(Task, Doubt)> {
        let doubt = |(task, here): (&Task, &Tally)| {
            let all = self.suite.get(task)?;
            let before = Tally {
                passed: (all.passed - here.passed).max(0.0),
                failed: (all.failed - here.failed).max(0.0),
            };
            Some((*task, doubt(before, *here, self.repeats_itself())?))
        };
        self.here.iter().filter_map(doubt).collect()
    }

    /// Takes in a run on the incumbent of a task that may be a case.
    pub(super) fn take_here(&mut self, task: Task, passed: bool) {
        if let Some(runs) = self.suite.get_mut(&task) {
            runs.add(passed);
            self.here.entry(task).or_default().add(passed);
        }
        if let Some(wavering) = self.wavering.get_mut(&task) {
            wavering.runs.add(passed);
            wavering.streak = if passed { wavering.streak + 1 } else { 0 };
        }
    }

    /// A case leaves the suite until it has passed often enough in a row; so often it has already.
    pub(super) fn set_aside(&mut self, task: Task, runs: Tally, streak: u32) {
        let runs = self.suite.remove(&task).unwrap_or(runs);
        self.here.remove(&task);
        let tried = 0;
        self.wavering.insert(task, Wavering { runs, streak, tried });
    }

    /// The wavering cases that an acceptance runs again, a few: those that are nearest to coming back, then those that were tried least.
    pub(super) fn due(&self) -> Vec<Task> {
        let order = |(task, wavering): (&Task, &Wavering)| (Reverse(wavering.streak), wavering.tried, *task);
        let mut due: Vec<(Reverse<u32>, u32, Task)> = self.wavering.iter().map(order).collect();
        due.sort_unstable();
        due.into_iter().take(CASES).map(|(.., task)| task).collect()
    }

    /// Takes in what wavering cases did on a harness that was kept; gives those that are back in the suite.
    pub(super) fn take_wavering(&mut self, runs: &BTreeMap<Task, Tally>, remember: f64) -> Vec<Task> {
        let needed = if self.repeats_itself() { 1 } else { BACK };
        let mut back = Vec::new();
        for (task, wavering) in &mut self.wavering {
            let Some(runs) = runs.get(task).filter(|runs| runs.runs() > 0.0) else {
                continue;
            };
            wavering.tried += 1;
            let passes = runs.passed as u32;
            wavering.streak = if runs.failed > 0.0 { 0 } else { wavering.streak + passes };
            wavering.runs = runs.plus(wavering.runs, remember);
            if wavering.streak >= needed {
                back.push(*task);
            }
        }
        for task in &back {
            if let Some(wavering) = self.wavering.remove(task) {
                self.suite.insert(*task, wavering.runs);
            }
        }
        back
    }
}

/// What the runs on the incumbent say, after those on earlier harnesses.
fn doubt(before: Tally, here: Tally, repeats_itself: bool) -> Option<Doubt> {
    if here.failed == 0.0 {
        return None;
    }
    if repeats_itself || here.passed == 0.0 && broken(before, here, false) >= BROKEN {
        return Some(Doubt::Broke);
    }
    let all = before.plus(here, 1.0);
    let unreliable = beta_reg(all.passed + PRIOR.0, all.failed + PRIOR.1, RELIABLE);
    (unreliable >= SURE).then_some(Doubt::Wavers)
}

/// The next wavering case to be run: until one failure, or enough passes for this time.
pub(super) fn next(due: &[Task], runs: &BTreeMap<Task, Tally>, errors: Option<&BTreeMap<Task, u32>>) -> Option<Task> {
    due.iter().copied().find(|task| {
        let runs = runs.get(task).copied().unwrap_or_default();
        let errors = errors.and_then(|errors| errors.get(task)).copied().unwrap_or(0);
        runs.failed == 0.0 && runs.passed < AT_ONCE && errors < ERRORS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: f64, failed: f64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn one_failure_is_bad_luck_some_are_wavering_and_nothing_but_failures_is_broken() {
        let before = tally(3.0, 0.0);
        let of = |passed, failed| doubt(before, tally(passed, failed), false);
        assert_eq!(of(3.0, 0.0), None);
        assert_eq!(of(3.0, 1.0), None, "it passed when it was looked at again");
        assert_eq!(of(0.0, 1.0), None, "not known yet");
        assert_eq!(of(1.0, 3.0), Some(Doubt::Wavers));
        assert_eq!(of(0.0, 4.0), Some(Doubt::Broke));
        assert_eq!(
            doubt(tally(30.0, 1.0), tally(1.0, 2.0), false),
            None,
            "a long record bears more"
        );
        assert_eq!(doubt(before, tally(0.0, 1.0), true), Some(Doubt::Broke));
    }

    #[test]
    fn a_wavering_case_is_back_after_passes_in_a_row_and_a_failure_begins_anew() {
        let mut known = Known::default();
        known.suite.insert(1, tally(3.0, 0.0));
        [false, true, false, false]
            .iter()
            .for_each(|passed| known.take_here(1, *passed));
        assert_eq!(known.doubts(), [(1, Doubt::Wavers)]);
        known.set_aside(1, Tally::default(), 0);
        assert!(known.doubts().is_empty() && known.suite.is_empty());
        let run =
            |known: &mut Known, passed, failed| known.take_wavering(&BTreeMap::from([(1, tally(passed, failed))]), 0.6);
        assert!(run(&mut known, 3.0, 0.0).is_empty());
        // In between it was in the traffic.
        known.take_here(1, true);
        assert_eq!(known.wavering[&1].streak, 4);
        assert!(run(&mut known, 2.0, 1.0).is_empty());
        assert_eq!(known.wavering[&1].streak, 0);
        assert!(run(&mut known, 3.0, 0.0).is_empty());
        assert_eq!(run(&mut known, 3.0, 0.0), [1]);
        assert!(known.wavering.is_empty() && known.suite[&1].passed > 6.0);
    }

    #[test]
    fn what_is_run_again_is_bounded() {
        let mut known = Known::default();
        for (task, streak) in [(1, 0), (2, 4), (3, 1), (4, 0)] {
            known.set_aside(task, tally(3.0, 2.0), streak);
        }
        let due = known.due();
        assert_eq!(due, [2, 3, 1]);
        known.take_wavering(&BTreeMap::from([(1, tally(0.0, 1.0))]), 0.6);
        assert_eq!(known.due(), [2, 3, 4], "each in its turn");
        let mut runs = BTreeMap::from([(2, tally(0.0, 1.0)), (3, tally(3.0, 0.0))]);
        assert_eq!(next(&due, &runs, None), Some(1));
        assert_eq!(next(&due, &runs, Some(&BTreeMap::from([(1, ERRORS)]))), None);
        runs.insert(1, tally(2.0, 0.0));
        assert_eq!(next(&due, &runs, None), Some(1));
        assert_eq!(next(&[], &runs, None), None);
    }
}
