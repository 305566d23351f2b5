//! A state as one file that can be carried to another machine: compressed lines, the first of which says how many follow and what their hash is.
//!
//! `{"sprag":"state","v":1,"n":2,"sha256":"…"}`, then `{"entry":…}` for each entry of a ledger, in order, and `{"fact":{"id","at","fact"}}` for each fact.

use super::Stored;
use serde::{Deserialize, Serialize};
use sprag_core::fact::{Fact, What};
use sprag_core::hash;
use sprag_core::ledger::Entry;
use std::io::Read as _;

/// The version of this file.
const VERSION: u32 = 1;
/// No state has more bytes, unpacked.
const MOST: u64 = 4 << 30;
/// zstd's default.
const LEVEL: i32 = 3;

/// What a state is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Portable {
    /// The ledger of a run; empty for a state branch.
    pub ledger: Vec<Entry>,
    /// Facts.
    pub facts: Vec<Stored>,
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortableError {
    /// It is something else.
    #[error("it is no exported state: {0}")]
    Foreign(String),
    /// It is of a later version.
    #[error("it has version {0}, and this sprag reads up to {VERSION}")]
    Newer(u32),
    /// It is not what was written.
    #[error("it was changed after it was written: {0}")]
    Changed(String),
}

#[derive(Serialize, Deserialize)]
struct Header {
    sprag: String,
    v: u32,
    n: usize,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Entry(Entry),
    Fact(Stored),
}

impl Portable {
    /// The bytes of the file.
    ///
    /// # Errors
    /// When something cannot be written as JSON.
    pub fn pack(&self) -> Result<Vec<u8>, std::io::Error> {
        let mut lines = String::new();
        let entries = self.ledger.iter().map(|entry| Line::Entry(entry.clone()));
        for line in entries.chain(self.facts.iter().map(|fact| Line::Fact(fact.clone()))) {
            lines.push_str(&serde_json::to_string(&line)?);
            lines.push('\n');
        }
        let header = Header {
            sprag: "state".to_owned(),
            v: VERSION,
            n: self.ledger.len() + self.facts.len(),
            sha256: hash::sha256(&lines),
        };
        zstd::encode_all(
            format!("{}\n{lines}", serde_json::to_string(&header)?).as_bytes(),
            LEVEL,
        )
    }

    /// Reads a file, and takes it only if it is whole: its hash, the chain of its entries, and the id of each fact.
    ///
    /// # Errors
    /// When it is not.
    pub fn unpack(bytes: &[u8]) -> Result<Self, PortableError> {
        let foreign = |what: &dyn std::fmt::Display| PortableError::Foreign(what.to_string());
        let changed = |what: &str| PortableError::Changed(what.to_owned());
        let mut text = String::new();
        let unpacked = zstd::Decoder::new(bytes).and_then(|file| file.take(MOST).read_to_string(&mut text));
        unpacked.map_err(|error| foreign(&error))?;
        let (first, lines) = text.split_once('\n').ok_or_else(|| foreign(&"it has no lines"))?;
        let header: Header = serde_json::from_str(first).map_err(|error| foreign(&error))?;
        if header.sprag != "state" {
            return Err(foreign(&"its first line says so"));
        }
        if header.v > VERSION {
            return Err(PortableError::Newer(header.v));
        }
        if hash::sha256(lines) != header.sha256 || lines.lines().count() != header.n {
            return Err(changed("its first line does not fit the others"));
        }
        let mut read = Self::default();
        for line in lines.lines() {
            match serde_json::from_str(line).map_err(|error| PortableError::Changed(error.to_string()))? {
                Line::Entry(entry) if entry.follows(read.ledger.last()) => read.ledger.push(entry),
                Line::Entry(entry) => return Err(changed(&format!("entry {} does not follow", entry.seq))),
                Line::Fact(fact) if is_itself(&fact) => read.facts.push(fact),
                Line::Fact(fact) => return Err(changed(&format!("the fact {} is another", fact.id))),
            }
        }
        Ok(read)
    }
}

/// Whether a fact has the id of what it is about; of those that this version does not know nobody can tell here.
fn is_itself(stored: &Stored) -> bool {
    let Ok(what) = serde_json::from_value::<What>(stored.fact.clone()) else {
        return true;
    };
    let at = stored.at.clone();
    Fact { at, what }.id() == stored.id
}

#[cfg(test)]
mod tests {
    use super::*;
    use sprag_core::ledger::Event;

    fn state() -> Portable {
        let mut ledger: Vec<Entry> = Vec::new();
        for n in 0..3 {
            let reason = format!("entry {n}");
            ledger.push(Entry::after(
                ledger.last(),
                "now".to_owned(),
                Event::Finished { reason },
            ));
        }
        let fact = Fact {
            at: "2026-07-25T10:11:12Z".to_owned(),
            what: What::ReadUntil {
                stream: "comments".to_owned(),
                cursor: "1".to_owned(),
            },
        };
        let facts = vec![Stored {
            id: fact.id(),
            at: fact.at.clone(),
            fact: serde_json::to_value(&fact.what).unwrap(),
        }];
        Portable { ledger, facts }
    }

    #[test]
    fn what_was_packed_is_unpacked_and_what_was_changed_is_not() {
        let state = state();
        let packed = state.pack().unwrap();
        assert_eq!(Portable::unpack(&packed), Ok(state.clone()));
        let text = String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
        let with = |old: &str, new: &str| zstd::encode_all(text.replacen(old, new, 1).as_bytes(), 1).unwrap();
        for (old, new) in [("entry 1", "entry 9"), ("\"n\":4", "\"n\":3"), ("comments", "issues")] {
            assert!(
                matches!(Portable::unpack(&with(old, new)), Err(PortableError::Changed(_))),
                "{old}"
            );
        }
        assert_eq!(
            Portable::unpack(&with("\"v\":1", "\"v\":9")),
            Err(PortableError::Newer(9))
        );
        for other in [&b"hello"[..], &packed[..packed.len() / 2], &with("\"state\"", "\"x\"")] {
            assert!(matches!(Portable::unpack(other), Err(PortableError::Foreign(_))));
        }
        // Whoever changes the hash, too, still has to make a chain, and ids that fit.
        let mut forged = state;
        forged.ledger[1].at = "later".to_owned();
        let told = Portable::unpack(&forged.pack().unwrap()).unwrap_err();
        assert_eq!(told, PortableError::Changed("entry 2 does not follow".to_owned()));
    }
}
