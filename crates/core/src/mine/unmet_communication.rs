//! The person was not told something they should have been told.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Role, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "unmet_communication",
    description: "the agent never said something that the person should have been told",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let told: Vec<&str> = trace
        .steps
        .iter()
        .filter(|step| step.role == Role::Assistant)
        .map(|step| step.content.as_str())
        .collect();
    let wanted = wanted(trace)
        .into_iter()
        .filter(|wanted| !told.iter().any(|message| says(message, wanted)));
    wanted.map(|wanted| cause(trace, wanted)).collect()
}

/// What should have been said and, as far as the evaluator looked, was not.
fn wanted(trace: &Trace) -> Vec<&str> {
    let checks: Vec<_> = trace
        .checks
        .iter()
        .filter(|check| check.kind == "communicate")
        .collect();
    let failed = checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| check.name.as_str());
    if !checks.is_empty() {
        return failed.collect();
    }
    trace
        .expected
        .iter()
        .flat_map(|expected| expected.communicate.iter().map(String::as_str))
        .collect()
}

/// Whether a message says it: a number as a number of its own ("4" is not in "40"), anything else as a part of the text.
fn says(message: &str, wanted: &str) -> bool {
    match number(wanted) {
        Some(wanted) => numbers(message).any(|number| (number - wanted).abs() < 1e-9),
        None => plain(message).contains(&plain(wanted)),
    }
}

fn number(text: &str) -> Option<f64> {
    let bare = text.trim().trim_start_matches(['$', '€', '£']).replace(',', "");
    bare.parse().ok().filter(|number: &f64| number.is_finite())
}

fn numbers(message: &str) -> impl Iterator<Item = f64> {
    let words = message.split(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | ',' | '-')));
    words.filter_map(|word| {
        number(word.trim_end_matches(['.', ',', '-'])).or_else(|| number(word.trim_matches(['.', ',', '-'])))
    })
}

fn plain(text: &str) -> String {
    text.to_lowercase()
        .replace(',', "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn cause(trace: &Trace, wanted: &str) -> RootCause {
    // The text itself belongs to one task; what kind of text it is can be shared.
    let subject = if number(wanted).is_some() { "number" } else { "text" };
    let wanted = text::shortened(wanted, 80);
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: subject.to_owned(),
        },
        finding: format!("The agent never told the person \"{wanted}\"."),
        evidence: calls::last_chance(trace)
            .map(|step| text::evidence(trace, step))
            .into_iter()
            .collect(),
        confidence: 0.7,
        should: format!("tell the person \"{wanted}\""),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{find, says};
    use crate::mine::tests::support::{said, trace, user};
    use crate::trace::{Check, Expected};

    #[test]
    fn numbers_are_compared_as_numbers() {
        for (message, wanted, expected) in [
            ("You owe $1,234.50.", "1234.5", true),
            ("You have 40 days", "4", false),
            ("That is 4.", "4", true),
            ("It costs 481.50 USD", "481.5", true),
            ("It takes 20  Hours", "20 hours", true),
            ("5-7 days", "7", false),
            ("Paid by Mastercard", "mastercard", true),
            ("", "mastercard", false),
        ] {
            assert_eq!(says(message, wanted), expected, "{message:?} says {wanted:?}");
        }
    }

    #[test]
    fn what_was_not_said_is_a_cause_unless_the_evaluator_heard_it() {
        let mut run = trace(vec![user("How long?"), said("A while.")]);
        run.expected = Some(Expected {
            communicate: vec!["5 days".to_owned(), "12.30".to_owned()],
            ..Expected::default()
        });
        let subjects: Vec<_> = find(&run).into_iter().map(|cause| cause.mechanism.subject).collect();
        assert_eq!(subjects, ["text", "number"]);
        assert_eq!(find(&run)[0].should, "tell the person \"5 days\"");
        assert_eq!(find(&run)[0].evidence[0].quote, "A while.");
        let check = |name: &str, passed| Check {
            name: name.to_owned(),
            kind: "communicate".to_owned(),
            passed,
            ..Check::default()
        };
        run.checks = vec![check("5 days", true), check("12.30", false)];
        assert_eq!(find(&run).len(), 1);
    }

    #[test]
    fn what_only_the_person_said_was_not_told() {
        let mut run = trace(vec![user("5 days?"), said("Maybe.")]);
        run.expected = Some(Expected {
            communicate: vec!["5 days".to_owned()],
            ..Expected::default()
        });
        assert_eq!(find(&run).len(), 1);
    }
}
