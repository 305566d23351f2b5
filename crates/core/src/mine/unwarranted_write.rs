//! The agent changed something where nothing was to be changed at all.

use super::{Rule, calls, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "unwarranted_write",
    description: "the agent changed something where nothing was to be changed at all",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let (Some(expected), Some(comparison)) = (&trace.expected, compare::compare(trace)) else {
        return Vec::new();
    };
    let changes = |name: &str| calls::writes(trace, name) && !calls::hands_over(name);
    if expected.actions.iter().any(|action| changes(&action.name)) {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let first = comparison.extra.into_iter().filter(|call| seen.insert(&call.call.name));
    let causes = first.map(|call| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: call.call.name.clone(),
        },
        finding: format!("The agent called `{}` where nothing was to be changed.", call.call.name),
        evidence: vec![text::call_evidence(call.step, call.call)],
        confidence: 0.85,
        should: format!("not call `{}`, and say why", call.call.name),
        action: None,
    });
    causes.collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};
    use crate::trace::Expected;

    #[test]
    fn a_write_counts_only_where_no_other_was_to_be_made() {
        let mut run = trace(vec![
            user("cancel"),
            agent_calls("a", "cancel_order", "{}"),
            answer("a", "ok", false),
        ]);
        assert!(find(&run).is_empty(), "nobody knows what was to be done");
        run.expected = Some(Expected::default());
        assert_eq!(find(&run)[0].mechanism.to_string(), "unwarranted_write:cancel_order");
        assert_eq!(find(&run)[0].evidence[0].step, Some(1));
        assert_eq!(
            find(&expects(run.clone(), "transfer_to_human", "{}")).len(),
            1,
            "handing over changes nothing"
        );
        assert!(find(&expects(run, "refund", "{}")).is_empty());
    }
}
