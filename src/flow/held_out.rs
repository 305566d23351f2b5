//! What a run is told of held-out tasks before it begins: it is left out, so that the ledger and all that is made of it never had it.

use super::bench::Bench;
use sprag_core::cluster::{Author, Change};
use sprag_core::failure::FailureRecord;
use sprag_core::id::TaskId;
use sprag_core::ledger::Known;
use sprag_core::signal::Report;

/// Drops the failures of held-out tasks; how many there were. That a failed train task is none is the runner's word.
pub(super) fn forget_failures(bench: &Bench<'_>, train: &[TaskId], known: &mut Known) -> usize {
    let told = known.failures.len();
    known
        .failures
        .retain(|record| train.contains(&record.task) || !shows_held_out(bench, record));
    let forgotten = told - known.failures.len();
    if forgotten > 0 {
        // A model's words about clusters may be about these failures; what it moved stays moved.
        let words = |change: &Change| matches!(change, Change::Rename { .. });
        known
            .revisions
            .retain(|revision| revision.by != Author::Model || !words(&revision.change));
        let by_model = known
            .revisions
            .iter_mut()
            .filter(|revision| revision.by == Author::Model);
        by_model.for_each(|revision| revision.reason.clear());
    }
    forgotten
}

/// Drops what was learned that names a held-out task; how much there was.
pub(super) fn forget_learnings(bench: &Bench<'_>, known: &mut Known) -> usize {
    let told = known.learnings.len() + known.lessons.len();
    known.learnings.retain(|one| {
        ![&one.about, &one.change, &one.outcome]
            .into_iter()
            .any(|text| bench.says_held_out_id(text))
    });
    known.lessons.retain(|line| !bench.says_held_out_id(line));
    told - known.learnings.len() - known.lessons.len()
}

/// Drops the issues that name a held-out task or ask what one asks; how many there were.
pub(super) fn forget_issues(bench: &Bench<'_>, issues: &mut Vec<Report>) -> usize {
    let told = issues.len();
    issues.retain(|issue| !bench.leads_to_held_out(issue));
    told - issues.len()
}

fn shows_held_out(bench: &Bench<'_>, record: &FailureRecord) -> bool {
    let input = record.draft.as_ref().and_then(|draft| draft.input.as_ref());
    bench.holds_out(&record.task)
        || input.is_some_and(|input| bench.says_held_out(&input.messages))
        || bench.says_held_out(std::slice::from_ref(&record.context))
}
