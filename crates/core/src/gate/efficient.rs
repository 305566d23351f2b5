//! How `efficient` judges the suite and the validation set: each run is bought only while it is expected to buy enough true score.
//!
//! A decision, not a test of significance: what is kept is what is expected to be better, and the claim is what is expected.

mod compare;
mod suite;

use super::purchase::{Evidence, Purpose, Task};
use super::sequential::{Known, Policy, Step, Trial};
use super::stats::smallest_detectable;
use crate::candidate::Verdict;
use compare::Comparison;

/// How much a candidate fixes of its cluster at least when the probe has said that it does.
const LEAST_LIFT: f64 = 0.2;

fn compare(trial: &Trial, known: &Known, policy: &Policy) -> Comparison {
    let share = policy.saves * trial.share * trial.lift().max(LEAST_LIFT);
    Comparison::new(known, policy, &trial.validation, trial.fixes(known, policy), share)
}

/// What comes after the probe.
pub(super) fn next(trial: &Trial, known: &Known, policy: &Policy) -> Step {
    let comparison = compare(trial, known, policy);
    let (telling, worth) = comparison.plan(policy);
    let effect = comparison.effect();
    let good = effect.mean > 0.0 && effect.better >= policy.confidence;
    // The suite costs runs too: a change that nothing could save is not held against it.
    if !good && worth < policy.price && !trial.runs.contains_key(&Purpose::Validation) {
        return Step::reject(format!(
            "not worth measuring: too little of the traffic fails with this cluster ({:.1} %) for what such a change may break",
            100.0 * trial.share
        ));
    }
    match suite::next(&known.suite, &trial.suite) {
        suite::Step::Run(task) => return Step::run(Purpose::Suite, vec![task]),
        suite::Step::Fell(case) => {
            return Step::reject(format!(
                "a fixed failure broke again: case {case} of the regression suite"
            ));
        }
        suite::Step::Held => {}
    }
    if worth >= policy.price && !telling.is_empty() {
        return Step::run(Purpose::Validation, numbers(&telling));
    }
    let words = format!(
        "{}; the score changes by {:+.1} points (give or take {:.1})",
        odds(effect.better),
        100.0 * effect.mean,
        100.0 * effect.sd
    );
    if !good {
        return Step::reject(words);
    }
    match comparison.uncovered(policy) {
        rest if rest.is_empty() => Step::Decide(Verdict::Accepted, words),
        rest => Step::run(Purpose::Validation, numbers(&rest)),
    }
}

/// Fills in what speaks for a verdict.
pub(super) fn explain(trial: &Trial, known: &Known, policy: &Policy, evidence: &mut Evidence) {
    let comparison = compare(trial, known, policy);
    let effect = comparison.effect();
    let states = comparison.states();
    let broken = suite::broken_cases(&known.suite, &trial.suite);
    let part = f64::from(count(broken.len())) / f64::from(count(known.suite.len()).max(1));
    evidence.regression_score = 1.0 - part;
    evidence.broken_cases = broken;
    evidence.effect = effect.mean;
    evidence.effect_sd = effect.sd;
    evidence.better = Some(effect.better);
    evidence.harm = Some(effect.harm);
    evidence.tasks_broken = states.iter().map(|state| state[1]).sum();
    evidence.tasks_fixed = states.iter().map(|state| state[2]).sum();
    let runs: f64 = trial.validation.iter().map(|runs| runs.runs()).sum();
    evidence.smallest_detectable = (runs > 0.0).then(|| smallest_detectable(known.noise(policy), runs, 0.05, 0.8));
    evidence.level_now = known.level(policy);
    evidence.val_score = evidence.level_now + effect.mean;
}

/// The runs that speak for the incumbent, by validation task, after a verdict. A task that changed with a kept candidate is known by the
/// candidate's runs; a rejected candidate's runs count less where it seems to differ.
pub(super) fn learn(trial: &Trial, known: &mut Known, policy: &Policy, accepted: bool) {
    if trial.validation.iter().all(|runs| runs.runs() == 0.0) {
        return;
    }
    let comparison = compare(trial, known, policy);
    known.learn_harm(comparison.effect().harm);
    for ((known, new), state) in known
        .validation
        .iter_mut()
        .zip(&trial.validation)
        .zip(comparison.states())
    {
        // Never without weight: what is wrongly believed of a task must be able to fade.
        let same = policy.doubt + (1.0 - policy.doubt) * state[0];
        let both = if accepted {
            new.plus(*known, policy.remember * same)
        } else {
            known.plus(*new, policy.rejected * same)
        };
        *known = both.at_most(policy.memory);
    }
}

/// A probability in words: `9 in 10 that this is better`.
fn odds(better: f64) -> String {
    format!("{:.0} in 10 that this is better", (10.0 * better).clamp(0.0, 10.0))
}

fn numbers(tasks: &[usize]) -> Vec<Task> {
    tasks.iter().map(|task| count(*task)).collect()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
