//! The assertions of a row, and whether it was the grader that failed and not the agent.

use super::super::Check;
use super::super::json::Object;
use regex::Regex;
use std::sync::LazyLock;

/// Assertions that a model judges.
const JUDGED: [&str; 11] = [
    "llm-rubric",
    "g-eval",
    "factuality",
    "closedqa",
    "agent-rubric",
    "answer-relevance",
    "search-rubric",
    "select-best",
    "pi",
    "trajectory:goal-success",
    "conversation-relevance",
];

/// The grader broke: there is no judgement.
static BROKE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)could not (?:extract|parse) .{0,40}(?:json|rubric|grad)|no output from grader|grad(?:er|ing) (?:api )?error|(?:llm-rubric|grader) produced malformed")
        .ok()
});

/// The grader says of itself that it cannot see what it would have to judge by.
static BLIND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\bI (?:cannot|can't|can ?not|could not|couldn't|am unable to|was unable to|have no way to) (?:independently )?(?:verify|confirm|see|check|determine|assess|evaluate|judge)\b|\bI (?:do not|don't) have access to (?:the|any) (?:source|document|context|reference|file|knowledge)")
        .ok()
});

/// What somebody else said, in quotation marks.
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"["“][^"”]*["”]|(?:^|\s)'[^']*'"#).ok());

/// One assertion with its result.
pub(super) struct Leaf {
    pub(super) check: Check,
    judged: bool,
    reason: String,
    /// The verdict contradicts the score that stands beside it.
    contradicts_itself: bool,
}

impl Leaf {
    pub(super) fn of(result: &Object<'_>) -> Option<Self> {
        let passed = result.word("pass")?.parse().ok()?;
        let assertion = result.node("assertion").and_then(|assertion| assertion.as_object());
        let field = |key: &str| assertion.as_ref()?.word(key);
        let kind = field("type").unwrap_or_else(|| "assertion".to_owned());
        let plain = kind.strip_prefix("not-").unwrap_or(&kind);
        let judged = JUDGED.contains(&plain) || plain.starts_with("model-graded") || plain.starts_with("context-");
        let reason = result.word("reason").unwrap_or_default();
        let value = field("value").unwrap_or_default();
        let full = result.amount("score").is_some_and(|score| score >= 1.0);
        let check = Check {
            name: field("metric").unwrap_or(kind),
            kind: if judged { "judged" } else { "assertion" }.to_owned(),
            passed,
            detail: if value.is_empty() {
                reason.clone()
            } else {
                format!("{value}: {reason}")
            },
        };
        Some(Self {
            check,
            judged,
            reason,
            contradicts_itself: judged && !passed && full && field("threshold").is_none(),
        })
    }

    /// Something that did not hold and is no assertion.
    pub(super) fn plain(name: &str, detail: &str) -> Self {
        Self {
            check: Check {
                name: name.to_owned(),
                kind: "status".to_owned(),
                passed: false,
                detail: detail.to_owned(),
            },
            judged: false,
            reason: String::new(),
            contradicts_itself: false,
        }
    }

    fn is_void(&self) -> bool {
        let says = |pattern: &LazyLock<Option<Regex>>, text: &str| {
            let pattern = LazyLock::force(pattern).as_ref();
            pattern.is_some_and(|pattern| pattern.is_match(text))
        };
        let own = QUOTED.as_ref().map(|quoted| quoted.replace_all(&self.reason, " "));
        let own = own.unwrap_or_default();
        self.judged && (self.contradicts_itself || says(&BROKE, &self.reason) || says(&BLIND, &own))
    }
}

/// Whether every assertion that failed is one whose grader says of itself that it could not judge, or contradicts its own score.
pub(super) fn at_fault(leaves: &[Leaf]) -> bool {
    let mut failed = leaves.iter().filter(|leaf| !leaf.check.passed).peekable();
    failed.peek().is_some() && failed.all(Leaf::is_void)
}
