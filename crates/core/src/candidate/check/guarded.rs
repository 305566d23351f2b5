//! What belongs to the tasks and must not stand in a harness: ids, expected answers, canaries.
//!
//! Short and common values would be found in every harness, so they only count when they are long or rare enough; see [`Guarded::of`].

use super::Hit;
use super::added::{Added, Hay, decoded, literals, spoken, squashed};
use super::shuffled::Shuffled;
use super::spelling;
use crate::case::{EvalCase, Expectation, Input};
use crate::failure::FailureRecord;
use crate::harness::Harness;
use crate::id::TaskId;
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// From so many letters and digits on, a value with a digit is looked for in pieces, too; one that is just shorter in quoted ones.
const LONG: usize = 7;
/// From so many on, a value with a digit is looked for as it stands.
const SHORT: usize = 5;
/// From so many letters on, an id of letters alone is looked for in pieces, too.
const WORDS: usize = 20;
/// From so many words on, a value is a sentence, of which only the words that are data count.
const SENTENCE: usize = 4;
/// So many letters and digits in a row are quoted from an input.
const QUOTED: usize = 40;
/// An input with fewer letters and digits than that is quoted as a whole, from so many on.
const WHOLE: usize = 20;
/// How far apart the places are at which a quote of an input is looked for.
const STRIDE: usize = 10;

/// What must not stand in a harness.
#[derive(Debug, Clone, Default)]
pub struct Guarded {
    ids: BTreeSet<String>,
    answers: BTreeSet<String>,
    /// What a task begins with, and what should be said to it or the tool that should be called, both squashed.
    pairs: BTreeSet<(String, String)>,
    canaries: BTreeSet<String>,
}

impl Guarded {
    /// What the train tasks, the cases and the failures of a run give.
    ///
    /// An answer counts when exactly one task expects it (what several expect is how things are done) and it is data: it has a digit and at
    /// least five letters and digits, or is an e-mail address. Of a sentence only such words count: the rest may be how things are said. A whole
    /// answer, of whatever kind, and the name of a tool count beside a quote of the input that they belong to.
    pub fn of<'a>(
        tasks: impl IntoIterator<Item = &'a TaskId>,
        cases: impl IntoIterator<Item = &'a EvalCase>,
        records: impl IntoIterator<Item = &'a FailureRecord>,
    ) -> Self {
        let mut guarded = Self::of_ids(tasks.into_iter().map(TaskId::as_str));
        let mut answers: BTreeMap<String, BTreeSet<&TaskId>> = BTreeMap::new();
        let mut expects = |task: &'a TaskId, values: Vec<String>| {
            for value in values.iter().flat_map(|value| data(value)) {
                answers.entry(value).or_default().insert(task);
            }
        };
        for case in cases {
            guarded.ids.extend([case.id.to_string(), case.task.to_string()]);
            expects(&case.task, case.expect.iter().flat_map(values_of).collect());
            guarded.pairs.extend(pairs(case.input.as_ref(), &case.expect));
            guarded
                .canaries
                .extend(canaries(&serde_json::to_string(case).unwrap_or_default()));
        }
        for record in records {
            guarded.ids.insert(record.task.to_string());
            let actions = record.causes.iter().filter_map(|cause| cause.action.as_ref());
            expects(
                &record.task,
                actions
                    .flat_map(|action| action.arguments.values().flat_map(texts))
                    .collect(),
            );
            if let Some(draft) = &record.draft {
                expects(&record.task, draft.expect.iter().flat_map(values_of).collect());
                guarded.pairs.extend(pairs(draft.input.as_ref(), &draft.expect));
                guarded
                    .canaries
                    .extend(canaries(&serde_json::to_string(draft).unwrap_or_default()));
            }
        }
        guarded.answers = answers
            .into_iter()
            .filter(|(_, tasks)| tasks.len() == 1)
            .map(|(value, _)| value)
            .collect();
        guarded
    }

    /// Ids alone.
    pub(super) fn of_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            ids: ids
                .into_iter()
                .filter(|id| !id.trim().is_empty())
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        }
    }

    /// The first line that has any of it. What the harness says already is no secret.
    pub(super) fn hit(&self, before: &Harness, added: &[Added<'_>]) -> Option<Hit> {
        if added.is_empty() {
            return None;
        }
        let old: String = before.files().map(|(_, text)| text.to_lowercase() + "\n").collect();
        let look = Look {
            added,
            old: &old,
            plain: Hay::of(added, |line| decoded(line).to_lowercase() + "\n"),
            pieces: [
                Hay::of(added, |line| squashed(&decoded(line))),
                Hay::of(added, |line| literals(&decoded(line))),
                Hay::of(added, |line| spoken(&decoded(line))),
            ],
            shuffled: Shuffled::of(added),
        };
        let found = |what: &str, values: &BTreeSet<String>, ids: bool| {
            values.iter().find_map(|value| {
                look.line_of(value, ids)
                    .map(|line| Hit::at(line, format!("{what} `{value}`")))
            })
        };
        found("has the canary", &self.canaries, false)
            .or_else(|| found("names the task or case", &self.ids, true))
            .or_else(|| found("has what one task expects,", &self.answers, false))
            .or_else(|| {
                let own = |input: &str, quote: &str| {
                    let others = self.pairs.iter().filter(|(other, _)| other != input);
                    !others.into_iter().any(|(other, _)| other.contains(quote))
                };
                let quoted = self
                    .pairs
                    .iter()
                    .find_map(|(input, answer)| look.quote(input, answer, own))?;
                Some(Hit::at(
                    quoted,
                    "quotes the input of a task beside its expected answer".to_owned(),
                ))
            })
    }
}

/// The texts that values are looked for in.
struct Look<'a> {
    added: &'a [Added<'a>],
    old: &'a str,
    plain: Hay,
    pieces: [Hay; 3],
    shuffled: Shuffled,
}

impl Look<'_> {
    fn line_of(&self, value: &str, is_id: bool) -> Option<&Added<'_>> {
        let lower = value.to_lowercase();
        if stands_alone(self.old, &lower).is_some() {
            return None;
        }
        let small = squashed(value);
        let digit = small.contains(|letter: char| letter.is_ascii_digit());
        let size = small.chars().count();
        let long = if digit { size >= LONG } else { size >= WORDS };
        if long && let Some(line) = self.in_pieces(value, &small) {
            return Some(line);
        }
        if digit && !long && size > SHORT {
            let [_, quoted @ ..] = &self.pieces;
            if let Some(line) = quoted
                .iter()
                .find_map(|hay| hay.find(&small))
                .and_then(|at| self.added.get(at))
            {
                return Some(line);
            }
        }
        if !is_id && let Some(line) = self.spelled_otherwise(value) {
            return Some(line);
        }
        // An id of letters alone could be a word; one of several parts is none.
        let parts = value.contains(|letter: char| letter.is_ascii_punctuation());
        let plain = if is_id && !digit {
            parts && size >= SHORT
        } else {
            size >= SHORT
        };
        if plain {
            let at = self
                .added
                .iter()
                .position(|line| stands_alone(&decoded(line.text).to_lowercase(), &lower).is_some());
            return at.map(|at| &self.added[at]).or_else(|| {
                let at = self.plain.find(&lower).filter(|_| long)?;
                self.added.get(at)
            });
        }
        is_id.then(|| self.compared(&lower)).flatten()
    }

    /// Where an input is quoted, if the answer to it is there, too. What inputs of several tasks say alike is no quote of any: `own` says so.
    fn quote(&self, input: &str, answer: &str, own: impl Fn(&str, &str) -> bool) -> Option<&Added<'_>> {
        let [pieces, ..] = &self.pieces;
        pieces.find(answer)?;
        let letters: Vec<char> = input.chars().collect();
        if letters.len() < WHOLE {
            return None;
        }
        let quotes = letters
            .windows(QUOTED.min(letters.len()))
            .step_by(STRIDE)
            .map(|window| window.iter().collect::<String>());
        let found = |quote: String| pieces.find(&quote).filter(|_| own(input, &quote));
        let at = quotes.into_iter().find_map(found)?;
        self.added.get(at)
    }

    /// The value in pieces over several places, in whatever order, or encoded.
    fn in_pieces(&self, value: &str, small: &str) -> Option<&Added<'_>> {
        let encoded = spelling::encoded(value, small);
        let forms = std::iter::once(small).chain(encoded.iter().map(String::as_str));
        let at = forms
            .filter_map(|form| self.pieces.iter().find_map(|hay| hay.find(form)))
            .next()
            .or_else(|| self.shuffled.find(small))?;
        self.added.get(at)
    }

    /// A date or an amount as it is written elsewhere.
    fn spelled_otherwise(&self, value: &str) -> Option<&Added<'_>> {
        let dates = spelling::dates(value);
        let at = dates.iter().find_map(|date| self.pieces[0].find(date)).or_else(|| {
            let amounts = spelling::amounts(value);
            let stands = |line: &Added<'_>| amounts.iter().any(|amount| stands_alone(line.text, amount).is_some());
            self.added.iter().position(stands)
        })?;
        self.added.get(at)
    }

    /// A short id counts where it is compared with, or stands for, a task.
    fn compared(&self, id: &str) -> Option<&Added<'_>> {
        static TASK: LazyLock<Regex> = LazyLock::new(|| {
            RegexBuilder::new(r#"\b(?:task|task_?(?:id|name|number|key)|(?:case|ticket|scenario|sample)_?(?:id|number|key)|scenario)\b["'\])]*\s*(?:===?|!==?|=|:|,|\.|\bin\b|\bis\b|\bnot\b)"#)
                .case_insensitive(true)
                .build()
                .expect("it is a regex")
        });
        self.added.iter().filter(|line| !line.is_prose()).find(|line| {
            let after = TASK
                .find_iter(line.text)
                .any(|found| stands_alone(&line.text[found.end()..].to_lowercase(), id).is_some());
            // Also the other way round: `"7" == task_id`.
            after || TASK_BEHIND.is_match(line.text) && stands_alone(&line.text.to_lowercase(), id).is_some()
        })
    }
}

static TASK_BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:===?|!==?)\s*(?:\w+\.)*(?:task|task_?(?:id|name|number|key)|scenario(?:_id)?|case_?id)\b")
        .expect("it is a regex")
});

/// Where a text stands with no letter or digit at either side.
fn stands_alone(hay: &str, needle: &str) -> Option<usize> {
    let joins = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    hay.match_indices(needle)
        .map(|(at, _)| at)
        .find(|at| !joins(hay[..*at].chars().next_back()) && !joins(hay[at + needle.len()..].chars().next()))
}

/// The values that an expectation names.
fn values_of(expectation: &Expectation) -> Vec<String> {
    match expectation {
        Expectation::Contains { text, .. } => vec![text.clone()],
        Expectation::FinalState { value, .. } => texts(value),
        Expectation::ToolCalled { arguments, .. } => arguments.values().flat_map(texts).collect(),
        // What must not be said or done is no answer, and a rubric, a pattern or a schema is one for many.
        Expectation::NotContains { .. }
        | Expectation::ToolNotCalled { .. }
        | Expectation::Regex { .. }
        | Expectation::JsonSchema { .. }
        | Expectation::MaxSteps { .. }
        | Expectation::Judge { .. } => Vec::new(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

/// What of a value is data: the whole, or words of a sentence.
fn data(value: &str) -> Vec<String> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let parts = if words.len() < SENTENCE {
        vec![value.trim()]
    } else {
        words
    };
    let bare = parts
        .into_iter()
        .map(|part| part.trim_matches(|letter: char| !letter.is_alphanumeric() && !"[]".contains(letter)));
    bare.filter(|part| is_data(part)).map(str::to_owned).collect()
}

fn is_data(value: &str) -> bool {
    // What was redacted is nothing that anybody expects.
    if value.starts_with('[') && value.ends_with(']') {
        return false;
    }
    let small = squashed(value);
    let digit = small.contains(|letter: char| letter.is_ascii_digit());
    digit && small.chars().count() >= SHORT || value.contains('@') && value.contains('.')
}

/// What a task begins with, with each text that should be said to it, and each tool that should be called.
fn pairs(input: Option<&Input>, expect: &[Expectation]) -> Vec<(String, String)> {
    let Some(input) = input else { return Vec::new() };
    let input = squashed(&input.messages.concat());
    let said = expect.iter().filter_map(|expectation| match expectation {
        Expectation::Contains { text, .. } => Some(squashed(text)),
        Expectation::ToolCalled { name, .. } => Some(squashed(name)),
        _ => None,
    });
    said.filter(|answer| !answer.is_empty())
        .map(|answer| (input.clone(), answer))
        .collect()
}

/// UUIDs, and whatever calls itself a canary.
fn canaries(text: &str) -> Vec<String> {
    static CANARY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\bcanary[-_:#][a-z0-9_-]{4,}")
            .expect("it is a regex")
    });
    CANARY.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}
