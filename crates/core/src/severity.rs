//! How bad a failure is: what people say of it on labels and in fields, and what follows from the rule that found it.

use crate::failure::Mechanism;
use crate::mine::writes_by_name;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

/// How bad a failure is, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Annoying.
    Low,
    /// What a failure is where nothing says otherwise.
    Medium,
    /// Something was changed that should not have been, or a rule was broken.
    High,
    /// Harm that somebody must know of at once.
    Critical,
}

/// Labels that say how bad an issue is, besides those that [`Severity::of_label`] knows: `[signals.severity]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SeverityLabels {
    /// Labels that say critical.
    pub critical: Vec<String>,
    /// Labels that say high.
    pub high: Vec<String>,
    /// Labels that say medium.
    pub medium: Vec<String>,
    /// Labels that say low.
    pub low: Vec<String>,
}

/// Words that make a label one about severity, whatever stands beside them.
const ABOUT: [&str; 5] = ["severity", "sev", "priority", "prio", "impact"];
/// Rules whose findings changed or said what should not have been.
const GRAVE: [&str; 7] = [
    "repeated_call",
    "extra_write",
    "unwarranted_write",
    "unexplained_write",
    "blocked_write",
    "skipped_confirmation",
    "policy_violated",
];
/// Rules whose findings are grave where the tool they name changes something.
const GRAVE_IF_WRITING: [&str; 3] = ["wrong_argument", "invented_argument", "wrong_tool"];
/// Rules whose findings cost time and nothing else.
const SLIGHT: [&str; 1] = ["asked_again"];

impl Severity {
    /// How much a failure counts: twice as much for each step.
    pub fn weight(self) -> f64 {
        match self {
            Self::Low => 0.5,
            Self::Medium => 1.0,
            Self::High => 2.0,
            Self::Critical => 4.0,
        }
    }

    /// What a field says: `high`, `P1`, `sev-2`, `Critical: money was lost`.
    pub fn of_word(text: &str) -> Option<Self> {
        let head = text.split([':', ',', '(', '\n']).next().unwrap_or(text);
        let words = words(head);
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [word] => alone(word).or_else(|| said(word)),
            _ => Self::of_label(head),
        }
    }

    /// What a label says: `severity: high`, `priority/critical`, `P1`, `sev2`, `critical`. A word that is also used for releases, such as `major`,
    /// counts only beside one like `severity`.
    pub fn of_label(label: &str) -> Option<Self> {
        let words = words(label);
        let rest: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| !ABOUT.contains(word))
            .collect();
        let &[word] = rest.as_slice() else {
            return None;
        };
        if words.len() == 1 {
            return alone(word);
        }
        let numbered = |letter: &str| alone(&format!("{letter}{word}"));
        let number = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_digit());
        let by_number = || match words.iter().find(|word| ABOUT.contains(&word.as_str()))?.as_str() {
            "severity" | "sev" => numbered("sev"),
            _ => numbered("p"),
        };
        alone(word)
            .or_else(|| said(word))
            .or_else(|| by_number().filter(|_| number))
    }

    /// How bad what a rule found is. Whether a tool changes something is told by its name here, since a mechanism holds for many runs.
    pub fn of_mechanism(mechanism: &Mechanism) -> Self {
        let (rule, subject) = (mechanism.rule.as_str(), mechanism.subject.as_str());
        let tool = match rule {
            "wrong_argument" | "invented_argument" => subject.rsplit_once('.').map_or(subject, |(tool, _)| tool),
            "wrong_tool" => subject.rsplit_once("->").map_or(subject, |(_, called)| called),
            _ => subject,
        };
        if GRAVE.contains(&rule) || GRAVE_IF_WRITING.contains(&rule) && writes_by_name(tool) {
            return Self::High;
        }
        if SLIGHT.contains(&rule) {
            return Self::Low;
        }
        Self::Medium
    }
}

impl SeverityLabels {
    /// The worst that labels say.
    pub fn of<'l>(&self, labels: impl IntoIterator<Item = &'l str>) -> Option<Severity> {
        let named = |names: &[String], label: &str| names.iter().any(|name| crate::signal::same_label(name, label));
        let one = |label: &str| match () {
            () if named(&self.critical, label) => Some(Severity::Critical),
            () if named(&self.high, label) => Some(Severity::High),
            () if named(&self.medium, label) => Some(Severity::Medium),
            () if named(&self.low, label) => Some(Severity::Low),
            () => Severity::of_label(label),
        };
        labels.into_iter().filter_map(one).max()
    }

    /// Whether nothing was added.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// Reads a field of somebody's trace; what says nothing is left out.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Severity>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(Severity::of_word))
}

/// The words of a label, `P1` being one.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A word that is about severity wherever it stands.
fn alone(word: &str) -> Option<Severity> {
    Some(match word {
        "critical" | "blocker" | "urgent" | "p0" | "sev0" | "sev1" => Severity::Critical,
        "high" | "p1" | "sev2" => Severity::High,
        "medium" | "p2" | "sev3" => Severity::Medium,
        "low" | "p3" | "p4" | "p5" | "sev4" | "sev5" => Severity::Low,
        _ => return None,
    })
}

/// A word that is about severity beside one that says so.
fn said(word: &str) -> Option<Severity> {
    Some(match word {
        "highest" | "severe" | "emergency" => Severity::Critical,
        "major" | "important" => Severity::High,
        "moderate" | "normal" | "mid" => Severity::Medium,
        "minor" | "trivial" | "cosmetic" | "lowest" | "none" => Severity::Low,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_of_labels_are_known_and_others_say_nothing() {
        for (label, severity) in [
            ("severity: high", "high"),
            ("Severity/Critical", "critical"),
            ("sev-1", "critical"),
            ("SEV2", "high"),
            ("P1", "high"),
            ("priority: p3", "low"),
            ("priority 0", "critical"),
            ("high priority", "high"),
            ("impact/minor", "low"),
            ("critical", "critical"),
            ("prio:normal", "medium"),
        ] {
            assert_eq!(
                Severity::of_label(label).map(|found| found.to_string()).as_deref(),
                Some(severity),
                "{label}"
            );
        }
        for label in [
            "major",
            "minor",
            "bug",
            "high availability",
            "p",
            "priority",
            "agent-failure",
            "10",
            "",
        ] {
            assert_eq!(Severity::of_label(label), None, "{label}");
        }
        assert_eq!(Severity::of_word("Critical: money was lost"), Some(Severity::Critical));
        assert_eq!(Severity::of_word("major"), Some(Severity::High));
        assert_eq!(Severity::of_word("the customer waited"), None);
    }

    #[test]
    fn a_team_s_own_labels_come_first_and_the_worst_counts() {
        let labels = SeverityLabels {
            critical: vec!["Customer Down".to_owned()],
            low: vec!["P1".to_owned()],
            ..SeverityLabels::default()
        };
        assert_eq!(labels.of(["p1"]), Some(Severity::Low));
        assert_eq!(labels.of(["p1", "p2", "customer down"]), Some(Severity::Critical));
        assert_eq!(labels.of(["bug"]), None);
    }

    #[test]
    fn what_changes_the_world_is_worse_than_what_costs_time() {
        for (rule, subject, severity) in [
            ("unwarranted_write", "refund", Severity::High),
            ("policy_violated", "never cancel", Severity::High),
            ("wrong_argument", "refund.amount", Severity::High),
            ("wrong_argument", "get_order.id", Severity::Medium),
            ("wrong_tool", "get_order->refund", Severity::High),
            ("repeated_call", "refund", Severity::High),
            ("missing_action", "refund", Severity::Medium),
            ("asked_again", "search", Severity::Low),
        ] {
            let mechanism = Mechanism {
                rule: rule.to_owned(),
                subject: subject.to_owned(),
            };
            assert_eq!(Severity::of_mechanism(&mechanism), severity, "{mechanism}");
        }
    }
}
