//! What was needed and not done: the variants of a missing action, their arguments, and the runs on both sides of the contrast.

use super::Example;
use super::observation::{FieldValue, Moment, Snapshot};
use crate::trace::{Effect, ExpectedAction, Role, Trace};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a harness comes by the value of one argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    /// Always this value.
    Constant(Value),
    /// A field of the latest result of a tool: tool and dotted path.
    Reference(String, String),
}

/// One call to add.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NeededCall {
    pub(super) tool: String,
    pub(super) arguments: BTreeMap<String, Argument>,
}

/// One way in which an action was missing: the calls to add, and which examples needed them.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    /// In the order they are to be made; the missing action is one of them.
    pub(super) calls: Vec<NeededCall>,
    /// What has to be told, for an unmet communication.
    pub(super) say: Option<Argument>,
    /// Indexes of examples that needed the action.
    pub(super) needed: Vec<usize>,
    /// Indexes of examples that did not.
    pub(super) not_needed: Vec<usize>,
}

/// An expected action and the example that expects it.
type Occurrence<'t> = (usize, &'t ExpectedAction);

/// The variants of a missing action, the most frequent first. Each comes once with the missing actions that go with it, where there are
/// such, and once alone. A run in which the action was done stands on neither side of the contrast.
pub(super) fn variants(tool: &str, examples: &[Example<'_>]) -> Vec<Variant> {
    let missing: Vec<Occurrence<'_>> = examples
        .iter()
        .enumerate()
        .flat_map(|(at, example)| expected(example.trace).iter().map(move |action| (at, action)))
        .filter(|(at, action)| action.name == tool && !done(examples[*at].trace, action))
        .collect();
    let mut groups = by_constants(examples, &missing);
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
        .iter()
        .flat_map(|group| group_variants(examples, group))
        .collect()
}

fn expected(trace: &Trace) -> &[ExpectedAction] {
    trace.expected.as_ref().map_or(&[], |expected| &expected.actions)
}

/// Splits the occurrences by the arguments that are neither the same everywhere nor found in an earlier result.
fn by_constants<'t>(examples: &[Example<'_>], occurrences: &[Occurrence<'t>]) -> Vec<Vec<Occurrence<'t>>> {
    let free = |name: &String| {
        let values = values_of(occurrences, name);
        !all_same(&values)
            && reference(examples, occurrences, name).is_none()
            && distinct(&values) * 2 <= values.len().max(3)
    };
    let names: Vec<String> = argument_names(occurrences).into_iter().filter(free).collect();
    let mut groups: BTreeMap<String, Vec<Occurrence<'_>>> = BTreeMap::new();
    for (at, action) in occurrences {
        let key: Vec<String> = names
            .iter()
            .map(|name| format!("{:?}", action.arguments.get(name)))
            .collect();
        groups.entry(key.join("\n")).or_default().push((*at, action));
    }
    groups.into_values().collect()
}

fn group_variants(examples: &[Example<'_>], group: &[Occurrence<'_>]) -> Vec<Variant> {
    let Some((_, first)) = group.first() else {
        return Vec::new();
    };
    let mut needed: Vec<usize> = group.iter().map(|(at, _)| *at).collect();
    needed.dedup();
    // On the other side stands what neither needed the action nor did it; without ground truth, only what passed.
    let tool = &first.name;
    let did = |at: usize| {
        expected(examples[at].trace)
            .iter()
            .any(|action| action.name == *tool && done(examples[at].trace, action))
    };
    let not_needed = (0..examples.len())
        .filter(|at| !needed.contains(at) && !did(*at))
        .filter(|at| examples[*at].trace.expected.is_some() || examples[*at].passed)
        .collect();
    let call = |occurrences: &[Occurrence<'_>], tool: &str| NeededCall {
        tool: tool.to_owned(),
        arguments: arguments(examples, occurrences),
    };
    let alone = Variant {
        calls: vec![call(group, &first.name)],
        say: None,
        needed,
        not_needed,
    };
    let companions = companions(examples, group);
    if companions.len() == 1 {
        return vec![alone];
    }
    let calls = companions
        .iter()
        .map(|occurrences| call(occurrences, &occurrences[0].1.name))
        .collect();
    vec![Variant { calls, ..alone.clone() }, alone]
}

/// The missing actions that stand next to this one and are missing where it is, in order, with this one among them.
fn companions<'t>(examples: &[Example<'t>], group: &[Occurrence<'t>]) -> Vec<Vec<Occurrence<'t>>> {
    let neighbour = |at: usize, action: &ExpectedAction, offset: isize| -> Option<&'t ExpectedAction> {
        let trace = examples[at].trace;
        let actions = expected(trace);
        let here = actions.iter().position(|other| std::ptr::eq(other, action))?;
        let other = actions.get(here.checked_add_signed(offset)?)?;
        (is_write(trace, other) && !done(trace, other)).then_some(other)
    };
    let lacking: BTreeSet<usize> = group.iter().map(|(at, _)| *at).collect();
    // Side by side in a few runs is luck; two actions belong together when hardly any run lacks only one of them.
    let goes_with = |name: &str| {
        let lacks = |at: &usize| {
            expected(examples[*at].trace)
                .iter()
                .any(|action| action.name == name && !done(examples[*at].trace, action))
        };
        let other: BTreeSet<usize> = (0..examples.len()).filter(lacks).collect();
        lacking.intersection(&other).count() * 5 >= lacking.union(&other).count() * 4
    };
    let shared = |offset: isize| -> Option<Vec<Occurrence<'t>>> {
        let others: Vec<Occurrence<'t>> = group
            .iter()
            .filter_map(|(at, action)| Some((*at, neighbour(*at, action, offset)?)))
            .collect();
        let mut names: Vec<&str> = others.iter().map(|(_, other)| other.name.as_str()).collect();
        names.sort_unstable();
        let most = names.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len())?;
        let name = most.first()?;
        goes_with(name).then(|| {
            others
                .iter()
                .filter(|(_, other)| other.name == **name)
                .copied()
                .collect()
        })
    };
    let mut chain = vec![group.to_vec()];
    let mut offset = 1;
    while let Some(others) = shared(offset) {
        chain.push(others);
        offset += 1;
    }
    offset = -1;
    while let Some(others) = shared(offset) {
        chain.insert(0, others);
        offset -= 1;
    }
    chain
}

fn is_write(trace: &Trace, action: &ExpectedAction) -> bool {
    trace.effect_of(&action.name) != Effect::Read
}

fn done(trace: &Trace, action: &ExpectedAction) -> bool {
    trace
        .exchanges()
        .iter()
        .any(|exchange| exchange.succeeded() && action.matches(exchange.call))
}

fn arguments(examples: &[Example<'_>], occurrences: &[Occurrence<'_>]) -> BTreeMap<String, Argument> {
    let mut out = BTreeMap::new();
    for name in argument_names(occurrences) {
        let values = values_of(occurrences, &name);
        let constant = Argument::Constant(most_frequent(&values));
        // A value that names one particular thing is looked up, even if all runs on record happen to share it.
        let argument = match (all_same(&values), names_a_thing(&most_frequent(&values))) {
            (true, false) => constant,
            _ => {
                reference(examples, occurrences, &name).map_or(constant, |(tool, path)| Argument::Reference(tool, path))
            }
        };
        out.insert(name, argument);
    }
    out
}

fn argument_names(occurrences: &[Occurrence<'_>]) -> Vec<String> {
    let mut names: Vec<String> = occurrences
        .iter()
        .flat_map(|(_, action)| action.arguments.keys().cloned())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn values_of(occurrences: &[Occurrence<'_>], name: &str) -> Vec<Value> {
    occurrences
        .iter()
        .map(|(_, action)| action.arguments.get(name).cloned().unwrap_or(Value::Null))
        .collect()
}

fn all_same(values: &[Value]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

fn distinct(values: &[Value]) -> usize {
    counts(values).len()
}

fn most_frequent(values: &[Value]) -> Value {
    let counts = counts(values);
    let best = counts
        .iter()
        .max_by_key(|(_, (count, first))| (*count, std::cmp::Reverse(*first)));
    best.map_or(Value::Null, |(_, (_, first))| values[*first].clone())
}

/// By text: how often, and where first.
fn counts(values: &[Value]) -> BTreeMap<String, (usize, usize)> {
    let mut counts = BTreeMap::new();
    for (at, value) in values.iter().enumerate() {
        counts.entry(value.to_string()).or_insert((0, at)).0 += 1;
    }
    counts
}

/// Ids and the like: text with a digit in it.
fn names_a_thing(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() >= 3 && text.chars().any(|c| c.is_ascii_digit()) && !text.contains(' '))
}

/// The field of an earlier result that holds the argument's value in every run that needed the action: the one that sounds like the
/// argument, else the first.
fn reference(examples: &[Example<'_>], occurrences: &[Occurrence<'_>], name: &str) -> Option<(String, String)> {
    let holds = |at: usize, action: &ExpectedAction| -> Vec<(String, String)> {
        let snapshot = Snapshot::of(examples[at].trace, Moment::End);
        let wanted = action.arguments.get(name).unwrap_or(&Value::Null);
        let fields = snapshot.fields().filter(|(_, _, value)| equals(value, wanted));
        fields
            .map(|(tool, path, _)| (tool.to_owned(), path.to_owned()))
            .collect()
    };
    let (first, rest) = occurrences.split_first()?;
    let mut shared = holds(first.0, first.1);
    for (at, action) in rest {
        let here = holds(*at, action);
        shared.retain(|field| here.contains(field));
    }
    shared.sort_by_key(|(tool, path)| {
        let last = path.rsplit('.').next().unwrap_or(path);
        (
            last != name,
            !path.contains(name) && !name.contains(last),
            path.matches('.').count(),
            tool.clone(),
        )
    });
    shared.into_iter().next()
}

fn equals(field: &FieldValue, wanted: &Value) -> bool {
    match (field, wanted) {
        (FieldValue::Text(have), Value::String(want)) => have == want,
        (FieldValue::Number(have), Value::Number(want)) => want.as_f64() == Some(*have),
        _ => false,
    }
}

/// For a write that was done and should not have been: what should have been done instead, where all runs on record agree on that, and
/// the runs that must be kept from going on.
pub(super) fn guards(tool: &str, examples: &[Example<'_>]) -> Vec<Variant> {
    let wrongly = |example: &Example<'_>| {
        let wanted = expected(example.trace).iter().any(|action| action.name == tool);
        let did = example
            .trace
            .exchanges()
            .iter()
            .any(|exchange| exchange.succeeded() && exchange.call.name == tool);
        example.trace.expected.is_some() && did && !wanted
    };
    let (needed, not_needed): (Vec<usize>, Vec<usize>) = (0..examples.len()).partition(|&at| wrongly(&examples[at]));
    let Some(&first) = needed.first() else {
        return Vec::new();
    };
    let names = |at: usize| -> Vec<&str> {
        expected(examples[at].trace)
            .iter()
            .map(|action| action.name.as_str())
            .collect()
    };
    let agreed = needed.iter().all(|&at| names(at) == names(first));
    let instead = if agreed {
        expected(examples[first].trace).len()
    } else {
        0
    };
    let call = |place: usize| {
        let occurrences: Vec<Occurrence<'_>> = needed
            .iter()
            .map(|&at| (at, &expected(examples[at].trace)[place]))
            .collect();
        NeededCall {
            tool: occurrences[0].1.name.clone(),
            arguments: arguments(examples, &occurrences),
        }
    };
    vec![Variant {
        calls: (0..instead).map(call).collect(),
        say: None,
        needed,
        not_needed,
    }]
}

impl Variant {
    /// What the new step does, in words.
    pub(super) fn does(&self) -> String {
        let tools: Vec<String> = self.calls.iter().map(|call| format!("`{}`", call.tool)).collect();
        match (&self.say, tools.is_empty()) {
            (Some(Argument::Constant(text)), _) => format!("tell the customer {text}"),
            (Some(Argument::Reference(tool, path)), _) => format!("tell the customer `{path}` of `{tool}`"),
            (None, false) => format!("do {}", tools.join(", then ")),
            (None, true) => "stop".to_owned(),
        }
    }
}

/// The variants of what was not communicated, the most frequent first: a text, or the field that holds it in every run that needed it.
pub(super) fn communications(examples: &[Example<'_>]) -> Vec<Variant> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, example) in examples.iter().enumerate() {
        let texts = example.trace.expected.iter().flat_map(|expected| &expected.communicate);
        texts.for_each(|text| groups.entry(text.clone()).or_default().push(at));
    }
    // Only what some run failed to say; runs that said it needed it no less.
    let unsaid = |text: &str, at: usize| !said(examples[at].trace, text);
    groups.retain(|text, needed| needed.iter().any(|&at| unsaid(text, at)));
    if groups.is_empty() {
        return Vec::new();
    }
    let mut variants: Vec<Variant> = Vec::new();
    for (text, needed) in groups {
        let field = field_with(&examples[needed[0]], &text);
        let say = field.map_or(Argument::Constant(Value::String(text)), |(tool, path)| {
            Argument::Reference(tool, path)
        });
        match variants.iter_mut().find(|variant| variant.say.as_ref() == Some(&say)) {
            Some(variant) => variant.needed.extend(needed),
            None => variants.push(Variant {
                calls: Vec::new(),
                say: Some(say),
                needed,
                not_needed: Vec::new(),
            }),
        }
    }
    for variant in &mut variants {
        variant.needed.sort_unstable();
        variant.needed.dedup();
        variant.not_needed = (0..examples.len()).filter(|at| !variant.needed.contains(at)).collect();
    }
    variants.sort_by_key(|variant| std::cmp::Reverse(variant.needed.len()));
    variants
}

fn said(trace: &Trace, text: &str) -> bool {
    let text = text.to_lowercase();
    let spoken = trace.steps.iter().filter(|step| step.role == Role::Assistant);
    spoken
        .into_iter()
        .any(|step| step.content.to_lowercase().contains(&text))
}

fn field_with(example: &Example<'_>, text: &str) -> Option<(String, String)> {
    let snapshot = Snapshot::of(example.trace, Moment::End);
    let mut fields = snapshot.fields().filter(|(_, _, value)| match value {
        FieldValue::Text(have) => have == text,
        FieldValue::Number(have) => text.parse() == Ok(*have),
        _ => false,
    });
    fields.next().map(|(tool, path, _)| (tool.to_owned(), path.to_owned()))
}
