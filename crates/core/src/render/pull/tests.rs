use super::*;
use crate::render::fixtures::{self, CANARY};
use crate::score::Scorecard;
use proptest::prelude::*;

#[test]
fn an_accepted_change_is_told_whole() {
    insta::assert_snapshot!(pull_request(&fixtures::pull()).body);
}

#[test]
fn the_rest_is_what_github_asks_for() {
    let pull = pull_request(&fixtures::pull());
    insta::assert_snapshot!(
        format!("{} | {} -> {} | draft {} | {:?}", pull.title, pull.head, pull.base, pull.draft, pull.labels),
        @r#"Open a parcel trace when the order is lost | sprag/c-lost-parcel -> main | draft true | ["sprag"]"#
    );
}

#[test]
fn a_change_that_fell_closes_nothing_and_says_so() {
    let mut view = fixtures::pull();
    view.experiment = fixtures::rejected("E008", "Something else");
    let body = pull_request(&view).body;
    assert!(!body.to_lowercase().contains("closes #"), "{body}");
    assert!(body.contains("Reported in #12"));
    assert!(body.contains("did not pass its gates (rejected: regression 13/18 (0.722) is below the threshold 0.800)"));
}

#[test]
fn an_issue_that_reports_something_else_too_stays_open() {
    let mut view = fixtures::pull();
    view.issues_left = vec![view.issues.remove(0)];
    let body = pull_request(&view).body;
    assert!(body.contains("Closes #19"), "{body}");
    assert!(!body.contains("Closes #12"), "{body}");
    assert!(body.contains("Reported in #12, which stays open"), "{body}");
}

#[test]
fn a_removal_is_about_no_failure_and_closes_nothing() {
    let mut view = fixtures::pull();
    view.issues = Vec::new();
    view.new_cases = Vec::new();
    view.experiment.candidate.removes = Some(crate::id::ExperimentId::new("E003"));
    view.experiment.candidate.title = "Remove what E003 added: Open a parcel trace".to_owned();
    let pull = pull_request(&view);
    assert!(pull.title.starts_with("Remove what E003 added"));
    assert!(
        pull.body.contains("**What E003 added is no longer needed**"),
        "{}",
        pull.body
    );
    for left_out in ["## What failed", "## Root cause", "new cases join", "loses #"] {
        assert!(!pull.body.contains(left_out), "{left_out}: {}", pull.body);
    }
}

#[test]
fn held_out_tasks_are_not_named() {
    assert!(!pull_request(&fixtures::pull()).body.contains(CANARY));
}

#[test]
fn a_gate_that_measured_nothing_has_not_passed() {
    let mut view = fixtures::pull();
    view.experiment.regression = Some(Scorecard::default());
    view.experiment.validation = None;
    let body = pull_request(&view).body;
    assert!(
        body.contains("| regression suite | – | nothing to run | ≥ 0.800 | not measured |"),
        "{body}"
    );
    assert!(
        body.contains("| validation set | – | not run | ≥ 0.675 (best seen) | not measured |"),
        "{body}"
    );
}

#[test]
fn long_diffs_are_cut_with_a_note() {
    let mut view = fixtures::pull();
    view.experiment.candidate.diff = "+line\n".repeat(1000);
    assert!(pull_request(&view).body.contains("Cut after 300 of 1000 lines"));
}

#[test]
fn the_chart_needs_two_points() {
    let mut view = fixtures::pull();
    view.history = vec![0.5];
    assert!(!pull_request(&view).body.contains("```mermaid"));
}

fn outside_fences(body: &str) -> Vec<&str> {
    let mut fence: Option<&str> = None;
    let mut outside = Vec::new();
    for line in body.lines() {
        match fence {
            Some(ticks) if line == ticks => fence = None,
            Some(_) => {}
            None if line.starts_with("```") && !line.trim_start_matches('`').contains('`') => {
                fence = Some(line.trim_end_matches(char::is_alphabetic));
            }
            None => outside.push(line),
        }
    }
    outside
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn whatever_stands_in_it_the_body_is_short_enough_and_inert(piece in "[`@#<|&*\\\\ \n/a-c1-]{1,12}", times in 1usize..4000) {
        let text = piece.repeat(times);
        let mut view = fixtures::pull();
        view.cluster.title.clone_from(&text);
        view.experiment.candidate.title.clone_from(&text);
        view.experiment.candidate.hypothesis.clone_from(&text);
        view.experiment.candidate.diff.clone_from(&text);
        view.new_cases = vec![view.new_cases[0].clone(); 200];
        view.attempts = vec![view.attempts[0].clone(); 200];
        for attempt in &mut view.attempts {
            attempt.candidate.title.clone_from(&text);
            attempt.verdict = Some((Verdict::Rejected, text.clone()));
        }
        for case in &mut view.new_cases {
            case.title.clone_from(&text);
        }
        let pull = pull_request(&view);
        prop_assert!(pull.body.chars().count() <= 65_536);
        prop_assert!(pull.title.chars().count() <= 100 && !pull.title.contains('\n'));
        let html: Vec<&str> = outside_fences(&pull.body).into_iter().filter(|line| line.starts_with('<')).collect();
        prop_assert_eq!(html.len(), 5, "{:?}", html);
    }
}
