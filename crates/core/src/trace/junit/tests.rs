//! The traps of `JUnit` reports.

use super::*;
use crate::trace::read::read_any;

const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<testsuites name="run" tests="7"><testsuite name="outer"><testsuite name="inner">
  <testcase name="adds" classname="math" time="0.1"/>
  <testcase name="divides" classname="math" file="math.py">
    <system-out>dividing</system-out>
    <failure message="1 &lt; 2" type="AssertionError">#x1B[31mE  assert 1 &lt; 2#x1B[0m
&#27;[1m&b;<![CDATA[<x>]]></failure>
    <rerunFailure type="x" message="again"><system-out>noise</system-out><stackTrace>at line 3</stackTrace></rerunFailure>
  </testcase>
  <testcase name="flaky" classname="math"><flakyFailure message="once">x</flakyFailure></testcase>
  <testcase name="setup" classname="math"><error message="no database">Traceback</error></testcase>
  <testcase name="later" classname="math"><skipped/></testcase>
</testsuite></testsuite></testsuites>"#;

fn clean(text: &str) -> Vec<ReadTrace> {
    let (runs, warnings) = read_any("x", text.as_bytes());
    assert_eq!(warnings, []);
    runs
}

#[test]
fn a_test_case_is_a_task_and_each_failed_try_a_trial() {
    let runs = clean(REPORT);
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.task.as_str(), run.trial, run.passed, run.kind_hint))
        .collect();
    assert_eq!(
        told,
        [
            ("math::adds", 0, Some(true), None),
            ("math::divides", 0, Some(false), None),
            ("math::divides", 1, Some(false), None),
            // It passed when it was tried again.
            ("math::flaky", 0, Some(true), None),
            ("math::setup", 0, None, Some(FailureKind::Infrastructure)),
        ]
    );
}

#[test]
fn texts_are_plain_and_entities_of_the_document_are_not_expanded() {
    let runs = clean(REPORT);
    let details: Vec<_> = runs.iter().map(|run| run.trace.checks[0].detail.as_str()).collect();
    assert_eq!(details[1], "E  assert 1 < 2\n&b;<x>");
    assert_eq!(details[2], "again\nat line 3");
    assert_eq!(details[4], "no database\nTraceback");
    let steps: Vec<_> = runs[1].trace.steps.iter().map(|step| step.content.as_str()).collect();
    assert_eq!(steps, ["math::divides", "dividing"]);
}

#[test]
fn a_report_may_be_one_suite_and_its_cases_may_have_no_class() {
    let runs = clean(
        r#"<testsuite><testcase name="a" file="t.py"><failure message="m"/></testcase><testcase name="b"/></testsuite>"#,
    );
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.task.as_str(), run.trace.checks[0].detail.as_str()))
        .collect();
    assert_eq!(told, [("t.py::a", "m"), ("b", "")]);
}

#[test]
fn a_report_that_breaks_off_gives_its_whole_cases() {
    for (cut, message) in [
        (
            "<testcase name=\"flaky\"",
            "it ends before its last element is closed; what stands before that is used",
        ),
        (
            "</testsuite>",
            "it ends before its last element is closed; what stands before that is used",
        ),
    ] {
        let (runs, warnings) = read_any("x", &REPORT.as_bytes()[..REPORT.find(cut).unwrap()]);
        assert!(runs.len() >= 3);
        assert_eq!(warnings[0].to_string(), message);
    }
    let (runs, warnings) = read_any("x", b"<testsuite><testcase name=\"a\"/></nonsense>");
    assert_eq!(runs.len(), 1);
    assert!(
        warnings[0].to_string().starts_with("it is not well-formed XML: "),
        "{}",
        warnings[0]
    );
}

#[test]
fn long_texts_are_cut_and_other_xml_is_not_read() {
    let long = format!(
        "<testsuite><testcase name=\"a\"><failure>{}</failure></testcase></testsuite>",
        "ä".repeat(KEPT)
    );
    assert!(clean(&long)[0].trace.checks[0].detail.len() <= KEPT + 2);
    assert_eq!(read_any("x", b"<coverage><testsuit/></coverage>").0, []);
}

#[test]
fn a_part_that_is_too_large_ends_the_report_and_is_named() {
    let text = "x".repeat(RECORD);
    let report = format!(
        "<testsuite><testcase name=\"a\"/><testcase name=\"b\"><system-out>{text}</system-out></testcase></testsuite>"
    );
    let mut runs = Vec::new();
    let warnings = stream(report.as_bytes(), &mut |run| runs.push(run.task.to_string()));
    assert_eq!(runs, ["a"]);
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["it cannot be read further: a tag or a text of more than 32 MB; what stands before that is used"]
    );
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_warned_of_once() {
    let report =
        b"<testsuite><testcase name=\"\xff\"/><testcase name=\"b\"><failure>\xfe</failure></testcase></testsuite>";
    let mut runs = Vec::new();
    let warnings = stream(&report[..], &mut |run| runs.push(run.task.to_string()));
    assert_eq!(runs, ["\u{fffd}", "b"]);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.starts_with("not UTF-8"));
}
