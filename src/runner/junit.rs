//! Reading a `JUnit` XML report: what a test run says about one task. Entities of a document type are never expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What a report counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Test cases that ran and passed.
    pub passed: usize,
    /// Test cases that ran and failed.
    pub failed: usize,
    /// The first test case that could not be judged, with its message.
    pub error: Option<String>,
}

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// It is not XML.
    #[error("it is not well-formed XML: {0}")]
    Xml(#[from] quick_xml::Error),
    /// It stops in the middle.
    #[error("it ends before its last element is closed")]
    Truncated,
}

#[derive(Default)]
struct TestCase {
    name: String,
    failed: bool,
    skipped: bool,
    error: Option<String>,
}

/// Reads a report. Skipped test cases count as neither.
pub(crate) fn read(xml: &str) -> Result<Report, ReportError> {
    let mut reader = Reader::from_str(xml);
    let mut report = Report::default();
    let mut open: Option<TestCase> = None;
    let mut depth = 0_usize;
    loop {
        match reader.read_event()? {
            Event::Start(element) => {
                depth += 1;
                enter(&element, &mut open);
            }
            Event::Empty(element) => {
                enter(&element, &mut open);
                if element.name().as_ref() == b"testcase" {
                    leave(open.take(), &mut report);
                }
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                if element.name().as_ref() == b"testcase" {
                    leave(open.take(), &mut report);
                }
            }
            Event::Eof if depth > 0 => return Err(ReportError::Truncated),
            Event::Eof => return Ok(report),
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

fn enter(element: &BytesStart<'_>, open: &mut Option<TestCase>) {
    match (element.name().as_ref(), open) {
        (b"testcase", open) => {
            *open = Some(TestCase {
                name: attribute(element, b"name"),
                ..TestCase::default()
            });
        }
        (b"failure", Some(case)) => case.failed = true,
        (b"skipped", Some(case)) => case.skipped = true,
        (b"error", Some(case)) => case.error = Some(attribute(element, b"message")),
        _ => {}
    }
}

fn leave(case: Option<TestCase>, report: &mut Report) {
    match case {
        Some(TestCase {
            name,
            error: Some(message),
            ..
        }) => {
            report.error.get_or_insert_with(|| format!("`{name}`: {message}"));
        }
        Some(TestCase { failed: true, .. }) => report.failed += 1,
        Some(TestCase { skipped: true, .. }) | None => {}
        Some(_) => report.passed += 1,
    }
}

fn attribute(element: &BytesStart<'_>, name: &[u8]) -> String {
    let found = element
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.as_ref() == name);
    found
        .map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(xml: &str) -> (usize, usize) {
        let report = read(xml).unwrap();
        assert_eq!(report.error, None);
        (report.passed, report.failed)
    }

    #[test]
    fn test_cases_are_counted_in_any_nesting() {
        let xml = r#"<?xml version="1.0"?><testsuites><testsuite name="a"><testcase name="1"/>
            <testcase name="2"><system-out>x</system-out></testcase>
            <testcase name="3"><failure message="m">long</failure></testcase>
            <testcase name="4"><skipped/></testcase></testsuite></testsuites>"#;
        assert_eq!(counts(xml), (2, 1));
        assert_eq!(counts("<testsuite/>"), (0, 0));
    }

    #[test]
    fn an_error_is_no_verdict() {
        let report =
            read(r#"<testsuite><testcase name="1"><error message="no fixture"/></testcase></testsuite>"#).unwrap();
        assert_eq!(report.error.unwrap(), "`1`: no fixture");
    }

    #[test]
    fn broken_reports_are_refused() {
        assert_eq!(
            read("<testsuite><testcase>").unwrap_err().to_string(),
            "it ends before its last element is closed"
        );
        assert!(read("<a></b>").is_err());
    }

    #[test]
    fn entities_are_not_expanded() {
        let xml = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
            <testsuite><testcase name="&b;"><error message="&b;"/></testcase></testsuite>"#;
        assert_eq!(read(xml).unwrap().error.unwrap(), "`&b;`: &b;");
    }
}
