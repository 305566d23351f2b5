//! The sealed test split: what no run, proposer or gate has ever asked, measured once for a release.

use super::bench::Bench;
use super::context::{paired, whole};
use super::{FlowError, Request};
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::score::{self, Pair, Scorecard};
use sprag_core::trial::Split;

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
    let mut left = whole(request);
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
    let other = |at: usize| before.as_ref().map(|before| &before[at]);
    let pairs: Vec<Pair> = (0..).zip(&after).map(|(at, after)| paired(other(at), after)).collect();
    let score = before.as_ref().and_then(|before| {
        let alone: Vec<Pair> = before.iter().map(|trial| paired(None, trial)).collect();
        card(&alone).score()
    });
    Ok((card(&pairs), score))
}

fn card(pairs: &[Pair]) -> Scorecard {
    score::card(pairs.iter().map(|pair| (None, pair)))
}
