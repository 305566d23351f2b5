//! The state of a run: what folding the ledger gives.

use super::buying::{self, Numbers, Underway};
use super::cases::Tally;
use super::prune::Pruning;
use super::race::Race;
use super::round::Round;
use super::schedule::batches;
use crate::budget::Spent;
use crate::candidate::{Experiment, Proof};
use crate::case::{Aside, CaseBook, CaseState, EvalCase, Refusal};
use crate::cluster::{ClusterBook, Revision};
use crate::curation::{Curations, Subject};
use crate::failure::{FailureKind, FailureRecord};
use crate::gate::account::Account;
use crate::gate::holdout::Asked;
use crate::gate::sequential::Sequential;
use crate::harness::Harness;
use crate::id::{CandidateId, CaseId, ClusterId, ExperimentId, HarnessId, RecordId, TaskId};
use crate::ledger::{Finding, Plan};
use crate::score::Scorecard;
use crate::search::Dropped;
use crate::search::frontier::Frontier;
use crate::trial::{TaskVerdict, TrialStatus};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is known in a run.
#[derive(Debug, Clone)]
pub struct State {
    /// What the run was begun with.
    pub plan: Plan,
    /// The harness that is best so far.
    pub incumbent: Harness,
    /// The validation card of the harness the run began with.
    pub baseline: Option<Scorecard>,
    /// What judges, and all that it knows.
    pub gate: Sequential,
    /// The current batch, from 1; 0 before the first.
    pub batch: u32,
    /// Experiments begun in the current batch.
    pub batch_experiments: u32,
    /// The traffic's verdicts, one list a batch.
    pub batch_verdicts: Vec<Vec<TaskVerdict>>,
    /// Agent failures by record.
    pub records: BTreeMap<RecordId, FailureRecord>,
    /// How many failures of each kind were seen.
    pub failure_kinds: BTreeMap<FailureKind, u32>,
    /// Clusters.
    pub clusters: ClusterBook,
    /// Cases.
    pub cases: CaseBook,
    /// Candidates that did not become cases.
    pub refused: BTreeMap<CaseId, Refusal>,
    /// What came of the labelled issues.
    pub findings: Vec<Finding>,
    /// Experiments in their order.
    pub experiments: Vec<Experiment>,
    /// Edits that were tried.
    pub tried: BTreeSet<CandidateId>,
    /// The branch of what was published.
    pub published: BTreeMap<ExperimentId, String>,
    /// What was spent.
    pub spent: Spent,
    /// Why the run ended; `None` while it goes on.
    pub finished: Option<String>,
    /// Clusters the proposer has nothing for in this batch.
    pub(super) exhausted: BTreeSet<ClusterId>,
    /// The tasks of each batch.
    pub(super) schedule: Vec<Vec<TaskId>>,
    /// How often a task was in the traffic.
    pub(super) times_seen: BTreeMap<TaskId, u32>,
    /// What new cases did on this incumbent.
    pub(super) case_tallies: BTreeMap<CaseId, Tally>,
    /// What was decided about new clusters and cases.
    pub curations: Curations,
    /// What a model was asked to decide about in this batch.
    pub(super) asked: BTreeSet<Subject>,
    /// New cases that were tried in this batch.
    pub(super) tried_cases: BTreeSet<CaseId>,
    /// Cases of the suite that failed, or gave no verdict, since they were looked at last.
    pub(super) suspects: BTreeSet<CaseId>,
    /// So many runs the looks at a case had on this incumbent.
    pub(super) looks: BTreeMap<CaseId, u32>,
    /// The gate's numbers of tasks and clusters.
    pub(super) numbers: Numbers,
    /// Which trial a run is, and what became of each task.
    pub(super) account: Account,
    /// The newest experiment.
    pub(super) underway: Underway,
    /// The drafts under way.
    pub(super) round: Option<Round>,
    /// Which kept changes are taken out, to see whether they are needed.
    pub(super) pruning: Pruning,
    /// The drafts that race for the next experiment.
    pub(super) race: Option<Race>,
    /// The harnesses on which kept changes were taken out for a cluster.
    pub(super) simplified: BTreeSet<(ClusterId, HarnessId)>,
    /// Changes that solved something and were not kept.
    pub frontier: Frontier,
    /// How many were drafted in rounds.
    pub drafts: u32,
    /// The drafts that were not worth an experiment.
    pub(super) dropped: Vec<Dropped>,
}

/// A run of a train task that passed, and is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedRun {
    /// The task.
    pub task: TaskId,
    /// Its trial.
    pub trial: u32,
    /// The harness that it ran on.
    pub harness: HarnessId,
}

impl State {
    pub(super) fn new(plan: &Plan) -> Self {
        let (gate, account, numbers) = buying::begun(plan);
        Self {
            gate,
            numbers,
            account,
            underway: Underway::default(),
            round: None,
            pruning: Pruning::default(),
            race: None,
            simplified: BTreeSet::new(),
            frontier: Frontier::default(),
            drafts: 0,
            dropped: Vec::new(),
            incumbent: plan.harness.clone(),
            schedule: batches(&plan.train, plan.seed, plan.batches, plan.batch_size),
            plan: plan.clone(),
            baseline: None,
            batch: 0,
            batch_experiments: 0,
            batch_verdicts: Vec::new(),
            records: BTreeMap::new(),
            failure_kinds: BTreeMap::new(),
            clusters: ClusterBook::default(),
            cases: CaseBook {
                cases: plan
                    .known
                    .suite
                    .iter()
                    .map(|case| (case.id.clone(), case.clone()))
                    .collect(),
            },
            findings: Vec::new(),
            experiments: Vec::new(),
            tried: plan.known.rejected.clone(),
            published: BTreeMap::new(),
            spent: Spent::default(),
            finished: None,
            exhausted: BTreeSet::new(),
            times_seen: BTreeMap::new(),
            refused: BTreeMap::new(),
            case_tallies: BTreeMap::new(),
            curations: Curations::default(),
            asked: BTreeSet::new(),
            tried_cases: BTreeSet::new(),
            suspects: BTreeSet::new(),
            looks: BTreeMap::new(),
        }
    }

    /// Experiments begun so far.
    pub fn n_experiments(&self) -> u32 {
        u32::try_from(self.experiments.len()).unwrap_or(u32::MAX)
    }

    /// How often the validation set was asked, in this run and those before it.
    pub fn asked(&self) -> Asked {
        let before = self.plan.known.asked.get(&self.plan.validation_set);
        self.asked_here().plus(before.copied().unwrap_or_default())
    }

    /// How often this run has asked it.
    pub fn asked_here(&self) -> Asked {
        let mut asked = Asked::default();
        let measured = self.experiments.iter().filter(|one| one.validation.is_some());
        measured.for_each(|one| asked.add(one.accepted()));
        asked
    }

    /// An experiment by its id.
    pub fn experiment(&self, id: &ExperimentId) -> Option<&Experiment> {
        self.experiments.iter().find(|experiment| experiment.id == *id)
    }

    /// The cases that joined the suite with an experiment. What was in it before the run names an experiment of another run, whose id may be
    /// the same.
    pub fn new_cases(&self, id: &ExperimentId) -> Vec<EvalCase> {
        let before = &self.plan.known.suite;
        let new = |case: &&EvalCase| {
            case.fixed_by.as_ref() == Some(id)
                && case.state == CaseState::Promoted
                && before
                    .iter()
                    .all(|known| known.id != case.id || known.aside == Some(Aside::Broke))
        };
        self.cases.cases.values().filter(new).cloned().collect()
    }

    /// What speaks for an experiment that was measured to its end.
    pub fn proof(&self, id: &ExperimentId) -> Option<Proof> {
        let experiment = self.experiment(id)?;
        Some(Proof {
            validation_before: experiment.best_before,
            validation: experiment.validation.clone()?,
            regression: experiment.regression.clone(),
            cases: self.new_cases(id),
        })
    }

    /// The validation score of the incumbent: of the last accepted experiment, else the baseline.
    pub fn incumbent_validation(&self) -> Option<&Scorecard> {
        let accepted = self.experiments.iter().rev().find(|experiment| experiment.accepted());
        accepted.map_or(self.baseline.as_ref(), |experiment| experiment.validation.as_ref())
    }

    /// The tasks on which a cluster's failures were seen and are not resolved, and the open cases that show them, in order.
    pub fn cluster_tasks(&self, cluster: &ClusterId) -> Vec<TaskId> {
        let Some(cluster) = self.clusters.clusters.get(cluster) else {
            return Vec::new();
        };
        let open = cluster
            .members
            .values()
            .filter(|member| !member.resolved)
            .map(|member| &member.task);
        // A failure from an issue may have happened on something the runner has no task for.
        let tasks = open.filter(|task| self.plan.train.contains(task));
        let shows = |case: &&EvalCase| {
            let unresolved = |record: &RecordId| cluster.members.get(record).is_some_and(|member| !member.resolved);
            case.records.iter().any(unresolved)
        };
        let shown = self.cases.open().filter(shows).map(|case| &case.task);
        let tasks: BTreeSet<&TaskId> = tasks.chain(shown).collect();
        tasks.into_iter().cloned().collect()
    }

    /// The runs of the traffic that passed, of tasks that never failed and are no case: the newest of each, the newest first. What such a run shows is
    /// not what anything is judged by.
    pub fn passed_runs(&self) -> Vec<PassedRun> {
        let failed: BTreeSet<&TaskId> = self
            .records
            .values()
            .map(|record| &record.task)
            .chain(self.cases.cases.values().map(|case| &case.task))
            .chain(
                self.findings
                    .iter()
                    .filter_map(|finding| Some(&finding.record.as_ref()?.task)),
            )
            .collect();
        let mut runs = self.passing_runs();
        runs.retain(|run| !failed.contains(&run.task));
        runs
    }

    /// The newest run of each task of the traffic that passed when it was run last, the newest first.
    pub fn passing_runs(&self) -> Vec<PassedRun> {
        let mut times: BTreeMap<&TaskId, u32> = BTreeMap::new();
        let mut newest: BTreeMap<&TaskId, PassedRun> = BTreeMap::new();
        let mut order: Vec<&TaskId> = Vec::new();
        for (verdicts, batch) in self.batch_verdicts.iter().zip(1..) {
            let harness = self.incumbent_of(batch).id();
            for verdict in verdicts {
                let times = times.entry(&verdict.task).or_default();
                let trial = *times;
                *times += 1;
                match verdict.status {
                    TrialStatus::Passed => {
                        order.retain(|task| *task != &verdict.task);
                        order.push(&verdict.task);
                        let run = PassedRun {
                            task: verdict.task.clone(),
                            trial,
                            harness: harness.clone(),
                        };
                        newest.insert(&verdict.task, run);
                    }
                    TrialStatus::Failed => {
                        newest.remove(&verdict.task);
                    }
                    TrialStatus::Errored { .. } => {}
                }
            }
        }
        order.iter().rev().filter_map(|task| newest.remove(task)).collect()
    }

    /// The harness that the traffic of a batch ran on: a change is merged before the next batch.
    fn incumbent_of(&self, batch: u32) -> Harness {
        let accepted = self
            .experiments
            .iter()
            .filter(|experiment| experiment.accepted() && experiment.batch < batch);
        accepted.fold(self.plan.harness.clone(), |harness, experiment| {
            harness.with(&experiment.candidate.changes)
        })
    }

    /// The issues whose failures are in a cluster.
    pub fn issues_of(&self, cluster: &ClusterId) -> Vec<u64> {
        let Some(cluster) = self.clusters.clusters.get(cluster) else {
            return Vec::new();
        };
        let member = |finding: &&Finding| {
            finding
                .record
                .as_ref()
                .is_some_and(|record| cluster.members.contains_key(&record.id))
        };
        self.findings
            .iter()
            .filter(member)
            .map(|finding| finding.issue)
            .collect()
    }

    /// Whether nothing of an issue is left to resolve once a cluster is resolved.
    pub fn settled_by(&self, cluster: &ClusterId, issue: u64) -> bool {
        let of_issue = self.findings.iter().filter(|finding| finding.issue == issue);
        let records = of_issue.filter_map(|finding| Some(&finding.record.as_ref()?.id));
        self.clusters.settled_by(cluster, records)
    }

    /// The tasks of the open cases of a cluster, and the recorded inputs of others, those first that were run least: no traffic would show that they
    /// are fixed.
    pub(super) fn cases_to_promote(&self, cluster: &ClusterId) -> Vec<TaskId> {
        let (mut cases, rest): (Vec<&EvalCase>, Vec<&EvalCase>) =
            self.cases.open().partition(|case| case.clusters.contains(cluster));
        let mut recorded: Vec<&EvalCase> = rest.into_iter().filter(|case| case.is_recorded()).collect();
        recorded.sort_by_key(|case| case.flake.runs_before);
        cases.extend(recorded.into_iter().take(super::cases::RECORDED_RERUNS));
        cases.into_iter().map(|case| case.task.clone()).collect()
    }

    /// Changes clusters. What is known of one that goes is known of the one that stays.
    pub(super) fn revise(&mut self, revisions: &[Revision]) {
        self.clusters.revise(revisions);
        self.clusters.name_parts(&self.records);
        for cluster in revisions.iter().flat_map(|revision| revision.change.clusters()) {
            self.tell_merge(cluster);
        }
        for case in self.cases.cases.values_mut() {
            let mut clusters: BTreeSet<ClusterId> = case.clusters.iter().map(|id| self.clusters.current(id)).collect();
            clusters.extend(case.records.iter().flat_map(|record| self.clusters.holding(record)));
            case.clusters = clusters.into_iter().collect();
        }
    }

    pub(super) fn next_cluster(&self) -> Option<ClusterId> {
        let known = &self.plan.known;
        let today = |ids: &BTreeSet<ClusterId>| -> BTreeSet<ClusterId> {
            ids.iter().map(|id| self.clusters.current(id)).collect()
        };
        let (busy, preferred, exhausted) = (today(&known.busy), today(&known.preferred), today(&self.exhausted));
        let ranked = self.clusters.ranked();
        // A cluster that nothing shows which can be run could not be measured.
        let shown =
            |id: &ClusterId| !self.cluster_tasks(id).is_empty() || !super::cases::of_cluster(self, id).is_empty();
        let wanted = |id: &ClusterId| preferred.contains(id) || self.is_wanted(id);
        let may = |id: &&ClusterId| !exhausted.contains(*id) && !busy.contains(*id) && wanted(id) && shown(id);
        let mut ids: Vec<&ClusterId> = ranked.into_iter().map(|(_, cluster)| &cluster.id).filter(may).collect();
        ids.sort_by_key(|id| !preferred.contains(*id));
        ids.first().copied().cloned()
    }
}
