//! The agent of `sprag demo`: the helpdesk of a fictional shop, with its tools, its database and its tickets, all in the binary.
//!
//! The agent plays a playbook and uses no model; what it gets wrong is a playbook written in a hurry. `sprag helpdesk-worker` is its
//! runner. It reads `agent/playbook.toml` and `data/shop.json` anew at every run, so the harness under test is the one in the
//! working directory.

mod agent;
mod playbook;
mod shop;
mod tasks;
#[cfg(test)]
mod tests;
mod tools;
mod verdict;
mod worker;

use std::io::{self, BufRead, Write};
use std::path::Path;

/// Speaks the worker protocol in the current directory until `shutdown` or the end of the input.
///
/// # Errors
///
/// Only when the streams fail; what goes wrong in a run is answered.
pub fn serve(input: impl BufRead, output: impl Write) -> io::Result<()> {
    worker::serve(Path::new("."), input, output)
}

/// The files of the repository that the shop's team keeps its agent in: path and text.
pub fn project_files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("README.md", include_str!("../assets/helpdesk/README.md")),
        ("agent/playbook.toml", include_str!("../assets/helpdesk/agent/playbook.toml")),
        ("data/shop.json", include_str!("../assets/helpdesk/data/shop.json")),
        ("sprag.toml", include_str!("../assets/helpdesk/sprag.toml")),
    ]
}
