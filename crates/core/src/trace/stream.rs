//! Reads large files piece by piece, in bounded memory, with the same readers that read small ones as a whole.
//!
//! A file is gone through twice. The first time, a [`Survey`] learns what may stand anywhere in it: the format, the fields beside the lists
//! of runs. The second time, a [`Stream`] hands out runs as they become whole. Pieces of a few megabytes go through the readers; runs whose
//! records stand apart (spans of one trace, messages of one session) are held back until a piece brings nothing new of them.

use super::cut::{Cut, Cutter, Layout, RECORD};
use super::document::{self, Document, Records, warn_of_noise};
use super::format::{self, Format};
use super::json::Node;
use super::promptfoo::{self, Naming};
use super::read::{ReadTrace, UNKNOWN, Warning};
use super::window::Window;
use super::{junit, mapped};
use crate::config::Mapping;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes that must be looked at to begin with, or the whole file if it is shorter.
pub const PREFIX: usize = RECORD;
/// Bytes of records that are read at once.
const PIECE: usize = 4_000_000;
/// Bytes of records that are held back for runs that are not whole.
const HELD: usize = 24_000_000;
/// Records that are held back: short ones take more memory than their bytes.
const HELD_RECORDS: usize = 60_000;
/// Records of a list that the format is known by.
const HEADS: usize = 8;
/// Warnings that are told; the rest are counted.
const TOLD: usize = 200;

/// The first look through a file.
pub struct Survey {
    format: Option<Format>,
    mapping: Option<Mapping>,
    layout: Layout,
    noisy: bool,
    cutter: Cutter,
    seen: Seen,
}

/// What the first look has seen.
#[derive(Default)]
struct Seen {
    /// The fields beside the lists, by their dotted names.
    fields: Vec<(String, String)>,
    bytes: usize,
    too_much: bool,
    lists: Vec<String>,
    /// The first records of each list.
    heads: BTreeMap<String, Vec<(usize, String)>>,
    /// What promptfoo's rows compare; two are enough.
    variants: BTreeSet<String>,
}

impl std::fmt::Debug for Survey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

impl Survey {
    /// Begins with the first [`PREFIX`] bytes. `None` if the file is of a kind that is read otherwise: XML, or Python's notation.
    pub fn new(format: Option<Format>, mapping: Option<&Mapping>, prefix: &[u8]) -> Option<Self> {
        let text = text_of(without_mark(prefix));
        if junit::recognises(&text) || format == Some(Format::Junit) || document::is_python(&text) {
            return None;
        }
        let lines = document::lines_of(&text);
        let layout = lines.map_or(Layout::Value, |_| Layout::Lines);
        Some(Self {
            format,
            mapping: mapping.cloned(),
            layout,
            noisy: lines.unwrap_or(false),
            cutter: Cutter::new(layout),
            seen: Seen::default(),
        })
    }

    fn how(&self, heads: &Document<'_>) -> Option<How> {
        let fits = |mapping: &&Mapping| self.format.is_none() && heads.has_list("") && mapped::fits(mapping, heads);
        let mapped = self
            .mapping
            .as_ref()
            .filter(fits)
            .cloned()
            .map(|mapping| How::Mapped(Box::new(mapping)));
        let format = || self.format.or_else(|| format::of(heads)).map(How::Format);
        mapped.or_else(format)
    }

    /// Looks at the next bytes of the file, from the first on.
    pub fn push(&mut self, bytes: &[u8]) {
        let seen = &mut self.seen;
        self.cutter.push(bytes, &mut |cut| seen.take(&cut));
    }

    /// What was learned.
    ///
    /// # Errors
    /// The warning to tell when the file has no format that sprag knows.
    pub fn finish(mut self, name: &str) -> Result<Stream, Warning> {
        let mut seen = std::mem::take(&mut self.seen);
        // What is wrong with the file is told by the second look.
        let cutter = std::mem::replace(&mut self.cutter, Cutter::new(self.layout));
        cutter.finish(&mut |cut| seen.take(&cut));
        let mut heads = seen.document("", &[], &self);
        for (list, records) in &seen.heads {
            heads.join(seen.document(list, records, &self));
        }
        let how = self.how(&heads).ok_or_else(|| Warning::new(name, UNKNOWN))?;
        drop(heads);
        let mut stream = Stream {
            how,
            layout: self.layout,
            noisy: self.noisy,
            fields: seen.fields,
            lists: seen.lists,
            cutter: Cutter::new(self.layout),
            piece: Piece::default(),
            reading: Reading::default(),
        };
        stream.reading.window.naming = Some(Naming::new(seen.variants.len() > 1));
        if seen.too_much {
            let message = format!(
                "the fields beside the runs have more than {} MB; the rest of them is left out",
                RECORD / 1_000_000
            );
            stream.reading.warnings.push(Warning::new(name, message));
        }
        Ok(stream)
    }
}

/// Which reader the pieces go through.
#[derive(Debug)]
enum How {
    Mapped(Box<Mapping>),
    Format(Format),
}

impl Seen {
    /// The fields, and some records of a list.
    fn document<'s>(&'s self, list: &'s str, records: &'s [(usize, String)], survey: &Survey) -> Document<'s> {
        let part = Records {
            list,
            by_line: survey.layout == Layout::Lines,
            noisy: survey.noisy,
            records: records.iter().map(|(number, text)| (*number, text.as_str())).collect(),
        };
        Document::of_part(&self.fields, &self.lists, &part, &mut Vec::new()).0
    }

    fn take(&mut self, cut: &Cut<'_>) {
        match cut {
            Cut::List(name) => self.lists.push((*name).to_owned()),
            Cut::Field(name, text) => {
                self.bytes += text.len();
                self.too_much |= self.bytes > RECORD;
                if self.bytes <= RECORD {
                    let text = String::from_utf8_lossy(text).into_owned();
                    // What is no JSON would make the fields beside it unreadable.
                    if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
                        self.fields.push(((*name).to_owned(), text));
                    }
                }
            }
            Cut::Item(list, number, text) => {
                let heads = self.heads.entry((*list).to_owned()).or_default();
                if heads.len() < HEADS {
                    heads.push((*number, String::from_utf8_lossy(text).into_owned()));
                }
                if self.variants.len() < 2 && matches!(*list, "" | "results" | "results.results") {
                    self.variants.extend(variant(text));
                }
            }
        }
    }
}

fn variant(row: &[u8]) -> Option<String> {
    let row = String::from_utf8_lossy(row);
    let row = Node::of_text("", &row)?.as_object()?;
    promptfoo::recognises_row(&row).then(|| promptfoo::variant(&row))
}

/// The second look through a file: runs come out as soon as they are whole.
pub struct Stream {
    how: How,
    layout: Layout,
    noisy: bool,
    fields: Vec<(String, String)>,
    lists: Vec<String>,
    cutter: Cutter,
    piece: Piece,
    reading: Reading,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("how", &self.how).finish_non_exhaustive()
    }
}

/// Records that are read together.
#[derive(Default)]
struct Piece {
    list: String,
    records: Vec<(usize, String)>,
    /// So many of them were held back from the piece before.
    held: usize,
    held_bytes: usize,
    fresh_bytes: usize,
}

/// What goes on from piece to piece.
#[derive(Default)]
struct Reading {
    window: Window,
    noise: usize,
    pieces: usize,
    warnings: Vec<Warning>,
    /// Warnings that are not told.
    untold: usize,
}

impl Stream {
    /// Reads the next bytes of the file, from the first on. Runs that are whole go to `take`.
    pub fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(ReadTrace)) {
        let mut cutter = std::mem::replace(&mut self.cutter, Cutter::new(self.layout));
        cutter.push(bytes, &mut |cut| self.cut(&cut, take));
        self.cutter = cutter;
    }

    /// The file is at its end: the last runs, and what was wrong.
    pub fn finish(mut self, take: &mut dyn FnMut(ReadTrace)) -> Vec<Warning> {
        let cutter = std::mem::replace(&mut self.cutter, Cutter::new(self.layout));
        let mut last = cutter.finish(&mut |cut| self.cut(&cut, take));
        if !self.piece.records.is_empty() || self.reading.pieces == 0 {
            self.read(false, take);
        }
        let mut warnings = self.reading.warnings;
        warn_of_noise(self.reading.noise, &mut last);
        warnings.append(&mut last);
        if self.reading.untold > 0 {
            warnings.push(Warning::new(
                "",
                format!("and {} more of the kind", self.reading.untold),
            ));
        }
        warnings
    }

    fn cut(&mut self, cut: &Cut<'_>, take: &mut dyn FnMut(ReadTrace)) {
        let Cut::Item(list, number, text) = cut else { return };
        if self.piece.list != *list {
            if !self.piece.records.is_empty() {
                self.read(false, take);
            }
            (*list).clone_into(&mut self.piece.list);
        }
        let text = String::from_utf8_lossy(text);
        if matches!(text, std::borrow::Cow::Owned(_)) {
            let place = if self.layout == Layout::Lines {
                format!("line {number}")
            } else {
                format!("{list}[{number}]")
            };
            self.reading
                .warn(Warning::new(place, "not UTF-8; the bytes that are none are replaced"));
        }
        self.piece.fresh_bytes += text.len();
        self.piece.records.push((*number, text.into_owned()));
        if self.piece.fresh_bytes >= PIECE {
            // Records that wait for others may take only so much; then their runs are finished as they are.
            let more = self.piece.held_bytes < HELD && self.piece.records.len() < HELD_RECORDS;
            self.read(more, take);
        }
    }

    /// Reads the piece; `more` says whether runs may be held back.
    fn read(&mut self, more: bool, take: &mut dyn FnMut(ReadTrace)) {
        let piece = std::mem::take(&mut self.piece);
        let mut warnings = Vec::new();
        let part = Records {
            list: &piece.list,
            by_line: self.layout == Layout::Lines,
            noisy: self.noisy,
            records: piece
                .records
                .iter()
                .map(|(number, text)| (*number, text.as_str()))
                .collect(),
        };
        let (document, noise) = Document::of_part(&self.fields, &self.lists, &part, &mut warnings);
        let window = &mut self.reading.window;
        (window.fresh, window.more) = (piece.held, more);
        window.keep.clear();
        let kept = document.numbers();
        let traces = match &self.how {
            How::Mapped(mapping) => mapped::read_list(mapping, &document, &mut warnings),
            How::Format(format) => format.read(&document, window, &mut warnings).alone(&mut warnings),
        };
        traces.into_iter().for_each(take);
        let numbers: BTreeSet<usize> = window.keep.iter().filter_map(|at| kept.get(*at).copied()).collect();
        drop(document);
        self.reading.noise += noise;
        self.reading.pieces += 1;
        warnings.into_iter().for_each(|warning| self.reading.warn(warning));
        let held = piece.records.into_iter().filter(|(number, _)| numbers.contains(number));
        self.piece.records = held.collect();
        self.piece.list = piece.list;
        self.piece.held = self.piece.records.len();
        self.piece.held_bytes = self.piece.records.iter().map(|(_, text)| text.len()).sum();
    }
}

impl Reading {
    fn warn(&mut self, warning: Warning) {
        // A record that was held back is read again, and says the same again.
        if self.warnings.contains(&warning) {
            return;
        }
        if self.warnings.len() < TOLD {
            self.warnings.push(warning);
        } else {
            self.untold += 1;
        }
    }
}

pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// The text that bytes begin with.
pub(super) fn text_of(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        // It breaks off within a letter.
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests;
