//! Reading JSON reports that test tools leave behind: promptfoo results (version 3) and Inspect logs (version 2, `.json`).

use super::junit::Report;
use serde::Deserialize;
use serde_json::Value;
use sprag_core::trace::inspect::is_full;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct PromptfooFile {
    results: PromptfooResults,
}

#[derive(Deserialize)]
struct PromptfooResults {
    results: Vec<PromptfooRow>,
}

/// `failureReason`: 0 none, 1 an assertion, 2 an error of the provider. `error` is set for assertions too, so it does not tell them apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptfooRow {
    success: bool,
    #[serde(default)]
    failure_reason: u8,
    #[serde(default)]
    error: Option<String>,
}

/// Reads the file that `promptfoo eval -o out.json` writes.
pub(crate) fn promptfoo(bytes: &[u8]) -> Result<Report, serde_json::Error> {
    let file: PromptfooFile = serde_json::from_slice(bytes)?;
    let mut report = Report::default();
    for row in file.results.results {
        match (row.success, row.failure_reason) {
            (_, 2) => {
                report
                    .error
                    .get_or_insert(row.error.unwrap_or_else(|| "the provider failed".to_owned()));
            }
            (true, _) => report.passed += 1,
            (false, _) => report.failed += 1,
        }
    }
    Ok(report)
}

#[derive(Deserialize)]
struct InspectLog {
    status: String,
    #[serde(default)]
    samples: Option<Vec<InspectSample>>,
}

#[derive(Deserialize)]
struct InspectSample {
    #[serde(default)]
    scores: Option<BTreeMap<String, InspectScore>>,
    #[serde(default)]
    error: Option<InspectError>,
}

#[derive(Deserialize)]
struct InspectScore {
    value: Value,
}

#[derive(Deserialize)]
struct InspectError {
    message: String,
}

/// Reads an Inspect log. A log that was started, cancelled or ended in an error is partial and judges nothing.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Report, serde_json::Error> {
    let log: InspectLog = serde_json::from_slice(bytes)?;
    let mut report = Report::default();
    if log.status != "success" {
        report.error = Some(format!("the log's status is `{}`, so it is not whole", log.status));
    }
    for sample in log.samples.unwrap_or_default() {
        let scores = sample.scores.unwrap_or_default();
        match (sample.error, scores.is_empty()) {
            (Some(error), _) => {
                report.error.get_or_insert(error.message);
            }
            (None, true) => {
                report.error.get_or_insert("a sample has no score".to_owned());
            }
            (None, false) if scores.values().all(|score| is_full(&score.value)) => report.passed += 1,
            (None, false) => report.failed += 1,
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(report: &Report) -> (usize, usize, bool) {
        (report.passed, report.failed, report.error.is_some())
    }

    #[test]
    fn promptfoo_rows_are_told_apart_by_their_reason_and_not_by_their_error_text() {
        let file = br#"{"evalId": "e", "results": {"version": 3, "results": [
            {"success": true, "score": 1, "failureReason": 0},
            {"success": false, "score": 0.8, "failureReason": 1, "error": "Expected output to contain x"}]}}"#;
        assert_eq!(counts(&promptfoo(file).unwrap()), (1, 1, false));
        let broken = br#"{"results": {"results": [{"success": false, "failureReason": 2, "error": "429"}]}}"#;
        assert_eq!(counts(&promptfoo(broken).unwrap()), (0, 0, true));
        assert!(promptfoo(b"[]").is_err());
    }

    #[test]
    fn an_inspect_log_judges_only_when_it_is_whole() {
        let log =
            |status: &str, samples: &str| format!(r#"{{"version": 2, "status": "{status}", "samples": [{samples}]}}"#);
        let good = r#"{"id": 1, "scores": {"match": {"value": "C"}, "steps": {"value": {"a": 1.0, "b": true}}}}"#;
        let bad = r#"{"id": 2, "scores": {"match": {"value": "P"}}}"#;
        let read = |text: String| counts(&inspect(text.as_bytes()).unwrap());
        assert_eq!(read(log("success", &format!("{good}, {bad}"))), (1, 1, false));
        assert_eq!(read(log("cancelled", good)), (1, 0, true));
        assert_eq!(
            read(log("success", r#"{"id": 3, "error": {"message": "boom"}}"#)),
            (0, 0, true)
        );
        assert_eq!(read(log("success", r#"{"id": 4}"#)), (0, 0, true));
    }
}
