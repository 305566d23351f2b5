//! The agent called a tool with a value that nobody gave it.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "invented_argument",
    description: "a call has a value that no earlier message or result holds",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let mut known = String::new();
    let mut read = 0;
    let mut seen = BTreeSet::new();
    let mut causes = Vec::new();
    for call in trace.exchanges().iter().filter(|call| !calls::by_person(trace, call)) {
        for step in &trace.steps[read..call.step.max(read)] {
            known += &step.content.to_lowercase();
            known.push('\n');
        }
        read = read.max(call.step);
        for (name, value) in &call.call.arguments {
            let Some(value) = names(value).find(|value| !known.contains(&value.to_lowercase())) else {
                continue;
            };
            let subject = format!("{}.{name}", call.call.name);
            if seen.insert(subject.clone()) {
                causes.push(RootCause {
                    mechanism: Mechanism {
                        rule: RULE.ident.to_owned(),
                        subject,
                    },
                    finding: format!(
                        "The agent called `{}` with {name} = {}, which nobody had told it.",
                        call.call.name,
                        text::shortened(value, 80)
                    ),
                    evidence: vec![text::call_evidence(call.step, call.call)],
                    confidence: 0.55,
                    should: format!("look `{name}` up, or ask for it, before calling `{}`", call.call.name),
                    action: None,
                });
            }
        }
    }
    causes
}

/// The texts in a value that name one thing: without spaces, and with both letters and digits. Dates, sums and words can be said in other words.
fn names(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str()).filter(|text| is_name(text))),
        Value::Array(items) => Box::new(items.iter().flat_map(names)),
        Value::Object(map) => Box::new(map.values().flat_map(names)),
        _ => Box::new(std::iter::empty()),
    }
}

fn is_name(text: &str) -> bool {
    let one_word = text.len() >= 4 && text.len() < 60 && !text.contains(char::is_whitespace);
    one_word && text.contains(char::is_alphabetic) && text.contains(|letter: char| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    #[test]
    fn a_name_that_nobody_said_is_found_and_one_that_a_tool_answered_is_not() {
        let steps = |order: &str| {
            vec![
                user("refund my last order"),
                agent_calls("a", "get_orders", r#"{"limit":"4"}"#),
                answer("a", r#"["O-7731"]"#, false),
                agent_calls(
                    "b",
                    "refund",
                    &format!(r#"{{"orders":["{order}"],"when":"2026-05-04"}}"#),
                ),
                answer("b", "ok", false),
            ]
        };
        let causes = find(&trace(steps("O-1234")));
        assert_eq!(causes.len(), 1);
        assert_eq!(causes[0].mechanism.to_string(), "invented_argument:refund.orders");
        assert_eq!(
            causes[0].finding,
            "The agent called `refund` with orders = O-1234, which nobody had told it."
        );
        assert_eq!(causes[0].evidence[0].step, Some(3));
        assert!(find(&trace(steps("o-7731"))).is_empty());
        assert!(find(&expects(trace(steps("O-1234")), "refund", "{}")).is_empty());
    }
}
