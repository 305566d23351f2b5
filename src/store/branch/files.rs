//! The files of the state branch: what they are called, how they are written, and whether one can be believed.

use super::Stored;
use serde::{Deserialize, Serialize};
use sprag_core::hash;
use std::io::Read as _;

/// The newest major version of the format that this sprag knows.
pub(super) const MAJOR: u32 = 1;
/// Most records a segment has.
pub(super) const SEGMENT: usize = 256;
/// Most bytes of records a segment has before it is packed: servers like objects below 1 MB.
pub(super) const SEGMENT_BYTES: usize = 900_000;
/// A file larger than this is not one of ours, packed or not.
const MOST: u64 = 8 << 20;
/// zstd's default.
const LEVEL: i32 = 3;

/// A fact as its line stands in a file, whatever fields it has.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) line: String,
}

impl Record {
    /// The line of a fact; an error when no file could hold it.
    pub(super) fn new(stored: &Stored) -> Result<Self, std::io::Error> {
        let line = serde_json::to_string(stored)?;
        if line.len() > SEGMENT_BYTES {
            let problem = format!(
                "the fact {} has {} bytes, more than {SEGMENT_BYTES}",
                stored.id,
                line.len()
            );
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, problem));
        }
        Ok(Self {
            id: stored.id.clone(),
            at: stored.at.clone(),
            line,
        })
    }
}

/// The first line of every file of facts.
#[derive(Serialize, Deserialize)]
struct Header {
    /// The major version.
    v: u32,
    /// How many lines follow.
    n: usize,
    /// Of those lines.
    sha256: String,
    /// The commit that this transaction was put on; none in a segment, which is the same wherever it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<String>,
}

/// A line of `segments/index.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) segment: String,
    pub(super) n: usize,
    pub(super) first: String,
    pub(super) last: String,
}

/// Why a file is not used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is right, but of this later version.
    Newer(u32),
    /// It is not what was written.
    Bad(String),
}

/// What a file of facts holds.
pub(super) struct Contents {
    pub(super) stored: Vec<Stored>,
    pub(super) records: Vec<Record>,
    /// Something is wrong with the file, but the facts are as they were written.
    pub(super) problem: Option<String>,
}

/// The text of a file of facts.
pub(super) fn write(records: &[&Record], prev: Option<String>) -> Result<String, std::io::Error> {
    let mut lines = String::new();
    for record in records {
        lines.push_str(&record.line);
        lines.push('\n');
    }
    let header = Header {
        v: MAJOR,
        n: records.len(),
        sha256: hash::sha256(&lines),
        prev,
    };
    Ok(format!("{}\n{lines}", serde_json::to_string(&header)?))
}

/// Reads a file of facts whose name has the beginning of its hash.
pub(super) fn read(bytes: &[u8], name: &str) -> Result<Contents, Trouble> {
    let text = std::str::from_utf8(bytes).map_err(|error| Trouble::Bad(format!("it is not text: {error}")))?;
    if hash::of_text(text).starts_with(name) {
        return lines(text, None);
    }
    let plain = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if hash::of_text(&plain).starts_with(name) {
        let problem = "its line ends were changed, or a mark was put before it; its facts are used".to_owned();
        return lines(&plain, Some(problem));
    }
    let header: Option<Header> = text.lines().next().and_then(|line| serde_json::from_str(line).ok());
    Err(Trouble::Bad(match header {
        _ if text.contains("\n<<<<<<< ") || text.starts_with("<<<<<<< ") => "it has conflict markers".to_owned(),
        None => "its first line cannot be read".to_owned(),
        Some(header) if text.lines().count() <= header.n || !text.ends_with('\n') => "it was cut off".to_owned(),
        Some(_) => "it was changed after it was written".to_owned(),
    }))
}

fn lines(text: &str, problem: Option<String>) -> Result<Contents, Trouble> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let bad = |error: serde_json::Error| Trouble::Bad(format!("a line cannot be read: {error}"));
    let header: Header = serde_json::from_str(first).map_err(bad)?;
    if header.v > MAJOR {
        return Err(Trouble::Newer(header.v));
    }
    if hash::sha256(rest) != header.sha256 {
        return Err(Trouble::Bad("its first line does not fit the others".to_owned()));
    }
    let mut contents = Contents {
        stored: Vec::with_capacity(header.n),
        records: Vec::with_capacity(header.n),
        problem,
    };
    for line in rest.lines() {
        let stored: Stored = serde_json::from_str(line).map_err(bad)?;
        contents.records.push(Record {
            id: stored.id.clone(),
            at: stored.at.clone(),
            line: line.to_owned(),
        });
        contents.stored.push(stored);
    }
    Ok(contents)
}

/// Packs the text of a segment.
pub(super) fn pack(text: &str) -> Result<Vec<u8>, std::io::Error> {
    zstd::encode_all(text.as_bytes(), LEVEL)
}

/// Unpacks a segment. What would grow without bounds is not unpacked.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut text = Vec::new();
    let unpacked = zstd::Decoder::new(bytes).and_then(|decoder| decoder.take(MOST + 1).read_to_end(&mut text));
    match unpacked {
        Ok(_) if text.len() as u64 <= MOST => Ok(text),
        Ok(_) => Err(Trouble::Bad("it is larger than any segment".to_owned())),
        Err(_) => Err(Trouble::Bad("it cannot be unpacked".to_owned())),
    }
}

/// Whether a stored object is too large to be one of ours.
pub(super) fn is_too_large(bytes: usize) -> bool {
    bytes as u64 > MOST
}

/// Cuts records into what fits a segment each.
pub(super) fn segments<'a>(records: &'a [&'a Record]) -> Vec<&'a [&'a Record]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (place, record) in records.iter().enumerate() {
        if place > start && (place - start == SEGMENT || bytes + record.line.len() > SEGMENT_BYTES) {
            parts.push(&records[start..place]);
            (start, bytes) = (place, 0);
        }
        bytes += record.line.len() + 1;
    }
    if start < records.len() {
        parts.push(&records[start..]);
    }
    parts
}

/// What a path of the branch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Format,
    Index,
    /// With the first digits of its hash.
    Events(&'a str),
    /// With its hash.
    Segment(&'a str),
    /// Under a folder of ours, but not one of ours.
    Stray,
    /// None of our business.
    Other,
}

/// Says so by the path alone.
pub(super) fn kind(path: &str) -> Kind<'_> {
    let is_hash = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match path {
        "format.json" => return Kind::Format,
        "segments/index.jsonl" => return Kind::Index,
        "events" | "segments" | "quarantine" => return Kind::Stray,
        _ => {}
    }
    if let Some(name) = path.strip_prefix("segments/") {
        return match name.strip_suffix(".jsonl.zst") {
            Some(hash) if is_hash(hash, 32) => Kind::Segment(hash),
            _ => Kind::Stray,
        };
    }
    if let Some(name) = path.strip_prefix("events/") {
        let hash = name.strip_suffix(".jsonl").and_then(|name| name.rsplit_once('-'));
        return match hash {
            Some((_, hash)) if is_hash(hash, 12) => Kind::Events(hash),
            _ => Kind::Stray,
        };
    }
    Kind::Other
}
