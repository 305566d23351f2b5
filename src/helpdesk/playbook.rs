//! The format of `agent/playbook.toml`: reading it, and saying clearly what is wrong with it.

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

/// More rounds than this are a mistake.
const MAX_ROUNDS: u32 = 20;

/// A checked playbook.
#[derive(Debug)]
pub(super) struct Playbook {
    /// How often the whole is played.
    pub(super) rounds: u32,
    /// What to find in the ticket: a name, and an expression whose first group is the value.
    pub(super) ticket: Vec<(String, Regex)>,
    /// Calls that are always made first, in order.
    pub(super) diagnose: Vec<Call>,
    /// What to do, in order.
    pub(super) steps: Vec<Step>,
}

/// A tool call; its arguments may hold references such as `{order}` and `{get_order.total}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    pub(super) tool: String,
    #[serde(default)]
    pub(super) args: Map<String, Value>,
}

/// What to do when all conditions hold.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) when: Vec<Condition>,
    pub(super) calls: Vec<Call>,
    /// What to tell the customer; may hold references.
    pub(super) say: Option<String>,
    /// Whether the work ends here.
    pub(super) stop: bool,
}

/// One test of the ticket, or of the latest output of a tool.
#[derive(Debug)]
pub(super) enum Condition {
    /// The ticket contains a text, or lacks it; case does not count.
    Ticket { text: String, inside: bool },
    /// A line of the output contains a text, or none does.
    Line { tool: String, text: String, inside: bool },
    /// A field of the JSON output compares to a value.
    Field {
        tool: String,
        field: String,
        test: FieldTest,
        value: Value,
    },
}

/// How a field is compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum FieldTest {
    Is,
    IsNot,
    AtLeast,
    AtMost,
}

/// What is wrong with a playbook.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaybookError {
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("rounds must be a whole number from 1 to {MAX_ROUNDS}")]
    Rounds,
    #[error("[ticket] {name} is not a regular expression: {source}")]
    Pattern {
        name: String,
        #[source]
        source: Box<regex::Error>,
    },
    #[error("[ticket] {name} needs a group: what it captures is the value")]
    NoGroup { name: String },
    #[error("step '{step}', condition {number}: {problem}")]
    Condition {
        step: String,
        number: usize,
        problem: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlaybook {
    #[serde(default = "one")]
    rounds: u32,
    #[serde(default)]
    ticket: Map<String, Value>,
    #[serde(default)]
    diagnose: Vec<Call>,
    #[serde(default)]
    step: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    name: String,
    #[serde(default)]
    when: Vec<RawCondition>,
    #[serde(default, rename = "do")]
    calls: Vec<Call>,
    say: Option<String>,
    #[serde(default)]
    stop: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    tool: Option<String>,
    field: Option<String>,
    has: Option<String>,
    lacks: Option<String>,
    is: Option<Value>,
    is_not: Option<Value>,
    at_least: Option<Value>,
    at_most: Option<Value>,
    ticket: Option<String>,
    not_ticket: Option<String>,
}

impl Playbook {
    /// Reads a playbook.
    pub(super) fn parse(text: &str) -> Result<Self, PlaybookError> {
        let raw: RawPlaybook = toml::from_str(text)?;
        if !(1..=MAX_ROUNDS).contains(&raw.rounds) {
            return Err(PlaybookError::Rounds);
        }
        let ticket = raw.ticket.into_iter().map(pattern).collect::<Result<_, _>>()?;
        let steps = raw.step.into_iter().map(step).collect::<Result<_, _>>()?;
        Ok(Self {
            rounds: raw.rounds,
            ticket,
            diagnose: raw.diagnose,
            steps,
        })
    }
}

fn pattern((name, value): (String, Value)) -> Result<(String, Regex), PlaybookError> {
    match Regex::new(value.as_str().unwrap_or_default()) {
        Ok(regex) if regex.captures_len() > 1 => Ok((name, regex)),
        Ok(_) => Err(PlaybookError::NoGroup { name }),
        Err(source) => Err(PlaybookError::Pattern {
            name,
            source: Box::new(source),
        }),
    }
}

fn step(raw: RawStep) -> Result<Step, PlaybookError> {
    let numbered = raw.when.into_iter().enumerate();
    let checked = numbered.map(|(index, raw_condition)| {
        condition(raw_condition).map_err(|problem| PlaybookError::Condition {
            step: raw.name.clone(),
            number: index + 1,
            problem,
        })
    });
    let when = checked.collect::<Result<_, _>>()?;
    Ok(Step {
        when,
        calls: raw.calls,
        say: raw.say,
        stop: raw.stop,
    })
}

fn condition(raw: RawCondition) -> Result<Condition, &'static str> {
    let ticket = [(raw.ticket, true), (raw.not_ticket, false)];
    let line = [(raw.has, true), (raw.lacks, false)];
    let field = [
        (raw.is, FieldTest::Is),
        (raw.is_not, FieldTest::IsNot),
        (raw.at_least, FieldTest::AtLeast),
        (raw.at_most, FieldTest::AtMost),
    ];
    match (only(ticket)?, only(line)?, only(field)?) {
        (Some((text, inside)), None, None) => match (raw.tool, raw.field) {
            (None, None) => Ok(Condition::Ticket { text, inside }),
            _ => Err("'ticket' and 'not_ticket' stand alone"),
        },
        (None, Some((text, inside)), None) => match (raw.tool, raw.field) {
            (Some(tool), None) => Ok(Condition::Line { tool, text, inside }),
            _ => Err("'has' and 'lacks' need 'tool' and no 'field'"),
        },
        (None, None, Some((value, test))) => match (raw.tool, raw.field) {
            (Some(tool), Some(field)) => Ok(Condition::Field {
                tool,
                field,
                test,
                value,
            }),
            _ => Err("'is', 'is_not', 'at_least' and 'at_most' need 'tool' and 'field'"),
        },
        _ => Err("it needs exactly one of: is, is_not, at_least, at_most, has, lacks, ticket, not_ticket"),
    }
}

/// The one test that is given, if any.
fn only<T, K, const N: usize>(tests: [(Option<T>, K); N]) -> Result<Option<(T, K)>, &'static str> {
    let mut given = tests
        .into_iter()
        .filter_map(|(value, kind)| value.map(|value| (value, kind)));
    match (given.next(), given.next()) {
        (found, None) => Ok(found),
        _ => Err("it needs one test, not two"),
    }
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Playbook::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_playbook_does_nothing() {
        let playbook = Playbook::parse("").unwrap();
        assert_eq!(
            (playbook.rounds, playbook.diagnose.len(), playbook.steps.len()),
            (1, 0, 0)
        );
    }

    #[test]
    fn each_condition_is_one_test_of_one_kind() {
        let step = |when: &str| format!("[[step]]\nname = \"s\"\nwhen = [{{ ticket = \"x\" }}, {{ {when} }}]\n");
        for right in [
            r#"ticket = "x""#,
            r#"not_ticket = "x""#,
            r#"tool = "t", has = "x""#,
            r#"tool = "t", lacks = "x""#,
            r#"tool = "t", field = "f", is = true"#,
            r#"tool = "t", field = "f", is_not = "x""#,
            r#"tool = "t", field = "f", at_least = 7"#,
            r#"tool = "t", field = "f", at_most = 7.5"#,
        ] {
            assert!(Playbook::parse(&step(right)).is_ok(), "{right}");
        }
        for (wrong, why) in [
            (
                r#"tool = "t""#,
                "it needs exactly one of: is, is_not, at_least, at_most, has, lacks, ticket, not_ticket",
            ),
            (
                r#"tool = "t", has = "x", ticket = "x""#,
                "it needs exactly one of: is, is_not, at_least, at_most, has, lacks, ticket, not_ticket",
            ),
            (r#"tool = "t", has = "x", lacks = "y""#, "it needs one test, not two"),
            (r#"tool = "t", ticket = "x""#, "'ticket' and 'not_ticket' stand alone"),
            (r#"has = "x""#, "'has' and 'lacks' need 'tool' and no 'field'"),
            (
                r#"tool = "t", is = "x""#,
                "'is', 'is_not', 'at_least' and 'at_most' need 'tool' and 'field'",
            ),
        ] {
            assert_eq!(
                problem(&step(wrong)),
                format!("step 's', condition 2: {why}"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, why) in [
            ("rounds = 0", "rounds must be a whole number from 1 to 20"),
            ("[ticket]\norder = '('", "[ticket] order is not a regular expression"),
            (
                "[ticket]\norder = 'O-\\d+'",
                "[ticket] order needs a group: what it captures is the value",
            ),
            (
                "[ticket]\norder = 3",
                "[ticket] order needs a group: what it captures is the value",
            ),
            ("[[step]]\nsay = \"x\"", "missing field `name`"),
            ("[[step]]\nname = \"s\"\nwehn = []", "unknown field `wehn`"),
            ("[[diagnose]]\ntool = 3", "invalid type: integer `3`, expected a string"),
            ("rounds = ", "TOML parse error at line 1"),
        ] {
            assert!(problem(text).contains(why), "{text:?}: {}", problem(text));
        }
    }
}
