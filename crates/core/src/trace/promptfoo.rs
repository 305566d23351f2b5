//! Reader for promptfoo results (version 3): the file that `promptfoo eval -o` writes, or its rows in a list or one a line.

use super::document::Document;
use super::json::{Node, Object};
use super::read::{ReadTrace, Warning};
use super::window::Window;
use super::{Role, Step, Termination, Trace, message, tau2};
use crate::failure::FailureKind;
use crate::id::TaskId;
use std::collections::{BTreeMap, BTreeSet};
pub(super) use traced::Traced;

mod grader;
mod traced;

/// Wrappers of assertions may hold wrappers; nobody nests them deeper.
const DEPTH: usize = 16;

/// Whether a document is a result file.
pub(super) fn recognises(document: &Document<'_>) -> bool {
    document.has_list("results.results") || document.items("results").first().is_some_and(is_row)
}

/// Whether an object is one row of a result file.
pub(super) fn recognises_row(row: &Object<'_>) -> bool {
    let judged = row.has("success") || row.has("gradingResult");
    judged && row.has("provider") && (row.has("vars") || row.has("testCase") || row.has("promptIdx"))
}

fn is_row(node: &Node<'_>) -> bool {
    node.as_object().is_some_and(|row| recognises_row(&row))
}

/// Reads every row that has a result.
pub(super) fn read(document: &Document<'_>, window: &mut Window, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let eval = document.object().word("evalId").unwrap_or_default();
    let nodes = ["results.results", "results", ""]
        .into_iter()
        .find(|field| document.has_list(field));
    let rows: Vec<Object<'_>> = match nodes {
        Some(field) => document
            .items(field)
            .into_iter()
            .filter_map(|row| row.object(warnings))
            .collect(),
        None => vec![document.object()],
    };
    let Window { naming, traced, .. } = window;
    let naming = naming.get_or_insert_with(|| {
        let variants: BTreeSet<String> = rows.iter().map(variant).collect();
        Naming::new(variants.len() > 1)
    });
    let traced = traced.get_or_insert_with(|| Traced::of(&document.object(), warnings));
    let mut one = |row| one(row, &eval, naming, traced, warnings);
    rows.iter().map(&mut one).collect()
}

/// How runs are told apart: what is asked is the task; the same asked again is a trial. With `--repeat` a test has a new `testIdx` each
/// time, so the index alone says nothing.
pub(super) struct Naming {
    /// Whether several providers or prompts were compared, which then are part of the name.
    several: bool,
    /// Tasks by the hash of their variables.
    by_vars: BTreeMap<String, String>,
    trials: BTreeMap<String, u32>,
}

impl Naming {
    pub(super) fn new(several: bool) -> Self {
        Self {
            several,
            by_vars: BTreeMap::new(),
            trials: BTreeMap::new(),
        }
    }

    fn name(&mut self, row: &Object<'_>) -> (String, u32) {
        let case = row.node("testCase").and_then(|case| case.as_object());
        let described = row
            .word("description")
            .or_else(|| case.as_ref()?.word("description"))
            .filter(|text| !text.is_empty());
        let index = row.word("testIdx").unwrap_or_else(|| self.by_vars.len().to_string());
        let vars = row
            .node("vars")
            .map(|vars| crate::hash::of_text(vars.raw))
            .unwrap_or_default();
        let task = described.unwrap_or_else(|| {
            let known = self.by_vars.entry(vars);
            known.or_insert_with(|| format!("test {index}")).clone()
        });
        let task = if self.several {
            format!("{task} ({})", variant(row))
        } else {
            task
        };
        let seen = self.trials.entry(task.clone()).or_insert(0);
        let repeat = row
            .node("metadata")
            .and_then(|metadata| metadata.as_object()?.amount("repeatIndex"));
        let trial = repeat.map_or(*seen, tau2::whole);
        *seen += 1;
        (task, trial)
    }
}

/// Which provider and which prompt a row is of.
pub(super) fn variant(row: &Object<'_>) -> String {
    let provider = row.node("provider").and_then(|provider| {
        let object = provider.as_object();
        let named = |key: &str| object.as_ref()?.word(key).filter(|name| !name.is_empty());
        named("label").or_else(|| named("id")).or_else(|| provider.as_text())
    });
    let prompt = row.word("promptIdx").unwrap_or_default();
    format!("{}, prompt {prompt}", provider.unwrap_or_default())
}

fn one(row: &Object<'_>, eval: &str, naming: &mut Naming, traced: &Traced, warnings: &mut Vec<Warning>) -> ReadTrace {
    let (task, trial) = naming.name(row);
    let grading = row.object("gradingResult", warnings);
    let mut checks = Vec::new();
    if let Some(grading) = &grading {
        leaves(grading, DEPTH, &mut checks, warnings);
    }
    // The children of a set stand in the list once more, beside the set.
    let mut seen = BTreeSet::new();
    checks.retain(|leaf: &grader::Leaf| seen.insert((leaf.check.name.clone(), leaf.check.detail.clone())));
    let error = row.word("error").unwrap_or_default();
    // `error` is set for failed assertions too; only the reason tells them apart. Older files have no reason.
    let broke = match row.amount("failureReason") {
        Some(reason) => tau2::whole(reason) == 2,
        None => !error.is_empty() && grading.is_none(),
    };
    let success = row.flag("success", warnings);
    let passed = success.or_else(|| grading.as_ref()?.flag("pass", warnings));
    let steps = traced.beside(row, steps(row, warnings), warnings);
    let answered = steps
        .iter()
        .any(|step| step.role == Role::Assistant && !(step.content.trim().is_empty() && step.tool_calls.is_empty()));
    let kind_hint = if broke {
        checks.push(grader::Leaf::plain("provider", &error));
        Some(FailureKind::Infrastructure)
    } else {
        let suspect = passed == Some(false) && answered && grader::at_fault(&checks);
        suspect.then_some(FailureKind::Evaluator)
    };
    let trace = Trace {
        steps,
        termination: if broke {
            Termination::InfrastructureError
        } else {
            Termination::AgentStop
        },
        checks: checks.into_iter().map(|leaf| leaf.check).collect(),
        ..Trace::default()
    };
    let id = row
        .word("id")
        .unwrap_or_else(|| crate::hash::of(&(crate::hash::of_trace(&trace), &task, trial)));
    ReadTrace {
        source: format!("promptfoo:{eval}:{id}"),
        task: TaskId::new(task),
        trial,
        passed: passed.filter(|_| !broke),
        score: row.number("score", warnings).filter(|_| !broke),
        kind_hint,
        trace,
    }
}

/// The assertions that were looked at, without the sets that hold them.
fn leaves(result: &Object<'_>, depth: usize, into: &mut Vec<grader::Leaf>, warnings: &mut Vec<Warning>) {
    let inner = result.objects("componentResults", warnings);
    if inner.is_empty() || depth == 0 {
        into.extend(grader::Leaf::of(result));
        return;
    }
    for one in inner {
        leaves(&one, depth - 1, into, warnings);
    }
}

fn steps(row: &Object<'_>, warnings: &mut Vec<Warning>) -> Vec<Step> {
    let prompt = row.node("prompt");
    let raw = prompt.as_ref().and_then(|prompt| prompt.as_object()?.word("raw"));
    let raw = raw.or_else(|| prompt?.as_text()).unwrap_or_default();
    let mut steps = messages_of(&raw, warnings).unwrap_or_else(|| vec![said(Role::User, raw)]);
    let response = row.node("response");
    let output = response.as_ref().and_then(|response| match response.as_object() {
        Some(object) => object.node("output"),
        None => Some(response.clone()),
    });
    let Some(output) = output.or_else(|| row.node("output")) else {
        return steps;
    };
    // A model that calls tools instead of answering leaves the list of its calls.
    let calls = output.as_list().unwrap_or_default();
    let calls: Vec<Object<'_>> = calls
        .iter()
        .filter_map(Node::as_object)
        .filter(|call| call.has("function"))
        .collect();
    if calls.is_empty() {
        steps.push(said(Role::Assistant, output.shown()));
    } else {
        let tool_calls = calls.iter().filter_map(|one| message::call(one, warnings)).collect();
        steps.push(Step {
            role: Role::Assistant,
            tool_calls,
            ..Step::default()
        });
    }
    steps
}

/// A prompt that is a list of messages, written as a text.
fn messages_of(prompt: &str, warnings: &mut Vec<Warning>) -> Option<Vec<Step>> {
    if !prompt.trim_start().starts_with("[{") {
        return None;
    }
    let steps = message::steps(Node::of_text("prompt.raw", prompt)?.as_list()?, warnings);
    (!steps.is_empty()).then_some(steps)
}

fn said(role: Role, content: String) -> Step {
    Step {
        role,
        content,
        ..Step::default()
    }
}

#[cfg(test)]
mod tests;
