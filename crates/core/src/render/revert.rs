//! The pull request that offers to take a merged change back, because the regression suite fails with it.

use super::markdown::{inline_code, marker, truncate};
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
    pub card: Scorecard,
    /// What it should say, from 0 to 1.
    pub threshold: f64,
}

/// Cases that are named.
const NAMED: usize = 50;

/// The pull request.
pub fn revert_pull(view: &RevertView) -> PullRequest {
    let number = view.reverts;
    let mut body = format!(
        "{}\n\nThe regression suite fails on `{}`: {}, and {} is needed. The newest change that sprag made there is #{number}; \
         this takes its harness changes back and leaves its regression cases.\n\n## Cases that fail\n\n",
        marker("revert", &[("pull", &number.to_string())]),
        view.base,
        words::result(&view.card),
        words::score(view.threshold),
    );
    for task in view.card.broken_tasks.iter().take(NAMED) {
        body += &format!("- {}\n", inline_code(&truncate(task, 120)));
    }
    if view.card.broken_tasks.len() > NAMED {
        body += &format!("- and {} more\n", view.card.broken_tasks.len() - NAMED);
    }
    body += &format!(
        "\n## How to decide\n\nSomething else may have broken them: look at what was merged since #{number}. Merge this if the change is to blame; \
         close it if not, and it is not offered again.\n"
    );
    PullRequest {
        title: format!("Take back #{number}: the regression suite fails"),
        body,
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
            card: Scorecard {
                passed: 3,
                failed: 2,
                broken: 2,
                broken_tasks: vec!["refund-1".to_owned(), "`@all`".to_owned()],
                ..Scorecard::default()
            },
            threshold: 0.8,
        });
        assert!(pull.draft);
        insta::assert_snapshot!(pull.page(), @r"
        # Take back #12: the regression suite fails

        <!-- sprag:revert pull=12 -->

        The regression suite fails on `main`: 3/5 (0.600), and 0.800 is needed. The newest change that sprag made there is #12; this takes its harness changes back and leaves its regression cases.

        ## Cases that fail

        - `refund-1`
        - `` `@all` ``

        ## How to decide

        Something else may have broken them: look at what was merged since #12. Merge this if the change is to blame; close it if not, and it is not offered again.
        ");
    }
}
