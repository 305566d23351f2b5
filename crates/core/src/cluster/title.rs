//! What people call a cluster.

use crate::failure::Mechanism;
use crate::mine::hands_over;
use crate::mine::model::OTHER;

/// A title from a mechanism, which reads on after "the agent": "never does `refund` when it is needed".
pub fn of(mechanism: &Mechanism) -> String {
    let subject = mechanism.subject.as_str();
    match mechanism.rule.as_str() {
        "missing_action" => format!("never does `{subject}` when it is needed"),
        "wrong_argument" => match subject.rsplit_once('.') {
            Some((tool, argument)) => format!("calls `{tool}` with the wrong `{}`", argument.replace('+', "` and `")),
            None => format!("calls `{subject}` with wrong arguments"),
        },
        "wrong_tool" => match subject.split_once("->") {
            Some((needed, called)) => format!("calls `{called}` where `{needed}` is needed"),
            None => format!("calls another tool where `{subject}` is needed"),
        },
        "extra_write" => format!("does `{subject}` when it should not"),
        "wrong_order" => match subject.split_once("->") {
            Some((first, second)) => format!("does `{second}` before `{first}`"),
            None => format!("does `{subject}` in the wrong order"),
        },
        "unmet_communication" if subject == "number" => "does not tell the person a number they need".to_owned(),
        "unmet_communication" => "does not tell the person something they need".to_owned(),
        "tool_error" => match subject.split_once(": ") {
            Some((tool, class)) => format!("gives up when `{tool}` fails with \"{class}\""),
            None => format!("gives up when `{subject}` fails"),
        },
        "loop" => format!("calls `{}` over and over", subject.replace('+', "` and `")),
        "repeated_call" => format!("does `{subject}` twice"),
        "asked_again" => format!("asks `{subject}` for much the same thing again"),
        "partial_list" => format!("takes the first things that `{subject}` lists for all"),
        "policy_violated" => format!("breaks its instructions: {subject}"),
        "ignored_tool_error" => format!("goes on as if `{subject}` had worked when it fails"),
        "context_overflow" if subject == "cut_off" => "says more than its model can read".to_owned(),
        "context_overflow" => format!("fills its context with one result of `{subject}`"),
        "blocked_write" => match subject.split_once("->") {
            Some((wanted, did)) => format!("does `{did}`, which makes `{wanted}` impossible"),
            None => format!("makes `{subject}` impossible"),
        },
        "invented_argument" => match subject.rsplit_once('.') {
            Some((tool, argument)) => format!("calls `{tool}` with an invented `{argument}`"),
            None => format!("calls `{subject}` with invented arguments"),
        },
        "kept_out" => format!("is kept out where `{subject}` looks"),
        "skipped_confirmation" => format!("does `{subject}` before the person has seen what it will do"),
        "ungrounded_answer" => format!("says a {subject} that nothing it saw holds"),
        "format_error" if subject == "empty" => "says and calls nothing in its turn".to_owned(),
        "format_error" => "writes calls down instead of making them".to_owned(),
        "unexplained_answer" => "gives a wrong answer, nobody knows why".to_owned(),
        "missing_handover" => "never hands over to a human when it should".to_owned(),
        "unwarranted_write" => format!("does `{subject}` where nothing is to be changed"),
        "unexplained_write" => format!("does `{subject}` and fails, nobody knows why"),
        "wrong_answer" => "does the right things and says the wrong ones".to_owned(),
        "premature_handover" if !hands_over(subject) => format!("hands over to a human instead of doing `{subject}`"),
        "premature_handover" => "hands over to a human too early".to_owned(),
        "termination" => termination(subject),
        "failed_check" => format!("fails the check `{subject}`"),
        "gave_up" if subject == "no_calls" => "ends without having called any tool".to_owned(),
        "gave_up" if subject != "no_writes" => format!("changes nothing where `{subject}` is needed"),
        "gave_up" => "only looks and changes nothing".to_owned(),
        // A model's own words.
        OTHER => subject.to_owned(),
        rule => format!("{}: {subject}", rule.replace('_', " ")),
    }
}

fn termination(word: &str) -> String {
    match word {
        "max_steps" => "takes too many steps".to_owned(),
        "timeout" => "takes too much time".to_owned(),
        "too_many_errors" => "makes too many calls that fail".to_owned(),
        "context_window_exceeded" => "says more than its model can read".to_owned(),
        "agent_error" => "breaks its protocol".to_owned(),
        word => format!("ends with {}", word.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_miner_has_a_title_of_its_own() {
        for rule in crate::mine::RULES.iter().chain(crate::mine::BESIDE) {
            let mechanism = Mechanism {
                rule: rule.ident.to_owned(),
                subject: "subject".to_owned(),
            };
            let plain = format!("{}: subject", rule.ident.replace('_', " "));
            assert_ne!(
                of(&mechanism),
                plain,
                "{} has only the title that any word gets",
                rule.ident
            );
        }
    }

    #[test]
    fn titles_read_on_after_the_agent() {
        for (rule, subject, title) in [
            (
                "missing_action",
                "toggle_wifi_calling",
                "never does `toggle_wifi_calling` when it is needed",
            ),
            (
                "wrong_argument",
                "refund.amount",
                "calls `refund` with the wrong `amount`",
            ),
            (
                "wrong_argument",
                "orders.refund.amount",
                "calls `orders.refund` with the wrong `amount`",
            ),
            (
                "wrong_tool",
                "exchange->return_items",
                "calls `return_items` where `exchange` is needed",
            ),
            ("wrong_order", "reset_apn->reboot", "does `reboot` before `reset_apn`"),
            (
                "tool_error",
                "book: flight # not available",
                "gives up when `book` fails with \"flight # not available\"",
            ),
            (
                "loop",
                "check_sim+reboot",
                "calls `check_sim` and `reboot` over and over",
            ),
            (
                "premature_handover",
                "transfer_to_human_agents",
                "hands over to a human too early",
            ),
            ("termination", "max_steps", "takes too many steps"),
            (
                "premature_handover",
                "refund",
                "hands over to a human instead of doing `refund`",
            ),
            ("gave_up", "refund", "changes nothing where `refund` is needed"),
            (
                "wrong_argument",
                "refund.amount+card",
                "calls `refund` with the wrong `amount` and `card`",
            ),
            ("model_rule", "thing", "model rule: thing"),
        ] {
            assert_eq!(
                of(&Mechanism {
                    rule: rule.to_owned(),
                    subject: subject.to_owned()
                }),
                title
            );
        }
    }
}
