//! New eval cases: what a failure needs to become one, which are refused, and whether they fail again before anything is changed.

use super::FlowError;
use super::bench::Bench;
use super::context::allowance;
use crate::progress::Progress;
use crate::store::Store;
use sprag_core::case::{self, CaseState, EvalCase, Refusal};
use sprag_core::id::TaskId;
use sprag_core::ledger::{CaseTry, Event};
use sprag_core::machine::{CaseTrial, State};
use sprag_core::trial::Trial;
use std::collections::BTreeMap;

pub(super) async fn try_cases(
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    trials: &[CaseTrial],
    progress: &Progress,
) -> Result<Event, FlowError> {
    let refused = refused(bench, state, trials);
    let unable = bench.cases_refused().await?;
    let mut tried = Vec::new();
    let mut runs: Vec<(usize, (TaskId, u32))> = Vec::new();
    for trial in trials {
        let case = state.cases.cases.get(&trial.case);
        if refused.iter().any(|refusal| refusal.case == trial.case) {
            continue;
        }
        let unscorable = case
            .and_then(|case| case.unscorable(bench.has_judge()))
            .map(str::to_owned);
        let unable = || unable.clone().filter(|_| case.is_some_and(EvalCase::is_recorded));
        let not_runnable = unscorable.or_else(unable);
        if not_runnable.is_none() {
            let wanted = trial
                .trials
                .iter()
                .map(|number| (tried.len(), (trial.task.clone(), *number)));
            runs.extend(wanted);
        }
        tried.push(CaseTry {
            case: trial.case.clone(),
            runs: 0,
            fails: 0,
            not_runnable,
            repeats: None,
            unchecked: case.is_some_and(EvalCase::is_recorded) && !bench.knows_held_out_inputs(),
        });
    }
    if !runs.is_empty() {
        progress.phase(&format!("cases: {} on the unchanged harness", runs.len()));
    }
    // The run before, which the traffic has made, shows whether the agent does the same under another seed.
    let earlier = |(at, (task, trial)): &(usize, (TaskId, u32))| Some((*at, (task.clone(), trial.checked_sub(1)?)));
    let first_of_case = |at: usize| at == 0 || runs[at - 1].0 != runs[at].0;
    let earlier: Vec<(usize, (TaskId, u32))> = (0..runs.len())
        .filter(|at| first_of_case(*at))
        .filter_map(|at| earlier(&runs[at]))
        .collect();
    let (firsts, earlier): (Vec<usize>, Vec<(TaskId, u32)>) = earlier.into_iter().unzip();
    let (of_case, wanted): (Vec<usize>, Vec<(TaskId, u32)>) = runs.into_iter().unzip();
    let mut left = allowance(state);
    let (first, mut spent) = bench
        .train(store, "new cases", &state.incumbent, &earlier, left)
        .await?;
    left.spent.add(spent);
    let (made, more) = bench.train(store, "new cases", &state.incumbent, &wanted, left).await?;
    spent.add(more);
    let mut before: BTreeMap<usize, Trial> = BTreeMap::new();
    for (at, trial) in firsts.into_iter().zip(first) {
        before.insert(at, trial);
    }
    for (at, trial) in of_case.into_iter().zip(&made) {
        tried[at].runs += u32::from(trial.has_verdict());
        tried[at].fails += u32::from(trial.has_verdict() && !Trial::passed(trial));
        if let Some(same) = before.insert(at, trial.clone()).and_then(|before| same(&before, trial)) {
            let all = tried[at].repeats.get_or_insert(true);
            *all = *all && same;
        }
    }
    Ok(Event::CasesTried { tried, refused, spent })
}

/// Whether two runs of a task went the same way to the letter; `None` when there is nothing to compare.
fn same(one: &Trial, other: &Trial) -> Option<bool> {
    let comparable = one.has_verdict() && other.has_verdict() && one.trace.is_some() && other.trace.is_some();
    comparable.then(|| one.status == other.status && one.trace == other.trace)
}

/// What is held out, and what is there already.
fn refused(bench: &Bench<'_>, state: &State, trials: &[CaseTrial]) -> Vec<Refusal> {
    let there = trials.iter().filter_map(|trial| state.cases.cases.get(&trial.case));
    // What is in the suite was let in long ago.
    let candidates = there.filter(|case| case.state == CaseState::Candidate);
    let (leaking, rest): (Vec<&EvalCase>, Vec<&EvalCase>) = candidates.partition(|case| leaks(bench, state, case));
    let mut refused: Vec<Refusal> = leaking
        .into_iter()
        .map(|case| Refusal {
            case: case.id.clone(),
            reason: "says what a held-out task says".to_owned(),
            kept: None,
        })
        .collect();
    let pool: Vec<&EvalCase> = state
        .cases
        .cases
        .values()
        .filter(|case| case.state != CaseState::Candidate)
        .collect();
    refused.extend(case::refusals(&pool, &rest));
    refused
}

/// Whether a case says what a held-out task says.
pub(super) fn leaks(bench: &Bench<'_>, state: &State, case: &EvalCase) -> bool {
    let records = case.records.iter().filter_map(|record| state.records.get(record));
    let seen_as: Vec<&TaskId> = records.map(|record| &record.task).collect();
    bench.leaks(case, &seen_as)
}
