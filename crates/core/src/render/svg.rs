//! Small charts as inline SVG: a step line with marks, and bars. Colours come from the classes of the page's style sheet,
//! so that one chart serves light, dark and paper.

use super::markdown::visible;
use std::fmt::Write;

/// The size of a chart in its own units; text is 12 of them high, so a narrow chart is for a narrow screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// The vertical axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// The value at the bottom.
    pub min: f64,
    /// The value at the top.
    pub max: f64,
    /// The distance of two grid lines.
    pub step: f64,
    /// Decimals of the numbers at the grid lines.
    pub decimals: usize,
}

/// What a mark looks like, apart from its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A filled circle.
    Dot,
    /// An open circle.
    Ring,
    /// A cross.
    Cross,
}

/// One mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// From 0 to the chart's `columns`.
    pub x: f64,
    /// The value; `None` puts it under the axis: nothing was measured.
    pub y: Option<f64>,
    /// What it looks like.
    pub shape: Shape,
    /// The class that colours it.
    pub class: &'static str,
    /// What a pointer shows.
    pub title: String,
}

/// A step line with marks: a value that holds until it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct StepChart {
    /// What it is, for those who do not see it.
    pub label: String,
    /// What stands under the horizontal axis.
    pub x_label: String,
    /// How far the horizontal axis goes, from 0.
    pub columns: u32,
    /// The vertical axis.
    pub axis: Axis,
    /// The line: from each `x` on, the value `y`.
    pub line: Vec<(f64, f64)>,
    /// The marks, drawn in this order.
    pub marks: Vec<Mark>,
    /// The name of the row of marks under the axis.
    pub below: &'static str,
}

/// Bars, one a column.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// What it is, for those who do not see it.
    pub label: String,
    /// What stands under the horizontal axis.
    pub x_label: String,
    /// The vertical axis.
    pub axis: Axis,
    /// The bars: name under the axis, value, and what a pointer shows.
    pub bars: Vec<(String, f64, String)>,
}

const LEFT: f64 = 54.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// The height of the row of marks under the axis.
const LANE: f64 = 24.0;

/// Where values are on the paper.
struct Frame {
    right: f64,
    bottom: f64,
    columns: f64,
    axis: Axis,
}

impl Frame {
    fn new(size: Size, columns: u32, axis: Axis, lane: f64) -> Self {
        Self {
            right: f64::from(size.width) - RIGHT,
            bottom: f64::from(size.height) - BOTTOM - lane,
            columns: f64::from(columns.max(1)),
            axis,
        }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (self.right - LEFT) * value / self.columns
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.axis.min) / (self.axis.max - self.axis.min);
        self.bottom - (self.bottom - TOP) * share.clamp(0.0, 1.0)
    }

    /// Grid lines with their numbers.
    fn grid(&self) -> String {
        let mut out = String::new();
        for index in 0_u32.. {
            let value = self.axis.min + self.axis.step * f64::from(index);
            if value > self.axis.max + self.axis.step / 2.0 {
                break;
            }
            let y = self.y(value);
            line(
                &mut out,
                if index == 0 { "axis" } else { "grid" },
                (LEFT, y),
                (self.right, y),
            );
            let number = format!("{value:.*}", self.axis.decimals);
            text(&mut out, "end", LEFT - 8.0, y + 4.0, &number);
        }
        out
    }
}

/// A round axis around some values from 0 to 1, never flatter than 0.2.
pub fn score_axis(values: impl IntoIterator<Item = f64>) -> Axis {
    let (low, high) = values.into_iter().fold((1.0_f64, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let mut min = (low * 10.0 - 0.5).floor().max(0.0) / 10.0;
    let mut max = (high * 10.0 + 0.5).ceil().min(10.0) / 10.0;
    if max - min < 0.2 {
        (min, max) = if max >= 0.5 {
            ((max - 0.2).max(0.0), max)
        } else {
            (min.max(0.0), min.max(0.0) + 0.2)
        };
    }
    Axis {
        min,
        max,
        step: 0.1,
        decimals: 1,
    }
}

/// An axis from 0 for counts, with about five grid lines.
pub fn count_axis(most: u32) -> Axis {
    let mut step = 1_u32;
    for factor in [2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000] {
        if most <= step * 5 {
            break;
        }
        step = factor;
    }
    Axis {
        min: 0.0,
        max: f64::from(most.div_ceil(step).max(1) * step),
        step: f64::from(step),
        decimals: 0,
    }
}

/// Draws a step chart.
pub fn step_chart(chart: &StepChart, size: Size) -> String {
    let lane = if chart.marks.iter().any(|mark| mark.y.is_none()) {
        LANE
    } else {
        0.0
    };
    let frame = Frame::new(size, chart.columns, chart.axis, lane);
    let mut out = open(size, &chart.label);
    out += &frame.grid();
    if lane > 0.0 {
        let y = frame.bottom + lane;
        let _ = write!(
            out,
            r#"<rect class="lane" x="{LEFT}" y="{:.1}" width="{:.1}" height="{lane}"/>"#,
            frame.bottom,
            frame.right - LEFT
        );
        text(&mut out, "end", LEFT - 8.0, y - 8.0, chart.below);
    }
    let every = tick_distance(chart.columns, size.width);
    for column in (0..=chart.columns).filter(|column| column.is_multiple_of(every)) {
        text(
            &mut out,
            "middle",
            frame.x(f64::from(column)),
            frame.bottom + lane + 16.0,
            &column.to_string(),
        );
    }
    text(
        &mut out,
        "middle",
        (LEFT + frame.right) / 2.0,
        f64::from(size.height) - 8.0,
        &chart.x_label,
    );
    out += &steps(&frame, &chart.line);
    for mark in &chart.marks {
        let y = mark.y.map_or(frame.bottom + lane / 2.0, |value| frame.y(value));
        out += &draw(mark, frame.x(mark.x), y);
    }
    out + "</svg>"
}

/// Draws bars.
pub fn bar_chart(chart: &BarChart, size: Size) -> String {
    let columns = u32::try_from(chart.bars.len()).unwrap_or(u32::MAX);
    let frame = Frame::new(size, columns, chart.axis, 0.0);
    let mut out = open(size, &chart.label);
    out += &frame.grid();
    let slot = (frame.right - LEFT) / frame.columns;
    let width = (slot * 0.68).min(40.0);
    let every = tick_distance(columns, size.width);
    for (index, (name, value, title)) in (0_u32..).zip(&chart.bars) {
        let middle = LEFT + slot * (f64::from(index) + 0.5);
        let y = frame.y(*value);
        let _ = write!(
            out,
            r#"<g class="bar"><title>{}</title><rect class="hit" x="{:.1}" y="{TOP}" width="{slot:.1}" height="{:.1}"/><rect x="{:.1}" y="{y:.1}" width="{width:.1}" height="{:.1}" rx="2"/></g>"#,
            escape(title),
            middle - slot / 2.0,
            frame.bottom - TOP,
            middle - width / 2.0,
            frame.bottom - y,
        );
        if index.is_multiple_of(every) {
            text(&mut out, "middle", middle, frame.bottom + 16.0, name);
        }
    }
    text(
        &mut out,
        "middle",
        (LEFT + frame.right) / 2.0,
        f64::from(size.height) - 8.0,
        &chart.x_label,
    );
    out + "</svg>"
}

fn open(size: Size, label: &str) -> String {
    let Size { width, height } = size;
    format!(
        r#"<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{}">"#,
        escape(label)
    )
}

fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = write!(
        out,
        r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
        from.0, from.1, to.0, to.1
    );
}

fn text(out: &mut String, anchor: &str, x: f64, y: f64, content: &str) {
    let _ = write!(
        out,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
        escape(content)
    );
}

fn value(out: &mut String, anchor: &str, x: f64, y: f64, content: &str) {
    let _ = write!(
        out,
        r#"<text class="value" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
        escape(content)
    );
}

/// The line goes on at the last value to the end of the axis. Its first value, where there is room, and its
/// last are written over it.
fn steps(frame: &Frame, points: &[(f64, f64)]) -> String {
    let Some(((x, y), rest)) = points.split_first() else {
        return String::new();
    };
    let mut path = format!("M{:.1} {:.1}", frame.x(*x), frame.y(*y));
    for (x, y) in rest {
        let _ = write!(path, "H{:.1}V{:.1}", frame.x(*x), frame.y(*y));
    }
    let _ = write!(path, "H{:.1}", frame.right);
    let mut out = format!(r#"<path class="line" d="{path}"/>"#);
    let number = |value: f64| format!("{value:.3}");
    let until = rest.first().map_or(frame.right, |(x, _)| frame.x(*x));
    if until - LEFT > 44.0 {
        value(&mut out, "start", LEFT + 4.0, frame.y(*y) - 7.0, &number(*y));
    }
    if let Some((_, last)) = rest.last() {
        value(&mut out, "end", frame.right, frame.y(*last) - 9.0, &number(*last));
    }
    out
}

fn draw(mark: &Mark, x: f64, y: f64) -> String {
    let shape = match mark.shape {
        Shape::Dot | Shape::Ring => format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="4.5"/>"#),
        Shape::Cross => format!(r#"<path d="M{:.1} {:.1}l7 7m0 -7l-7 7"/>"#, x - 3.5, y - 3.5),
    };
    let kind = match mark.shape {
        Shape::Dot => "dot",
        Shape::Ring => "ring",
        Shape::Cross => "cross",
    };
    format!(
        r#"<g class="mark {kind} {}"><title>{}</title><circle class="hit" cx="{x:.1}" cy="{y:.1}" r="9"/>{shape}</g>"#,
        mark.class,
        escape(&mark.title)
    )
}

/// Every how many columns a number fits.
fn tick_distance(columns: u32, width: u32) -> u32 {
    let fitting = (width / 44).max(1);
    [1, 2, 5, 10, 20, 50, 100, 200, 500]
        .into_iter()
        .find(|every| columns / every <= fitting)
        .unwrap_or(1000)
}

/// Text for an attribute or an element.
pub(super) fn escape(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(x: f64, y: Option<f64>, shape: Shape) -> Mark {
        Mark {
            x,
            y,
            shape,
            class: "accepted",
            title: "E001 <b>\"x\"".to_owned(),
        }
    }

    #[test]
    fn a_step_chart_is_drawn() {
        let chart = StepChart {
            label: "score".to_owned(),
            x_label: "experiment".to_owned(),
            columns: 4,
            axis: Axis {
                min: 0.5,
                max: 0.7,
                step: 0.1,
                decimals: 1,
            },
            line: vec![(0.0, 0.5), (2.0, 0.7)],
            marks: vec![
                mark(1.0, Some(0.6), Shape::Ring),
                mark(2.0, Some(0.7), Shape::Dot),
                mark(3.0, None, Shape::Cross),
            ],
            below: "not run",
        };
        let svg = step_chart(
            &chart,
            Size {
                width: 300,
                height: 180,
            },
        );
        insta::assert_snapshot!(svg.replace("><", ">\n<"), @r#"
        <svg class="chart" viewBox="0 0 300 180" role="img" aria-label="score">
        <line class="axis" x1="54.0" y1="112.0" x2="286.0" y2="112.0"/>
        <text x="46.0" y="116.0" text-anchor="end">0.5</text>
        <line class="grid" x1="54.0" y1="62.0" x2="286.0" y2="62.0"/>
        <text x="46.0" y="66.0" text-anchor="end">0.6</text>
        <line class="grid" x1="54.0" y1="12.0" x2="286.0" y2="12.0"/>
        <text x="46.0" y="16.0" text-anchor="end">0.7</text>
        <rect class="lane" x="54" y="112.0" width="232.0" height="24"/>
        <text x="46.0" y="128.0" text-anchor="end">not run</text>
        <text x="54.0" y="152.0" text-anchor="middle">0</text>
        <text x="112.0" y="152.0" text-anchor="middle">1</text>
        <text x="170.0" y="152.0" text-anchor="middle">2</text>
        <text x="228.0" y="152.0" text-anchor="middle">3</text>
        <text x="286.0" y="152.0" text-anchor="middle">4</text>
        <text x="170.0" y="172.0" text-anchor="middle">experiment</text>
        <path class="line" d="M54.0 112.0H170.0V12.0H286.0"/>
        <text class="value" x="58.0" y="105.0" text-anchor="start">0.500</text>
        <text class="value" x="286.0" y="3.0" text-anchor="end">0.700</text>
        <g class="mark ring accepted">
        <title>E001 &lt;b&gt;&quot;x&quot;</title>
        <circle class="hit" cx="112.0" cy="62.0" r="9"/>
        <circle cx="112.0" cy="62.0" r="4.5"/>
        </g>
        <g class="mark dot accepted">
        <title>E001 &lt;b&gt;&quot;x&quot;</title>
        <circle class="hit" cx="170.0" cy="12.0" r="9"/>
        <circle cx="170.0" cy="12.0" r="4.5"/>
        </g>
        <g class="mark cross accepted">
        <title>E001 &lt;b&gt;&quot;x&quot;</title>
        <circle class="hit" cx="228.0" cy="124.0" r="9"/>
        <path d="M224.5 120.5l7 7m0 -7l-7 7"/>
        </g>
        </svg>
        "#);
    }

    #[test]
    fn bars_are_drawn() {
        let bars = vec![
            ("1".to_owned(), 2.0, "batch 1".to_owned()),
            ("2".to_owned(), 4.0, "batch 2".to_owned()),
        ];
        let chart = BarChart {
            label: "suite".to_owned(),
            x_label: "batch".to_owned(),
            axis: count_axis(4),
            bars,
        };
        let svg = bar_chart(
            &chart,
            Size {
                width: 300,
                height: 160,
            },
        );
        insta::assert_snapshot!(svg.replace("><", ">\n<"), @r#"
        <svg class="chart" viewBox="0 0 300 160" role="img" aria-label="suite">
        <line class="axis" x1="54.0" y1="116.0" x2="286.0" y2="116.0"/>
        <text x="46.0" y="120.0" text-anchor="end">0</text>
        <line class="grid" x1="54.0" y1="90.0" x2="286.0" y2="90.0"/>
        <text x="46.0" y="94.0" text-anchor="end">1</text>
        <line class="grid" x1="54.0" y1="64.0" x2="286.0" y2="64.0"/>
        <text x="46.0" y="68.0" text-anchor="end">2</text>
        <line class="grid" x1="54.0" y1="38.0" x2="286.0" y2="38.0"/>
        <text x="46.0" y="42.0" text-anchor="end">3</text>
        <line class="grid" x1="54.0" y1="12.0" x2="286.0" y2="12.0"/>
        <text x="46.0" y="16.0" text-anchor="end">4</text>
        <g class="bar">
        <title>batch 1</title>
        <rect class="hit" x="54.0" y="12" width="116.0" height="104.0"/>
        <rect x="92.0" y="64.0" width="40.0" height="52.0" rx="2"/>
        </g>
        <text x="112.0" y="132.0" text-anchor="middle">1</text>
        <g class="bar">
        <title>batch 2</title>
        <rect class="hit" x="170.0" y="12" width="116.0" height="104.0"/>
        <rect x="208.0" y="12.0" width="40.0" height="104.0" rx="2"/>
        </g>
        <text x="228.0" y="132.0" text-anchor="middle">2</text>
        <text x="170.0" y="152.0" text-anchor="middle">batch</text>
        </svg>
        "#);
    }

    #[test]
    fn axes_are_round_and_hold_their_values() {
        let axis = score_axis([0.475, 0.8]);
        assert_eq!((axis.min, axis.max), (0.4, 0.9));
        for low in 0..=20 {
            for high in low..=20 {
                let (low, high) = (f64::from(low) / 20.0, f64::from(high) / 20.0);
                let axis = score_axis([low, high]);
                assert!(axis.min <= low && high <= axis.max, "{low} to {high}: {axis:?}");
                assert!(
                    axis.min >= 0.0 && axis.max <= 1.0 && axis.max - axis.min > 0.19,
                    "{low} to {high}: {axis:?}"
                );
            }
        }
        assert_eq!((count_axis(0).max, count_axis(0).step), (1.0, 1.0));
        assert_eq!((count_axis(17).max, count_axis(17).step), (20.0, 5.0));
        assert_eq!((count_axis(260).max, count_axis(260).step), (300.0, 100.0));
    }

    #[test]
    fn an_empty_chart_is_still_a_chart() {
        let chart = BarChart {
            label: String::new(),
            x_label: String::new(),
            axis: count_axis(0),
            bars: Vec::new(),
        };
        assert!(
            bar_chart(
                &chart,
                Size {
                    width: 300,
                    height: 160
                }
            )
            .ends_with("</svg>")
        );
    }
}
