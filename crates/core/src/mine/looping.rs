//! The agent went round in circles.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, Trace};
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule {
    ident: "loop",
    description: "the same call with the same answer three times or more, or a cycle of calls",
    last_resort: false,
    find,
};

/// How often something must come again to be a loop.
const TIMES: usize = 3;
/// The longest cycle that is looked for, in calls.
const LONGEST_CYCLE: usize = 4;

fn find(trace: &Trace) -> Vec<RootCause> {
    let cut_off = super::termination::is_limit(trace.termination);
    // A run that came to its end and whose faults are known did not fail because it looked thrice.
    if !cut_off && trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges: Vec<_> = trace
        .exchanges()
        .into_iter()
        .filter(|call| !calls::by_person(trace, call))
        .collect();
    let keys: Vec<_> = exchanges.iter().map(calls::key).collect();
    let found = cycle(&keys).or_else(|| repetition(trace, &exchanges, &keys));
    found
        .map(|calls| cause(&exchanges, &calls, cut_off))
        .into_iter()
        .collect()
}

type Key = (String, String, String);

/// The calls of the first stretch that is one piece of one to four calls, three times over.
fn cycle(keys: &[Key]) -> Option<Vec<usize>> {
    (1..=LONGEST_CYCLE).find_map(|period| {
        let mut same = 0;
        (period..keys.len()).find_map(|at| {
            same = if keys[at] == keys[at - period] { same + 1 } else { 0 };
            (same == period * (TIMES - 1)).then(|| (at + 1 - period * TIMES..=at).collect())
        })
    })
}

/// The places of a call that came again and again, with no write between that could have changed its answer.
fn repetition(trace: &Trace, exchanges: &[Exchange<'_>], keys: &[Key]) -> Option<Vec<usize>> {
    let mut seen: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
    for (at, exchange) in exchanges.iter().enumerate() {
        let places = seen.entry(&keys[at]).or_default();
        places.push(at);
        if places.len() == TIMES {
            return seen.remove(&keys[at]);
        }
        if exchange.succeeded() && calls::writes(trace, &exchange.call.name) {
            seen.clear();
        }
    }
    None
}

fn cause(exchanges: &[Exchange<'_>], places: &[usize], cut_off: bool) -> RootCause {
    let mut tools: Vec<&str> = places.iter().map(|&at| exchanges[at].call.name.as_str()).collect();
    tools.sort_unstable();
    tools.dedup();
    let named = tools
        .iter()
        .map(|tool| format!("`{tool}`"))
        .collect::<Vec<_>>()
        .join(", ");
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: tools.join("+"),
        },
        finding: format!("The agent called {named} over and over and got the same answers."),
        evidence: places
            .iter()
            .take(6)
            .map(|&at| text::call_evidence(exchanges[at].step, exchanges[at].call))
            .collect(),
        confidence: if cut_off { 0.95 } else { 0.4 },
        should: format!("act on the first answer of {named}, or try something else"),
        action: None,
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};
    use crate::trace::Termination;

    fn run(tools: &[&str]) -> crate::trace::Trace {
        let mut steps = vec![user("fix it")];
        for tool in tools {
            steps.extend([agent_calls("", tool, "{}"), answer("", "same", false)]);
        }
        trace(steps)
    }

    #[test]
    fn the_same_call_three_times() {
        let causes = find(&run(&["check_sim", "get_plan", "check_sim", "get_bill", "check_sim"]));
        assert_eq!(causes[0].mechanism.to_string(), "loop:check_sim");
        assert_eq!(
            causes[0]
                .evidence
                .iter()
                .map(|evidence| evidence.step)
                .collect::<Vec<_>>(),
            [Some(1), Some(5), Some(9)]
        );
    }

    #[test]
    fn a_cycle_of_writes_is_a_loop_and_looking_after_each_write_is_none() {
        let cycle = [
            "toggle_data",
            "reboot",
            "toggle_data",
            "reboot",
            "toggle_data",
            "reboot",
        ];
        assert_eq!(find(&run(&cycle))[0].mechanism.subject, "reboot+toggle_data");
        assert!(find(&run(&["check_sim", "reboot", "check_sim", "toggle_data", "check_sim"])).is_empty());
    }

    #[test]
    fn where_the_truth_is_known_only_a_loop_that_ended_the_run_counts() {
        let mut looped = expects(run(&["check_sim", "check_sim", "check_sim"]), "reboot", "{}");
        assert!(find(&looped).is_empty());
        looped.termination = Termination::MaxSteps;
        assert_eq!(find(&looped).len(), 1);
    }
}
