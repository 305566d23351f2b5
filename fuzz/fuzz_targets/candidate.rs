//! A change that somebody proposes: the first line is its path, what follows the file before and after it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::candidate::check::{Guarded, objection};
use sprag_core::harness::{FileChange, Harness, PathPolicy};
use sprag_core::id::TaskId;

fuzz_target!(|text: &str| {
    let (path, text) = text.split_once('\n').unwrap_or((text, ""));
    let (before, after) = text.split_once("\n---\n").unwrap_or(("", text));
    let policy = PathPolicy::new(&["agent/**".to_owned()], &[], &["evals/run.py".to_owned()]).expect("the globs are right");
    if policy.allows(path) {
        let parts: Vec<&str> = path.split('/').collect();
        assert_eq!(parts.first(), Some(&"agent"), "{path}: not below what may be changed");
        assert!(!parts.contains(&".."), "{path}: leads elsewhere");
    }
    let harness = Harness::new([(path.to_owned(), before.to_owned())]);
    let change = FileChange {
        path: path.to_owned(),
        text: Some(after.to_owned()),
    };
    let task = TaskId::new("task-0017");
    objection(&harness, &[change.clone()], &policy, &Guarded::of([&task], [], []));
    let changed = harness.with(&[change]);
    harness.diff(&changed);
});
