//! Reader for the lists of the old tau-bench: `OpenAI` messages, arguments as JSON in a text.

use super::document::Document;
use super::json::Object;
use super::read::{ReadTrace, Warning};
use super::{Check, Expected, Role, Step, Termination, Trace, message, tau2};
use crate::id::TaskId;

pub(super) fn recognises(document: &Document<'_>) -> bool {
    let heads = document.heads(1);
    let first = heads.first().filter(|_| document.has_list(""));
    first.is_some_and(|run| run.has("traj") && run.has("task_id"))
}

pub(super) fn read(document: &Document<'_>, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let runs: Vec<_> = document
        .items("")
        .into_iter()
        .filter_map(|item| item.object(warnings))
        .collect();
    runs.iter().filter_map(|run| one(run, warnings)).collect()
}

fn one(run: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<ReadTrace> {
    let Some(task) = run.text("task_id", warnings) else {
        run.warn("left out: a run without a `task_id`", warnings);
        return None;
    };
    let trial = run.number("trial", warnings).map_or(0, tau2::whole);
    let score = run.number("reward", warnings);
    let mut steps = message::steps(run.list("traj", warnings), warnings);
    mark_errors(&mut steps);
    let info = run.object("info", warnings);
    // The run of a harness that crashed: reward 0, no messages, and the exception beside it.
    let crashed = info.as_ref().is_some_and(|info| info.has("error"));
    let trace = Trace {
        impact: None,
        termination: if crashed {
            Termination::InfrastructureError
        } else {
            termination(&steps)
        },
        steps,
        tools: Vec::new(),
        expected: info.as_ref().and_then(|info| expected(info, warnings)),
        checks: info.as_ref().map(|info| checks(info, warnings)).unwrap_or_default(),
    };
    // These files have no run ids, and the same task and trial stand in many of them.
    let source = format!("tau-bench:{task}:{trial}:{}", crate::hash::of_trace(&trace));
    let passed = score.map(|score| (1.0 - score).abs() < 1e-6);
    Some(ReadTrace {
        source,
        task: TaskId::new(task),
        trial,
        passed,
        score,
        kind_hint: None,
        trace,
    })
}

/// The old format has no error flag; its tools say it in words.
fn mark_errors(steps: &mut [Step]) {
    for step in steps.iter_mut().filter(|step| step.role == Role::Tool) {
        step.error |= step.content.trim_start().starts_with("Error:");
    }
}

fn termination(steps: &[Step]) -> Termination {
    let stopped = steps
        .last()
        .is_some_and(|step| step.role == Role::User && step.content.contains("###STOP###"));
    if stopped {
        Termination::UserStop
    } else {
        Termination::Unknown
    }
}

fn expected(info: &Object<'_>, warnings: &mut Vec<Warning>) -> Option<Expected> {
    let task = info.object("task", warnings)?;
    let actions = task.objects("actions", warnings);
    Some(Expected {
        actions: actions
            .iter()
            .filter_map(|action| message::action(action, "kwargs", warnings))
            .collect(),
        communicate: task.texts("outputs", warnings),
    })
}

fn checks(info: &Object<'_>, warnings: &mut Vec<Warning>) -> Vec<Check> {
    let reward = info.object("reward_info", warnings);
    let Some(verdict) = reward.and_then(|reward| reward.object("info", warnings)) else {
        return Vec::new();
    };
    let mut checks = Vec::new();
    if verdict.has("r_actions")
        && let Some(passed) = verdict.flag("r_actions", warnings)
    {
        let detail = "the final database is as expected".to_owned();
        checks.push(Check {
            name: "database".to_owned(),
            kind: "state".to_owned(),
            passed,
            detail,
        });
    }
    for (text, met) in verdict.map("outputs", warnings) {
        let passed = met.as_bool().unwrap_or(false);
        checks.push(Check {
            name: text,
            kind: "communicate".to_owned(),
            passed,
            detail: String::new(),
        });
    }
    checks
}
