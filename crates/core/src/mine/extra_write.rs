//! A write that nobody expected.

use super::{Rule, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;
use indexmap::IndexMap;

pub(super) const RULE: Rule = Rule {
    ident: "extra_write",
    description: "the agent changed something that it should have left alone",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let Some(comparison) = compare::compare(trace) else {
        return Vec::new();
    };
    let alone = comparison.all_done();
    // Beside a missing action an extra write is noise, unless the whole final state was compared.
    let whole_state =
        trace.checks.is_empty() || trace.checks.iter().any(|check| check.kind == "state" && !check.passed);
    if !alone && !whole_state {
        return Vec::new();
    }
    let mut by_tool: IndexMap<&str, Vec<_>> = IndexMap::new();
    for call in comparison.extra {
        by_tool.entry(call.call.name.as_str()).or_default().push(call);
    }
    let causes = by_tool.into_iter().map(|(tool, calls)| {
        let times = if calls.len() == 1 {
            String::new()
        } else {
            format!(" {} times", calls.len())
        };
        RootCause {
            mechanism: Mechanism {
                rule: RULE.ident.to_owned(),
                subject: tool.to_owned(),
            },
            finding: format!("The agent called `{tool}`{times}, which was not asked for."),
            evidence: calls
                .iter()
                .take(3)
                .map(|call| text::call_evidence(call.step, call.call))
                .collect(),
            confidence: if alone { 0.75 } else { 0.45 },
            should: format!("not call `{tool}` here"),
            action: None,
        }
    });
    causes.collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user, user_calls};
    use crate::trace::{Check, Expected};

    fn cancelled() -> crate::trace::Trace {
        let mut run = trace(vec![
            user("cancel it"),
            agent_calls("a", "cancel_order", r#"{"id":"O-7"}"#),
            answer("a", "ok", false),
        ]);
        run.expected = Some(Expected::default());
        run
    }

    #[test]
    fn a_write_that_was_not_expected_is_found_once_a_tool() {
        let mut run = cancelled();
        run.steps.extend([
            agent_calls("b", "cancel_order", r#"{"id":"O-8"}"#),
            answer("b", "ok", false),
        ]);
        let causes = find(&run);
        assert_eq!(causes.len(), 1);
        assert_eq!(causes[0].mechanism.to_string(), "extra_write:cancel_order");
        assert_eq!(
            causes[0].finding,
            "The agent called `cancel_order` 2 times, which was not asked for."
        );
        assert_eq!(
            causes[0]
                .evidence
                .iter()
                .map(|evidence| evidence.step)
                .collect::<Vec<_>>(),
            [Some(1), Some(3)]
        );
    }

    #[test]
    fn a_failed_write_a_read_and_a_write_of_the_person_do_no_harm() {
        let mut run = cancelled();
        run.steps[2].error = true;
        run.steps
            .extend([agent_calls("b", "get_order", "{}"), answer("b", "ok", false)]);
        run.steps
            .extend([user_calls("toggle_data", "{}"), answer("u", "ok", false)]);
        assert!(find(&run).is_empty());
    }

    #[test]
    fn beside_a_missing_action_it_counts_only_where_the_whole_state_was_compared() {
        let mut run = expects(cancelled(), "refund", "{}");
        let check = |kind: &str| Check {
            name: "check".to_owned(),
            kind: kind.to_owned(),
            ..Check::default()
        };
        run.checks = vec![check("assertion")];
        assert!(find(&run).is_empty());
        run.checks = vec![check("state")];
        assert!((find(&run)[0].confidence - 0.45).abs() < 1e-9);
    }
}
