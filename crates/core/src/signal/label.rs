//! Whose label counts: an issue form can put a label on for anybody, so the label alone says nothing.

use crate::github::{Actor, LabelEvent, Permission};

/// How a label stands on an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelStanding {
    /// Somebody with triage rights put it on.
    Counts {
        /// Who.
        by: Actor,
        /// When, RFC 3339.
        at: String,
    },
    /// It is on, but nobody with triage rights put it on.
    NotTrusted {
        /// Who did.
        by: Actor,
    },
    /// It is not on.
    NotThere,
}

/// Whether two names are one label: GitHub knows no upper and lower case there.
pub fn same_label(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// How a label stands after its events on one issue, oldest first. It counts if somebody with triage rights or more put it on since it was
/// taken off last.
pub fn labelled_by_trusted(
    events: &[LabelEvent],
    label: &str,
    permission: impl Fn(&Actor) -> Permission,
) -> LabelStanding {
    let of_label: Vec<&LabelEvent> = events.iter().filter(|event| same_label(&event.label, label)).collect();
    let taken_off = of_label.iter().rposition(|event| !event.added);
    let standing = &of_label[taken_off.map_or(0, |at| at + 1)..];
    let trusted = standing
        .iter()
        .rev()
        .find(|event| permission(&event.actor) >= Permission::Triage);
    match (trusted, standing.last()) {
        (Some(event), _) => LabelStanding::Counts {
            by: event.actor.clone(),
            at: event.at.clone(),
        },
        (None, Some(event)) => LabelStanding::NotTrusted {
            by: event.actor.clone(),
        },
        (None, None) => LabelStanding::NotThere,
    }
}
