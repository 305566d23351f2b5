//! The agent wrote a call down instead of making it.

use super::{Rule, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Role, Trace};
use serde_json::{Deserializer, Value};

pub(super) const RULE: Rule = Rule {
    ident: "format_error",
    description: "a message of the agent holds a call as text, or nothing at all",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let spoken = trace
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.role == Role::Assistant && step.tool_calls.is_empty());
    let found = spoken.filter_map(|(at, step)| {
        if step.content.trim().is_empty() {
            return Some((at, "empty", 0));
        }
        written_call(&step.content).map(|place| (at, "call_as_text", place))
    });
    let cause = found.take(1).map(|(at, subject, place)| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: subject.to_owned(),
        },
        finding: match subject {
            "empty" => "The agent said and called nothing in its turn.".to_owned(),
            _ => "The agent wrote a call down instead of making it.".to_owned(),
        },
        evidence: vec![Evidence {
            step: Some(at),
            quote: trace.steps[at].content[place..].chars().take(text::QUOTE).collect(),
        }],
        confidence: 0.6,
        should: "make calls in the form that the environment asks for".to_owned(),
        action: None,
    });
    cause.collect()
}

/// Where a text has a JSON object with the name of a tool and its arguments.
fn written_call(content: &str) -> Option<usize> {
    content
        .match_indices('{')
        .take(20)
        .map(|(place, _)| place)
        .find(|&place| {
            let value = Deserializer::from_str(&content[place..]).into_iter::<Value>().next();
            let Some(Ok(Value::Object(object))) = value else {
                return false;
            };
            let arguments = ["arguments", "parameters", "args", "kwargs", "input"]
                .iter()
                .any(|key| object.get(*key).is_some_and(Value::is_object));
            arguments
                && ["name", "tool", "function"]
                    .iter()
                    .any(|key| object.get(*key).is_some_and(Value::is_string))
        })
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, said, trace, user};

    #[test]
    fn a_written_call_and_an_empty_turn_are_found_and_other_json_is_not() {
        let run = |reply: &str| trace(vec![user("refund me"), said(reply)]);
        let causes = find(&run(r#"Sure: {"name": "refund", "arguments": {"id": 7}}"#));
        assert_eq!(causes[0].mechanism.to_string(), "format_error:call_as_text");
        assert!(causes[0].evidence[0].quote.starts_with(r#"{"name""#));
        assert_eq!(find(&run(" "))[0].mechanism.subject, "empty");
        assert!(find(&run(r#"Your order: {"name": "lamp", "price": 7}"#)).is_empty());
        assert!(find(&trace(vec![user("hi"), agent_calls("a", "refund", "{}")])).is_empty());
    }
}
