//! The agent broke a sentence of the policy that stands in its own instructions.

use super::policy::{self, Demand};
use super::{Rule, calls, termination, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Exchange, Role, Trace};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    ident: "policy_violated",
    description: "a sentence of the instructions that says how a tool is to be used was broken",
    last_resort: false,
    find,
};

/// What broke a demand: the step that is to blame, what it said or called, and what should have been done.
struct Breach {
    evidence: Evidence,
    subject: String,
    should: String,
}

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let own: Vec<&Exchange<'_>> = exchanges.iter().filter(|call| !calls::by_person(trace, call)).collect();
    let tools: BTreeSet<String> = own
        .iter()
        .map(|call| call.call.name.clone())
        .chain(trace.tools.iter().map(|tool| tool.name.clone()))
        .collect();
    let mut causes: Vec<RootCause> = Vec::new();
    for (at, step) in trace
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.role == Role::System)
    {
        for (sentence, demand) in policy::demands(&step.content, &tools) {
            let known = |breach: &Breach| causes.iter().any(|cause| cause.mechanism.subject == breach.subject);
            if let Some(breach) = breach(trace, &own, &demand).filter(|breach| !known(breach)) {
                causes.push(cause(at, sentence, breach));
            }
        }
    }
    causes
}

fn cause(at: usize, sentence: &str, breach: Breach) -> RootCause {
    RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: breach.subject,
        },
        finding: format!(
            "The agent broke its instructions: \"{}\"",
            text::shortened(sentence, 200)
        ),
        evidence: vec![
            breach.evidence,
            Evidence {
                step: Some(at),
                quote: sentence.chars().take(text::QUOTE).collect(),
            },
        ],
        confidence: 0.6,
        should: breach.should,
        action: None,
    }
}

/// The first breach of a demand. Calls that failed changed nothing and break nothing, but for those that are too many.
fn breach(trace: &Trace, own: &[&Exchange<'_>], demand: &Demand) -> Option<Breach> {
    // When the answer to its first call that worked was there.
    let since = |tool: &str| worked(own, tool).filter_map(|call| Some(call.answer?.0)).min();
    let by = |call: &Exchange<'_>, subject: String, should: String| Breach {
        evidence: text::call_evidence(call.step, call.call),
        subject,
        should,
    };
    match demand {
        Demand::Never(tool) => worked(own, tool)
            .next()
            .map(|call| by(call, tool.clone(), format!("never call `{tool}`"))),
        Demand::Before(first, then) => worked(own, then)
            .find(|call| since(first).is_none_or(|since| since >= call.step))
            .map(|call| {
                by(
                    call,
                    format!("{first} before {then}"),
                    format!("call `{first}` before `{then}`"),
                )
            }),
        Demand::NotAfter(first, then) => worked(own, then)
            .find(|call| since(first).is_some_and(|since| since < call.step))
            .map(|call| {
                by(
                    call,
                    format!("no {then} after {first}"),
                    format!("not call `{then}` after `{first}`"),
                )
            }),
        Demand::Followed(first, then) => {
            let last = worked(own, first)
                .last()
                .filter(|_| !termination::is_limit(trace.termination))?;
            let followed = calls_of(own, then).any(|call| call.step > last.step);
            (!followed).then(|| {
                by(
                    last,
                    format!("{then} after {first}"),
                    format!("call `{then}` after `{first}`"),
                )
            })
        }
        Demand::AtMost(tool, most) => calls_of(own, tool).nth(*most).map(|call| {
            let times = text::counted(*most, "time");
            by(
                call,
                format!("{tool} more than {times}"),
                format!("call `{tool}` at most {times}"),
            )
        }),
        Demand::OneAtATime => {
            let several = |step: &&crate::trace::Step| step.role == Role::Assistant && step.tool_calls.len() > 1;
            let (at, step) = trace.steps.iter().enumerate().find(|(_, step)| several(step))?;
            let call = step.tool_calls.get(1)?;
            Some(Breach {
                evidence: text::call_evidence(at, call),
                subject: "one call at a time".to_owned(),
                should: "make one call, and the next when it is answered".to_owned(),
            })
        }
    }
}

fn calls_of<'a, 'b>(own: &'b [&'b Exchange<'a>], tool: &'b str) -> impl Iterator<Item = &'b Exchange<'a>> {
    own.iter().copied().filter(move |call| call.call.name == tool)
}

fn worked<'a, 'b>(own: &'b [&'b Exchange<'a>], tool: &'b str) -> impl Iterator<Item = &'b Exchange<'a>> {
    calls_of(own, tool).filter(|call| call.succeeded())
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, expects, said, trace, user};
    use crate::trace::{Role, Step, Trace};

    const POLICY: &str = "You help with orders.\n- Always call `get_order` before `cancel_order`.\n- Never use `wipe_all`.\n\
                          - After `cancel_order`, always call `notify_owner`.\n- Call `search_web` at most once.\n- Never call `refund_order` after `cancel_order`.\n\
                          Make only one tool call at a time.";

    fn run(tools: &[&str]) -> Trace {
        let mut steps = vec![
            Step {
                role: Role::System,
                content: POLICY.to_owned(),
                ..Step::default()
            },
            user("cancel it"),
        ];
        for (at, tool) in tools.iter().enumerate() {
            let id = at.to_string();
            steps.extend([agent_calls(&id, tool, "{}"), answer(&id, "ok", false)]);
        }
        steps.push(said("Done."));
        trace(steps)
    }

    fn subjects(run: &Trace) -> Vec<String> {
        find(run).into_iter().map(|cause| cause.mechanism.subject).collect()
    }

    #[test]
    fn each_kind_of_demand_can_be_broken_and_kept() {
        for (tools, subject) in [
            (
                &["cancel_order", "get_order", "notify_owner"][..],
                "get_order before cancel_order",
            ),
            (&["wipe_all"], "wipe_all"),
            (&["get_order", "cancel_order"], "notify_owner after cancel_order"),
            (&["search_web", "search_web"], "search_web more than 1 time"),
            (
                &[
                    "refund_order",
                    "get_order",
                    "cancel_order",
                    "refund_order",
                    "notify_owner",
                ],
                "no refund_order after cancel_order",
            ),
        ] {
            assert_eq!(subjects(&run(tools)), [subject]);
        }
        assert!(find(&run(&["search_web", "get_order", "cancel_order", "notify_owner"])).is_empty());
        let mut at_once = run(&["get_order"]);
        let more = agent_calls("z", "search_web", "{}").tool_calls;
        at_once.steps[2].tool_calls.extend(more);
        assert_eq!(subjects(&at_once), ["one call at a time"]);
    }

    #[test]
    fn the_step_and_the_sentence_are_quoted() {
        let cause = &find(&run(&["cancel_order", "notify_owner"]))[0];
        assert_eq!(cause.evidence[0].step, Some(2));
        assert_eq!(cause.evidence[1].step, Some(0));
        assert_eq!(
            cause.evidence[1].quote,
            "Always call `get_order` before `cancel_order`."
        );
    }

    #[test]
    fn what_failed_broke_nothing_and_ground_truth_knows_better() {
        let mut refused = run(&["wipe_all"]);
        refused.steps[3].error = true;
        assert!(find(&refused).is_empty());
        assert!(find(&expects(run(&["wipe_all"]), "get_order", "{}")).is_empty());
        let mut other = run(&["wipe_all"]);
        other.steps[0].role = Role::User;
        assert!(find(&other).is_empty(), "what a person says is no policy");
    }
}
