//! The agent went on where it should have handed over to a person.

use super::{Rule, calls, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;

pub(super) const RULE: Rule = Rule {
    ident: "missing_handover",
    description: "the agent went on by itself where it should have handed over to a person",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let missing = compare::compare(trace)
        .map(|comparison| comparison.missing)
        .unwrap_or_default();
    let handover = missing.into_iter().find(|action| calls::hands_over(&action.name));
    let cause = handover.map(|action| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: action.name.clone(),
        },
        finding: format!("The agent never handed over with `{}`.", action.name),
        evidence: calls::last_chance(trace)
            .map(|step| text::evidence(trace, step))
            .into_iter()
            .collect(),
        confidence: 0.85,
        should: format!("hand over with `{}`", action.name),
        action: Some(action.clone()),
    });
    cause.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};

    #[test]
    fn going_on_alone_is_found_and_handing_over_is_not() {
        let steps = vec![user("I want a human"), said("I can help myself.")];
        let alone = expects(trace(steps.clone()), "transfer_to_human_agents", "{}");
        assert_eq!(
            find(&alone)[0].mechanism.to_string(),
            "missing_handover:transfer_to_human_agents"
        );
        assert_eq!(find(&alone)[0].evidence[0].step, Some(1));
        let mut handed = steps;
        handed.extend([
            agent_calls("a", "transfer_to_human_agents", r#"{"why":"asked"}"#),
            answer("a", "ok", false),
        ]);
        assert!(find(&expects(trace(handed), "transfer_to_human_agents", "{}")).is_empty());
        assert!(find(&expects(trace(vec![user("hi")]), "refund", "{}")).is_empty());
    }
}
