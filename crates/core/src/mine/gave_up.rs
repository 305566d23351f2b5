//! The agent did nothing.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Role, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "gave_up",
    description: "the agent ended without having changed anything",
    last_resort: true,
    find,
};

/// Where the agent has tools.
pub(super) const CONFIDENCE: f64 = 0.3;
/// Where nobody knows of a tool, and no person speaks but to ask: less than that the first step of an answer is wrong.
const UNARMED: f64 = 0.18;

fn find(trace: &Trace) -> Vec<RootCause> {
    let exchanges = trace.exchanges();
    let own: Vec<_> = exchanges.iter().filter(|call| !calls::by_person(trace, call)).collect();
    let wrote = own
        .iter()
        .any(|call| call.succeeded() && calls::writes(trace, &call.call.name));
    // Who answers questions has nothing to change.
    let asked = own.iter().any(|call| calls::delegated(call.call).is_some());
    // With ground truth the other rules know better: where nothing was to be done, doing nothing is right.
    if wrote || asked || trace.expected.is_some() {
        return Vec::new();
    }
    let turns = trace.steps.iter().filter(|step| step.role == Role::User).count();
    let (subject, finding) = if own.is_empty() {
        ("no_calls", "The agent ended without having called any tool.")
    } else {
        (
            "no_writes",
            "The agent only looked and ended without having changed anything.",
        )
    };
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: subject.to_owned(),
        },
        finding: finding.to_owned(),
        evidence: calls::last_chance(trace)
            .map(|step| text::evidence(trace, step))
            .into_iter()
            .collect(),
        // Who answers one question and never calls anything may have nothing to call.
        confidence: if own.is_empty() && trace.tools.is_empty() && turns < 2 {
            UNARMED
        } else {
            CONFIDENCE
        },
        should: "do what was asked for, or say why it cannot be done".to_owned(),
        action: None,
    };
    vec![cause]
}

/// The same where it is known what was needed: the subject is the tool that should have been called.
pub(super) fn instead_of(missing: &RootCause) -> RootCause {
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: missing.mechanism.subject.clone(),
        },
        finding: format!("The agent ended without having changed anything. {}", missing.finding),
        ..missing.clone()
    }
}

/// Whether a subject says only that nothing was done, and not what was needed.
pub(super) fn is_general(subject: &str) -> bool {
    subject == "no_calls" || subject == "no_writes"
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};

    #[test]
    fn doing_nothing_and_only_looking_are_told_apart() {
        let nothing = trace(vec![user("fix it"), said("No.")]);
        assert_eq!(find(&nothing)[0].mechanism.to_string(), "gave_up:no_calls");
        let tools = vec![crate::trace::ToolSpec {
            name: "refund".to_owned(),
            effect: crate::trace::Effect::Write,
            required: Vec::new(),
        }];
        let armed = crate::trace::Trace {
            tools,
            ..nothing.clone()
        };
        assert!(
            find(&armed)[0].confidence > find(&nothing)[0].confidence,
            "it had something to call"
        );
        let looked = trace(vec![
            user("fix it"),
            agent_calls("a", "get_plan", "{}"),
            answer("a", "ok", false),
            said("No."),
        ]);
        assert_eq!(find(&looked)[0].mechanism.to_string(), "gave_up:no_writes");
        assert_eq!(find(&looked)[0].evidence[0].step, Some(3));
    }

    #[test]
    fn a_write_or_ground_truth_says_otherwise() {
        let wrote = trace(vec![
            user("fix it"),
            agent_calls("a", "reboot", "{}"),
            answer("a", "ok", false),
        ]);
        assert!(find(&wrote).is_empty());
        assert!(find(&expects(trace(vec![user("hi"), said("No.")]), "reboot", "{}")).is_empty());
    }
}
