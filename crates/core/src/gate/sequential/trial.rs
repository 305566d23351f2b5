//! The candidate under test: what was asked of it so far, and what comes next.

use super::known::Known;
use super::policy::{Policy, Rule};
use super::probe;
use crate::candidate::Verdict;
use crate::gate::assured::{self, Duel};
use crate::gate::efficient;
use crate::gate::purchase::{Arm, Evidence, Judgement, Proposal, Purpose, Request, Task};
use crate::gate::stats::Tally;
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
    pub(in crate::gate) suite: BTreeMap<Task, Tally>,
    /// By validation task.
    pub(in crate::gate) validation: Vec<Tally>,
    pub(in crate::gate) promotion: BTreeMap<Task, Tally>,
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
    Decide(Verdict, String),
}

impl Step {
    /// Runs of the candidate.
    pub(in crate::gate) fn run(purpose: Purpose, tasks: Vec<Task>) -> Self {
        let arm = Arm::Candidate;
        Self::Run(Request { arm, purpose, tasks })
    }

    /// The candidate falls.
    pub(in crate::gate) fn reject(reason: impl Into<String>) -> Self {
        Self::Decide(Verdict::Rejected, reason.into())
    }
}

impl Trial {
    /// A candidate that was not run yet.
    pub(super) fn new(known: &Known, policy: &Policy, proposal: Proposal) -> Self {
        Self {
            number: known.candidates,
            share: known.share(&proposal),
            level: known.level(policy),
            order: probe::order(known, policy, &proposal),
            validation: vec![Tally::default(); known.validation.len()],
            duel: match policy.rule {
                Rule::Efficient => Duel::default(),
                Rule::Assured(proof) => Duel::new(&proof),
            },
            proposal,
            ..Self::default()
        }
    }

    /// Takes in a run with a verdict.
    pub(super) fn take(&mut self, arm: Arm, purpose: Purpose, task: Task, passed: bool) {
        *self.runs.entry(purpose).or_default() += 1;
        match (arm, purpose) {
            (Arm::Candidate, Purpose::Probe) => self.probe.entry(task).or_default().add(passed),
            (Arm::Candidate, Purpose::Promotion) => self.promotion.entry(task).or_default().add(passed),
            (Arm::Candidate, Purpose::Suite) => self.suite.entry(task).or_default().add(passed),
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

    /// How probable it is that the cluster is fixed.
    pub(in crate::gate) fn fixes(&self, known: &Known, policy: &Policy) -> f64 {
        probe::fixes(known, policy, &self.probe)
    }

    /// The pass rate in the probe; a half without runs.
    pub(in crate::gate) fn lift(&self) -> f64 {
        probe::lift(&self.probe)
    }

    pub(super) fn next(&self, known: &Known, policy: &Policy) -> Step {
        if let Some(purpose) = self.unmeasurable() {
            let reason = format!("{purpose}: too many runs ended without a verdict, also after retries");
            return Step::Decide(Verdict::Indecisive, reason);
        }
        let fixes = self.fixes(known, policy);
        if let Some(task) = probe::next(policy, &self.order, &self.probe, fixes) {
            return Step::run(Purpose::Probe, vec![task]);
        }
        if fixes <= policy.probe_low {
            let (passed, runs) = self
                .probe
                .values()
                .fold((0.0, 0.0), |(p, n), runs| (p + runs.passed, n + runs.runs()));
            return Step::reject(format!(
                "no effect on its own cluster: {passed} of {runs} runs of its failing cases pass; it is fixed with a probability of {fixes:.2}"
            ));
        }
        match policy.rule {
            Rule::Efficient => efficient::next(self, known, policy),
            Rule::Assured(proof) => assured::next(self, known, &proof),
        }
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
    pub(super) fn judge(&self, known: &Known, policy: &Policy, verdict: Verdict, reason: String) -> Judgement {
        let errored = self.errors.values().flat_map(|tasks| tasks.values()).sum();
        let mut evidence = Evidence {
            runs: self.runs.clone(),
            errored,
            fixes: self.fixes(known, policy),
            regression_score: 1.0,
            level_before: self.level,
            ..Evidence::default()
        };
        match policy.rule {
            Rule::Efficient => efficient::explain(self, known, policy, &mut evidence),
            Rule::Assured(proof) => assured::explain(self, known, policy, &proof, &mut evidence),
        }
        Judgement {
            verdict,
            reason,
            evidence,
        }
    }
}
