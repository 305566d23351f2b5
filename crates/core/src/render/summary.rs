//! What stands on the page of a workflow run.

use super::check::check_runs;
use super::dashboard;
use super::markdown::{Markdown, escape, inline_code};
use super::view::CheckView;
use crate::machine::State;

/// After a sync; `done` is the sentence of the terminal.
pub fn sync(done: &str) -> Markdown {
    Markdown::new(format!("## sprag sync\n\n{done}.\n"))
}

/// After a run.
pub fn run(state: &State, pulls: &[u64], revert: Option<u64>) -> Markdown {
    let opened = match pulls {
        [] if state.published.is_empty() => "No change passed its gates.".to_owned(),
        [] => {
            let branches: Vec<String> = state.published.values().map(|branch| inline_code(branch)).collect();
            format!("Changes that passed stand on {}.", branches.join(", "))
        }
        pulls => {
            let numbers: Vec<String> = pulls.iter().map(|number| format!("#{number}")).collect();
            format!("Opened {}.", numbers.join(", "))
        }
    };
    let revert = revert.map_or_else(String::new, |number| {
        format!(
            "The regression suite fails on the default branch: #{number} offers to take the newest change back.\n\n"
        )
    });
    Markdown::new(format!(
        "## sprag run\n\n{revert}{opened}\n\n{}\n",
        dashboard::run(state)
    ))
}

/// When a run was asked for by somebody who may not ask for it.
pub fn refused(why: &str) -> Markdown {
    Markdown::new(format!("## sprag run\n\n{}.\n", escape(why)))
}

/// After the gates on a pull request.
pub fn gate(view: &CheckView) -> Markdown {
    let mut text = String::from("## sprag gate\n");
    for check in check_runs(view) {
        text += &format!(
            "\n### {}: {}\n\n{}\n",
            check.name, check.output.title, check.output.summary
        );
    }
    Markdown::new(text)
}

/// When there was nothing to measure.
pub fn gate_skipped(of: &str, why: &str) -> Markdown {
    Markdown::new(format!(
        "## sprag gate\n\n{}: nothing was measured, {}.\n",
        escape(of),
        escape(why)
    ))
}

/// When the pull request comes from a fork, whose job has no secrets and may write nothing.
pub fn fork(of: &str) -> Markdown {
    Markdown::new(format!(
        "## sprag gate\n\n{} comes from a fork, so this job has no token that may write and no secrets, and runs none of its code. \
         A maintainer who has read the change can comment `/sprag gate` on it.\n",
        escape(of)
    ))
}
