//! A small world for tests: tasks that pass with known probabilities, and a driver that plays a gate against them.

use super::{Policy, Sequential};
use crate::gate::purchase::{Arm, Ask, Judgement, Outcome, Promotion, Proposal, Purpose, Request, Seen, Task};
use crate::gate::stats::draw;

/// The failing cases of the cluster that every candidate is for: the candidate passes them, the incumbent does not.
pub(in crate::gate) const CASES: [Task; 4] = [100, 101, 102, 103];

/// How a run in this world ends.
#[derive(Debug, Clone)]
pub(in crate::gate) struct World {
    /// Pass rates of the validation tasks.
    pub(in crate::gate) incumbent: Vec<f64>,
    pub(in crate::gate) candidate: Vec<f64>,
    /// Pass rate of the cases on the candidate.
    pub(in crate::gate) fixed: f64,
    /// Cases that the candidate breaks.
    pub(in crate::gate) breaks: Vec<Task>,
    /// Whether the candidate's validation runs break off.
    pub(in crate::gate) errors: bool,
    /// Whether the candidate leaves the harness smaller.
    pub(in crate::gate) simpler: bool,
    /// The part of the traffic that fails with the cluster.
    pub(in crate::gate) share: f64,
    seed: u64,
    runs: u64,
}

impl World {
    pub(in crate::gate) fn new(seed: u64, incumbent: &[f64], candidate: &[f64]) -> Self {
        Self {
            incumbent: incumbent.to_vec(),
            candidate: candidate.to_vec(),
            fixed: 1.0,
            breaks: Vec::new(),
            errors: false,
            simpler: false,
            share: 0.3,
            seed,
            runs: 0,
        }
    }

    pub(in crate::gate) fn gate(&mut self, policy: Policy) -> Sequential {
        let mut gate = Sequential::new(policy, u32::try_from(self.incumbent.len()).unwrap());
        self.drive(&mut gate);
        gate.traffic(&CASES.map(|task| Seen {
            task,
            passed: false,
            clusters: vec![1],
        }));
        self.drive(&mut gate);
        gate
    }

    fn outcome(&mut self, request: &Request, task: Task) -> Outcome {
        self.runs += 1;
        let held_out = matches!(request.purpose, Purpose::Baseline | Purpose::Validation);
        let at = usize::try_from(task).unwrap();
        let rate = match (held_out, request.arm) {
            (true, Arm::Candidate) if self.errors => return Outcome::Errored,
            (true, Arm::Candidate) => self.candidate[at],
            (true, Arm::Incumbent) => self.incumbent[at],
            (false, Arm::Candidate) if request.purpose == Purpose::Suite && self.breaks.contains(&task) => 0.0,
            (false, Arm::Candidate) => self.fixed,
            (false, Arm::Incumbent) if request.purpose == Purpose::Suite => 1.0,
            (false, Arm::Incumbent) => 0.0,
        };
        let passed = f64::from(draw(self.seed, self.runs, 1_000_000)) < 1e6 * rate;
        if passed { Outcome::Passed } else { Outcome::Failed }
    }

    /// Runs what the gate asks for until it wants something else.
    pub(in crate::gate) fn drive(&mut self, gate: &mut Sequential) -> Ask {
        while let Ask::Run(request) = gate.ask().clone() {
            let outcomes: Vec<Outcome> = request.tasks.iter().map(|task| self.outcome(&request, *task)).collect();
            gate.take(&outcomes);
        }
        gate.ask().clone()
    }

    pub(in crate::gate) fn judge(&mut self, gate: &mut Sequential) -> Judgement {
        gate.candidate(Proposal {
            cluster: Some(1),
            visible: CASES[..2].to_vec(),
            hidden: CASES[2..].to_vec(),
            share: self.share,
            simpler: self.simpler,
            ..Proposal::default()
        });
        match self.drive(gate) {
            Ask::Decide(judgement) => *judgement,
            other => panic!("{other:?}"),
        }
    }

    pub(in crate::gate) fn keep(&mut self, gate: &mut Sequential) -> Promotion {
        gate.kept();
        match self.drive(gate) {
            Ask::Promote(promotion) => promotion,
            other => panic!("{other:?}"),
        }
    }
}
