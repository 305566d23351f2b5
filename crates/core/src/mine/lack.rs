//! What a mechanism comes to for the harness, however the agent made up for it.

use super::{calls, extra_write, gave_up, missing_action, missing_handover, premature_handover, unwarranted_write};
use crate::failure::Mechanism;

/// The same mechanism in the words of the rules that compare with ground truth alone: whoever hands over or gives up where a tool was needed misses
/// that action. Recipes answer to these words, and two runs that are compared are compared in them: an agent that has learned one of two actions
/// does not give up any more, and misses the other still.
pub fn lack(mechanism: &Mechanism) -> Mechanism {
    let subject = mechanism.subject.as_str();
    let rule = match mechanism.rule.as_str() {
        rule if rule == premature_handover::RULE.ident && !calls::hands_over(subject) => missing_action::RULE.ident,
        rule if rule == gave_up::RULE.ident && !gave_up::is_general(subject) => missing_action::RULE.ident,
        rule if rule == missing_handover::RULE.ident => missing_action::RULE.ident,
        rule if rule == unwarranted_write::RULE.ident => extra_write::RULE.ident,
        rule => rule,
    };
    Mechanism {
        rule: rule.to_owned(),
        subject: mechanism.subject.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_makes_up_for_an_action_misses_it() {
        for (rule, subject, lacks) in [
            ("gave_up", "refund", "missing_action:refund"),
            ("gave_up", "no_writes", "gave_up:no_writes"),
            ("premature_handover", "refund", "missing_action:refund"),
            (
                "premature_handover",
                "transfer_to_human",
                "premature_handover:transfer_to_human",
            ),
            (
                "missing_handover",
                "transfer_to_human",
                "missing_action:transfer_to_human",
            ),
            ("unwarranted_write", "refund", "extra_write:refund"),
            ("loop", "get_order", "loop:get_order"),
        ] {
            let mechanism = Mechanism {
                rule: rule.to_owned(),
                subject: subject.to_owned(),
            };
            assert_eq!(lack(&mechanism).to_string(), lacks);
        }
    }
}
