//! The run was cut off before the agent was done.

use super::{Rule, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Termination, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "termination",
    description: "the run was cut off: too many steps or errors, too much time, or a broken protocol",
    last_resort: false,
    find,
};

/// Whether the run was cut off because the agent took too long.
pub(super) fn is_limit(termination: Termination) -> bool {
    matches!(
        termination,
        Termination::MaxSteps | Termination::Timeout | Termination::TooManyErrors | Termination::ContextWindowExceeded
    )
}

fn find(trace: &Trace) -> Vec<RootCause> {
    // A full context has a rule of its own, which says what filled it.
    let full = trace.termination == Termination::ContextWindowExceeded;
    if full || (!is_limit(trace.termination) && trace.termination != Termination::AgentError) {
        return Vec::new();
    }
    let (what, should) = match trace.termination {
        Termination::MaxSteps => ("it took too many steps", "come to an end in fewer steps"),
        Termination::Timeout => ("it took too much time", "come to an end sooner"),
        Termination::TooManyErrors => ("too many of its calls failed", "stop repeating calls that fail"),
        _ => (
            "the agent broke its protocol",
            "answer in the form that the environment asks for",
        ),
    };
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: trace.termination.word().to_owned(),
        },
        finding: format!(
            "The run was cut off after {}: {what}.",
            text::counted(trace.steps.len(), "step")
        ),
        evidence: trace
            .steps
            .len()
            .checked_sub(1)
            .map(|last| text::evidence(trace, last))
            .into_iter()
            .collect(),
        confidence: 0.92,
        should: should.to_owned(),
        action: None,
    };
    vec![cause]
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{said, trace, user};
    use crate::trace::Termination;

    #[test]
    fn a_run_that_was_cut_off_says_how_and_points_at_its_end() {
        let mut run = trace(vec![user("hi"), said("one more moment")]);
        assert!(find(&run).is_empty());
        run.termination = Termination::MaxSteps;
        let causes = find(&run);
        assert_eq!(causes[0].mechanism.to_string(), "termination:max_steps");
        assert_eq!(
            causes[0].finding,
            "The run was cut off after 2 steps: it took too many steps."
        );
        assert_eq!(causes[0].evidence[0].step, Some(1));
        assert_eq!(causes[0].evidence[0].quote, "one more moment");
        run.termination = Termination::ContextWindowExceeded;
        assert!(find(&run).is_empty(), "context_overflow tells of it");
    }
}
