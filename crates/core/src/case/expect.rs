//! What an eval case expects of a run, and whether a trace does it. Pure: a check that needs a model is left unscored, never passed.

use crate::trace::{Exchange, Role, Trace, same_json};
use regex::RegexBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How many bytes a compiled regular expression may take.
const REGEX_BYTES: usize = 1 << 20;
/// Characters of the answer that a result quotes.
const QUOTED: usize = 120;

/// One thing that a run must show. The serialized form is an entry of the `expect` list of the worker protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Expectation {
    /// The agent makes a call that is not answered with an error.
    ToolCalled {
        /// The tool.
        name: String,
        /// Arguments that the call must have, with equal values; it may have others. Numbers are compared by value.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        arguments: Map<String, Value>,
    },
    /// The agent makes no such call, or only ones that are answered with an error.
    ToolNotCalled {
        /// The tool.
        name: String,
        /// The call that is meant, as in `tool_called`; none means any call of the tool.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        arguments: Map<String, Value>,
    },
    /// The agent says this. Case and runs of white space do not count.
    Contains {
        /// What.
        text: String,
        /// Where to look.
        #[serde(default, rename = "in", skip_serializing_if = "Place::is_default")]
        place: Place,
    },
    /// The agent does not say this.
    NotContains {
        /// What.
        text: String,
        /// Where to look.
        #[serde(default, rename = "in", skip_serializing_if = "Place::is_default")]
        place: Place,
    },
    /// What the agent says matches, somewhere. The syntax is that of the Rust crate `regex`: no look-around, no back-references.
    Regex {
        /// The regular expression.
        pattern: String,
        /// Where to look.
        #[serde(default, rename = "in", skip_serializing_if = "Place::is_default")]
        place: Place,
    },
    /// The answer is JSON, alone or in a fenced block, that fits a JSON Schema. References to other documents are not followed.
    JsonSchema {
        /// The schema.
        schema: Value,
    },
    /// The trace has at most so many steps, tools' answers included.
    MaxSteps {
        /// How many.
        steps: usize,
    },
    /// What a tool answered last is JSON in which a place has a value.
    FinalState {
        /// The tool that tells the state.
        tool: String,
        /// A JSON pointer into its last answer without error, such as `/status`; empty for the whole answer.
        pointer: String,
        /// What must be there. Numbers are compared by value.
        value: Value,
    },
    /// A model finds that the run does what is written here.
    Judge {
        /// What a good run does, in words.
        rubric: String,
    },
}

/// Where a text is looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the last text of the agent.
    #[default]
    Answer,
    /// In every text of the agent, one after the other.
    Anywhere,
}

impl Place {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of one expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The trace does it.
    Held,
    /// It does not.
    Broken,
    /// Nobody can say without a model, or the check itself is unusable.
    Unscored,
}

/// One expectation, held against a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scored {
    /// What became of it.
    pub outcome: Outcome,
    /// Why, as a sentence for a person.
    pub why: String,
}

/// Holds a trace against each expectation, in their order.
pub fn score(expect: &[Expectation], trace: &Trace) -> Vec<Scored> {
    expect.iter().map(|expectation| expectation.check(trace)).collect()
}

/// Whether a run passes: `Some(false)` when anything is broken, else `None` when anything is unscored or nothing was expected.
pub fn verdict(scored: &[Scored]) -> Option<bool> {
    let any = |outcome| scored.iter().any(|scored| scored.outcome == outcome);
    match () {
        () if any(Outcome::Broken) => Some(false),
        () if scored.is_empty() || any(Outcome::Unscored) => None,
        () => Some(true),
    }
}

/// What a model has to judge before there is a verdict; nothing where something is broken, or cannot be scored by a model either.
pub fn rubrics(expect: &[Expectation], scored: &[Scored]) -> Vec<String> {
    let mut rubrics = Vec::new();
    for (expectation, scored) in expect.iter().zip(scored) {
        match (expectation, scored.outcome) {
            (Expectation::Judge { rubric }, _) => rubrics.push(rubric.clone()),
            (_, Outcome::Held) => {}
            (_, Outcome::Broken | Outcome::Unscored) => return Vec::new(),
        }
    }
    rubrics
}

impl Expectation {
    /// The word that names its kind, such as `tool_called`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ToolCalled { .. } => "tool_called",
            Self::ToolNotCalled { .. } => "tool_not_called",
            Self::Contains { .. } => "contains",
            Self::NotContains { .. } => "not_contains",
            Self::Regex { .. } => "regex",
            Self::JsonSchema { .. } => "json_schema",
            Self::MaxSteps { .. } => "max_steps",
            Self::FinalState { .. } => "final_state",
            Self::Judge { .. } => "judge",
        }
    }

    /// What it is about without the values of one run: two failures of one mechanism expect the same.
    pub fn mechanism(&self) -> String {
        let named = |name: &str, arguments: &Map<String, Value>| {
            let arguments: Vec<&str> = arguments.keys().map(String::as_str).collect();
            format!("{}:{name}({})", self.kind(), arguments.join(","))
        };
        match self {
            Self::ToolCalled { name, arguments } | Self::ToolNotCalled { name, arguments } => named(name, arguments),
            Self::FinalState { tool, pointer, .. } => format!("{}:{tool}{pointer}", self.kind()),
            _ => self.kind().to_owned(),
        }
    }

    /// Whether only a model can say if it holds.
    pub fn needs_model(&self) -> bool {
        matches!(self, Self::Judge { .. })
    }

    /// Whether a trace does it.
    pub fn check(&self, trace: &Trace) -> Scored {
        match self {
            Self::ToolCalled { name, arguments } => called(trace, name, arguments),
            Self::ToolNotCalled { name, arguments } => not_called(trace, name, arguments),
            Self::Contains { text, place } => {
                let found = normal(&said(trace, *place)).contains(&normal(text));
                let why = if found { "is said" } else { "is not said" };
                Scored::of(found, format!("“{text}” {why}{}", place.words()))
            }
            Self::NotContains { text, place } => {
                let found = normal(&said(trace, *place)).contains(&normal(text));
                let why = if found { "is said" } else { "is not said" };
                Scored::of(!found, format!("“{text}” {why}{}", place.words()))
            }
            Self::Regex { pattern, place } => matched(trace, pattern, *place),
            Self::JsonSchema { schema } => fits(trace, schema),
            Self::MaxSteps { steps } => {
                let taken = trace.steps.len();
                Scored::of(
                    taken <= *steps,
                    format!("the run took {taken} steps of at most {steps}"),
                )
            }
            Self::FinalState { tool, pointer, value } => final_state(trace, tool, pointer, value),
            Self::Judge { .. } => Scored::unscored("a judge needs a model, and there is none".to_owned()),
        }
    }
}

impl Scored {
    fn of(held: bool, why: String) -> Self {
        let outcome = if held { Outcome::Held } else { Outcome::Broken };
        Self { outcome, why }
    }

    fn unscored(why: String) -> Self {
        Self {
            outcome: Outcome::Unscored,
            why,
        }
    }
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Self::Answer => " in the answer",
            Self::Anywhere => " anywhere",
        }
    }
}

/// The calls of the agent, without those of a person, that were not answered with an error.
fn done(trace: &Trace) -> impl Iterator<Item = Exchange<'_>> {
    let by_agent = |exchange: &Exchange<'_>| {
        trace.steps[exchange.step].role != Role::User && exchange.call.requestor.as_deref() != Some("user")
    };
    let stands = |exchange: &Exchange<'_>| exchange.answer.is_none_or(|(_, step)| !step.error);
    trace
        .exchanges()
        .into_iter()
        .filter(move |exchange| by_agent(exchange) && stands(exchange))
}

/// The arguments of `wanted` that a call has not, or has with another value.
fn differing<'a>(wanted: &'a Map<String, Value>, given: &Map<String, Value>) -> Vec<&'a str> {
    let differs = |(name, value): &(&String, &Value)| given.get(*name).is_none_or(|given| !same_json(value, given));
    wanted.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
}

fn called(trace: &Trace, name: &str, arguments: &Map<String, Value>) -> Scored {
    let mut nearest: Option<(usize, Vec<&str>)> = None;
    for exchange in done(trace).filter(|exchange| exchange.call.name == name) {
        let differing = differing(arguments, &exchange.call.arguments);
        if differing.is_empty() {
            return Scored::of(true, format!("`{name}` is called in step {}", exchange.step));
        }
        if nearest.as_ref().is_none_or(|(_, known)| differing.len() < known.len()) {
            nearest = Some((exchange.step, differing));
        }
    }
    let why = match nearest {
        Some((step, names)) => {
            let other = if names.len() == 1 {
                "another value"
            } else {
                "other values"
            };
            format!(
                "`{name}` is called in step {step} with {other} for {}",
                names.join(", ")
            )
        }
        None => format!("`{name}` is never called without an error"),
    };
    Scored::of(false, why)
}

fn not_called(trace: &Trace, name: &str, arguments: &Map<String, Value>) -> Scored {
    let found = done(trace)
        .find(|exchange| exchange.call.name == name && differing(arguments, &exchange.call.arguments).is_empty());
    match found {
        Some(exchange) => Scored::of(false, format!("`{name}` is called in step {}", exchange.step)),
        None => Scored::of(true, format!("`{name}` is not called that way")),
    }
}

/// What the agent says, by the place that is looked at.
fn said(trace: &Trace, place: Place) -> String {
    let texts: Vec<&str> = trace
        .steps
        .iter()
        .filter(|step| step.role == Role::Assistant && !step.content.trim().is_empty())
        .map(|step| step.content.as_str())
        .collect();
    match place {
        Place::Answer => texts.last().copied().unwrap_or_default().to_owned(),
        Place::Anywhere => texts.join("\n"),
    }
}

fn normal(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn matched(trace: &Trace, pattern: &str, place: Place) -> Scored {
    let regex = match RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build() {
        Ok(regex) => regex,
        Err(error) => return Scored::unscored(format!("the regular expression cannot be used: {error}")),
    };
    let found = regex.is_match(&said(trace, place));
    let why = if found { "matches" } else { "does not match" };
    Scored::of(found, format!("`{pattern}` {why}{}", place.words()))
}

fn fits(trace: &Trace, schema: &Value) -> Scored {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => return Scored::unscored(format!("the schema cannot be used: {error}")),
    };
    let answer = said(trace, Place::Answer);
    let Some(value) = json_of(&answer) else {
        let quote = crate::mine::text::shortened(&answer, QUOTED);
        return Scored::of(false, format!("the answer is not JSON: “{quote}”"));
    };
    match validator.iter_errors(&value).next() {
        None => Scored::of(true, "the answer fits the schema".to_owned()),
        Some(error) => {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the answer" } else { &place };
            Scored::of(false, format!("the answer does not fit the schema: {place}: {error}"))
        }
    }
}

/// The JSON that a text is, or that its first fenced block holds.
fn json_of(text: &str) -> Option<Value> {
    let fenced = || {
        let (_, after) = text.split_once("```")?;
        let (block, _) = after.split_once("```")?;
        serde_json::from_str(block.split_once('\n')?.1).ok()
    };
    serde_json::from_str(text.trim()).ok().or_else(fenced)
}

fn final_state(trace: &Trace, tool: &str, pointer: &str, wanted: &Value) -> Scored {
    let answers = done(trace).filter(|exchange| exchange.call.name == tool);
    let Some((step, text)) = answers
        .filter_map(|exchange| exchange.answer)
        .last()
        .map(|(step, answer)| (step, answer.content.as_str()))
    else {
        return Scored::of(false, format!("`{tool}` never tells the state"));
    };
    let state: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let found = state.pointer(pointer);
    let why = match found {
        Some(found) => format!("step {step} tells {found} at `{pointer}` of `{tool}`"),
        None => format!("step {step} tells nothing at `{pointer}` of `{tool}`"),
    };
    Scored::of(found.is_some_and(|found| same_json(found, wanted)), why)
}

#[cfg(test)]
mod tests;
