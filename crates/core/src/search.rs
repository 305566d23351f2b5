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
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            mode: SearchMode::Greedy,
            proposals: 3,
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
}

impl Screened {
    /// Whether it did anything.
    pub fn helps(&self) -> bool {
        !(self.solved.is_empty() && self.moved.is_empty())
    }
}

/// The drafts that help, the best first: who solves most, then who removes the cause most often, then the smaller harness, then the one drafted first.
pub fn ranked(incumbent: &Harness, drafts: &[Candidate], screened: &[Screened]) -> Vec<usize> {
    let size = |candidate: &Candidate| size(&incumbent.with(&candidate.changes));
    let mut order: Vec<(Reverse<usize>, Reverse<usize>, usize, usize)> = drafts
        .iter()
        .zip(screened)
        .enumerate()
        .filter(|(_, (_, screened))| screened.helps())
        .map(|(at, (draft, screened))| {
            let (solved, moved) = (screened.solved.len(), screened.moved.len());
            (Reverse(solved), Reverse(moved), size(draft), at)
        })
        .collect();
    order.sort();
    order.into_iter().map(|(.., at)| at).collect()
}

/// The characters of a harness.
fn size(harness: &Harness) -> usize {
    harness.files().map(|(_, text)| text.chars().count()).sum()
}
