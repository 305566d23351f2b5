//! A call that failed and was never repaired.

use super::{Rule, calls, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, ExpectedAction, Trace};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "tool_error",
    description: "a call failed and was never repaired",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let exchanges = trace.exchanges();
    let refused = compare::compare(trace)
        .map(|comparison| comparison.refused)
        .unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut causes = Vec::new();
    for (at, call) in exchanges.iter().enumerate() {
        let Some((answer, step)) = call.answer.filter(|(_, step)| step.error) else {
            continue;
        };
        let wanted = refused
            .iter()
            .find(|(_, other)| other.answer.map(|(step, _)| step) == Some(answer));
        let wanted = wanted.map(|(action, _)| *action);
        // What was expected is known: only an error that kept the agent from it counts.
        let counts = wanted.is_some() || trace.expected.is_none();
        if calls::by_person(trace, call) || !counts || repaired(trace, call, &exchanges[at + 1..]) {
            continue;
        }
        let subject = format!("{}: {}", call.call.name, class(call, &step.content));
        if seen.insert(subject.clone()) {
            causes.push(cause(call, answer, subject, wanted, trace));
        }
    }
    causes
}

/// Whether the agent found a way: the tool worked later, or, if it only looks, anything did.
pub(super) fn repaired(trace: &Trace, call: &Exchange<'_>, later: &[Exchange<'_>]) -> bool {
    let looks = !calls::writes(trace, &call.call.name);
    later
        .iter()
        .any(|other| other.succeeded() && (looks || other.call.name == call.call.name))
}

/// The answer without what belongs to this run.
fn class(call: &Exchange<'_>, answer: &str) -> String {
    let line = answer
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim();
    let line = line
        .strip_prefix("Error:")
        .or_else(|| line.strip_prefix("error:"))
        .unwrap_or(line);
    let values: Vec<&str> = call.call.arguments.values().filter_map(Value::as_str).collect();
    match text::masked(line, &values) {
        class if class.is_empty() => "error".to_owned(),
        class => class,
    }
}

fn cause(
    call: &Exchange<'_>,
    answer: usize,
    subject: String,
    wanted: Option<&ExpectedAction>,
    trace: &Trace,
) -> RootCause {
    let tool = &call.call.name;
    let said = text::shortened(&trace.steps[answer].content, 120);
    // Code that failed is mostly written anew, or done without: it decides where the run ended with it.
    let went_on = calls::delegated(call.call).is_some() && answer + 1 < trace.steps.len();
    let confidence = match wanted {
        Some(_) => 0.8,
        None if went_on => 0.15,
        None => 0.45,
    };
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject,
        },
        finding: format!("`{tool}` failed (\"{said}\") and the agent found no way round."),
        evidence: vec![
            text::call_evidence(call.step, call.call),
            text::answer_evidence(answer, &trace.steps[answer]),
        ],
        confidence,
        should: wanted.map_or_else(
            || format!("make `{tool}` work, or reach the goal another way"),
            |action| format!("do first what `{tool}` needs, then {}", text::instruction(action)),
        ),
        action: wanted.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};

    fn failing(more: Vec<crate::trace::Step>) -> crate::trace::Trace {
        let mut steps = vec![
            user("book it"),
            agent_calls("a", "book", r#"{"city":"Lima"}"#),
            answer("a", "Error: no seats to Lima on 2024-05-13", true),
        ];
        steps.extend(more);
        trace(steps)
    }

    #[test]
    fn the_subject_is_free_of_the_values_of_the_run() {
        let causes = find(&failing(vec![said("Sorry")]));
        assert_eq!(causes[0].mechanism.to_string(), "tool_error:book: no seats to # on #");
        let places: Vec<_> = causes[0].evidence.iter().map(|evidence| evidence.step).collect();
        assert_eq!(places, [Some(1), Some(2)]);
        assert_eq!(causes[0].evidence[1].quote, "Error: no seats to Lima on 2024-05-13");
    }

    #[test]
    fn an_error_that_was_repaired_is_none() {
        let again = vec![
            agent_calls("b", "book", r#"{"city":"Cusco"}"#),
            answer("b", "ok", false),
        ];
        assert!(find(&failing(again)).is_empty());
        let another_tool = vec![agent_calls("b", "get_city", "{}"), answer("b", "ok", false)];
        assert_eq!(find(&failing(another_tool)).len(), 1);
    }

    #[test]
    fn where_the_truth_is_known_only_an_error_of_an_expected_call_counts() {
        assert!(find(&expects(failing(Vec::new()), "refund", "{}")).is_empty());
        let causes = find(&expects(failing(Vec::new()), "book", r#"{"city":"Lima"}"#));
        assert_eq!(
            causes[0].should,
            "do first what `book` needs, then call `book` with city = Lima"
        );
        assert!(causes[0].action.is_some());
    }

    #[test]
    fn code_that_failed_decides_only_where_the_run_ended_with_it() {
        let code = r#"{"code":"print(count(all of the winners))"}"#;
        let mut steps = vec![
            user("How many?"),
            agent_calls("a", "terminal", code),
            answer("a", "NameError", true),
        ];
        let sure = |steps: &[crate::trace::Step]| find(&trace(steps.to_vec()))[0].confidence;
        let ended = sure(&steps);
        steps.push(said("Then I count by hand."));
        assert!(sure(&steps) < 0.2 && ended > 0.4);
    }
}
