//! Which format a file has, and worker traces in all their wrappings.

use super::*;
use crate::trace::{Effect, Termination};
use proptest::prelude::*;

const LINES: &str = include_str!("../../../tests/fixtures/worker_runs.jsonl");

fn told(warnings: &[Warning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn each_format_is_known_by_its_content() {
    let results = include_bytes!("../../../tests/fixtures/tau2_results.json");
    let list = include_bytes!("../../../tests/fixtures/tau_bench.json");
    let sources = |bytes: &[u8]| {
        read_any("x", bytes)
            .0
            .into_iter()
            .map(|run| run.source)
            .collect::<Vec<_>>()
    };
    assert_eq!(sources(results)[0], "tau2:5c9a:1");
    assert!(sources(list)[0].starts_with("tau-bench:4:2:"));
    assert!(sources(LINES.as_bytes())[0].starts_with("worker:a:0:"));
    let one_line: String = String::from_utf8_lossy(results)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert_eq!(sources(one_line.as_bytes()).len(), 3);
}

#[test]
fn lines_are_read_one_by_one() {
    let (runs, warnings) = read_any("runs.jsonl", LINES.as_bytes());
    assert_eq!(
        told(&warnings),
        [
            "line 2: expected ident",
            "line 6: left out: neither a `trace` nor `steps`"
        ]
    );
    let heads: Vec<_> = runs
        .iter()
        .map(|run| (run.task.as_str(), run.trial, run.passed, run.score, run.kind_hint))
        .collect();
    assert_eq!(
        heads,
        [
            ("a", 0, Some(false), Some(0.25), None),
            ("b", 3, None, None, Some(FailureKind::Infrastructure)),
            ("c", 0, Some(true), Some(1.0), None),
        ]
    );
    let trace = &runs[0].trace;
    assert_eq!(trace.effect_of("get_order"), Effect::Read);
    assert!(trace.exchanges()[0].succeeded());
    let action = &trace.expected.as_ref().unwrap().actions[0];
    assert_eq!(
        (action.name.as_str(), action.compare.as_deref()),
        ("refund", Some(&[][..]))
    );
    assert_eq!((trace.checks.len(), trace.termination), (1, Termination::AgentStop));
    assert_eq!(runs[2].trace.termination, Termination::Unknown);
}

#[test]
fn a_trace_reads_back_as_it_was_written() {
    let (runs, _) = read_any("runs.jsonl", LINES.as_bytes());
    let object = serde_json::json!({"task": "a", "passed": false, "score": 0.25, "trace": runs[0].trace});
    for text in [
        serde_json::to_string_pretty(&object).unwrap(),
        serde_json::json!([object]).to_string(),
        object.to_string(),
    ] {
        let (again, warnings) = read_any("one.json", text.as_bytes());
        assert_eq!((again, warnings), (vec![runs[0].clone()], Vec::new()));
    }
}

#[test]
fn a_bare_trace_is_a_task_of_its_own() {
    let text = r#"{"steps": [{"role": "user", "content": "hi"}]}"#;
    let (runs, warnings) = read_any("bare.json", text.as_bytes());
    assert!(runs[0].task.as_str().starts_with("trace-"));
    assert_eq!(told(&warnings), ["no `task`: the run is taken as a task of its own"]);
    assert_eq!(read_any("renamed.json", text.as_bytes()).0, runs);
}

#[test]
fn what_is_none_of_the_formats_says_what_would_be() {
    for (text, message) in [
        ("", "nothing.txt: the file is empty"),
        (
            "{}",
            "nothing.txt: not a format that sprag knows (docs/formats.md lists them)",
        ),
    ] {
        let (runs, warnings) = read_any("nothing.txt", text.as_bytes());
        assert!(runs.is_empty());
        assert_eq!(told(&warnings), [message]);
    }
    let (_, warnings) = read_any("cut.json", br#"{"info": {"#);
    assert_eq!(
        warnings[0].to_string(),
        "byte 10: the file breaks off here; what stands before it is used"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_any("noise", &bytes);
    }

    #[test]
    fn no_mutation_of_a_file_makes_the_reader_panic(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..4000) {
        for file in [&include_bytes!("../../../tests/fixtures/tau2_results.json")[..], LINES.as_bytes()] {
            let mut bytes = file[..cut.min(file.len())].to_vec();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            read_any("mutated", &bytes);
        }
    }
}

/// One small file of each format, to be damaged.
const SAMPLES: [&str; 9] = [
    r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "spanId": "s", "startTimeUnixNano": "5", "status": {"code": 2}, "events": [{"name": "gen_ai.evaluation.result"}], "attributes": [{"key": "gen_ai.prompt.0.content", "value": {"stringValue": "x"}}, {"key": "a", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": []}}]}}}]}]}]}]}"#,
    r#"{"version": 2, "status": "success", "eval": {"task": "t"}, "samples": [{"id": 1, "epoch": 1, "input": "x", "messages": [{"role": "tool", "error": {"message": "m"}}], "scores": {"a": {"value": [1, "C"]}}, "attachments": {"a": "b"}}]}"#,
    r#"{"evalId": "e", "results": {"version": 3, "results": [{"success": false, "provider": {"id": "p"}, "vars": {}, "prompt": {"raw": "[{\"role\": \"user\"}]"}, "response": {"output": []}, "gradingResult": {"componentResults": [{"pass": false, "score": 1, "reason": "I cannot verify", "assertion": {"type": "llm-rubric"}}]}}]}}"#,
    "<testsuites><testsuite><testcase name=\"a\"><failure message=\"&amp;&#27;[1m\">x</failure><rerunFailure/></testcase></testsuite></testsuites>",
    r#"[{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": []}]}, {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}]"#,
    "{\"type\": \"system\", \"subtype\": \"init\"}\n{\"type\": \"assistant\", \"message\": {\"content\": [{\"type\": \"tool_use\"}]}}\n{\"type\": \"result\", \"subtype\": \"success\", \"is_error\": true}\n",
    r#"{"task_name": "t", "verifier_result": {"rewards": {"reward": 0}}, "agent_execution": {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:00.1Z"}, "exception_info": {"exception_type": "E"}}"#,
    r#"{"run": {"graderCount": 1}, "results": [{"id": "a", "passed": false, "value": 1}]}"#,
    r"[{'role': 'user', 'content': 'it\'s \x41'}, {'role': 'assistant', 'tool_calls': [{'name': 'x', 'arguments': '{\'a\': None}'}]}]",
];

#[test]
fn each_sample_is_of_a_known_format() {
    for text in SAMPLES {
        assert!(!read_any("x", text.as_bytes()).0.is_empty(), "{text}");
    }
}

fn mapping() -> Mapping {
    Mapping {
        messages: "/messages".to_owned(),
        task: Some("/0/~1/x".to_owned()),
        ..Mapping::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_any_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"'<>/a-z0-9 \\\\\n]{0,80}") {
        for name in Format::names() {
            let format = Format::named(name).unwrap();
            read_as(format, "noise", &bytes);
            read_as(format, "noise", text.as_bytes());
        }
        read_mapped(&mapping(), "noise", text.as_bytes());
    }

    #[test]
    fn no_damage_makes_any_reader_panic(sample in 0..SAMPLES.len(), at in 0_usize..600, piece in "[\\[\\]{}:,\"'<>/0-9null]{0,4}", cut in 0_usize..900) {
        let text = SAMPLES[sample].as_bytes();
        let at = at.min(text.len());
        let mut bytes = [&text[..at], piece.as_bytes(), &text[(at + piece.len()).min(text.len())..]].concat();
        bytes.truncate(cut.max(20));
        read_any("damaged", &bytes);
        for name in Format::names() {
            read_as(Format::named(name).unwrap(), "damaged", &bytes);
        }
        let mut folder = Folder::new(Some(mapping()));
        let names = ["a/samples/x.json", "a/graders/x.json"];
        names.iter().for_each(|name| folder.note(name, &bytes));
        names.iter().for_each(|name| drop(folder.take(name, &bytes, &mut |_| ())));
        folder.finish(&mut |_| ());
    }
}
