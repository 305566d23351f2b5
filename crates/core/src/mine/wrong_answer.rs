//! All that should have been done was done, so what was said must be wrong.

use super::{Rule, compare, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Role, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "wrong_answer",
    description: "all that should have been done was done, so what the agent said must be wrong or incomplete",
    last_resort: true,
    find,
};

fn find(trace: &Trace) -> Vec<RootCause> {
    let done = compare::compare(trace).is_some_and(|found| found.all_done() && found.extra.is_empty());
    let last = trace
        .steps
        .iter()
        .rposition(|step| step.role == Role::Assistant && !step.content.trim().is_empty());
    let Some(last) = last.filter(|_| done) else {
        return Vec::new();
    };
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: "answer".to_owned(),
        },
        finding: "The agent did all that should have been done, so what it said must be wrong or incomplete."
            .to_owned(),
        evidence: vec![text::evidence(trace, last)],
        confidence: 0.5,
        should: "check what is said to the person against what the tools answered".to_owned(),
        action: None,
    };
    vec![cause]
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};

    #[test]
    fn the_last_words_are_blamed_when_everything_was_done() {
        let run = trace(vec![
            user("refund me"),
            agent_calls("a", "refund", "{}"),
            answer("a", "ok", false),
            said("You get 5."),
        ]);
        let causes = find(&expects(run.clone(), "refund", "{}"));
        assert_eq!(
            (causes[0].mechanism.subject.as_str(), causes[0].evidence[0].step),
            ("answer", Some(3))
        );
        assert!(find(&run).is_empty());
        assert!(find(&expects(run, "cancel", "{}")).is_empty());
    }
}
