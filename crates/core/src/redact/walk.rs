//! The records that are redacted as a whole, and where their texts are.

use crate::failure::{FailureRecord, RootCause};
use crate::id::TaskId;
use crate::signal::{Clue, Report, Told};
use crate::trace::read::ReadTrace;
use crate::trace::{Check, Expected, ExpectedAction, Step, ToolCall, ToolSpec, Trace};
use crate::trial::{Trial, TrialStatus};
use serde_json::{Map, Value};

/// Something that texts can be replaced in.
pub trait Redact {
    /// Shows every text to `see`, always in the same order, with the key that it stands under, where there is one.
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String));
}

impl Redact for String {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        see(None, self);
    }
}

impl<T: Redact> Redact for Vec<T> {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.iter_mut().for_each(|one| one.each_text(see));
    }
}

impl<T: Redact> Redact for Option<T> {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.iter_mut().for_each(|one| one.each_text(see));
    }
}

/// A whole number that is a secret becomes a text.
impl Redact for Value {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        value(None, self, see);
    }
}

impl Redact for Map<String, Value> {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        let entries = std::mem::take(self);
        for (mut key, mut inner) in entries {
            value(Some(&key), &mut inner, see);
            see(None, &mut key);
            self.insert(key, inner);
        }
    }
}

fn value(key: Option<&str>, of: &mut Value, see: &mut dyn FnMut(Option<&str>, &mut String)) {
    match of {
        Value::String(text) => see(key, text),
        Value::Number(number) if number.is_u64() => {
            let written = number.to_string();
            let mut text = written.clone();
            see(key, &mut text);
            if text != written {
                *of = Value::String(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| value(None, item, see)),
        Value::Object(map) => map.each_text(see),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Redact for Trace {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.steps.each_text(see);
        self.tools.each_text(see);
        self.expected.each_text(see);
        self.checks.each_text(see);
    }
}

impl Redact for Step {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.content.each_text(see);
        self.tool_calls.each_text(see);
        self.call_id.each_text(see);
    }
}

impl Redact for ToolCall {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.id.each_text(see);
        self.name.each_text(see);
        self.arguments.each_text(see);
        self.requestor.each_text(see);
    }
}

impl Redact for ToolSpec {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.name.each_text(see);
        self.required.each_text(see);
    }
}

impl Redact for Expected {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.actions.each_text(see);
        self.communicate.each_text(see);
    }
}

impl Redact for ExpectedAction {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.name.each_text(see);
        self.arguments.each_text(see);
        self.compare.each_text(see);
        self.requestor.each_text(see);
    }
}

impl Redact for Check {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.name.each_text(see);
        self.kind.each_text(see);
        self.detail.each_text(see);
    }
}

/// Its task too: in a file of strangers that is any text.
impl Redact for ReadTrace {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        let mut task = self.task.as_str().to_owned();
        see(None, &mut task);
        if task != self.task.as_str() {
            self.task = TaskId::new(task);
        }
        self.source.each_text(see);
        self.trace.each_text(see);
    }
}

impl Redact for Trial {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        if let TrialStatus::Errored { message, .. } = &mut self.status {
            message.each_text(see);
        }
        self.trace.each_text(see);
    }
}

/// Logins are public and stay.
impl Redact for Report {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.title.each_text(see);
        self.body.each_text(see);
        self.comments.iter_mut().for_each(|remark| remark.body.each_text(see));
    }
}

impl Redact for Told {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        [&mut self.asked, &mut self.did, &mut self.should, &mut self.version]
            .into_iter()
            .for_each(|field| field.each_text(see));
    }
}

/// What is read or said; links and names of tasks stay, since they lead somewhere.
impl Redact for Clue {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        match self {
            Self::Trace(read) => read.each_text(see),
            Self::Told(told) => told.each_text(see),
            Self::Unreadable(problem) => problem.each_text(see),
            Self::Attachment { .. } | Self::Artifact { .. } | Self::WorkflowRun { .. } | Self::Task(_) => {}
        }
    }
}

impl Redact for FailureRecord {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.context.each_text(see);
        self.behaviour.each_text(see);
        self.causes.each_text(see);
    }
}

impl Redact for RootCause {
    fn each_text(&mut self, see: &mut dyn FnMut(Option<&str>, &mut String)) {
        self.mechanism.subject.each_text(see);
        self.finding.each_text(see);
        self.evidence
            .iter_mut()
            .for_each(|evidence| evidence.quote.each_text(see));
        self.should.each_text(see);
        self.action.each_text(see);
    }
}
