//! The regression suite as it is counted: what lies in the repository, as people and the newest run left it.

use super::Book;
use crate::case::{Aside, CaseState, EvalCase};
use crate::id::CaseId;
use crate::machine::State;
use std::collections::BTreeSet;

/// What is said of a case that a person has quarantined.
const BY_PERSON: &str = "a person quarantined it";

impl Book {
    /// The regression suite of the repository, as it is counted.
    pub fn suite_of(&self, suite: &[EvalCase]) -> Vec<EvalCase> {
        let newest = self.latest_run().and_then(|run| self.run(run));
        suite
            .iter()
            .map(|case| self.standing_of(case, newest.as_ref()))
            .collect()
    }

    /// The cases of the suite that are not counted.
    pub fn not_counted(&self) -> BTreeSet<CaseId> {
        let newest = self.latest_run().and_then(|run| self.run(run));
        let known = newest.as_ref().map_or(&[][..], |state| &state.plan.known.suite);
        let counted = |case: &&EvalCase| self.standing_of(case, newest.as_ref()).state == CaseState::Promoted;
        let left_out = known.iter().filter(|case| !counted(case)).map(|case| case.id.clone());
        left_out.chain(self.quarantined.keys().cloned()).collect()
    }

    /// How a case stands that lies in the repository as `file` says.
    fn standing_of(&self, file: &EvalCase, newest: Option<&State>) -> EvalCase {
        let mut case = newest
            .and_then(|state| carried(state, file))
            .unwrap_or_else(|| file.clone());
        if self.quarantined.contains_key(&case.id) {
            case.state = CaseState::Quarantined;
            (case.aside, case.note) = (Some(Aside::Person), Some(BY_PERSON.to_owned()));
        } else if self.restored.get(&case.id) == Some(&self.n_runs) || case.aside == Some(Aside::Person) {
            case.state = CaseState::Promoted;
            (case.aside, case.note, case.streak, case.silent) = (None, None, 0, 0);
        }
        case
    }
}

/// What a run made of a case that was in the suite when it began. `None` when it was not, or has been fixed anew since.
fn carried(state: &State, file: &EvalCase) -> Option<EvalCase> {
    let then = state.plan.known.suite.iter().find(|case| case.id == file.id)?;
    let now = state.cases.cases.get(&file.id)?;
    if then.fixed_by != file.fixed_by {
        return None;
    }
    // What mended it is not merged, or its file would say so.
    let is_mended = then.aside == Some(Aside::Broke) && now.aside != Some(Aside::Broke);
    let mut case = if is_mended { then } else { now }.clone();
    case.fixed_by.clone_from(&file.fixed_by);
    Some(case)
}
