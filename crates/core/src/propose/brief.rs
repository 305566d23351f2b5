//! The brief: what a model or a coding agent is told about a cluster, as one bounded text. The same for both.
//!
//! It is made of train runs and of what experiments did on train tasks. Of the validation set it says nothing, not even that a change
//! fell there by how much.

use super::Example;
use crate::candidate::{Candidate, Experiment, Prediction, Stage, Verdict};
use crate::cluster::Cluster;
use crate::failure::FailureRecord;
use crate::harness::Harness;
use crate::id::{RecordId, TaskId};
use crate::mine::model::{compact, fenced};
use crate::mine::text::shortened;
use crate::score::Scorecard;
use crate::search::Start;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Members whose findings are told.
const MEMBERS: usize = 8;
/// Files that are named.
const FILES: usize = 80;
/// Earlier changes that are told, the latest.
const TRIED: usize = 12;
/// The least that a brief is bounded to, in bytes.
const LEAST: usize = 4_000;

/// What holds for every change, whoever makes it.
pub const RULES: &str = "\
Rules. A change that breaks one is thrown away without being measured:
- Change only files of the harness that are listed here, or new files that its globs take in.
- Mend the cause for every input of its kind. Write no task id, no expected answer and no value of a single run into the harness.
- Change no model, effort, temperature or other setting of how a model is called.
- Nothing may depend on the trial, the seed, or an environment that only an evaluation has.
- Read nothing of what judges the agent.
- Do one thing, as small as it can be. Keep what works: the change is also run on tasks that pass today, and on tasks that you cannot see.
";

/// What a brief is made of.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// The cluster to work on.
    pub cluster: &'a Cluster,
    /// The failures that the run knows.
    pub records: &'a BTreeMap<RecordId, FailureRecord>,
    /// Train runs on the incumbent: the cluster's own, and others for contrast.
    pub base: &'a [Example<'a>],
    /// The incumbent.
    pub harness: &'a Harness,
    /// The globs of `harness.paths` and `harness.protect`.
    pub globs: (&'a [String], &'a [String]),
    /// What was tried in this run, in order.
    pub experiments: &'a [Experiment],
    /// What earlier runs and reviewers taught, one line each.
    pub lessons: &'a [String],
    /// Where to start from, and what was drafted from elsewhere already.
    pub start: Option<(Start, &'a [Candidate])>,
}

/// The brief, of about `bytes` bytes at the most.
pub fn brief(material: &Material<'_>, bytes: usize) -> String {
    let bytes = bytes.max(LEAST);
    let mut text = problem(material, bytes / 4);
    text.push_str(&tried(material, bytes / 5));
    text.push_str(&lessons(material.lessons, bytes / 10));
    text.push_str(&map(material, bytes / 6));
    let rules = format!("{}\n{RULES}", start(material));
    let room = bytes.saturating_sub(text.len() + rules.len());
    text.push_str(&runs(material, room));
    text.push_str(&rules);
    text
}

/// Where to start from, so that the drafts of a round differ.
fn start(material: &Material<'_>) -> String {
    let Some((told, drafts)) = material.start.and_then(|(start, drafts)| Some((start.told()?, drafts))) else {
        return String::new();
    };
    let titles: Vec<String> = drafts.iter().map(|draft| shortened(&draft.title, 200)).collect();
    let beside = match titles.is_empty() {
        true => String::new(),
        false => format!(
            "Drafted already, and tried beside yours:\n{}\n",
            fenced("drafts", &titles.join("\n"))
        ),
    };
    format!("\n{told}\n{beside}")
}

/// What goes wrong, in how many runs, with what was seen in each.
fn problem(material: &Material<'_>, bytes: usize) -> String {
    let cluster = material.cluster;
    let mut told = format!(
        "Runs of an agent fail for one reason. Change the agent's harness so that they do not.\n\nThe reason, as it was mined: {} ({})\nFailures seen: {}, of which {} are not resolved.\n",
        shortened(&cluster.title, 200),
        cluster.mechanism,
        cluster.total_failures(),
        cluster.total_failures() - cluster.resolved()
    );
    let open = cluster.members.iter().filter(|(_, member)| !member.resolved);
    let known = open.filter_map(|(id, _)| material.records.get(id));
    let listed: Vec<String> = known.take(MEMBERS).map(|record| member(cluster, record)).collect();
    let _ = writeln!(
        told,
        "{}",
        fenced(
            "what failed",
            &within(&listed.join("\n"), bytes.saturating_sub(told.len()))
        )
    );
    told
}

fn member(cluster: &Cluster, record: &FailureRecord) -> String {
    let mut told = format!(
        "task {}: {}\n  it did: {}",
        record.task,
        shortened(&record.context, 300),
        shortened(&record.behaviour, 200)
    );
    for cause in record.causes.iter().filter(|cause| cluster.shows(&cause.mechanism)) {
        let _ = write!(told, "\n  finding: {}", shortened(&cause.finding, 300));
        for evidence in cause.evidence.iter().take(3) {
            let step = evidence
                .step
                .map_or_else(|| "outcome".to_owned(), |step| format!("step {step}"));
            let _ = write!(told, "\n  {step}: {}", shortened(&evidence.quote, 200));
        }
        if !cause.should.is_empty() {
            let _ = write!(told, "\n  instead: {}", shortened(&cause.should, 300));
        }
    }
    told
}

/// What was tried on the cluster: what it fixed, what it broke, and where it fell.
fn tried(material: &Material<'_>, bytes: usize) -> String {
    let on_cluster = material
        .experiments
        .iter()
        .filter(|experiment| experiment.verdict.is_some() && experiment.candidate.cluster == material.cluster.id);
    let told: Vec<String> = on_cluster.rev().take(TRIED).map(outcome).collect();
    if told.is_empty() {
        return String::new();
    }
    let heading = "Tried on this before, the latest first. Do something else than what fell:";
    let predictions = Prediction::of(material.experiments).map_or_else(String::new, |score| {
        format!("Predictions in this run so far, all changes together: {score}.\n")
    });
    format!(
        "\n{heading}\n{}\n{predictions}",
        fenced("tried", &within(&told.join("\n"), bytes))
    )
}

/// What became of an experiment, in a line. A verdict that rests on the validation set gives no figure of it.
pub fn outcome(experiment: &Experiment) -> String {
    let Some((verdict, reason)) = &experiment.verdict else {
        return String::new();
    };
    let why = match (verdict, experiment.stage(Stage::Validation)) {
        (Verdict::Accepted, _) => "kept".to_owned(),
        (_, Some(_)) => "not kept: it does harm on tasks that you cannot see".to_owned(),
        (Verdict::Invalid, None) if reason.contains(crate::candidate::check::HELD_OUT) => {
            "invalid: it breaks the rules".to_owned()
        }
        (verdict, None) => format!("{verdict}: {}", shortened(reason, 300)),
    };
    let candidate = &experiment.candidate;
    let mut told = format!(
        "- {}: {} [{}; {why}]",
        experiment.id,
        shortened(&candidate.title, 120),
        shortened(&candidate.hypothesis, 300)
    );
    let cards = [experiment.cluster_cases.as_ref(), experiment.regression.as_ref()];
    let names = |of: fn(&Scorecard) -> &Vec<String>| {
        let all: Vec<&str> = cards
            .iter()
            .flatten()
            .flat_map(|card| of(card))
            .map(String::as_str)
            .collect();
        shortened(&all.join(", "), 200)
    };
    let (fixed, broken) = (names(|card| &card.fixed_tasks), names(|card| &card.broken_tasks));
    if !fixed.is_empty() {
        let _ = write!(told, "\n  fixed {fixed}");
    }
    if !broken.is_empty() {
        let _ = write!(told, "\n  broke {broken}");
    }
    if let Some(score) = experiment.prediction().filter(|score| score.predicted > 0) {
        let _ = write!(told, "\n  {score}");
    }
    if *verdict != Verdict::Accepted {
        let changed = candidate.diff.lines().filter(|line| is_changed(line));
        let diff: Vec<&str> = changed.take(12).collect();
        let _ = write!(told, "\n  {}", within(&diff.join("\n  "), 900));
    }
    told
}

fn is_changed(line: &str) -> bool {
    (line.starts_with('+') || line.starts_with('-')) && !line.starts_with("+++") && !line.starts_with("---")
}

fn lessons(lessons: &[String], bytes: usize) -> String {
    if lessons.is_empty() {
        return String::new();
    }
    let told = within(&lessons.join("\n"), bytes);
    format!("\nLearned before:\n{}\n", fenced("lessons", &told))
}

/// The files of the harness: path, size, first line that says something.
fn map(material: &Material<'_>, bytes: usize) -> String {
    let (paths, protect) = material.globs;
    let mut told = format!("\nThe harness is what these globs take in: {}", paths.join(", "));
    if !protect.is_empty() {
        let _ = write!(told, "; but not {}", protect.join(", "));
    }
    let files: Vec<(&str, &str)> = material.harness.files().collect();
    let line = |(path, text): &(&str, &str)| {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("{path} ({} bytes): {}", text.len(), shortened(first, 100))
    };
    let mut lines: Vec<String> = files.iter().take(FILES).map(line).collect();
    if files.len() > FILES {
        lines.push(format!("and {} more", files.len() - FILES));
    }
    let _ = writeln!(told, "\n{}", fenced("files", &within(&lines.join("\n"), bytes)));
    told
}

/// Runs that fail for the cluster's reason, and those that pass and are most like them.
fn runs(material: &Material<'_>, bytes: usize) -> String {
    let own: Vec<&TaskId> = material.cluster.members.values().map(|member| &member.task).collect();
    let told = |example: &&Example<'_>| !example.trace.steps.is_empty();
    let failing: Vec<&Example<'_>> = material
        .base
        .iter()
        .filter(|example| !example.passed && own.contains(&example.task))
        .filter(told)
        .take(2)
        .collect();
    let mut passing: Vec<&Example<'_>> = material
        .base
        .iter()
        .filter(|example| example.passed)
        .filter(told)
        .collect();
    passing.sort_by_key(|example| std::cmp::Reverse(shared(example, &failing)));
    let chosen: Vec<&Example<'_>> = failing.into_iter().chain(passing.into_iter().take(2)).collect();
    if chosen.is_empty() || bytes < 400 {
        return String::new();
    }
    let each = (bytes / chosen.len()).saturating_sub(120);
    let mut text = "\nRuns on the harness as it is:\n".to_owned();
    for example in chosen {
        let became = if example.passed { "passes" } else { "fails" };
        let steps = within(&compact(example.trace, each, &[]), each);
        let _ = writeln!(text, "task {} {became}\n{}", example.task, fenced("run", &steps));
    }
    text
}

/// How many tools a run has in common with others: those of one family call the same ones.
fn shared(example: &Example<'_>, others: &[&Example<'_>]) -> usize {
    let tools = |example: &Example<'_>| -> std::collections::BTreeSet<String> {
        let calls = example.trace.steps.iter().flat_map(|step| &step.tool_calls);
        calls.map(|call| call.name.clone()).collect()
    };
    let wanted: std::collections::BTreeSet<String> = others.iter().flat_map(|other| tools(other)).collect();
    tools(example).intersection(&wanted).count()
}

/// The text cut to so many bytes, and that it was cut.
pub fn within(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub(4);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}\n…", &text[..end])
}

#[cfg(test)]
mod tests;
