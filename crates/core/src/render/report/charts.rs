//! The charts of the report, each in a wide and a narrow form, so that text keeps its size on a phone.

use super::super::svg::{self, Axis, BarChart, Mark, Shape, Size, StepChart};
use super::super::view::ReportView;
use super::super::words;
use super::{accepted, verdict_class};
use crate::candidate::Experiment;
use crate::score::Scorecard;
use serde::Serialize;

const WIDE: Size = Size {
    width: 920,
    height: 340,
};
const NARROW: Size = Size {
    width: 380,
    height: 300,
};
const WIDE_BARS: Size = Size {
    width: 920,
    height: 240,
};
const NARROW_BARS: Size = Size {
    width: 380,
    height: 220,
};

/// SVG text.
#[derive(Debug, Serialize)]
pub(super) struct Charts {
    score_wide: String,
    score_narrow: String,
    suite_wide: String,
    suite_narrow: String,
}

pub(super) fn draw(view: &ReportView) -> Charts {
    let score = score(view);
    let suite = suite(view);
    Charts {
        score_wide: svg::step_chart(&score, WIDE),
        score_narrow: svg::step_chart(&score, NARROW),
        suite_wide: svg::bar_chart(&suite, WIDE_BARS),
        suite_narrow: svg::bar_chart(&suite, NARROW_BARS),
    }
}

fn score(view: &ReportView) -> StepChart {
    let baseline = view.baseline.score().unwrap_or(0.0);
    let latest = view.latest.score().unwrap_or(baseline);
    let mut line = vec![(0.0, baseline)];
    let mut marks = Vec::new();
    for (number, experiment) in (1_u32..).zip(&view.experiments) {
        let measured = experiment.validation.as_ref().and_then(Scorecard::score);
        if let Some(score) = measured.filter(|_| accepted(experiment)) {
            line.push((f64::from(number), score));
        }
        marks.push(mark(f64::from(number), measured, experiment));
    }
    // Accepted marks lie on top.
    marks.sort_by_key(|mark| mark.shape == Shape::Dot);
    let values = line
        .iter()
        .map(|&(_, y)| y)
        .chain(marks.iter().filter_map(|mark| mark.y));
    StepChart {
        label: format!(
            "Validation score over {}: it begins at {} and ends at {}. {} of them were accepted. The table of experiments below has every number.",
            words::count(view.experiments.len(), "experiment"),
            words::score(baseline),
            words::score(latest),
            line.len() - 1
        ),
        x_label: "experiment".to_owned(),
        columns: u32::try_from(view.experiments.len()).unwrap_or(u32::MAX),
        axis: svg::score_axis(values),
        line,
        marks,
        below: "not run",
    }
}

fn mark(x: f64, y: Option<f64>, experiment: &Experiment) -> Mark {
    let shape = match (accepted(experiment), y) {
        (true, _) => Shape::Dot,
        (false, Some(_)) => Shape::Ring,
        (false, None) => Shape::Cross,
    };
    let score = y.map_or_else(
        || "validation not run".to_owned(),
        |score| format!("validation {}", words::score(score)),
    );
    let title = format!(
        "{} {}: {} ({score})",
        experiment.id,
        words::verdict(experiment.verdict.as_ref()),
        experiment.candidate.title
    );
    Mark {
        x,
        y,
        shape,
        class: verdict_class(experiment),
        title,
    }
}

/// How the evidence of an experiment grew with its runs, wide and narrow; empty with fewer than two points.
pub(super) fn course(experiment: &Experiment) -> [String; 2] {
    let (Some(last), true) = (experiment.course.last(), experiment.course.len() > 1) else {
        return [String::new(), String::new()];
    };
    // An e-value has no upper end; as odds it is a part of 1.
    let by_proof = experiment
        .evidence
        .as_ref()
        .is_some_and(|evidence| evidence.e_value.is_some());
    let value = |value: f64| if by_proof { value / (1.0 + value) } else { value };
    let line: Vec<(f64, f64)> = experiment
        .course
        .iter()
        .map(|point| (f64::from(point.runs), value(point.value)))
        .collect();
    let marks = vec![Mark {
        x: f64::from(last.runs),
        y: Some(value(last.value)),
        shape: Shape::Dot,
        class: verdict_class(experiment),
        title: words::verdict(experiment.verdict.as_ref()),
    }];
    let chart = StepChart {
        label: format!(
            "How probable it is that keeping {} is right, over its {}: it ends at {:.2}.",
            experiment.id,
            words::count(last.runs, "run"),
            value(last.value)
        ),
        x_label: "run".to_owned(),
        columns: last.runs,
        axis: Axis {
            min: 0.0,
            max: 1.0,
            step: 0.25,
            decimals: 2,
        },
        line,
        marks,
        below: "",
    };
    [svg::step_chart(&chart, WIDE_BARS), svg::step_chart(&chart, NARROW_BARS)]
}

fn suite(view: &ReportView) -> BarChart {
    let most = view.batches.iter().map(|batch| batch.suite_size).max().unwrap_or(0);
    let last = view.batches.last().map_or(0, |batch| batch.suite_size);
    let bars = view.batches.iter().map(|batch| {
        let title = format!(
            "after batch {}: {}",
            batch.number,
            words::count(batch.suite_size, "case")
        );
        (batch.number.to_string(), f64::from(batch.suite_size), title)
    });
    BarChart {
        label: format!(
            "Cases in the regression suite after each of {} batches: {last} at the end. The table of batches below has every number.",
            view.batches.len()
        ),
        x_label: "batch".to_owned(),
        axis: svg::count_axis(most),
        bars: bars.collect(),
    }
}
