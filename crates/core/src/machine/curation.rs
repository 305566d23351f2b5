//! What is new must be decided about before anything is done with it.

use super::{Command, State, cases};
use crate::case::{CaseState, EvalCase, Refusal};
use crate::cluster::Author;
use crate::curation::{self, Choice, Curation, Reviewer, Subject};
use crate::id::{CaseId, ClusterId};

/// The most clusters and cases that are asked about at a time.
const AT_A_TIME: usize = 20;

impl State {
    /// Whether nothing stands against working on a cluster.
    pub(super) fn is_wanted(&self, cluster: &ClusterId) -> bool {
        let review = self.plan.review;
        self.curations.cluster(review, &self.clusters, cluster).is_accepted()
    }

    /// Whether nothing stands against running a case. What is open or in the suite was let in before.
    pub(super) fn may_enter(&self, case: &EvalCase) -> bool {
        case.state != CaseState::Candidate || self.curations.case(self.plan.review, &case.id).is_accepted()
    }

    /// Unresolved clusters that wait for a person, by rank, and why; what waits only since nobody has looked at it has no reason.
    pub fn waiting_clusters(&self) -> Vec<(&ClusterId, &str)> {
        let ranked = self.clusters.ranked().into_iter().map(|(_, cluster)| &cluster.id);
        let standing = |id: &ClusterId| self.curations.cluster(self.plan.review, &self.clusters, id);
        ranked.filter_map(|id| Some((id, standing(id).waits()?))).collect()
    }

    /// Candidates that wait for a person, and why; see [`Self::waiting_clusters`].
    pub fn waiting_cases(&self) -> Vec<(&EvalCase, &str)> {
        let standing = |case: &EvalCase| self.curations.case(self.plan.review, &case.id);
        let candidates = self.cases.candidates();
        candidates
            .filter_map(|case| Some((case, standing(case).waits()?)))
            .collect()
    }
}

/// What a model must be asked about, if there is one: clusters and candidates that nobody has decided about, each once a batch.
pub(super) fn next(state: &mut State) -> Option<Command> {
    if !state.plan.advised {
        return None;
    }
    let new = |subject: &Subject| state.curations.of(subject).is_none() && !state.asked.contains(subject);
    let preferred = &state.plan.known.preferred;
    let ranked = state.clusters.ranked().into_iter().map(|(_, cluster)| &cluster.id);
    let clusters: Vec<ClusterId> = ranked
        .filter(|id| !state.clusters.is_decided(id) && !preferred.contains(*id))
        .filter(|id| new(&Subject::Cluster((*id).clone())))
        .take(AT_A_TIME)
        .cloned()
        .collect();
    let candidates = state.cases.candidates().map(|case| &case.id);
    let cases: Vec<CaseId> = candidates
        .filter(|id| new(&Subject::Case((*id).clone())))
        .take(AT_A_TIME)
        .cloned()
        .collect();
    if clusters.is_empty() && cases.is_empty() {
        return None;
    }
    state.asked.extend(clusters.iter().cloned().map(Subject::Cluster));
    state.asked.extend(cases.iter().cloned().map(Subject::Case));
    Some(Command::Curate { clusters, cases })
}

/// Does what was decided. Where people decide about cases, a model's word is advice, and refuses none.
pub(super) fn take(state: &mut State, curations: &[Curation]) {
    curations.iter().for_each(|curation| state.curations.take(curation));
    state.revise(&curation::merges(state.plan.review, curations));
    let advice = |curation: &&Curation| state.plan.review.cases == Reviewer::Human && curation.by != Author::Person;
    for curation in curations
        .iter()
        .filter(|curation| !advice(curation))
        .collect::<Vec<_>>()
    {
        let Subject::Case(case) = &curation.of else {
            continue;
        };
        match &curation.choice {
            Choice::Merge(Subject::Case(kept)) => {
                cases::refuse(state, &refusal(case, &curation.reason, Some(kept)));
            }
            Choice::Reject => cases::refuse(state, &refusal(case, &curation.reason, None)),
            Choice::Accept | Choice::NeedsPerson | Choice::Merge(_) => {}
        }
    }
}

fn refusal(case: &CaseId, reason: &str, kept: Option<&CaseId>) -> Refusal {
    Refusal {
        case: case.clone(),
        reason: reason.to_owned(),
        kept: kept.cloned(),
    }
}
