//! Reading what a worker says: lines into messages, a result into a trial, and what is wrong with a message in plain words.

mod fields;

pub(crate) use fields::{case_result_problems, ready_problems, result_problems, tasks_problems};

use serde_json::Value;
use sprag_core::case::expect::{self, Expectation, Outcome};
use sprag_core::failure::FailureKind;
use sprag_core::protocol::{FromWorker, HarnessReload, RunResult};
use sprag_core::redact::Redactor;
use sprag_core::trace::Trace;
use sprag_core::trial::{Split, Trial, TrialStatus};
use std::collections::BTreeMap;

/// One line of a worker's stdout.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The answer to `hello`.
    Ready(Ready),
    /// The answer to `list`.
    Tasks {
        split: Split,
        ids: Vec<String>,
        /// What a run of each begins with, where it is told.
        inputs: BTreeMap<String, String>,
    },
    /// The answer to `run`.
    Result(Box<RunResult>),
    /// A message of the protocol that cannot be used.
    Broken {
        kind: String,
        id: Option<String>,
        reason: String,
    },
    /// Anything else.
    Noise,
}

/// What a worker says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// The version it speaks.
    pub protocol: u32,
    /// Runs it takes at a time, at least 1.
    pub parallel: usize,
    /// When it reads the harness.
    pub harness: HarnessReload,
    /// Whether it takes runs with a `case`.
    pub cases: bool,
}

/// Reads one line.
pub(crate) fn read(line: &[u8]) -> Answer {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Answer::Noise;
    }
    match serde_json::from_slice(line) {
        Ok(FromWorker::Ready {
            protocol,
            parallel,
            harness,
            cases,
            ..
        }) => Answer::Ready(Ready {
            protocol,
            parallel: parallel.max(1),
            harness,
            cases,
        }),
        Ok(FromWorker::Tasks { split, ids, inputs }) => Answer::Tasks { split, ids, inputs },
        Ok(FromWorker::Result(result)) => Answer::Result(result),
        Err(error) => read_broken(line, &error),
    }
}

fn read_broken(line: &[u8], error: &serde_json::Error) -> Answer {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Answer::Noise;
    };
    let Some(kind) = value["type"].as_str() else {
        return Answer::Noise;
    };
    let problems = match kind {
        "ready" => ready_problems(&value),
        "tasks" => tasks_problems(&value),
        "result" => result_problems(&value),
        _ => return Answer::Noise,
    };
    let reason = problems.into_iter().next().unwrap_or_else(|| error.to_string());
    Answer::Broken {
        kind: kind.to_owned(),
        id: value["id"].as_str().map(ToOwned::to_owned),
        reason,
    }
}

/// The trial that a result stands for. What is no usable verdict is an error of the evaluator. `case` is what was run, if that was no task:
/// its `expect` list gives the verdict that the runner leaves out.
pub(crate) fn trial_of(result: RunResult, trace_wanted: bool, case: Option<&Value>) -> Trial {
    let mut usage = result.usage;
    usage.usd = usage.usd.max(0.0);
    let (status, score, rubrics) = match (&result.trace, case) {
        (Some(trace), Some(case)) if result.passed.is_none() && result.error.is_none() => scored(trace, case),
        _ => {
            let (status, score) = verdict(&result, trace_wanted);
            (status, score, Vec::new())
        }
    };
    let trace = result.trace.filter(|_| trace_wanted);
    Trial {
        status,
        score,
        usage,
        duration_ms: result.duration_ms,
        trace,
        rubrics,
    }
}

/// The verdict of a case's `expect` list on a trace, with the part that holds as score, and what is left for a model to judge.
fn scored(trace: &Trace, case: &Value) -> (TrialStatus, f64, Vec<String>) {
    let errored = |message: String| TrialStatus::Errored {
        kind: FailureKind::Evaluator,
        message,
    };
    let list: Vec<Expectation> = match serde_json::from_value(case["expect"].clone()) {
        Ok(list) => list,
        Err(error) => {
            let message = format!("what the case expects cannot be read: {error}");
            return (errored(message), 0.0, Vec::new());
        }
    };
    let scored = expect::score(&list, trace);
    let (mut held, mut n, mut unscored) = (0.0, 0.0, "nothing is expected");
    for scored in &scored {
        n += 1.0;
        match scored.outcome {
            Outcome::Held => held += 1.0,
            Outcome::Broken => {}
            Outcome::Unscored => unscored = &scored.why,
        }
    }
    let rubrics = match expect::verdict(&scored) {
        Some(true) => return (TrialStatus::Passed, 1.0, Vec::new()),
        Some(false) => return (TrialStatus::Failed, held / n, Vec::new()),
        None => expect::rubrics(&list, &scored),
    };
    (
        errored(format!("the case could not be scored: {unscored}")),
        0.0,
        rubrics,
    )
}

fn verdict(result: &RunResult, trace_wanted: bool) -> (TrialStatus, f64) {
    let broken = |message: String| {
        (
            TrialStatus::Errored {
                kind: FailureKind::Evaluator,
                message,
            },
            0.0,
        )
    };
    if let Some(error) = &result.error {
        // An error says that there is no verdict, so it cannot blame the agent.
        let kind = if error.kind == FailureKind::Agent {
            FailureKind::Unknown
        } else {
            error.kind
        };
        return (
            TrialStatus::Errored {
                kind,
                message: error.message.clone(),
            },
            0.0,
        );
    }
    let Some(passed) = result.passed else {
        return broken("the runner gave no verdict".to_owned());
    };
    let score = result.score.unwrap_or(if passed { 1.0 } else { 0.0 });
    if !(0.0..=1.0).contains(&score) {
        return broken(format!(
            "the runner gave the score {score}, which is not between 0 and 1"
        ));
    }
    if trace_wanted && result.trace.is_none() {
        return broken("the runner gave no trace though it was asked for one".to_owned());
    }
    (
        if passed {
            TrialStatus::Passed
        } else {
            TrialStatus::Failed
        },
        score,
    )
}

/// Takes the runner's own words out of the error of a held-out run: they can hold what the task is about.
pub(crate) fn mask(trial: &mut Trial) {
    if let TrialStatus::Errored { kind, message } = &mut trial.status {
        let article = if *kind == FailureKind::UserSimulator { "a" } else { "an" };
        *message = format!("the runner reported {article} {kind} error on a held-out task");
    }
}

/// A line as it is shown to people: one line, without secrets, at most 160 characters.
pub(crate) fn quote(line: &[u8]) -> String {
    let head = &line[..line.len().min(1024)];
    let text: String = String::from_utf8_lossy(head)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = Redactor::default().text(text.trim()).into_owned();
    if text.chars().count() <= 160 && head.len() == line.len() {
        return text;
    }
    text.chars().take(159).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(line: &str, trace_wanted: bool) -> Trial {
        match read(line.as_bytes()) {
            Answer::Result(result) => trial_of(*result, trace_wanted, None),
            other => panic!("{line} is {other:?}"),
        }
    }

    fn error_of(line: &str, trace_wanted: bool) -> String {
        match trial(line, trace_wanted).status {
            TrialStatus::Errored { kind, message } => format!("{kind}: {message}"),
            other => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn a_verdict_is_read_and_unknown_fields_are_ignored() {
        let trial = trial(
            r#"{"type":"result","id":"1","passed":true,"score":0.5,"trace":{"steps":[],"x":1},"usage":{"usd":-3},"y":2}"#,
            true,
        );
        assert_eq!((trial.passed(), trial.score, trial.usage.usd), (true, 0.5, 0.0));
        assert!(trial.trace.is_some());
    }

    #[test]
    fn a_trace_that_nobody_wants_is_dropped() {
        assert_eq!(
            trial(
                r#"{"type":"result","id":"1","passed":false,"trace":{"steps":[]}}"#,
                false
            )
            .trace,
            None
        );
    }

    #[test]
    fn what_is_no_verdict_is_an_error_of_the_evaluator() {
        let of = |fields: &str, wanted| error_of(&format!(r#"{{"type":"result","id":"1"{fields}}}"#), wanted);
        assert_eq!(of("", false), "evaluator: the runner gave no verdict");
        assert_eq!(
            of(r#","passed":true,"score":1.5"#, false),
            "evaluator: the runner gave the score 1.5, which is not between 0 and 1"
        );
        assert_eq!(
            of(r#","passed":true"#, true),
            "evaluator: the runner gave no trace though it was asked for one"
        );
        assert_eq!(of(r#","error":{"kind":"agent","message":"hm"}"#, false), "unknown: hm");
    }

    #[test]
    fn a_case_without_a_verdict_is_scored_by_what_it_expects() {
        let of = |result: &str, case: Value| {
            let line = format!(r#"{{"type":"result","id":"1"{result}}}"#);
            let Answer::Result(result) = read(line.as_bytes()) else {
                panic!("{line}")
            };
            trial_of(*result, true, Some(&case))
        };
        let trace = r#","trace":{"steps":[{"role":"assistant","content":"sorry"}]}"#;
        let sorry =
            serde_json::json!({"expect": [{"type": "contains", "text": "Sorry"}, {"type": "max_steps", "steps": 1}]});
        let both =
            serde_json::json!({"expect": [{"type": "contains", "text": "glad"}, {"type": "max_steps", "steps": 1}]});
        assert!(of(trace, sorry.clone()).passed());
        let half = of(trace, both.clone());
        assert_eq!((half.status, half.score), (TrialStatus::Failed, 0.5));
        assert!(
            of(&format!(r#","passed":true{trace}"#), both).passed(),
            "the runner's verdict stands"
        );
        for (result, case) in [
            (
                trace,
                serde_json::json!({"expect": [{"type": "judge", "rubric": "is polite"}]}),
            ),
            (trace, serde_json::json!({"expect": []})),
            (trace, serde_json::json!({"expect": [{"type": "dance"}]})),
            ("", sorry),
        ] {
            assert!(!of(result, case.clone()).has_verdict(), "{case}");
        }
        let judge = |other: Value| {
            of(
                trace,
                serde_json::json!({"expect": [other, {"type": "judge", "rubric": "is polite"}]}),
            )
        };
        let open = judge(serde_json::json!({"type": "max_steps", "steps": 1}));
        assert_eq!(open.rubrics, ["is polite"], "all else holds, so a model can say");
        let broken = judge(serde_json::json!({"type": "contains", "text": "glad"}));
        assert_eq!(
            (broken.status, broken.rubrics.len()),
            (TrialStatus::Failed, 0),
            "no model need be asked"
        );
        let unusable = judge(serde_json::json!({"type": "regex", "pattern": "("}));
        assert!(
            !unusable.has_verdict() && unusable.rubrics.is_empty(),
            "no model can mend that"
        );
    }

    #[test]
    fn a_broken_result_says_what_is_wrong_with_it() {
        let Answer::Broken { kind, id, reason } = read(br#"{"type":"result","id":"7","passed":"yes"}"#) else {
            panic!()
        };
        assert_eq!((kind.as_str(), id.as_deref()), ("result", Some("7")));
        assert_eq!(reason, "`passed` must be true or false, and it is \"yes\"");
    }

    #[test]
    fn what_is_not_of_the_protocol_is_noise() {
        for line in [
            "",
            "Loading…",
            "[1]",
            "{}",
            "{\"type\":\"log\"}",
            "17",
            "{\"type\":\"result\"",
        ] {
            assert!(matches!(read(line.as_bytes()), Answer::Noise), "{line}");
        }
    }

    #[test]
    fn a_held_out_error_keeps_only_its_kind() {
        let mut trial = Trial::errored(FailureKind::UserSimulator, "the ticket O-7 was lost");
        mask(&mut trial);
        let TrialStatus::Errored { message, .. } = trial.status else {
            panic!()
        };
        assert_eq!(message, "the runner reported a user simulator error on a held-out task");
    }

    #[test]
    fn quotes_are_short_and_on_one_line() {
        assert_eq!(quote(b"a\tb\x1b[31m"), "a b [31m");
        assert_eq!(quote("ä".repeat(900).as_bytes()).chars().count(), 160);
    }
}
