//! An expected action whose tool was called, but with other arguments.

use super::{Rule, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, ExpectedAction, Trace};
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    ident: "wrong_argument",
    description: "the tool of an expected action was called, but never with the expected arguments",
    last_resort: false,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let wrong = compare::compare(trace)
        .map(|comparison| comparison.wrong)
        .unwrap_or_default();
    let mut causes: Vec<RootCause> = Vec::new();
    for (action, call, names) in wrong {
        causes.extend(names.iter().map(|name| cause(action, &call, name)));
    }
    causes
}

/// One cause an argument, so that runs that share one wrong argument of several meet.
fn cause(action: &ExpectedAction, call: &Exchange<'_>, name: &str) -> RootCause {
    let tool = &action.name;
    let (was, should) = (call.call.arguments.get(name), action.arguments.get(name));
    let instead = match (was, should) {
        (None, _) => format!("without `{name}`, which should be {}", text::value(should)),
        (Some(_), None) => format!("with {name} = {}, which should be left out", text::value(was)),
        (Some(was), Some(should)) => {
            let (place, was, should) = difference(name.to_owned(), was, should);
            format!(
                "with {place} = {} instead of {}",
                text::value(Some(was)),
                text::value(Some(should))
            )
        }
    };
    let answer = call.answer.filter(|(_, step)| step.error);
    let mut evidence = vec![text::call_evidence(call.step, call.call)];
    evidence.extend(answer.map(|(step, answer)| text::answer_evidence(step, answer)));
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: format!("{tool}.{name}"),
        },
        finding: format!("The agent called `{tool}` {instead}."),
        evidence,
        confidence: if call.succeeded() { 0.85 } else { 0.7 },
        should: text::instruction(action),
        action: Some(action.clone()),
    }
}

/// The first place in which two values differ, such as `payments[1].amount`: in long values a reader would not find it.
fn difference<'a>(place: String, was: &'a Value, should: &'a Value) -> (String, &'a Value, &'a Value) {
    let inner = match (was, should) {
        (Value::Array(was), Value::Array(should)) if was.len() == should.len() => {
            let mut pairs = was.iter().zip(should).enumerate();
            pairs
                .find(|(_, (was, should))| was != should)
                .map(|(at, (was, should))| (format!("{place}[{at}]"), was, should))
        }
        (Value::Object(was), Value::Object(should)) if was.keys().all(|key| should.contains_key(key)) => {
            let mut pairs = was.iter().filter_map(|(key, was)| Some((key, was, should.get(key)?)));
            pairs
                .find(|(_, was, should)| was != should)
                .map(|(key, was, should)| (format!("{place}.{key}"), was, should))
        }
        _ => None,
    };
    inner.map_or((place, was, should), |(place, was, should)| {
        difference(place, was, should)
    })
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    fn refund(arguments: &str, error: bool) -> Vec<crate::trace::Step> {
        vec![
            user("refund me"),
            agent_calls("a", "refund", arguments),
            answer("a", "ok", error),
        ]
    }

    #[test]
    fn the_argument_that_differs_is_the_subject() {
        let run = expects(
            trace(refund(r#"{"order_id":"O-7","amount":12}"#, false)),
            "refund",
            r#"{"order_id":"O-7","amount":20}"#,
        );
        let causes = find(&run);
        assert_eq!(causes.len(), 1);
        assert_eq!(causes[0].mechanism.to_string(), "wrong_argument:refund.amount");
        assert_eq!(
            causes[0].finding,
            "The agent called `refund` with amount = 12 instead of 20."
        );
        assert_eq!(causes[0].evidence[0].step, Some(1));
        assert_eq!(causes[0].evidence[0].quote, r#"refund {"order_id":"O-7","amount":12}"#);
    }

    #[test]
    fn an_argument_too_few_and_one_too_many() {
        let run = expects(
            trace(refund(r#"{"note":"x"}"#, false)),
            "refund",
            r#"{"order_id":"O-7"}"#,
        );
        let findings: Vec<_> = find(&run).into_iter().map(|cause| cause.finding).collect();
        assert_eq!(
            findings[0],
            "The agent called `refund` without `order_id`, which should be O-7."
        );
        assert_eq!(
            findings[1],
            "The agent called `refund` with note = x, which should be left out."
        );
    }

    #[test]
    fn the_nearest_call_is_blamed_and_a_right_one_clears_all() {
        let mut steps = refund(r#"{"order_id":"O-8","amount":1}"#, false);
        steps.extend(refund(r#"{"order_id":"O-7","amount":1}"#, false));
        let expected = r#"{"order_id":"O-7","amount":20}"#;
        let subjects: Vec<_> = find(&expects(trace(steps.clone()), "refund", expected))
            .into_iter()
            .map(|cause| cause.mechanism.subject)
            .collect();
        assert_eq!(subjects, ["refund.amount"]);
        steps.extend(refund(expected, false));
        assert!(find(&expects(trace(steps), "refund", expected)).is_empty());
    }

    #[test]
    fn in_a_long_value_the_place_that_differs_is_named() {
        let called = r#"{"pay":[{"id":"card","sum":1},{"id":"gift","sum":2}]}"#;
        let run = expects(
            trace(refund(called, false)),
            "refund",
            r#"{"pay":[{"id":"card","sum":1},{"id":"gift","sum":3}]}"#,
        );
        assert_eq!(
            find(&run)[0].finding,
            "The agent called `refund` with pay[1].sum = 2 instead of 3."
        );
        let longer = expects(
            trace(refund(r#"{"pay":["a"]}"#, false)),
            "refund",
            r#"{"pay":["a","b"]}"#,
        );
        assert_eq!(
            find(&longer)[0].finding,
            r#"The agent called `refund` with pay = ["a"] instead of ["a","b"]."#
        );
    }

    #[test]
    fn two_and_two_point_zero_are_one_number() {
        let run = expects(trace(refund(r#"{"amount":2}"#, false)), "refund", r#"{"amount":2.0}"#);
        assert!(find(&run).is_empty());
    }
}
