//! How `efficient` judges the suite and the validation set: each run is bought only while it is expected to buy enough true score.
//!
//! A decision, not a test of significance: what is kept is what is expected to be better, and the claim is what is expected.

mod compare;
mod suite;

use super::purchase::{Arm, Evidence, Purpose, Request, Task};
use super::sequential::{Known, Policy, Step, Trial};
use super::stats::{self, Tally, smallest_detectable};
use crate::candidate::Ground;
use compare::{Comparison, Effect, Prospect};
use std::collections::BTreeMap;

pub(in crate::gate) use suite::{BROKEN, broken};

/// How much a candidate fixes of its cluster at least when the probe has said that it does.
const LEAST_LIFT: f64 = 0.2;

/// The share of the tasks that a change for no cluster may make pass, for all that is known.
const ANY_SHARE: f64 = 0.1;
/// Runs of the incumbent that show a case to have failed before.
const BASE_RUNS: f64 = 2.0;

fn compare(trial: &Trial, known: &Known, policy: &Policy) -> Comparison {
    let prospect = match trial.proposal.cluster {
        None => Prospect {
            fixes: policy.fixes,
            share: ANY_SHARE,
            later: 0.0,
            tolerance: policy.tolerance,
        },
        Some(_) => {
            // What only lost its cause does not pass yet: that the validation set does not move is no news then.
            let moved = trial.moved();
            let lift = trial.lift().max(LEAST_LIFT * (1.0 - moved));
            Prospect {
                fixes: trial.fixes(known, policy),
                share: policy.saves * trial.share * lift,
                later: policy.later * trial.share * moved,
                // A tie goes to the simpler harness.
                tolerance: if trial.proposal.simpler { policy.tolerance } else { 0.0 },
            }
        }
    };
    Comparison::new(known, policy, &trial.validation, prospect)
}

/// What comes after the probe.
pub(super) fn next(trial: &Trial, known: &Known, policy: &Policy) -> Step {
    let comparison = compare(trial, known, policy);
    let (telling, worth) = comparison.plan();
    let effect = comparison.effect();
    let good = effect.worth > 0.0 && effect.better >= policy.confidence;
    let for_cluster = trial.proposal.cluster.is_some();
    // The suite costs runs too: a change that nothing could save is not held against it.
    if for_cluster && !good && worth < policy.price && !trial.runs.contains_key(&Purpose::Validation) {
        let share = 100.0 * trial.share;
        let words = format!(
            "not worth measuring: too little of the traffic fails with this cluster ({share:.1} %) for what such a change may break"
        );
        return Step::decide(Ground::NoGain, words);
    }
    let suite = counted(trial, known);
    match suite::next(&suite, &trial.suite, known.repeats_itself()) {
        suite::Step::Run(task) => return Step::run(Purpose::Suite, vec![task]),
        suite::Step::Fell(case) if !for_cluster && trial.base.get(&case).is_none_or(|runs| runs.passed == 0.0) => {
            let (arm, purpose) = (Arm::Incumbent, Purpose::Suite);
            return Step::Run(Request {
                arm,
                purpose,
                tasks: vec![case],
            });
        }
        suite::Step::Fell(_) => return Step::decide(Ground::Regression, BROKE_AGAIN),
        suite::Step::Held => {}
    }
    let unmeasured = known.unmeasured();
    if !for_cluster && !unmeasured.is_empty() && !trial.errors.contains_key(&Purpose::Baseline) {
        let (arm, purpose, tasks) = (Arm::Incumbent, Purpose::Baseline, unmeasured);
        return Step::Run(Request { arm, purpose, tasks });
    }
    if worth >= policy.price && !telling.is_empty() {
        return Step::run(Purpose::Validation, numbers(&telling));
    }
    let words = words(trial, known, policy, effect);
    if !good && !comparison.is_open() {
        let ground = if effect.harm >= 0.5 {
            Ground::Harm
        } else {
            Ground::NoGain
        };
        return Step::decide(ground, words);
    }
    match comparison.uncovered() {
        rest if rest.is_empty() => Step::Decide(ground(trial, known, policy, effect), words),
        rest => Step::run(Purpose::Validation, numbers(&rest)),
    }
}

/// Why a change falls that breaks a case of the suite.
pub(super) const BROKE_AGAIN: &str = "a fixed failure broke again";

/// The cases that count: what the incumbent fails too was not broken by the change.
fn counted(trial: &Trial, known: &Known) -> BTreeMap<Task, Tally> {
    let excused = |task: &Task| {
        let base = trial.base.get(task);
        base.is_some_and(|runs| runs.passed == 0.0 && runs.failed >= BASE_RUNS)
    };
    let cases = known.suite.iter().filter(|(task, _)| !excused(task));
    cases.map(|(task, runs)| (*task, *runs)).collect()
}

/// Why a change is kept.
fn ground(trial: &Trial, known: &Known, policy: &Policy, effect: Effect) -> Ground {
    match trial.proposal.cluster {
        None if trial.proposal.simpler => Ground::Simpler,
        None => Ground::NoHarm,
        Some(_) if is_step(trial, effect) => Ground::Enabling,
        Some(_) if is_tie(trial, known, policy, effect) => Ground::Simpler,
        Some(_) => Ground::Gain,
    }
}

/// Whether a change is kept for nothing but that it leaves the harness smaller.
fn is_tie(trial: &Trial, known: &Known, policy: &Policy, effect: Effect) -> bool {
    // Half a task more is none: the level is an estimate.
    let more = |difference: f64| difference * stats::real(trial.validation.len()) > 0.5;
    let gains = measured(trial, known).map_or(effect.worth > policy.tolerance, more);
    trial.proposal.simpler && !gains
}

/// Whether a change is kept for what it makes possible.
fn is_step(trial: &Trial, effect: Effect) -> bool {
    trial.moved() > 0.0 && (effect.mean <= 0.0 || trial.lift() == 0.0)
}

/// The change of the score, where it was seen and need not be estimated: an agent that repeats itself has run every task.
fn measured(trial: &Trial, known: &Known) -> Option<f64> {
    let all = known.repeats_itself() && trial.validation.iter().all(|runs| runs.runs() > 0.0);
    Some(trial.measured().filter(|_| all)? - trial.level)
}

/// What the comparison says, in words.
fn words(trial: &Trial, known: &Known, policy: &Policy, effect: Effect) -> String {
    let (low, high) = effect.range();
    let by = match measured(trial, known) {
        Some(difference) => format!("{:+.1} points on the validation set", 100.0 * difference),
        None => format!("{:+.1} to {:+.1} points", 100.0 * low, 100.0 * high),
    };
    let sure = odds(effect.better);
    let good = effect.worth > 0.0 && effect.better >= policy.confidence;
    let not_worse = format!("{sure} that this is not worse; {by}");
    match trial.proposal.cluster {
        Some(_) if !(good && is_tie(trial, known, policy, effect)) || is_step(trial, effect) => {}
        _ if trial.proposal.simpler && good => return format!("{not_worse}; a tie goes to the simpler harness"),
        _ => return not_worse,
    }
    if is_step(trial, effect) {
        let moved = 100.0 * trial.moved();
        return format!(
            "a step on the way: the root cause is gone from {moved:.0} % of its cases, which still fail for other causes; {sure} that it is worth keeping; {by} for now"
        );
    }
    let mixed = effect.harm >= 0.5 && effect.mean > 0.0 && effect.worth <= 0.0;
    let but = if mixed {
        ", but it breaks too much for what it fixes"
    } else {
        ""
    };
    format!("{sure} that this is better; {by}{but}")
}

/// Fills in what speaks for a verdict.
pub(super) fn explain(trial: &Trial, known: &Known, policy: &Policy, evidence: &mut Evidence) {
    let comparison = compare(trial, known, policy);
    let effect = comparison.effect();
    let states = comparison.states();
    let broken = suite::broken_cases(&counted(trial, known), &trial.suite, known.repeats_itself());
    let part = f64::from(count(broken.len())) / f64::from(count(known.suite.len()).max(1));
    evidence.regression_score = 1.0 - part;
    evidence.broken_cases = broken;
    (evidence.effect, evidence.effect_sd) = match measured(trial, known) {
        Some(difference) => (difference, 0.0),
        None => (effect.mean, effect.sd),
    };
    evidence.later = effect.later;
    evidence.better = Some(effect.better);
    evidence.harm = Some(effect.harm);
    evidence.tasks_broken = states.iter().map(|state| state[1]).sum();
    evidence.tasks_fixed = states.iter().map(|state| state[2]).sum();
    let runs: f64 = trial.validation.iter().map(|runs| runs.runs()).sum();
    evidence.smallest_detectable = (runs > 0.0).then(|| smallest_detectable(known.noise(policy), runs, 0.05, 0.8));
    evidence.level_now = known.level(policy);
    evidence.val_score = evidence.level_now + evidence.effect;
}

/// The runs that speak for the incumbent, by validation task, after a verdict. A task that changed with a kept candidate is known by the
/// candidate's runs; a rejected candidate's runs count less where it seems to differ.
pub(super) fn learn(trial: &Trial, known: &mut Known, policy: &Policy, accepted: bool) {
    if trial.validation.iter().all(|runs| runs.runs() == 0.0) {
        return;
    }
    let comparison = compare(trial, known, policy);
    known.learn_harm(comparison.effect().harm);
    if known.repeats_itself() {
        // A harness that was kept is what it was seen to be; another one says nothing of it.
        for (known, new) in known.validation.iter_mut().zip(&trial.validation) {
            if accepted && new.runs() > 0.0 {
                *known = new.at_most(1.0);
            }
        }
        return;
    }
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

/// A probability in words: `9 in 10`.
pub fn odds(p: f64) -> String {
    match p {
        p if p >= 0.99 => "more than 99 in 100".to_owned(),
        p if p >= 0.95 => "more than 19 in 20".to_owned(),
        p if p <= 0.01 => "less than 1 in 100".to_owned(),
        p if p <= 0.05 => "less than 1 in 20".to_owned(),
        p => format!("{:.0} in 10", (10.0 * p).clamp(1.0, 9.0)),
    }
}

fn numbers(tasks: &[usize]) -> Vec<Task> {
    tasks.iter().map(|task| count(*task)).collect()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
