//! What becomes of eval cases in the loop: made of failures, seen to fail again, promoted when a change fixes them.

use super::{State, suite};
use crate::case::{Aside, CaseState, EvalCase, Refusal};
use crate::failure::FailureRecord;
use crate::gate::purchase::{Promotion, Task};
use crate::gate::sequential::BACK;
use crate::id::{CaseId, ClusterId, ExperimentId, RecordId, TaskId};
use crate::ledger::{CaseRerun, CaseTry};
use std::collections::BTreeSet;

/// How many recorded inputs of other clusters are run again when a change is accepted.
pub(super) const RECORDED_RERUNS: usize = 20;

/// Why a recorded input joins no suite.
const UNCHECKED: &str = "not held against the held-out tasks: the runner does not tell what each begins with";

/// A new case that must be seen to fail, or one of the suite that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseTrial {
    /// The case.
    pub case: CaseId,
    /// What it runs.
    pub task: TaskId,
    /// The trials to run.
    pub trials: Vec<u32>,
}

/// What a new case did on the present incumbent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) runs: u32,
    pub(super) fails: u32,
}

impl Tally {
    /// Adds a run.
    pub(super) fn add(&mut self, passed: bool) {
        self.runs += 1;
        self.fails += u32::from(!passed);
    }
}

/// Each failed task becomes a case candidate, and so does each recorded input; a failure that has a case already adds its record to it.
/// `here` says that it was seen in a run on the incumbent.
pub(super) fn add(state: &mut State, record: &FailureRecord, clusters: Vec<ClusterId>, here: bool) {
    let of_runner = state.plan.train.contains(&record.task);
    let (id, task) = match &record.draft {
        _ if of_runner => (EvalCase::id_of(&record.task), record.task.clone()),
        Some(draft) => (draft.recorded_id(), TaskId::new(draft.recorded_id().as_str())),
        None => return,
    };
    if state.refused.contains_key(&id) {
        return;
    }
    let title = record.causes.first().map_or(&record.behaviour, |cause| &cause.should);
    let let_in = state.curations.case(state.plan.review, &id).is_accepted();
    let cases = &mut state.cases.cases;
    let case = cases
        .entry(id.clone())
        .or_insert_with(|| EvalCase::new(id.clone(), task, title.clone()));
    describe(case, record);
    let counted = of_runner;
    if case.state == CaseState::Resolved {
        case.state = CaseState::Candidate;
        case.fixed_by = None;
    }
    match case.state {
        CaseState::Candidate | CaseState::Unconfirmed | CaseState::Open => {
            case.flake.runs_before += u32::from(counted);
            case.flake.fails_before += u32::from(counted);
        }
        // What the traffic says of what was fixed is taken from its verdicts.
        CaseState::Resolved | CaseState::Promoted | CaseState::Quarantined | CaseState::Retired => {}
    }
    case.clusters.extend(clusters);
    case.clusters.sort();
    case.clusters.dedup();
    if !case.records.contains(&record.id) {
        case.records.push(record.id.clone());
    }
    // What passed when it was tried may fail on another incumbent for good.
    if case.state == CaseState::Unconfirmed && !state.case_tallies.contains_key(&id) {
        case.state = CaseState::Candidate;
        case.note = None;
    }
    if here {
        let tally = state.case_tallies.entry(id.clone()).or_default();
        tally.runs += 1;
        tally.fails += 1;
    }
    // One failure was enough for a ledger that knows no number, wherever it was seen.
    let fails = state.case_tallies.get(&id).map_or(0, |tally| tally.fails);
    if case.state == CaseState::Candidate
        && let_in
        && (fails >= state.plan.fails_before || counted && state.plan.fails_before == 1)
    {
        case.state = CaseState::Open;
    }
}

/// What a draft says, where nothing was said before.
fn describe(case: &mut EvalCase, record: &FailureRecord) {
    let Some(draft) = &record.draft else {
        return;
    };
    if case.provenance.is_none() {
        case.input.clone_from(&draft.input);
        case.expect.clone_from(&draft.expect);
        case.fixtures.clone_from(&draft.fixtures);
        case.provenance = Some(draft.provenance.clone());
    }
}

/// The candidates that this run has seen fail: what is tried after the traffic. What other runs have seen can be much, and is tried when its
/// cluster is worked on.
pub(super) fn seen_here(state: &State) -> Vec<CaseTrial> {
    let known: BTreeSet<&RecordId> = state.plan.known.failures.iter().map(|record| &record.id).collect();
    to_try(state, |case| case.records.iter().any(|record| !known.contains(record)))
}

/// The candidates of a cluster.
pub(super) fn of_cluster(state: &State, cluster: &ClusterId) -> Vec<CaseTrial> {
    to_try(state, |case| case.clusters.contains(cluster))
}

/// Candidates that were not tried in this batch, in order of ids, each with the trials that are missing. A trial is one that the traffic has
/// not had.
fn to_try(state: &State, wanted: impl Fn(&EvalCase) -> bool) -> Vec<CaseTrial> {
    let trial = |case: &EvalCase| {
        let tally = state.case_tallies.get(&case.id).copied().unwrap_or_default();
        let seen = state.times_seen.get(&case.task).copied().unwrap_or_default();
        let first = seen.max(tally.runs);
        let missing = state.plan.fails_before.saturating_sub(tally.fails);
        CaseTrial {
            case: case.id.clone(),
            task: case.task.clone(),
            trials: (first..first + missing).collect(),
        }
    };
    let new = |case: &&EvalCase| !state.tried_cases.contains(&case.id) && state.may_enter(case) && wanted(case);
    state.cases.candidates().filter(new).map(trial).collect()
}

/// A case that failed often enough is open; one that passed once, or cannot be run, is unconfirmed; one that had no verdict waits.
pub(super) fn tried(state: &mut State, tried: &[CaseTry], refused: &[Refusal]) {
    refused.iter().for_each(|refusal| refuse(state, refusal));
    for trial in tried {
        let in_suite = |case: &EvalCase| case.state == CaseState::Promoted;
        if state.cases.cases.get(&trial.case).is_some_and(in_suite) {
            suite::looked(state, trial);
            continue;
        }
        state.tried_cases.insert(trial.case.clone());
        let Some(case) = state.cases.cases.get_mut(&trial.case) else {
            continue;
        };
        let tally = state.case_tallies.entry(trial.case.clone()).or_default();
        let failed_before = tally.fails > 0;
        tally.runs += trial.runs;
        tally.fails += trial.fails;
        case.flake.runs_before += trial.runs;
        case.flake.fails_before += trial.fails;
        case.unchecked = trial.unchecked;
        (case.state, case.note) = match &trial.not_runnable {
            Some(why) => (CaseState::Unconfirmed, Some(format!("not runnable: {why}"))),
            None if trial.fails < trial.runs => (
                CaseState::Unconfirmed,
                Some(format!(
                    "passed {} of {} on the same harness",
                    tally.runs - tally.fails,
                    tally.runs
                )),
            ),
            None if tally.fails >= state.plan.fails_before => {
                (CaseState::Open, trial.unchecked.then(|| UNCHECKED.to_owned()))
            }
            None => (CaseState::Candidate, Some("its runs had no verdict".to_owned())),
        };
        let task = case.task.clone();
        state.tell_reproduction(&task, failed_before, trial.runs - trial.fails, trial.fails);
        trial.repeats.into_iter().for_each(|same| state.gate.compared(same));
    }
}

/// Takes a case out; what it was made of is shown by the one that was kept for it, if there is one.
pub(super) fn refuse(state: &mut State, refusal: &Refusal) {
    let gone = state.cases.cases.remove(&refusal.case);
    let kept = refusal.kept.as_ref().and_then(|kept| state.cases.cases.get_mut(kept));
    if let (Some(gone), Some(kept)) = (gone, kept) {
        let provenance = kept.provenance.get_or_insert_default();
        provenance.also.push(gone.id);
        let new = |record: &RecordId| !kept.records.contains(record);
        let records: Vec<RecordId> = gone.records.into_iter().filter(new).collect();
        kept.records.extend(records);
        kept.clusters.extend(gone.clusters);
        kept.clusters.sort();
        kept.clusters.dedup();
    }
    state.refused.insert(refusal.case.clone(), refusal.clone());
}

/// What becomes of the cases that ran on a harness which was kept.
pub(super) fn rerun(state: &State, experiment: &ExperimentId, promotion: &Promotion) -> Vec<CaseRerun> {
    let mut reruns = Vec::new();
    for (task, tally) in &state.underway.cases {
        let Some(name) = state.task(*task) else { continue };
        let waits = |case: &&EvalCase| case.state == CaseState::Open || state.gate.tends() && suite::comes_back(case);
        let Some(case) = state
            .cases
            .cases
            .values()
            .find(|case| case.task == *name && waits(case))
        else {
            continue;
        };
        let passes = tally.runs - tally.fails;
        if case.state == CaseState::Quarantined {
            reruns.push(waverer(state, experiment, promotion, case, (*task, *tally)));
            continue;
        }
        let unchecked = || format!("fixed by {experiment}, and {UNCHECKED}");
        let (becomes, note) = match () {
            () if promotion.promoted.contains(task) && case.unchecked => (CaseState::Unconfirmed, Some(unchecked())),
            () if promotion.promoted.contains(task) => (CaseState::Promoted, None),
            () if promotion.resolved.contains(task) => (CaseState::Resolved, None),
            () if passes == 0 => (CaseState::Open, case.note.clone()),
            () => (
                CaseState::Quarantined,
                Some(format!(
                    "passed {passes} of {} on the harness of {experiment}, in batch {}",
                    tally.runs, state.batch
                )),
            ),
        };
        reruns.push(CaseRerun {
            case: case.id.clone(),
            task: name.clone(),
            runs: tally.runs,
            passes,
            becomes,
            note,
        });
    }
    reruns
}

/// What becomes of a wavering case that ran on a harness which was kept.
fn waverer(
    state: &State,
    experiment: &ExperimentId,
    promotion: &Promotion,
    case: &EvalCase,
    (number, tally): (Task, Tally),
) -> CaseRerun {
    let passes = tally.runs - tally.fails;
    let streak = state
        .gate
        .known()
        .wavering
        .get(&number)
        .map_or(0, |wavering| wavering.streak);
    let (becomes, note) = match promotion.returned.contains(&number) {
        true => (CaseState::Promoted, None),
        false => (
            CaseState::Quarantined,
            Some(format!(
                "passed {passes} of {} on the harness of {experiment}, in batch {}: {streak} in a row, back after {BACK}",
                tally.runs, state.batch
            )),
        ),
    };
    CaseRerun {
        case: case.id.clone(),
        task: case.task.clone(),
        runs: tally.runs,
        passes,
        becomes,
        note,
    }
}

/// Takes in what became of them.
pub(super) fn promote(state: &mut State, experiment: &ExperimentId, reruns: &[CaseRerun]) {
    for rerun in reruns {
        let Some(case) = state.cases.cases.get_mut(&rerun.case) else {
            continue;
        };
        let wavered = case.state == CaseState::Quarantined;
        case.state = rerun.becomes;
        case.note.clone_from(&rerun.note);
        if wavered {
            came_back(case, experiment, rerun);
            continue;
        }
        if rerun.passes == 0 {
            case.flake.runs_before += rerun.runs;
            case.flake.fails_before += rerun.runs;
            continue;
        }
        case.flake.runs_after += rerun.runs;
        case.flake.passes_after += rerun.passes;
        match rerun.becomes {
            CaseState::Promoted | CaseState::Resolved => case.fixed_by = Some(experiment.clone()),
            CaseState::Unconfirmed => {}
            CaseState::Quarantined => {
                case.aside = Some(Aside::Wavers);
                let number = state.numbers.task(&case.task);
                state.gate.set_aside(number, case.flake.since(), 0);
                continue;
            }
            CaseState::Candidate | CaseState::Open | CaseState::Retired => continue,
        }
        let case = case.clone();
        state.clusters.resolve_task(&case.task);
        // Of a task, those too that a recorded input which says the same has brought.
        let of_case = case
            .clusters
            .iter()
            .flat_map(|cluster| case.records.iter().map(move |record| (cluster, record)));
        of_case.for_each(|(cluster, record)| state.clusters.resolve_record(cluster, record));
    }
}

/// Takes in what a wavering case did on a harness that was kept.
fn came_back(case: &mut EvalCase, experiment: &ExperimentId, rerun: &CaseRerun) {
    case.flake.take_since(rerun.passes, rerun.runs - rerun.passes);
    if rerun.becomes == CaseState::Promoted {
        (case.aside, case.streak) = (None, 0);
        // One that wavered from the first has no file yet, and joins with this change.
        case.fixed_by.get_or_insert_with(|| experiment.clone());
    }
}
