//! Nothing was changed and nothing else is known: the first thing the agent did, on which the rest builds.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Role, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "unexplained_answer",
    description: "the agent worked towards an answer, and nothing says where it went wrong: its first step is looked at first",
    last_resort: true,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let exchanges = trace.exchanges();
    let changed = exchanges.iter().any(|call| {
        !calls::by_person(trace, call) && calls::writes(trace, &call.call.name) && calls::delegated(call.call).is_none()
    });
    let first = trace.steps.iter().position(|step| step.role == Role::Assistant);
    let Some(first) = first.filter(|_| !changed && trace.expected.is_none()) else {
        return Vec::new();
    };
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: "answer".to_owned(),
        },
        finding: "The agent worked towards an answer, and nothing says where it went wrong; what it did first is looked at first.".to_owned(),
        evidence: vec![text::evidence(trace, first)],
        confidence: 0.2,
        should: "check the first step, since all others build on it".to_owned(),
        action: None,
    };
    vec![cause]
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};

    #[test]
    fn the_first_step_of_the_agent_is_looked_at_unless_something_was_changed() {
        let run = trace(vec![user("Who won?"), said("I think Ann."), said("Yes, Ann.")]);
        assert_eq!(find(&run)[0].evidence[0].step, Some(1));
        let changed = trace(vec![
            user("refund"),
            said("ok"),
            agent_calls("a", "refund", "{}"),
            answer("a", "ok", false),
        ]);
        assert!(find(&changed).is_empty());
        let asked = r#"{"code":"print the list of all winners since 1950"}"#;
        let delegated = trace(vec![
            user("Who won?"),
            agent_calls("a", "terminal", asked),
            answer("a", "ok", false),
        ]);
        assert_eq!(find(&delegated).len(), 1);
    }
}
