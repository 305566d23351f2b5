//! `JUnit` XML, as pytest, nextest, `DeepEval` and most test tools write it: the test cases of a report, and the runs they are.
//!
//! Entities that the document declares are never expanded; only the five of XML itself and numbers are.

use super::cut::RECORD;
use super::read::{Format, ReadTrace, Warning};
use super::stream::{text_of, without_mark};
use super::{Check, Role, Step, Termination, Trace};
use crate::failure::FailureKind;
use crate::id::TaskId;
use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape_with};
use quick_xml::events::{BytesRef, BytesStart, Event};
use regex::Regex;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, LazyLock};

/// Bytes of a text that are kept.
const KEPT: usize = 16_000;

/// Colours and the like, raw or as tools spell the escape character, which XML does not allow.
static ANSI: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:\x1b|\\x1b|#x1B|&#27;|&#x1[bB];|\u{fffd})\[[0-9;?]*[A-Za-z]").ok());

/// One test case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Case {
    /// The class, module or crate it belongs to; may be empty.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file it stands in, if the report says so.
    pub file: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What it printed, the first of it.
    pub output: String,
}

/// What came of a test case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It passed, perhaps after tries that failed.
    #[default]
    Passed,
    /// It failed; what each try says, the first one first. Never empty.
    Failed(Vec<String>),
    /// Something around it broke, so that it was not judged.
    Error(String),
    /// It was not run.
    Skipped,
}

/// Why a report ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// It is not XML.
    #[error("it is not well-formed XML: {0}")]
    Xml(quick_xml::Error),
    /// The file cannot be read on, or a part of it is too large.
    #[error("it cannot be read further: {0}")]
    Read(Arc<io::Error>),
    /// It stops in the middle.
    #[error("it ends before its last element is closed")]
    Truncated,
}

/// Whether a text is such a report.
pub(super) fn recognises(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('<') && text[..text.floor_char_boundary(4096)].contains("<testsuite")
}

/// Whether a file is such a report, by its first bytes and the format that somebody names.
pub fn is_report(format: Option<Format>, prefix: &[u8]) -> bool {
    let beginning = || recognises(&text_of(without_mark(prefix)));
    format.map_or_else(beginning, |format| format == Format::Junit)
}

/// The test cases of a report, in any nesting, and what is wrong with it if it cannot be read to its end.
pub fn cases(xml: &str) -> (Vec<Case>, Option<JunitError>) {
    let mut cases = Vec::new();
    let problem = each(xml.as_bytes(), &mut |case| cases.push(case), &mut Vec::new());
    (cases, problem)
}

/// Hands out each test case as soon as it ends. Bytes that are not UTF-8 are replaced and warned of.
fn each(xml: impl BufRead, take: &mut dyn FnMut(Case), warnings: &mut Vec<Warning>) -> Option<JunitError> {
    let mut reader = Reader::from_reader(Bounded {
        inner: xml,
        left: RECORD,
    });
    let mut reading = Reading::default();
    let mut buffer = Vec::new();
    let mut replaced = false;
    loop {
        buffer.clear();
        reader.get_mut().left = RECORD;
        let event = match reader.read_event_into(&mut buffer) {
            Ok(event) => event,
            Err(quick_xml::Error::Io(error)) => return Some(JunitError::Read(error)),
            Err(error) => return Some(JunitError::Xml(error)),
        };
        if !replaced && std::str::from_utf8(&event).is_err() {
            replaced = true;
            let place = format!("byte {}", reader.buffer_position());
            warnings.push(Warning::new(
                place,
                "not UTF-8 before it; the bytes that are none are replaced",
            ));
        }
        match event {
            Event::Start(element) => reading.enter(&element),
            Event::Empty(element) => {
                reading.enter(&element);
                reading.leave().into_iter().for_each(&mut *take);
            }
            Event::End(_) => reading.leave().into_iter().for_each(&mut *take),
            Event::Text(text) => reading.text(&String::from_utf8_lossy(&text)),
            Event::CData(text) => reading.text(&String::from_utf8_lossy(&text)),
            Event::GeneralRef(entity) => reading.text(&resolved(&entity)),
            Event::Eof if reading.open.is_empty() => return None,
            Event::Eof => return Some(JunitError::Truncated),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// Bytes of which the parser may take only so many for one tag or text, since it keeps them.
struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let most = RECORD / 1_000_000;
            return Err(io::Error::other(format!("a tag or a text of more than {most} MB")));
        }
        let bytes = self.inner.fill_buf()?;
        Ok(&bytes[..bytes.len().min(self.left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.inner.consume(bytes);
    }
}

/// An element that is open, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Case,
    Failure,
    Rerun,
    Error,
    Output,
    Trace,
    Other,
}

/// What a test says: in short in the attribute, in full in the text.
#[derive(Default)]
struct Told {
    message: String,
    text: String,
}

impl Told {
    fn whole(&self) -> String {
        let (message, text) = (cleaned(&self.message), cleaned(&self.text));
        match (message.is_empty(), text.is_empty()) {
            _ if text.contains(&message) => text,
            (false, true) => message,
            _ => format!("{message}\n{text}"),
        }
    }
}

#[derive(Default)]
struct Reading {
    open: Vec<Element>,
    case: Option<Case>,
    failures: Vec<Told>,
    error: Option<Told>,
    skipped: bool,
}

impl Reading {
    fn enter(&mut self, element: &BytesStart<'_>) {
        let inside = self.open.last().copied();
        let kind = match (element.name().as_ref(), inside) {
            (b"testcase", _) => Element::Case,
            (b"failure", Some(Element::Case)) => Element::Failure,
            (b"rerunFailure" | b"rerunError", Some(Element::Case)) => Element::Rerun,
            (b"error", Some(Element::Case)) => Element::Error,
            (b"system-out", Some(Element::Case)) => Element::Output,
            (b"stackTrace", Some(Element::Failure | Element::Rerun | Element::Error)) => Element::Trace,
            _ => Element::Other,
        };
        let told = || Told {
            message: attribute(element, b"message"),
            text: String::new(),
        };
        match kind {
            Element::Case => {
                self.case = Some(Case {
                    class: attribute(element, b"classname"),
                    name: attribute(element, b"name"),
                    file: attribute(element, b"file"),
                    ..Case::default()
                });
                (self.failures, self.error, self.skipped) = (Vec::new(), None, false);
            }
            Element::Failure | Element::Rerun => self.failures.push(told()),
            Element::Error => self.error = Some(told()),
            Element::Output | Element::Trace => {}
            Element::Other => self.skipped |= element.name().as_ref() == b"skipped" && inside == Some(Element::Case),
        }
        self.open.push(kind);
    }

    /// Closes the innermost element; a test case comes back.
    fn leave(&mut self) -> Option<Case> {
        if self.open.pop() != Some(Element::Case) {
            return None;
        }
        let mut case = self.case.take()?;
        let failures = std::mem::take(&mut self.failures);
        case.output = cleaned(&case.output);
        case.outcome = match self.error.take() {
            Some(told) => Outcome::Error(told.whole()),
            None if !failures.is_empty() => Outcome::Failed(failures.iter().map(Told::whole).collect()),
            None if self.skipped => Outcome::Skipped,
            None => Outcome::Passed,
        };
        Some(case)
    }

    fn text(&mut self, text: &str) {
        let around = self.open.len().checked_sub(2).map(|at| self.open[at]);
        let element = match self.open.last() {
            Some(Element::Trace) => around,
            last => last.copied(),
        };
        let into = match element {
            Some(Element::Failure | Element::Rerun) => self.failures.last_mut().map(|told| &mut told.text),
            Some(Element::Error) => self.error.as_mut().map(|told| &mut told.text),
            Some(Element::Output) => self.case.as_mut().map(|case| &mut case.output),
            Some(Element::Case | Element::Trace | Element::Other) | None => None,
        };
        let Some(into) = into else { return };
        if into.len() < KEPT {
            into.push_str(&text[..text.floor_char_boundary(KEPT)]);
        }
    }
}

fn resolved(entity: &BytesRef<'_>) -> Cow<'static, str> {
    let name = String::from_utf8_lossy(entity);
    if let Some(text) = resolve_predefined_entity(&name) {
        return text.into();
    }
    match entity.resolve_char_ref() {
        Ok(Some(letter)) => letter.to_string().into(),
        _ => format!("&{name};").into(),
    }
}

fn attribute(element: &BytesStart<'_>, name: &[u8]) -> String {
    let mut attributes = element.attributes().flatten();
    let Some(found) = attributes.find(|attribute| attribute.key.as_ref() == name) else {
        return String::new();
    };
    let raw = String::from_utf8_lossy(&found.value);
    unescape_with(&raw, resolve_predefined_entity).map_or_else(|_| raw.to_string(), Cow::into_owned)
}

fn cleaned(text: &str) -> String {
    let coloured = ANSI.as_ref().filter(|_| text.contains('['));
    let plain = coloured.map(|ansi| ansi.replace_all(text, ""));
    plain.as_deref().unwrap_or(text).trim().to_owned()
}

/// Reads a report as runs: a test case is a task, each failed try of it a trial. What was skipped is none.
pub(super) fn read(text: &str, warnings: &mut Vec<Warning>) -> Vec<ReadTrace> {
    let mut traces = Vec::new();
    warnings.extend(stream(text.as_bytes(), &mut |run| traces.push(run)));
    traces
}

/// Reads the same of a report of any size: each run goes to `take` as soon as its test case ends. What could not be used comes back.
pub fn stream(xml: impl BufRead, take: &mut dyn FnMut(ReadTrace)) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut trials: BTreeMap<String, u32> = BTreeMap::new();
    let mut case = |case: Case| runs(&case, &mut trials).into_iter().for_each(&mut *take);
    if let Some(problem) = each(xml, &mut case, &mut warnings) {
        warnings.push(Warning::new("", format!("{problem}; what stands before that is used")));
    }
    warnings
}

fn runs(case: &Case, trials: &mut BTreeMap<String, u32>) -> Vec<ReadTrace> {
    let scope = if case.class.is_empty() { &case.file } else { &case.class };
    let task = if scope.is_empty() {
        case.name.clone()
    } else {
        format!("{scope}::{}", case.name)
    };
    let tries: Vec<(Option<bool>, &str)> = match &case.outcome {
        Outcome::Skipped => Vec::new(),
        Outcome::Passed => vec![(Some(true), "")],
        Outcome::Error(message) => vec![(None, message)],
        Outcome::Failed(messages) => messages.iter().map(|message| (Some(false), message.as_str())).collect(),
    };
    let one = |(passed, message): (Option<bool>, &str)| {
        let next = trials.entry(task.clone()).or_insert(0);
        let trial = *next;
        *next += 1;
        let trace = trace(case, &task, passed, message);
        ReadTrace {
            source: format!(
                "junit:{task}:{trial}:{}",
                crate::hash::of(&(crate::hash::of_trace(&trace), &case.file))
            ),
            task: TaskId::new(task.clone()),
            trial,
            passed,
            score: passed.map(|passed| f64::from(u8::from(passed))),
            kind_hint: passed.is_none().then_some(FailureKind::Infrastructure),
            trace,
        }
    };
    tries.into_iter().map(one).collect()
}

/// All that a report has of a run: what was tested, what it printed, and what the test says.
fn trace(case: &Case, task: &str, passed: Option<bool>, message: &str) -> Trace {
    let printed = if case.output.is_empty() { message } else { &case.output };
    let step = |role, content: &str| Step {
        role,
        content: content.to_owned(),
        ..Step::default()
    };
    let check = Check {
        name: case.name.clone(),
        kind: "assertion".to_owned(),
        passed: passed == Some(true),
        detail: message.to_owned(),
    };
    Trace {
        steps: vec![step(Role::User, task), step(Role::Assistant, printed)],
        termination: match passed {
            Some(_) => Termination::AgentStop,
            None => Termination::InfrastructureError,
        },
        checks: vec![check],
        ..Trace::default()
    }
}

#[cfg(test)]
mod tests;
