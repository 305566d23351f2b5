//! What the terminal shows: a line for everything that happens, a table at the end, the list of clusters.
//!
//! Text that comes from outside is stripped of what a terminal would obey.

use super::evidence;
use super::markdown::{truncate, visible};
use super::suite;
use super::view::{Progress, SummaryView};
use super::words;
use crate::candidate::{Experiment, Stage, Verdict};
use crate::cluster::{Change, Cluster, Explanation, Rank, Revision, Trend};
use crate::config::{GateConfig, GateMode};
use crate::curation::{Choice, Curation};
use crate::machine::Again;
use crate::score::Scorecard;

/// One sentence for something that happened, without a line break.
pub fn progress(progress: &Progress) -> String {
    match progress {
        Progress::Baseline { validation } => format!("baseline: {} on the validation set", words::result(validation)),
        Progress::Mined { batch, batches } => {
            let errors = if batch.errored == 0 {
                String::new()
            } else {
                format!(", {} without a verdict", batch.errored)
            };
            format!(
                "batch {}/{batches}: {}, {} failed{errors}; {}, {}",
                batch.number,
                words::count(batch.tasks, "task"),
                batch.failed,
                words::count(batch.findings, "finding"),
                words::count(batch.new_clusters, "new cluster")
            )
        }
        Progress::Revised { revisions } => revised(revisions),
        Progress::Curated { curations } => curated(curations),
        Progress::SuiteRevised { changes } => suite::changes(changes),
        Progress::Tried {
            confirmed,
            unconfirmed,
            refused,
        } => {
            let rest = [(unconfirmed, "unconfirmed"), (refused, "refused")];
            let rest = rest.into_iter().filter(|(n, _)| **n > 0);
            let rest: String = rest.map(|(n, what)| format!(", {n} {what}")).collect();
            format!(
                "  {} seen to fail on the unchanged harness{rest}",
                words::count(*confirmed, "new case")
            )
        }
        Progress::Targeted { cluster } => format!(
            "  working on: {} ({}, {} resolved)",
            short(&cluster.title, 80),
            words::count(cluster.total_failures(), "failure"),
            cluster.resolved()
        ),
        Progress::Screened {
            cluster,
            drafts,
            helped,
        } => {
            let helped = match helped {
                0 => "none helps".to_owned(),
                1 => "1 helps".to_owned(),
                n => format!("{n} help"),
            };
            format!(
                "  {} screened for \"{}\": {helped}",
                words::count(*drafts, "draft"),
                short(cluster, 90)
            )
        }
        Progress::Ablated { kept, failed: 0 } => format!("  everything passes without what {kept} added"),
        Progress::Ablated { kept, failed } => {
            let cases = words::count(*failed, "case");
            format!(
                "  what {kept} added is still needed: {cases} fail{} without it",
                if *failed == 1 { "s" } else { "" }
            )
        }
        Progress::Proposed { experiment } => {
            format!(
                "  {}: trying: {}",
                short(experiment.id.as_str(), 20),
                short(&experiment.candidate.title, 90)
            )
        }
        Progress::Judged { experiment } => judged(experiment),
        Progress::Promoted { cases, suite_size } => {
            format!(
                "  {} joined the regression suite, which has {suite_size} now",
                words::count(*cases, "case")
            )
        }
        Progress::Idle { reason } => format!("  nothing to work on: {}", short(reason, 120)),
    }
}

fn revised(revisions: &[Revision]) -> String {
    let count = |wanted: fn(&Change) -> bool| revisions.iter().filter(|revision| wanted(&revision.change)).count();
    let counts = [
        (count(|change| matches!(change, Change::Merge { .. })), "merged"),
        (count(|change| matches!(change, Change::Split { .. })), "split"),
        (count(|change| matches!(change, Change::Rename { .. })), "renamed"),
    ];
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    format!("  clusters: {}", told.join(", "))
}

/// What an export has written.
pub fn exported(cases: usize, files: &[String]) -> String {
    let cases = words::count(cases, "case");
    let files: String = files.iter().map(|file| format!("\n  {}", visible(file))).collect();
    format!("{cases} exported; `sprag_case.py` says how the agent is reached{files}")
}

fn judged(experiment: &Experiment) -> String {
    let id = short(experiment.id.as_str(), 20);
    match &experiment.verdict {
        None => format!("  {id}: running"),
        Some((Verdict::Accepted, _)) => {
            let score = experiment
                .validation
                .as_ref()
                .map_or_else(|| "not measured".to_owned(), words::result);
            format!(
                "  {id}: accepted, validation {score}, held against {}",
                words::score(experiment.best_before)
            )
        }
        Some((verdict, reason)) => format!("  {id}: {verdict}: {}", short(reason, 160)),
    }
}

/// The table at the end of a run, with what to open next.
pub fn summary(view: &SummaryView) -> String {
    let undecided = view.experiments.saturating_sub(view.accepted + view.rejected);
    let mut experiments = format!(
        "{} ({} accepted, {} rejected",
        view.experiments, view.accepted, view.rejected
    );
    experiments += &if undecided == 0 {
        ")".to_owned()
    } else {
        format!(", {undecided} without a decision)")
    };
    let mut rows = vec![
        ("validation before", words::result(&view.baseline)),
        (
            "validation now",
            format!("{}{}", words::result(&view.latest), gain(&view.baseline, &view.latest)),
        ),
        ("batches", view.batches.to_string()),
        ("experiments", experiments),
        ("regression suite", words::count(view.suite_size, "case")),
        ("clusters", format!("{} ({} resolved)", view.clusters, view.resolved)),
        ("task runs", words::thousands(view.task_runs)),
        ("sandbox", view.sandbox.to_owned()),
    ];
    rows.extend(view.prediction.map(|score| ("predictions", score.to_string())));
    rows.extend(view.files.iter().map(|(what, path)| (what.as_str(), visible(path))));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(name, value)| format!("{name:<width$}  {value}\n"))
        .collect()
}

fn gain(baseline: &Scorecard, latest: &Scorecard) -> String {
    let points = baseline
        .score()
        .zip(latest.score())
        .map(|(before, after)| (after - before) * 100.0);
    points.map_or_else(String::new, |points| format!(", {points:+.1} points"))
}

/// What a gate said: what was measured, the verdict and why.
pub fn gate(of: &str, verdict: &str, reason: &str, remark: Option<&str>) -> String {
    let mut text = format!("{}: {verdict}\n  {}", visible(of), visible(reason));
    if let Some(remark) = remark {
        text += &format!("\n  look at this before you merge: {}", visible(remark));
    }
    text
}

/// The rule that a configuration wants, in a line.
pub fn rule(gate: &GateConfig) -> String {
    let threshold = gate.regression_threshold;
    match gate.mode {
        GateMode::Efficient => {
            "efficient: what is expected to be better, each run bought only while it is worth its price".to_owned()
        }
        GateMode::Assured => format!(
            "assured: what is proven, with false acceptances at a rate of {}",
            gate.alpha
        ),
        GateMode::Strict => format!("strict: regression suite >= {threshold:.2}, then validation >= best seen"),
    }
}

/// Why an experiment has its verdict, and whether that follows from its runs again.
pub fn decided_again(again: &Again) -> String {
    let experiment = &again.experiment;
    let (verdict, reason) = match &experiment.verdict {
        Some((verdict, reason)) => (verdict.to_string(), visible(reason)),
        None => ("running".to_owned(), String::new()),
    };
    let mut text = format!(
        "{}: {verdict}\n  {reason}\n  change: {}\n",
        short(experiment.id.as_str(), 20),
        short(&experiment.candidate.title, 120)
    );
    for (stage, card) in [
        (Stage::Cluster, &experiment.cluster_cases),
        (Stage::Regression, &experiment.regression),
        (Stage::Validation, &experiment.validation),
    ] {
        let Some(card) = card else { continue };
        text += &format!(
            "  {stage}: {}; {} fixed, {} broken, {} wavering\n",
            words::result(card),
            card.fixed,
            card.broken,
            card.wavering
        );
    }
    for (name, value) in evidence::rows(experiment) {
        text += &format!("  {name}: {}\n", visible(&value));
    }
    text + &match (&again.again, again.agrees()) {
        (_, true) => "the same verdict follows from the recorded runs\n".to_owned(),
        (Some((ground, reason)), false) => format!(
            "DIFFERENT: from the recorded runs follows {} ({ground}): {}\n",
            ground.verdict(),
            visible(reason)
        ),
        (None, false) => "DIFFERENT: after the recorded runs this sprag would go on measuring\n".to_owned(),
    }
}

/// How many new clusters and cases a model let in, and so on.
fn curated(curations: &[Curation]) -> String {
    let count = |wanted: fn(&Choice) -> bool| curations.iter().filter(|one| wanted(&one.choice)).count();
    let counts = [
        (count(|choice| *choice == Choice::Accept), "accepted"),
        (count(|choice| *choice == Choice::Reject), "rejected"),
        (count(|choice| matches!(choice, Choice::Merge(_))), "merged"),
        (count(|choice| *choice == Choice::NeedsPerson), "for a person to decide"),
    ];
    let told: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    format!("  of what is new: {}", told.join(", "))
}

/// The clusters in the order given, one a line under column names. The first `ranked` of them have a rank.
pub fn clusters(clusters: &[Cluster], ranked: usize) -> String {
    if clusters.is_empty() {
        return "no cluster is open\n".to_owned();
    }
    let id = |cluster: &Cluster| short(cluster.id.as_str(), 24);
    let width = clusters
        .iter()
        .map(|cluster| id(cluster).chars().count())
        .max()
        .unwrap_or(0)
        .max("cluster".len());
    let mut text = format!(
        "rank  {:<width$}  failures  resolved  severity  state        title\n",
        "cluster"
    );
    for (index, cluster) in clusters.iter().enumerate() {
        text += &format!(
            "{:>4}  {:<width$}  {:>8}  {:>8}  {:<8}  {:<11}  {}\n",
            if index < ranked {
                (index + 1).to_string()
            } else {
                "-".to_owned()
            },
            id(cluster),
            cluster.total_failures(),
            cluster.resolved(),
            cluster.severity().0.to_string(),
            words::cluster_state(cluster.state),
            short(&cluster.title, 100)
        );
    }
    text
}

/// Why clusters have their ranks, one a line: the formula with its numbers.
pub fn ranks(ranks: &[(&Cluster, Rank)]) -> String {
    let line = |(cluster, rank): &(&Cluster, Rank)| format!("{}  rank {rank}\n", short(cluster.id.as_str(), 24));
    ranks.iter().map(line).collect()
}

/// Why a cluster has its rank, and what it says of itself.
pub fn explained(cluster: &Cluster, rank: &Rank, why: &Explanation) -> String {
    let listed = |words: &[String]| words.iter().map(|word| short(word, 30)).collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("{}  rank {rank}", short(cluster.id.as_str(), 24))];
    if !why.shared.is_empty() {
        lines.push(format!("  members share: {}", listed(&why.shared)));
    }
    if let Some(neighbour) = why.neighbour.as_ref().filter(|_| !why.unlike_neighbour.is_empty()) {
        lines.push(format!(
            "  unlike {}: {}",
            short(neighbour.as_str(), 24),
            listed(&why.unlike_neighbour)
        ));
    }
    let exemplars: Vec<String> = why.exemplars.iter().map(|id| short(id.as_str(), 12)).collect();
    lines.push(format!("  look at: {}", exemplars.join(", ")));
    lines.push(format!(
        "  trend: {}",
        match why.trend {
            Trend::New => "new",
            Trend::Rising => "rising",
            Trend::Steady => "steady",
            Trend::Falling => "falling",
        }
    ));
    lines.join("\n")
}

/// One line of text that a terminal can show as it is.
pub(super) fn short(text: &str, chars: usize) -> String {
    truncate(&visible(text).split_whitespace().collect::<Vec<_>>().join(" "), chars)
}

/// What is known in a place, how much of it is new, and what was damaged; counts are entries of a ledger and facts.
pub fn state(known: (usize, usize), new: Option<(usize, usize)>, damage: &[String]) -> String {
    let counted = |(entries, facts): (usize, usize)| {
        let entries = match entries {
            1 => "1 entry".to_owned(),
            n => format!("{n} entries"),
        };
        format!("{entries} of a ledger and {}", words::count(facts, "fact"))
    };
    let mut lines = vec![match new {
        Some(new) => format!("added {}; there are {} now", counted(new), counted(known)),
        None => format!("{}, each as it was written", counted(known)),
    }];
    lines.extend(damage.iter().map(|damage| format!("damaged: {}", short(damage, 300))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ExperimentId;
    use crate::render::fixtures;

    #[test]
    fn every_phase_is_one_line() {
        let view = fixtures::report();
        let lines: Vec<String> = [
            Progress::Baseline {
                validation: view.baseline.clone(),
            },
            Progress::Mined {
                batch: view.batches[2].clone(),
                batches: 18,
            },
            Progress::Tried {
                confirmed: 3,
                unconfirmed: 1,
                refused: 0,
            },
            Progress::Targeted {
                cluster: view.clusters[0].clone(),
            },
            Progress::Screened {
                cluster: "Never calls `a`\u{1b}".to_owned(),
                drafts: 3,
                helped: 1,
            },
            Progress::Ablated {
                kept: ExperimentId::new("E001"),
                failed: 1,
            },
            Progress::Ablated {
                kept: ExperimentId::new("E001"),
                failed: 0,
            },
            Progress::Proposed {
                experiment: fixtures::accepted("E001"),
            },
            Progress::Judged {
                experiment: fixtures::accepted("E001"),
            },
            Progress::Judged {
                experiment: fixtures::rejected("E002", "a\u{1b}[31m\ntitle"),
            },
            Progress::Promoted {
                cases: 1,
                suite_size: 5,
            },
            Progress::Idle {
                reason: "no cluster is open".to_owned(),
            },
        ]
        .iter()
        .map(progress)
        .collect();
        assert!(lines.iter().all(|line| !line.contains(['\n', '\u{1b}'])));
        insta::assert_snapshot!(lines.join("\n"), @r#"
        baseline: 21/40 (0.525) on the validation set
        batch 3/18: 10 tasks, 6 failed; 9 findings, 1 new cluster
          3 new cases seen to fail on the unchanged harness, 1 unconfirmed
          working on: Hands over to a person although a tool would have helped (11 failures, 4 resolved)
          3 drafts screened for "Never calls `a`": 1 helps
          what E001 added is still needed: 1 case fails without it
          everything passes without what E001 added
          E001: trying: Open a parcel trace when the order is lost
          E001: accepted, validation 30/40 (0.750), held against 0.675
          E002: rejected: regression 13/18 (0.722) is below the threshold 0.800
          1 case joined the regression suite, which has 5 now
          nothing to work on: no cluster is open
        "#);
    }

    #[test]
    fn the_summary_lines_up() {
        insta::assert_snapshot!(summary(&fixtures::summary()), @r"
        validation before  21/40 (0.525)
        validation now     33/40 (0.825), +30.0 points
        batches            18
        experiments        41 (9 accepted, 31 rejected, 1 without a decision)
        regression suite   19 cases
        clusters           11 (8 resolved)
        task runs          2,314
        sandbox            A (namespaces)
        predictions        25 of 34 predicted fixes came true, and 25 of 31 fixed tasks had been predicted
        pull request       out/pull/body.md
        report             out/report.html
        ");
    }

    #[test]
    fn clusters_are_listed_by_rank() {
        insta::assert_snapshot!(clusters(&fixtures::report().clusters[..3], 2), @r"
        rank  cluster     failures  resolved  severity  state        title
           1  c-handover        11         4  medium    reopened     Hands over to a person although a tool would have helped
           2  c-date             6         1  medium    in progress  Does not tell the customer the date of delivery
           -  c-loop             3         0  medium    open         Calls get_order again and again with the same argument
        ");
        assert_eq!(clusters(&[], 0), "no cluster is open\n");
    }

    #[test]
    fn a_cluster_is_explained_in_a_few_lines() {
        let cluster = &fixtures::report().clusters[0];
        let rank = Rank {
            value: 7.5,
            recurrence: 10.0,
            share: 0.5,
            severity: crate::severity::Severity::High,
            told: true,
            resolution_rate: 0.5,
        };
        let why = Explanation {
            shared: vec!["parcel".to_owned(), "la\u{1b}te".to_owned()],
            neighbour: Some(crate::id::ClusterId::new("c-date")),
            unlike_neighbour: vec!["lost".to_owned()],
            exemplars: vec![crate::id::RecordId::new("0123456789abcdef")],
            batches: std::collections::BTreeMap::from([(1, 2)]),
            trend: Trend::Falling,
        };
        insta::assert_snapshot!(explained(cluster, &rank, &why), @r"
        c-handover  rank 7.5 = 10.0 recent failures × (1 + 0.50 of all failed runs) × 2 (high severity, as told) × (1 − 0.50 resolved)
          members share: parcel, late
          unlike c-date: lost
          look at: 0123456789a…
          trend: falling
        ");
    }
}
