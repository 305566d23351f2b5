//! How `assured` judges the suite and the validation set: a change is kept when it is proven, at an error rate that holds however often one looks.
//!
//! Candidate and incumbent run the same tasks, drawn with replacement from a seed, and every difference is bet on (`betting.rs`). There are three
//! bets: that the candidate is not worse than the margin allows, that it is worse, and that it gains too little to be worth more runs.

mod betting;
mod duel;

pub(super) use duel::Duel;

use super::purchase::{Arm, Evidence, Proposal, Purpose, Request};
use super::sequential::{Known, Policy, Step, Trial};
use super::stats::{draw, smallest_detectable};
use crate::candidate::Ground;
use serde::{Deserialize, Serialize};

/// Pairs that are run at the same time.
const CHUNK: u32 = 10;
/// The standard deviation of true effects that the estimate leans on: without it, what was kept would look better than it is.
const EFFECT_SD: f64 = 0.03;

/// What must be proven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proof {
    /// The rate of false acceptances, from 0 to 1: of candidates that are worse than the incumbent by `margin` or more.
    pub alpha: f64,
    /// How much worse a candidate may be, as part of 1. With 0 it must be better.
    pub margin: f64,
    /// A smaller gain than this is not worth going on for.
    pub worth: f64,
    /// How many pairs there may be, as a multiple of the validation tasks.
    pub passes: u32,
    /// Decides which tasks are drawn.
    pub seed: u64,
}

impl Default for Proof {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            margin: 0.0,
            worth: 0.05,
            passes: 12,
            seed: 0,
        }
    }
}

impl Proof {
    /// What must be proven of a change: one that is for no cluster need not be better, and may be as much worse as is not worth going on for.
    pub(super) fn of(self, proposal: &Proposal) -> Self {
        let margin = match proposal.cluster {
            Some(_) => self.margin,
            None => self.margin.max(self.worth),
        };
        Self { margin, ..self }
    }
}

/// What comes after the probe.
pub(super) fn next(trial: &Trial, known: &Known, proof: &Proof) -> Step {
    let proof = &proof.of(&trial.proposal);
    let (duel, enough) = (&trial.duel, 1.0 / proof.alpha);
    for case in known.suite.keys() {
        let Some(state) = duel.cases.get(case) else {
            return Step::run(Purpose::Suite, vec![*case]);
        };
        if state.broken() >= enough {
            let e = state.broken();
            let words = format!("{} (evidence {e:.0} to 1)", super::efficient::BROKE_AGAIN);
            return Step::decide(Ground::Regression, words);
        }
        if let Some(arm) = state.next() {
            let (purpose, tasks) = (Purpose::Suite, vec![*case]);
            return Step::Run(Request { arm, purpose, tasks });
        }
    }
    let owed = duel.owed();
    if !owed.is_empty() {
        let (arm, purpose) = (Arm::Incumbent, Purpose::Validation);
        return Step::Run(Request {
            arm,
            purpose,
            tasks: owed,
        });
    }
    let tasks = u32::try_from(known.validation.len()).unwrap_or(u32::MAX);
    verdict(trial, proof).unwrap_or_else(|| {
        if duel.drawn >= u64::from(tasks) * u64::from(proof.passes) || tasks == 0 {
            let pairs = duel.pairs;
            return Step::decide(
                Ground::Coverage,
                format!("{pairs} pairs of runs prove neither a gain nor a loss"),
            );
        }
        // Every candidate gets other tasks: what one was kept for must not be what the next one is asked.
        let seed = proof.seed ^ trial.number.rotate_left(32);
        let next = (0..u64::from(CHUNK))
            .map(|i| draw(seed, duel.drawn + i, tasks))
            .collect();
        Step::run(Purpose::Validation, next)
    })
}

fn verdict(trial: &Trial, proof: &Proof) -> Option<Step> {
    let duel = &trial.duel;
    let enough = 1.0 / proof.alpha;
    let (won, lost, pairs) = (duel.won, duel.lost, duel.pairs);
    let seen = format!("of {pairs} pairs of runs it won {won} and lost {lost}");
    let proven = |e: f64| e >= enough;
    if proven(duel.kept.e_value()) {
        let what = if proof.margin > 0.0 {
            "not worse than allowed"
        } else {
            "better"
        };
        let e = duel.kept.e_value();
        let ground = if proof.margin > 0.0 {
            Ground::NoHarm
        } else {
            Ground::Gain
        };
        let words = format!("proven {what}: {seen}; evidence {e:.0} to 1");
        return Some(Step::decide(ground, words));
    }
    if proven(duel.harmful.e_value()) {
        return Some(Step::decide(Ground::Harm, format!("proven worse: {seen}")));
    }
    (trial.proposal.cluster.is_some() && proven(duel.idle.e_value())).then(|| {
        let least = 100.0 * proof.worth;
        let words = format!("gains less than {least:.0} points, if anything: {seen}");
        Step::decide(Ground::NoGain, words)
    })
}

/// Fills in what speaks for a verdict.
pub(super) fn explain(trial: &Trial, known: &Known, policy: &Policy, proof: &Proof, evidence: &mut Evidence) {
    let duel = &trial.duel;
    let broken = duel.cases.iter().filter(|(_, case)| case.broken() >= 1.0 / proof.alpha);
    evidence.broken_cases = broken.map(|(case, _)| *case).collect();
    let cases = u32::try_from(known.suite.len()).unwrap_or(u32::MAX).max(1);
    let lost = u32::try_from(evidence.broken_cases.len()).unwrap_or(u32::MAX);
    evidence.regression_score = 1.0 - f64::from(lost) / f64::from(cases);
    let (pairs, difference) = (f64::from(duel.pairs), f64::from(duel.won) - f64::from(duel.lost));
    // The posterior of a normal effect: what one pair varies by, against what effects vary by.
    let varies = (2.0 * known.noise(policy)).max(1e-3);
    let weight = pairs + varies / (EFFECT_SD * EFFECT_SD);
    evidence.effect = difference / weight;
    evidence.effect_sd = (varies / weight).sqrt();
    evidence.e_value = Some(duel.kept.e_value());
    evidence.tasks_fixed = f64::from(duel.won);
    evidence.tasks_broken = f64::from(duel.lost);
    evidence.smallest_detectable =
        (duel.pairs > 0).then(|| smallest_detectable(known.noise(policy), pairs, proof.alpha, 0.8));
    evidence.level_now = known.level(policy);
    evidence.val_score = evidence.level_now + evidence.effect;
}

/// The runs that speak for the incumbent, by validation task, after a verdict: both harnesses were measured, so each has its own.
pub(super) fn learn(trial: &Trial, known: &mut Known, policy: &Policy, accepted: bool) {
    for (task, known) in (0..).zip(&mut known.validation) {
        let incumbent = trial.duel.incumbent.get(&task).copied().unwrap_or_default();
        let before = known.plus(incumbent, 1.0).at_most(policy.memory);
        let at = usize::try_from(task).ok();
        let candidate = at
            .and_then(|task| trial.validation.get(task))
            .copied()
            .unwrap_or_default();
        *known = if accepted {
            candidate.plus(before, policy.remember)
        } else {
            before
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Verdict;
    use crate::gate::sequential::Rule;
    use crate::gate::sequential::world::World;
    use crate::gate::stats::clopper_pearson;

    /// Pass rates of 30 tasks without noise, with some, with much.
    fn tasks(noise: usize) -> Vec<f64> {
        let of = [[0.0, 1.0, 1.0], [0.1, 0.7, 0.95], [0.4, 0.5, 0.7]][noise];
        (0..30).map(|i| of[i % 3]).collect()
    }

    fn accepted(seed: u64, before: &[f64], after: &[f64], proof: Proof, candidates: u32) -> u32 {
        let policy = Policy {
            rule: Rule::Assured(proof),
            ..Policy::default()
        };
        let mut world = World::new(seed, before, after);
        let mut gate = world.gate(policy);
        let mut count = 0;
        for _ in 0..candidates {
            // What is accepted is not merged, so that each candidate is as bad as the first one.
            count += u32::from(world.judge(&mut gate).verdict() == Verdict::Accepted);
        }
        count
    }

    /// Not significantly more than alpha, by the exact binomial bound at one in a thousand.
    fn at_most_alpha(count: u32, of: u32) -> bool {
        clopper_pearson(count, of - count, 0.998).is_some_and(|(low, _)| low <= Proof::default().alpha)
    }

    #[test]
    fn no_more_than_alpha_of_a_hundred_unchanged_or_harmful_candidates_is_accepted_at_any_noise() {
        for noise in 0..3 {
            let before = tasks(noise);
            let worse: Vec<f64> = before.iter().map(|p| (p - 0.05).max(0.0)).collect();
            for (name, after) in [("unchanged", &before), ("worse", &worse)] {
                let count: u32 = (0..2)
                    .map(|seed| accepted(seed, &before, after, Proof::default(), 100))
                    .sum();
                assert!(at_most_alpha(count, 200), "{name}, noise {noise}: {count} of 200");
            }
        }
    }

    #[test]
    fn with_a_margin_what_is_worse_by_the_margin_is_seldom_accepted_and_what_is_equal_often() {
        let proof = Proof {
            margin: 0.2,
            ..Proof::default()
        };
        let before = tasks(2);
        let worse: Vec<f64> = before.iter().map(|p| p - 0.2).collect();
        let count = accepted(1, &before, &worse, proof, 200);
        assert!(at_most_alpha(count, 200), "{count} of 200");
        let count = accepted(1, &before, &before, proof, 20);
        assert!(count >= 12, "{count} of 20");
    }

    #[test]
    fn a_large_gain_is_proven_and_a_large_loss_too() {
        let before = tasks(1);
        let better: Vec<f64> = before.iter().map(|p| p.max(0.8)).collect();
        assert!(accepted(3, &before, &better, Proof::default(), 10) >= 9);
        let mut world = World::new(4, &better, &before);
        let policy = Policy {
            rule: Rule::Assured(Proof::default()),
            ..Policy::default()
        };
        let judgement = world.judge(&mut world.clone().gate(policy));
        assert!(judgement.reason.starts_with("proven worse"), "{}", judgement.reason);
        assert!(judgement.evidence.effect < -0.02, "{:?}", judgement.evidence);
    }
}
