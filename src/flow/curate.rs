//! Asks the model what becomes of new clusters and cases.

use super::FlowError;
use super::bench::Bench;
use super::cases::leaks;
use super::context::allowance;
use crate::progress::Progress;
use sprag_core::budget::Spent;
use sprag_core::case::CaseState;
use sprag_core::curation::About;
use sprag_core::id::{CaseId, ClusterId};
use sprag_core::ledger::Event;
use sprag_core::machine::State;
use sprag_core::mine::text::counted;

pub(super) async fn curate(
    bench: &Bench<'_>,
    state: &State,
    clusters: &[ClusterId],
    cases: &[CaseId],
    progress: &Progress,
) -> Result<Event, FlowError> {
    let mut spent = Spent::default();
    let Some(advisor) = bench.advisor(allowance(state)) else {
        // A run that was begun with a model goes on without one: what is not refused is accepted.
        let curations = Vec::new();
        return Ok(Event::Curated { curations, spent });
    };
    progress.phase(&format!(
        "what becomes of {} and {}",
        counted(clusters.len(), "new cluster"),
        counted(cases.len(), "new case")
    ));
    let pool = || {
        let there = state.cases.cases.values();
        there.filter(|case| case.state != CaseState::Candidate)
    };
    let clusters = clusters
        .iter()
        .map(|id| About::cluster(&state.clusters, &state.records, id));
    // What says what a held-out task says is refused when it is tried, and told to nobody.
    let cases = cases.iter().filter_map(|id| state.cases.cases.get(id));
    let cases = cases.filter(|case| !leaks(bench, state, case));
    let about: Vec<About> = clusters.chain(cases.map(|case| About::case(case, pool()))).collect();
    let curations = advisor.decide(&about).await?;
    spent.usd = advisor.paid();
    Ok(Event::Curated { curations, spent })
}
