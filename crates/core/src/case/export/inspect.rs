//! Eval cases as a task of Inspect.

use super::File;

pub(super) fn files() -> Vec<File> {
    vec![File {
        name: "cases_task.py",
        text: include_str!("templates/cases_task.py").to_owned(),
    }]
}
