//! Scripted workers: small programs in `tests/fixtures/workers/` that speak, or break, the worker protocol.

use std::path::PathBuf;

/// The command that runs one of the Python workers with some options.
pub fn python(script: &str, options: &[&str]) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/workers")
        .join(script);
    let command = ["python3".to_owned(), path.to_string_lossy().into_owned()];
    command
        .into_iter()
        .chain(options.iter().map(|&option| option.to_owned()))
        .collect()
}

/// The command of a worker that is a few lines of `sh`.
pub fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).into()
}
