//! Reader for trials of Harbor and of Terminal-Bench before it: `result.json` has the verdict, `agent/trajectory.json` (the Agent Trajectory
//! Interchange Format) or whatever the agent wrote has the steps.

use super::document::Document;
use super::folder::Piece;
use super::json::Object;
use super::read::{Content, ReadTrace, Warning, of_steps, of_unnamed_steps};
use super::{Check, Role, Step, Termination, ToolCall, Trace};
use crate::failure::FailureKind;
use crate::id::TaskId;

/// An agent that lived for less, in seconds, and produced nothing, never ran.
const STILLBORN: f64 = 1.0;

/// What `result.json` says of one trial.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    run: ReadTrace,
    /// The agent's process ended at once and without a token: the machinery broke, whatever the verifier says.
    stillborn: bool,
}

pub(super) fn recognises(object: &Object<'_>) -> bool {
    is_trajectory(object)
        || is_trial(object)
        || is_bench(object)
        || object.node("results").is_some_and(|results| {
            let first = results.at("/0").and_then(|first| first.as_object());
            first.is_some_and(|first| is_bench(&first))
        })
}

fn is_trajectory(object: &Object<'_>) -> bool {
    object
        .word("schema_version")
        .is_some_and(|version| version.starts_with("ATIF"))
}

fn is_trial(object: &Object<'_>) -> bool {
    object.has("task_name")
        && ["verifier_result", "agent_result", "trial_name"]
            .iter()
            .any(|key| object.has(key))
}

/// A row of Terminal-Bench's `results.json`.
fn is_bench(object: &Object<'_>) -> bool {
    object.has("task_id") && object.has("is_resolved") && object.has("trial_name")
}

/// Whether a document is Terminal-Bench's list of results, which is no list of promptfoo's.
pub(super) fn recognises_list(document: &Document<'_>) -> bool {
    let first = document.items("results").first().and_then(|row| row.as_object());
    first.is_some_and(|row| is_bench(&row))
}

pub(super) fn read(document: &Document<'_>, warnings: &mut Vec<Warning>) -> Content {
    let mut content = Content::default();
    let mut objects: Vec<_> = document
        .objects(warnings)
        .into_iter()
        .map(|(_, object)| object)
        .collect();
    for row in document.items("results") {
        objects.extend(row.object(warnings));
    }
    for object in objects {
        if is_trajectory(&object) {
            content.traces.push(trajectory(&object, warnings));
        } else if is_bench(&object) {
            content.traces.push(bench(&object).finish(None));
        } else if is_trial(&object) {
            let trial = trial(&object, warnings);
            if let Some(earlier) = content.piece.replace(Piece::Harbor(Box::new(trial))) {
                content.traces.extend(earlier.alone(warnings));
            }
        }
    }
    content
}

impl Trial {
    /// The run: the verdict, with the steps that another file has.
    pub(super) fn finish(self, steps: Option<Trace>) -> ReadTrace {
        let mut run = self.run;
        let empty = steps
            .as_ref()
            .is_none_or(|trace| trace.steps.iter().all(|step| step.role != Role::Assistant));
        if let Some(trace) = steps.filter(|trace| !trace.steps.is_empty()) {
            if run.trace.termination == Termination::Unknown {
                run.trace.termination = trace.termination;
            }
            run.trace.steps = trace.steps;
            run.trace.tools = trace.tools;
        }
        if self.stillborn && empty && run.passed != Some(true) {
            run.kind_hint = Some(FailureKind::Infrastructure);
        }
        run
    }
}

fn trial(object: &Object<'_>, warnings: &mut Vec<Warning>) -> Trial {
    let task = object.text("task_name", warnings).unwrap_or_default();
    let verifier = object.node("verifier_result").and_then(|verifier| verifier.as_object());
    let rewards = verifier.and_then(|verifier| verifier.node("rewards")?.as_object());
    // `reward` is the verdict; where there is none, every reward must be full.
    let named: Vec<(String, f64)> = rewards
        .iter()
        .flat_map(|rewards| {
            rewards
                .keys()
                .filter_map(|key| Some((key.to_owned(), rewards.amount(key)?)))
        })
        .collect();
    let main = named
        .iter()
        .find(|(name, _)| name == "reward")
        .map(|(_, reward)| *reward);
    let lowest = named.iter().map(|(_, reward)| *reward).reduce(f64::min);
    let score = main.or(lowest);
    let thrown = object.node("exception_info").and_then(|info| info.as_object());
    let thrown = thrown.map(|info| {
        let said = |key: &str| info.word(key).unwrap_or_default();
        (said("exception_type"), said("exception_message"))
    });
    let (termination, kind) = match &thrown {
        Some((kind, _)) => blame(kind, score.is_some()),
        None => (Termination::Unknown, None),
    };
    let mut checks: Vec<Check> = named
        .into_iter()
        .map(|(name, reward)| Check::new(&name, "score", reward >= 1.0, reward.to_string()))
        .collect();
    checks.extend(thrown.map(|(kind, message)| Check::new(&kind, "status", false, message)));
    let id = ["id", "trial_name"].iter().find_map(|key| object.word(key));
    let times = object.node("agent_execution").and_then(|times| times.as_object());
    let lived = times.and_then(|times| seconds(&times.word("started_at")?, &times.word("finished_at")?));
    let result = object.node("agent_result").and_then(|result| result.as_object());
    let tokens = result
        .and_then(|result| result.amount("n_output_tokens"))
        .unwrap_or(0.0);
    Trial {
        run: run(
            &task,
            id,
            score.map(|score| score >= 1.0 - 1e-6),
            score,
            kind,
            Trace {
                termination,
                checks,
                ..Trace::default()
            },
        ),
        stillborn: tokens <= 0.0 && lived.is_some_and(|lived| lived < STILLBORN),
    }
}

/// Who broke it, by the name of the exception. One that the verifier came after is no reason to doubt the verdict.
fn blame(exception: &str, judged: bool) -> (Termination, Option<FailureKind>) {
    let says = |word: &str| exception.contains(word);
    let setup = says("Setup") || says("Environment") || says("Docker") || says("Daytona") || says("Build");
    if exception == "AgentTimeoutError" {
        (Termination::Timeout, None)
    } else if judged {
        (Termination::Unknown, None)
    } else if says("Verifier") || says("Reward") {
        (Termination::Unknown, Some(FailureKind::Evaluator))
    } else if setup {
        (Termination::InfrastructureError, Some(FailureKind::Infrastructure))
    } else {
        (Termination::UnexpectedError, Some(FailureKind::Unknown))
    }
}

fn bench(row: &Object<'_>) -> Trial {
    let task = row.word("task_id").unwrap_or_default();
    let resolved = row.word("is_resolved").and_then(|flag| flag.parse().ok());
    let failure = row.word("failure_mode").unwrap_or_default();
    let lived = row.word("agent_started_at").zip(row.word("agent_ended_at"));
    let lived = lived.and_then(|(started, ended)| seconds(&started, &ended));
    let tests = row.node("parser_results").and_then(|tests| tests.as_object());
    let checks = tests.iter().flat_map(|tests| {
        let one = |name: &str| {
            Some(Check::new(
                name,
                "assertion",
                tests.word(name)? == "passed",
                String::new(),
            ))
        };
        tests.keys().filter_map(one)
    });
    let asked = row.word("instruction").map(|content| Step {
        content,
        ..Step::default()
    });
    let termination = match failure.as_str() {
        "agent_timeout" => Termination::Timeout,
        "context_length_exceeded" => Termination::ContextWindowExceeded,
        _ => Termination::Unknown,
    };
    let trace = Trace {
        steps: asked.into_iter().collect(),
        termination,
        checks: checks.collect(),
        ..Trace::default()
    };
    let score = resolved.map(|resolved: bool| f64::from(u8::from(resolved)));
    Trial {
        run: run(&task, row.word("trial_name"), resolved, score, None, trace),
        stillborn: row.amount("total_output_tokens").unwrap_or(0.0) <= 0.0
            && lived.is_some_and(|lived| lived < STILLBORN),
    }
}

fn run(
    task: &str,
    id: Option<String>,
    passed: Option<bool>,
    score: Option<f64>,
    kind_hint: Option<FailureKind>,
    trace: Trace,
) -> ReadTrace {
    let id = id.unwrap_or_else(|| crate::hash::of(&(task, crate::hash::of_trace(&trace))));
    ReadTrace {
        source: format!("harbor:{id}"),
        task: TaskId::new(task),
        trial: 0,
        passed,
        score,
        kind_hint,
        trace,
    }
}

/// The seconds from one RFC 3339 time to another less than a day later.
fn seconds(from: &str, to: &str) -> Option<f64> {
    let of_day = |time: &str| {
        let clock = time.split_once(['T', ' '])?.1;
        let clock = clock.trim_end_matches('Z').split(['+', '-']).next()?;
        let mut parts = clock.split(':').map(|part| part.parse::<f64>().ok());
        Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
    };
    let between = of_day(to)? - of_day(from)?;
    Some(if between < 0.0 { between + 86_400.0 } else { between })
}

fn trajectory(object: &Object<'_>, warnings: &mut Vec<Warning>) -> ReadTrace {
    let mut steps = Vec::new();
    for step in object.objects("steps", warnings) {
        push(&step, &mut steps, warnings);
    }
    match object.word("session_id") {
        Some(session) => of_steps(format!("harbor:{session}"), steps),
        None => of_unnamed_steps("harbor", steps),
    }
}

/// A step of a trajectory has what was said, called and observed in one object.
fn push(step: &Object<'_>, steps: &mut Vec<Step>, warnings: &mut Vec<Warning>) {
    let role = match step.word("source").as_deref() {
        Some("agent") => Role::Assistant,
        Some("system") => Role::System,
        _ => Role::User,
    };
    let calls = step.objects("tool_calls", warnings);
    let call = |call: &Object<'_>| {
        Some(ToolCall {
            id: call.word("tool_call_id").unwrap_or_default(),
            name: call.word("function_name")?,
            arguments: call.map("arguments", warnings),
            requestor: None,
        })
    };
    steps.push(Step {
        role,
        content: step.node("message").map(|said| said.shown()).unwrap_or_default(),
        tool_calls: calls.iter().filter_map(call).collect(),
        ..Step::default()
    });
    let observed = step.object("observation", warnings);
    let results = observed
        .map(|observed| observed.objects("results", warnings))
        .unwrap_or_default();
    for result in results {
        let Some(content) = result.node("content") else {
            continue;
        };
        let extra = result.node("extra").and_then(|extra| extra.as_object());
        let says = |key: &str, word: &str| {
            let own = result.word(key).or_else(|| extra.as_ref()?.word(key));
            own.is_some_and(|flag| flag == word)
        };
        steps.push(Step {
            role: Role::Tool,
            content: content.shown(),
            tool_calls: Vec::new(),
            call_id: result.word("source_call_id").filter(|id| !id.is_empty()),
            error: says("is_error", "true") || says("success", "false"),
        });
    }
}

#[cfg(test)]
mod tests;
