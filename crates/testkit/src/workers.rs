//! Scripted workers: small programs in `tests/fixtures/workers/` that speak, or break, the worker protocol.

use std::path::Path;

/// The command that runs one of the Python workers with some options. Tests run in the root of the project, where they are.
pub fn python(script: &str, options: &[&str]) -> Vec<String> {
    let path = std::path::absolute(Path::new("tests/fixtures/workers").join(script));
    let path = path
        .expect("there is a working directory")
        .to_string_lossy()
        .into_owned();
    let command = ["python3".to_owned(), path];
    command
        .into_iter()
        .chain(options.iter().map(|&option| option.to_owned()))
        .collect()
}

/// The command of a worker that is a few lines of `sh`.
pub fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).into()
}
