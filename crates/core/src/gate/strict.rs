//! The rule of the public experiment, to the letter: regression score >= threshold, then validation score >= best seen; one trial a task.
//!
//! It is known to be weak (`docs/gates.md`) and kept so that results can be compared. Before it, a candidate must change something
//! on its own cluster: a screen that can only save money, since it never accepts.

use super::purchase::{Arm, Evidence, Purpose, Request, Task};
use super::sequential::{Known, Step, Trial};
use super::stats::Tally;
use crate::candidate::Ground;
use std::collections::BTreeMap;

/// Runs of a case before it joins the suite; it must pass all of them.
pub(super) const RUNS_A_CASE: u32 = 2;

/// What comes next.
pub(super) fn next(trial: &Trial, known: &Known, threshold: f64) -> Step {
    let cases = trial.cases();
    if !cases.is_empty() {
        if !trial.asked(Purpose::Probe) {
            return Step::run(Purpose::Probe, cases);
        }
        if trial.verdicts(Purpose::Probe) == 0 {
            return unmeasured(trial, Purpose::Probe);
        }
        if trial.probe.values().all(|runs| runs.passed == 0.0) {
            return Step::Decide(
                Ground::Probe,
                format!(
                    "no effect on its own cluster: none of {} cases is fixed, and the root cause is still there in all of them",
                    cases.len()
                ),
            );
        }
    }
    if !known.suite.is_empty() {
        if !trial.asked(Purpose::Suite) {
            return Step::run(Purpose::Suite, known.suite.keys().copied().collect());
        }
        if trial.errored(Purpose::Suite) > 0 {
            return unmeasured(trial, Purpose::Suite);
        }
        let score = regression(trial);
        if score < threshold {
            let (passed, total) = (sum(&trial.suite).passed, trial.suite.len());
            return Step::Decide(
                Ground::Regression,
                format!("regression: {passed} of {total} cases pass ({score:.2}), {threshold:.2} is needed"),
            );
        }
    }
    // A change for no cluster is the only one that comes before the incumbent was measured.
    let unmeasured_tasks = known.unmeasured();
    if trial.proposal.cluster.is_none() && !unmeasured_tasks.is_empty() && !trial.asked(Purpose::Baseline) {
        let (arm, purpose, tasks) = (Arm::Incumbent, Purpose::Baseline, unmeasured_tasks);
        return Step::Run(Request { arm, purpose, tasks });
    }
    if !trial.asked(Purpose::Validation) {
        let tasks: Vec<Task> = (0..).zip(&known.validation).map(|(task, _)| task).collect();
        return match tasks.is_empty() {
            true => Step::Decide(Ground::Coverage, "validation set: nothing was measured".to_owned()),
            false => Step::run(Purpose::Validation, tasks),
        };
    }
    for purpose in [Purpose::Baseline, Purpose::Validation] {
        if trial.errored(purpose) > 0 {
            return unmeasured(trial, purpose);
        }
    }
    let (score, best) = (trial.measured().unwrap_or(0.0), known.best);
    if score >= best {
        let words = format!("validation {score:.3}, best seen before {best:.3}");
        return Step::Decide(Ground::Gain, words);
    }
    let words = format!("validation {score:.3} is below the best seen, {best:.3}");
    Step::Decide(Ground::Harm, words)
}

/// Missing verdicts are never dropped from both sides of a fraction: the stage was not measured.
fn unmeasured(trial: &Trial, purpose: Purpose) -> Step {
    let errored = trial.errored(purpose);
    let total = errored + trial.verdicts(purpose);
    let words = format!("{purpose}: {errored} of {total} runs ended without a verdict, also after retries");
    Step::Decide(Ground::Infrastructure, words)
}

fn sum(runs: &BTreeMap<Task, Tally>) -> Tally {
    runs.values().fold(Tally::default(), |sum, runs| sum.plus(*runs, 1.0))
}

fn regression(trial: &Trial) -> f64 {
    let all = sum(&trial.suite);
    if all.runs() == 0.0 {
        1.0
    } else {
        all.passed / all.runs()
    }
}

/// Fills in what speaks for a verdict.
pub(super) fn explain(trial: &Trial, known: &Known, evidence: &mut Evidence) {
    let failed = trial.suite.iter().filter(|(_, runs)| runs.failed > 0.0);
    evidence.broken_cases = failed.map(|(case, _)| *case).collect();
    evidence.regression_score = regression(trial);
    evidence.level_now = known.best;
    evidence.val_score = trial.measured().unwrap_or(0.0);
    evidence.effect = if trial.asked(Purpose::Validation) {
        evidence.val_score - known.best
    } else {
        0.0
    };
    evidence.effect_sd = 0.0;
}

/// Only the best score counts, and the harness that was kept is what it was measured to be.
pub(super) fn learn(trial: &Trial, known: &mut Known, accepted: bool) {
    if accepted {
        known.best = known.best.max(trial.measured().unwrap_or(0.0));
        known.validation.clone_from(&trial.validation);
    }
}
