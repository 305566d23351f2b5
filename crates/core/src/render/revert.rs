//! The pull request that offers to take a merged change back, because the regression suite fails with it.

use super::markdown::{Markdown, inline_code, marker, truncate};
use super::pull::PullRequest;
use super::words;
use crate::score::Scorecard;

/// A merged change, and what the suite says since.
#[derive(Debug, Clone, PartialEq)]
pub struct RevertView {
    /// The pull request that would be taken back.
    pub reverts: u64,
    /// The branch that takes it back.
    pub head: String,
    /// The branch it is for.
    pub base: String,
    /// What the suite says on the default branch.
    pub with: Scorecard,
    /// What it says with the change taken back. The cases that came with the change are not among these.
    pub without: Scorecard,
    /// How many cases came with the change, and go with it.
    pub cases: usize,
    /// What it should say, from 0 to 1.
    pub threshold: f64,
}

/// Cases that are named.
const NAMED: usize = 50;

/// The pull request.
pub fn revert_pull(view: &RevertView) -> PullRequest {
    let number = view.reverts;
    let mut body = format!(
        "{}\n\nThe regression suite fails on `{}`, and fails less without #{number}, the newest change that sprag made there. \
         This takes that change back{}.\n\n| regression suite | passes |\n|---|---:|\n| on `{}` | {} |\n| with #{number} taken back | {} |\n| needed | {} |\n\n\
         ## Cases that fail\n\n",
        marker("revert", &[("pull", &number.to_string())]),
        view.base,
        match view.cases {
            0 => String::new(),
            1 => ", and the regression case that came with it and fails without it".to_owned(),
            cases => format!(", and the {cases} regression cases that came with it and fail without it"),
        },
        view.base,
        words::result(&view.with),
        words::result(&view.without),
        words::score(view.threshold),
    );
    for task in view.with.broken_tasks.iter().take(NAMED) {
        let mends = !view.without.broken_tasks.contains(task);
        let note = if mends { "" } else { ", also with the change taken back" };
        body += &format!("- {}{note}\n", inline_code(&truncate(task, 120)));
    }
    if view.with.broken_tasks.len() > NAMED {
        body += &format!("- and {} more\n", view.with.broken_tasks.len() - NAMED);
    }
    body += &format!(
        "\n## How to decide\n\nWhat was merged since #{number} may clash with it, and then mending that is the better way. Merge this if #{number} is to \
         blame: its cluster is open again then, and so are its issues. Close it if not, and it is not offered again.\n"
    );
    PullRequest {
        title: format!("Take back #{number}: the regression suite fails"),
        body: Markdown::new(body),
        head: view.head.clone(),
        base: view.base.clone(),
        draft: true,
        labels: vec!["sprag".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_what_fails_and_leaves_the_decision_to_a_person() {
        let pull = revert_pull(&RevertView {
            reverts: 12,
            head: "sprag/revert-12".to_owned(),
            base: "main".to_owned(),
            with: Scorecard {
                passed: 3,
                failed: 2,
                broken: 2,
                broken_tasks: vec!["refund-1".to_owned(), "`@all`".to_owned()],
                ..Scorecard::default()
            },
            without: Scorecard {
                passed: 3,
                failed: 1,
                broken: 1,
                broken_tasks: vec!["`@all`".to_owned()],
                ..Scorecard::default()
            },
            cases: 1,
            threshold: 0.8,
        });
        assert!(pull.draft);
        insta::assert_snapshot!(pull.page(), @r"
        # Take back #12: the regression suite fails

        <!-- sprag:revert pull=12 -->

        The regression suite fails on `main`, and fails less without #12, the newest change that sprag made there. This takes that change back, and the regression case that came with it and fails without it.

        | regression suite | passes |
        |---|---:|
        | on `main` | 3/5 (0.600) |
        | with #12 taken back | 3/4 (0.750) |
        | needed | 0.800 |

        ## Cases that fail

        - `refund-1`
        - `` `@all` ``, also with the change taken back

        ## How to decide

        What was merged since #12 may clash with it, and then mending that is the better way. Merge this if #12 is to blame: its cluster is open again then, and so are its issues. Close it if not, and it is not offered again.
        ");
    }
}
