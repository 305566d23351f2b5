//! The candidate under test: what was asked of it so far, and what comes next.

use super::known::Known;
use super::policy::{Policy, Rule};
use super::probe;
use crate::candidate::Ground;
use crate::gate::assured::{self, Duel};
use crate::gate::purchase::{Arm, Evidence, Judgement, Outcome, Proposal, Purpose, Request, Task};
use crate::gate::stats::{Tally, clopper_pearson, mean};
use crate::gate::{efficient, strict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Runs without a verdict of one task for one purpose, from which on it cannot be measured.
const ERRORS: u32 = 3;

/// What was measured of a candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::gate) struct Trial {
    pub(in crate::gate) proposal: Proposal,
    /// Which candidate it is, from 1.
    pub(in crate::gate) number: u64,
    /// The cluster's part of the traffic by now.
    pub(in crate::gate) share: f64,
    /// The incumbent's level when the candidate came.
    pub(in crate::gate) level: f64,
    /// The cluster's cases in the order of the probe.
    order: Vec<Task>,
    pub(in crate::gate) probe: BTreeMap<Task, Tally>,
    /// The same runs, those that only lost the cluster's cause counted as passes: they tell as well that it is fixed.
    pub(in crate::gate) cleared: BTreeMap<Task, Tally>,
    /// Cases of the suite on the incumbent.
    pub(in crate::gate) base: BTreeMap<Task, Tally>,
    pub(in crate::gate) suite: BTreeMap<Task, Tally>,
    /// By validation task.
    pub(in crate::gate) validation: Vec<Tally>,
    pub(in crate::gate) promotion: BTreeMap<Task, Tally>,
    /// Cases that left the suite because they wavered, to be run again if this is kept.
    pub(in crate::gate) due: Vec<Task>,
    /// `assured`: candidate against incumbent.
    pub(in crate::gate) duel: Duel,
    pub(in crate::gate) errors: BTreeMap<Purpose, BTreeMap<Task, u32>>,
    pub(in crate::gate) runs: BTreeMap<Purpose, u32>,
}

/// What comes next for a candidate.
pub(in crate::gate) enum Step {
    /// These runs.
    Run(Request),
    /// The verdict.
    Decide(Ground, String),
}

impl Step {
    /// Runs of the candidate.
    pub(in crate::gate) fn run(purpose: Purpose, tasks: Vec<Task>) -> Self {
        let arm = Arm::Candidate;
        Self::Run(Request { arm, purpose, tasks })
    }

    /// There is a verdict.
    pub(in crate::gate) fn decide(ground: Ground, reason: impl Into<String>) -> Self {
        Self::Decide(ground, reason.into())
    }
}

impl Trial {
    /// A candidate that was not run yet.
    pub(super) fn new(known: &Known, policy: &Policy, proposal: Proposal) -> Self {
        Self {
            number: known.candidates,
            share: known.share(&proposal),
            level: match policy.rule {
                Rule::Strict(_) => known.best,
                Rule::Efficient | Rule::Assured(_) => known.level(policy),
            },
            order: probe::order(known, policy, &proposal),
            validation: vec![Tally::default(); known.validation.len()],
            duel: match policy.rule {
                Rule::Efficient | Rule::Strict(_) => Duel::default(),
                Rule::Assured(proof) => Duel::new(&proof.of(&proposal)),
            },
            proposal,
            ..Self::default()
        }
    }

    /// Takes in a run with a verdict.
    pub(super) fn take(&mut self, arm: Arm, purpose: Purpose, task: Task, outcome: Outcome) {
        let passed = outcome == Outcome::Passed;
        *self.runs.entry(purpose).or_default() += 1;
        match (arm, purpose) {
            (Arm::Candidate, Purpose::Probe) => {
                self.probe.entry(task).or_default().add(passed);
                let cleared = passed || outcome == Outcome::Moved;
                self.cleared.entry(task).or_default().add(cleared);
            }
            (Arm::Candidate, Purpose::Promotion) => self.promotion.entry(task).or_default().add(passed),
            (Arm::Candidate, Purpose::Suite) => self.suite.entry(task).or_default().add(passed),
            (Arm::Incumbent, Purpose::Suite) => self.base.entry(task).or_default().add(passed),
            (Arm::Candidate, Purpose::Validation) => {
                let at = usize::try_from(task).ok();
                if let Some(runs) = at.and_then(|task| self.validation.get_mut(task)) {
                    runs.add(passed);
                }
            }
            _ => {}
        }
        self.duel.take(arm, purpose, task, Some(passed));
    }

    /// Takes in a run without one.
    pub(super) fn take_error(&mut self, arm: Arm, purpose: Purpose, task: Task) {
        *self.errors.entry(purpose).or_default().entry(task).or_default() += 1;
        self.duel.take(arm, purpose, task, None);
    }

    /// The cluster's cases, those that the proposer did not see first.
    pub(in crate::gate) fn cases(&self) -> Vec<Task> {
        self.proposal
            .hidden
            .iter()
            .chain(&self.proposal.visible)
            .copied()
            .collect()
    }

    /// Runs with a verdict that were made for a purpose.
    pub(in crate::gate) fn verdicts(&self, purpose: Purpose) -> u32 {
        self.runs.get(&purpose).copied().unwrap_or(0)
    }

    /// Runs without one.
    pub(in crate::gate) fn errored(&self, purpose: Purpose) -> u32 {
        self.errors.get(&purpose).map_or(0, |tasks| tasks.values().sum())
    }

    /// Whether anything was run for a purpose.
    pub(in crate::gate) fn asked(&self, purpose: Purpose) -> bool {
        self.verdicts(purpose) + self.errored(purpose) > 0
    }

    /// The part of the validation tasks that pass, as measured; `None` if nothing was.
    pub(in crate::gate) fn measured(&self) -> Option<f64> {
        let seen = || self.validation.iter().filter(|runs| runs.runs() > 0.0);
        seen().next()?;
        Some(mean(seen().map(|runs| runs.passed / runs.runs())))
    }

    /// How probable it is that the cluster is fixed.
    pub(in crate::gate) fn fixes(&self, known: &Known, policy: &Policy) -> f64 {
        probe::fixes(known, policy, &self.cleared)
    }

    /// The pass rate in the probe; a half without runs.
    pub(in crate::gate) fn lift(&self) -> f64 {
        probe::lift(&self.probe)
    }

    /// In what part of the probed cases the cause is gone and the task fails for others.
    pub(in crate::gate) fn moved(&self) -> f64 {
        let passed = |runs: &BTreeMap<Task, Tally>, task: &Task| runs.get(task).map_or(0.0, |runs| runs.passed);
        mean(
            self.cleared
                .iter()
                .map(|(task, runs)| (runs.passed - passed(&self.probe, task)) / runs.runs().max(1.0)),
        )
    }

    pub(super) fn next(&self, known: &Known, policy: &Policy) -> Step {
        if let Rule::Strict(threshold) = policy.rule {
            return strict::next(self, known, threshold);
        }
        if let Some(purpose) = self.unmeasurable() {
            return self.broke_off(known, purpose);
        }
        let fixes = self.fixes(known, policy);
        if let Some(task) = probe::next(policy, &self.order, &self.cleared, fixes, known.repeats_itself()) {
            return Step::run(Purpose::Probe, vec![task]);
        }
        let none = !self.cleared.is_empty() && self.cleared.values().all(|runs| runs.passed == 0.0);
        if self.proposal.cluster.is_some() && (fixes <= policy.probe_low || none && known.repeats_itself()) {
            let (passed, runs) = self
                .cleared
                .values()
                .fold((0.0, 0.0), |(p, n), runs| (p + runs.passed, n + runs.runs()));
            return Step::decide(
                Ground::Probe,
                format!(
                    "no effect on its own cluster: {passed} of {runs} runs of its failing cases pass; it is fixed with a probability of {fixes:.2}"
                ),
            );
        }
        match policy.rule {
            Rule::Efficient | Rule::Strict(_) => efficient::next(self, known, policy),
            Rule::Assured(proof) => assured::next(self, known, &proof),
        }
    }

    /// What is said of a candidate whose runs break off: that they also did before is no excuse when they do so more often now.
    fn broke_off(&self, known: &Known, purpose: Purpose) -> Step {
        let (errored, verdicts) = (self.errored(purpose), self.verdicts(purpose));
        let (before, of) = known.errors;
        let least = clopper_pearson(errored, verdicts, 0.95).map_or(0.0, |(least, _)| least);
        if of >= 20.0 && least > (before + 1.0) / (of + 2.0) {
            let now = errored + verdicts;
            return Step::decide(
                Ground::Harm,
                format!("{purpose}: {errored} of {now} runs break off, and {before} of {of} did without the change"),
            );
        }
        let reason = format!("{purpose}: too many runs ended without a verdict, also after retries");
        Step::decide(Ground::Infrastructure, reason)
    }

    /// The purpose for which too many runs had no verdict: of one task, or of all together. A candidate that makes runs break off is not excused.
    fn unmeasurable(&self) -> Option<Purpose> {
        let of = self.errors.iter().find(|(purpose, tasks)| {
            let errored: u32 = tasks.values().sum();
            let verdicts = self.runs.get(purpose).copied().unwrap_or(0);
            tasks.values().any(|count| *count >= ERRORS) || errored > ERRORS + verdicts / 10
        });
        of.map(|(purpose, _)| *purpose)
    }

    /// The verdict with everything that speaks for it.
    pub(super) fn judge(&self, known: &Known, policy: &Policy, ground: Ground, reason: String) -> Judgement {
        Judgement {
            ground,
            reason,
            evidence: self.evidence(known, policy),
        }
    }

    /// What speaks for and against it so far.
    pub(super) fn evidence(&self, known: &Known, policy: &Policy) -> Evidence {
        let errored = self.errors.values().flat_map(|tasks| tasks.values()).sum();
        let mut evidence = Evidence {
            runs: self.runs.clone(),
            errored,
            fixes: self.fixes(known, policy),
            regression_score: 1.0,
            level_before: self.level,
            noise: known.noise(policy),
            repeats_itself: known.repeats_itself(),
            whole: u32::try_from(self.order.len() + known.suite.len() + known.validation.len()).unwrap_or(u32::MAX),
            asked: known.asked + u64::from(self.asked(Purpose::Validation)),
            ..Evidence::default()
        };
        match policy.rule {
            Rule::Efficient => efficient::explain(self, known, policy, &mut evidence),
            Rule::Assured(proof) => assured::explain(self, known, policy, &proof, &mut evidence),
            Rule::Strict(_) => strict::explain(self, known, &mut evidence),
        }
        evidence
    }
}
