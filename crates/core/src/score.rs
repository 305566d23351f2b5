//! Scorecards: what a set of trials says about a harness, paired with what the incumbent did on the same set.

use crate::gate::purchase::Outcome;
use crate::gate::stats::Tally;
use serde::{Deserialize, Serialize};

/// The outcome of one stage. Errors are kept apart: they are neither passes nor failures, and they never leave a fraction silently.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// How many tasks pass, in more than half of their runs.
    pub passed: u32,
    /// How many do not.
    pub failed: u32,
    /// How many have no verdict, after retries.
    pub errored: u32,
    /// Failed on the incumbent, pass now.
    pub fixed: u32,
    /// Passed on the incumbent, fail now.
    pub broken: u32,
    /// Not the same in every run, before or now: what such a task does once says little.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wavering: u32,
    /// For readers: the tasks behind `fixed`, `broken` and `errored`; always empty for the validation set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_tasks: Vec<String>,
    /// See `fixed_tasks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken_tasks: Vec<String>,
    /// Cluster stage only: in how many traces the targeted mechanism is gone, though the task may still fail for another reason.
    #[serde(default)]
    pub mechanism_gone: u32,
}

impl Scorecard {
    /// How many trials there were.
    pub fn total(&self) -> u32 {
        self.passed + self.failed + self.errored
    }

    /// Passed over all that have a verdict; `None` when nothing has one.
    pub fn score(&self) -> Option<f64> {
        let measured = self.passed + self.failed;
        (measured > 0).then(|| f64::from(self.passed) / f64::from(measured))
    }

    /// Whether every trial has a verdict and there is at least one.
    pub fn complete(&self) -> bool {
        self.errored == 0 && self.total() > 0
    }
}

/// What the sealed test split said of a release: counts only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sealed {
    /// The commit that was measured.
    pub commit: String,
    /// What it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// The score of that, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// What the release scored, paired with that.
    pub card: Scorecard,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// From this pass rate on a task is known to pass, and from 1 less it on to fail.
const RELIABLE: f64 = 0.8;

/// The runs of one task on two harnesses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pair {
    /// What is known of it on the incumbent; older runs may count less.
    pub before: Tally,
    /// On the candidate.
    pub after: Tally,
    /// Runs of the candidate without a verdict.
    pub errored: u32,
    /// Runs of the candidate that only lost the targeted root cause.
    pub moved: u32,
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Fixed,
    Broken,
    Same,
    Wavering,
}

impl Pair {
    /// Takes in a run of the candidate.
    pub fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Errored => self.errored += 1,
            verdict => self.after.add(verdict == Outcome::Passed),
        }
        self.moved += u32::from(outcome == Outcome::Moved);
    }

    fn change(&self) -> Change {
        let of = |runs: Tally| match runs.passed / runs.runs() {
            rate if rate >= RELIABLE => Some(true),
            rate if rate <= 1.0 - RELIABLE => Some(false),
            _ => None,
        };
        match (of(self.before), of(self.after)) {
            _ if self.before.runs() == 0.0 => Change::Same,
            (Some(false), Some(true)) => Change::Fixed,
            (Some(true), Some(false)) => Change::Broken,
            (Some(_), Some(_)) => Change::Same,
            _ => Change::Wavering,
        }
    }
}

/// Counts tasks. A name is shown where something changed; held-out tasks have none.
pub fn card<'a>(pairs: impl IntoIterator<Item = (Option<String>, &'a Pair)>) -> Scorecard {
    let mut card = Scorecard::default();
    for (name, pair) in pairs {
        card.mechanism_gone += u32::from(pair.moved > 0 || pair.after.passed > 0.0);
        if pair.after.runs() == 0.0 {
            card.errored += u32::from(pair.errored > 0);
            continue;
        }
        let passes = pair.after.passed > pair.after.failed;
        *(if passes { &mut card.passed } else { &mut card.failed }) += 1;
        match pair.change() {
            Change::Fixed => {
                card.fixed += 1;
                card.fixed_tasks.extend(name);
            }
            Change::Broken => {
                card.broken += 1;
                card.broken_tasks.extend(name);
            }
            Change::Wavering => card.wavering += 1,
            Change::Same => {}
        }
    }
    card
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_wavers_is_neither_fixed_nor_broken_and_one_without_a_verdict_is_no_failure() {
        let pair = |before: (f64, f64), outcomes: &[Outcome]| {
            let (passed, failed) = before;
            let mut pair = Pair {
                before: Tally { passed, failed },
                ..Pair::default()
            };
            outcomes.iter().for_each(|outcome| pair.take(*outcome));
            pair
        };
        use Outcome::{Errored, Failed, Moved, Passed};
        let pairs = [
            ("fixed", pair((0.0, 2.0), &[Passed])),
            ("broken", pair((1.0, 0.1), &[Failed, Failed])),
            ("same", pair((1.0, 0.0), &[Passed, Passed])),
            ("wavers", pair((1.0, 1.0), &[Passed])),
            ("wavers now", pair((1.0, 0.0), &[Passed, Failed])),
            ("moved", pair((0.0, 1.0), &[Moved])),
            ("unknown", pair((1.0, 0.0), &[Errored])),
        ];
        let card = card(pairs.iter().map(|(name, pair)| (Some((*name).to_owned()), pair)));
        assert_eq!((card.passed, card.failed, card.errored), (3, 3, 1));
        assert_eq!((card.fixed, card.broken, card.wavering), (1, 1, 2));
        assert_eq!(
            (&card.fixed_tasks[..], &card.broken_tasks[..]),
            (&["fixed".to_owned()][..], &["broken".to_owned()][..])
        );
        assert_eq!(card.mechanism_gone, 5);
    }
}
