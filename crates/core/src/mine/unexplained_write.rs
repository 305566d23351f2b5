//! The agent changed something, the run failed, and nothing says more.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "unexplained_write",
    description: "the agent changed something, and nothing says what is wrong with it",
    last_resort: true,
    find,
};

/// The last change is the first suspect, the others follow.
fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let mut seen = BTreeSet::new();
    let writes = exchanges.iter().rev().filter(|call| {
        let name = &call.call.name;
        let own = !calls::by_person(trace, call) && !calls::hands_over(name) && calls::delegated(call.call).is_none();
        own && call.succeeded() && calls::writes(trace, name) && seen.insert(name.clone())
    });
    let causes = writes.enumerate().map(|(place, call)| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: call.call.name.clone(),
        },
        finding: format!(
            "The agent called `{}`, the run failed, and nothing says what is wrong with it.",
            call.call.name
        ),
        evidence: vec![text::call_evidence(call.step, call.call)],
        confidence: if place == 0 { 0.25 } else { 0.2 },
        should: format!(
            "look at this call of `{}`, and give the task an expectation",
            call.call.name
        ),
        action: None,
    });
    causes.collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    #[test]
    fn the_last_write_is_the_first_suspect_and_what_failed_or_only_looks_is_none() {
        let mut steps = vec![user("help")];
        for (tool, error) in [
            ("refund", false),
            ("get_order", false),
            ("notify", false),
            ("cancel", true),
        ] {
            steps.extend([agent_calls(tool, tool, "{}"), answer(tool, "ok", error)]);
        }
        let subjects: Vec<_> = find(&trace(steps.clone()))
            .into_iter()
            .map(|cause| cause.mechanism.subject)
            .collect();
        assert_eq!(subjects, ["notify", "refund"]);
        assert!(find(&expects(trace(steps), "refund", "{}")).is_empty());
    }
}
