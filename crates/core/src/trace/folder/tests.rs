//! Pieces that find each other in any order.

use crate::trace::read::{Folder, Format};

const HEADER: &str = r#"{"version": 2, "status": "cancelled", "eval": {"run_id": "r1", "task": "shop"}, "plan": {}}"#;
const SAMPLE: &str = r#"{"id": 7, "epoch": 1, "input": "hi", "messages": [{"role": "assistant", "content": "no"}], "scores": {"match": {"value": "I"}}}"#;

#[test]
fn a_header_names_the_samples_beside_it_and_no_others() {
    let mut folder = Folder::default();
    for (name, text) in [
        ("a.eval/header.json", HEADER),
        ("a.eval/samples/7_epoch_1.json", SAMPLE),
        ("b.eval/samples/7_epoch_1.json", SAMPLE),
    ] {
        let told = folder.take(name, text.as_bytes());
        assert_eq!(told.len(), usize::from(name.ends_with("header.json")), "{told:?}");
    }
    let (runs, warnings) = folder.finish();
    let told: Vec<_> = runs.iter().map(|run| (run.task.as_str(), run.passed)).collect();
    assert_eq!(
        told,
        [("shop/7", None), ("7", Some(false))],
        "a log that was cancelled judges nothing"
    );
    assert_eq!(warnings, []);
}

#[test]
fn a_run_that_two_files_tell_of_is_one() {
    let mut folder = Folder::default();
    for name in ["copy.json", "run.json"] {
        folder.take(name, br#"[{"role": "user", "content": "hi"}]"#);
    }
    assert_eq!(folder.finish().0.len(), 1);
}

#[test]
fn what_is_none_of_ours_is_counted_and_not_told() {
    let mut folder = Folder::default();
    for text in ["{\"a\": 1}", "plain text", "", "{\"broken"] {
        assert_eq!(folder.take("x.json", text.as_bytes()), []);
    }
    assert_eq!(folder.unknown(), 4);
}

#[test]
fn every_format_has_a_name_and_only_those() {
    for name in Format::names() {
        assert!(Format::named(name).is_some());
    }
    assert_eq!(Format::named("OTLP"), Some(Format::Otlp));
    assert_eq!(Format::named("csv"), None);
}
