//! The gate that buys its runs one by one: reproduce, probe, suite, validation, promote. `efficient` and `assured` differ in how they judge the
//! suite and the validation set; the rest is one.
//!
//! It runs nothing: see [`super::purchase`]. `docs/gates.md` has the model and its sources.

mod known;
mod policy;
mod probe;
mod promote;
mod trial;
#[cfg(test)]
pub(super) mod world;

pub use known::Known;
pub use policy::{Policy, Rule};
pub(super) use trial::{Step, Trial};

use super::purchase::{
    Arm, Ask, Cluster, Evidence, Judgement, Outcome, Promotion, Proposal, Purpose, Request, Seen, Task,
};
use super::stats::{Tally, wilson};
use super::{assured, efficient, strict};
use crate::candidate::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The gate. Everything it will ask and decide follows from this state; it can be stored, or made again by telling it the same things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    policy: Policy,
    known: Known,
    phase: Phase,
    ask: Ask,
}

/// A case of the regression suite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CaseRate {
    /// The case's task.
    pub task: Task,
    /// Its runs on the harnesses that were kept, older ones counting less.
    pub runs: Tally,
    /// Where its pass rate lies, nineteen times in twenty.
    pub interval: Option<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Phase {
    Idle,
    Baseline(Vec<Task>),
    Reproduce(Vec<Task>),
    Judge(Box<Trial>),
    Judged(Box<Trial>),
    Promote(Box<Trial>),
}

impl Sequential {
    /// A gate for so many validation tasks. It asks for the incumbent's first validation runs at once.
    pub fn new(policy: Policy, validation_tasks: u32) -> Self {
        let mut gate = Self::of_change(policy, validation_tasks);
        gate.phase = Phase::Baseline((0..validation_tasks).collect());
        gate.advance();
        gate
    }

    /// A gate for one change of an incumbent that is measured only when it must be.
    pub fn of_change(policy: Policy, validation_tasks: u32) -> Self {
        let mut known = Known::default();
        known.validation = (0..validation_tasks).map(|_| Tally::default()).collect();
        Self {
            policy,
            known,
            phase: Phase::Idle,
            ask: Ask::Ready,
        }
    }

    /// The regression suite as it was before, with what its cases did since they joined it.
    #[must_use]
    pub fn with_suite(mut self, cases: impl IntoIterator<Item = (Task, Tally)>) -> Self {
        self.known.suite.extend(cases);
        self
    }

    /// How many candidates were measured on the validation set before.
    #[must_use]
    pub fn asked_before(mut self, candidates: u32) -> Self {
        self.known.asked = u64::from(candidates);
        self
    }

    /// What the gate wants now.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// What the gate knows.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The incumbent's estimated validation score, from 0 to 1; the literal rule takes the best that was measured.
    pub fn level(&self) -> f64 {
        match self.policy.rule {
            Rule::Strict(_) => self.known.best,
            Rule::Efficient | Rule::Assured(_) => self.known.level(&self.policy),
        }
    }

    /// The regression suite.
    pub fn suite(&self) -> Vec<Task> {
        self.known.suite.keys().copied().collect()
    }

    /// What each case of the regression suite does.
    pub fn suite_rates(&self) -> Vec<CaseRate> {
        let rate = |(task, runs): (&Task, &Tally)| CaseRate {
            task: *task,
            runs: *runs,
            interval: wilson(*runs, 0.95),
        };
        self.known.suite.iter().map(rate).collect()
    }

    /// Traffic on the incumbent came in; its failures are asked for once more.
    pub fn traffic(&mut self, traffic: &[Seen]) {
        let failed = self.seen(traffic);
        self.phase = Phase::Reproduce(failed);
        self.advance();
    }

    /// Traffic on the incumbent came in, from a driver that reproduces failures by itself and tells of them with
    /// [`reproduced`](Self::reproduced). Gives the failures.
    pub fn seen(&mut self, traffic: &[Seen]) -> Vec<Task> {
        self.known.take_traffic(traffic)
    }

    /// A failure of the traffic was run again on the incumbent.
    pub fn reproduced(&mut self, task: Task, passed: bool) {
        self.known.take_reproduction(task, passed, &self.policy);
    }

    /// Two runs of a task under different seeds were compared to the letter.
    pub fn compared(&mut self, same: bool) {
        self.known.take_repeat(same);
    }

    /// Runs of the incumbent ended without a verdict.
    pub fn broke_off(&mut self, runs: u32) {
        self.known.errors.0 += f64::from(runs);
        self.known.errors.1 += f64::from(runs);
    }

    /// A cluster has become a part of another one.
    pub fn merge(&mut self, cluster: Cluster, into: Cluster) {
        self.known.merge(cluster, into);
    }

    /// A case is counted no longer, or again.
    pub fn leave_out(&mut self, task: Task) {
        self.known.suite.remove(&task);
    }

    /// A candidate came in.
    pub fn candidate(&mut self, proposal: Proposal) {
        self.known.candidates += 1;
        let trial = Trial::new(&self.known, &self.policy, proposal);
        self.phase = Phase::Judge(Box::new(trial));
        self.advance();
    }

    /// The candidate that was accepted last became the incumbent. Ignored when nothing was accepted.
    pub fn kept(&mut self) {
        if let Phase::Judged(trial) = std::mem::replace(&mut self.phase, Phase::Idle) {
            self.phase = Phase::Promote(trial);
        }
        self.advance();
    }

    /// Ends a promotion with what is known so far, as when the money is spent.
    pub fn settle(&mut self) {
        if matches!(self.phase, Phase::Promote(_)) {
            self.ask = Ask::Promote(self.promoted());
        }
    }

    /// What speaks for and against the candidate that is being judged.
    pub fn evidence(&self) -> Option<Evidence> {
        match &self.phase {
            Phase::Judge(trial) => Some(trial.evidence(&self.known, &self.policy)),
            _ => None,
        }
    }

    /// What was under way ends here, as when the money is spent; what was learned stays.
    pub fn stop(&mut self) {
        self.phase = Phase::Idle;
        self.ask = Ask::Ready;
    }

    /// The outcomes of the runs that were asked for last, in their order.
    pub fn take(&mut self, outcomes: &[Outcome]) {
        let Ask::Run(request) = std::mem::replace(&mut self.ask, Ask::Ready) else {
            return;
        };
        for (task, outcome) in request.tasks.iter().zip(outcomes) {
            match outcome {
                Outcome::Errored => self.take_error(&request, *task),
                verdict => self.take_verdict(&request, *task, *verdict),
            }
        }
        self.advance();
    }

    fn take_error(&mut self, request: &Request, task: Task) {
        if request.arm == Arm::Incumbent {
            self.known.errors.0 += 1.0;
            self.known.errors.1 += 1.0;
        }
        match &mut self.phase {
            // What cannot be measured now is not needed: it stays as uncertain as it was.
            Phase::Baseline(open) | Phase::Reproduce(open) => open.retain(|other| *other != task),
            Phase::Judge(trial) | Phase::Promote(trial) => trial.take_error(request.arm, request.purpose, task),
            Phase::Idle | Phase::Judged(_) => {}
        }
    }

    fn take_verdict(&mut self, request: &Request, task: Task, outcome: Outcome) {
        let passed = outcome == Outcome::Passed;
        if request.arm == Arm::Incumbent {
            self.known.errors.1 += 1.0;
        }
        if request.purpose == Purpose::Baseline {
            self.known.take_baseline(task, passed);
        }
        match &mut self.phase {
            Phase::Baseline(open) => open.retain(|other| *other != task),
            Phase::Reproduce(open) => {
                if let Some(at) = open.iter().position(|other| *other == task) {
                    open.remove(at);
                }
                self.known.take_reproduction(task, passed, &self.policy);
            }
            Phase::Judge(trial) | Phase::Promote(trial) => trial.take(request.arm, request.purpose, task, outcome),
            Phase::Idle | Phase::Judged(_) => {}
        }
    }

    /// Makes of the state what is wanted next.
    fn advance(&mut self) {
        let run = |arm, purpose, tasks| Ask::Run(Request { arm, purpose, tasks });
        self.ask = match &self.phase {
            Phase::Baseline(open) if !open.is_empty() => run(Arm::Incumbent, Purpose::Baseline, open.clone()),
            Phase::Reproduce(open) if !open.is_empty() => run(Arm::Incumbent, Purpose::Reproduce, open.clone()),
            Phase::Judge(trial) => match trial.next(&self.known, &self.policy) {
                Step::Run(request) => Ask::Run(request),
                Step::Decide(ground, reason) => {
                    let judgement = trial.judge(&self.known, &self.policy, ground, reason);
                    self.decided(&judgement);
                    Ask::Decide(Box::new(judgement))
                }
            },
            Phase::Promote(trial) => match self.next_promotion(trial) {
                tasks if tasks.is_empty() => Ask::Promote(self.promoted()),
                tasks => run(Arm::Candidate, Purpose::Promotion, tasks),
            },
            Phase::Baseline(_) | Phase::Reproduce(_) | Phase::Idle | Phase::Judged(_) => Ask::Ready,
        };
    }

    fn next_promotion(&self, trial: &Trial) -> Vec<Task> {
        if let Rule::Strict(_) = self.policy.rule {
            if trial.asked(Purpose::Promotion) {
                return Vec::new();
            }
            let cases: Vec<Task> = promote::cases(&trial.proposal).collect();
            return (0..strict::RUNS_A_CASE).flat_map(|_| cases.clone()).collect();
        }
        let terms = promote::Terms::of(self.known.repeats_itself());
        let errors = trial.errors.get(&Purpose::Promotion);
        let next = promote::next(terms, &trial.proposal, &trial.promotion, errors);
        next.into_iter().collect()
    }

    /// Learns from a verdict.
    fn decided(&mut self, judgement: &Judgement) {
        let Phase::Judge(mut trial) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        let accepted = judgement.verdict() == Verdict::Accepted;
        self.known.asked += u64::from(trial.asked(Purpose::Validation));
        let strict = matches!(self.policy.rule, Rule::Strict(_));
        match self.policy.rule {
            Rule::Efficient => efficient::learn(&trial, &mut self.known, &self.policy, accepted),
            Rule::Assured(_) => assured::learn(&trial, &mut self.known, &self.policy, accepted),
            Rule::Strict(_) => strict::learn(&trial, &mut self.known, accepted),
        }
        if accepted {
            for (task, runs) in &trial.suite {
                let known = self.known.suite.entry(*task).or_default();
                *known = runs.plus(*known, self.policy.remember);
            }
            // The literal rule takes fresh runs.
            trial.promotion = if strict { BTreeMap::new() } else { trial.probe.clone() };
            self.known.best = self.known.best.max(trial.measured().unwrap_or(0.0));
            self.phase = Phase::Judged(trial);
        }
    }

    fn promoted(&mut self) -> Promotion {
        let Phase::Promote(trial) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return Promotion::default();
        };
        let (runs, suite) = (&trial.promotion, &self.known.suite);
        let promotion = match self.policy.rule {
            Rule::Strict(_) => promote::settle_all(&trial.proposal, runs, suite, strict::RUNS_A_CASE),
            Rule::Efficient | Rule::Assured(_) => {
                let terms = promote::Terms::of(self.known.repeats_itself());
                let there = self.known.promoted(trial.proposal.cluster);
                promote::settle(terms, &trial.proposal, runs, suite, there)
            }
        };
        self.known.take_promotion(trial.proposal.cluster, &promotion);
        promotion
    }
}

#[cfg(test)]
mod tests;
