//! The agent made the same change twice.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, Trace};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "repeated_call",
    description: "the agent made the same change twice: a second call with the same arguments worked too",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    // Where ground truth is known, the second one is an extra write.
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let changes = exchanges.iter().filter(|call| {
        let name = &call.call.name;
        let own = !calls::by_person(trace, call) && !calls::hands_over(name);
        // Without arguments it may be meant to be done again (restart, next page), and so may a request in words or code.
        let one_thing = !call.call.arguments.is_empty() && calls::delegated(call.call).is_none();
        own && one_thing && call.succeeded() && calls::writes(trace, name)
    });
    let mut made: Vec<&Exchange<'_>> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut causes = Vec::new();
    for call in changes {
        let earlier = made
            .iter()
            .rfind(|other| other.call.name == call.call.name && other.call.arguments == call.call.arguments);
        // What another change of the same tool came between may have to be made again.
        let between = made.iter().rfind(|other| other.call.name == call.call.name);
        let again = earlier.filter(|earlier| between.is_some_and(|between| between.step == earlier.step));
        if let Some(first) = again.filter(|_| seen.insert(&call.call.name)) {
            causes.push(cause(first, call));
        }
        made.push(call);
    }
    causes
}

fn cause(first: &Exchange<'_>, again: &Exchange<'_>) -> RootCause {
    let tool = &again.call.name;
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: tool.clone(),
        },
        finding: format!("The agent called `{tool}` a second time with the same arguments, and it worked twice."),
        evidence: vec![
            text::call_evidence(again.step, again.call),
            text::call_evidence(first.step, first.call),
        ],
        confidence: 0.5,
        should: format!("look whether `{tool}` has worked before calling it again"),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};
    use crate::trace::Trace;

    fn run(calls: &[(&str, &str, bool)]) -> Trace {
        let mut steps = vec![user("pay it")];
        for (at, (tool, arguments, error)) in calls.iter().enumerate() {
            let id = at.to_string();
            steps.extend([agent_calls(&id, tool, arguments), answer(&id, "ok", *error)]);
        }
        trace(steps)
    }

    const PAY: (&str, &str, bool) = ("pay", r#"{"bill":"B-1"}"#, false);

    #[test]
    fn the_second_of_two_equal_changes_is_blamed() {
        let causes = find(&run(&[PAY, ("get_bill", r#"{"bill":"B-1"}"#, false), PAY, PAY]));
        assert_eq!(causes.len(), 1);
        assert_eq!(causes[0].mechanism.to_string(), "repeated_call:pay");
        let places: Vec<_> = causes[0].evidence.iter().map(|evidence| evidence.step).collect();
        assert_eq!(places, [Some(5), Some(1)]);
    }

    #[test]
    fn what_failed_what_differs_and_what_only_looks_may_come_again() {
        let look = ("get_bill", r#"{"bill":"B-1"}"#, false);
        let other = ("pay", r#"{"bill":"B-2"}"#, false);
        let restart = ("restart", "{}", false);
        for calls in [
            &[("pay", r#"{"bill":"B-1"}"#, true), PAY][..],
            &[PAY, other],
            &[PAY, other, PAY],
            &[look, look],
            &[restart, restart],
        ] {
            assert!(find(&run(calls)).is_empty(), "{calls:?}");
        }
        assert!(find(&expects(run(&[PAY, PAY]), "pay", r#"{"bill":"B-1"}"#)).is_empty());
    }
}
