//! What a budget can and cannot resolve, before it is spent: the gate rehearsed on this many tasks that waver this much.

use super::holdout::Asked;
use super::rehearse::{Agent, rehearse};
use super::sequential::Policy;
use super::stats::{normal_quantile, real, smallest_detectable};
use crate::budget::Limits;
use serde::Serialize;

/// True changes of the score that are rehearsed.
const EFFECTS: [f64; 6] = [-0.10, -0.05, 0.0, 0.05, 0.10, 0.20];
/// The change that a mean experiment is thought to bring when it fixes its cluster.
const USUAL: f64 = 0.05;
/// The least part of the traffic a cluster is thought to have.
const SHARE: f64 = 0.05;
const SEED: u64 = 1;

/// What is known, or assumed, before the money is spent. Scores are parts of 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Situation {
    /// Validation tasks.
    pub tasks: u32,
    /// Cases of the regression suite.
    pub suite: u32,
    /// The incumbent's score.
    pub level: f64,
    /// `E[p(1-p)]` over tasks: half the rate at which identical runs disagree.
    pub noise: f64,
    /// Whether level and noise were measured, or are assumed.
    pub measured: bool,
    /// What a run costs, in US dollars.
    pub usd_a_run: f64,
    /// How often the held-out set was asked.
    pub asked: Asked,
}

/// What the gate does with changes of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Line {
    /// The true change of the score; `None`: the change does not even fix its cluster.
    pub effect: Option<f64>,
    /// The part of such changes that is kept, from 0 to 1.
    pub kept: f64,
    /// Runs that one costs, in the mean.
    pub runs: f64,
    /// As `kept`, with twice the validation tasks.
    pub kept_with_twice: f64,
}

/// What a budget can resolve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// What it is made from.
    pub situation: Situation,
    /// One line a kind of change.
    pub lines: Vec<Line>,
    /// Runs before the first experiment: the incumbent on the validation set.
    pub baseline_runs: u32,
    /// Runs of an experiment: the least, in the mean, the most that was rehearsed. The mean is of candidates of which the part
    /// [`Policy::fixes`] fixes its cluster.
    pub runs: (u64, f64, u64),
    /// Experiments that the budget pays for, in the mean.
    pub experiments: u32,
    /// What ends it first.
    pub limit: Limit,
    /// US dollars that these experiments cost, in the mean.
    pub usd: f64,
    /// The smallest difference that one pass over the validation set on each side shows, four times in five, at one false alarm in twenty.
    pub one_pass_shows: f64,
    /// The same, if all runs of the budget went into one comparison.
    pub budget_shows: f64,
    /// Half the width of the interval in which the score over all tasks of this kind lies, nineteen times in twenty, however often these are run.
    pub sample_error: f64,
}

/// What a budget ends by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `budget.experiments`.
    Experiments,
    /// `budget.task_runs`.
    TaskRuns,
    /// `budget.usd`.
    Usd,
}

/// Rehearses the gate in a situation, with so many candidates of each kind. Deterministic: the same question has the same answer.
pub fn forecast(policy: &Policy, situation: Situation, limits: Limits, candidates: u32) -> Forecast {
    // A gate that has measured how much tasks waver is rehearsed with what it has learned, not with what it assumed.
    let policy = &Policy {
        noise: (situation.noise, policy.noise.1),
        ..*policy
    };
    let agent = |tasks| Agent::with_level(tasks, situation.level, situation.noise);
    let (once, twice) = (agent(situation.tasks), agent(2 * situation.tasks));
    let mut least = u64::MAX;
    let mut most = 0;
    let mut line = |effect: Option<f64>| {
        let share = effect.unwrap_or(0.0).max(SHARE);
        let said = |before: &Agent| {
            // A change that fixes its cluster and brings less than that has broken something.
            let after = effect.map_or_else(|| before.clone(), |effect| before.changed(share, share - effect));
            rehearse(policy, before, &after, share, candidates, SEED)
        };
        let (said, larger) = (said(&once), said(&twice));
        // What falls in the probe never meets the suite.
        let suite = if effect.is_some() { situation.suite } else { 0 };
        least = least.min(said.least_runs);
        most = most.max(said.most_runs + u64::from(suite));
        Line {
            effect,
            kept: said.kept(),
            runs: said.runs_each() + f64::from(suite),
            kept_with_twice: larger.kept(),
        }
    };
    let lines: Vec<Line> = std::iter::once(None).chain(EFFECTS.map(Some)).map(&mut line).collect();
    let runs_of = |effect: Option<f64>| {
        lines
            .iter()
            .find(|line| line.effect == effect)
            .map_or(0.0, |line| line.runs)
    };
    let mean = policy.fixes * runs_of(Some(USUAL)) + (1.0 - policy.fixes) * runs_of(None);
    let (experiments, limit) = affords(situation, limits, mean);
    let tasks = f64::from(situation.tasks);
    Forecast {
        baseline_runs: situation.tasks,
        runs: (least, mean, most),
        experiments,
        limit,
        usd: (tasks + f64::from(experiments) * mean) * situation.usd_a_run,
        one_pass_shows: smallest_detectable(situation.noise, tasks, 0.05, 0.8),
        budget_shows: smallest_detectable(situation.noise, real(limits.task_runs) / 2.0, 0.05, 0.8),
        sample_error: normal_quantile(0.975) * (situation.level * (1.0 - situation.level) / tasks.max(1.0)).sqrt(),
        situation,
        lines,
    }
}

/// How many experiments there can be, and what ends them.
fn affords(situation: Situation, limits: Limits, mean: f64) -> (u32, Limit) {
    let left = |runs: f64| ((runs - f64::from(situation.tasks)) / mean.max(1.0)).max(0.0) as u32;
    let by_runs = (left(real(limits.task_runs)), Limit::TaskRuns);
    let by_usd = (
        left(limits.usd / situation.usd_a_run.max(f64::MIN_POSITIVE)),
        Limit::Usd,
    );
    [by_runs, by_usd]
        .into_iter()
        .fold((limits.experiments, Limit::Experiments), |first, other| {
            if other.0 < first.0 { other } else { first }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation() -> Situation {
        Situation {
            tasks: 40,
            suite: 10,
            level: 0.6,
            noise: 0.12,
            measured: false,
            usd_a_run: 0.01,
            asked: Asked::default(),
        }
    }

    const LIMITS: Limits = Limits {
        experiments: 500,
        experiments_per_batch: 6,
        task_runs: 2000,
        usd: 100.0,
    };

    #[test]
    fn a_forecast_says_what_is_kept_what_it_costs_and_what_ends_it() {
        let policy = Policy::default();
        let said = forecast(&policy, situation(), LIMITS, 10);
        let kept = |effect| said.lines.iter().find(|line| line.effect == effect).unwrap().kept;
        assert!(
            kept(None) < 0.05 && kept(Some(-0.10)) < kept(Some(0.05)),
            "{:?}",
            said.lines
        );
        assert!(
            kept(Some(0.20)) > 0.7 && kept(Some(0.20)) > kept(Some(0.0)),
            "{:?}",
            said.lines
        );
        let (least, mean, most) = said.runs;
        assert!(least <= 4 && mean > real(least) && real(most) > mean, "{:?}", said.runs);
        assert_eq!(said.limit, Limit::TaskRuns);
        assert!(said.experiments > 5 && said.experiments < 500);
        // sqrt(2 * 0.12 / 40) * 2.4865 and the same with 1,000 runs a side.
        assert!((said.one_pass_shows - 0.1926).abs() < 0.001, "{}", said.one_pass_shows);
        assert!((said.budget_shows - 0.0385).abs() < 0.001);
        assert!((said.sample_error - 0.1518).abs() < 0.001);
    }

    #[test]
    fn the_first_limit_that_is_reached_ends_it() {
        let poor = Limits { usd: 1.0, ..LIMITS };
        assert_eq!(affords(situation(), poor, 20.0), (3, Limit::Usd));
        let free = Situation {
            usd_a_run: 0.0,
            ..situation()
        };
        assert_eq!(affords(free, LIMITS, 1.0), (500, Limit::Experiments));
        let nothing = Limits {
            task_runs: 10,
            ..LIMITS
        };
        assert_eq!(affords(free, nothing, 20.0), (0, Limit::TaskRuns));
    }
}
