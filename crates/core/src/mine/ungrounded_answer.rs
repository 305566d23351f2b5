//! The agent told the person a number that nothing it had seen holds.

use super::{Rule, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Role, Trace};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "ungrounded_answer",
    description: "the agent told the person a number that no earlier message or result holds",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let asks = trace.steps.iter().any(|step| !step.tool_calls.is_empty());
    if trace.expected.is_some() || !asks {
        return Vec::new();
    }
    let first = invented(trace).into_iter().next();
    first
        .map(|(at, place)| cause(&trace.steps[at].content, at, place))
        .into_iter()
        .collect()
}

/// Where a message of the agent holds a number that nothing before it holds: the step, and the place of the first such number in its text.
pub(super) fn invented(trace: &Trace) -> Vec<(usize, usize)> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for (at, step) in trace.steps.iter().enumerate() {
        let spoken = numbers(&step.content);
        let invented = spoken
            .iter()
            .find(|(_, number)| number.len() >= 3 && !known.contains(number));
        found.extend(
            invented
                .filter(|_| step.role == Role::Assistant && step.tool_calls.is_empty())
                .map(|(place, _)| (at, *place)),
        );
        known.extend(spoken.into_iter().map(|(_, number)| number));
        for call in &step.tool_calls {
            known.extend(numbers(&text::call_as_text(call)).into_iter().map(|(_, number)| number));
        }
    }
    found
}

fn cause(content: &str, at: usize, place: usize) -> RootCause {
    let number = numbers(&content[place..])
        .into_iter()
        .next()
        .map(|(_, number)| number)
        .unwrap_or_default();
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: "number".to_owned(),
        },
        finding: format!("The agent said {number}, which nothing it had seen holds."),
        evidence: vec![Evidence {
            step: Some(at),
            quote: content[place..].chars().take(text::QUOTE / 2).collect(),
        }],
        // More than a first step that nobody knows anything of, less than a change that may be wrong: a sum done in the head is no invention.
        confidence: 0.22,
        should: "say only what a tool answered or the person said, or calculate it with a tool".to_owned(),
        action: None,
    }
}

/// The numbers in a text with where they begin: digits without what separates thousands, and without zeros behind the point.
fn numbers(text: &str) -> Vec<(usize, String)> {
    let mut numbers = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..]
        .find(|letter: char| letter.is_ascii_digit())
        .map(|at| rest + at)
    {
        let end = text[start..]
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ',')
            .map_or(text.len(), |at| start + at);
        let plain = text[start..end].trim_end_matches(['.', ',']).replace(',', "");
        let plain = if plain.contains('.') {
            plain.trim_end_matches('0').trim_end_matches('.')
        } else {
            &plain
        };
        numbers.push((start, plain.to_owned()));
        rest = end;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::{find, numbers};
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};

    #[test]
    fn numbers_are_compared_by_value() {
        let found: Vec<String> = numbers("Costs $1,234.50 (or 12.00), twice.")
            .into_iter()
            .map(|(_, number)| number)
            .collect();
        assert_eq!(found, ["1234.5", "12"]);
    }

    #[test]
    fn a_number_out_of_nowhere_is_quoted_and_one_that_a_tool_answered_is_not() {
        let run = |reply: &str| {
            trace(vec![
                user("what do I get back?"),
                agent_calls("a", "get_order", "{}"),
                answer("a", r#"{"paid": 120.5}"#, false),
                said(reply),
            ])
        };
        let causes = find(&run("You get 250 back."));
        assert_eq!(
            (causes[0].evidence[0].step, causes[0].evidence[0].quote.as_str()),
            (Some(3), "250 back.")
        );
        assert!(find(&run("You get $120.50 back.")).is_empty());
    }
}
