//! What becomes of the cases of the suite by what they do: looked at again when they fail, set aside while they waver, taken out when they guard nothing.

use super::cases::CaseTrial;
use super::{Command, State};
use crate::candidate::Ground;
use crate::case::{Aside, CaseState, EvalCase, SuiteChange};
use crate::gate::purchase::{Outcome, Task};
use crate::gate::sequential::{BACK, Doubt, LOOKS};
use crate::id::CaseId;
use crate::ledger::{CaseTry, Plan};
use crate::trial::{TaskVerdict, TrialStatus};
use std::collections::BTreeMap;

/// So often in a row none of a case's runs may have a verdict: once can be the machinery's bad day.
const SILENT: u32 = 2;

/// What is looked at, or written down, before anything else is done.
pub(super) fn tend(state: &mut State) -> Option<Command> {
    let cases = doubtful(state);
    if !cases.is_empty() {
        return Some(Command::TryCases { cases });
    }
    revise_now(state)
}

/// What is written down of the suite by what is known.
pub(super) fn revise_now(state: &State) -> Option<Command> {
    let doubts: BTreeMap<Task, Doubt> = state.gate.doubts().into_iter().collect();
    let changes: Vec<SuiteChange> = state
        .cases
        .cases
        .values()
        .filter_map(|case| change(state, &doubts, case))
        .collect();
    (!changes.is_empty()).then_some(Command::ReviseSuite { changes })
}

/// The cases of the suite that failed, or gave no verdict, since they were looked at last. Of an agent that repeats itself there is nothing more to be seen.
fn doubtful(state: &mut State) -> Vec<CaseTrial> {
    let suspects = std::mem::take(&mut state.suspects);
    if state.gate.known().repeats_itself() || !state.gate.tends() {
        return Vec::new();
    }
    let in_suite = |id: &CaseId| {
        state
            .cases
            .cases
            .get(id)
            .filter(|case| case.state == CaseState::Promoted)
    };
    let mut trials = Vec::new();
    for case in suspects.iter().filter_map(in_suite) {
        let task = case.task.clone();
        let number = state.numbers.of(&task);
        let looked = state.looks.get(&case.id).copied().unwrap_or(0);
        let seen = state.times_seen.get(&task).copied().unwrap_or(0);
        let first = seen.max(number.map_or(0, |number| state.account.on_incumbent(number))) + looked;
        trials.push(CaseTrial {
            case: case.id.clone(),
            task,
            trials: (first..first + LOOKS).collect(),
        });
    }
    for trial in &trials {
        *state.looks.entry(trial.case.clone()).or_default() += LOOKS;
    }
    trials
}

/// What must become of a case.
fn change(state: &State, doubts: &BTreeMap<Task, Doubt>, case: &EvalCase) -> Option<SuiteChange> {
    let becomes = |becomes: CaseState, aside: Option<Aside>, reason: String| SuiteChange {
        case: case.id.clone(),
        becomes,
        aside,
        reason,
    };
    let gone = is_gone(&state.plan, case);
    let ignored = case.is_ignored(&state.plan.known.ignored);
    match (case.state, case.aside) {
        (CaseState::Retired, Some(Aside::Gone)) if !gone => {
            Some(becomes(CaseState::Promoted, None, "its task is there again".to_owned()))
        }
        (CaseState::Retired, Some(Aside::Ignored)) if !ignored => Some(becomes(
            CaseState::Promoted,
            None,
            "what it guards is ignored no more".to_owned(),
        )),
        (CaseState::Promoted, _) if gone => Some(becomes(
            CaseState::Retired,
            Some(Aside::Gone),
            "the runner lists no such task any more".to_owned(),
        )),
        (CaseState::Promoted, _) if ignored => Some(becomes(
            CaseState::Retired,
            Some(Aside::Ignored),
            "people ignore all that it guards".to_owned(),
        )),
        (CaseState::Promoted, _) if case.silent >= SILENT => Some(becomes(
            CaseState::Retired,
            Some(Aside::Silent),
            format!("none of its runs had a verdict when it was looked at, {SILENT} times in a row"),
        )),
        (CaseState::Promoted, _) => {
            let number = state.numbers.of(&case.task)?;
            Some(doubted(state, case, number, *doubts.get(&number)?))
        }
        _ => None,
    }
}

/// What the runs on the incumbent say against a case.
fn doubted(state: &State, case: &EvalCase, number: Task, doubt: Doubt) -> SuiteChange {
    let here = state.gate.known().here.get(&number).copied().unwrap_or_default();
    let on = state.harness_in_words();
    let (passed, runs) = (here.passed, here.runs());
    let (becomes, aside, reason) = match doubt {
        Doubt::Wavers => (
            CaseState::Quarantined,
            Aside::Wavers,
            format!("wavers: passed {passed} of {runs} on {on}; back after {BACK} passes in a row"),
        ),
        Doubt::Broke => (
            CaseState::Open,
            Aside::Broke,
            format!("broken again: failed {} of {runs} on {on}", here.failed),
        ),
    };
    SuiteChange {
        case: case.id.clone(),
        becomes,
        aside: Some(aside),
        reason,
    }
}

/// Whether a case repeats a task that the runner no longer has.
fn is_gone(plan: &Plan, case: &EvalCase) -> bool {
    !case.is_recorded() && !plan.train.contains(&case.task)
}

/// Traffic ran: what it says of cases that were fixed.
pub(super) fn seen(state: &mut State, verdicts: &[TaskVerdict]) {
    for verdict in verdicts {
        let fixed = |case: &&mut EvalCase| {
            case.task == verdict.task
                && matches!(
                    case.state,
                    CaseState::Promoted | CaseState::Quarantined | CaseState::Resolved
                )
        };
        for case in state.cases.cases.values_mut().filter(fixed) {
            match verdict.status {
                TrialStatus::Passed => case.flake.take_since(1, 0),
                TrialStatus::Failed => case.flake.take_since(0, 1),
                TrialStatus::Errored { .. } => {}
            }
            if case.state == CaseState::Promoted && verdict.status != TrialStatus::Passed {
                state.suspects.insert(case.id.clone());
            }
        }
    }
}

/// A case of the suite was looked at on the incumbent.
pub(super) fn looked(state: &mut State, tried: &CaseTry) {
    // Without money no run has a verdict, and that says nothing of the case.
    let paid = state.spent.over(&state.plan.limits).is_none();
    let Some(case) = state.cases.cases.get_mut(&tried.case) else {
        return;
    };
    let passes = tried.runs - tried.fails;
    case.flake.take_since(passes, tried.fails);
    case.silent = match tried.runs {
        0 if paid => case.silent + 1,
        0 => case.silent,
        _ => 0,
    };
    if let Some(number) = state.numbers.of(&case.task) {
        (0..passes).for_each(|_| state.gate.looked(number, true));
        (0..tried.fails).for_each(|_| state.gate.looked(number, false));
    }
    tried.repeats.into_iter().for_each(|same| state.gate.compared(same));
}

/// The suite ran on a candidate.
pub(super) fn ran(state: &mut State, runs: impl Iterator<Item = (Task, Outcome)>) {
    for (number, outcome) in runs {
        let tally = state.underway.suite.entry(number).or_default();
        if outcome != Outcome::Errored {
            tally.add(outcome == Outcome::Passed);
        }
    }
}

/// A candidate fell: what it is said to have broken, or what gave no verdict on it, is looked at on the incumbent, which may be no better.
pub(super) fn fell(state: &mut State, ground: Ground, broken: &[Task]) {
    let silent: Vec<Task> = match ground {
        Ground::Infrastructure => {
            let ran = state.underway.suite.iter();
            ran.filter(|(_, tally)| tally.runs == 0)
                .map(|(number, _)| *number)
                .collect()
        }
        _ => Vec::new(),
    };
    let broken = if ground == Ground::Regression { broken } else { &[] };
    for number in broken.iter().chain(&silent) {
        let case = state.in_suite(*number);
        state.suspects.extend(case);
    }
}

/// A candidate was kept: what its runs of the suite say is said of the incumbent from now on.
pub(super) fn kept(state: &mut State) {
    state.looks.clear();
    for (number, tally) in std::mem::take(&mut state.underway.suite) {
        let Some(case) = state.in_suite(number) else { continue };
        if tally.fails > 0 {
            state.suspects.insert(case.clone());
        }
        if let Some(case) = state.cases.cases.get_mut(&case) {
            case.flake.take_since(tally.runs - tally.fails, tally.fails);
        }
    }
}

/// Takes in what becomes of cases.
pub(super) fn revise(state: &mut State, changes: &[SuiteChange]) {
    for change in changes {
        let Some(case) = state.cases.cases.get_mut(&change.case) else {
            continue;
        };
        case.state = change.becomes;
        case.aside = change.aside;
        case.note = change.aside.map(|_| change.reason.clone());
        (case.streak, case.silent) = (0, 0);
        if change.becomes == CaseState::Open {
            // What it does from now on is done before it is fixed.
            case.fixed_by = None;
            let flake = &mut case.flake;
            let fails = flake.runs_after.saturating_sub(flake.passes_after);
            (flake.runs_before, flake.fails_before) = (flake.runs_before + fails, flake.fails_before + fails);
            (flake.runs_after, flake.passes_after) = (0, 0);
        }
        let runs = case.flake.since();
        let number = state.numbers.task(&case.task);
        match change.becomes {
            CaseState::Promoted => state.gate.take_back(number, runs),
            CaseState::Quarantined => state.gate.set_aside(number, runs, 0),
            _ => state.gate.leave_out(number),
        }
    }
}

/// Brings the streaks of wavering cases to what the gate counts.
pub(super) fn count_streaks(state: &mut State) {
    for case in state.cases.cases.values_mut().filter(|case| comes_back(case)) {
        let wavering = state
            .numbers
            .of(&case.task)
            .and_then(|number| state.gate.known().wavering.get(&number));
        case.streak = wavering.map_or(case.streak, |wavering| wavering.streak);
    }
}

/// Whether a case comes back by itself when it has passed often enough in a row.
pub(super) fn comes_back(case: &EvalCase) -> bool {
    case.state == CaseState::Quarantined && case.aside != Some(Aside::Person)
}

impl State {
    /// The case of the suite that the gate knows by the number of its task.
    fn in_suite(&self, number: Task) -> Option<CaseId> {
        let task = self.task(number)?;
        self.cases
            .suite()
            .find(|case| case.task == *task)
            .map(|case| case.id.clone())
    }

    /// How people know the harness of today.
    pub(super) fn harness_in_words(&self) -> String {
        let kept = self.experiments.iter().rev().find(|experiment| experiment.accepted());
        let of = kept.map_or_else(
            || "the harness as it came".to_owned(),
            |kept| format!("the harness of {}", kept.id),
        );
        format!("{of}, in batch {}", self.batch)
    }
}
