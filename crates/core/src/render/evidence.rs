//! What speaks for a verdict, for readers who know no statistics: how sure it is, by how much, what it cost, and what it could not have seen.

use super::markdown::escape;
use super::words;
use crate::candidate::{Experiment, Ground};
use crate::gate::purchase::{Evidence, Purpose};

/// The evidence of an experiment as lines of a name and a value; none before there is a verdict.
pub fn rows(experiment: &Experiment) -> Vec<(&'static str, String)> {
    let Some(evidence) = &experiment.evidence else {
        return Vec::new();
    };
    let compared = evidence.runs.contains_key(&Purpose::Validation);
    let mut rows = Vec::new();
    if let Some(ground) = experiment.ground {
        rows.push(("verdict rests on", ground_in_words(ground).to_owned()));
    }
    if let Some(e_value) = evidence.e_value.filter(|_| compared) {
        rows.push(("how sure", format!("evidence {e_value:.1} to 1 that it is good enough")));
    } else if let Some(better) = evidence.better.filter(|_| compared) {
        rows.push(("how sure", format!("{} that keeping it is right", words::odds(better))));
    }
    if compared {
        rows.push(("change of the score", effect(evidence)));
    }
    rows.push(("level of the harness", level(evidence)));
    rows.push(("runs", runs(experiment, evidence)));
    if let Some(smallest) = evidence.smallest_detectable.filter(|_| !evidence.repeats_itself) {
        rows.push((
            "smallest difference that so many runs show by their mean",
            format!("{:.0} points", 100.0 * smallest),
        ));
    }
    rows.push(("tasks waver", wavering(evidence)));
    rows.push((
        "held-out set asked so far",
        format!("by {}", words::count(evidence.asked, "change")),
    ));
    rows
}

/// The same as a table of Markdown; empty without evidence.
pub fn table(experiment: &Experiment) -> String {
    let rows = rows(experiment);
    if rows.is_empty() {
        return String::new();
    }
    let lines: String = rows
        .iter()
        .map(|(name, value)| format!("| {name} | {} |\n", escape(value)))
        .collect();
    format!("| evidence | |\n|---|---|\n{lines}")
}

/// What a verdict rests on, in words.
pub fn ground_in_words(ground: Ground) -> &'static str {
    match ground {
        Ground::Gain => "a gain",
        Ground::Enabling => "a step on the way: its root cause is gone, though the tasks still fail for others",
        Ground::NoHarm => "no sign of harm",
        Ground::Simpler => "a tie, which goes to the simpler harness",
        Ground::Probe => "no effect on its own cluster",
        Ground::Regression => "a fixed failure that broke again",
        Ground::Harm => "harm",
        Ground::NoGain => "no gain that is worth it",
        Ground::Coverage => "too little could be seen",
        Ground::Infrastructure => "runs that broke off",
        Ground::Budget => "a spent budget",
        Ground::Illegal => "a change that is not allowed",
    }
}

fn effect(evidence: &Evidence) -> String {
    let points = |score: f64| format!("{:+.1}", 100.0 * score);
    if evidence.effect_sd == 0.0 {
        return format!("{} points, as measured", points(evidence.effect));
    }
    let half = 1.28 * evidence.effect_sd;
    let (low, high) = (evidence.effect - half, evidence.effect + half);
    format!(
        "{} points expected; between {} and {}, eight times in ten",
        points(evidence.effect),
        points(low),
        points(high)
    )
}

fn level(evidence: &Evidence) -> String {
    let before = words::score(evidence.level_before);
    match evidence.runs.contains_key(&Purpose::Validation) {
        true => format!(
            "{before} before, {} expected with the change",
            words::score(evidence.val_score)
        ),
        false => before,
    }
}

fn runs(experiment: &Experiment, evidence: &Evidence) -> String {
    let all: u32 = evidence.runs.values().sum();
    let made: u64 = experiment.bought.values().sum();
    let each: Vec<String> = evidence
        .runs
        .iter()
        .map(|(purpose, n)| format!("{purpose} {n}"))
        .collect();
    let mut text = if each.is_empty() {
        "none".to_owned()
    } else {
        each.join(", ")
    };
    if evidence.errored > 0 {
        text += &format!("; {} without a verdict", evidence.errored);
    }
    let recorded = u64::from(all).saturating_sub(made);
    if recorded > 0 {
        text += &format!("; {recorded} of them were on record");
    }
    let saved = evidence.whole.saturating_sub(all);
    if saved > 0 {
        text += &format!("; {saved} of a whole pass were not needed");
    }
    text
}

fn wavering(evidence: &Evidence) -> String {
    if evidence.repeats_itself {
        return "not at all: the agent does the same under every seed".to_owned();
    }
    // Two runs of the same thing differ twice as often as p (1 - p).
    format!(
        "two runs of the same task differ in about {:.0} of 100",
        200.0 * evidence.noise
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::candidate::Point;
    use crate::render::fixtures;
    use std::collections::BTreeMap;

    /// An accepted change with its evidence.
    pub(in crate::render) fn with_evidence(id: &str) -> Experiment {
        let evidence = Evidence {
            runs: BTreeMap::from([(Purpose::Probe, 3), (Purpose::Suite, 7), (Purpose::Validation, 46)]),
            errored: 1,
            level_before: 0.675,
            level_now: 0.675,
            effect: 0.045,
            effect_sd: 0.02,
            better: Some(0.93),
            val_score: 0.72,
            smallest_detectable: Some(0.18),
            noise: 0.12,
            asked: 4,
            whole: 52,
            ..Evidence::default()
        };
        let mut experiment = fixtures::accepted(id);
        experiment.bought = BTreeMap::from([(Purpose::Probe, 3), (Purpose::Suite, 7), (Purpose::Validation, 40)]);
        let point = |runs, purpose, value| Point { runs, purpose, value };
        experiment.course = vec![
            point(3, Purpose::Probe, 0.41),
            point(10, Purpose::Suite, 0.44),
            point(14, Purpose::Validation, 0.62),
            point(56, Purpose::Validation, 0.93),
        ];
        let reason = "9 in 10 that this is better; +1.9 to +7.1 points";
        experiment.decide(Ground::Gain, reason, Some(evidence));
        experiment
    }

    #[test]
    fn a_reader_without_statistics_is_told_how_sure_by_how_much_and_for_how_many_runs() {
        let told = rows(&with_evidence("E007"));
        let text: String = told.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        insta::assert_snapshot!(text, @"
        verdict rests on: a gain
        how sure: 9 in 10 that keeping it is right
        change of the score: +4.5 points expected; between +1.9 and +7.1, eight times in ten
        level of the harness: 0.675 before, 0.720 expected with the change
        runs: cluster cases 3, regression suite 7, validation set 46; 1 without a verdict; 6 of them were on record
        smallest difference that so many runs show by their mean: 18 points
        tasks waver: two runs of the same task differ in about 24 of 100
        held-out set asked so far: by 4 changes
        ");
        assert!(table(&fixtures::accepted("E001")).is_empty(), "none was kept");
    }
}
