//! Reader for the artifact `agent` of GitHub Agentic Workflows: `aw_info.json` names the workflow, `agent_output.json` has what the agent
//! asked for, `grader_results.json` the verdict. The steps are in the agent's log or in `otel.jsonl`, which other readers read.

use super::document::Document;
use super::folder::Piece;
use super::json::Object;
use super::read::{Content, ReadTrace, Warning};
use super::{Check, Role, Step, ToolCall};
use crate::id::TaskId;

/// What the files of an artifact say of its one run, besides its steps.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    workflow: Option<String>,
    id: Option<String>,
    checks: Vec<Check>,
    /// What the agent asked for: calls of safe outputs.
    asked: Vec<ToolCall>,
    graded: bool,
}

pub(super) fn recognises(object: &Object<'_>) -> bool {
    is_info(object) || is_output(object) || is_grading(object)
}

fn is_info(object: &Object<'_>) -> bool {
    object.has("engine_id") && object.has("workflow_name")
}

fn is_output(object: &Object<'_>) -> bool {
    let items = object.node("items").and_then(|items| items.as_list());
    let typed = |items: &[super::json::Node<'_>]| {
        let first = items.first().map(|first| first.as_object());
        first.is_none_or(|first| first.is_some_and(|item| item.has("type")))
    };
    object.has("errors") && items.is_some_and(|items| typed(&items))
}

fn is_grading(object: &Object<'_>) -> bool {
    let run = object.node("run").and_then(|run| run.as_object());
    run.is_some_and(|run| run.has("graderCount"))
}

/// Whether a document is the result of graders, whose list has the name of other formats' lists.
pub(super) fn recognises_grading(document: &Document<'_>) -> bool {
    document.has_list("results") && is_grading(&document.object())
}

pub(super) fn read(document: &Document<'_>, warnings: &mut Vec<Warning>) -> Content {
    let top = document.object();
    let mut run = Run::default();
    if is_info(&top) {
        run.workflow = top.word("workflow_name");
        run.id = top.word("run_id");
    } else if is_grading(&top) {
        let results = document
            .items("results")
            .into_iter()
            .filter_map(|result| result.object(warnings));
        run.checks = results.filter_map(|result| graded(&result)).collect();
        run.graded = !run.checks.is_empty();
    } else {
        let errors = top.list("errors", warnings);
        run.checks = errors
            .iter()
            .map(|error| Check::new("safe output", "assertion", false, error.shown()))
            .collect();
        for item in top.objects("items", warnings) {
            let Some(name) = item.word("type") else { continue };
            let fields = item.keys().filter(|key| *key != "type");
            let arguments = fields
                .filter_map(|key| Some((key.to_owned(), item.node(key)?.parse(warnings)?)))
                .collect();
            run.asked.push(ToolCall {
                name,
                arguments,
                ..ToolCall::default()
            });
        }
    }
    Content {
        piece: Some(Piece::GhAw(Box::new(run))),
        ..Content::default()
    }
}

/// A grader that broke, or that only measures, judges nothing.
fn graded(result: &Object<'_>) -> Option<Check> {
    let passed: bool = result.word("passed")?.parse().ok()?;
    if result
        .word("status")
        .is_some_and(|status| status == "error" || status == "unavailable")
    {
        return None;
    }
    let told: Vec<String> = ["value", "message", "details"]
        .iter()
        .filter_map(|key| result.word(key))
        .collect();
    let name = ["id", "name"]
        .iter()
        .find_map(|key| result.word(key))
        .unwrap_or_default();
    Some(Check::new(&name, "score", passed, told.join(": ")))
}

impl Run {
    /// Joins what another file of the same artifact says.
    pub(super) fn join(&mut self, other: Self) {
        self.workflow = self.workflow.take().or(other.workflow);
        self.id = self.id.take().or(other.id);
        self.checks.extend(other.checks);
        self.asked.extend(other.asked);
        self.graded |= other.graded;
    }

    /// The run, with the steps that another file has. It failed if a check did not hold, and passed if a grader says so and all hold.
    pub(super) fn finish(self, steps: Option<ReadTrace>) -> ReadTrace {
        let held = self.checks.iter().all(|check| check.passed);
        let found = steps.as_ref().map(|run| (run.passed, run.kind_hint));
        let (found, kind_hint) = found.unwrap_or_default();
        let mut trace = steps.map(|run| run.trace).unwrap_or_default();
        if trace.steps.iter().all(|step| step.role != Role::Assistant) && !self.asked.is_empty() {
            trace.steps.push(Step {
                role: Role::Assistant,
                tool_calls: self.asked,
                ..Step::default()
            });
        }
        trace.checks.extend(self.checks);
        let passed = match (held, self.graded) {
            (false, _) => Some(false),
            (true, true) if found.is_none() => Some(true),
            (true, _) => found,
        };
        ReadTrace {
            source: format!("gh-aw:{}", self.id.unwrap_or_else(|| crate::hash::of_trace(&trace))),
            task: TaskId::new(self.workflow.unwrap_or_else(|| "agentic workflow".to_owned())),
            trial: 0,
            passed,
            score: None,
            kind_hint,
            trace,
        }
    }
}

#[cfg(test)]
mod tests;
