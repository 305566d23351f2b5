//! The rules miner: failed traces in, failure records out. Deterministic, no model.

use crate::failure::FailureRecord;
use crate::id::TaskId;
use crate::trace::Trace;

/// Triages one failed trace. `source` names where it came from (a run key, a file and index) and makes the record's id.
pub fn mine(source: &str, task: &TaskId, trace: &Trace) -> FailureRecord {
    FailureRecord {
        id: crate::id::RecordId::new(crate::hash::of_text(source)),
        task: task.clone(),
        kind: crate::failure::FailureKind::Unknown,
        context: String::new(),
        behaviour: String::new(),
        termination: trace.termination,
        causes: Vec::new(),
    }
}
