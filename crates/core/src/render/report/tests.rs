use super::*;
use crate::render::fixtures::{self, CANARY};

#[test]
fn the_page_needs_nothing_else() {
    let html = report(&fixtures::report());
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>"));
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script", "<link"] {
        assert!(!html.contains(outside), "{outside} in the page");
    }
}

#[test]
fn the_words_on_the_page() {
    let html = report(&fixtures::report());
    let body = html.split("</style>").nth(1).unwrap();
    let main = body.split("<h2>Growth").next().unwrap();
    let text = regex::Regex::new(r"(?s)<svg.*?</svg>|<[^>]*>")
        .unwrap()
        .replace_all(main, " ");
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    insta::assert_snapshot!(
        lines
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn every_experiment_shows_its_verdict_reason_and_diff() {
    let view = fixtures::report();
    let html = report(&view);
    assert_eq!(
        html.matches("<details class=\"experiment\"").count(),
        view.experiments.len()
    );
    assert_eq!(
        html.matches("<span class=\"badge accepted\">").count(),
        view.experiments.iter().filter(|e| accepted(e)).count()
    );
    assert!(html.contains("(0.722) is below the threshold 0.800"));
    assert!(html.contains("<span class=\"add\">+call = &quot;open_parcel_trace&quot;\n</span>"));
}

#[test]
fn held_out_tasks_are_not_named() {
    assert!(!report(&fixtures::report()).contains(CANARY));
}

#[test]
fn untrusted_text_is_text() {
    let hostile = "</title><script>alert(1)</script>\u{202e}";
    let mut view = fixtures::report();
    view.name = hostile.to_owned();
    view.clusters[0].title = hostile.to_owned();
    view.batches[0].done = hostile.to_owned();
    view.cases[0].title = hostile.to_owned();
    let experiment = &mut view.experiments[0];
    experiment.candidate.title = hostile.to_owned();
    experiment.candidate.hypothesis = hostile.to_owned();
    experiment.candidate.diff = hostile.to_owned();
    let html = report(&view);
    assert!(!html.contains("<script") && !html.contains('\u{202e}'));
}

#[test]
fn an_empty_run_is_still_a_page() {
    let view = ReportView {
        baseline: Scorecard::default(),
        latest: Scorecard::default(),
        batches: Vec::new(),
        experiments: Vec::new(),
        clusters: Vec::new(),
        cases: Vec::new(),
        failure_kinds: BTreeMap::new(),
        ..fixtures::report()
    };
    let html = report(&view);
    assert!(html.contains("No change was tried.") && html.contains("No cluster was found"));
}

#[test]
fn diff_lines_are_told_apart() {
    let classes: Vec<&str> = diff_lines("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n--- b\n+++ c")
        .iter()
        .map(|line| line.class)
        .collect();
    assert_eq!(classes, ["file", "file", "hunk", "same", "del", "add"]);
}
