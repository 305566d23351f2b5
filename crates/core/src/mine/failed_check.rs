//! A check did not hold, and no other rule knows why.

use super::{Rule, calls, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Check, Trace};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "failed_check",
    description: "the evaluator's check did not hold, and no other rule explains it",
    last_resort: true,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let mut seen = BTreeSet::new();
    let failed = trace.checks.iter().filter(|check| !check.passed);
    failed
        .filter(|check| seen.insert(subject(check)))
        .map(|check| cause(trace, check))
        .collect()
}

/// The name of the check where it is a name; of a check that is a sentence about one task only its kind.
fn subject(check: &Check) -> String {
    let is_name = !check.name.is_empty()
        && check.name.len() <= 60
        && !check
            .name
            .contains(|letter: char| letter.is_whitespace() || letter.is_ascii_digit());
    match (is_name && check.kind != "communicate", check.kind.is_empty()) {
        (true, _) => check.name.clone(),
        (false, false) => check.kind.clone(),
        (false, true) => "check".to_owned(),
    }
}

fn cause(trace: &Trace, check: &Check) -> RootCause {
    let name = text::shortened(&check.name, 120);
    let detail = text::shortened(&check.detail, text::QUOTE);
    let mut evidence = vec![Evidence {
        step: None,
        quote: if detail.is_empty() { name.clone() } else { detail },
    }];
    evidence.extend(calls::last_chance(trace).map(|step| text::evidence(trace, step)));
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: subject(check),
        },
        finding: format!("The check \"{name}\" did not hold."),
        evidence,
        confidence: 0.3,
        should: format!("make the check \"{name}\" hold"),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{said, trace, user};
    use crate::trace::Check;

    #[test]
    fn the_subject_is_the_name_of_the_check_and_never_a_sentence_about_one_task() {
        let mut run = trace(vec![user("hi"), said("Bye")]);
        let check = |name: &str, kind: &str| Check {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ..Check::default()
        };
        run.checks = vec![
            check("assert_refunded", "assertion"),
            check("Agent refuses to cancel order O-7", "judged"),
            check("54.04", "communicate"),
            check("#99", ""),
            Check {
                passed: true,
                ..check("fine", "state")
            },
        ];
        let subjects: Vec<_> = find(&run).into_iter().map(|cause| cause.mechanism.subject).collect();
        assert_eq!(subjects, ["assert_refunded", "judged", "communicate", "check"]);
    }
}
