//! The agent asked for much the same thing again instead of working with what it got, or of seeing that it got nothing.

use super::{Rule, calls, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::similar::{Rarity, Sparse};
use crate::trace::{Exchange, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "asked_again",
    description: "the agent put much the same request to the same helper again",
    last_resort: false,
    find,
};

/// Two requests with this cosine differ in a few words of a sentence; their endings and n-grams count too.
const SAME: f64 = 0.7;

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    // Who only looks or thinks may well do so again.
    let helper = |call: &&Exchange<'_>| !calls::by_person(trace, call) && calls::writes(trace, &call.call.name);
    let requests = exchanges.iter().filter(helper);
    let requests: Vec<_> = requests
        .filter_map(|call| Some((call, calls::delegated(call.call)?)))
        .collect();
    let vectors: Vec<Sparse> = requests
        .iter()
        .map(|(_, request)| Rarity::default().vector(request))
        .collect();
    let pairs = (1..requests.len()).flat_map(|later| (0..later).map(move |earlier| (earlier, later)));
    let alike = |&(earlier, later): &(usize, usize)| {
        requests[earlier].0.call.name == requests[later].0.call.name && vectors[earlier].cosine(&vectors[later]) >= SAME
    };
    let Some((earlier, later)) = pairs.into_iter().find(alike) else {
        return Vec::new();
    };
    let (first, again) = (requests[earlier].0, requests[later].0);
    let helper = &first.call.name;
    let mut evidence: Vec<Evidence> = Vec::new();
    // What is asked in words is answered by somebody who did not do it; what is asked in code was wrong itself.
    let answer = first.answer.filter(|_| !calls::is_code(requests[earlier].1));
    match answer {
        Some((at, answer)) => evidence.push(text::answer_evidence(at, answer)),
        None => evidence.extend(calls::thought_before(trace, first.step).map(|step| text::evidence(trace, step))),
    }
    evidence.extend([first, again].map(|call| text::call_evidence(call.step, call.call)));
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: helper.clone(),
        },
        finding: format!("The agent put much the same request to `{helper}` again."),
        evidence,
        confidence: 0.4,
        should: format!("use what `{helper}` answered, or ask for something that it can do"),
        action: None,
    };
    vec![cause]
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::failure::RootCause;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};
    use crate::trace::Step;

    fn asks(id: &str, request: &str) -> [Step; 2] {
        let arguments = serde_json::json!({ "request": request }).to_string();
        [agent_calls(id, "browser", &arguments), answer(id, "a page", false)]
    }

    #[test]
    fn the_answer_to_the_first_of_two_like_requests_decides() {
        let mut steps = vec![user("Who won?"), said("I will look it up.")];
        steps.extend(asks("a", "Please search for the winner of the regatta in Kiel"));
        steps.extend(asks("b", "Please look up the opening hours of the museum"));
        assert!(find(&trace(steps.clone())).is_empty());
        steps.extend(asks("c", "Please search again for the winner of the regatta in Kiel"));
        let causes = find(&trace(steps.clone()));
        assert_eq!(causes[0].mechanism.to_string(), "asked_again:browser");
        assert_eq!(places(&causes[0]), [Some(3), Some(2), Some(6)]);
        assert!(find(&expects(trace(steps), "refund", "{}")).is_empty());
    }

    #[test]
    fn of_code_it_is_the_thought_that_it_came_from() {
        let mut steps = vec![user("How many?"), said("I will count them.")];
        let code = |from: usize| format!("rows = read('races.csv')\nfrom_row = {from}\nprint(count(rows, from_row))");
        steps.extend(asks("a", &code(1)));
        steps.extend(asks("b", &code(2)));
        assert_eq!(places(&find(&trace(steps))[0]), [Some(1), Some(2), Some(4)]);
    }

    fn places(cause: &RootCause) -> Vec<Option<usize>> {
        cause.evidence.iter().map(|evidence| evidence.step).collect()
    }
}
