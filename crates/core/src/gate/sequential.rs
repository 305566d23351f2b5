//! The gate that buys its runs one by one: reproduce, probe, suite, validation, promote. `efficient` and `assured` differ in how they judge the
//! suite and the validation set; the rest is one.
//!
//! It runs nothing: see [`super::purchase`]. `docs/gates.md` has the model and its sources.

mod care;
mod known;
mod policy;
mod probe;
mod promote;
mod race;
mod trial;
#[cfg(test)]
pub(super) mod world;

pub use care::{BACK, Doubt, LOOKS};
pub use known::Known;
pub use policy::{Policy, Rule};
pub use race::Lap;
pub(super) use trial::{Step, Trial};

use super::purchase::{
    Arm, Ask, Cluster, Evidence, Judgement, Outcome, Promotion, Proposal, Purpose, Request, Seen, Task,
};
use super::stats::Tally;
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

    /// Traffic on the incumbent came in; its failures are asked for once more, those of the suite so often that it is known what they are.
    pub fn traffic(&mut self, traffic: &[Seen]) {
        let failed = self.seen(traffic);
        let tends = self.tends() && !self.known.repeats_itself();
        let times = |task: &Task| match tends && self.known.suite.contains_key(task) {
            true => LOOKS as usize,
            false => 1,
        };
        let open = failed.iter().flat_map(|task| std::iter::repeat_n(*task, times(task)));
        self.phase = Phase::Reproduce(open.collect());
        self.advance();
    }

    /// Whether cases leave the suite for what they do; the literal rule keeps each that has joined.
    pub fn tends(&self) -> bool {
        !matches!(self.policy.rule, Rule::Strict(_))
    }

    /// The cases of the suite that the incumbent's runs speak against.
    pub fn doubts(&self) -> Vec<(Task, Doubt)> {
        if self.tends() { self.known.doubts() } else { Vec::new() }
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

    /// A case of the suite was run again on the incumbent, to see whether it wavers.
    pub fn looked(&mut self, task: Task, passed: bool) {
        self.known.take_run(task, passed);
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

    /// A case is counted no longer.
    pub fn leave_out(&mut self, task: Task) {
        self.known.suite.remove(&task);
        self.known.here.remove(&task);
        self.known.wavering.remove(&task);
    }

    /// A case is counted no longer, until it has passed often enough in a row; so often it has already. `runs` are those of a case that was not
    /// in the suite.
    pub fn set_aside(&mut self, task: Task, runs: Tally, streak: u32) {
        self.known.set_aside(task, runs, streak);
    }

    /// A case is counted again.
    pub fn take_back(&mut self, task: Task, runs: Tally) {
        self.leave_out(task);
        self.known.suite.insert(task, runs);
    }

    /// Where a race stands of several changes for one proposal, of which each has run so much of its cases: `runs` counts a run that lost the cluster's
    /// cause as a pass, as the probe does. The literal rule and an agent that repeats itself know no race: the first is the best.
    pub fn race(&self, proposal: &Proposal, runs: &[BTreeMap<Task, Tally>]) -> Lap {
        if !self.tends() || self.known.repeats_itself() {
            return Lap { best: 0, next: None };
        }
        let order = probe::order(&self.known, &self.policy, proposal);
        race::next(&self.known, &self.policy, &order, runs)
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
        if let Phase::Judged(mut trial) = std::mem::replace(&mut self.phase, Phase::Idle) {
            trial.due = if self.tends() { self.known.due() } else { Vec::new() };
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
                // Of a case of the suite that is run more often, one run is the second of a failure.
                match open.contains(&task) {
                    true => self.known.take_run(task, passed),
                    false => self.known.take_reproduction(task, passed, &self.policy),
                }
            }
            Phase::Judge(trial) | Phase::Promote(trial) => trial.take(request.arm, request.purpose, task, outcome),
            Phase::Idle | Phase::Judged(_) => {}
        }
    }

    /// Makes of the state what is wanted next.
    fn advance(&mut self) {
        if matches!(&self.phase, Phase::Reproduce(open) if open.is_empty()) {
            self.tend();
            self.phase = Phase::Idle;
        }
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

    /// Does what the incumbent's runs say of the suite.
    fn tend(&mut self) {
        for (task, doubt) in self.doubts() {
            match doubt {
                Doubt::Wavers => self.known.set_aside(task, Tally::default(), 0),
                Doubt::Broke => self.leave_out(task),
            }
        }
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
        let due = || care::next(&trial.due, &trial.promotion, errors);
        next.or_else(due).into_iter().collect()
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
            self.known.here.clone_from(&trial.suite);
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
        let runs = &trial.promotion;
        // What wavers comes back by itself, and not as a case that was fixed.
        let mut suite = self.known.suite.clone();
        suite.extend(
            self.known
                .wavering
                .iter()
                .map(|(task, wavering)| (*task, wavering.runs)),
        );
        let suite = &suite;
        let mut promotion = match self.policy.rule {
            Rule::Strict(_) => promote::settle_all(&trial.proposal, runs, suite, strict::RUNS_A_CASE),
            Rule::Efficient | Rule::Assured(_) => {
                let terms = promote::Terms::of(self.known.repeats_itself());
                let there = self.known.promoted(trial.proposal.cluster);
                promote::settle(terms, &trial.proposal, runs, suite, there)
            }
        };
        promotion.returned = self.known.take_wavering(runs, self.policy.remember);
        self.known.take_promotion(trial.proposal.cluster, &promotion);
        promotion
    }
}

#[cfg(test)]
mod tests;
