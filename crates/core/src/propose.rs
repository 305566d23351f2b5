//! Proposers: what to change in the harness for a cluster.
//!
//! [`propose`] asks the recipes, which need no model. [`brief`] is what models and coding agents are told, [`desk`] where a model edits. All of
//! them see the cluster, the train runs on record, the harness and the recipes, and nothing of the validation set.

pub mod brief;
pub mod contrast;
pub mod cost;
pub mod desk;
mod draft;
mod few_shot;
mod knob;
mod look;
mod needed;
pub mod observation;
mod past;
mod recipe;
mod select;
pub mod talk;
mod template;
mod write;

use crate::candidate::check::Guarded;
use crate::candidate::{Candidate, Experiment};
use crate::cluster::Cluster;
use crate::config::Recipe;
use crate::failure::RootCause;
use crate::harness::{Harness, PathPolicy};
use crate::id::{CandidateId, TaskId};
use crate::mine::lack;
use crate::search::Dropped;
use crate::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};

/// A train run that the proposer may look at.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Its task.
    pub task: &'a TaskId,
    /// Whether it passed.
    pub passed: bool,
    /// What happened.
    pub trace: &'a Trace,
}

/// A way to look at more than the incumbent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// The diagnosis calls every read tool that it can.
    Wider,
    /// Everything is read once more at the end: what a fix has laid bare shows only then.
    Again,
}

/// All that a proposer gets.
#[derive(Debug, Clone)]
pub struct Brief<'a> {
    /// The cluster to work on.
    pub cluster: &'a Cluster,
    /// The root cause of one of its failures, for the words.
    pub cause: Option<&'a RootCause>,
    /// Train runs on the incumbent, at most one a task.
    pub base: Vec<Example<'a>>,
    /// The same tasks on harnesses that look at more, as far as the proposer asked for them.
    pub looks: BTreeMap<Look, Vec<Example<'a>>>,
    /// The incumbent.
    pub harness: &'a Harness,
    /// The templates, in the order they are tried.
    pub recipes: &'a [Recipe],
    /// What may be changed.
    pub policy: &'a PathPolicy,
    /// Edits that were tried before, whatever became of them.
    pub tried: &'a BTreeSet<CandidateId>,
    /// The experiments so far, with what came of them.
    pub past: &'a [Experiment],
    /// The batch of today.
    pub batch: u32,
    /// What is drafted beside this one, to be screened with it.
    pub drafts: &'a [Candidate],
    /// What was drafted earlier and not worth an experiment.
    pub dropped: &'a [Dropped],
    /// Train runs that passed, of tasks that never failed: what may be shown as an example.
    pub shown: Vec<Example<'a>>,
    /// What must not stand in a harness.
    pub guarded: &'a Guarded,
    /// Decides between choices that nothing else decides between.
    pub seed: u64,
    /// The tools that the incumbent itself calls; see [`watched`].
    pub watched: BTreeSet<String>,
}

/// The tools that are called in at least half of the runs: what a new step can rely on.
pub fn watched(examples: &[Example<'_>]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for example in examples {
        let called: BTreeSet<&str> = example
            .trace
            .steps
            .iter()
            .flat_map(|step| &step.tool_calls)
            .map(|call| call.name.as_str())
            .collect();
        called
            .into_iter()
            .for_each(|tool| *counts.entry(tool).or_default() += 1);
    }
    counts
        .into_iter()
        .filter(|(_, count)| count * 2 >= examples.len())
        .map(|(tool, _)| tool.to_owned())
        .collect()
}

/// What a proposer answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposal {
    /// A change to evaluate.
    Candidate(Box<Candidate>),
    /// First run the train tasks on this harness, which only looks at more, and ask again with their traces.
    Explore {
        /// What for.
        look: Look,
        /// The incumbent with more read calls.
        harness: Harness,
    },
    /// Nothing (more) to try.
    Nothing(String),
}

/// Asks the recipes about a cluster.
pub fn propose(brief: &Brief<'_>) -> Proposal {
    let lacks = lack(&brief.cluster.mechanism);
    let recipes: Vec<&Recipe> = brief
        .recipes
        .iter()
        .filter(|recipe| {
            recipe
                .mechanisms
                .iter()
                .any(|rule| rule == "*" || *rule == brief.cluster.mechanism.rule || *rule == lacks.rule)
        })
        .collect();
    if recipes.is_empty() {
        return Proposal::Nothing(format!("no recipe answers to `{}`", brief.cluster.mechanism.rule));
    }
    if let Some((look, harness)) = recipe::explore(brief, &recipes) {
        return Proposal::Explore { look, harness };
    }
    let mut untried = recipe::candidates(brief, &recipes);
    match untried.find(|candidate| !brief.tried.contains(&candidate.id)) {
        Some(candidate) => Proposal::Candidate(Box::new(candidate)),
        None => Proposal::Nothing("every edit that the recipes give for this cluster was tried".to_owned()),
    }
}

#[cfg(test)]
mod tests;
