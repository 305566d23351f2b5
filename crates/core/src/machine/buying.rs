//! Between the run and its gate: tasks and clusters get the numbers by which the gate knows them, and what was bought is taken in.

use super::State;
use super::cases::Tally;
use super::suite;
use crate::candidate::Stage;
use crate::case::{CaseState, EvalCase};
use crate::failure::{FailureKind, FailureRecord};
use crate::gate::account::Account;
use crate::gate::purchase::{Arm, Ask, Cluster, Outcome, Proposal, Purpose, Request, Seen, Task};
use crate::gate::sequential::Sequential;
use crate::gate::{self, stats};
use crate::hash;
use crate::id::{ClusterId, ExperimentId, RecordId, TaskId};
use crate::ledger::Plan;
use crate::score::{self, Pair, Scorecard};
use crate::trial::{TaskVerdict, TrialStatus};
use std::collections::{BTreeMap, BTreeSet};

/// From so many cases of a cluster on, some are hidden from the proposer.
const ENOUGH: usize = 4;
/// One task in so many may be hidden.
const HIDDEN: usize = 3;

/// What the gate knows tasks and clusters by.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    tasks: Vec<TaskId>,
    of_task: BTreeMap<TaskId, Task>,
    of_cluster: BTreeMap<ClusterId, Cluster>,
}

impl Numbers {
    fn new(plan: &Plan) -> Self {
        let mut numbers = Self::default();
        for task in &plan.train {
            numbers.task(task);
        }
        numbers
    }

    pub(super) fn task(&mut self, task: &TaskId) -> Task {
        if let Some(number) = self.of_task.get(task) {
            return *number;
        }
        let number = Task::try_from(self.tasks.len()).unwrap_or(Task::MAX);
        self.tasks.push(task.clone());
        self.of_task.insert(task.clone(), number);
        number
    }

    /// The number of a task that has one.
    pub(super) fn of(&self, task: &TaskId) -> Option<Task> {
        self.of_task.get(task).copied()
    }

    fn cluster(&mut self, cluster: &ClusterId) -> Cluster {
        let next = Cluster::try_from(self.of_cluster.len()).unwrap_or(Cluster::MAX);
        *self.of_cluster.entry(cluster.clone()).or_insert(next)
    }
}

/// What is under way about the newest experiment.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway {
    /// Its runs of failing cases.
    pub(super) cases: BTreeMap<Task, Tally>,
    /// Its runs of the suite.
    pub(super) suite: BTreeMap<Task, Tally>,
    /// Memberships whose tasks ran, and whether every run lacks what made them members.
    pub(super) cleared: BTreeMap<(ClusterId, RecordId), bool>,
}

/// The gate of a run, before its first run.
pub(super) fn begun(plan: &Plan) -> (Sequential, Account, Numbers) {
    let mut numbers = Numbers::new(plan);
    let (wavering, counted): (Vec<&EvalCase>, Vec<&EvalCase>) = plan
        .known
        .suite
        .iter()
        .filter(|case| case.state == CaseState::Promoted || suite::comes_back(case))
        .partition(|case| case.state == CaseState::Quarantined);
    let counted: Vec<(Task, stats::Tally)> = counted
        .into_iter()
        .map(|case| (numbers.task(&case.task), case.flake.since()))
        .collect();
    let tasks = u32::try_from(plan.n_validation).unwrap_or(u32::MAX);
    let before = plan
        .known
        .asked
        .get(&plan.validation_set)
        .map_or(0, |asked| asked.queries);
    let mut gate = Sequential::new(gate::policy(&plan.gate, plan.seed), tasks)
        .with_suite(counted)
        .asked_before(before);
    for case in wavering {
        gate.set_aside(numbers.task(&case.task), case.flake.since(), case.streak);
    }
    (gate, Account::new(plan.gate.mode), numbers)
}

impl State {
    /// The train task that the gate knows by a number.
    pub fn task(&self, number: Task) -> Option<&TaskId> {
        self.numbers.tasks.get(usize::try_from(number).ok()?)
    }

    /// Tells the gate of traffic. `records` are its failures.
    pub(super) fn tell_traffic(&mut self, verdicts: &[TaskVerdict], records: &[FailureRecord]) {
        let mut seen = Vec::new();
        let mut errored = 0;
        for verdict in verdicts {
            if matches!(verdict.status, TrialStatus::Errored { .. }) {
                errored += 1;
                continue;
            }
            let passed = verdict.status == TrialStatus::Passed;
            let of_task = records.iter().filter(|record| !passed && record.task == verdict.task);
            let clusters: BTreeSet<ClusterId> = of_task
                .filter(|record| record.kind == FailureKind::Agent)
                .flat_map(|record| self.clusters.holding(&record.id))
                .collect();
            seen.push(Seen {
                task: self.numbers.task(&verdict.task),
                passed,
                clusters: clusters.iter().map(|cluster| self.numbers.cluster(cluster)).collect(),
            });
        }
        self.gate.broke_off(errored);
        self.gate.seen(&seen);
    }

    /// Tells the gate that clusters have become one.
    pub(super) fn tell_merge(&mut self, from: &ClusterId) {
        let into = self.clusters.current(from);
        if into != *from {
            let (from, into) = (self.numbers.cluster(from), self.numbers.cluster(&into));
            self.gate.merge(from, into);
        }
    }

    /// Tells the gate what a case did when it was run again on the incumbent. `before` says that it had failed there.
    pub(super) fn tell_reproduction(&mut self, task: &TaskId, before: bool, passes: u32, fails: u32) {
        let number = self.numbers.task(task);
        // Without a failure before, the first run is the one that the others repeat.
        let (passes, fails) = match before {
            true => (passes, fails),
            false if fails > 0 => (passes, fails - 1),
            false => return,
        };
        (0..passes).for_each(|_| self.gate.reproduced(number, true));
        (0..fails).for_each(|_| self.gate.reproduced(number, false));
    }

    /// The tasks of a cluster that its proposer is not shown: a change that was made for what was seen is tried on these first. None while the
    /// cluster has few.
    pub fn hidden_tasks(&self, cluster: &ClusterId) -> BTreeSet<TaskId> {
        let tasks = self.cluster_tasks(cluster);
        if tasks.len() < ENOUGH {
            return BTreeSet::new();
        }
        let most = tasks.len() / HIDDEN;
        // By the task alone, so that what was shown once is not hidden when the cluster grows.
        let may = |task: &TaskId| {
            let digits = hash::of(&(self.plan.seed, task));
            u64::from_str_radix(&digits[..8], 16).is_ok_and(|n| n % 3 == 0)
        };
        tasks.into_iter().filter(may).take(most).collect()
    }

    /// The tasks of a cluster that its proposer is shown.
    pub fn visible_tasks(&self, cluster: &ClusterId) -> Vec<TaskId> {
        let hidden = self.hidden_tasks(cluster);
        let mut tasks = self.cluster_tasks(cluster);
        tasks.retain(|task| !hidden.contains(task));
        tasks
    }

    /// Shows the gate the candidate of the newest experiment.
    pub(super) fn tell_candidate(&mut self, cluster: &ClusterId) {
        self.underway = Underway::default();
        let simpler = self.experiments.last().is_some_and(|experiment| {
            let changed = self.incumbent.with(&experiment.candidate.changes);
            changed.size() < self.incumbent.size()
        });
        let proposal = Proposal {
            simpler,
            ..self.proposal(cluster)
        };
        let own = proposal.visible.iter().chain(&proposal.hidden).copied();
        self.account.begin(own.collect());
        self.gate.candidate(proposal);
    }

    /// A change for a cluster, as the gate sees it.
    pub(super) fn proposal(&mut self, cluster: &ClusterId) -> Proposal {
        let hidden = self.hidden_tasks(cluster);
        let (hidden, visible): (Vec<TaskId>, Vec<TaskId>) = self
            .cluster_tasks(cluster)
            .into_iter()
            .partition(|task| hidden.contains(task));
        let own: BTreeSet<&TaskId> = hidden.iter().chain(&visible).collect();
        let others: Vec<TaskId> = self
            .cases_to_promote(cluster)
            .into_iter()
            .filter(|task| !own.contains(task))
            .collect();
        let share = self.share_of(cluster);
        let mut numbers = |tasks: &[TaskId]| tasks.iter().map(|task| self.numbers.task(task)).collect();
        Proposal {
            visible: numbers(&visible),
            hidden: numbers(&hidden),
            others: numbers(&others),
            share,
            cluster: Some(self.numbers.cluster(cluster)),
            simpler: false,
        }
    }

    /// Shows the gate the candidate of the newest experiment, which takes out a change that was kept: it need not fix anything.
    pub(super) fn tell_removal(&mut self) {
        self.underway = Underway::default();
        self.account.begin(BTreeSet::new());
        self.gate.candidate(Proposal::default());
    }

    /// What part of all runs fails with a cluster, as far as its failures tell: those from issues and other runs are no traffic.
    fn share_of(&self, cluster: &ClusterId) -> f64 {
        let open = |members: &BTreeMap<RecordId, crate::cluster::Member>| {
            let open = members.iter().filter(|(_, member)| !member.resolved);
            open.map(|(record, _)| record.clone()).collect::<BTreeSet<_>>()
        };
        let all: BTreeSet<RecordId> = self.clusters.clusters.values().flat_map(|c| open(&c.members)).collect();
        let own = self
            .clusters
            .clusters
            .get(cluster)
            .map_or(0, |c| open(&c.members).len());
        stats::real(own) / stats::real(all.len()).max(1.0) * (1.0 - self.gate.level())
    }

    /// Takes in runs that were bought.
    pub(super) fn take_bought(
        &mut self,
        request: &Request,
        outcomes: &[Outcome],
        cleared: &[(ClusterId, RecordId)],
        made: u64,
    ) {
        let runs = || request.tasks.iter().copied().zip(outcomes.iter().copied());
        self.account.take(self.gate.known(), request, outcomes);
        if let (Arm::Candidate, Some(stage)) = (request.arm, Stage::of(request.purpose)) {
            let card = self.card(stage);
            if let Some(experiment) = self.experiments.last_mut() {
                *experiment.stage_mut(stage) = Some(card);
            }
        }
        if request.arm == Arm::Candidate && matches!(request.purpose, Purpose::Probe | Purpose::Promotion) {
            self.take_cases(runs(), cleared);
        }
        if request.arm == Arm::Candidate && request.purpose == Purpose::Suite {
            suite::ran(self, runs());
        }
        if request.purpose == Purpose::Baseline {
            let pairs: Vec<Pair> = outcomes
                .iter()
                .map(|outcome| {
                    let mut pair = Pair::default();
                    pair.take(*outcome);
                    pair
                })
                .collect();
            self.baseline = Some(score::card(pairs.iter().map(|pair| (None, pair))));
        }
        self.gate.take(outcomes);
        let evidence = match self.gate.ask() {
            Ask::Decide(judgement) => Some(judgement.evidence.clone()),
            _ => self.gate.evidence(),
        };
        if let Some(experiment) = self.experiments.last_mut() {
            experiment.take(request.purpose, made, evidence.as_ref());
        }
    }

    fn card(&self, stage: Stage) -> Scorecard {
        self.account.card(stage, |task| match stage {
            Stage::Validation => None,
            Stage::Cluster | Stage::Regression => self.task(task).map(ToString::to_string),
        })
    }

    fn take_cases(&mut self, runs: impl Iterator<Item = (Task, Outcome)>, cleared: &[(ClusterId, RecordId)]) {
        let mut ran = BTreeSet::new();
        for (task, outcome) in runs.filter(|(_, outcome)| *outcome != Outcome::Errored) {
            self.underway
                .cases
                .entry(task)
                .or_default()
                .add(outcome == Outcome::Passed);
            ran.extend(self.task(task).cloned());
        }
        for task in ran {
            for membership in self.shown_by(&task) {
                let gone = cleared.contains(&membership);
                let all = self.underway.cleared.entry(membership).or_insert(true);
                *all = *all && gone;
            }
        }
    }

    /// The unresolved memberships that runs of a task may show: failures on it, and what a case of it was made of.
    pub fn shown_by(&self, task: &TaskId) -> Vec<(ClusterId, RecordId)> {
        let cases: Vec<_> = self.cases.cases.values().filter(|case| case.task == *task).collect();
        let shown = |record: &RecordId| cases.iter().any(|case| case.records.contains(record));
        let mut memberships = Vec::new();
        for cluster in self.clusters.clusters.values() {
            let members = cluster
                .members
                .iter()
                .filter(|(record, member)| !member.resolved && (member.task == *task || shown(record)));
            memberships.extend(members.map(|(record, _)| (cluster.id.clone(), record.clone())));
        }
        memberships
    }

    /// The experiment that the gate judges, or has just judged.
    pub(super) fn judged(&self) -> Option<ExperimentId> {
        self.experiments.last().map(|experiment| experiment.id.clone())
    }
}
