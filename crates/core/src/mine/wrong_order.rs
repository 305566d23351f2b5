//! All expected writes were done, in an order that contradicts the expected one.

use super::{Rule, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::Trace;

pub(super) const RULE: Rule = Rule {
    ident: "wrong_order",
    description: "all expected actions were done, but in another order",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let (Some(expected), Some(comparison)) = (&trace.expected, compare::compare(trace)) else {
        return Vec::new();
    };
    if !comparison.all_done() || !comparison.extra.is_empty() {
        return Vec::new();
    }
    let swapped = comparison.done.windows(2).find(|pair| pair[0].1 > pair[1].1);
    let Some(&[(first, late), (second, early)]) = swapped else {
        return Vec::new();
    };
    let (first, second) = (&expected.actions[first], &expected.actions[second]);
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: format!("{}->{}", first.name, second.name),
        },
        finding: format!(
            "The agent called `{}` before `{}`; the other way round was expected.",
            second.name, first.name
        ),
        evidence: vec![text::evidence(trace, early), text::evidence(trace, late)],
        confidence: 0.5,
        should: format!(
            "{}, and only then {}",
            text::instruction(first),
            text::instruction(second)
        ),
        action: Some(first.clone()),
    };
    vec![cause]
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    fn run(order: [&str; 2]) -> crate::trace::Trace {
        let mut steps = vec![user("fix it")];
        for tool in order {
            steps.extend([agent_calls(tool, tool, "{}"), answer(tool, "ok", false)]);
        }
        expects(expects(trace(steps), "reset_apn", "{}"), "reboot", "{}")
    }

    #[test]
    fn the_swapped_pair_is_named() {
        let causes = find(&run(["reboot", "reset_apn"]));
        assert_eq!(causes[0].mechanism.to_string(), "wrong_order:reset_apn->reboot");
        assert_eq!(causes[0].should, "call `reset_apn`, and only then call `reboot`");
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
    fn the_right_order_and_an_incomplete_run_have_none() {
        assert!(find(&run(["reset_apn", "reboot"])).is_empty());
        assert!(find(&run(["reboot", "reboot"])).is_empty());
    }
}
