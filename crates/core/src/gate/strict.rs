//! The rule of the public experiment, to the letter: regression score >= threshold, then validation score >= best seen; one trial a task.
//!
//! It is known to be weak (`docs/gates.md`) and kept so that results can be compared. Before it, a candidate must change something
//! on its own cluster: a screen that can only save money, since it never accepts.

use super::GateStep;
use crate::candidate::{Experiment, Stage, Verdict};
use crate::score::Scorecard;

pub(super) fn next(threshold: f64, experiment: &Experiment, suite_size: usize) -> GateStep {
    let Some(cluster) = &experiment.cluster_cases else {
        return GateStep::Measure(Stage::Cluster);
    };
    cluster_verdict(cluster).unwrap_or_else(|| after_screen(threshold, experiment, suite_size))
}

/// The rule itself.
pub(super) fn after_screen(threshold: f64, experiment: &Experiment, suite_size: usize) -> GateStep {
    match &experiment.regression {
        // Before the first promotion there is nothing that could regress; the validation set decides alone.
        None if suite_size > 0 => return GateStep::Measure(Stage::Regression),
        None => {}
        Some(card) => {
            if let Some(verdict) = regression_verdict(card, threshold) {
                return verdict;
            }
        }
    }
    match &experiment.validation {
        None => GateStep::Measure(Stage::Validation),
        Some(card) => validation_verdict(card, experiment.best_before),
    }
}

fn cluster_verdict(card: &Scorecard) -> Option<GateStep> {
    let Some(_) = card.score() else {
        return Some(indecisive(card, Stage::Cluster));
    };
    (card.fixed == 0 && card.mechanism_gone == 0).then(|| {
        let total = card.total();
        GateStep::Decide(Verdict::Rejected, format!("no effect on its own cluster: none of {total} cases is fixed, and the root cause is still there in all of them"))
    })
}

fn regression_verdict(card: &Scorecard, threshold: f64) -> Option<GateStep> {
    let score = match card.score() {
        Some(score) if card.complete() => score,
        _ => return Some(indecisive(card, Stage::Regression)),
    };
    (score < threshold).then(|| {
        let (passed, total) = (card.passed, card.total());
        GateStep::Decide(
            Verdict::Rejected,
            format!("regression: {passed} of {total} cases pass ({score:.2}), {threshold:.2} is needed"),
        )
    })
}

fn validation_verdict(card: &Scorecard, best: f64) -> GateStep {
    match card.score() {
        Some(score) if card.complete() && score >= best => GateStep::Decide(
            Verdict::Accepted,
            format!("validation {score:.3}, best seen before {best:.3}"),
        ),
        Some(score) if card.complete() => GateStep::Decide(
            Verdict::Rejected,
            format!("validation {score:.3} is below the best seen, {best:.3}"),
        ),
        _ => indecisive(card, Stage::Validation),
    }
}

/// Missing verdicts are never dropped from both sides of a fraction: the stage was not measured.
fn indecisive(card: &Scorecard, stage: Stage) -> GateStep {
    let reason = match (card.errored, card.total()) {
        (_, 0) => format!("{stage}: nothing was measured"),
        (errored, total) => format!("{stage}: {errored} of {total} runs ended without a verdict, also after retries"),
    };
    GateStep::Decide(Verdict::Indecisive, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::Candidate;
    use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId};

    fn card(passed: u32, failed: u32, errored: u32) -> Scorecard {
        Scorecard {
            passed,
            failed,
            errored,
            ..Scorecard::default()
        }
    }

    fn experiment() -> Experiment {
        let candidate = Candidate {
            id: CandidateId::new("x"),
            cluster: ClusterId::new("c"),
            parent: HarnessId::new("h"),
            title: String::new(),
            hypothesis: String::new(),
            changes: Vec::new(),
            diff: String::new(),
            predicted: Vec::new(),
            origin: String::new(),
        };
        Experiment {
            id: ExperimentId::new("E001"),
            batch: 1,
            candidate,
            cluster_cases: Some(Scorecard {
                fixed: 1,
                ..card(1, 2, 0)
            }),
            regression: None,
            validation: None,
            best_before: 0.5,
            verdict: None,
            task_runs: 0,
        }
    }

    fn verdict(experiment: &Experiment, suite: usize) -> Option<Verdict> {
        match next(0.8, experiment, suite) {
            GateStep::Decide(verdict, _) => Some(verdict),
            GateStep::Measure(_) => None,
        }
    }

    #[test]
    fn the_stages_come_in_order_and_an_empty_suite_is_passed_over() {
        let mut e = experiment();
        e.cluster_cases = None;
        assert_eq!(next(0.8, &e, 3), GateStep::Measure(Stage::Cluster));
        assert_eq!(next(0.8, &experiment(), 3), GateStep::Measure(Stage::Regression));
        assert_eq!(next(0.8, &experiment(), 0), GateStep::Measure(Stage::Validation));
        e = experiment();
        e.regression = Some(card(4, 1, 0));
        assert_eq!(next(0.8, &e, 5), GateStep::Measure(Stage::Validation));
    }

    #[test]
    fn the_threshold_and_the_best_seen_are_met_by_equality_and_missed_by_one_case() {
        let mut e = experiment();
        e.regression = Some(card(7, 2, 0));
        assert_eq!(verdict(&e, 9), Some(Verdict::Rejected));
        e.regression = Some(card(8, 2, 0));
        e.validation = Some(card(20, 20, 0));
        assert_eq!(verdict(&e, 10), Some(Verdict::Accepted));
        e.validation = Some(card(19, 21, 0));
        assert_eq!(verdict(&e, 10), Some(Verdict::Rejected));
    }

    #[test]
    fn missing_verdicts_and_empty_sets_never_pass() {
        let mut e = experiment();
        e.regression = Some(card(9, 0, 1));
        assert_eq!(verdict(&e, 10), Some(Verdict::Indecisive));
        e.regression = None;
        e.validation = Some(card(0, 0, 0));
        assert_eq!(verdict(&e, 0), Some(Verdict::Indecisive));
        e.validation = Some(card(39, 0, 1));
        assert_eq!(verdict(&e, 0), Some(Verdict::Indecisive));
        e.cluster_cases = Some(card(0, 0, 3));
        assert_eq!(verdict(&e, 0), Some(Verdict::Indecisive));
    }

    #[test]
    fn a_change_that_does_nothing_for_its_cluster_is_rejected_before_anything_dearer() {
        let mut e = experiment();
        e.cluster_cases = Some(card(0, 3, 0));
        assert_eq!(verdict(&e, 10), Some(Verdict::Rejected));
    }
}
