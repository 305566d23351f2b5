//! The gates on a pull request, whoever made it: its harness on the base's files, against the base.

use super::bench::{Allowance, Bench};
use super::context::scorecard;
use super::pull::Tell;
use super::stages::{Pair, on_tasks, on_validation};
use super::{FlowError, Request, check_splits};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::budget::{Limits, Spent};
use sprag_core::candidate::{Candidate, Experiment, Stage};
use sprag_core::case::EvalCase;
use sprag_core::gate::{self, GatePolicy, GateStep};
use sprag_core::harness::{FileChange, Harness};
use sprag_core::hash;
use sprag_core::id::{CandidateId, ClusterId, ExperimentId, TaskId};
use sprag_core::score::Scorecard;
use sprag_core::trial::Split;

/// A pull request to measure.
#[derive(Debug, Clone)]
pub struct Change {
    /// What people call it: `#12`.
    pub name: String,
    /// What it does to the harness.
    pub changes: Vec<FileChange>,
    /// The regression suite of the base, as far as it counts.
    pub suite: Vec<EvalCase>,
    /// Cases that people have quarantined.
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
    let bench = Bench::new(request, validation, progress);
    bench.know(&change.suite);
    let mut left = allowance(request);
    let policy = GatePolicy {
        mode: request.config.gate.mode,
        regression_threshold: request.config.gate.regression_threshold,
    };
    let head = request.harness.with(&change.changes);
    let pair = Pair {
        before: &request.harness,
        after: &head,
    };
    let tasks: Vec<TaskId> = change.suite.iter().map(|case| case.task.clone()).collect();
    let mut experiment = begun(request, change);
    loop {
        let stage = match gate::of_pull(&policy, &experiment, tasks.len()) {
            GateStep::Decide(verdict, reason) => {
                experiment.verdict = Some((verdict, reason));
                return Ok(experiment);
            }
            GateStep::Measure(stage) => stage,
        };
        tell.tell(&experiment, stage).await?;
        let label = format!("{} {stage}", change.name);
        let (card, spent) = if stage == Stage::Validation {
            let (card, spent) = on_validation(&bench, store, &label, pair, left).await?;
            experiment.best_before = before(&card);
            (card, spent)
        } else {
            let (before, after, spent) = on_tasks(&bench, store, &label, pair, &tasks, left).await?;
            (scorecard(&after, &before, Some(&tasks)), spent)
        };
        left.spent.add(spent);
        experiment.task_runs += spent.task_runs;
        match stage {
            Stage::Validation => experiment.validation = Some(card),
            Stage::Cluster | Stage::Regression => experiment.regression = Some(card),
        }
    }
}

/// A pull request has the budget of a batch to itself.
fn allowance(request: &Request<'_>) -> Allowance {
    let budget = &request.config.budget;
    Allowance {
        limits: Limits {
            experiments: 1,
            experiments_per_batch: 1,
            task_runs: budget.task_runs,
            usd: budget.usd,
        },
        spent: Spent::default(),
    }
}

/// What the base scored where the change was measured.
fn before(card: &Scorecard) -> f64 {
    let measured = card.passed + card.failed;
    let passed = (card.passed + card.broken).saturating_sub(card.fixed);
    if measured == 0 {
        return 0.0;
    }
    f64::from(passed) / f64::from(measured)
}

fn begun(request: &Request<'_>, change: &Change) -> Experiment {
    Experiment {
        id: ExperimentId::new(change.name.clone()),
        batch: 0,
        candidate: Candidate {
            id: CandidateId::new(hash::of(&change.changes)),
            cluster: ClusterId::new(change.name.clone()),
            parent: request.harness.id(),
            title: format!("Pull request {}", change.name),
            hypothesis: String::new(),
            changes: change.changes.clone(),
            diff: request.harness.diff(&request.harness.with(&change.changes)),
            predicted: Vec::new(),
            origin: "a pull request".to_owned(),
        },
        cluster_cases: None,
        regression: None,
        validation: None,
        best_before: 0.0,
        verdict: None,
        task_runs: 0,
    }
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
            allowance(request),
        )
        .await?;
    // Every case passed when it joined: what fails now is broken.
    let mut card = scorecard(&trials, &[], None);
    let failed = trials
        .iter()
        .zip(&tasks)
        .filter(|(trial, _)| trial.has_verdict() && !trial.passed());
    card.broken_tasks = failed.map(|(_, task)| task.to_string()).collect();
    card.broken = card.failed;
    Ok(card)
}
