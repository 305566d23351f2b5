//! The literal rule as a gate that is asked and told: the decisions are those of [`sprag_core::gate::next`].

use super::Player;
use sprag_core::candidate::{Candidate, Experiment, Stage, Verdict};
use sprag_core::config::GateMode;
use sprag_core::gate::purchase::{
    Arm, Ask, Evidence, Judgement, Outcome, Promotion, Proposal, Purpose, Request, Seen, Task,
};
use sprag_core::gate::{self, GatePolicy, GateStep};
use sprag_core::id::{CandidateId, ClusterId, ExperimentId, HarnessId};
use sprag_core::score::Scorecard;

/// Runs of a case before it is promoted.
const RUNS_A_CASE: usize = 2;

/// The literal rule.
#[derive(Debug)]
pub(super) struct Strict {
    policy: GatePolicy,
    validation: Vec<Task>,
    best: f64,
    suite: Vec<Task>,
    proposal: Proposal,
    experiment: Experiment,
    ask: Ask,
}

impl Strict {
    /// With the rule's threshold and the number of validation tasks, which are measured at once.
    pub(super) fn new(regression_threshold: f64, validation_tasks: u32) -> Self {
        let validation: Vec<Task> = (0..validation_tasks).collect();
        let ask = wanted(Arm::Incumbent, Purpose::Baseline, validation.clone());
        Self {
            policy: GatePolicy {
                mode: GateMode::Strict,
                regression_threshold,
            },
            validation,
            best: 0.0,
            suite: Vec::new(),
            proposal: Proposal::default(),
            experiment: experiment(0.0),
            ask,
        }
    }

    fn cases(&self) -> Vec<Task> {
        let proposal = &self.proposal;
        proposal.visible.iter().chain(&proposal.hidden).copied().collect()
    }

    fn step(&mut self) {
        self.ask = match gate::next(&self.policy, &self.experiment, self.suite.len()) {
            GateStep::Measure(Stage::Cluster) => wanted(Arm::Candidate, Purpose::Probe, self.cases()),
            GateStep::Measure(Stage::Regression) => wanted(Arm::Candidate, Purpose::Suite, self.suite.clone()),
            GateStep::Measure(Stage::Validation) => {
                wanted(Arm::Candidate, Purpose::Validation, self.validation.clone())
            }
            GateStep::Decide(verdict, reason) => {
                let score = |card: Option<&Scorecard>| card.and_then(Scorecard::score);
                let evidence = Evidence {
                    regression_score: score(self.experiment.regression.as_ref()).unwrap_or(1.0),
                    level_before: self.best,
                    level_now: self.best,
                    val_score: score(self.experiment.validation.as_ref()).unwrap_or(0.0),
                    ..Evidence::default()
                };
                if verdict == Verdict::Accepted {
                    self.best = self.best.max(evidence.val_score);
                }
                Ask::Decide(Box::new(Judgement {
                    verdict,
                    reason,
                    evidence,
                }))
            }
        };
    }
}

impl Player for Strict {
    fn ask(&self) -> &Ask {
        &self.ask
    }

    fn take(&mut self, outcomes: &[Outcome]) {
        let Ask::Run(request) = std::mem::replace(&mut self.ask, Ask::Ready) else {
            return;
        };
        let card = card(outcomes);
        match request.purpose {
            Purpose::Baseline => self.best = card.score().unwrap_or(0.0),
            Purpose::Probe => {
                // Every one of them failed on the incumbent.
                let fixed = card.passed;
                self.experiment.cluster_cases = Some(Scorecard { fixed, ..card });
                self.step();
            }
            Purpose::Suite => {
                self.experiment.regression = Some(card);
                self.step();
            }
            Purpose::Validation => {
                self.experiment.validation = Some(card);
                self.step();
            }
            Purpose::Promotion => {
                let runs: Vec<(Task, Outcome)> = request.tasks.iter().copied().zip(outcomes.iter().copied()).collect();
                let passes = |task: &Task| {
                    runs.iter()
                        .all(|(other, outcome)| other != task || *outcome == Outcome::Passed)
                };
                let resolved: Vec<Task> = self.cases().into_iter().filter(passes).collect();
                let new = resolved.iter().copied().filter(|task| !self.suite.contains(task));
                let promoted: Vec<Task> = new.collect();
                self.suite.extend(&promoted);
                self.ask = Ask::Promote(Promotion { resolved, promoted });
            }
            Purpose::Reproduce => {}
        }
    }

    fn traffic(&mut self, _traffic: &[Seen]) {
        self.ask = Ask::Ready;
    }

    fn candidate(&mut self, proposal: Proposal) {
        self.proposal = proposal;
        self.experiment = experiment(self.best);
        self.step();
    }

    fn kept(&mut self) {
        self.ask = wanted(Arm::Candidate, Purpose::Promotion, self.cases().repeat(RUNS_A_CASE));
    }

    fn stop(&mut self) {
        self.ask = Ask::Ready;
    }

    fn level(&self) -> f64 {
        self.best
    }

    fn suite(&self) -> Vec<Task> {
        self.suite.clone()
    }
}

fn wanted(arm: Arm, purpose: Purpose, tasks: Vec<Task>) -> Ask {
    Ask::Run(Request { arm, purpose, tasks })
}

fn card(outcomes: &[Outcome]) -> Scorecard {
    let count = |wanted: Outcome| {
        let of = outcomes.iter().filter(|outcome| **outcome == wanted).count();
        u32::try_from(of).unwrap_or(u32::MAX)
    };
    Scorecard {
        passed: count(Outcome::Passed),
        failed: count(Outcome::Failed),
        errored: count(Outcome::Errored),
        ..Scorecard::default()
    }
}

/// An experiment of which only the measurements matter.
fn experiment(best_before: f64) -> Experiment {
    Experiment {
        id: ExperimentId::new(""),
        batch: 1,
        candidate: Candidate {
            id: CandidateId::new(""),
            cluster: ClusterId::new(""),
            parent: HarnessId::new(""),
            title: String::new(),
            hypothesis: String::new(),
            changes: Vec::new(),
            diff: String::new(),
            predicted: Vec::new(),
            origin: String::new(),
        },
        cluster_cases: None,
        regression: None,
        validation: None,
        best_before,
        verdict: None,
        task_runs: 0,
    }
}
