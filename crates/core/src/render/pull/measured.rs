//! What the gates measured, as sections of the pull request: results, pairing, and what had been predicted.

use super::super::evidence;
use super::super::markdown::{escape, inline_code, truncate};
use super::super::view::PullView;
use super::super::words;
use crate::candidate::{Experiment, Said, Stage};
use crate::config::GateMode;

/// Tasks named in a row.
const NAMES: usize = 8;

pub(super) fn gate_results(view: &PullView) -> String {
    let experiment = &view.experiment;
    let strict = view.gate.mode == GateMode::Strict;
    let needed = |strictly: String, otherwise: &str| if strict { strictly } else { otherwise.to_owned() };
    let mut text =
        String::from("## Gate results\n\n| gate | before | after | needed | result |\n|---|---|---|---|---|\n");
    let threshold = format!("≥ {}", words::score(view.gate.regression_threshold));
    text += &gate_row(experiment, Stage::Regression, &needed(threshold, "no case breaks"));
    let best = format!("≥ {} (best seen)", words::score(experiment.best_before));
    text += &gate_row(experiment, Stage::Validation, &needed(best, "better on the whole"));
    if let Some((verdict, reason)) = experiment.verdict.as_ref().filter(|_| !strict) {
        text += &format!("\nThe verdict is **{verdict}**: {}.\n", escape(&truncate(reason, 400)));
    }
    let table = evidence::table(experiment);
    if !table.is_empty() {
        text += &format!("\n{table}");
    }
    text += &trend(&view.history);
    text
}

fn gate_row(experiment: &Experiment, stage: Stage, needed: &str) -> String {
    let card = experiment.stage(stage);
    let before = card.and_then(words::before).filter(|before| before.total() > 0);
    let before = before.map_or_else(|| "–".to_owned(), |before| words::result(&before));
    let after = card.map_or_else(|| "not run".to_owned(), words::result);
    let nothing = card.is_none_or(|card| card.total() == 0);
    let result = match experiment.said(stage) {
        _ if nothing => "not measured",
        Said::Passed => "passed",
        Said::Failed => "**failed**",
        Said::Undecided | Said::NotRun => "incomplete",
    };
    format!("| {stage} | {before} | {after} | {needed} | {result} |\n")
}

/// The validation score over the accepted changes, as a chart that GitHub draws; nothing when there is only one point.
fn trend(history: &[f64]) -> String {
    if history.len() < 2 {
        return String::new();
    }
    let labels: Vec<String> = (0..history.len())
        .map(|index| {
            if index == 0 {
                "start".to_owned()
            } else {
                index.to_string()
            }
        })
        .collect();
    let points: Vec<String> = history.iter().map(|&value| words::score(value)).collect();
    format!(
        "\n```mermaid\nxychart-beta\n    title \"Validation score over accepted changes\"\n    x-axis [{}]\n    y-axis \"score\" 0 --> 1\n    line [{}]\n```",
        labels.join(", "),
        points.join(", ")
    )
}

pub(super) fn paired(experiment: &Experiment) -> String {
    let stages = [
        (Stage::Cluster, &experiment.cluster_cases),
        (Stage::Regression, &experiment.regression),
        (Stage::Validation, &experiment.validation),
    ];
    let mut rows = String::new();
    let mut names = String::new();
    for (stage, card) in stages {
        let Some(card) = card else { continue };
        rows += &format!(
            "| {stage} | {} | {} | {} | {} | {} |\n",
            card.fixed,
            card.broken,
            words::unchanged(card),
            card.wavering,
            card.errored
        );
        if stage != Stage::Validation {
            names += &named(stage, "fixed", &card.fixed_tasks);
            names += &named(stage, "broken", &card.broken_tasks);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    if !names.is_empty() {
        names.push('\n');
    }
    format!(
        "## Fixed, broken, unchanged\n\nEvery task is compared with what the harness before this change did on it.\n\n\
         | | fixed | broken | unchanged | wavering | no verdict |\n|---|---:|---:|---:|---:|---:|\n{rows}{names}\n\
         The validation tasks are held out: only these counts leave the gate."
    )
}

fn named(stage: Stage, what: &str, tasks: &[String]) -> String {
    if tasks.is_empty() {
        String::new()
    } else {
        format!("\n- {stage}, {what}: {}", codes(tasks))
    }
}

/// Task names as code, the first few of them.
fn codes(tasks: &[String]) -> String {
    let codes: Vec<String> = tasks.iter().map(|task| inline_code(&truncate(task, 120))).collect();
    words::list(&codes, NAMES)
}

pub(super) fn prediction(experiment: &Experiment) -> String {
    let predicted = &experiment.candidate.predicted;
    let Some(score) = experiment.prediction().filter(|score| score.predicted > 0) else {
        return String::new();
    };
    let fixed = experiment.fixed_tasks();
    let misses: Vec<String> = predicted
        .iter()
        .map(|task| task.as_str().to_owned())
        .filter(|task| !fixed.contains(task.as_str()))
        .collect();
    let unforeseen = fixed
        .iter()
        .filter(|task| predicted.iter().all(|wanted| wanted.as_str() != **task));
    let bonus: Vec<String> = unforeseen.map(|task| (*task).to_owned()).collect();
    let mut text = format!("## Predicted, and what happened\n\n{score}.\n");
    if !misses.is_empty() {
        text += &format!("\n- predicted, but not fixed: {}", codes(&misses));
        let gone = experiment.cluster_cases.as_ref();
        if let Some(card) = gone.filter(|card| card.mechanism_gone > card.fixed) {
            let more = u64::from(card.mechanism_gone - card.fixed);
            text += &format!(
                " (in {} the targeted mechanism is gone, but the task fails for another reason)",
                words::count(more, "trace")
            );
        }
    }
    if !bonus.is_empty() {
        text += &format!("\n- fixed without being predicted: {}", codes(&bonus));
    }
    text.trim_end().to_owned()
}
