//! The agent: it plays a playbook on one ticket, without a model. Nothing here knows the shop.

use super::playbook::{Call, Condition, FieldTest, Playbook};
use regex::{Captures, Regex};
use serde_json::{Map, Value};
use sprag_core::case::Fixture;
use sprag_core::trace::{Role, Step, Termination, ToolCall};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// More calls than this, and the agent is stopped.
const MAX_CALLS: usize = 200;
/// What an error begins with where the agent reads it.
const ERROR: &str = "Error: ";

/// A reference such as `{order}` or `{get_order.total}`; other braces are plain text.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{([A-Za-z_]\w*(?:\.[\w-]+)*)\}").expect("the expression is a constant and can be read")
});

/// What happened in one run.
#[derive(Debug)]
pub(super) struct Transcript {
    /// The ticket first, then everything the agent said and did.
    pub(super) steps: Vec<Step>,
    /// How it ended.
    pub(super) termination: Termination,
}

impl Transcript {
    /// The run of an agent that never got to work.
    pub(super) fn broken(ticket: &str, why: String) -> Self {
        Self {
            steps: vec![message(Role::User, ticket), message(Role::Assistant, why)],
            termination: Termination::AgentError,
        }
    }
}

/// Plays `playbook` on `ticket`; `tools` answers the calls.
pub(super) fn play(playbook: &Playbook, ticket: &str, tools: &mut Tools<'_>) -> Transcript {
    let captured = playbook.ticket.iter().filter_map(|(name, pattern)| {
        let value = pattern.captures(ticket)?.get(1)?;
        Some((name.clone(), Value::from(value.as_str())))
    });
    let mut run = Run {
        ticket: ticket.to_lowercase(),
        values: captured.collect(),
        outputs: BTreeMap::new(),
        calls: 0,
        steps: vec![message(Role::User, ticket)],
        tools,
    };
    let termination = run.play(playbook);
    Transcript {
        steps: run.steps,
        termination,
    }
}

/// Answers a call: a result, or an error, both as text.
pub(super) type Tools<'a> = dyn FnMut(&str, &Map<String, Value>) -> Result<String, String> + 'a;

/// The answer that was recorded for a call, as its tool gave it.
pub(super) fn recorded(fixture: &Fixture) -> Result<String, String> {
    if fixture.error {
        let why = fixture.result.strip_prefix(ERROR).unwrap_or(&fixture.result);
        return Err(why.to_owned());
    }
    Ok(fixture.result.clone())
}

/// The latest answer of a tool, as text and, where it is JSON, as a value. An error has no fields to look at.
struct Output {
    text: String,
    value: Value,
}

struct Run<'a, 'b> {
    ticket: String,
    values: BTreeMap<String, Value>,
    outputs: BTreeMap<String, Output>,
    calls: usize,
    steps: Vec<Step>,
    tools: &'a mut Tools<'b>,
}

impl Run<'_, '_> {
    fn play(&mut self, playbook: &Playbook) -> Termination {
        for _ in 0..playbook.rounds {
            self.make(&playbook.diagnose);
            for step in &playbook.steps {
                if self.calls >= MAX_CALLS {
                    return Termination::MaxSteps;
                }
                if !step.when.iter().all(|condition| self.holds(condition)) {
                    continue;
                }
                self.make(&step.calls);
                if let Some(text) = step.say.as_deref().and_then(|text| self.fill(text)) {
                    self.steps.push(message(Role::Assistant, text));
                }
                if step.stop {
                    return Termination::AgentStop;
                }
            }
        }
        Termination::AgentStop
    }

    /// Makes calls in order; one whose references cannot be filled in is skipped.
    fn make(&mut self, calls: &[Call]) {
        for call in calls.iter().take(MAX_CALLS.saturating_sub(self.calls)) {
            let filled = call
                .args
                .iter()
                .map(|(name, value)| Some((name.clone(), self.resolve(value)?)));
            let Some(arguments) = filled.collect::<Option<Map<_, _>>>() else {
                continue;
            };
            self.calls += 1;
            let id = format!("c{}", self.calls);
            let answer = (self.tools)(&call.tool, &arguments);
            let error = answer.is_err();
            let text = answer.unwrap_or_else(|why| format!("{ERROR}{why}"));
            let value = if error {
                Value::Null
            } else {
                serde_json::from_str(&text).unwrap_or_default()
            };
            let made = ToolCall {
                id: id.clone(),
                name: call.tool.clone(),
                arguments,
                requestor: None,
            };
            self.steps.push(Step {
                tool_calls: vec![made],
                ..message(Role::Assistant, "")
            });
            self.steps.push(Step {
                call_id: Some(id),
                error,
                ..message(Role::Tool, text.as_str())
            });
            self.outputs.insert(call.tool.clone(), Output { text, value });
        }
    }

    /// Whether a condition holds now; about a tool never called it does not.
    fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Ticket { text, inside } => self.ticket.contains(&text.to_lowercase()) == *inside,
            Condition::Line { tool, text, inside } => self
                .outputs
                .get(tool)
                .is_some_and(|output| output.text.lines().any(|line| line.contains(text.as_str())) == *inside),
            Condition::Field {
                tool,
                field,
                test,
                value,
            } => {
                let actual = self.outputs.get(tool).and_then(|output| dig(&output.value, field));
                let wanted = self.resolve(value);
                actual
                    .zip(wanted)
                    .is_some_and(|(actual, wanted)| compare(actual, *test, &wanted))
            }
        }
    }

    /// `value` with its references filled in; a lone reference keeps its JSON type. `None` when one names nothing.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => match REFERENCE.captures(text) {
                Some(found) if found[0].len() == text.len() => self.look_up(&found[1]).cloned(),
                _ => self.fill(text).map(Value::from),
            },
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, inner)| Some((key.clone(), self.resolve(inner)?)))
                .collect(),
            other => Some(other.clone()),
        }
    }

    /// `text` with its references written out. `None` when one names nothing.
    fn fill(&self, text: &str) -> Option<String> {
        let found_all = REFERENCE
            .captures_iter(text)
            .all(|found| self.look_up(&found[1]).is_some());
        let written = |found: &Captures<'_>| match self.look_up(&found[1]) {
            Some(Value::String(inner)) => inner.clone(),
            other => other.map(Value::to_string).unwrap_or_default(),
        };
        found_all.then(|| REFERENCE.replace_all(text, written).into_owned())
    }

    /// What a reference names: a value of the ticket first, then a field of a tool's output.
    fn look_up(&self, name: &str) -> Option<&Value> {
        let (head, path) = name.split_once('.').unwrap_or((name, ""));
        let root = self
            .values
            .get(head)
            .or_else(|| self.outputs.get(head).map(|output| &output.value))?;
        dig(root, path)
    }
}

fn message(role: Role, content: impl Into<String>) -> Step {
    Step {
        role,
        content: content.into(),
        ..Step::default()
    }
}

/// Follows a dotted path; lists go by index. What is null is not there.
fn dig<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.').filter(|part| !part.is_empty());
    let found = parts.try_fold(value, |inner, part| match inner {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })?;
    (!found.is_null()).then_some(found)
}

fn compare(actual: &Value, test: FieldTest, wanted: &Value) -> bool {
    match test {
        FieldTest::Is => same(actual, wanted),
        FieldTest::IsNot => !same(actual, wanted),
        FieldTest::AtLeast => in_order(wanted, actual),
        FieldTest::AtMost => in_order(actual, wanted),
    }
}

/// Equality that takes `2` for `2.0`, also when one of them is written as text.
fn same(one: &Value, other: &Value) -> bool {
    let texts = one.is_string() && other.is_string();
    one == other || (!texts && number(one).is_some() && number(one) == number(other))
}

fn in_order(low: &Value, high: &Value) -> bool {
    match (number(low), number(high)) {
        (Some(low), Some(high)) => low <= high,
        _ => low.as_str().zip(high.as_str()).is_some_and(|(low, high)| low <= high),
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: &str = "Order: O-7\n\nWhere IS it?";

    /// Plays on tools that answer from a table, and tells calls and messages in order.
    fn played(playbook: &str) -> Vec<String> {
        let mut tools = |tool: &str, _: &Map<String, Value>| match tool {
            "get" => Ok(
                r#"{"total":12.5,"count":2,"text":"3","late":"2026-11-01","items":["a","b"],"ok":true,"none":null}"#
                    .to_owned(),
            ),
            "check" => Ok("Carrier: Blue Van\nStatus: LOST".to_owned()),
            "fix" => Ok("done".to_owned()),
            other => Err(format!("no {other}")),
        };
        let playbook = Playbook::parse(&format!(
            "[ticket]\norder = '(O-\\d+)'\nname = 'Name: (\\w+)'\n{playbook}"
        ))
        .unwrap();
        let transcript = play(&playbook, TICKET, &mut tools);
        let told = transcript
            .steps
            .iter()
            .skip(1)
            .filter(|step| step.role == Role::Assistant);
        told.map(|step| match step.tool_calls.first() {
            Some(call) => format!("{} {}", call.name, Value::Object(call.arguments.clone())),
            None => step.content.clone(),
        })
        .collect()
    }

    /// Whether a step with these conditions is taken after `get` and `check`.
    fn taken(when: &str) -> bool {
        let said = played(&format!(
            "[[diagnose]]\ntool = \"get\"\n[[diagnose]]\ntool = \"check\"\n[[diagnose]]\ntool = \"broken\"\n\
             [[step]]\nname = \"s\"\nsay = \"yes\"\nwhen = [{when}]\n"
        ));
        said.last().unwrap() == "yes"
    }

    #[test]
    fn conditions_look_at_the_ticket_and_at_the_latest_outputs() {
        for (when, expected) in [
            ("", true),
            (r#"{ ticket = "where is" }"#, true),
            (r#"{ not_ticket = "WHERE" }"#, false),
            (r#"{ tool = "check", has = "Status: LOST" }"#, true),
            (r#"{ tool = "check", has = "Van\nStatus" }"#, false),
            (r#"{ tool = "check", lacks = "FOUND" }"#, true),
            (r#"{ tool = "never", lacks = "FOUND" }"#, false),
            (r#"{ tool = "get", field = "ok", is = true }"#, true),
            (r#"{ tool = "get", field = "count", is = true }"#, false),
            (r#"{ tool = "get", field = "count", is = 2.0 }"#, true),
            (r#"{ tool = "get", field = "text", is = 3 }"#, true),
            (r#"{ tool = "get", field = "text", is = "3.0" }"#, false),
            (r#"{ tool = "get", field = "items.1", is = "b" }"#, true),
            (r#"{ tool = "get", field = "count", is_not = 3 }"#, true),
            (r#"{ tool = "get", field = "gone", is_not = 3 }"#, false),
            (r#"{ tool = "get", field = "none", is_not = 3 }"#, false),
            (r#"{ tool = "get", field = "total", at_least = 12.5 }"#, true),
            (r#"{ tool = "get", field = "total", at_most = 12 }"#, false),
            (r#"{ tool = "get", field = "late", at_most = "2026-11-22" }"#, true),
            (r#"{ tool = "get", field = "ok", at_least = 0 }"#, false),
            (r#"{ tool = "get", field = "total", at_least = "{get.count}" }"#, true),
            (r#"{ tool = "get", field = "total", at_least = "{get.gone}" }"#, false),
            (r#"{ tool = "broken", has = "no broken" }"#, true),
            (r#"{ tool = "check", has = "LOST" }, { ticket = "refund" }"#, false),
        ] {
            assert_eq!(taken(when), expected, "{when}");
        }
    }

    #[test]
    fn references_are_filled_in_and_a_lone_one_keeps_its_type() {
        let call = |args: &str| {
            played(&format!(
                "[[diagnose]]\ntool = \"get\"\n[[step]]\nname = \"s\"\ndo = [{{ tool = \"fix\", args = {args} }}]"
            ))
        };
        assert_eq!(
            call(r#"{ id = "{order}", sum = "{get.total}" }"#)[1],
            r#"fix {"id":"O-7","sum":12.5}"#
        );
        assert_eq!(
            call(r#"{ note = "{order}: {get.total} of { all }" }"#)[1],
            r#"fix {"note":"O-7: 12.5 of { all }"}"#
        );
        assert_eq!(
            call(r#"{ deep = ["{get.items}", { x = "{get.ok}" }] }"#)[1],
            r#"fix {"deep":[["a","b"],{"x":true}]}"#
        );
        assert_eq!(
            call(r#"{ id = "{name}" }"#).len(),
            1,
            "nothing is known of the name, so the call is not made"
        );
        assert_eq!(call(r#"{ id = "x {get.gone}" }"#).len(), 1);
    }

    #[test]
    fn a_step_says_something_and_can_end_the_work() {
        let said = played(
            "[[step]]\nname = \"a\"\nsay = \"for {order}\"\n[[step]]\nname = \"b\"\nsay = \"{name}\"\nstop = true\n[[step]]\nname = \"c\"\nsay = \"no\"",
        );
        assert_eq!(said, ["for O-7"]);
    }

    #[test]
    fn rounds_repeat_everything_and_calls_run_out() {
        let play = |playbook: &str| {
            play(&Playbook::parse(playbook).unwrap(), TICKET, &mut |_, _| {
                Ok(String::new())
            })
        };
        let twice = play("rounds = 2\n[[diagnose]]\ntool = \"get\"\n[[step]]\nname = \"s\"\nsay = \"x\"");
        assert_eq!((twice.steps.len(), twice.termination), (7, Termination::AgentStop));
        let calls: String = "[[diagnose]]\ntool = \"fix\"\n".repeat(30);
        let transcript = play(&format!("rounds = 20\n{calls}[[step]]\nname = \"s\"\n"));
        assert_eq!(transcript.termination, Termination::MaxSteps);
        assert_eq!(transcript.steps.len(), 1 + 2 * MAX_CALLS);
    }
}
