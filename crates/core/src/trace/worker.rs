//! Reader for the trace object of the worker protocol: bare, or as `{task, passed, score, trace}`, alone, in a list or one a line.

use super::document::Document;
use super::json::Object;
use super::read::{ReadTrace, Warning};
use super::{Expected, Trace, message, tau2};
use crate::failure::FailureKind;
use crate::id::TaskId;
use crate::severity::Severity;

pub(super) fn recognises(run: &Object<'_>) -> bool {
    run.has("steps") || run.has("trace")
}

pub(super) fn read(document: &Document<'_>, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let objects = document.objects(warnings);
    objects.iter().filter_map(|(_, object)| one(object, warnings)).collect()
}

fn one(run: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<ReadTrace> {
    let inner = run.object("trace", warnings);
    let kind_hint = run.object("error", warnings).map(|error| {
        let kind = error.node("kind").and_then(|kind| kind.parse::<FailureKind>(warnings));
        kind.unwrap_or_default()
    });
    if inner.is_none() && kind_hint.is_none() && !run.has("steps") {
        run.warn("left out: neither a `trace` nor `steps`", warnings);
        return None;
    }
    let trace = trace_of(inner.as_ref().unwrap_or(run), warnings);
    let task_key = if run.has("task_id") { "task_id" } else { "task" };
    let task = run.text(task_key, warnings).unwrap_or_else(|| {
        let message = "no `task`: the run is taken as a task of its own";
        run.warn(message, warnings);
        format!("trace-{}", &crate::hash::of(&trace.steps)[..12])
    });
    let trial = run.number("trial", warnings).map_or(0, tau2::whole);
    let score = run.number("score", warnings);
    let passed = run.flag("passed", warnings).filter(|_| kind_hint.is_none());
    let source = format!("worker:{task}:{trial}:{}", crate::hash::of_trace(&trace));
    Some(ReadTrace {
        source,
        task: TaskId::new(task),
        trial,
        passed,
        score,
        kind_hint,
        trace,
    })
}

fn trace_of(trace: &Object<'_>, warnings: &mut Vec<Warning>) -> Trace {
    let expected = trace.object("expected", warnings).map(|expected| {
        let actions = expected.objects("actions", warnings);
        Expected {
            actions: actions
                .iter()
                .filter_map(|action| message::action(action, "arguments", warnings))
                .collect(),
            communicate: expected.texts("communicate", warnings),
        }
    });
    Trace {
        steps: message::steps(trace.list("steps", warnings), warnings),
        termination: trace
            .node("termination")
            .and_then(|node| node.parse(warnings))
            .unwrap_or_default(),
        tools: parsed(trace, "tools", warnings),
        expected,
        checks: parsed(trace, "checks", warnings),
        impact: trace.text("impact", warnings).and_then(|word| Severity::of_word(&word)),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(trace: &Object<'_>, key: &str, warnings: &mut Vec<Warning>) -> Vec<T> {
    let nodes = trace.list(key, warnings);
    nodes.iter().filter_map(|node| node.parse(warnings)).collect()
}
