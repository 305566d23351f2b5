//! The model miner: a failed trace and what the rules found become a question with a strict form; the answer is checked against the trace
//! before anybody believes it. Pure: whoever asks the model is in `src/flow`.
//!
//! What arrives here is redacted, so what is asked is. The trace is data: it stands between marks that nothing inside it can repeat.

mod compact;
mod join;
mod read;

pub use compact::compact;
pub use join::{joined, wanted};
pub(crate) use read::found as quoted;
pub use read::{Reading, read};

use crate::config::ModelConfig;
use crate::failure::{FailureRecord, Mechanism};
use crate::hash;
use crate::model::{Message, ModelAnswer, ModelRequest, OutputSchema};
use crate::trace::Trace;
use serde_json::{Value, json};
use std::fmt::Write;

/// What the model is told once; the same for every trace, so that providers can cache it.
const INSTRUCTIONS: &str = include_str!("model/instructions.txt");
/// Bytes that a token stands for in what is asked. Traces are JSON, ids and names, which take more tokens than prose.
const BYTES: u64 = 3;
/// The least of a trace that says anything.
const LEAST: u64 = 600;
/// A cause that no rule has a name for.
pub(crate) const OTHER: &str = "other";

/// What the subject of a mechanism must look like, so that a model's finding meets those of the rules in one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `refund`
    Tool,
    /// `refund.amount`
    Argument,
    /// `exchange->refund`
    Tools,
    /// A few words that hold for other runs too.
    Words,
}

/// The rules whose mechanisms a model may name, with the form of the subject.
pub(crate) const NAMED: &[(&str, Subject, &str)] = &[
    (
        "missing_action",
        Subject::Tool,
        "a tool that should have been called was never called",
    ),
    (
        "wrong_argument",
        Subject::Argument,
        "the right tool was called with a wrong argument",
    ),
    (
        "wrong_tool",
        Subject::Tools,
        "needed->called: another tool was called instead of the one that was needed",
    ),
    (
        "extra_write",
        Subject::Tool,
        "something was changed that should not have been",
    ),
    (
        "wrong_order",
        Subject::Tools,
        "first->second: the second was done before the first",
    ),
    ("loop", Subject::Tool, "the same call was made over and over"),
    (
        "invented_argument",
        Subject::Argument,
        "an argument that nobody said and no tool answered",
    ),
    (
        "skipped_confirmation",
        Subject::Tool,
        "something was changed before the person agreed to it",
    ),
    (
        "premature_handover",
        Subject::Tool,
        "it was handed over to a human who was not needed; the tool that hands over",
    ),
    (
        OTHER,
        Subject::Words,
        "anything else, in at most eight words without names, numbers and ids of this run",
    ),
];

/// Whether a mechanism is one that no rule can look for.
pub fn is_in_own_words(mechanism: &Mechanism) -> bool {
    mechanism.rule == OTHER
}

/// How a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The model.
    pub model: String,
    /// About how many tokens a request may have.
    pub max_input_tokens: u64,
    /// How many tokens an answer may have.
    pub max_output_tokens: u32,
    /// See [`ModelRequest::temperature`].
    pub temperature: Option<f64>,
}

impl From<&ModelConfig> for Policy {
    fn from(config: &ModelConfig) -> Self {
        Self {
            model: config.name.clone(),
            max_input_tokens: config.max_input_tokens,
            max_output_tokens: config.max_output_tokens,
            temperature: config.temperature,
        }
    }
}

impl Policy {
    /// The same for a model that reads less than it was thought to; `None` when there is nothing left to leave out.
    pub fn smaller(&self) -> Option<Self> {
        let max_input_tokens = self.max_input_tokens / 2;
        (max_input_tokens >= LEAST).then(|| Self {
            max_input_tokens,
            ..self.clone()
        })
    }

    /// A question about data, with the form of its answer.
    pub(crate) fn question(&self, system: &str, text: String, output: OutputSchema) -> ModelRequest {
        ModelRequest {
            model: self.model.clone(),
            system: system.to_owned(),
            messages: vec![Message::User { text }],
            output: Some(output),
            max_output_tokens: self.max_output_tokens,
            temperature: self.temperature,
            ..ModelRequest::default()
        }
    }
}

/// The question: why did this run fail? `record` is what the rules found.
pub fn request(trace: &Trace, record: &FailureRecord, policy: &Policy) -> ModelRequest {
    let about = about(trace, record);
    let around = (INSTRUCTIONS.len() + about.len()) as u64;
    let room = policy
        .max_input_tokens
        .saturating_mul(BYTES)
        .saturating_sub(around)
        .max(LEAST);
    let cited: Vec<usize> = record
        .causes
        .iter()
        .flat_map(|cause| cause.evidence.iter().filter_map(|evidence| evidence.step))
        .collect();
    let told = compact(trace, usize::try_from(room).unwrap_or(usize::MAX), &cited);
    policy.question(INSTRUCTIONS, format!("{}\n{about}", fenced("trace", &told)), schema())
}

/// The same question with the answer to it, and what is wrong with that.
pub fn repair(request: &ModelRequest, answer: &ModelAnswer, problems: &[String]) -> ModelRequest {
    let mut again = request.clone();
    let listed: String = problems.iter().map(|problem| format!("- {problem}\n")).collect();
    again.messages.push(Message::Assistant {
        text: answer.text.clone(),
        calls: Vec::new(),
    });
    again.messages.push(Message::User {
        text: format!("Your answer cannot be used:\n{listed}Answer the question again, whole, in the same form."),
    });
    again
}

/// Text of strangers between two marks. The marks hold the hash of the text, so the text cannot hold them.
pub(crate) fn fenced(what: &str, text: &str) -> String {
    let mark = &hash::of_text(text)[..8];
    format!("<<<{what} {mark}\n{text}\n{mark} {what}>>>")
}

/// How the run ended, what the evaluator saw, what the rules found.
fn about(trace: &Trace, record: &FailureRecord) -> String {
    let mut about = format!("The run ended by {}. It failed.\n", trace.termination.word());
    let failed: Vec<String> = trace
        .checks
        .iter()
        .filter(|check| !check.passed)
        .take(10)
        .map(|check| format!("- {}: {}", check.name, super::text::shortened(&check.detail, 200)))
        .collect();
    if !failed.is_empty() {
        let _ = writeln!(about, "{}", fenced("checks that did not hold", &failed.join("\n")));
    }
    let found: Vec<String> = record
        .causes
        .iter()
        .take(6)
        .map(|cause| {
            let finding = super::text::shortened(&cause.finding, 300);
            format!("- {} (confidence {:.2}): {finding}", cause.mechanism, cause.confidence)
        })
        .collect();
    let found = if found.is_empty() {
        "- nothing".to_owned()
    } else {
        found.join("\n")
    };
    let _ = write!(about, "{}", fenced("found by fixed rules, which may be wrong", &found));
    about
}

/// The form of the answer.
fn schema() -> OutputSchema {
    let text = |of: &str| json!({"type": "string", "description": of});
    let rules: Vec<&str> = NAMED.iter().map(|(rule, ..)| *rule).collect();
    let guide: String = NAMED
        .iter()
        .map(|(rule, _, says)| format!("{rule}: {says}. "))
        .collect();
    let step = |of: &str| json!({"type": "integer", "description": of});
    let object = |properties: Value| {
        let required: Vec<String> = properties
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys().cloned())
            .collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    };
    let evidence = object(json!({
        "step": step("the number in brackets before the step"),
        "quote": text("10 to 200 characters copied letter by letter from that step"),
    }));
    let schema = object(json!({
        "root_cause": text("one sentence: what the agent did wrong in this run, and why that made it fail"),
        "decisive_step": step("the number of the first step after which the run could not succeed any more"),
        "evidence": {"type": "array", "items": evidence, "description": "1 to 3 quotes, one of them from the decisive step"},
        "kind": {
            "type": "string", "enum": ["agent", "infrastructure", "evaluator", "user_simulator", "unknown"],
            "description": "who is to blame: the agent, machines, what judges the agent, the simulated person, or nobody knows",
        },
        "mechanism": {"type": "string", "enum": rules, "description": guide.trim_end()},
        "subject": text("a tool, tool.argument, tool->tool, or words, as the mechanism asks for"),
        "should": text("one sentence: what the agent should have done instead"),
        "confidence": {"type": "number", "description": "from 0 to 1: how sure you are"},
    }));
    OutputSchema {
        name: "root_cause".to_owned(),
        schema,
    }
}

#[cfg(test)]
mod tests;
