//! Root causes in the words of the `AgentRx` taxonomy, so that they can be compared with what others annotate.

use crate::failure::FailureRecord;

/// A category of root causes (Barke and others, `AgentRx`, 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// A plan, an instruction or a policy was not followed.
    PlanAdherence,
    /// Something was made up.
    Invention,
    /// A call was not valid.
    InvalidInvocation,
    /// What a tool answered was misread.
    MisinterpretTool,
    /// What was planned is not what was asked for.
    IntentPlanMisalignment,
    /// The person did not say enough.
    UnderspecifiedIntent,
    /// What was asked for cannot be done with the tools.
    IntentNotSupported,
    /// A guard kept the agent from going on.
    Guardrails,
    /// The machinery broke.
    SystemFailure,
}

impl Category {
    /// The word for it in labelled data.
    pub fn word(self) -> &'static str {
        match self {
            Self::PlanAdherence => "plan_adherence",
            Self::Invention => "invention",
            Self::InvalidInvocation => "invalid_invocation",
            Self::MisinterpretTool => "misinterpret_tool",
            Self::IntentPlanMisalignment => "intent_plan_misalignment",
            Self::UnderspecifiedIntent => "underspecified_intent",
            Self::IntentNotSupported => "intent_not_supported",
            Self::Guardrails => "guardrails",
            Self::SystemFailure => "system_failure",
        }
    }
}

/// The category of a record's surest cause; `None` where no cause is known. A rule has one category, the one that what it finds mostly
/// comes from; where nothing is explained, it is the most common one of runs of that kind.
pub fn category(record: &FailureRecord) -> Option<Category> {
    let cause = record.causes.first()?;
    Some(match cause.mechanism.rule.as_str() {
        "invented_argument" | "ungrounded_answer" => Category::Invention,
        "tool_error" | "format_error" => Category::InvalidInvocation,
        "policy_violated"
        | "missing_action"
        | "missing_handover"
        | "skipped_confirmation"
        | "unwarranted_write"
        | "extra_write"
        | "gave_up" => Category::PlanAdherence,
        "blocked_write" | "wrong_order" | "wrong_tool" | "premature_handover" | "unexplained_write" => {
            Category::IntentPlanMisalignment
        }
        "kept_out" => Category::Guardrails,
        "context_overflow" | "termination" => Category::SystemFailure,
        _ => Category::MisinterpretTool,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskId;
    use crate::mine::mine;
    use crate::mine::tests::support::{agent_calls, answer, expects, trace, user};

    #[test]
    fn the_surest_cause_names_the_category() {
        let run = trace(vec![
            user("refund"),
            agent_calls("a", "cancel", "{}"),
            answer("a", "ok", false),
        ]);
        let record = |run| mine("run", &TaskId::new("t"), &run);
        assert_eq!(
            category(&record(expects(run.clone(), "refund", "{}"))).map(Category::word),
            Some("plan_adherence")
        );
        assert_eq!(category(&record(run)), None);
    }
}
