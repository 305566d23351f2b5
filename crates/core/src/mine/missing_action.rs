//! An expected action that was never done.

use super::{Rule, calls, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{ExpectedAction, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "missing_action",
    description: "an expected action was never done with its tool",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let missing = compare::compare(trace)
        .map(|comparison| comparison.missing)
        .unwrap_or_default();
    missing.into_iter().map(|action| cause(trace, action)).collect()
}

fn cause(trace: &Trace, action: &ExpectedAction) -> RootCause {
    let tool = &action.name;
    let called = trace.exchanges().iter().any(|exchange| exchange.call.name == *tool);
    let of_person = action.requestor.as_deref() == Some("user") && calls::person_acts(trace);
    let arguments = text::arguments(action);
    let with = if called && !arguments.is_empty() {
        format!(" with {arguments}")
    } else {
        String::new()
    };
    let (finding, should) = if of_person {
        (
            format!("The agent never got the person to call `{tool}`{with}."),
            format!("get the person to {}", text::instruction(action)),
        )
    } else {
        (
            format!("The agent never called `{tool}`{with}."),
            text::instruction(action),
        )
    };
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: tool.clone(),
        },
        finding,
        evidence: calls::last_chance(trace)
            .map(|step| text::evidence(trace, step))
            .into_iter()
            .collect(),
        confidence: 0.9,
        should,
        action: Some(action.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user, user_calls};
    use crate::trace::{Check, ToolSpec};

    #[test]
    fn what_was_never_done_points_at_the_last_chance() {
        let steps = vec![
            user("refund me"),
            agent_calls("a", "transfer_to_human_agents", "{}"),
            answer("a", "ok", false),
            said("Bye"),
        ];
        let run = expects(trace(steps), "refund", r#"{"order_id":"O-7"}"#);
        let causes = find(&run);
        assert_eq!(causes.len(), 1);
        assert_eq!(causes[0].mechanism.to_string(), "missing_action:refund");
        assert_eq!(causes[0].finding, "The agent never called `refund`.");
        assert_eq!(causes[0].should, "call `refund` with order_id = O-7");
        assert_eq!(causes[0].evidence[0].step, Some(1));
        assert_eq!(causes[0].evidence[0].quote, "transfer_to_human_agents {}");
    }

    #[test]
    fn a_read_that_was_left_out_is_no_failure() {
        let run = expects(
            trace(vec![user("hi"), said("Bye")]),
            "get_order",
            r#"{"order_id":"O-7"}"#,
        );
        assert!(find(&run).is_empty());
        let mut demanded = run.clone();
        demanded.checks = vec![Check {
            name: "get_order".to_owned(),
            kind: "action".to_owned(),
            ..Check::default()
        }];
        assert_eq!(find(&demanded).len(), 1, "unless the evaluator demanded it");
    }

    #[test]
    fn the_tools_declared_effect_counts_more_than_its_name() {
        let mut run = expects(trace(vec![user("hi"), said("Bye")]), "toggle_light", "{}");
        run.tools = serde_json::from_str::<Vec<ToolSpec>>(r#"[{"name":"toggle_light","effect":"read"}]"#).unwrap();
        assert!(find(&run).is_empty());
    }

    #[test]
    fn nothing_is_missing_when_the_effects_were_found_right() {
        let mut run = expects(trace(vec![user("hi"), said("Bye")]), "refund", "{}");
        run.checks = vec![
            Check {
                name: "database".to_owned(),
                kind: "state".to_owned(),
                passed: true,
                ..Check::default()
            },
            Check {
                name: "5 days".to_owned(),
                kind: "communicate".to_owned(),
                ..Check::default()
            },
        ];
        assert!(find(&run).is_empty());
    }

    #[test]
    fn what_the_person_should_have_done_is_the_agents_to_bring_about() {
        let mut run = expects(
            trace(vec![user_calls("check_status", "{}"), said("Bye")]),
            "toggle_data",
            "{}",
        );
        run.expected.as_mut().unwrap().actions[0].requestor = Some("user".to_owned());
        assert_eq!(
            find(&run)[0].finding,
            "The agent never got the person to call `toggle_data`."
        );
        run.steps[0].tool_calls.clear();
        assert_eq!(
            find(&run)[0].finding,
            "The agent never called `toggle_data`.",
            "a solo agent acts itself"
        );
    }
}
