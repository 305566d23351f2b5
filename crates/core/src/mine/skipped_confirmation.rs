//! The agent changed something with values that the person never saw.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, Role, Trace};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "skipped_confirmation",
    description: "the agent changed something without having told the person what exactly before the person spoke last",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    // Without a conversation there is nobody to ask.
    let turns = trace.steps.iter().filter(|step| step.role == Role::User).count();
    if trace.expected.is_some() || turns < 2 {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let mut seen = BTreeSet::new();
    let writes = exchanges.iter().filter(|call| {
        let name = &call.call.name;
        !calls::by_person(trace, call) && calls::writes(trace, name) && !calls::hands_over(name) && call.succeeded()
    });
    let causes = writes
        .filter(|call| unseen(trace, call) && seen.insert(call.call.name.clone()))
        .map(|call| RootCause {
            mechanism: Mechanism {
                rule: RULE.ident.to_owned(),
                subject: call.call.name.clone(),
            },
            finding: format!(
                "The agent called `{}` before the person could see with what.",
                call.call.name
            ),
            evidence: vec![text::call_evidence(call.step, call.call)],
            // A person can agree to what was said in other words.
            confidence: 0.15,
            should: format!(
                "say what `{}` will be called with, and wait for the answer",
                call.call.name
            ),
            action: None,
        });
    causes.collect()
}

/// Whether the agent had said none of the values before the person spoke last.
fn unseen(trace: &Trace, call: &Exchange<'_>) -> bool {
    let before = &trace.steps[..call.step];
    let Some(last) = before.iter().rposition(|step| step.role == Role::User) else {
        return true;
    };
    let said: String = before[..last]
        .iter()
        .filter(|step| step.role == Role::Assistant)
        .map(|step| step.content.to_lowercase())
        .collect();
    let mut values = call
        .call
        .arguments
        .values()
        .filter_map(Value::as_str)
        .filter(|value| value.len() >= 4)
        .peekable();
    values.peek().is_some() && !values.any(|value| said.contains(&value.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};
    use crate::trace::Trace;

    fn run(proposal: &str) -> Trace {
        trace(vec![
            user("cancel my order"),
            said(proposal),
            user("sí, por favor"),
            agent_calls("a", "cancel", r#"{"order":"O-7731"}"#),
            answer("a", "ok", false),
        ])
    }

    #[test]
    fn a_change_that_was_never_spelled_out_is_found_in_any_language() {
        let causes = find(&run("¿Seguro?"));
        assert_eq!(causes[0].mechanism.to_string(), "skipped_confirmation:cancel");
        assert_eq!(causes[0].evidence[0].step, Some(3));
        assert!(find(&run("¿Cancelo el pedido O-7731?")).is_empty());
    }

    #[test]
    fn an_agent_that_works_alone_has_nobody_to_ask() {
        let mut alone = run("¿Seguro?");
        alone.steps.remove(2);
        assert!(find(&alone).is_empty());
    }
}
