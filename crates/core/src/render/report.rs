//! The report of a run: one HTML file that needs nothing else, no network and no script.
//!
//! This module only chooses and words what stands on the page; how it looks is in `templates/`. The template escapes every value,
//! except the charts, which [`super::svg`] has escaped.

mod charts;

use super::evidence;
use super::markdown::{truncate, visible};
use super::suite;
use super::svg;
use super::view::{BatchView, ReportView};
use super::words;
use crate::candidate::{Experiment, Prediction, Stage, Verdict};
use crate::case::{CaseState, EvalCase};
use crate::cluster::{Cluster, ClusterState};
use crate::config::GateMode;
use crate::id::ClusterId;
use crate::score::Scorecard;
use charts::Charts;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("templates/report.html");
const STYLE: &str = include_str!("templates/report.css");

/// The report as a whole HTML document.
pub fn report(view: &ReportView) -> String {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the usual delimiters are valid");
    environment.set_syntax(syntax);
    environment.add_filter("prose", prose);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
        .add_template("report.css", STYLE)
        .expect("the style sheet is a valid template");
    environment
        .add_template("report.html", TEMPLATE)
        .expect("the template is valid");
    let template = environment
        .get_template("report.html")
        .expect("the template was just added");
    template
        .render(Serde(page(view)))
        .expect("the template asks for nothing the page lacks")
}

/// A text as HTML: escaped, and what stands between backticks as code.
fn prose(text: &str) -> Value {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return Value::from_safe_string(svg::escape(text));
    }
    let html = pieces.iter().enumerate().map(|(index, piece)| {
        let piece = svg::escape(piece);
        if index.is_multiple_of(2) {
            piece
        } else {
            format!("<code>{piece}</code>")
        }
    });
    Value::from_safe_string(html.collect())
}

/// What the template shows.
#[derive(Debug, Serialize)]
struct Page {
    name: String,
    lead: String,
    before: String,
    after: String,
    gain: String,
    tiles: Vec<Tile>,
    gate: String,
    charts: Charts,
    clusters: Vec<ClusterRow>,
    kinds: Vec<Tile>,
    batches: Vec<BatchView>,
    experiments: Vec<ExperimentRow>,
    cases: Vec<CaseRow>,
    provenance: Vec<Tile>,
}

/// A number with its name.
#[derive(Debug, Serialize)]
struct Tile {
    label: String,
    value: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct ClusterRow {
    title: String,
    mechanism: String,
    total: usize,
    resolved: usize,
    percent: String,
    state: &'static str,
    class: &'static str,
    seen: String,
}

#[derive(Debug, Serialize)]
struct ExperimentRow {
    id: String,
    batch: u32,
    title: String,
    verdict: String,
    class: &'static str,
    validation: String,
    reason: String,
    hypothesis: String,
    cluster: String,
    origin: String,
    task_runs: String,
    stages: Vec<StageRow>,
    evidence: Vec<Tile>,
    /// SVG text; empty where there is nothing to draw.
    course_wide: String,
    course_narrow: String,
    named: Vec<Tile>,
    diff: Vec<DiffLine>,
}

#[derive(Debug, Serialize)]
struct StageRow {
    name: String,
    result: String,
    needed: String,
    /// Fixed, broken, unchanged, wavering, without a verdict; empty when the stage was not run.
    counts: Vec<u32>,
}

#[derive(Debug, Serialize)]
struct DiffLine {
    class: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct CaseRow {
    id: String,
    title: String,
    task: String,
    fixed_by: String,
    history: String,
    rate: String,
    badge: &'static str,
    note: String,
}

fn page(view: &ReportView) -> Page {
    let titles: BTreeMap<&ClusterId, &str> = view
        .clusters
        .iter()
        .map(|cluster| (&cluster.id, cluster.title.as_str()))
        .collect();
    Page {
        name: visible(&view.name),
        lead: lead(view),
        before: view.baseline.score().map_or_else(|| "–".to_owned(), words::score),
        after: view.latest.score().map_or_else(|| "–".to_owned(), words::score),
        gain: gain(&view.baseline, &view.latest),
        tiles: tiles(view),
        gate: match view.gate.mode {
            GateMode::Strict => format!(
                "Gate mode strict: the regression suite must reach {}. {}",
                words::score(view.gate.regression_threshold),
                words::gate_caveat(view.gate.mode)
            ),
            mode => format!("Gate mode {}. {}", words::gate_mode(mode), words::gate_caveat(mode)),
        },
        charts: charts::draw(view),
        clusters: view.clusters.iter().map(cluster_row).collect(),
        kinds: view
            .failure_kinds
            .iter()
            .map(|(kind, n)| tile(&kind.to_string(), words::thousands(*n), ""))
            .collect(),
        batches: view
            .batches
            .iter()
            .map(|batch| BatchView {
                done: visible(&batch.done),
                ..batch.clone()
            })
            .collect(),
        experiments: view
            .experiments
            .iter()
            .map(|experiment| experiment_row(view, experiment, &titles))
            .collect(),
        cases: view.cases.iter().map(case_row).collect(),
        provenance: provenance(view),
    }
}

fn tile(label: &str, value: impl Into<String>, note: &str) -> Tile {
    Tile {
        label: label.to_owned(),
        value: value.into(),
        note: note.to_owned(),
    }
}

pub(super) fn accepted(experiment: &Experiment) -> bool {
    matches!(experiment.verdict, Some((Verdict::Accepted, _)))
}

fn lead(view: &ReportView) -> String {
    let kept = view
        .experiments
        .iter()
        .filter(|experiment| accepted(experiment))
        .count();
    let mut text = format!(
        "In {} of traffic, {} of the harness {} tried and {kept} kept.",
        words::count(view.batches.len(), "batch").replace("batchs", "batches"),
        words::count(view.experiments.len(), "change"),
        if view.experiments.len() == 1 { "was" } else { "were" },
    );
    if view.baseline.score().is_some() && view.latest.score().is_some() {
        text += &format!(
            " Of {} the agent solved {} at first, and {} now. The model was not changed.",
            words::count(view.latest.total(), "held-out task"),
            view.baseline.passed,
            view.latest.passed
        );
    }
    text
}

fn gain(baseline: &Scorecard, latest: &Scorecard) -> String {
    let points = baseline
        .score()
        .zip(latest.score())
        .map(|(before, after)| (after - before) * 100.0);
    points.map_or_else(|| "not measured".to_owned(), |points| format!("{points:+.1} points"))
}

fn tiles(view: &ReportView) -> Vec<Tile> {
    let kept = view
        .experiments
        .iter()
        .filter(|experiment| accepted(experiment))
        .count();
    let suite = view
        .cases
        .iter()
        .filter(|case| case.state == CaseState::Promoted)
        .count();
    let aside = view.cases.iter().filter(|case| suite::badge(case).is_some()).count();
    let resolved = view
        .clusters
        .iter()
        .filter(|cluster| cluster.state == ClusterState::Resolved)
        .count();
    let failures: u32 = view.batches.iter().map(|batch| batch.failed).sum();
    let traffic: u32 = view.batches.iter().map(|batch| batch.tasks).sum();
    let mut tiles = vec![
        tile(
            "Changes accepted",
            kept.to_string(),
            &format!("of {}", words::count(view.experiments.len(), "experiment")),
        ),
        tile(
            "Regression suite",
            suite.to_string(),
            &format!("cases, {aside} not counted"),
        ),
        tile(
            "Clusters resolved",
            resolved.to_string(),
            &format!("of {} found", view.clusters.len()),
        ),
        tile("Batches", view.batches.len().to_string(), "of traffic"),
        tile(
            "Held-out set asked",
            view.asked.queries.to_string(),
            &format!(
                "times, {}",
                words::optimism(view.asked, view.baseline.total().max(view.latest.total()))
            ),
        ),
        tile(
            "Traffic",
            words::thousands(traffic.into()),
            &format!("tasks, {failures} failed"),
        ),
        tile(
            "Task runs",
            words::thousands(view.task_runs),
            "recorded results not counted",
        ),
    ];
    if let Some(all) = Prediction::of(&view.experiments) {
        tiles.push(tile(
            "Predicted fixes",
            format!("{} of {}", all.came_true, all.predicted),
            &format!(
                "came true; {} of {} fixed tasks had been predicted",
                all.came_true, all.fixed
            ),
        ));
    }
    tiles
}

fn cluster_row(cluster: &Cluster) -> ClusterRow {
    ClusterRow {
        title: visible(&cluster.title),
        mechanism: visible(&cluster.mechanism.to_string()),
        total: cluster.total_failures(),
        resolved: cluster.resolved(),
        percent: format!("{:.0}", cluster.resolution_rate() * 100.0),
        state: words::cluster_state(cluster.state),
        class: match cluster.state {
            ClusterState::Resolved => "good",
            ClusterState::Reopened => "bad",
            ClusterState::InProgress => "busy",
            ClusterState::Open | ClusterState::Ignored => "plain",
        },
        seen: words::batches_of(cluster),
    }
}

fn experiment_row(view: &ReportView, experiment: &Experiment, titles: &BTreeMap<&ClusterId, &str>) -> ExperimentRow {
    let candidate = &experiment.candidate;
    let [course_wide, course_narrow] = charts::course(experiment);
    ExperimentRow {
        id: visible(experiment.id.as_str()),
        batch: experiment.batch,
        title: visible(&candidate.title),
        verdict: words::verdict(experiment.verdict.as_ref()),
        class: verdict_class(experiment),
        validation: experiment
            .validation
            .as_ref()
            .and_then(Scorecard::score)
            .map_or_else(String::new, words::score),
        reason: experiment
            .verdict
            .as_ref()
            .map_or_else(String::new, |(_, reason)| visible(reason)),
        hypothesis: visible(&candidate.hypothesis),
        cluster: visible(
            titles
                .get(&candidate.cluster)
                .copied()
                .unwrap_or(candidate.cluster.as_str()),
        ),
        origin: visible(&candidate.origin),
        task_runs: words::count(experiment.task_runs, "task run"),
        stages: stages(view, experiment),
        evidence: evidence::rows(experiment)
            .into_iter()
            .map(|(name, value)| tile(name, value, ""))
            .collect(),
        course_wide,
        course_narrow,
        named: named(experiment),
        diff: diff_lines(&candidate.diff),
    }
}

pub(super) fn verdict_class(experiment: &Experiment) -> &'static str {
    match experiment.verdict.as_ref().map(|(verdict, _)| verdict) {
        Some(Verdict::Accepted) => "accepted",
        Some(Verdict::Rejected) => "rejected",
        Some(Verdict::Indecisive | Verdict::Invalid) | None => "undecided",
    }
}

fn stages(view: &ReportView, experiment: &Experiment) -> Vec<StageRow> {
    let (threshold, best) = match view.gate.mode {
        GateMode::Strict => (
            format!("≥ {}", words::score(view.gate.regression_threshold)),
            format!("≥ {}", words::score(experiment.best_before)),
        ),
        GateMode::Efficient | GateMode::Assured => ("none breaks".to_owned(), "better".to_owned()),
    };
    [
        (Stage::Cluster, &experiment.cluster_cases, "–".to_owned()),
        (Stage::Regression, &experiment.regression, threshold),
        (Stage::Validation, &experiment.validation, best),
    ]
    .into_iter()
    .map(|(stage, card, needed)| StageRow {
        name: stage.to_string(),
        result: card.as_ref().map_or_else(|| "not run".to_owned(), words::result),
        needed,
        counts: card.as_ref().map_or_else(Vec::new, |card| {
            vec![
                card.fixed,
                card.broken,
                words::unchanged(card),
                card.wavering,
                card.errored,
            ]
        }),
    })
    .collect()
}

/// The tasks that changed, by name, and how the prediction came out. Never a task of the validation set.
fn named(experiment: &Experiment) -> Vec<Tile> {
    let mut named = Vec::new();
    for (stage, card) in [
        (Stage::Cluster, &experiment.cluster_cases),
        (Stage::Regression, &experiment.regression),
    ] {
        let Some(card) = card else { continue };
        for (what, tasks) in [("fixed", &card.fixed_tasks), ("broken", &card.broken_tasks)] {
            if !tasks.is_empty() {
                let tasks: Vec<String> = tasks.iter().map(|task| truncate(&visible(task), 100)).collect();
                named.push(tile(&format!("{stage}, {what}"), words::list(&tasks, 12), ""));
            }
        }
    }
    if let Some(score) = experiment.prediction().filter(|score| score.predicted > 0) {
        named.push(tile("Prediction", score.to_string(), ""));
    }
    named
}

fn diff_lines(diff: &str) -> Vec<DiffLine> {
    let lines: Vec<&str> = diff.lines().collect();
    let is_head = |index: usize| lines.get(index + 2).is_some_and(|line| line.starts_with("@@"));
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let class = match line.as_bytes().first() {
                Some(b'-') if line.starts_with("--- ") && is_head(index) => "file",
                Some(b'+') if index > 0 && line.starts_with("+++ ") && is_head(index - 1) => "file",
                Some(b'+') => "add",
                Some(b'-') => "del",
                Some(b'@') => "hunk",
                _ => "same",
            };
            DiffLine {
                class,
                text: visible(line),
            }
        })
        .collect()
}

fn case_row(case: &EvalCase) -> CaseRow {
    let flake = case.flake;
    CaseRow {
        id: visible(case.id.as_str()),
        title: visible(&case.title),
        task: visible(case.task.as_str()),
        fixed_by: case
            .fixed_by
            .as_ref()
            .map_or_else(|| "–".to_owned(), |experiment| visible(experiment.as_str())),
        history: format!("failed {} of {}", flake.fails_before, flake.runs_before),
        rate: suite::rate(flake),
        badge: suite::badge(case).unwrap_or_default(),
        note: case.note.as_deref().map(visible).unwrap_or_default(),
    }
}

fn provenance(view: &ReportView) -> Vec<Tile> {
    let from = &view.provenance;
    vec![
        tile("sprag", visible(&from.version), ""),
        tile("Configuration", visible(&from.config_digest), ""),
        tile("Seed", from.seed.to_string(), ""),
        tile("Ledger head", visible(&from.ledger_head), ""),
        tile("Sandbox", view.gate.sandbox.to_owned(), ""),
    ]
}

#[cfg(test)]
mod tests;
