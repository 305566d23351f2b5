//! The agent handed over to a person though it could have done more.

use super::{Rule, calls, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;

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

#[cfg(test)]
mod tests {
    use super::find;
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
        assert!(find(&expects(done, "reboot", "{}")).is_empty());
    }
}
