//! The sealed test split: what no run, proposer or gate has ever asked, measured once for a release.

use super::bench::{Allowance, Bench};
use super::stages::outcome;
use super::{FlowError, Request};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::budget::{Limits, Spent};
use sprag_core::gate::stats::Tally;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::score::{self, Pair, Scorecard};
use sprag_core::trial::{Split, Trial};

/// Runs the test split once on the request's harness, and on another one to hold it against. Gives the card and the other's score.
///
/// # Errors
/// When the runner lists no test tasks, or lists one of them for another split too.
pub async fn measure(
    request: &Request<'_>,
    against: Option<&Harness>,
    store: &mut dyn Store,
    progress: &Progress,
) -> Result<(Scorecard, Option<f64>), FlowError> {
    let test = request.runner.list(Split::Test).await?;
    if test.is_empty() {
        return Err(FlowError::NoTasks { split: "test" });
    }
    for split in [Split::Train, Split::Validation] {
        let others = request.runner.list(split).await?;
        let shared = test.iter().filter(|task| others.contains(task)).count();
        if shared > 0 {
            return Err(FlowError::Unsealed {
                shared,
                test: test.len(),
            });
        }
    }
    let runs: Vec<(u32, u32)> = (0..)
        .zip(&test)
        .map(|(number, _): (u32, &TaskId)| (number, 0))
        .collect();
    let bench = Bench::new(request, test, progress);
    let budget = &request.config.budget;
    let mut left = Allowance {
        limits: Limits {
            experiments: 1,
            experiments_per_batch: 1,
            task_runs: budget.task_runs,
            usd: budget.usd,
        },
        spent: Spent::default(),
    };
    let mut before = None;
    if let Some(harness) = against {
        let (trials, spent) = bench
            .held_out(store, "sealed test, what it is held against", harness, &runs, left)
            .await?;
        left.spent.add(spent);
        before = Some(trials);
    }
    let (after, _) = bench
        .held_out(store, "sealed test", &request.harness, &runs, left)
        .await?;
    let pairs: Vec<Pair> = after
        .iter()
        .enumerate()
        .map(|(at, after)| pair(before.as_ref().map(|before| &before[at]), after))
        .collect();
    let card = score::card(pairs.iter().map(|pair| (None, pair)));
    Ok((card, before.and_then(|before| rate(&before))))
}

fn pair(before: Option<&Trial>, after: &Trial) -> Pair {
    let mut known = Tally::default();
    if let Some(trial) = before.filter(|trial| trial.has_verdict()) {
        known.add(trial.passed());
    }
    let mut pair = Pair {
        before: known,
        ..Pair::default()
    };
    pair.take(outcome(after));
    pair
}

/// The part of the trials with a verdict that passed.
fn rate(trials: &[Trial]) -> Option<f64> {
    let mut runs = Tally::default();
    trials
        .iter()
        .filter(|trial| trial.has_verdict())
        .for_each(|trial| runs.add(trial.passed()));
    (runs.runs() > 0.0).then(|| runs.passed / runs.runs())
}
