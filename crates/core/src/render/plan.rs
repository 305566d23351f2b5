//! `sprag plan`: what a budget can and cannot resolve, in words.

use super::listing::table;
use super::words;
use crate::gate::forecast::{Forecast, Limit, Line};
use std::fmt::Write as _;

/// What is said of a budget. `train` is the number of train tasks, `per_task` the bits a task that the answers of the held-out set may tell.
pub fn plan(forecast: &Forecast, train: usize, per_task: f64) -> String {
    let now = &forecast.situation;
    let how = if now.measured {
        "measured"
    } else {
        "assumed: nothing was measured yet"
    };
    let (least, mean, most) = forecast.runs;
    let mut text = String::new();
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    fact(
        "tasks",
        format!(
            "{} for validation, {train} for training; {} cases in the regression suite",
            now.tasks, now.suite
        ),
    );
    fact(
        "the agent",
        format!(
            "passes {:.0} of 100 runs; two runs of one task disagree {:.0} times in 100 ({how})",
            100.0 * now.level,
            200.0 * now.noise
        ),
    );
    fact(
        "before all",
        format!("{} runs measure the agent as it is", forecast.baseline_runs),
    );
    fact(
        "an experiment",
        format!("costs {least} to {most} task runs, {mean:.0} in the mean"),
    );
    fact("the budget", budget(forecast));
    let twice = format!("kept, with {} validation tasks", 2 * now.tasks);
    let rows: Vec<Vec<String>> = forecast.lines.iter().map(row).collect();
    let _ = write!(
        text,
        "\n{}\n",
        table(&["a change that", "is kept", "after runs", &twice], &rows)
    );
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    fact(
        "what is seen",
        format!(
            "one pass over the validation set on each side shows {:.0} points and more, all runs of the budget in one comparison {:.0} points",
            100.0 * forecast.one_pass_shows,
            (100.0 * forecast.budget_shows).max(1.0)
        ),
    );
    fact("", "(four times in five, at one false alarm in twenty)".to_owned());
    fact(
        "the score",
        format!(
            "of {} tasks tells what the agent does on all such tasks to within {:.0} points, however often they are run",
            now.tasks,
            100.0 * forecast.sample_error
        ),
    );
    fact(
        "the held-out",
        format!(
            "set was asked {} times; the answers told {:.1} of the {:.0} bits that may be told before it is worn out, {}",
            now.asked.queries,
            now.asked.bits(),
            per_task * f64::from(now.tasks),
            words::optimism(now.asked, now.tasks)
        ),
    );
    for advice in advice(forecast, per_task) {
        let _ = write!(text, "\n- {advice}");
    }
    text.trim_end().to_owned()
}

fn budget(forecast: &Forecast) -> String {
    let first = match forecast.limit {
        Limit::Experiments => "budget.experiments",
        Limit::TaskRuns => "budget.task_runs",
        Limit::Usd => "budget.usd",
    };
    let usd = if forecast.situation.usd_a_run > 0.0 {
        format!(", for about ${:.2}", forecast.usd)
    } else {
        "; what a run costs is not known".to_owned()
    };
    format!(
        "pays for about {} experiments{usd}; `{first}` ends it first",
        forecast.experiments
    )
}

fn row(line: &Line) -> Vec<String> {
    let what = match line.effect.map(|effect| (100.0 * effect).round()) {
        None => "does nothing for its cluster".to_owned(),
        Some(0.0) => "helps and harms alike".to_owned(),
        Some(points) if points > 0.0 => format!("gains {points:.0} points"),
        Some(points) => format!("costs {:.0} points", -points),
    };
    let kept = |part: f64| format!("{:.0} %", 100.0 * part);
    vec![
        what,
        kept(line.kept),
        format!("{:.0}", line.runs),
        kept(line.kept_with_twice),
    ]
}

/// What would make it better, the most pressing first.
fn advice(forecast: &Forecast, per_task: f64) -> Vec<String> {
    let now = &forecast.situation;
    let kept = |effect: f64| {
        let line = forecast.lines.iter().find(|line| line.effect == Some(effect));
        line.map_or((0.0, 0.0), |line| (line.kept, line.kept_with_twice))
    };
    let mut advice = Vec::new();
    if forecast.experiments < 3 {
        advice.push("The budget ends before the loop has tried much. Raise it, or use fewer validation tasks while you try sprag out.".to_owned());
    }
    let (lost, lost_less) = (1.0 - kept(0.05).0, 1.0 - kept(0.05).1);
    if lost > 0.3 {
        advice.push(format!(
            "{:.0} in 10 changes that gain 5 points would be lost; with twice the validation tasks {:.0}.",
            10.0 * lost,
            10.0 * lost_less
        ));
    }
    let (slips, slip_less) = kept(-0.05);
    if slips > 0.2 {
        advice.push(format!(
            "{:.0} in 10 changes that cost 5 points would slip through; with twice the validation tasks {:.0}. `gate.mode = \"assured\"` keeps nearly none, for more runs.",
            10.0 * slips,
            10.0 * slip_less
        ));
    }
    if !now.measured {
        advice.push(
            "How much your tasks waver is assumed. After one batch of `sprag run`, `sprag plan` knows.".to_owned(),
        );
    }
    if now.asked.spent(now.tasks, per_task) >= 0.5 {
        advice.push("The validation set has told much of itself. Prepare new held-out tasks.".to_owned());
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::forecast::Situation;
    use crate::gate::holdout::Asked;

    fn forecast() -> Forecast {
        let line = |effect, kept, runs, kept_with_twice| Line {
            effect,
            kept,
            runs,
            kept_with_twice,
        };
        Forecast {
            situation: Situation {
                tasks: 40,
                suite: 10,
                level: 0.6,
                noise: 0.12,
                measured: false,
                usd_a_run: 0.01,
                asked: Asked {
                    queries: 30,
                    accepted: 9,
                },
            },
            lines: vec![
                line(None, 0.0, 2.0, 0.0),
                line(Some(-0.05), 0.3, 69.0, 0.12),
                line(Some(0.0), 0.5, 67.0, 0.6),
                line(Some(0.05), 0.62, 66.0, 0.9),
            ],
            baseline_runs: 40,
            runs: (2, 21.4, 96),
            experiments: 91,
            limit: Limit::TaskRuns,
            usd: 19.87,
            one_pass_shows: 0.193,
            budget_shows: 0.0385,
            sample_error: 0.152,
        }
    }

    #[test]
    fn a_reader_without_statistics_sees_what_the_money_can_show() {
        insta::assert_snapshot!(plan(&forecast(), 28, 1.0));
    }

    #[test]
    fn nothing_is_advised_where_nothing_is_wrong() {
        let mut good = forecast();
        good.lines = vec![Line {
            effect: Some(0.05),
            kept: 0.95,
            runs: 60.0,
            kept_with_twice: 1.0,
        }];
        good.situation.measured = true;
        good.situation.asked = Asked::default();
        assert!(advice(&good, 1.0).is_empty());
        good.experiments = 1;
        assert!(advice(&good, 1.0)[0].contains("Raise it"));
    }
}
