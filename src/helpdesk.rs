//! The agent of `sprag demo`: the helpdesk of a fictional shop, with its tools, its database and its tickets, all in the binary.
//!
//! The agent plays a playbook and uses no model; what it gets wrong is a playbook written in a hurry. `sprag helpdesk-worker` is its
//! runner. It reads `agent/playbook.toml` and `data/shop.json` anew at every run, so the harness under test is the one in the
//! working directory.

mod agent;
mod inside;
mod playbook;
mod shop;
mod tasks;
#[cfg(test)]
mod tests;
mod tools;
mod verdict;
mod worker;

pub use inside::Inside;

use sprag_core::signal::Report;
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
    let project = [
        ("README.md", include_str!("../assets/helpdesk/README.md")),
        (
            "agent/playbook.toml",
            include_str!("../assets/helpdesk/agent/playbook.toml"),
        ),
        ("data/shop.json", include_str!("../assets/helpdesk/data/shop.json")),
        ("sprag.toml", include_str!("../assets/helpdesk/sprag.toml")),
    ];
    project.into_iter().chain(ISSUES).collect()
}

/// The issues that the team labelled `agent-failure`.
pub fn issues() -> Vec<Report> {
    ISSUES.iter().filter_map(|(_, text)| issue(text)).collect()
}

const ISSUES: [(&str, &str); 5] = [
    (
        "issues/12-return-not-settled.md",
        include_str!("../assets/helpdesk/issues/12-return-not-settled.md"),
    ),
    (
        "issues/15-box-stays-paused.md",
        include_str!("../assets/helpdesk/issues/15-box-stays-paused.md"),
    ),
    (
        "issues/17-lost-and-sold-out.md",
        include_str!("../assets/helpdesk/issues/17-lost-and-sold-out.md"),
    ),
    (
        "issues/18-useless-again.md",
        include_str!("../assets/helpdesk/issues/18-useless-again.md"),
    ),
    (
        "issues/21-database-down.md",
        include_str!("../assets/helpdesk/issues/21-database-down.md"),
    ),
];

/// An issue from its file: number and title between two lines `---`, then the body. A test reads them all.
fn issue(text: &str) -> Option<Report> {
    let (head, body) = text.strip_prefix("---\n")?.split_once("\n---\n")?;
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    Some(Report {
        impact: None,
        number: field("number")?.parse().ok()?,
        title: field("title")?.to_owned(),
        body: body.trim().to_owned(),
        comments: Vec::new(),
    })
}
