//! What a driver keeps account of between a gate and its runs: which trial each run is, and what became of each task.

use super::purchase::{Arm, Outcome, Purpose, Request, Task};
use super::sequential::Known;
use super::stats::Tally;
use crate::candidate::Stage;
use crate::config::GateMode;
use crate::score::{self, Pair, Scorecard};
use std::collections::{BTreeMap, BTreeSet};

/// A task, and whether it is held out.
type Key = (bool, Task);

/// The account of one candidate after the other.
#[derive(Debug, Clone)]
pub struct Account {
    mode: GateMode,
    /// The next trial of each task on the incumbent, of those that the gate asks for.
    incumbent: BTreeMap<Key, u32>,
    /// The same on the candidate.
    candidate: BTreeMap<Key, u32>,
    /// The failing cases of the candidate's cluster.
    own: BTreeSet<Task>,
    /// The candidate's runs beside what is known of the incumbent.
    pairs: BTreeMap<Stage, BTreeMap<Task, Pair>>,
}

impl Account {
    /// An empty account.
    pub fn new(mode: GateMode) -> Self {
        Self {
            mode,
            incumbent: BTreeMap::new(),
            candidate: BTreeMap::new(),
            own: BTreeSet::new(),
            pairs: BTreeMap::new(),
        }
    }

    /// A new candidate comes; `own` are the failing cases of its cluster.
    pub fn begin(&mut self, own: BTreeSet<Task>) {
        self.own = own;
        self.candidate.clear();
        self.pairs.clear();
    }

    /// The candidate has become the incumbent.
    pub fn kept(&mut self) {
        self.incumbent = std::mem::take(&mut self.candidate);
    }

    /// The trial of each run of a request. The same trial has the same seed on every harness. An agent that repeats itself needs no second one:
    /// its first is on record.
    pub fn trials(&self, request: &Request, repeats_itself: bool) -> Vec<u32> {
        if repeats_itself {
            return vec![0; request.tasks.len()];
        }
        let mut more: BTreeMap<Task, u32> = BTreeMap::new();
        let trial = |task: &Task| {
            let more = more.entry(*task).or_default();
            *more += 1;
            self.next(request.arm, (request.purpose.is_held_out(), *task)) + *more - 1
        };
        request.tasks.iter().map(trial).collect()
    }

    /// The next trial of a train task on the incumbent, of those that the gate asks for.
    pub fn on_incumbent(&self, task: Task) -> u32 {
        self.next(Arm::Incumbent, (false, task))
    }

    /// The first trial of a train task on a candidate that comes next.
    pub fn on_next_candidate(&self, task: Task) -> u32 {
        let account = Self {
            candidate: BTreeMap::new(),
            ..self.clone()
        };
        account.next(Arm::Candidate, (false, task))
    }

    fn next(&self, arm: Arm, key: Key) -> u32 {
        let on_incumbent = || self.incumbent.get(&key).copied().unwrap_or(0);
        match (arm, self.mode) {
            (Arm::Incumbent, _) => on_incumbent(),
            (Arm::Candidate, _) if self.candidate.contains_key(&key) => self.candidate[&key],
            // Pairs are drawn anew for each candidate, so that no luck of the incumbent's stays.
            (Arm::Candidate, GateMode::Assured) => on_incumbent(),
            // The proposer has looked at the first trial of train tasks, and chosen.
            (Arm::Candidate, GateMode::Efficient) => u32::from(!key.0),
            (Arm::Candidate, GateMode::Strict) => 0,
        }
    }

    /// Takes in runs, before the gate does. `known` is what the gate knows.
    pub fn take(&mut self, known: &Known, request: &Request, outcomes: &[Outcome]) {
        let held_out = request.purpose.is_held_out();
        for (task, outcome) in request.tasks.iter().zip(outcomes) {
            // A run without a verdict is made again.
            if *outcome != Outcome::Errored {
                let key = (held_out, *task);
                let next = self.next(request.arm, key) + 1;
                let trials = match request.arm {
                    Arm::Incumbent => &mut self.incumbent,
                    Arm::Candidate => &mut self.candidate,
                };
                trials.insert(key, next);
            }
            // A promotion also runs cases of other clusters.
            let own = request.purpose != Purpose::Promotion || self.own.contains(task);
            if let (Arm::Candidate, Some(stage), true) = (request.arm, Stage::of(request.purpose), own) {
                let pairs = self.pairs.entry(stage).or_default();
                let new = || Pair {
                    before: before(known, stage, *task),
                    ..Pair::default()
                };
                pairs.entry(*task).or_insert_with(new).take(*outcome);
            }
        }
    }

    /// What a stage has measured, by tasks; `name` names those that may be shown.
    pub fn card(&self, stage: Stage, name: impl Fn(Task) -> Option<String>) -> Scorecard {
        let pairs = self.pairs.get(&stage).into_iter().flatten();
        score::card(pairs.map(|(task, pair)| (name(*task), pair)))
    }
}

/// What is known of a task on the incumbent.
fn before(known: &Known, stage: Stage, task: Task) -> Tally {
    let at = usize::try_from(task).ok();
    match stage {
        // A case of the cluster is one because it fails.
        Stage::Cluster => Tally {
            passed: 0.0,
            failed: 1.0,
        },
        Stage::Regression => known.suite.get(&task).copied().unwrap_or_default(),
        Stage::Validation => at.and_then(|at| known.validation.get(at)).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arm: Arm, purpose: Purpose, tasks: &[Task]) -> Request {
        Request {
            arm,
            purpose,
            tasks: tasks.to_vec(),
        }
    }

    #[test]
    fn every_run_of_a_task_is_a_fresh_trial_and_both_harnesses_have_the_same() {
        use Arm::{Candidate, Incumbent};
        let mut account = Account::new(GateMode::Assured);
        let known = Known::default();
        let baseline = request(Incumbent, Purpose::Baseline, &[0, 1]);
        account.take(&known, &baseline, &[Outcome::Passed; 2]);
        let drawn = request(Candidate, Purpose::Validation, &[0, 1, 0]);
        assert_eq!(
            account.trials(&drawn, false),
            [1, 1, 2],
            "none that the incumbent has had"
        );
        account.take(&known, &drawn, &[Outcome::Passed, Outcome::Errored, Outcome::Failed]);
        let owed = request(Incumbent, Purpose::Validation, &[0, 0]);
        assert_eq!(account.trials(&owed, false), [1, 2]);
        assert_eq!(
            account.trials(&request(Candidate, Purpose::Validation, &[0, 1]), false),
            [3, 1]
        );
        account.kept();
        assert_eq!(
            account.trials(&request(Incumbent, Purpose::Validation, &[0]), false),
            [3]
        );
        assert_eq!(account.trials(&drawn, true), [0, 0, 0], "an agent that repeats itself");
    }

    #[test]
    fn what_the_proposer_may_have_looked_at_is_not_what_a_change_is_judged_by() {
        let mut account = Account::new(GateMode::Efficient);
        let probe = request(Arm::Candidate, Purpose::Probe, &[0]);
        assert_eq!(account.trials(&probe, false), [1]);
        assert_eq!(
            account.trials(&request(Arm::Candidate, Purpose::Validation, &[0]), false),
            [0]
        );
        account.take(&Known::default(), &probe, &[Outcome::Moved]);
        assert_eq!(account.trials(&probe, false), [2]);
        let card = account.card(Stage::Cluster, |task| Some(task.to_string()));
        assert_eq!((card.failed, card.fixed, card.mechanism_gone), (1, 0, 1));
        account.begin(BTreeSet::new());
        assert_eq!(account.trials(&probe, false), [1]);
    }
}
