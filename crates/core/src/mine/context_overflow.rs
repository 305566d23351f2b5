//! The conversation no longer fitted the model.

use super::{Rule, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Exchange, Role, Termination, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "context_overflow",
    description: "the conversation no longer fitted the model, and which result filled it",
    last_resort: false,
    find,
};

/// What providers say of a conversation that is too long, in lower case.
const TOO_LONG: [&str; 9] = [
    "maximum context length",
    "context_length_exceeded",
    "context length exceeded",
    "exceeds the context window",
    "exceed context limit",
    "prompt is too long",
    "input is too long",
    "input token count exceeds",
    "too many input tokens",
];
/// A longer message than this, in bytes, is about something else.
const NOTICE: usize = 4_000;
/// A single result that is this share of the conversation filled it.
const SHARE: f64 = 0.25;

fn find(trace: &Trace) -> Vec<RootCause> {
    let notice = notice(trace);
    if trace.termination != Termination::ContextWindowExceeded && notice.is_none() {
        return Vec::new();
    }
    let whole: usize = trace.steps.iter().map(|step| step.content.len()).sum();
    let exchanges = trace.exchanges();
    let size = |call: &Exchange<'_>| call.answer.map_or(0, |(_, step)| step.content.len());
    let largest = exchanges.iter().max_by_key(|call| size(call));
    let largest = largest
        .map(|call| (call, size(call), crate::agreement::share(size(call), whole)))
        .filter(|(_, _, share)| *share >= SHARE);
    let end = notice.or_else(|| Some(text::evidence(trace, trace.steps.len().checked_sub(1)?)));
    let (subject, finding, should, mut evidence) = match largest {
        Some((call, size, share)) => (
            call.call.name.clone(),
            format!(
                "The conversation no longer fitted the model; one result of `{}` was {:.0} % of it ({size} bytes).",
                call.call.name,
                share * 100.0
            ),
            format!(
                "ask `{}` for less, or keep only what is needed of its result",
                call.call.name
            ),
            vec![text::call_evidence(call.step, call.call)],
        ),
        None => (
            "cut_off".to_owned(),
            format!(
                "The conversation no longer fitted the model after {}; no single result filled it.",
                text::counted(trace.steps.len(), "step")
            ),
            "come to an end sooner, or keep the conversation short".to_owned(),
            Vec::new(),
        ),
    };
    evidence.extend(end);
    let cause = RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject,
        },
        finding,
        evidence,
        confidence: 0.94,
        should,
        action: None,
    };
    vec![cause]
}

/// Where a provider says that the conversation is too long: at the end of the run, or in a result that failed. Words of the person do not count.
fn notice(trace: &Trace) -> Option<Evidence> {
    let last = trace.steps.len().checked_sub(1)?;
    let mut steps = trace.steps.iter().enumerate().rev();
    steps.find_map(|(at, step)| {
        let speaks = (at == last || step.error) && matches!(step.role, Role::Assistant | Role::Tool);
        let said = step.content.to_ascii_lowercase();
        let place = TOO_LONG
            .iter()
            .find_map(|words| said.find(words))
            .filter(|_| speaks && said.len() <= NOTICE)?;
        let quote = step.content[place..].chars().take(text::QUOTE).collect();
        Some(Evidence { step: Some(at), quote })
    })
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};
    use crate::trace::{Termination, Trace};

    fn run(result: &str, last: &str) -> Trace {
        trace(vec![
            user("What does the log say of the prompt, is it too long?"),
            agent_calls("a", "read_log", r#"{"lines":"all"}"#),
            answer("a", result, false),
            said(last),
        ])
    }

    #[test]
    fn the_result_that_filled_the_context_is_named_with_its_share() {
        let mut full = run(&"line\n".repeat(400), "I will");
        assert!(find(&full).is_empty());
        full.termination = Termination::ContextWindowExceeded;
        let cause = &find(&full)[0];
        assert_eq!(cause.mechanism.to_string(), "context_overflow:read_log");
        assert!(cause.finding.contains("97 % of it (2000 bytes)"), "{}", cause.finding);
        let places: Vec<_> = cause.evidence.iter().map(|evidence| evidence.step).collect();
        assert_eq!(places, [Some(1), Some(3)]);
    }

    #[test]
    fn a_long_talk_is_cut_off_and_a_provider_is_quoted() {
        let said = "Error code: 400 - This model's maximum context length is 8192 tokens.";
        let cause = &find(&run("ok", said))[0];
        assert_eq!(cause.mechanism.to_string(), "context_overflow:cut_off");
        assert_eq!(cause.evidence[0].quote, "maximum context length is 8192 tokens.");
        assert!(
            find(&run(
                said,
                "The log says that a prompt was longer than the model allows."
            ))
            .is_empty()
        );
    }
}
