//! The gates on a pull request, whoever made it: its harness on the base's files, against the base.

use super::bench::{Allowance, Bench};
use super::context::{paired, whole};
use super::stages::outcome;
use super::{FlowError, Request, check_splits};
use crate::progress::Progress;
use crate::store::Store;
use futures_util::future::LocalBoxFuture;
use sprag_core::candidate::check::{Guarded, HELD_OUT, objection};
use sprag_core::candidate::{Candidate, Experiment, Ground, Stage};
use sprag_core::case::EvalCase;
use sprag_core::gate::account::Account;
use sprag_core::gate::purchase::{Arm, Ask, Evidence, Judgement, Outcome, Proposal, Purpose, Request as Purchase};
use sprag_core::gate::{self, sequential::Sequential};
use sprag_core::harness::{FileChange, Harness};
use sprag_core::hash;
use sprag_core::id::{CandidateId, ClusterId, ExperimentId, TaskId};
use sprag_core::score::{self, Pair, Scorecard};
use sprag_core::trial::Split;

/// Told of an experiment before each of its stages.
pub trait Tell {
    /// Shows it as it stands.
    fn tell<'a>(&'a self, experiment: &'a Experiment, stage: Stage) -> LocalBoxFuture<'a, Result<(), FlowError>>;
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Tell for Silent {
    fn tell<'a>(&'a self, _: &'a Experiment, _: Stage) -> LocalBoxFuture<'a, Result<(), FlowError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A pull request to measure.
#[derive(Debug, Clone)]
pub struct Change {
    /// What people call it: `#12`.
    pub name: String,
    /// What it does to the harness.
    pub changes: Vec<FileChange>,
    /// The regression suite of the base, as far as it counts.
    pub suite: Vec<EvalCase>,
    /// Cases that are not counted.
    pub left_out: Vec<EvalCase>,
}

/// Measures a change against the base until the gate has decided. `tell` is told before every stage.
pub async fn measure(
    request: &Request<'_>,
    change: &Change,
    store: &mut dyn Store,
    progress: &Progress,
    tell: &dyn Tell,
) -> Result<Experiment, FlowError> {
    let train = request.runner.list(Split::Train).await?;
    let validation = request.runner.list(Split::Validation).await?;
    check_splits(&train, &validation)?;
    let tasks = u32::try_from(validation.len()).unwrap_or(u32::MAX);
    let bench = Bench::new(request, validation, progress);
    bench.know(&change.suite);
    let config = &request.config.gate;
    // What the runner has no task for any more could only break off.
    let listed = |case: &EvalCase| case.is_recorded() || train.contains(&case.task);
    let suite = (0..)
        .zip(&change.suite)
        .filter(|(_, case)| listed(case))
        .map(|(number, case)| (number, case.flake.since()));
    let mut gate = Sequential::of_change(gate::policy(config, request.seed), tasks).with_suite(suite);
    let mut under_test = UnderTest {
        request,
        change,
        bench: &bench,
        head: request.harness.with(&change.changes),
        account: Account::new(config.mode),
        left: whole(request),
        experiment: Experiment {
            remark: remark(request, change, &train, &bench),
            ..begun(request, change)
        },
    };
    // It is for no cluster: there is nothing that it should fix, so only what it must not break is measured.
    gate.candidate(Proposal::default());
    let mut at = None;
    loop {
        let asked = match gate.ask().clone() {
            Ask::Run(asked) => asked,
            Ask::Decide(judgement) => {
                let Judgement {
                    ground,
                    reason,
                    evidence,
                } = *judgement;
                let reason = under_test.named(ground, reason, &evidence);
                under_test.experiment.decide(ground, &reason, Some(evidence));
                return Ok(under_test.experiment);
            }
            Ask::Ready | Ask::Promote(_) => return Ok(under_test.experiment),
        };
        if let Some(reason) = under_test.left.spent.over(&under_test.left.limits) {
            under_test.experiment.decide(Ground::Budget, &reason, gate.evidence());
            return Ok(under_test.experiment);
        }
        let stage = Stage::of(asked.purpose).unwrap_or(Stage::Validation);
        if at != Some(stage) {
            at = Some(stage);
            tell.tell(&under_test.experiment, stage).await?;
        }
        under_test.buy(store, &mut gate, &asked).await?;
    }
}

/// A change that is being measured.
struct UnderTest<'a> {
    request: &'a Request<'a>,
    change: &'a Change,
    bench: &'a Bench<'a>,
    head: Harness,
    account: Account,
    left: Allowance,
    experiment: Experiment,
}

impl UnderTest<'_> {
    /// Makes the runs that the gate asks for.
    async fn buy(&mut self, store: &mut dyn Store, gate: &mut Sequential, asked: &Purchase) -> Result<(), FlowError> {
        let harness = match asked.arm {
            Arm::Incumbent => &self.request.harness,
            Arm::Candidate => &self.head,
        };
        let label = format!("{} {}", self.change.name, asked.purpose);
        let trials = self.account.trials(asked, gate.known().repeats_itself());
        let numbered: Vec<(u32, u32)> = asked.tasks.iter().copied().zip(trials).collect();
        let (made, spent) = if asked.purpose.is_held_out() {
            self.bench
                .held_out(store, &label, harness, &numbered, self.left)
                .await?
        } else {
            let tasks: Vec<(TaskId, u32)> = numbered
                .iter()
                .filter_map(|(number, trial)| Some((self.case(*number)?.task.clone(), *trial)))
                .collect();
            self.bench.train(store, &label, harness, &tasks, self.left).await?
        };
        self.left.spent.add(spent);
        let outcomes: Vec<Outcome> = made.iter().map(outcome).collect();
        self.account.take(gate.known(), asked, &outcomes);
        if let Some(stage) = Stage::of(asked.purpose) {
            let name = |number| match stage {
                Stage::Validation => None,
                Stage::Cluster | Stage::Regression => self.case(number).map(|case| case.task.to_string()),
            };
            *self.experiment.stage_mut(stage) = Some(self.account.card(stage, name));
        }
        gate.take(&outcomes);
        if asked.purpose == Purpose::Baseline {
            self.experiment.best_before = gate.level();
        }
        let evidence = match gate.ask() {
            Ask::Decide(judgement) => Some(judgement.evidence.clone()),
            _ => gate.evidence(),
        };
        self.experiment.take(asked.purpose, spent.task_runs, evidence.as_ref());
        Ok(())
    }

    /// The case that the gate knows by a number.
    fn case(&self, number: u32) -> Option<&EvalCase> {
        self.change.suite.get(usize::try_from(number).ok()?)
    }

    /// The reason with the cases in it that broke.
    fn named(&self, ground: Ground, reason: String, evidence: &Evidence) -> String {
        let broken = evidence.broken_cases.iter().filter_map(|number| self.case(*number));
        let broken: Vec<String> = broken.map(EvalCase::named).collect();
        if ground == Ground::Regression && !broken.is_empty() {
            return format!("{reason}: {}", broken.join(", "));
        }
        reason
    }
}

fn begun(request: &Request<'_>, change: &Change) -> Experiment {
    let candidate = Candidate {
        removes: None,
        id: CandidateId::new(hash::of(&change.changes)),
        cluster: ClusterId::new(change.name.clone()),
        parent: request.harness.id(),
        title: format!("Pull request {}", change.name),
        hypothesis: String::new(),
        changes: change.changes.clone(),
        diff: request.harness.diff(&request.harness.with(&change.changes)),
        predicted: Vec::new(),
        origin: "a pull request".to_owned(),
    };
    Experiment::new(ExperimentId::new(change.name.clone()), 0, candidate)
}

/// What would make a candidate invalid.
fn remark(request: &Request<'_>, change: &Change, train: &[TaskId], bench: &Bench<'_>) -> Option<String> {
    let (before, changes) = (&request.harness, &change.changes);
    let guarded = Guarded::of(train, change.suite.iter().chain(&change.left_out), []);
    let held_out = || {
        bench
            .names_held_out(before, changes)
            .then(|| format!("It names {HELD_OUT}"))
    };
    objection(before, changes, &request.policy, &guarded).or_else(held_out)
}

/// Runs the regression suite on a harness: what `.sprag/suite` promises must hold on the default branch too.
pub async fn suite(
    request: &Request<'_>,
    harness: &Harness,
    suite: &[EvalCase],
    store: &mut dyn Store,
    progress: &Progress,
) -> Result<Scorecard, FlowError> {
    let bench = Bench::new(request, Vec::new(), progress);
    bench.know(suite);
    let tasks: Vec<TaskId> = suite.iter().map(|case| case.task.clone()).collect();
    let runs: Vec<(TaskId, u32)> = tasks.iter().map(|task| (task.clone(), 0)).collect();
    let (trials, _) = bench
        .train(
            store,
            "regression suite of the default branch",
            harness,
            &runs,
            whole(request),
        )
        .await?;
    // Every case passed when it joined: what fails now is broken.
    let pairs: Vec<Pair> = trials.iter().map(|trial| paired(None, trial)).collect();
    let mut card = score::card(pairs.iter().map(|pair| (None, pair)));
    let failed = trials
        .iter()
        .zip(&tasks)
        .filter(|(trial, _)| trial.has_verdict() && !trial.passed());
    card.broken_tasks = failed.map(|(_, task)| task.to_string()).collect();
    card.broken = card.failed;
    Ok(card)
}
