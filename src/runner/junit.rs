//! Reading a `JUnit` XML report: what a test run says about one task.

use sprag_core::trace::junit::{JunitError, Outcome, cases};

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

/// Reads a report. Skipped test cases count as neither; one that does not end says nothing.
pub(crate) fn read(xml: &str) -> Result<Report, JunitError> {
    let (cases, problem) = cases(xml);
    if let Some(problem) = problem {
        return Err(problem);
    }
    let mut report = Report::default();
    for case in cases {
        match case.outcome {
            Outcome::Passed => report.passed += 1,
            Outcome::Failed(_) => report.failed += 1,
            Outcome::Error(message) => {
                report
                    .error
                    .get_or_insert_with(|| format!("`{}`: {message}", case.name));
            }
            Outcome::Skipped => {}
        }
    }
    Ok(report)
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
