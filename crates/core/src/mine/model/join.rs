//! What the rules found and what a model says, in one record. The model never overrides what the rules know from ground truth or from how
//! the run ended; beside what they only suppose, its word has a weight of its own.

use super::Reading;
use crate::failure::{FailureKind, FailureRecord, RootCause};
use crate::trace::Trace;

/// How sure a model can make us: as sure as what passing runs did differently. Its own confidence is a number that it made up.
const TRUST: f64 = 0.8;
/// Below this a model says itself that it guesses.
const LIKELY: f64 = 0.5;
/// How far below what ground truth shows a model's other cause is placed.
const BELOW: f64 = 0.01;
/// What these rules say is that nobody knows why.
const UNEXPLAINED: [&str; 2] = ["unexplained_write", "unexplained_answer"];
/// The rules that compare with what was expected.
const FROM_TRUTH: [&str; 12] = [
    "gave_up",
    "missing_handover",
    "unwarranted_write",
    "wrong_answer",
    "missing_action",
    "wrong_argument",
    "wrong_tool",
    "extra_write",
    "wrong_order",
    "tool_error",
    "premature_handover",
    "unmet_communication",
];

/// Whether a model can add to what the rules found: not where the run itself shows that the agent is not to blame, and not where there is
/// nothing to read.
pub fn wanted(record: &FailureRecord, trace: &Trace) -> bool {
    matches!(record.kind, FailureKind::Agent | FailureKind::Unknown) && !trace.steps.is_empty()
}

/// The record of the rules with what the model adds:
///
/// * A cause that the rules found too gets the model's evidence and, without ground truth, the greater of both confidences.
/// * Another cause joins with at most 0.8, in the order of confidence; where ground truth explains the failure, after all that it shows.
///   It takes the place of a cause that says no more than that nobody knows why.
/// * Where the rules do not know who is to blame, the model may say so, if it is at least half sure that the agent is.
pub fn joined(rules: &FailureRecord, trace: &Trace, reading: &Reading) -> FailureRecord {
    let mut record = rules.clone();
    let Some(said) = &reading.cause else {
        if rules.kind == FailureKind::Unknown {
            record.kind = reading.kind;
        }
        return record;
    };
    let confidence = said.confidence * TRUST;
    let explained = trace.expected.is_some() && rules.causes.iter().any(is_from_truth);
    if let Some(same) = record.causes.iter_mut().find(|cause| cause.mechanism == said.mechanism) {
        for evidence in &said.evidence {
            if !same.evidence.iter().any(|known| known.step == evidence.step) {
                same.evidence.push(evidence.clone());
            }
        }
        if !explained {
            same.confidence = same.confidence.max(confidence);
        }
    } else if confidence >= LIKELY * TRUST {
        let least = record
            .causes
            .iter()
            .filter(|cause| is_from_truth(cause))
            .map(|cause| cause.confidence);
        let most = if explained {
            least.fold(1.0, f64::min) - BELOW
        } else {
            1.0
        };
        record
            .causes
            .retain(|cause| !UNEXPLAINED.contains(&cause.mechanism.rule.as_str()));
        record.causes.push(RootCause {
            confidence: confidence.min(most.max(0.0)),
            ..said.clone()
        });
    }
    record
        .causes
        .sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
    if !record.causes.is_empty() {
        record.kind = FailureKind::Agent;
    }
    record
}

fn is_from_truth(cause: &RootCause) -> bool {
    FROM_TRUTH.contains(&cause.mechanism.rule.as_str())
}
