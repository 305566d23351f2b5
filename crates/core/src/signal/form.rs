//! The fields of the issue form that `sprag init` writes, as GitHub renders them: `### Label`, an empty line, the value.

use super::blocks;
use crate::failure::{FailureKind, FailureRecord};
use crate::hash;
use crate::id::{RecordId, TaskId};
use crate::mine::text::shortened;
use crate::severity::Severity;
use crate::trace::Termination;

/// What GitHub writes for a field that was left empty.
const EMPTY: &str = "_No response_";
/// Characters of a field that are kept.
const KEPT: usize = 300;

/// What a person tells of a failure, without a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// What the agent was asked to do.
    pub asked: String,
    /// What it did.
    pub did: String,
    /// What it should have done.
    pub should: String,
    /// The version, as the person calls it.
    pub version: String,
}

/// What the form's fields tell; `None` when none of the first three has an answer.
pub fn told(body: &str) -> Option<Told> {
    let mut told = Told::default();
    let (prose, _) = blocks::split(body);
    for (label, value) in fields(&prose) {
        let field = match label.to_lowercase().trim_end_matches('?') {
            "what was the agent asked to do" => &mut told.asked,
            "what did it do" => &mut told.did,
            "what should it have done" => &mut told.should,
            "version" => &mut told.version,
            _ => continue,
        };
        if value != EMPTY {
            field.clone_from(&value);
        }
    }
    let says = [&told.asked, &told.did, &told.should]
        .iter()
        .any(|field| !field.is_empty());
    says.then_some(told)
}

/// What the form says of how bad it is.
pub(super) fn impact(body: &str) -> Option<Severity> {
    let (prose, _) = blocks::split(body);
    let fields = fields(&prose);
    let said = fields
        .iter()
        .find(|(label, _)| label.to_lowercase().trim_end_matches('?') == "how bad is it");
    said.and_then(|(_, value)| Severity::of_word(value))
}

/// Headings of the third level with what stands below them.
fn fields(prose: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in prose.lines() {
        if let Some(label) = line.strip_prefix("###").filter(|label| label.starts_with(' ')) {
            fields.push((label.trim().to_owned(), String::new()));
        } else if let Some((_, value)) = fields.last_mut() {
            value.push_str(line);
            value.push('\n');
        }
    }
    for (_, value) in &mut fields {
        *value = value.trim().to_owned();
    }
    fields
}

/// The failure that a person tells of. Without a trace nobody can say whose fault it was or why, so it is counted and shown, and drives
/// nothing.
pub fn record_of_told(source: &str, issue: u64, told: &Told) -> FailureRecord {
    let behaviour = match (told.did.is_empty(), told.should.is_empty()) {
        (false, false) => format!("{} (should have: {})", told.did, told.should),
        (false, true) => told.did.clone(),
        (true, _) => format!("should have: {}", told.should),
    };
    FailureRecord {
        id: RecordId::new(hash::of_text(&format!("{source} told"))),
        task: TaskId::new(format!("issue #{issue}")),
        kind: FailureKind::Unknown,
        context: shortened(&told.asked, KEPT),
        behaviour: shortened(&behaviour, KEPT),
        termination: Termination::Unknown,
        causes: Vec::new(),
        impact: None,
        draft: Some(Box::new(crate::case::draft_of_told(source, told))),
    }
}
