//! Reader for tau2 and τ³-bench result files, and for the lists of the old tau-bench.

use super::document::Document;
use super::json::{Node, Object};
use super::read::{ReadTrace, Warning, decoded};
use super::{Check, Expected, Termination, Trace, message, tau_bench};
use crate::id::TaskId;
use std::collections::BTreeMap;

/// Reads a result file. Never fails: what cannot be used is named in the warnings, the rest is used.
/// A file that breaks off in the middle gives every simulation that is whole.
pub fn read(bytes: &[u8]) -> (Vec<ReadTrace>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let text = decoded(bytes, &mut warnings);
    let traces = read_text(&text, &mut warnings);
    (traces, warnings)
}

/// Whether a document is a result file, one run of a τ³-bench directory, or a tau-bench list.
pub(super) fn recognises(document: &Document<'_>) -> bool {
    let single = |key: &str| document.fields.contains_key(key);
    document.lists.contains_key("simulations")
        || (single("task_id") && (single("messages") || single("ticks")))
        || tau_bench::recognises(document)
}

fn read_text(text: &str, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    if text.trim().is_empty() {
        warnings.push(Warning::new("byte 0", "the file is empty"));
        return Vec::new();
    }
    let document = Document::read(text, warnings);
    if !recognises(&document) {
        warnings.push(Warning::new(
            "",
            "no tau2 result file: it has no `simulations`, and is no list of tau-bench runs",
        ));
        return Vec::new();
    }
    read_document(&document, warnings)
}

pub(super) fn read_document(document: &Document<'_>, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    if tau_bench::recognises(document) {
        return tau_bench::read(document, warnings);
    }
    let top = document.object();
    if !document.has_list("simulations") {
        return simulation(&top, &BTreeMap::new(), warnings).into_iter().collect();
    }
    let criteria = criteria_by_task(top.list("tasks", warnings), warnings);
    let mut traces = Vec::new();
    for node in document.items("simulations") {
        let object = node.object(warnings);
        traces.extend(object.and_then(|object| simulation(&object, &criteria, warnings)));
    }
    traces
}

/// What a task asks for.
struct Criteria {
    expected: Expected,
    basis: Vec<String>,
}

fn criteria_by_task(tasks: Vec<Node<'_>>, warnings: &mut Vec<Warning>) -> BTreeMap<String, Criteria> {
    let mut by_task = BTreeMap::new();
    for task in tasks {
        let Some(task) = task.object(warnings) else { continue };
        let Some(id) = task.text("id", warnings) else { continue };
        let Some(criteria) = task.object("evaluation_criteria", warnings) else {
            continue;
        };
        let actions = criteria.objects("actions", warnings);
        let actions = actions
            .iter()
            .filter_map(|action| message::action(action, "arguments", warnings))
            .collect();
        let communicate = criteria.texts("communicate_info", warnings);
        let basis = criteria.texts("reward_basis", warnings);
        by_task.insert(
            id,
            Criteria {
                expected: Expected { actions, communicate },
                basis,
            },
        );
    }
    by_task
}

fn simulation(run: &Object<'_>, tasks: &BTreeMap<String, Criteria>, warnings: &mut Vec<Warning>) -> Option<ReadTrace> {
    let Some(task) = run.text("task_id", warnings) else {
        run.warn("left out: a simulation without a `task_id`", warnings);
        return None;
    };
    let trial = run.number("trial", warnings).map_or(0, whole);
    let steps = message::steps(run.list("messages", warnings), warnings);
    let reward = run.object("reward_info", warnings);
    let score = reward.as_ref().and_then(|reward| reward.number("reward", warnings));
    let criteria = tasks.get(&task);
    let (checks, expected) = match &reward {
        Some(reward) => judged(reward, criteria, warnings),
        None => (
            Vec::new(),
            criteria.map(|criteria| counting(criteria.expected.clone(), &criteria.basis)),
        ),
    };
    let trace = Trace {
        impact: None,
        steps,
        termination: termination(run, warnings),
        tools: Vec::new(),
        expected,
        checks,
    };
    let source = match run.text("id", warnings) {
        Some(id) => format!("tau2:{id}:{trial}"),
        None => format!("tau2:{task}:{trial}:{}", crate::hash::of_trace(&trace)),
    };
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and a trial number is small"
)]
pub(super) fn whole(number: f64) -> u32 {
    number as u32
}

fn termination(run: &Object<'_>, warnings: &mut Vec<Warning>) -> Termination {
    let word = run.text("termination_reason", warnings).unwrap_or_default();
    match word.as_str() {
        "judge_stop" => Termination::AgentError,
        word => serde_json::from_value(word.into()).unwrap_or_default(),
    }
}

/// The checks that counted, and what was expected: as the evaluator of this run saw it, else as the task says.
fn judged(
    reward: &Object<'_>,
    criteria: Option<&Criteria>,
    warnings: &mut Vec<Warning>,
) -> (Vec<Check>, Option<Expected>) {
    let mut basis = reward.texts("reward_basis", warnings);
    if basis.is_empty() {
        basis = criteria.map(|criteria| criteria.basis.clone()).unwrap_or_default();
    }
    let seen = reward.objects("action_checks", warnings);
    let seen = seen
        .iter()
        .filter_map(|check| message::action(&check.object("action", warnings)?, "arguments", warnings));
    let seen: Vec<_> = seen.collect();
    let mut expected = criteria.map(|criteria| criteria.expected.clone()).unwrap_or_default();
    if !seen.is_empty() {
        expected.actions = seen;
    }
    let known = criteria.is_some() || !expected.actions.is_empty();
    (
        checks(reward, &basis, warnings),
        known.then(|| counting(expected, &basis)),
    )
}

/// What of the expected things counted: a text that was expected but not part of the reward is none.
fn counting(mut expected: Expected, basis: &[String]) -> Expected {
    if !basis.is_empty() && !basis.iter().any(|kind| kind == "COMMUNICATE") {
        expected.communicate.clear();
    }
    expected
}

fn checks(reward: &Object<'_>, basis: &[String], warnings: &mut Vec<Warning>) -> Vec<Check> {
    let counts = |kind: &str| basis.iter().any(|one| one == kind);
    let mut checks = Vec::new();
    if counts("DB")
        && let Some(database) = reward.object("db_check", warnings)
        && let Some(passed) = database.flag("db_match", warnings)
    {
        let detail = "the final database is as expected".to_owned();
        checks.push(Check {
            name: "database".to_owned(),
            kind: "state".to_owned(),
            passed,
            detail,
        });
    }
    if counts("ENV_ASSERTION") {
        for check in reward.objects("env_assertions", warnings) {
            let Some(assertion) = check.object("env_assertion", warnings) else {
                continue;
            };
            let arguments = serde_json::Value::Object(assertion.map("arguments", warnings));
            let should = assertion.flag("assert_value", warnings).unwrap_or(true);
            let name = assertion.text("func_name", warnings).unwrap_or_default();
            let detail = format!("{name} with {arguments} should be {should}");
            checks.push(Check {
                name,
                kind: "assertion".to_owned(),
                passed: met(&check, "met", warnings),
                detail,
            });
        }
    }
    if counts("ACTION") {
        for check in reward.objects("action_checks", warnings) {
            let Some(action) = check.object("action", warnings) else {
                continue;
            };
            let name = action.text("name", warnings).unwrap_or_default();
            let detail = "should have been called".to_owned();
            let passed = met(&check, "action_match", warnings);
            checks.push(Check {
                name,
                kind: "action".to_owned(),
                passed,
                detail,
            });
        }
    }
    for (basis, list, name, kind) in [
        ("COMMUNICATE", "communicate_checks", "info", "communicate"),
        ("NL_ASSERTION", "nl_assertions", "nl_assertion", "judged"),
    ] {
        for check in reward.objects(list, warnings).into_iter().filter(|_| counts(basis)) {
            let passed = met(&check, "met", warnings);
            let name = check.text(name, warnings).unwrap_or_default();
            let detail = check.text("justification", warnings).unwrap_or_default();
            checks.push(Check {
                name,
                kind: kind.to_owned(),
                passed,
                detail,
            });
        }
    }
    checks
}

fn met(check: &Object<'_>, key: &str, warnings: &mut Vec<Warning>) -> bool {
    check.flag(key, warnings).unwrap_or(false)
}

#[cfg(test)]
mod tests;
