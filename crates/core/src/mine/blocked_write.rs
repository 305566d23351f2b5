//! A change that the agent made kept it from another one.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, Trace};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULE: Rule = Rule {
    ident: "blocked_write",
    description: "after the agent changed something, another change of the same thing was refused and never made",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let writes: Vec<&Exchange<'_>> = exchanges
        .iter()
        .filter(|call| !calls::by_person(trace, call) && calls::writes(trace, &call.call.name))
        .collect();
    let done: BTreeSet<&str> = writes
        .iter()
        .filter(|call| call.succeeded())
        .map(|call| call.call.name.as_str())
        .collect();
    // Where each thing was refused to a tool that never succeeded.
    let mut refusals: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, call) in writes.iter().enumerate() {
        if call.answer.is_some() && !call.succeeded() && !done.contains(call.call.name.as_str()) {
            named(call).for_each(|value| refusals.entry(value).or_default().push(at));
        }
    }
    let next = |value: &str, at: usize| {
        let places = refusals.get(value)?;
        places.get(places.partition_point(|place| *place <= at)).copied()
    };
    let mut changes = writes.iter().enumerate().filter(|(_, call)| call.succeeded());
    let blocked =
        changes.find_map(|(at, first)| Some((*first, writes[named(first).filter_map(|value| next(value, at)).min()?])));
    let Some((first, refused)) = blocked else {
        return Vec::new();
    };
    let (did, wanted) = (&first.call.name, &refused.call.name);
    let mut evidence = vec![
        text::call_evidence(first.step, first.call),
        text::call_evidence(refused.step, refused.call),
    ];
    evidence.extend(refused.answer.map(|(at, step)| text::answer_evidence(at, step)));
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: format!("{wanted}->{did}"),
        },
        finding: format!("After the agent had called `{did}`, `{wanted}` was refused for the same thing."),
        evidence,
        confidence: 0.6,
        should: format!("call `{wanted}` first, and only then `{did}`"),
        action: None,
    };
    vec![cause]
}

/// The values of a call that name something.
fn named<'a>(call: &Exchange<'a>) -> impl Iterator<Item = &'a str> {
    let values = call.call.arguments.values().filter_map(|value| value.as_str());
    values.filter(|value| value.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, trace, user};
    use crate::trace::{Step, Trace};

    fn run(calls: &[(&str, &str, bool)]) -> Trace {
        let mut steps: Vec<Step> = vec![user("ship it elsewhere and change the item")];
        for (at, (tool, order, error)) in calls.iter().enumerate() {
            let id = at.to_string();
            let arguments = serde_json::json!({ "order": order }).to_string();
            steps.extend([agent_calls(&id, tool, &arguments), answer(&id, "done", *error)]);
        }
        trace(steps)
    }

    #[test]
    fn the_change_that_closed_the_door_decides() {
        let causes = find(&run(&[
            ("change_items", "O-71", false),
            ("change_address", "O-71", true),
        ]));
        assert_eq!(
            causes[0].mechanism.to_string(),
            "blocked_write:change_address->change_items"
        );
        assert_eq!(causes[0].evidence[0].step, Some(1));
        assert_eq!(
            causes[0].should,
            "call `change_address` first, and only then `change_items`"
        );
    }

    #[test]
    fn another_thing_or_a_change_that_was_made_after_all_is_none() {
        assert!(
            find(&run(&[
                ("change_items", "O-71", false),
                ("change_address", "O-99", true)
            ]))
            .is_empty()
        );
        let late = [
            ("change_items", "O-71", false),
            ("change_address", "O-71", true),
            ("change_address", "O-71", false),
        ];
        assert!(find(&run(&late)).is_empty());
        assert!(
            find(&run(&[
                ("change_address", "O-71", true),
                ("change_items", "O-71", false)
            ]))
            .is_empty()
        );
    }
}
