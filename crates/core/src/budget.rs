//! What a run may spend, and what it has spent.

use crate::trial::Trial;
use serde::{Deserialize, Serialize};

/// What was spent: only runs that were really made, never those that came from the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// Task runs.
    pub task_runs: u64,
    /// US dollars.
    pub usd: f64,
}

/// What may be spent in all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Experiments in all.
    pub experiments: u32,
    /// Experiments a batch.
    pub experiments_per_batch: u32,
    /// Task runs in all.
    pub task_runs: u64,
    /// US dollars in all.
    pub usd: f64,
}

impl Spent {
    /// Whether it cost nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what one trial cost.
    pub fn count(&mut self, trial: &Trial) {
        self.task_runs += 1;
        self.usd += trial.usage.usd;
    }

    /// Adds another sum.
    pub fn add(&mut self, other: Self) {
        self.task_runs += other.task_runs;
        self.usd += other.usd;
    }

    /// What is used up, in words, if anything is.
    pub fn over(&self, limits: &Limits) -> Option<String> {
        if self.task_runs >= limits.task_runs {
            return Some(format!("the budget of {} task runs is spent", limits.task_runs));
        }
        // A budget of nothing forbids paid runs, not free ones.
        (self.usd >= limits.usd && self.usd > 0.0)
            .then(|| format!("the budget of ${:.2} is spent (${:.2})", limits.usd, self.usd))
    }
}
