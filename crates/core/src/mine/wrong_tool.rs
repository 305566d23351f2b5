//! Another tool was called in the place of the expected one.

use super::{Rule, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;

pub(super) const RULE: Rule = Rule {
    ident: "wrong_tool",
    description: "in the place of an expected action, another tool was called with the same arguments",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let replaced = compare::compare(trace)
        .map(|comparison| comparison.replaced)
        .unwrap_or_default();
    let causes = replaced.into_iter().map(|(action, call)| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: format!("{}->{}", action.name, call.call.name),
        },
        finding: format!(
            "The agent called `{}` where `{}` was needed.",
            call.call.name, action.name
        ),
        evidence: vec![text::call_evidence(call.step, call.call)],
        confidence: 0.85,
        should: text::instruction(action),
        action: Some(action.clone()),
    });
    causes.collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    fn run(tool: &str, arguments: &str) -> crate::trace::Trace {
        let steps = vec![
            user("exchange it"),
            agent_calls("a", tool, arguments),
            answer("a", "ok", false),
        ];
        expects(
            trace(steps),
            "exchange",
            r#"{"order_id":"O-7","item":"I-1","new_item":"I-2"}"#,
        )
    }

    #[test]
    fn a_call_about_the_same_thing_stands_in() {
        let causes = find(&run("return_items", r#"{"order_id":"O-7","item":"I-1"}"#));
        assert_eq!(causes[0].mechanism.to_string(), "wrong_tool:exchange->return_items");
        assert_eq!(
            causes[0].finding,
            "The agent called `return_items` where `exchange` was needed."
        );
        assert_eq!(causes[0].evidence[0].step, Some(1));
    }

    #[test]
    fn a_call_about_another_thing_or_about_nothing_does_not() {
        assert!(find(&run("return_items", r#"{"order_id":"O-8","item":"I-1"}"#)).is_empty());
        assert!(
            find(&run("return_items", r#"{"order_id":"O-7"}"#)).is_empty(),
            "too little in common"
        );
        assert!(find(&run("return_items", "{}")).is_empty());
        assert!(
            find(&run("get_items", r#"{"order_id":"O-7","item":"I-1"}"#)).is_empty(),
            "it only looks"
        );
    }
}
