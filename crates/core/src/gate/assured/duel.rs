//! A duel: candidate and incumbent run the same tasks in the same window, and every difference is bet on as it comes.

use super::Proof;
use super::betting::{Bet, Wealth};
use crate::gate::purchase::{Arm, Purpose, Task};
use crate::gate::stats::Tally;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What came of the pairs so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::gate) struct Duel {
    /// Validation tasks that the candidate has run and the incumbent has not, with how it went.
    waiting: Vec<(Task, bool)>,
    /// Validation tasks drawn so far.
    pub(super) drawn: u64,
    /// Pairs with two verdicts, and those of them that only the candidate, only the incumbent passed.
    pub(super) pairs: u32,
    pub(super) won: u32,
    pub(super) lost: u32,
    /// That the candidate is better, or not worse than it may be.
    pub(super) kept: Bet,
    /// That it is worse than it may be.
    pub(super) harmful: Bet,
    /// That it gains less than is worth going on for.
    pub(super) idle: Bet,
    /// The incumbent's runs.
    pub(super) incumbent: BTreeMap<Task, Tally>,
    /// The cases of the suite.
    pub(super) cases: BTreeMap<Task, Case>,
}

/// A case of the suite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::gate) struct Case {
    /// Whether the candidate passed at first. This run picks what is looked at closer, so it is no part of a pair.
    screened: Option<bool>,
    waiting: Option<bool>,
    pairs: u32,
    passed: u32,
    wealth: Wealth,
}

/// Pairs of one case.
const PAIRS: u32 = 12;

impl Case {
    /// The evidence that the candidate broke it.
    pub(super) fn broken(&self) -> f64 {
        self.wealth.e_value()
    }

    /// Which harness must run it next, if it is open: first the candidate once, then both in turn while it may still be shown to be broken.
    pub(super) fn next(&self) -> Option<Arm> {
        match (self.screened, self.waiting) {
            (None, _) => Some(Arm::Candidate),
            (Some(true), _) => None,
            (_, Some(_)) => Some(Arm::Incumbent),
            _ if self.pairs >= PAIRS || self.passed >= 3 => None,
            _ => Some(Arm::Candidate),
        }
    }

    fn take(&mut self, arm: Arm, passed: Option<bool>) {
        match (arm, passed, self.waiting) {
            (Arm::Candidate, Some(passed), _) if self.screened.is_none() => self.screened = Some(passed),
            (Arm::Candidate, Some(passed), _) => self.waiting = Some(passed),
            (Arm::Incumbent, Some(before), Some(after)) => {
                self.waiting = None;
                self.pairs += 1;
                self.passed += u32::from(after);
                self.wealth.bet(f64::from(i8::from(before) - i8::from(after)), 0.0);
            }
            (Arm::Incumbent, None, _) => self.waiting = None,
            _ => {}
        }
    }
}

impl Default for Duel {
    fn default() -> Self {
        Self::new(&Proof::default())
    }
}

impl Duel {
    /// A duel for this proof.
    pub(in crate::gate) fn new(proof: &Proof) -> Self {
        Self {
            waiting: Vec::new(),
            drawn: 0,
            pairs: 0,
            won: 0,
            lost: 0,
            kept: Bet::new(1.0, proof.margin),
            harmful: Bet::new(-1.0, -proof.margin),
            idle: Bet::new(-1.0, proof.worth),
            incumbent: BTreeMap::new(),
            cases: BTreeMap::new(),
        }
    }

    /// Takes in a run; `None` has no verdict, and its pair is dropped on both sides.
    pub(in crate::gate) fn take(&mut self, arm: Arm, purpose: Purpose, task: Task, passed: Option<bool>) {
        match (arm, purpose) {
            (arm, Purpose::Suite) => self.cases.entry(task).or_default().take(arm, passed),
            (Arm::Candidate, Purpose::Validation) => {
                self.drawn += 1;
                self.waiting.extend(passed.map(|passed| (task, passed)));
            }
            (Arm::Incumbent, Purpose::Validation) => {
                let Some(at) = self.waiting.iter().position(|(other, _)| *other == task) else {
                    return;
                };
                let (_, after) = self.waiting.remove(at);
                if let Some(before) = passed {
                    self.incumbent.entry(task).or_default().add(before);
                    self.pair(before, after);
                }
            }
            _ => {}
        }
    }

    fn pair(&mut self, before: bool, after: bool) {
        self.pairs += 1;
        self.won += u32::from(after && !before);
        self.lost += u32::from(before && !after);
        let difference = f64::from(i8::from(after) - i8::from(before));
        for bet in [&mut self.kept, &mut self.harmful, &mut self.idle] {
            bet.on(difference);
        }
    }

    /// The validation tasks that the incumbent must run now.
    pub(super) fn owed(&self) -> Vec<Task> {
        self.waiting.iter().map(|(task, _)| *task).collect()
    }
}
