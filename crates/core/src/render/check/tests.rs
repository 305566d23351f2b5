use super::*;
use crate::render::fixtures::{self, CANARY};

fn runs(change: impl FnOnce(&mut Experiment)) -> Vec<CheckRun> {
    let mut view = fixtures::check();
    change(&mut view.experiment);
    check_runs(&view)
}

#[test]
fn both_gates_are_told_as_github_takes_them() {
    insta::assert_json_snapshot!(check_runs(&fixtures::check()));
}

#[test]
fn a_failed_gate_names_what_broke() {
    let runs = runs(|experiment| *experiment = fixtures::rejected("E008", "Something else"));
    assert_eq!(runs[0].conclusion, Conclusion::Failure);
    assert_eq!(runs[0].output.title, "13/18 (0.722) pass, threshold 0.800");
    assert!(
        runs[0]
            .output
            .text
            .contains("### Broken by this change\n\n- `refund-1`\n")
    );
    assert_eq!(runs[0].output.annotations[0].annotation_level, AnnotationLevel::Failure);
    assert_eq!(runs[1].conclusion, Conclusion::Neutral);
    assert_eq!(runs[1].output.title, "Not run");
}

#[test]
fn nothing_measured_is_never_green() {
    for card in [
        None,
        Some(Scorecard::default()),
        Some(Scorecard {
            errored: 4,
            ..Scorecard::default()
        }),
    ] {
        let runs = runs(|experiment| {
            experiment.regression.clone_from(&card);
            experiment.validation = card;
        });
        assert!(runs.iter().all(|run| run.conclusion == Conclusion::Neutral), "{runs:?}");
    }
}

#[test]
fn missing_verdicts_are_neutral() {
    let runs = runs(|experiment| {
        experiment.regression = Some(Scorecard {
            errored: 1,
            ..fixtures::card(17, 0, 0, 0)
        });
    });
    assert_eq!(runs[0].conclusion, Conclusion::Neutral);
    assert_eq!(runs[0].output.title, "Not decided: 1 of 18 runs have no verdict");
}

#[test]
fn an_indecisive_experiment_is_not_green_even_with_good_numbers() {
    let runs = runs(|experiment| experiment.verdict = Some((Verdict::Indecisive, "the budget is spent".to_owned())));
    assert!(runs.iter().all(|run| run.conclusion == Conclusion::Neutral));
}

#[test]
fn held_out_tasks_are_not_named() {
    let json = serde_json::to_string(&check_runs(&fixtures::check())).unwrap();
    assert!(!json.contains(CANARY));
}

#[test]
fn limits_are_obeyed() {
    let runs = runs(|experiment| {
        let hunk = |n: usize| format!("@@ -{0},0 +{0},1 @@\n+x\n", n * 10 + 1);
        experiment.candidate.diff = format!("--- a/f\n+++ b/f\n{}", (0..80).map(hunk).collect::<String>());
        experiment.candidate.hypothesis = "`é|<&".repeat(50_000);
        let card = experiment.regression.as_mut().unwrap();
        card.broken_tasks = (0..5000).map(|n| format!("{n}-{}", "é".repeat(200))).collect();
    });
    assert_eq!(runs[0].output.annotations.len(), 50);
    assert!(
        runs.iter()
            .all(|run| run.output.text.len() <= MAX_TEXT && run.output.summary.len() <= MAX_TEXT)
    );
}

#[test]
fn places_are_the_added_lines_of_each_hunk() {
    let place = |path: &str, start, end| Place {
        path: path.to_owned(),
        start,
        end,
    };
    assert_eq!(
        changed_places(&fixtures::diff()),
        [place("agent/workflow.toml", 10, 14)]
    );
    let diff = "--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n a\n+++ b/fake\n b\n@@ -9,2 +10,1 @@\n-- c\n d\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n";
    assert_eq!(changed_places(diff), [place("x", 2, 2), place("x", 10, 10)]);
}
