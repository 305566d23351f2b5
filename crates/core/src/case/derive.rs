//! From a failed trace to what a case needs: the input, the weakest check that still fails on the trace, and what the tools answered.

use super::expect::{Expectation, Outcome, Place};
use super::{Basis, Draft, Fixture, Input, Provenance};
use crate::failure::{FailureKind, FailureRecord, RootCause};
use crate::mine::text::shortened;
use crate::signal::Told;
use crate::trace::{ExpectedAction, Role, ToolCall, Trace};
use serde_json::{Map, Value};

/// Bytes of an input; a longer one could not be run as it was, so it is left out.
const INPUT_BYTES: usize = 8 * 1024;
/// Bytes of all fixtures, whole answers only.
const FIXTURE_BYTES: usize = 8 * 1024;
/// Bytes of the arguments or the text of a check.
const CHECK_BYTES: usize = 2 * 1024;
/// Characters of a rubric.
const RUBRIC: usize = 500;
/// Rules whose subject is a call that should not have been made.
const UNWANTED: [&str; 6] = [
    "extra_write",
    "unwarranted_write",
    "unexplained_write",
    "kept_out",
    "invented_argument",
    "premature_handover",
];

/// A failure of the agent with what it needs to become a case. `seen` says where it was; `should` is what a person wrote that should have been done.
pub fn drafted(seen: &str, mut record: FailureRecord, trace: &Trace, should: Option<&str>) -> FailureRecord {
    if record.kind == FailureKind::Agent {
        let should = should.filter(|should| !should.is_empty());
        record.draft = Some(Box::new(draft(seen, trace, &record, should)));
    }
    record
}

/// What a failed trace gives for a case. `source` says where it was seen; `told` is what a person wrote that should have been done.
pub fn draft(source: &str, trace: &Trace, record: &FailureRecord, told: Option<&str>) -> Draft {
    let (basis, expect) = expectation(trace, record, told);
    Draft {
        input: input(trace),
        expect,
        fixtures: fixtures(trace),
        provenance: Provenance {
            source: source.to_owned(),
            basis,
            also: Vec::new(),
        },
    }
}

/// What a failure gives for a case of which there is no trace: only a model could judge it.
pub fn draft_of_told(source: &str, told: &Told) -> Draft {
    let asked = told.asked.trim();
    let rubric = told.should.trim();
    Draft {
        input: bounded(vec![asked.to_owned()]).filter(|_| !asked.is_empty()),
        expect: judge(rubric),
        fixtures: Vec::new(),
        provenance: Provenance {
            source: source.to_owned(),
            basis: (!rubric.is_empty()).then_some(Basis::Issue),
            also: Vec::new(),
        },
    }
}

fn judge(rubric: &str) -> Vec<Expectation> {
    let rubric = shortened(rubric, RUBRIC);
    (!rubric.is_empty())
        .then_some(Expectation::Judge { rubric })
        .into_iter()
        .collect()
}

/// Ground truth, then a person, then the miner; from each the first check, from weak to strong, that fails on the trace. What no check
/// expresses is left to a judge where the miner or a person says what should have been done.
fn expectation(trace: &Trace, record: &FailureRecord, told: Option<&str>) -> (Option<Basis>, Vec<Expectation>) {
    let cause = record.causes.first();
    let sources = [
        (Basis::GroundTruth, of_truth(trace, cause)),
        (Basis::Issue, told.map(|told| of_words(told, trace)).unwrap_or_default()),
        (
            Basis::Mined,
            cause.map(|cause| of_cause(cause, trace)).unwrap_or_default(),
        ),
    ];
    for (basis, candidates) in sources {
        let failing = candidates
            .into_iter()
            .filter(small)
            .find(|candidate| candidate.check(trace).outcome == Outcome::Broken);
        if let Some(expectation) = failing {
            return (Some(basis), vec![expectation]);
        }
    }
    let words = told.map(|told| (Basis::Issue, told));
    let words = words.or_else(|| Some((Basis::Mined, cause?.should.as_str())));
    match words.map(|(basis, words)| (basis, judge(words.trim()))) {
        Some((basis, expect)) if !expect.is_empty() => (Some(basis), expect),
        _ => (None, Vec::new()),
    }
}

fn small(expectation: &Expectation) -> bool {
    serde_json::to_string(expectation).is_ok_and(|text| text.len() <= CHECK_BYTES)
}

/// What was expected, the surest cause's tool first: that a tool is called at all, what should be told, that it is called with one of
/// the arguments, with all of them; then that what nobody expected is not done.
fn of_truth(trace: &Trace, cause: Option<&RootCause>) -> Vec<Expectation> {
    let Some(expected) = &trace.expected else {
        return Vec::new();
    };
    let about = cause.map(|cause| tool_of(&cause.mechanism.subject)).unwrap_or_default();
    let mut actions: Vec<&ExpectedAction> = expected
        .actions
        .iter()
        .filter(|action| action.requestor.as_deref() != Some("user"))
        .collect();
    actions.sort_by_key(|action| action.name != about);
    let mut found: Vec<Expectation> = actions.iter().map(|action| called(&action.name, Map::new())).collect();
    found.extend(expected.communicate.iter().map(|text| contains(text)));
    found.extend(actions.iter().flat_map(|action| one_by_one(action)));
    found.extend(actions.iter().map(|action| called(&action.name, counting(action))));
    let extra = trace.exchanges().into_iter().filter(|exchange| {
        trace.steps[exchange.step].role != Role::User
            && crate::mine::writes(trace, &exchange.call.name)
            && !actions.iter().any(|action| action.matches(exchange.call))
    });
    found.extend(extra.flat_map(|exchange| not_called(exchange.call)));
    found
}

/// What the surest cause says: the action it names, or the call it objects to.
fn of_cause(cause: &RootCause, trace: &Trace) -> Vec<Expectation> {
    let rule = cause.mechanism.rule.as_str();
    let mut found = Vec::new();
    if let Some(action) = &cause.action {
        found.push(called(&action.name, Map::new()));
        found.extend(one_by_one(action));
        found.push(called(&action.name, counting(action)));
    }
    if UNWANTED.contains(&rule) {
        let tool = tool_of(&cause.mechanism.subject);
        let steps = cause.evidence.iter().filter_map(|evidence| evidence.step);
        let calls = steps
            .filter_map(|step| trace.steps.get(step))
            .flat_map(|step| &step.tool_calls);
        found.extend(calls.filter(|call| call.name == tool).flat_map(not_called));
    }
    if rule == "termination" && cause.mechanism.subject == "max_steps" {
        found.push(Expectation::MaxSteps {
            steps: trace.steps.len().saturating_sub(1),
        });
    }
    found
}

/// What a person's words name: tools of the trace, and texts between quotation marks. A sentence that says no or not asks for nothing.
fn of_words(words: &str, trace: &Trace) -> Vec<Expectation> {
    let mut found = Vec::new();
    for sentence in words
        .split_inclusive(['.', '\n', '!', '?'])
        .filter(|sentence| !negates(sentence))
    {
        let tokens: Vec<&str> = sentence
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
            .collect();
        let named = trace.tools.iter().filter(|tool| tokens.contains(&tool.name.as_str()));
        found.extend(named.map(|tool| called(&tool.name, Map::new())));
        found.extend(quoted(sentence).into_iter().map(contains));
    }
    found
}

fn negates(sentence: &str) -> bool {
    let mut words = crate::similar::words(sentence);
    sentence.contains("n't") || words.any(|word| ["no", "not", "never", "without", "instead"].contains(&word.as_str()))
}

/// Texts between double quotation marks, straight or curly.
fn quoted(sentence: &str) -> Vec<&str> {
    let parts = sentence.split(['"', '“', '”']).enumerate();
    let inside = parts.filter(|(at, text)| at % 2 == 1 && !text.trim().is_empty());
    inside.map(|(_, text)| text.trim()).collect()
}

fn called(name: &str, arguments: Map<String, Value>) -> Expectation {
    Expectation::ToolCalled {
        name: name.to_owned(),
        arguments,
    }
}

fn contains(text: &str) -> Expectation {
    Expectation::Contains {
        text: text.to_owned(),
        place: Place::Anywhere,
    }
}

/// That a call is not made: with these arguments, which forbids less, then at all.
fn not_called(call: &ToolCall) -> [Expectation; 2] {
    [call.arguments.clone(), Map::new()].map(|arguments| Expectation::ToolNotCalled {
        name: call.name.clone(),
        arguments,
    })
}

/// The arguments of an action that count.
fn counting(action: &ExpectedAction) -> Map<String, Value> {
    let counts = |name: &String| action.compare.as_ref().is_none_or(|names| names.contains(name));
    let counting = action.arguments.iter().filter(|(name, _)| counts(name));
    counting.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// An action with each of the arguments that count alone.
fn one_by_one(action: &ExpectedAction) -> Vec<Expectation> {
    let alone = counting(action).into_iter();
    alone
        .map(|(name, value)| called(&action.name, Map::from_iter([(name, value)])))
        .collect()
}

/// The tool that a mechanism's subject is about: `refund` of `refund`, `refund.amount` and `refund: no such order`.
fn tool_of(subject: &str) -> &str {
    subject.split(['.', ':']).next().unwrap_or(subject)
}

/// What the person said, in order.
fn input(trace: &Trace) -> Option<Input> {
    let said = trace.steps.iter().filter(|step| step.role == Role::User);
    let messages: Vec<String> = said
        .filter(|step| !step.content.trim().is_empty())
        .map(|step| step.content.clone())
        .collect();
    bounded(messages)
}

fn bounded(messages: Vec<String>) -> Option<Input> {
    let bytes: usize = messages.iter().map(String::len).sum();
    (!messages.is_empty() && bytes <= INPUT_BYTES).then_some(Input { messages })
}

/// What the tools answered, each call once, as many as fit.
fn fixtures(trace: &Trace) -> Vec<Fixture> {
    let mut left = FIXTURE_BYTES;
    let mut found: Vec<Fixture> = Vec::new();
    for exchange in trace.exchanges() {
        let Some((_, answer)) = exchange
            .answer
            .filter(|_| trace.steps[exchange.step].role != Role::User)
        else {
            continue;
        };
        let call = exchange.call;
        let known = |fixture: &Fixture| fixture.name == call.name && fixture.arguments == call.arguments;
        let arguments = serde_json::to_string(&call.arguments).map_or(0, |text| text.len());
        let bytes = call.name.len() + arguments + answer.content.len();
        if bytes > left || found.iter().any(known) {
            continue;
        }
        left -= bytes;
        found.push(Fixture {
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            result: answer.content.clone(),
            error: answer.error,
        });
    }
    found
}

#[cfg(test)]
mod tests;
