//! The answer of a model, held against the trace: what it cites must stand there, what it names must exist.

use super::super::text::{QUOTE, call_as_text, masked, shortened};
use super::{NAMED, Subject};
use crate::failure::{Evidence, FailureKind, Mechanism, RootCause};
use crate::model::ModelAnswer;
use crate::trace::{Step, Trace};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The most quotes that are kept.
const QUOTES: usize = 3;
/// A quote with fewer letters and digits could stand anywhere.
const TELLING: usize = 6;
/// The most characters of a sentence.
const SENTENCE: usize = 600;

/// What a model says of a run, after it was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Who is to blame.
    pub kind: FailureKind,
    /// Why, if the agent is; its confidence is the model's own.
    pub cause: Option<RootCause>,
}

#[derive(Debug, Deserialize)]
struct Written {
    root_cause: String,
    decisive_step: usize,
    evidence: Vec<Quoted>,
    kind: FailureKind,
    mechanism: String,
    subject: String,
    should: String,
    confidence: f64,
}

#[derive(Debug, Deserialize)]
struct Quoted {
    step: usize,
    quote: String,
}

/// Reads and checks an answer.
///
/// # Errors
/// Everything that is wrong with it, in words that the model can mend it by.
pub fn read(answer: &ModelAnswer, trace: &Trace) -> Result<Reading, Vec<String>> {
    let object = answer.object().map_err(|problem| vec![problem])?;
    let written = fields(object)?;
    let mut problems = Vec::new();
    if !(0.0..=1.0).contains(&written.confidence) {
        problems.push("confidence must be a number from 0 to 1".to_owned());
    }
    if written.root_cause.trim().is_empty() {
        problems.push("root_cause is empty".to_owned());
    }
    let evidence = evidence(&written, trace, &mut problems);
    let cause = (written.kind == FailureKind::Agent).then(|| {
        if written.should.trim().is_empty() {
            problems.push("should is empty".to_owned());
        }
        let mechanism = mechanism(&written, trace).map_err(|problem| problems.push(problem));
        RootCause {
            mechanism: mechanism.unwrap_or_else(|()| Mechanism {
                rule: String::new(),
                subject: String::new(),
            }),
            finding: shortened(&written.root_cause, SENTENCE),
            evidence,
            confidence: written.confidence,
            should: shortened(&written.should, SENTENCE),
            action: None,
        }
    });
    if problems.is_empty() {
        Ok(Reading {
            kind: written.kind,
            cause,
        })
    } else {
        Err(problems)
    }
}

/// The fields, or which of them are missing or of another type. Numbers that are written as texts are taken.
fn fields(mut object: Map<String, Value>) -> Result<Written, Vec<String>> {
    let number = |value: &mut Value| {
        if let Some(number) = value.as_str().and_then(|text| serde_json::from_str(text.trim()).ok()) {
            *value = Value::Number(number);
        }
    };
    for key in ["decisive_step", "confidence"] {
        object.get_mut(key).into_iter().for_each(number);
    }
    for item in object
        .get_mut("evidence")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        item.get_mut("step").into_iter().for_each(number);
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| vec![format!("the object has not the form: {error}")])
}

/// The quotes that stand where they are said to, that of the decisive step first.
fn evidence(written: &Written, trace: &Trace, problems: &mut Vec<String>) -> Vec<Evidence> {
    let last = trace.steps.len().saturating_sub(1);
    let mut evidence = Vec::new();
    for Quoted { step, quote } in &written.evidence {
        let Some(there) = trace.steps.get(*step) else {
            problems.push(format!("evidence: there is no step {step}; the last one is {last}"));
            continue;
        };
        match found(there, quote) {
            Ok(quote) => evidence.push(Evidence {
                step: Some(*step),
                quote,
            }),
            Err(why) => {
                let also = trace.steps.iter().position(|step| found(step, quote).is_ok());
                let hint = also.map(|at| format!("; step {at} does")).unwrap_or_default();
                problems.push(format!(
                    "evidence: step {step} {why}: \"{}\"{hint}",
                    shortened(quote, 80)
                ));
            }
        }
    }
    if written.decisive_step > last {
        problems.push(format!(
            "decisive_step: there is no step {}; the last one is {last}",
            written.decisive_step
        ));
    } else if !written
        .evidence
        .iter()
        .any(|quoted| quoted.step == written.decisive_step)
    {
        problems.push(format!(
            "evidence: there is no quote from the decisive step {}",
            written.decisive_step
        ));
    }
    evidence.sort_by_key(|evidence: &Evidence| evidence.step != Some(written.decisive_step));
    evidence.truncate(QUOTES);
    evidence
}

/// The quote as it stands in the step, but for the white space; else why it does not.
pub(crate) fn found(step: &Step, quote: &str) -> Result<String, &'static str> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let quote = words(quote.trim().trim_matches(['"', '…']));
    // Where something was left out between two parts, both must stand there.
    let parts: Vec<&str> = quote
        .split("[…]")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let calls: String = step
        .tool_calls
        .iter()
        .map(|call| format!(" calls {}", call_as_text(call)))
        .collect();
    let said = words(&format!("{}{calls}", step.content));
    let telling = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).count();
    // A step that says no more than "ok" is quoted whole.
    if telling(&quote) < TELLING.min(telling(&said)) || parts.is_empty() {
        return Err("is quoted with too few words to tell anything");
    }
    if !parts.iter().all(|part| said.contains(part)) {
        return Err("does not say that");
    }
    Ok(quote.chars().take(QUOTE).collect())
}

/// The mechanism, in the form in which the rules name it.
fn mechanism(written: &Written, trace: &Trace) -> Result<Mechanism, String> {
    let subject = written.subject.trim().trim_matches('`');
    let Some((rule, form, _)) = NAMED.iter().find(|(rule, ..)| *rule == written.mechanism) else {
        return Err(format!(
            "mechanism: there is no \"{}\"",
            shortened(&written.mechanism, 40)
        ));
    };
    let tools = tools(trace);
    let known = |tool: &str| {
        if tools.contains(tool) {
            Ok(())
        } else {
            Err(format!("subject: the run knows no tool \"{}\"", shortened(tool, 60)))
        }
    };
    let subject = match form {
        Subject::Tool => known(subject).map(|()| subject.to_owned()),
        Subject::Argument => match subject.rsplit_once('.') {
            Some((tool, argument)) if !argument.is_empty() => known(tool).map(|()| subject.to_owned()),
            _ => Err("subject: write the tool and the argument, as in tool.argument".to_owned()),
        },
        Subject::Tools => match subject.split_once("->") {
            Some((one, other)) => {
                let (one, other) = (one.trim(), other.trim());
                known(one)
                    .and_then(|()| known(other))
                    .map(|()| format!("{one}->{other}"))
            }
            None => Err("subject: write both tools, as in tool->tool".to_owned()),
        },
        Subject::Words => {
            let words = masked(subject, &[]);
            let telling = words.chars().filter(|letter| letter.is_alphabetic()).count();
            if telling >= TELLING {
                Ok(words)
            } else {
                Err("subject: say in a few words what went wrong, without names and numbers of this run".to_owned())
            }
        }
    }?;
    Ok(Mechanism {
        rule: (*rule).to_owned(),
        subject,
    })
}

/// Every tool that the trace names.
fn tools(trace: &Trace) -> BTreeSet<&str> {
    let called = trace
        .steps
        .iter()
        .flat_map(|step| step.tool_calls.iter().map(|call| call.name.as_str()));
    let listed = trace.tools.iter().map(|tool| tool.name.as_str());
    let expected = trace
        .expected
        .iter()
        .flat_map(|expected| expected.actions.iter().map(|action| action.name.as_str()));
    called.chain(listed).chain(expected).collect()
}
