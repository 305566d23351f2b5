//! From edits of one file to a candidate.

use super::Brief;
use crate::candidate::Candidate;
use crate::config::{Recipe, RecipeOp};
use crate::edit::{self, Edit};
use crate::harness::FileChange;
use crate::hash;
use crate::id::{CandidateId, HarnessId, TaskId};

/// What a recipe would change, and why.
pub(super) struct Draft {
    pub(super) edits: Vec<Edit>,
    pub(super) title: String,
    pub(super) hypothesis: String,
    /// The indexes of the base runs that should pass then, as far as they fail.
    pub(super) needed: Vec<usize>,
    /// For the candidate's origin.
    pub(super) parameters: String,
}

/// Applies the edits. `None` when the file is not there, may not be changed, or would not change.
pub(super) fn finish(brief: &Brief<'_>, recipe: &Recipe, draft: Draft) -> Option<Candidate> {
    if !brief.policy.allows(&recipe.file) {
        return None;
    }
    let before = brief.harness.get(&recipe.file)?;
    let text = draft
        .edits
        .iter()
        .try_fold(before.to_owned(), |text, edit| edit::apply(&recipe.file, &text, edit))
        .ok()?;
    if text == before {
        return None;
    }
    let changes = vec![FileChange {
        path: recipe.file.clone(),
        text: Some(text),
    }];
    // The looks ran the same tasks in the same order.
    let failing = draft
        .needed
        .iter()
        .filter_map(|&at| brief.base.get(at))
        .filter(|example| !example.passed);
    let mut predicted: Vec<TaskId> = failing.map(|example| example.task.clone()).collect();
    predicted.sort();
    let parent = brief.harness.id();
    Some(Candidate {
        removes: None,
        id: edit_id(recipe, &draft.edits, &parent),
        cluster: brief.cluster.id.clone(),
        title: draft.title,
        hypothesis: draft.hypothesis,
        diff: brief.harness.diff(&brief.harness.with(&changes)),
        changes,
        predicted,
        origin: format!("{}{}", origin(recipe), draft.parameters),
        parent,
    })
}

/// What a recipe's edits are known by. What a knob is worth depends on all the rest, so the same value may be tried again on another harness; other edits
/// are the same wherever they are made.
pub(super) fn edit_id(recipe: &Recipe, edits: &[Edit], parent: &HarnessId) -> CandidateId {
    let of_edits = (&recipe.name, &recipe.file, edits);
    let hash = match recipe.op {
        RecipeOp::Knob => hash::of(&(of_edits, parent)),
        RecipeOp::Append | RecipeOp::Set | RecipeOp::FewShot => hash::of(&of_edits),
    };
    CandidateId::new(&hash[..12])
}

/// Whether a recipe made a candidate.
pub(super) fn is_by(recipe: &Recipe, candidate: &Candidate) -> bool {
    candidate.origin.starts_with(&origin(recipe))
}

fn origin(recipe: &Recipe) -> String {
    format!("recipes: {}, ", recipe.name)
}
