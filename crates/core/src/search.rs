//! Search: which changes are drafted for a cluster, which of them is measured, and what is remembered of the others.
//!
//! `greedy` measures each change as it is proposed. `frontier` drafts several from different starting points, runs each on the cluster's own cases, and
//! measures the one that solves most of them; what solved something and was not kept stays, by the cases it solves, and is a starting point later. Such a
//! frontier by instances is that of GEPA (Agrawal et al., "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning", 2025); an archive
//! of stepping stones that were not best is older (Lehman and Stanley, "Abandoning Objectives", 2011).

pub mod frontier;
pub mod merge;

use crate::candidate::Candidate;
use crate::harness::Harness;
use crate::id::TaskId;
use crate::similar::{Rarity, Sparse};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt;

/// `[search]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchConfig {
    /// How the next change is looked for.
    pub mode: SearchMode,
    /// For `frontier`: how many changes the proposer is asked for in a round.
    pub proposals: u32,
    /// After how many kept changes each of them is taken out again to see whether it is still needed; 0 for never.
    #[serde(default)]
    pub prune: u32,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            mode: SearchMode::Greedy,
            proposals: 3,
            prune: 4,
        }
    }
}

impl SearchConfig {
    /// Whether nothing of it was set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the next change is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    /// One proposal after the other, each measured as it comes.
    Greedy,
    /// Rounds of drafts, and a frontier of what was not kept.
    Frontier,
}

/// Where a draft starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// From the frontier: a change that was not kept, or two that fit together, on the harness of today.
    Frontier,
    /// From what was kept before: an earlier change is taken out, or made anew by what is known today.
    Simplify,
    /// From the likeliest cause.
    RootCause,
    /// The least that could help.
    Minimal,
    /// Another way than was tried so far.
    Alternative,
}

/// The starting points that a proposer is told, in turn.
const PROPOSED: [Start; 3] = [Start::RootCause, Start::Minimal, Start::Alternative];

impl Start {
    /// Those of so many proposals.
    pub fn proposed(n: u32) -> impl Iterator<Item = Self> {
        PROPOSED.into_iter().cycle().zip(0..n).map(|(start, _)| start)
    }

    /// What a proposer is told to start from; `None` where none is asked.
    pub fn told(self) -> Option<&'static str> {
        match self {
            Self::Frontier | Self::Simplify => None,
            Self::RootCause => Some(
                "Starting point: the root cause. Find what makes these runs fail, and mend that, not what is seen of it.",
            ),
            Self::Minimal => Some(
                "Starting point: the least. Find the smallest edit that could make these runs pass; rather change or remove a line than add one.",
            ),
            Self::Alternative => Some(
                "Starting point: another way. Mend it by another mechanism than what was drafted or tried so far: another file, another kind of change.",
            ),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frontier => "frontier",
            Self::Simplify => "simplify",
            Self::RootCause => "root cause",
            Self::Minimal => "minimal",
            Self::Alternative => "alternative",
        })
    }
}

/// What a draft did on its cluster's own cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screened {
    /// The tasks that pass with it.
    pub solved: Vec<TaskId>,
    /// Those that still fail, but no longer for the cluster's cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<TaskId>,
    /// Tasks like the cluster's that pass without it and fail with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<TaskId>,
}

impl Screened {
    /// Whether it did anything.
    pub fn helps(&self) -> bool {
        !(self.solved.is_empty() && self.moved.is_empty())
    }

    /// Whether it is worth an experiment: it did something, and solves more than it breaks, if it breaks anything.
    pub fn is_worth(&self) -> bool {
        self.helps() && (self.broken.is_empty() || self.broken.len() < self.solved.len())
    }
}

/// A draft that is not worth an experiment, and what it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// The draft.
    pub candidate: Candidate,
    /// What it did.
    pub screened: Screened,
    /// The batch it was drafted in.
    pub batch: u32,
}

/// The runs that are most like some of these, the most alike first, at most so many: what a change for the failing ones most likely breaks of the passing
/// ones. Both as texts of what the agent was told.
pub fn most_alike(failing: &[String], passing: &[String], most: usize) -> Vec<usize> {
    let all = failing.iter().chain(passing).map(String::as_str);
    let rarity = Rarity::of(all);
    let wanted: Vec<Sparse> = failing.iter().map(|text| rarity.vector(text)).collect();
    let near = |text: &String| {
        let vector = rarity.vector(text);
        wanted.iter().map(|one| one.cosine(&vector)).fold(0.0, f64::max)
    };
    let mut order: Vec<(f64, usize)> = passing.iter().map(near).zip(0..).collect();
    order.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    order.into_iter().take(most).map(|(_, at)| at).collect()
}

/// The drafts that are worth an experiment, the best first: who solves most beyond what it breaks, then who removes the cause most often, then the
/// smaller harness, then the one drafted first.
pub fn ranked(incumbent: &Harness, drafts: &[Candidate], screened: &[Screened]) -> Vec<usize> {
    let size = |candidate: &Candidate| incumbent.with(&candidate.changes).size();
    let mut order: Vec<(Reverse<usize>, Reverse<usize>, usize, usize)> = drafts
        .iter()
        .zip(screened)
        .enumerate()
        .filter(|(_, (_, screened))| screened.is_worth())
        .map(|(at, (draft, screened))| {
            let gain = screened.solved.len() - screened.broken.len();
            (Reverse(gain), Reverse(screened.moved.len()), size(draft), at)
        })
        .collect();
    order.sort();
    order.into_iter().map(|(.., at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::tests::candidate;
    use crate::harness::FileChange;

    /// A draft that makes the only file of this text.
    fn draft(incumbent: &Harness, text: &str) -> Candidate {
        Candidate {
            changes: vec![FileChange {
                path: "p".to_owned(),
                text: Some(text.to_owned()),
            }],
            ..candidate(text, "c", incumbent.id())
        }
    }

    fn did(solved: usize, moved: usize, broken: usize) -> Screened {
        let tasks = |n: usize| (0..n).map(|n| TaskId::new(format!("t{n}"))).collect();
        Screened {
            solved: tasks(solved),
            moved: tasks(moved),
            broken: tasks(broken),
        }
    }

    #[test]
    fn who_solves_most_beyond_what_it_breaks_is_first_and_the_smaller_harness_wins_a_tie() {
        let incumbent = Harness::new([("p".to_owned(), "a".to_owned())]);
        let drafts: Vec<Candidate> = ["long text", "short", "later", "x", "y"]
            .iter()
            .map(|text| draft(&incumbent, text))
            .collect();
        let order = |screened: [Screened; 5]| ranked(&incumbent, &drafts, &screened);
        let nothing = did(0, 0, 0);
        assert_eq!(
            order([did(2, 0, 0), did(2, 0, 0), did(2, 0, 0), did(3, 0, 0), did(3, 0, 2)]),
            [3, 1, 2, 0, 4],
            "solved, then size, then order; what it breaks counts against it"
        );
        assert_eq!(
            order([did(1, 2, 0), did(1, 0, 0), did(1, 1, 0), nothing.clone(), did(0, 4, 0)]),
            [0, 2, 1, 4],
            "who takes the cause away more often comes before the smaller one; who does nothing is no draft"
        );
        let harmful = [did(2, 0, 2), did(0, 3, 1), did(1, 0, 2), nothing.clone(), nothing];
        assert_eq!(order(harmful), [0; 0], "who breaks as many as it solves is none either");
    }

    #[test]
    fn guards_are_the_passing_runs_that_say_what_the_failing_ones_say() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let failing = texts(&["the line is suspended and a bill is overdue"]);
        let passing = texts(&[
            "the weather is fine",
            "the line is suspended, the bill is overdue, the card is there",
            "the line is active",
            "the line is suspended",
        ]);
        assert_eq!(most_alike(&failing, &passing, 2), [1, 3]);
        assert_eq!(most_alike(&failing, &[], 2), [0; 0]);
        assert_eq!(
            most_alike(&[], &passing, 1),
            [0],
            "without anything to compare, the newest"
        );
    }
}
