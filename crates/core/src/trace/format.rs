//! The formats there are, and how a file's content tells which one it has.

use super::document::Document;
use super::json::Object;
use super::read::{Content, ReadTrace, Warning};
use super::window::Window;
use super::{chat, claude_code, gh_aw, harbor, inspect, otlp, promptfoo, tau2, worker};

/// So many objects of a list are looked at to know its format: the first ones may be notices.
const HEADS: usize = 8;

/// A format that sprag reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// tau2, τ³-bench and tau-bench results.
    Tau,
    /// Traces of the worker protocol.
    Worker,
    /// OpenTelemetry spans as JSON.
    Otlp,
    /// Logs of Inspect.
    Inspect,
    /// Results of promptfoo.
    Promptfoo,
    /// `JUnit` XML.
    Junit,
    /// Lists of messages as `OpenAI` and Anthropic have them.
    Messages,
    /// What Claude Code and its GitHub action write.
    ClaudeCode,
    /// Trials of Harbor.
    Harbor,
    /// Artifacts of GitHub Agentic Workflows.
    GhAw,
}

/// Every format by the words that name it; the first of a format is its name.
const NAMES: [(&str, Format); 14] = [
    ("tau2", Format::Tau),
    ("tau-bench", Format::Tau),
    ("worker", Format::Worker),
    ("otlp", Format::Otlp),
    ("inspect", Format::Inspect),
    ("promptfoo", Format::Promptfoo),
    ("junit", Format::Junit),
    ("messages", Format::Messages),
    ("openai", Format::Messages),
    ("anthropic", Format::Messages),
    ("claude-code", Format::ClaudeCode),
    ("claude-code-action", Format::ClaudeCode),
    ("harbor", Format::Harbor),
    ("gh-aw", Format::GhAw),
];

impl Format {
    /// The format of a name such as `otlp`; `None` for a word that names none.
    pub fn named(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(word, _)| word.eq_ignore_ascii_case(name));
        found.map(|(_, format)| *format)
    }

    /// Every word that names a format.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(word, _)| *word)
    }

    /// Reads a file, or a part of one; `window` is what came before.
    pub(super) fn read(self, document: &Document<'_>, window: &mut Window, warnings: &mut Vec<Warning>) -> Content {
        let whole = |traces: Vec<ReadTrace>| Content {
            traces,
            ..Content::default()
        };
        match self {
            Self::Tau => whole(tau2::read_document(document, warnings)),
            Self::Worker => whole(worker::read(document, warnings)),
            Self::Otlp => whole(otlp::read(document, window, warnings)),
            Self::Promptfoo => whole(promptfoo::read(document, window, warnings)),
            Self::Messages => whole(chat::read(document, window, warnings)),
            Self::ClaudeCode => whole(claude_code::read(document, window, warnings)),
            Self::Inspect => inspect::read(document, warnings),
            Self::Harbor => harbor::read(document, warnings),
            Self::GhAw => gh_aw::read(document, warnings),
            // XML is no document of this kind.
            Self::Junit => Content::default(),
        }
    }
}

type Recognises = fn(&Object<'_>) -> bool;

/// The format of a document, known by its fields.
pub(super) fn of(document: &Document<'_>) -> Option<Format> {
    if tau2::recognises(document) {
        return Some(Format::Tau);
    }
    if inspect::recognises(document) {
        return Some(Format::Inspect);
    }
    if harbor::recognises_list(document) {
        return Some(Format::Harbor);
    }
    if gh_aw::recognises_grading(document) {
        return Some(Format::GhAw);
    }
    let heads = document.heads(HEADS);
    let head = |recognises: Recognises| heads.iter().any(recognises);
    if document.has_list("resourceSpans") || head(otlp::recognises) {
        return Some(Format::Otlp);
    }
    if promptfoo::recognises(document) || head(promptfoo::recognises_row) {
        return Some(Format::Promptfoo);
    }
    let by_object: [(Recognises, Format); 4] = [
        (harbor::recognises, Format::Harbor),
        (gh_aw::recognises, Format::GhAw),
        (claude_code::recognises, Format::ClaudeCode),
        (worker::recognises, Format::Worker),
    ];
    let known = by_object.into_iter().find(|(recognises, _)| head(*recognises));
    known
        .map(|(_, format)| format)
        .or_else(|| chat::recognises(document).then_some(Format::Messages))
}
