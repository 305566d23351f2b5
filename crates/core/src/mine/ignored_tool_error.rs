//! A call failed, and the agent went on as if it had worked.

use super::{Rule, calls, text, tool_error, ungrounded_answer};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Exchange, Role, Step, Trace};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "ignored_tool_error",
    description: "a call failed, and the agent said that it had worked or built on what it never got",
    last_resort: false,
    find,
};

/// Words that say that something was done: English, then Spanish, Portuguese, French, German and Italian.
const DONE: &str = "done completed successfully success confirmed processed booked cancelled canceled updated refunded sent scheduled \
                    hecho completado completada confirmado confirmada realizado realizada concluído feito terminé effectué confirmé \
                    erledigt abgeschlossen bestätigt erfolgreich fatto completato confermato";
/// Words that say that something went wrong, or was not done, in the same languages.
const FAILED: &str = "error errors fail fails failed failure unable cannot can't couldn't could not didn't wasn't isn't unfortunately sorry apologize \
                      apologies issue problem wrong invalid unavailable instead however \
                      no lamentablemente desafortunadamente problema erro falha não infelizmente erreur échec malheureusement désolé \
                      fehler leider nicht errore purtroppo non";

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let mut seen = BTreeSet::new();
    let mut causes = Vec::new();
    for (at, call) in exchanges
        .iter()
        .enumerate()
        .filter(|(_, call)| !calls::by_person(trace, call))
    {
        let Some((answer, said)) = call
            .answer
            .filter(|(_, step)| step.error || says_failure(&step.content))
        else {
            continue;
        };
        if tool_error::repaired(trace, call, &exchanges[at + 1..]) || !seen.insert(&call.call.name) {
            continue;
        }
        let next = exchanges[at + 1..]
            .iter()
            .find(|other| other.succeeded())
            .map_or(trace.steps.len(), |other| other.step);
        causes.extend(went_on(trace, answer, next).map(|(quote, built)| cause(call, quote, (answer, said), built)));
    }
    causes
}

/// A result that tells of a failure by itself, though nobody marked it as an error: an object that says so.
fn says_failure(content: &str) -> bool {
    let content = content.trim();
    if !content.starts_with('{') {
        return false;
    }
    let said: Value = serde_json::from_str(content).unwrap_or_default();
    let is = |key: &str, value: Value| said.get(key) == Some(&value);
    let status = said
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_lowercase();
    is("success", false.into())
        || is("ok", false.into())
        || matches!(status.as_str(), "error" | "failed" | "failure")
        || said
            .get("error")
            .is_some_and(|error| error.as_str().is_some_and(|error| !error.is_empty()) || error.is_object())
}

/// The first message after the failure in which the agent says that it is done, or a number that it never saw, and whether it is the latter.
/// A message that tells of the failure ends the search for the former.
fn went_on(trace: &Trace, answer: usize, next: usize) -> Option<(Evidence, bool)> {
    let spoken = |step: &&(usize, &Step)| {
        step.1.role == Role::Assistant && step.1.tool_calls.is_empty() && !step.1.content.trim().is_empty()
    };
    let messages = || {
        trace
            .steps
            .iter()
            .enumerate()
            .take(next)
            .skip(answer + 1)
            .filter(|found| spoken(&found))
    };
    let claim = messages().next().filter(|(_, step)| claims(&step.content));
    if let Some((at, _)) = claim {
        return Some((text::evidence(trace, at), false));
    }
    let invented = ungrounded_answer::invented(trace);
    messages().find_map(|(at, step)| {
        let (_, place) = invented.iter().find(|(step, _)| *step == at)?;
        let quote = step.content[*place..].chars().take(text::QUOTE / 2).collect();
        Some((Evidence { step: Some(at), quote }, true))
    })
}

fn claims(message: &str) -> bool {
    let has =
        |list: &str| crate::similar::words(message).any(|word| list.split_whitespace().any(|other| other == word));
    has(DONE) && !has(FAILED)
}

fn cause(call: &Exchange<'_>, went_on: Evidence, (answer, said): (usize, &Step), built: bool) -> RootCause {
    let tool = &call.call.name;
    let how = if built {
        "built on values that it never got"
    } else {
        "went on as if it had worked"
    };
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: tool.clone(),
        },
        finding: format!(
            "`{tool}` failed (\"{}\"), and the agent {how}.",
            text::shortened(&said.content, 120)
        ),
        evidence: vec![
            went_on,
            text::answer_evidence(answer, said),
            text::call_evidence(call.step, call.call),
        ],
        confidence: 0.5,
        should: format!("tell that `{tool}` failed, or make it work, before going on"),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};
    use crate::trace::{Step, Trace};

    fn failed(result: Step, more: Vec<Step>) -> Trace {
        let mut steps = vec![user("refund order 7"), agent_calls("a", "refund", "{}"), result];
        steps.extend(more);
        trace(steps)
    }

    fn error() -> Step {
        answer("a", "Error: payment gateway closed", true)
    }

    #[test]
    fn a_claim_after_a_failure_is_found_and_an_honest_word_is_none() {
        let causes = find(&failed(error(), vec![said("Your refund has been processed.")]));
        assert_eq!(causes[0].mechanism.to_string(), "ignored_tool_error:refund");
        let places: Vec<_> = causes[0].evidence.iter().map(|evidence| evidence.step).collect();
        assert_eq!(places, [Some(3), Some(2), Some(1)]);
        for honest in [
            "I could not refund it, nothing was processed.",
            "Sorry, that failed.",
            "One moment.",
        ] {
            assert!(find(&failed(error(), vec![said(honest)])).is_empty(), "{honest}");
        }
    }

    #[test]
    fn a_result_may_say_itself_that_it_failed() {
        let run = |result: &str| failed(answer("a", result, false), vec![said("Listo, está hecho: confirmado.")]);
        for result in [
            r#"{"success": false}"#,
            r#"{"status": "failed", "id": 7}"#,
            r#"{"error": "closed"}"#,
        ] {
            assert_eq!(find(&run(result)).len(), 1, "{result}");
        }
        for result in [r#"{"success": true}"#, r#"{"error": null}"#, "no error"] {
            assert!(find(&run(result)).is_empty(), "{result}");
        }
    }

    #[test]
    fn a_value_that_the_failed_call_should_have_given_is_found() {
        let run = failed(error(), vec![said("I will look myself."), said("The sum is 4711.")]);
        let cause = &find(&run)[0];
        assert_eq!(
            (cause.evidence[0].step, cause.evidence[0].quote.as_str()),
            (Some(4), "4711.")
        );
    }

    #[test]
    fn what_was_repaired_or_is_known_better_is_none() {
        let again = vec![
            agent_calls("b", "refund", "{}"),
            answer("b", "ok", false),
            said("Your refund has been processed."),
        ];
        assert!(find(&failed(error(), again)).is_empty());
        let run = failed(error(), vec![said("Your refund has been processed.")]);
        assert!(find(&expects(run, "refund", "{}")).is_empty());
    }
}
