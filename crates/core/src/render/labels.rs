//! The labels that sprag keeps on issues: at most one of them tells where an issue stands.

use crate::book::standing::Standing;

/// A label as GitHub has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Six hexadecimal digits.
    pub color: &'static str,
    /// At most 100 characters.
    pub description: &'static str,
}

const fn label(name: &'static str, color: &'static str, description: &'static str) -> Label {
    Label {
        name,
        color,
        description,
    }
}

/// On the dashboard.
pub const DASHBOARD: Label = label("sprag: dashboard", "5319e7", "sprag keeps its overview here");
const MINED: Label = label("sprag: mined", "1d76db", "sprag found the failure in it");
const NEEDS_TRACE: Label = label(
    "sprag: needs-trace",
    "fbca04",
    "sprag needs a recorded run to see what went wrong",
);
const UNCONFIRMED: Label = label(
    "sprag: unconfirmed",
    "d4c5f9",
    "Waits for somebody with triage rights to confirm it",
);
const PROPOSED: Label = label(
    "sprag: proposed",
    "0e8a16",
    "A pull request that would fix it waits for review",
);
const FIXED: Label = label(
    "sprag: fixed",
    "0e8a16",
    "A merged change fixed it, and a regression case guards it",
);
const REOPENED: Label = label("sprag: reopened", "d93f0b", "It was fixed, and is not any more");
const IGNORED: Label = label("sprag: ignored", "cfd3d7", "People said to leave it alone");

/// How a label that reports a failure looks when sprag makes it; its name is configured.
pub const FAILURE: Label = label(
    "agent-failure",
    "b60205",
    "An agent did something wrong; sprag finds out why",
);

/// All labels that tell where an issue stands.
pub const STANDINGS: [Label; 7] = [MINED, NEEDS_TRACE, UNCONFIRMED, PROPOSED, FIXED, REOPENED, IGNORED];

/// The one label for an issue; `None` when it has none.
pub fn of(standing: &Standing<'_>) -> Option<Label> {
    match standing {
        Standing::Withdrawn => None,
        Standing::Waiting | Standing::Mined { .. } => Some(MINED),
        Standing::NeedsTrace { .. } => Some(NEEDS_TRACE),
        Standing::Unconfirmed { .. } => Some(UNCONFIRMED),
        Standing::Proposed { .. } => Some(PROPOSED),
        Standing::Fixed { .. } => Some(FIXED),
        Standing::Reopened { .. } | Standing::TakenBack { .. } => Some(REOPENED),
        Standing::Ignored { .. } => Some(IGNORED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_github_takes_and_no_two_are_the_same() {
        let mut names = std::collections::BTreeSet::new();
        for label in STANDINGS.iter().chain([&DASHBOARD, &FAILURE]) {
            assert!(names.insert(label.name), "{}", label.name);
            assert!(label.name.len() <= 50 && label.description.chars().count() <= 100);
            assert!(label.color.len() == 6 && label.color.chars().all(|c| c.is_ascii_hexdigit()));
        }
    }
}
