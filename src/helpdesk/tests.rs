//! The bundled agent as a whole: its scores, its tickets, its protocol.

use super::project_files;
use super::tasks::{self, Task};
use super::worker;
use sprag_core::trace::{Termination, Trace};
use sprag_core::trial::Split;
use std::collections::BTreeSet;
use std::path::Path;

const START: &str = include_str!("../../assets/helpdesk/agent/playbook.toml");
const REFERENCE: &str = include_str!("../../tests/fixtures/helpdesk/reference-playbook.toml");

/// A checkout with this playbook.
fn checkout(playbook: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in project_files() {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    fs_err::write(root.path().join("agent/playbook.toml"), playbook).unwrap();
    root
}

fn of(split: Split) -> impl Iterator<Item = &'static Task> {
    tasks::all().iter().filter(move |task| task.split == split)
}

/// The tasks that fail.
fn failures(playbook: &str, split: Split) -> Vec<(&'static Task, Trace)> {
    let root = checkout(playbook);
    let runs = of(split).map(|task| (task, worker::run_task(root.path(), task).unwrap()));
    runs.filter(|(_, (passed, _))| !passed).map(|(task, (_, trace))| (task, trace)).collect()
}

/// How many tasks of train and of validation pass.
fn passes(playbook: &str) -> (usize, usize) {
    let passes = |split| of(split).count() - failures(playbook, split).len();
    (passes(Split::Train), passes(Split::Validation))
}

fn with_step(step: &str) -> String {
    START.replacen("[[step]]\nname = \"Close the ticket\"", &format!("{step}\n\n[[step]]\nname = \"Close the ticket\""), 1)
}

#[test]
fn the_playbook_written_in_a_hurry_solves_less_than_half() {
    assert_eq!((of(Split::Train).count(), of(Split::Validation).count()), (40, 24));
    assert_eq!(passes(START), (17, 11));
}

#[test]
fn the_repaired_playbook_solves_everything() {
    for split in [Split::Train, Split::Validation] {
        for (task, trace) in failures(REFERENCE, split) {
            let failed: Vec<_> = trace.checks.iter().filter(|check| !check.passed).collect();
            panic!("{} fails: {failed:?}\n{}", task.id, task.ticket);
        }
    }
}
