//! Files that are read piece by piece give what they give as a whole.

use super::*;
use crate::trace::read::{read_any, read_mapped};
use proptest::prelude::*;

/// Reads a file as a large one, whose bytes come in pieces of these sizes.
fn piecewise(bytes: &[u8], sizes: &[usize], mapping: Option<&Mapping>) -> Option<(Vec<ReadTrace>, Vec<String>)> {
    let mut survey = Survey::new(None, mapping, bytes)?;
    let chunks = || {
        let mut rest = bytes;
        sizes.iter().cycle().map_while(move |size| {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            rest = later;
            (!now.is_empty()).then_some(now)
        })
    };
    chunks().for_each(|chunk| survey.push(chunk));
    let mut stream = survey.finish("x").ok()?;
    let mut traces = Vec::new();
    chunks().for_each(|chunk| stream.push(chunk, &mut |run| traces.push(run)));
    let warnings = stream.finish(&mut |run| traces.push(run));
    Some((traces, warnings.iter().map(ToString::to_string).collect()))
}

fn whole(bytes: &[u8]) -> (Vec<ReadTrace>, Vec<String>) {
    let (traces, warnings) = read_any("x", bytes);
    (traces, warnings.iter().map(ToString::to_string).collect())
}

const FILES: [&str; 12] = [
    include_str!("../../../tests/fixtures/tau2_results.json"),
    include_str!("../../../tests/fixtures/tau_bench.json"),
    include_str!("../../../tests/fixtures/worker_runs.jsonl"),
    // The header stands behind the samples.
    r#"{"samples": [{"id": 1, "epoch": 1, "messages": [{"role": "user", "content": "hi"}], "scores": {"a": {"value": "I"}}}, {"id": 2, "epoch": 1, "messages": 5}], "version": 2, "status": "success", "eval": {"run_id": "r", "task": "t"}}"#,
    // The second row makes the provider part of both names.
    "{\"success\": false, \"provider\": \"a\", \"vars\": {\"q\": 1}}\n{\"success\": false, \"provider\": \"b\", \"vars\": {\"q\": 1}}\n",
    r#"{"evalId": "e", "results": {"version": 3, "results": [{"success": false, "provider": {"id": "p"}, "vars": {"q": 1}, "testIdx": 0}, {"success": true, "provider": {"id": "p"}, "vars": {"q": 1}, "testIdx": 1}], "stats": {}}}"#,
    "start of a log\n{\"role\": \"user\", \"content\": \"hi\"}\nnoise\n{\"role\": \"assistant\", \"content\": \"no\"}\n",
    "\u{feff}{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}\n{\"messages\": [{\"role\": \"user\", \"content\": \"ho\"}]}\n{bad\n",
    "{\"type\": \"user\", \"session_id\": \"a\", \"message\": {\"role\": \"user\", \"content\": \"1\"}}\n{\"type\": \"user\", \"session_id\": \"b\", \"message\": {\"role\": \"user\", \"content\": \"2\"}}\n{\"type\": \"result\", \"subtype\": \"success\", \"is_error\": true, \"session_id\": \"a\"}\n",
    r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "spanId": "a", "name": "x"}, {"traceId": "u", "spanId": "b", "name": "y"}]}]}, {"scopeSpans": [{"spans": [{"traceId": "t", "spanId": "c", "parentSpanId": "a", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}, {"key": "gen_ai.prompt", "value": {"stringValue": "hi"}}]}]}]}]}"#,
    r#"[{"task_name": "t", "trial_name": "n", "verifier_result": {"rewards": {"reward": 0}}}]"#,
    r#"{"results": "none", "task": "t", "passed": false, "trace": {"steps": [{"role": "user", "content": "\ud83d\ude00"}]}}"#,
];

#[test]
fn every_file_gives_the_same_piece_by_piece() {
    for text in FILES {
        let expected = whole(text.as_bytes());
        assert!(!expected.0.is_empty(), "{text}");
        assert_eq!(
            piecewise(text.as_bytes(), &[usize::MAX], None),
            Some(expected),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn the_runs_do_not_depend_on_how_the_bytes_come(file in 0..FILES.len(), sizes in prop::collection::vec(1_usize..90, 1..6), cut in 10_usize..=100) {
        let text = FILES[file];
        let end = text.floor_char_boundary(text.len() * cut / 100);
        let expected = whole(&text.as_bytes()[..end]).0;
        let traces = piecewise(&text.as_bytes()[..end], &sizes, None).map(|(traces, _)| traces);
        prop_assert_eq!(traces.unwrap_or_default(), expected);
    }
}

/// A conversation line of so many bytes.
fn line(kind: &str, session: usize, content: &str, bytes: usize) -> String {
    let filler = "x".repeat(bytes);
    match kind {
        "claude" => format!(
            "{{\"type\": \"user\", \"session_id\": \"{session}\", \"message\": {{\"role\": \"user\", \"content\": \"{content}\"}}, \"filler\": \"{filler}\"}}\n"
        ),
        _ => format!(
            "{{\"traceId\": \"{session}\", \"spanId\": \"{content}\", \"name\": \"chat\", \"startTimeUnixNano\": 1, \"attributes\": {{\"gen_ai.operation.name\": \"chat\", \"gen_ai.prompt\": \"{content}\"}}, \"filler\": \"{filler}\"}}\n"
        ),
    }
}

#[test]
fn runs_whose_records_stand_apart_are_put_together_over_pieces() {
    for kind in ["claude", "otlp"] {
        let mut text = String::new();
        for at in 0..24_usize {
            // Two sessions at a time, one record of each after the other; each piece has four records.
            text.push_str(&line(kind, at / 8 * 2 + at % 2, &format!("m{at}"), 1_000_000));
        }
        let (mut expected, _) = whole(text.as_bytes());
        let (mut traces, warnings) = piecewise(text.as_bytes(), &[1 << 16], None).unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(traces.len(), 6, "{kind}");
        traces.sort_by(|left, right| left.source.cmp(&right.source));
        expected.sort_by(|left, right| left.source.cmp(&right.source));
        assert_eq!(traces, expected, "{kind}");
    }
}

#[test]
fn what_stands_too_far_from_the_rest_of_its_run_is_left_out_and_told() {
    for kind in ["claude", "otlp"] {
        let mut text = line(kind, 1, "begin", 10);
        (0..9).for_each(|at| text.push_str(&line(kind, at + 2, "other", 1_000_000)));
        text.push_str(&line(kind, 1, "end", 10));
        let (traces, warnings) = piecewise(text.as_bytes(), &[1 << 16], None).unwrap();
        let first = traces.iter().find(|run| run.source.ends_with(":1")).unwrap();
        assert_eq!(first.trace.steps.len(), 1);
        assert_eq!(
            warnings,
            ["a part of the run `1` stands too far from the rest of it in the file, and is left out"]
        );
    }
}

#[test]
fn records_of_a_teams_own_making_are_read_piece_by_piece() {
    let mapping = Mapping {
        messages: "/log".to_owned(),
        ..Mapping::default()
    };
    let text = "{\"log\": [{\"role\": \"user\", \"content\": \"hi\"}]}\n{\"log\": 5}\n";
    let (expected, warnings) = read_mapped(&mapping, "x", text.as_bytes());
    let (traces, told) = piecewise(text.as_bytes(), &[7], Some(&mapping)).unwrap();
    assert_eq!(
        (traces, told),
        (expected, warnings.iter().map(ToString::to_string).collect())
    );
}

#[test]
fn xml_and_python_are_only_read_as_a_whole_and_unknown_files_say_so() {
    for text in ["<testsuites></testsuites>", "[{'role': 'user'}]"] {
        assert!(Survey::new(None, None, text.as_bytes()).is_none(), "{text}");
    }
    let survey = Survey::new(None, None, b"{}").unwrap();
    assert_eq!(
        survey.finish("big.json").unwrap_err().to_string(),
        "big.json: not a format that sprag knows (docs/formats.md lists them)"
    );
}
