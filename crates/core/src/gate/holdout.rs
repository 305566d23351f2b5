//! What a held-out set has given away: every verdict on it tells a little, and what was chosen by many verdicts fits the set better than the world.
//!
//! A proposer learns one thing of each query: whether its candidate was accepted. So what has leaked is at most the length of the shortest
//! description of all answers, and how far the score can be too good on average follows from that:
//!
//! - `bits = log2(sum over i <= accepted of C(queries, i))`: an analyst who was told `accepted` times yes in `queries` answers has seen one of so many
//!   transcripts (Blum and Hardt, "The Ladder", ICML 2015; Dwork et al., "Generalization in Adaptive Data Analysis and Holdout Reuse", `NeurIPS` 2015).
//! - `optimism <= sqrt(bits * ln 2 / (2 * tasks))`: the expected gap of a score between 0 and 1 (Russo and Zou, AISTATS 2016; Xu and Raginsky, `NeurIPS` 2017,
//!   theorem 1). It is a worst case: real proposers do not aim at the set.

use super::stats::ln_choices;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

/// How often a held-out set was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Candidates that were measured on it.
    pub queries: u32,
    /// Of these, accepted.
    pub accepted: u32,
}

impl Asked {
    /// Counts one candidate that was measured on the set.
    pub fn add(&mut self, accepted: bool) {
        self.queries += 1;
        self.accepted += u32::from(accepted);
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            queries: self.queries + other.queries,
            accepted: self.accepted + other.accepted,
        }
    }

    /// What the answers told at most, in bits.
    pub fn bits(self) -> f64 {
        (ln_choices(self.queries.into(), self.accepted.into()) / LN_2).max(0.0)
    }

    /// How much too good a score on a set of so many tasks can be on average, from 0 to 1.
    pub fn optimism(self, tasks: u32) -> f64 {
        (self.bits() * LN_2 / (2.0 * f64::from(tasks.max(1)))).sqrt().min(1.0)
    }

    /// The part of the budget that is spent; 1 and more: the set is worn out. The budget is `per_task` bits a task: with one bit a task, the answers
    /// could spell out which tasks pass.
    pub fn spent(self, tasks: u32, per_task: f64) -> f64 {
        let budget = per_task * f64::from(tasks);
        if budget <= 0.0 {
            f64::INFINITY
        } else {
            self.bits() / budget
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(queries: u32, accepted: u32) -> Asked {
        Asked { queries, accepted }
    }

    #[test]
    fn the_bits_are_those_of_the_transcripts() {
        assert!(asked(0, 0).bits().abs() < 1e-9);
        // Ten times no is one transcript of one.
        assert!(asked(10, 0).bits().abs() < 1e-9);
        // 1 + 10 transcripts.
        assert!((asked(10, 1).bits() - 11_f64.log2()).abs() < 1e-9);
        assert!((asked(10, 10).bits() - 10.0).abs() < 1e-9);
        assert!(asked(5000, 100).bits().is_finite());
        assert!(asked(5000, 100).bits() > 600.0);
    }

    #[test]
    fn more_answers_leak_more_and_more_tasks_bear_more() {
        assert!(asked(96, 18).optimism(40) > asked(20, 7).optimism(40));
        assert!(asked(20, 7).optimism(400) < asked(20, 7).optimism(40));
        assert!((asked(10, 10).optimism(40) - (10.0 * LN_2 / 80.0).sqrt()).abs() < 1e-9);
        assert!(asked(20, 7).spent(40, 1.0) < 0.5, "{}", asked(20, 7).spent(40, 1.0));
        assert!(asked(96, 18).spent(40, 1.0) > 1.0);
        assert!(asked(1, 1).spent(0, 1.0).is_infinite());
    }
}
