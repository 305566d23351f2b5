use super::places::Place;
use super::*;
use crate::candidate::Ground;
use crate::render::fixtures::{self, CANARY};

fn runs(change: impl FnOnce(&mut Experiment)) -> Vec<CheckRun> {
    let mut view = fixtures::check();
    change(&mut view.experiment);
    check_runs(&view)
}

#[test]
fn what_no_candidate_may_do_is_told_of_a_change_that_a_person_made() {
    let mut view = fixtures::check();
    assert!(!check_runs(&view)[0].output.summary.as_str().contains("Look at this"));
    view.experiment.remark = Some("agent/a.md:3: names the task t1 @all: `as in t1`".to_owned());
    for run in check_runs(&view) {
        let summary = run.output.summary.as_str();
        assert!(
            summary.contains("**Look at this before you merge.** agent/a.md:3"),
            "{summary}"
        );
        assert!(summary.contains("`@all`"), "{summary}");
    }
}

#[test]
fn both_gates_are_told_as_github_takes_them() {
    insta::assert_json_snapshot!(check_runs(&fixtures::check()));
}

#[test]
fn a_failed_gate_names_what_broke() {
    let runs = runs(|experiment| *experiment = fixtures::rejected("E008", "Something else"));
    assert_eq!(runs[0].conclusion, Some(Conclusion::Failure));
    assert_eq!(runs[0].output.title, "13/18 (0.722) pass, threshold 0.800");
    assert!(
        runs[0]
            .output
            .text
            .contains("### Broken by this change\n\n- `refund-1`, `case-")
    );
    assert_eq!(runs[0].output.annotations[0].annotation_level, AnnotationLevel::Failure);
    assert_eq!(runs[1].conclusion, Some(Conclusion::Neutral));
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
        assert!(
            runs.iter().all(|run| run.conclusion != Some(Conclusion::Success)),
            "{runs:?}"
        );
    }
}

#[test]
fn missing_verdicts_ask_for_a_person() {
    let runs = runs(|experiment| {
        experiment.regression = Some(Scorecard {
            errored: 1,
            ..fixtures::card(17, 0, 0, 0)
        });
    });
    assert_eq!(runs[0].conclusion, Some(Conclusion::ActionRequired));
    assert_eq!(runs[0].output.title, "Not decided: 1 of 18 runs have no verdict");
}

#[test]
fn an_indecisive_experiment_is_not_green_even_with_good_numbers() {
    let runs = runs(|experiment| experiment.decide(Ground::Budget, "the budget is spent", None));
    assert!(runs.iter().all(|run| run.conclusion != Some(Conclusion::Success)));
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

#[test]
fn while_it_is_measured_nothing_is_concluded_and_what_is_done_is_told() {
    let view = fixtures::check();
    let runs = in_progress(&view, Stage::Regression);
    assert!(
        runs.iter()
            .all(|run| run.status == CheckStatus::InProgress && run.conclusion.is_none())
    );
    let runs = in_progress(&view, Stage::Validation);
    assert_eq!(runs[0], check_runs(&view)[0]);
    assert_eq!(runs[1].output.title, "Measuring the validation set");
    let told = serde_json::to_value(&runs[1]).unwrap();
    assert_eq!(told.get("conclusion"), None, "GitHub would complete it");
}

#[test]
fn what_could_not_be_measured_asks_for_a_person_and_what_was_not_needed_does_not() {
    let runs = runs(|experiment| {
        experiment.decide(Ground::Infrastructure, "no power", None);
        experiment.regression = Some(Scorecard {
            errored: 2,
            ..Scorecard::default()
        });
    });
    assert_eq!(runs[0].conclusion, Some(Conclusion::ActionRequired));
    assert_eq!(runs[0].actions[0].identifier, "rerun");
    let runs = skipped("0123456789abcdef", "no file of the harness is touched");
    assert!(runs.iter().all(|run| run.conclusion == Some(Conclusion::Skipped)));
    assert_eq!(runs[0].external_id, "sprag:gate:0123456789ab:regression");
}

#[test]
fn a_broken_case_is_shown_in_its_file_and_buttons_obey_the_limits() {
    let runs = runs(|experiment| *experiment = fixtures::rejected("E008", "Something else"));
    let case = EvalCase::id_of(&TaskId::new("refund-1"));
    let path = format!(".sprag/suite/{case}.json");
    assert!(runs[0].output.annotations.iter().any(|place| place.path == path));
    assert_eq!(runs[0].actions.len(), 2);
    for action in &runs[0].actions {
        assert!(action.label.len() <= 20 && action.description.len() <= 40 && action.identifier.len() <= 20);
    }
}

#[test]
fn there_are_buttons_only_where_pressing_one_does_something() {
    let mut view = fixtures::check();
    view.experiment = fixtures::rejected("E008", "Something else");
    let pressed = |view: &CheckView| check_runs(view)[0].actions.clone();
    let identifiers: Vec<_> = pressed(&view).into_iter().map(|action| action.identifier).collect();
    assert_eq!(identifiers, ["rerun", "quarantine"]);
    view.buttons = false;
    assert_eq!(pressed(&view), []);
    assert!(check_runs(&view)[0].output.text.contains("comment `/sprag gate`"));
}

#[test]
fn a_case_that_was_left_out_is_named() {
    let mut view = fixtures::check();
    view.left_out = vec![TaskId::new("wavers")];
    let runs = check_runs(&view);
    assert!(runs[0].output.text.contains("### Not counted\n\n- `wavers`"));
    assert!(!runs[1].output.text.contains("wavers"));
}

#[test]
fn what_a_person_must_see_to_is_never_green() {
    let runs = blocked(
        "6f2c1e0d9b8a7f6e5d4c3b2a19080706f5e4d3c2",
        "it is in conflict with its base",
    );
    assert!(
        runs.iter()
            .all(|run| run.conclusion == Some(Conclusion::ActionRequired))
    );
}
