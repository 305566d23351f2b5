//! The agent handed over to a person though it could have done more.

use super::{Rule, calls, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "premature_handover",
    description: "the agent handed over to a person though something was left to do",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let exchanges = trace.exchanges();
    let mut own = exchanges.iter().filter(|call| !calls::by_person(trace, call));
    let Some(handover) = own.clone().find(|call| calls::hands_over(&call.call.name)) else {
        return Vec::new();
    };
    let expected = trace.expected.as_ref();
    let asked_for =
        expected.is_some_and(|expected| expected.actions.iter().any(|action| calls::hands_over(&action.name)));
    let wrote = own
        .any(|call| call.succeeded() && calls::writes(trace, &call.call.name) && !calls::hands_over(&call.call.name));
    let (left, confidence) = match compare::compare(trace) {
        Some(comparison) => (!comparison.all_done(), 0.6),
        None if expected.is_some() => (false, 0.0),
        None => (!wrote || trace.checks.iter().any(|check| !check.passed), 0.5),
    };
    if asked_for || !left {
        return Vec::new();
    }
    let tool = &handover.call.name;
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: tool.clone(),
        },
        finding: format!("The agent handed over with `{tool}` though something was left to do."),
        evidence: vec![text::call_evidence(handover.step, handover.call)],
        confidence,
        should: "do what is left before handing over to a person".to_owned(),
        action: None,
    };
    vec![cause]
}

/// A handover with which a failed run ended. That is often right, so it is only a suspect, and only beside runs that were judged.
pub(super) fn suspected(trace: &Trace) -> Option<RootCause> {
    let exchanges = trace.exchanges();
    let last = exchanges
        .iter()
        .rfind(|call| !calls::by_person(trace, call) && calls::writes(trace, &call.call.name))?;
    (calls::hands_over(&last.call.name) && trace.expected.is_none()).then(|| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: last.call.name.clone(),
        },
        finding: format!(
            "The last thing the agent did was to hand over with `{}`.",
            last.call.name
        ),
        evidence: vec![text::call_evidence(last.step, last.call)],
        confidence: 0.26,
        should: "do what is left before handing over to a person".to_owned(),
        action: None,
    })
}

/// The same where it is known what was needed instead: the subject is the tool that should have been called.
pub(super) fn instead_of(missing: &RootCause, handover: &Exchange<'_>) -> RootCause {
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: missing.mechanism.subject.clone(),
        },
        finding: format!(
            "The agent handed over with `{}`. {}",
            handover.call.name, missing.finding
        ),
        evidence: vec![text::call_evidence(handover.step, handover.call)],
        ..missing.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{find, suspected};
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    const TOOL: &str = "transfer_to_human_agents";

    fn handed_over() -> crate::trace::Trace {
        trace(vec![
            user("fix it"),
            agent_calls("a", TOOL, r#"{"summary":"stuck"}"#),
            answer("a", "ok", false),
        ])
    }

    #[test]
    fn handing_over_with_work_left_points_at_the_call() {
        for run in [handed_over(), expects(handed_over(), "reboot", "{}")] {
            let causes = find(&run);
            assert_eq!(
                causes[0].mechanism.to_string(),
                "premature_handover:transfer_to_human_agents"
            );
            assert_eq!(causes[0].evidence[0].step, Some(1));
        }
    }

    #[test]
    fn a_handover_that_was_asked_for_or_came_after_the_work_is_right() {
        assert!(find(&expects(expects(handed_over(), TOOL, "{}"), "reboot", "{}")).is_empty());
        let mut done = handed_over();
        done.steps
            .splice(1..1, [agent_calls("b", "reboot", "{}"), answer("b", "ok", false)]);
        assert!(find(&done).is_empty());
        assert_eq!(suspected(&done).unwrap().evidence[0].step, Some(3));
        done.steps
            .extend([agent_calls("c", "reboot", "{}"), answer("c", "ok", false)]);
        assert!(suspected(&done).is_none(), "it went on");
        done.steps.truncate(5);
        assert!(find(&expects(done, "reboot", "{}")).is_empty());
    }
}
