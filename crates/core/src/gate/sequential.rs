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

use super::purchase::{Arm, Ask, Judgement, Outcome, Promotion, Proposal, Purpose, Request, Seen, Task};
use super::stats::{Tally, wilson};
use super::{assured, efficient};
use crate::candidate::Verdict;
use serde::{Deserialize, Serialize};

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
        let tasks: Vec<Task> = (0..validation_tasks).collect();
        let mut known = Known::default();
        known.validation.resize(tasks.len(), Tally::default());
        let mut gate = Self {
            policy,
            known,
            phase: Phase::Baseline(tasks),
            ask: Ask::Ready,
        };
        gate.advance();
        gate
    }

    /// What the gate wants now.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// What the gate knows.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The incumbent's estimated validation score, from 0 to 1.
    pub fn level(&self) -> f64 {
        self.known.level(&self.policy)
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

    /// Traffic on the incumbent came in.
    pub fn traffic(&mut self, traffic: &[Seen]) {
        let failed = self.known.take_traffic(traffic);
        self.phase = Phase::Reproduce(failed);
        self.advance();
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
                verdict => self.take_verdict(&request, *task, *verdict == Outcome::Passed),
            }
        }
        self.advance();
    }

    fn take_error(&mut self, request: &Request, task: Task) {
        match &mut self.phase {
            // What cannot be measured now is not needed: it stays as uncertain as it was.
            Phase::Baseline(open) | Phase::Reproduce(open) => open.retain(|other| *other != task),
            Phase::Judge(trial) | Phase::Promote(trial) => trial.take_error(request.arm, request.purpose, task),
            Phase::Idle | Phase::Judged(_) => {}
        }
    }

    fn take_verdict(&mut self, request: &Request, task: Task, passed: bool) {
        match &mut self.phase {
            Phase::Baseline(open) => {
                open.retain(|other| *other != task);
                if let Some(runs) = usize::try_from(task)
                    .ok()
                    .and_then(|task| self.known.validation.get_mut(task))
                {
                    runs.add(passed);
                }
            }
            Phase::Reproduce(open) => {
                if let Some(at) = open.iter().position(|other| *other == task) {
                    open.remove(at);
                }
                self.known.take_reproduction(task, passed, &self.policy);
            }
            Phase::Judge(trial) | Phase::Promote(trial) => trial.take(request.arm, request.purpose, task, passed),
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
                Step::Decide(verdict, reason) => {
                    let judgement = trial.judge(&self.known, &self.policy, verdict, reason);
                    self.decided(&judgement);
                    Ask::Decide(Box::new(judgement))
                }
            },
            Phase::Promote(trial) => {
                match promote::next(&trial.proposal, &trial.promotion, trial.errors.get(&Purpose::Promotion)) {
                    Some(task) => run(Arm::Candidate, Purpose::Promotion, vec![task]),
                    None => Ask::Promote(self.promoted()),
                }
            }
            Phase::Baseline(_) | Phase::Reproduce(_) | Phase::Idle | Phase::Judged(_) => Ask::Ready,
        };
    }

    /// Learns from a verdict.
    fn decided(&mut self, judgement: &Judgement) {
        let Phase::Judge(mut trial) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        let accepted = judgement.verdict == Verdict::Accepted;
        match self.policy.rule {
            Rule::Efficient => efficient::learn(&trial, &mut self.known, &self.policy, accepted),
            Rule::Assured(_) => assured::learn(&trial, &mut self.known, &self.policy, accepted),
        }
        if accepted {
            for (task, runs) in &trial.suite {
                let known = self.known.suite.entry(*task).or_default();
                *known = runs.plus(*known, self.policy.remember);
            }
            trial.promotion = trial.probe.clone();
            self.phase = Phase::Judged(trial);
        }
    }

    fn promoted(&mut self) -> Promotion {
        let Phase::Promote(trial) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return Promotion::default();
        };
        let room = self.known.room(trial.proposal.cluster);
        let promotion = promote::settle(&trial.proposal, &trial.promotion, &self.known.suite, room);
        self.known
            .take_promotion(trial.proposal.cluster, &trial.promotion, &promotion);
        promotion
    }
}

#[cfg(test)]
mod tests;
