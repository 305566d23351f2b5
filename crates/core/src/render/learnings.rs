//! The words of `.sprag/learnings.md`.

use super::markdown::{escape, inline_code, truncate};
use crate::learnings::{Kind, Learning};

/// The first line.
pub const TITLE: &str = "# What sprag has learned here";

/// Below the title, one line.
pub const INTRODUCTION: &str = "sprag adds to this file with the changes that it proposes, and tells the next proposer what stands here. \
Add whatever it should know, and change or delete any line: what you wrote stays, and what you deleted does not come back.";

/// Above the entries of each kind, in the order of [`Kind::ALL`].
pub const HEADINGS: [&str; 3] = ["## What reviewers said", "## What helped", "## What did not help"];

/// An entry, as one line.
pub fn entry(learning: &Learning) -> String {
    let evidence: Vec<String> = learning.evidence.iter().map(|id| inline_code(id)).collect();
    let evidence = match (learning.kind, learning.evidence.len()) {
        (Kind::Said, _) => format!("pull request {}", evidence.join(", ")),
        (Kind::Kept | Kind::Fell, 1) => format!("candidate {}", evidence.join(", ")),
        (Kind::Kept | Kind::Fell, _) => format!("candidates {}", evidence.join(", ")),
    };
    let change = match learning.change.as_str() {
        "" => "A change".to_owned(),
        change => format!("**{}**", escape(&truncate(change, 120))),
    };
    let word = match learning.kind {
        Kind::Said => "was not wanted",
        Kind::Kept => "passed the gates",
        Kind::Fell => "did not pass the gates",
    };
    let about = escape(&truncate(&learning.about, 120));
    let outcome = escape(&truncate(&learning.outcome, 600));
    format!("- {change}, for “{about}”, {word}: {outcome} ({evidence})")
}
