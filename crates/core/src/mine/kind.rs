//! Who is to blame, when it is not the agent.

use crate::failure::FailureKind;
use crate::trace::{Role, Termination, Trace};

/// Words of a machine that does not answer.
const OUTAGE: [&str; 9] = [
    "connection refused",
    "connection reset",
    "connection error",
    "timed out",
    "timeout",
    "service unavailable",
    "bad gateway",
    "rate limit",
    "too many requests",
];

/// Words of an evaluator that broke.
const BROKEN_EVALUATOR: [&str; 8] = [
    "traceback (most recent call last)",
    "could not be evaluated",
    "evaluator error",
    "grader error",
    "cannot verify",
    "unable to verify",
    "without access to",
    "do not have access to",
];

/// Whose fault the failure is if it is not the agent's; `Unknown` where something broke that nobody foresaw.
pub(super) fn not_the_agent(trace: &Trace) -> Option<FailureKind> {
    let broken = match trace.termination {
        Termination::UserError => Some(FailureKind::UserSimulator),
        Termination::InfrastructureError => Some(FailureKind::Infrastructure),
        Termination::UnexpectedError => Some(FailureKind::Unknown),
        Termination::AgentStop
        | Termination::UserStop
        | Termination::MaxSteps
        | Termination::Timeout
        | Termination::TooManyErrors
        | Termination::AgentError
        | Termination::ContextWindowExceeded
        | Termination::Unknown => None,
    };
    broken
        .or_else(|| never_began(trace).then_some(FailureKind::Infrastructure))
        .or_else(|| outage(trace).then_some(FailureKind::Infrastructure))
        .or_else(|| evaluator_broke(trace).then_some(FailureKind::Evaluator))
        .or_else(|| person_left(trace).then_some(FailureKind::UserSimulator))
}

/// The person ended the run when the agent had spoken once and called nothing: it had no chance.
fn person_left(trace: &Trace) -> bool {
    let mut own = trace.steps.iter().filter(|step| step.role == Role::Assistant);
    let once = own.next().is_some_and(|step| step.tool_calls.is_empty()) && own.next().is_none();
    let asked = trace.steps.iter().filter(|step| step.role == Role::User).count() > 1;
    once && asked && trace.termination == Termination::UserStop
}

/// Nothing happened at all, or the agent never got a word in and did not end the run either. A file that holds a verdict and says nothing of
/// how the run went has no record of it, which is another thing.
fn never_began(trace: &Trace) -> bool {
    let spoke = trace.steps.iter().any(|step| step.role == Role::Assistant);
    let silent = trace.steps.is_empty() || (!spoke && trace.termination != Termination::AgentStop);
    let only_judged = trace.termination == Termination::Unknown && trace.checks.iter().any(|check| !check.passed);
    silent && !only_judged
}

/// Every call failed because a machine did not answer.
fn outage(trace: &Trace) -> bool {
    let exchanges = trace.exchanges();
    let down = |answer: &str| contains_any(answer, &OUTAGE);
    !exchanges.is_empty()
        && exchanges.iter().all(|exchange| {
            exchange
                .answer
                .is_some_and(|(_, step)| step.error && down(&step.content))
        })
}

/// Every check that did not hold says that the evaluator itself broke, or says in its own words that it held.
fn evaluator_broke(trace: &Trace) -> bool {
    let mut failed = trace.checks.iter().filter(|check| !check.passed).peekable();
    failed.peek().is_some()
        && failed.all(|check| contains_any(&check.detail, &BROKEN_EVALUATOR) || contradicts(&check.detail))
}

/// Whether what a grader wrote about a check that did not hold says that it did.
fn contradicts(detail: &str) -> bool {
    let said = serde_json::from_str::<serde_json::Value>(detail).unwrap_or_default();
    let held = ["pass", "passed", "success"]
        .iter()
        .any(|key| said.get(*key) == Some(&true.into()));
    held || detail.trim().to_lowercase().starts_with("assertion passed")
}

fn contains_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};
    use crate::trace::Check;

    #[test]
    fn the_end_says_whose_fault_it_is() {
        let mut run = trace(vec![user("hi"), said("hello")]);
        for (termination, kind) in [
            (Termination::UserError, Some(FailureKind::UserSimulator)),
            (Termination::InfrastructureError, Some(FailureKind::Infrastructure)),
            (Termination::UnexpectedError, Some(FailureKind::Unknown)),
            (Termination::MaxSteps, None),
            (Termination::AgentError, None),
        ] {
            run.termination = termination;
            assert_eq!(not_the_agent(&run), kind, "{termination:?}");
        }
    }

    #[test]
    fn a_run_that_never_began_is_no_failure_of_the_agent() {
        assert_eq!(not_the_agent(&Trace::default()), Some(FailureKind::Infrastructure));
        let mut silent = trace(vec![user("my ticket")]);
        assert_eq!(
            not_the_agent(&silent),
            None,
            "an agent that ends the run without a word failed itself"
        );
        silent.termination = Termination::UserStop;
        assert_eq!(not_the_agent(&silent), Some(FailureKind::Infrastructure));
        silent.checks = vec![Check::default()];
        assert_eq!(not_the_agent(&silent), Some(FailureKind::Infrastructure));
        silent.termination = Termination::Unknown;
        assert_eq!(not_the_agent(&silent), None, "a verdict without a record of the run");
    }

    #[test]
    fn a_person_who_leaves_at_once_gave_the_agent_no_chance() {
        let mut run = trace(vec![user("hi"), said("Which order?"), user("###STOP###")]);
        run.termination = Termination::UserStop;
        assert_eq!(not_the_agent(&run), Some(FailureKind::UserSimulator));
        run.steps.extend([said("Wait, which order?"), user("bye")]);
        assert_eq!(not_the_agent(&run), None);
    }

    #[test]
    fn only_an_outage_of_everything_is_infrastructure() {
        let down = vec![
            user("hi"),
            agent_calls("a", "get_order", "{}"),
            answer("a", "Connection refused", true),
        ];
        assert_eq!(not_the_agent(&trace(down.clone())), Some(FailureKind::Infrastructure));
        let mut once = down;
        once.extend([agent_calls("b", "get_order", "{}"), answer("b", "late", false)]);
        assert_eq!(not_the_agent(&trace(once)), None);
    }

    #[test]
    fn a_broken_evaluator_is_told_from_a_failed_check() {
        let mut run = trace(vec![user("hi"), said("hello")]);
        let detail = "Traceback (most recent call last): …".to_owned();
        run.checks = vec![Check {
            name: "rubric".to_owned(),
            kind: "judged".to_owned(),
            passed: false,
            detail,
        }];
        assert_eq!(not_the_agent(&run), Some(FailureKind::Evaluator));
        for (detail, kind) in [
            (r#"{"pass": true, "reason": "refunded"}"#, Some(FailureKind::Evaluator)),
            ("Assertion passed", Some(FailureKind::Evaluator)),
            (r#"{"pass": false}"#, None),
            ("the order was not refunded", None),
        ] {
            detail.clone_into(&mut run.checks[0].detail);
            assert_eq!(not_the_agent(&run), kind, "{detail}");
        }
        "Grader error".clone_into(&mut run.checks[0].detail);
        run.checks.push(Check {
            name: "refunded".to_owned(),
            kind: "state".to_owned(),
            ..Check::default()
        });
        assert_eq!(not_the_agent(&run), None);
    }
}
