//! What came of the changes that a recipe has made: it tells what would come of others that it could make.

use super::Brief;
use super::contrast::Tried;
use super::draft::is_by;
use crate::candidate::{Candidate, Ground};
use crate::config::Recipe;
use crate::id::CandidateId;
use std::collections::BTreeMap;

/// The changes of one recipe that tell something, by title: many changes have one title, and a title is found sooner than an edit is written.
#[derive(Debug)]
pub(super) struct Past<'a> {
    by_title: BTreeMap<&'a str, Vec<(&'a CandidateId, Tried)>>,
}

impl<'a> Past<'a> {
    /// The changes of a recipe, those that are drafted beside each other among them.
    pub(super) fn of(brief: &Brief<'a>, recipe: &Recipe) -> Self {
        let here = brief.harness.id();
        let broke = |batch: u32| {
            if batch < brief.batch {
                Tried::Broke
            } else {
                Tried::BrokeNow
            }
        };
        let fell = brief.past.iter().filter_map(|experiment| {
            let tried = match experiment.ground? {
                Ground::Harm | Ground::Regression => broke(experiment.batch),
                // On another harness, another fault may have kept it from doing anything, and later there are other cases.
                Ground::Probe if experiment.candidate.parent == here && experiment.batch == brief.batch => Tried::Idle,
                _ => return None,
            };
            Some((&experiment.candidate, tried))
        });
        let dropped = brief.dropped.iter().filter_map(|dropped| {
            let tried = match dropped.screened.broken.is_empty() {
                false => broke(dropped.batch),
                true if dropped.candidate.parent == here
                    && dropped.batch == brief.batch
                    && !dropped.screened.helps() =>
                {
                    Tried::Idle
                }
                true => return None,
            };
            Some((&dropped.candidate, tried))
        });
        let now = brief.drafts.iter().map(|draft| (draft, Tried::Now));
        let mut by_title: BTreeMap<&str, Vec<(&CandidateId, Tried)>> = BTreeMap::new();
        for (candidate, tried) in fell.chain(dropped).chain(now) {
            let candidate: &Candidate = candidate;
            if is_by(recipe, candidate) {
                let of_title = by_title.entry(candidate.title.as_str()).or_default();
                of_title.push((&candidate.id, tried));
            }
        }
        Self { by_title }
    }

    /// What came of a change, if it was made. `ids` are asked for where one has its title: its own, then those of the same change at other places,
    /// where it would do as much harm.
    pub(super) fn of_change(&self, title: &str, ids: impl FnOnce() -> Vec<CandidateId>) -> Option<Tried> {
        let of_title = self.by_title.get(title)?;
        let ids = ids();
        let same = of_title.iter().find(|(of, tried)| match tried {
            Tried::Broke | Tried::BrokeNow => ids.contains(of),
            Tried::Idle | Tried::Now => ids.first() == Some(*of),
        });
        same.map(|(_, tried)| *tried)
    }
}
