//! Pieces that find each other in any order.

use crate::trace::read::{Folder, Format, ReadTrace};

const HEADER: &str = r#"{"version": 2, "status": "cancelled", "eval": {"run_id": "r1", "task": "shop"}, "plan": {}}"#;
const SAMPLE: &str = r#"{"id": 7, "epoch": 1, "input": "hi", "messages": [{"role": "assistant", "content": "no"}], "scores": {"match": {"value": "I"}}}"#;

/// What a folder of these files gives, and what was told.
pub(in super::super) fn gathered(files: &[(&str, &str)]) -> (Vec<ReadTrace>, Vec<String>) {
    let (mut folder, mut runs, mut warnings) = (Folder::default(), Vec::new(), Vec::new());
    let mut take = |run| runs.push(run);
    files.iter().for_each(|(name, text)| folder.note(name, text.as_bytes()));
    for (name, text) in files {
        warnings.extend(folder.take(name, text.as_bytes(), &mut take));
    }
    warnings.extend(folder.finish(&mut take));
    (runs, warnings.iter().map(ToString::to_string).collect())
}

#[test]
fn a_header_names_the_samples_beside_it_and_no_others() {
    let (runs, warnings) = gathered(&[
        ("a.eval/samples/7_epoch_1.json", SAMPLE),
        ("a.eval/header.json", HEADER),
        ("b.eval/samples/7_epoch_1.json", SAMPLE),
    ]);
    let told: Vec<_> = runs.iter().map(|run| (run.task.as_str(), run.passed)).collect();
    assert_eq!(
        told,
        [("shop/7", None), ("7", Some(false))],
        "a log that was cancelled judges nothing"
    );
    assert_eq!(
        warnings,
        ["status: the log is `cancelled`, so it is not whole, and its scores do not count"]
    );
}

#[test]
fn a_run_that_two_files_tell_of_is_one() {
    let text = r#"[{"role": "user", "content": "hi"}]"#;
    assert_eq!(gathered(&[("copy.json", text), ("run.json", text)]).0.len(), 1);
}

#[test]
fn what_is_none_of_ours_is_counted_and_the_first_are_named_at_the_end() {
    let mut folder = Folder::default();
    for (name, text) in [("a", "{\"a\": 1}"), ("b", "plain text"), ("c", ""), ("d", "{\"broken")] {
        assert_eq!(folder.take(name, text.as_bytes(), &mut |_| ()), []);
    }
    assert_eq!(folder.unknown(), 4);
    let told: Vec<String> = folder.finish(&mut |_| ()).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["4 files have no format that sprag knows, and are left out: a, b, c and 1 more"]
    );
}

#[test]
fn every_format_has_a_name_and_only_those() {
    for name in Format::names() {
        assert!(Format::named(name).is_some());
    }
    assert_eq!(Format::named("OTLP"), Some(Format::Otlp));
    assert_eq!(Format::named("csv"), None);
}
