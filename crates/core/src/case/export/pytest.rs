//! Eval cases as tests of pytest.

use super::File;

pub(super) fn files() -> Vec<File> {
    vec![File {
        name: "test_cases.py",
        text: include_str!("templates/test_cases.py").to_owned(),
    }]
}
