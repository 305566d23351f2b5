//! The pull request of an accepted change: what failed, why, what was changed, and the evidence.

mod measured;

use super::markdown::{LONGEST, Markdown, cell_code, escape, fence, inline_code, marker, plain, truncate};
use super::view::PullView;
use super::words;
use crate::candidate::{Experiment, Verdict};
use crate::case::EvalCase;
use crate::failure::RootCause;
use crate::id::TaskId;
use measured::{gate_results, paired, prediction};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// More lines of a diff than this help no reader of a description.
const DIFF_LINES: usize = 300;
/// Bytes of the diff in a description.
const DIFF_BYTES: usize = 16_000;
/// Bytes after which a list of attempts or cases stops and says how many are left.
const LIST_BYTES: usize = 10_000;

/// A pull request as GitHub is asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// One line of plain text.
    pub title: String,
    /// What is said of it.
    pub body: Markdown,
    /// The branch with the change.
    pub head: String,
    /// The branch it is for.
    pub base: String,
    /// Always: a person decides.
    pub draft: bool,
    /// Set after it is opened.
    pub labels: Vec<String>,
}

/// The pull request of an experiment.
pub fn pull_request(view: &PullView) -> PullRequest {
    PullRequest {
        title: truncate(&plain(&view.experiment.candidate.title), 100),
        body: bounded_body(view),
        head: view.head.clone(),
        base: view.base.clone(),
        draft: true,
        labels: vec!["sprag".to_owned()],
    }
}

/// Everything but the diff is bounded by construction, so leaving the diff out is always enough.
fn bounded_body(view: &PullView) -> Markdown {
    let whole = body(view, DIFF_BYTES);
    Markdown::new(if whole.chars().count() <= LONGEST {
        whole
    } else {
        body(view, 0)
    })
}

fn body(view: &PullView, diff_bytes: usize) -> String {
    let experiment = &view.experiment;
    let identity = [
        ("cluster", view.cluster.id.as_str()),
        ("experiment", experiment.id.as_str()),
    ];
    // What only takes something out is about no failure.
    let mends = experiment.candidate.removes.is_none();
    let if_mends = |section: fn(&PullView) -> String| if mends { section(view) } else { String::new() };
    let sections = [
        marker("pull", &identity),
        in_short(view),
        if_mends(what_failed),
        if_mends(root_cause),
        the_change(view, diff_bytes),
        gate_results(view),
        paired(experiment),
        prediction(experiment),
        if_mends(attempts),
        if_mends(rejections),
        new_cases(view),
        review(view),
        footer(view),
    ];
    let mut body = sections
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n");
    body.push('\n');
    body
}

fn accepted(view: &PullView) -> bool {
    view.experiment
        .verdict
        .as_ref()
        .is_some_and(|(verdict, _)| *verdict == Verdict::Accepted)
}

fn in_short(view: &PullView) -> String {
    let experiment = &view.experiment;
    let cluster = &view.cluster;
    let seen = match &experiment.candidate.removes {
        Some(removed) => format!(
            "**What {} added is no longer needed**: the cases that it had fixed and the regression suite pass without it.",
            escape(removed.as_str())
        ),
        None => format!(
            "**{}** failed {} {}.",
            title_of(&cluster.title),
            times(cluster.total_failures()),
            words::batches_of(cluster)
        ),
    };
    let Some((verdict, reason)) = experiment.verdict.as_ref().filter(|_| !accepted(view)) else {
        return format!("{seen} {}", effect(experiment));
    };
    format!(
        "> [!WARNING]\n> This change did not pass its gates ({verdict}: {}). It is here to be looked at, not to be merged.\n\n{seen}",
        escape(&truncate(reason, 300))
    )
}

fn effect(experiment: &Experiment) -> String {
    let mut sentence = String::from("This change");
    let fixed = experiment.cluster_cases.as_ref().filter(|card| card.total() > 0);
    if let Some(card) = fixed {
        sentence += &match (card.fixed, card.total()) {
            (1, 1) => " fixes the case it was tried on".to_owned(),
            (fixed, total) => format!(" fixes {fixed} of the {} it was tried on", words::count(total, "case")),
        };
    }
    let scores = experiment
        .validation
        .as_ref()
        .and_then(|card| Some((words::before(card)?.score()?, card.score()?)));
    if let Some((before, after)) = scores {
        let and = if fixed.is_some() { " and" } else { "" };
        let (from, to) = (words::score(before), words::score(after));
        sentence += &match after.total_cmp(&before) {
            Ordering::Greater => format!("{and} raises the held-out validation score from {from} to {to}"),
            Ordering::Less => format!("{and} lowers the held-out validation score from {from} to {to}"),
            Ordering::Equal => format!("{and} keeps the held-out validation score at {to}"),
        };
    } else if fixed.is_none() {
        sentence += " has not been measured";
    }
    sentence + "."
}

fn times(n: usize) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => words::count(n, "time"),
    }
}

fn title_of(text: &str) -> String {
    escape(&truncate(text, 160))
}

fn what_failed(view: &PullView) -> String {
    let cluster = &view.cluster;
    let tasks: BTreeSet<&TaskId> = cluster.members.values().map(|member| &member.task).collect();
    let mut text = format!(
        "## What failed\n\nCluster {}: {} on {} {}; {} resolved with it.",
        inline_code(cluster.id.as_str()),
        words::count(cluster.total_failures(), "failure"),
        words::count(tasks.len(), "task"),
        words::batches_of(cluster),
        cluster.resolved(),
    );
    if let Some(example) = &view.example {
        text += &format!(
            "\n\nAn example, task {}:\n",
            inline_code(&truncate(example.task.as_str(), 120))
        );
        if !example.context.is_empty() {
            text += &format!("\n- **Asked:** {}", escape(&truncate(&example.context, 300)));
        }
        if !example.behaviour.is_empty() {
            text += &format!("\n- **Did:** {}", escape(&truncate(&example.behaviour, 300)));
        }
        if let Some(cause) = shown_cause(view) {
            text += &evidence(cause);
        }
    }
    text
}

/// The cause that made the example join the cluster, else its likeliest.
fn shown_cause(view: &PullView) -> Option<&RootCause> {
    let causes = &view.example.as_ref()?.causes;
    causes
        .iter()
        .find(|cause| cause.mechanism == view.cluster.mechanism)
        .or_else(|| causes.first())
}

/// The quotes of a cause as list items, each with the step it stands at.
pub(super) fn evidence(cause: &RootCause) -> String {
    let mut text = String::new();
    for item in cause.evidence.iter().take(3) {
        let place = item
            .step
            .map_or_else(|| "Outcome".to_owned(), |step| format!("Step {step}"));
        text += &format!("\n- **{place}:** {}", inline_code(&truncate(&item.quote, 240)));
    }
    text
}

fn root_cause(view: &PullView) -> String {
    let mut text = format!(
        "## Root cause\n\nMechanism {}.",
        inline_code(&view.cluster.mechanism.to_string())
    );
    if let Some(cause) = shown_cause(view) {
        text += &format!(" {}", sentence(&cause.finding));
        if !cause.should.is_empty() {
            text += &format!("\n\n**What should have been done:** {}", sentence(&cause.should));
        }
    }
    text
}

/// Untrusted text as a sentence: escaped, and with an end.
pub(super) fn sentence(text: &str) -> String {
    let text = escape(&truncate(text, 600));
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) {
        text
    } else {
        format!("{text}.")
    }
}

fn the_change(view: &PullView, diff_bytes: usize) -> String {
    let candidate = &view.experiment.candidate;
    let (diff, note) = cut_diff(&candidate.diff, diff_bytes);
    format!(
        "## The change, and why\n\n{}\n\n{}{note}\n\nProposed by {}.",
        sentence(&candidate.hypothesis),
        fence(&diff, "diff").trim_end(),
        inline_code(&truncate(&candidate.origin, 160))
    )
}

/// The diff as far as a reader wants it in a description, and a note when that is not all.
fn cut_diff(diff: &str, bytes: usize) -> (String, String) {
    let total = diff.lines().count();
    let mut shown = String::new();
    let mut lines = 0;
    for line in diff.lines() {
        if lines == DIFF_LINES || shown.len() + line.len() > bytes {
            break;
        }
        shown.push_str(line);
        shown.push('\n');
        lines += 1;
    }
    let note = format!("\n\nCut after {lines} of {total} lines: the rest is under *Files changed*.");
    (shown, if lines < total { note } else { String::new() })
}

fn attempts(view: &PullView) -> String {
    let spent: u64 = view.experiment.task_runs + view.attempts.iter().map(|attempt| attempt.task_runs).sum::<u64>();
    let mut text = format!(
        "## Cost\n\n{} for this experiment, {} for all {} on this cluster. \
         Recorded results are used again and not counted; time is left out, so that the same run gives the same text.",
        words::count(view.experiment.task_runs, "task run"),
        words::thousands(spent),
        words::count(view.attempts.len() + 1, "experiment"),
    );
    if view.attempts.is_empty() {
        return text;
    }
    text += &format!(
        "\n\n<details>\n<summary>Tried on this cluster and not accepted: {}</summary>\n\n\
         | experiment | change | validation | verdict | why |\n|---|---|---|---|---|\n",
        view.attempts.len()
    );
    text += &rows(&view.attempts, attempt_row, |left| {
        format!(
            "
{left} more are in the report.\n"
        )
    });
    text + "
</details>"
}

fn attempt_row(attempt: &Experiment) -> String {
    let reason = attempt.verdict.as_ref().map_or("", |(_, reason)| reason);
    format!(
        "| {} | {} | {} | {} | {} |\n",
        cell_code(attempt.id.as_str()),
        title_of(&attempt.candidate.title),
        attempt
            .validation
            .as_ref()
            .map_or_else(|| "not run".to_owned(), words::result),
        words::verdict(attempt.verdict.as_ref()),
        escape(&truncate(reason, 240)),
    )
}

/// What people said of earlier changes for this cluster.
fn rejections(view: &PullView) -> String {
    if view.rejections.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "## Closed before\n\nEarlier changes for this cluster that were not wanted; this one is another:\n\n",
    );
    for rejection in view.rejections.iter().take(20) {
        let reasons: Vec<String> = rejection.reasons.iter().map(|reason| sentence(reason)).collect();
        let reasons = if reasons.is_empty() {
            "no reason was given".to_owned()
        } else {
            reasons.join(" ")
        };
        text += &format!("- #{}: {reasons}\n", rejection.pull);
    }
    text.trim_end().to_owned()
}

fn new_cases(view: &PullView) -> String {
    if view.new_cases.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "## New regression cases\n\n{} with the merge, and must keep passing from then on:\n\n",
        if view.new_cases.len() == 1 {
            "This case joins the suite".to_owned()
        } else {
            format!("These {} cases join the suite", view.new_cases.len())
        }
    );
    text += &rows(&view.new_cases, case_row, |left| {
        format!("- and {left} more under *Files changed*\n")
    });
    text.trim_end().to_owned()
}

fn case_row(case: &EvalCase) -> String {
    let flake = case.flake;
    format!(
        "- {}: {} (failed {} of {} before, passed {} of {} since)\n",
        inline_code(case.id.as_str()),
        title_of(&case.title),
        flake.fails_before,
        words::count(flake.runs_before, "run"),
        flake.passes_after,
        flake.runs_after,
    )
}

/// As many rows as fit, and what to say of those that do not.
fn rows<T>(items: &[T], row: impl Fn(&T) -> String, more: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let row = row(item);
        if text.len() + row.len() > LIST_BYTES {
            return text + &more(items.len() - index);
        }
        text += &row;
    }
    text
}

fn review(view: &PullView) -> String {
    let mut text = String::from(
        "## How to review\n\n\
         1. Read the diff: is it something a person on your team would have written, and is it general rather than made for these tasks?\n\
         2. Look at what broke, if anything did, and decide whether it is worth it.\n\
         3. Merge, or close with a comment `/sprag reject <reason>`. The reason is remembered and steers the next proposals.\n\n",
    );
    if view.experiment.candidate.removes.is_some() {
        return text + "**On merge** the regression suite stays as it is, and goes on guarding what was fixed.";
    }
    text += "**On merge** the new cases join the regression suite for good, ";
    text += &resolution(view);
    text += if view.issues.is_empty() {
        "."
    } else {
        ", and the issues below are closed."
    };
    text += " If it fails again later, it reopens and says so.";
    if view.learnings {
        text += "\n\n`.sprag/learnings.md` comes with the change: what was tried and what came of it, for the next proposals. Edit it as you like.";
    }
    let issues = issues(view);
    if !issues.is_empty() {
        text += "\n\n";
        text += &issues;
    }
    text
}

fn resolution(view: &PullView) -> String {
    match view.experiment.cluster_cases.as_ref().map_or(0, |card| card.failed) {
        0 => "the cluster is marked resolved".to_owned(),
        left => format!(
            "the failures that it fixes are marked resolved ({} of the cluster left)",
            words::count(left, "case")
        ),
    }
}

/// Only a change that passed may close an issue, and only one of which nothing else is left.
fn issues(view: &PullView) -> String {
    let keyword = if accepted(view) { "Closes" } else { "Reported in" };
    let settled = view.issues.iter().map(|number| format!("{keyword} #{number}"));
    let left = view.issues_left.iter().map(|number| match accepted(view) {
        true => format!("Reported in #{number}, which stays open: it reports something else too"),
        false => format!("Reported in #{number}"),
    });
    settled.chain(left).collect::<Vec<_>>().join("\n")
}

fn footer(view: &PullView) -> String {
    format!(
        "---\n\n<sub>Measured by sprag as experiment {} of batch {}, gate mode `{}`. {} The model was not changed.{}</sub>",
        inline_code(view.experiment.id.as_str()),
        view.experiment.batch,
        words::gate_mode(view.gate.mode),
        words::gate_caveat(view.gate.mode),
        // The tier of a sandbox is on the check runs; that there was none must be seen here too.
        if view.gate.sandbox == "none" {
            words::sandbox("none")
        } else {
            String::new()
        }
    )
}

#[cfg(test)]
mod tests;

impl PullRequest {
    /// The whole as one Markdown page, for a reader without GitHub.
    pub fn page(&self) -> String {
        format!("# {}\n\n{}", self.title, self.body)
    }
}
