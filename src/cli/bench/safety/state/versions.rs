//! States of every version: those that were kept from then, and made-up ones.

use super::super::{Ground, Outcome, Tally};
use super::{Dice, fact};
use crate::store::branch::tamper;
use crate::store::{BranchStore, DirStore, Store as _, StoreError};
use crate::workspace::Remote;
use fs_err as fs;
use sprag_core::ledger::Event;
use std::collections::BTreeMap;
use std::path::Path;

/// A folder as version 1 of the format was written, kept from the day it was frozen.
const V1: (&str, &str) = (include_str!("v1/format.json"), include_str!("v1/events.jsonl"));
/// A fact of a branch as version 1 wrote it, with fields that no version knows.
const V1_FACT: &str = include_str!("v1/fact.jsonl");
const NOW: &str = "2026-07-25T10:11:12Z";

pub(super) fn read(ground: &Ground) -> Outcome {
    let mut tally = Tally::default();
    tally.case(
        "a folder of version 1, which measured otherwise",
        older(&ground.scratch.join("v1")),
    );
    tally.case(
        "facts of version 1, with unknown fields",
        unknown(&ground.scratch.join("facts")),
    );
    tally.case("a folder of a later version", newer(&ground.scratch.join("newer")));
    let mut dice = Dice(3);
    for n in 0..if ground.quick { 60 } else { 500 } {
        let folder = ground.scratch.join(format!("made-{n}"));
        tally.case(format!("made-up state {n}"), made_up(&folder, &mut dice));
        fs::remove_dir_all(&folder)?;
    }
    Ok(tally)
}

/// It is named and left as it is: what it measured stage by stage is not what is measured since.
fn older(folder: &Path) -> Result<(), String> {
    let (format, events) = V1;
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    fs::write(folder.join("format.json"), format).map_err(|error| error.to_string())?;
    fs::write(folder.join("events.jsonl"), events).map_err(|error| error.to_string())?;
    let before = bytes(folder)?;
    match DirStore::open(folder) {
        Err(StoreError::Older { found: 1, .. }) => {}
        Err(error) => return Err(error.to_string()),
        Ok(_) => return Err("it was opened".to_owned()),
    }
    let after = bytes(folder)?;
    let differs = before.iter().find(|(path, bytes)| after.get(*path) != Some(bytes));
    differs.map_or(Ok(()), |(path, _)| Err(format!("refusing it changed {path}")))
}

/// Opening a state twice is opening it once.
fn same_when_opened_again(folder: &Path) -> Result<(), String> {
    let before = bytes(folder)?;
    drop(DirStore::open(folder).map_err(|error| error.to_string())?);
    let after = bytes(folder)?;
    let differs = after.iter().find(|(path, bytes)| before.get(*path) != Some(bytes));
    match differs {
        Some((path, _)) => Err(format!("opening it again changed {path}")),
        None => Ok(()),
    }
}

fn bytes(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let path = file.map_err(|error| error.to_string())?.path();
        if path.is_file() {
            all.insert(
                path.display().to_string(),
                fs::read(&path).map_err(|error| error.to_string())?,
            );
        }
    }
    Ok(all)
}

/// Fields that this version does not know are kept byte for byte, also where facts are folded.
fn unknown(folder: &Path) -> Result<(), String> {
    let server = folder.join("server.git");
    tamper::server(&server).map_err(|error| error.to_string())?;
    let remote = || Remote {
        url: server.to_string_lossy().into_owned(),
        token: None,
    };
    let open = |cache: &str| BranchStore::open(remote(), "sprag/state", &folder.join(cache));
    let (mut store, _) = open("a").map_err(|error| error.to_string())?;
    store.publish(&[fact(0)], NOW).map_err(|error| error.to_string())?;
    let mut files = tamper::read(&server, "sprag/state").map_err(|error| error.to_string())?;
    let (path, events) = tamper::events(V1_FACT, 1);
    files.insert(path, events);
    tamper::commit(&server, "sprag/state", &files, true).map_err(|error| error.to_string())?;
    let (mut store, damage) = open("b").map_err(|error| error.to_string())?;
    store
        .publish(&(1..400).map(fact).collect::<Vec<_>>(), NOW)
        .map_err(|error| error.to_string())?;
    let after = tamper::read(&server, "sprag/state").map_err(|error| error.to_string())?;
    let folded = after.iter().filter(|(path, _)| path.ends_with(".zst"));
    let folded = folded.map(|(_, bytes)| zstd::decode_all(bytes.as_slice()).unwrap_or_default());
    let kept = folded
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .any(|text| V1_FACT.lines().all(|line| text.lines().any(|kept| kept == line)));
    match (damage.is_empty(), kept) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("{damage:?}")),
        (_, false) => Err("they are not what was written".to_owned()),
    }
}

fn newer(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let format = r#"{"major":9,"minor":0,"written_by":"sprag 9"}"#;
    fs::write(folder.join("format.json"), format).map_err(|error| error.to_string())?;
    match DirStore::open(folder) {
        Err(StoreError::Newer { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("it was opened".to_owned()),
    }
}

fn made_up(folder: &Path, dice: &mut Dice) -> Result<(), String> {
    let (mut store, _) = DirStore::open(folder).map_err(|error| error.to_string())?;
    let n = dice.below(12);
    for _ in 0..n {
        let letters = ['a', ' ', '\n', '"', '\\', '\u{e9}', '\u{2028}', '\u{1f600}', '\0', '{'];
        let reason: String = (0..dice.below(60))
            .map(|_| letters[dice.below(letters.len())])
            .collect();
        store
            .append(NOW.to_owned(), Event::Finished { reason })
            .map_err(|error| error.to_string())?;
    }
    let entries = store.entries().to_vec();
    drop(store);
    let (store, damage) = DirStore::open(folder).map_err(|error| error.to_string())?;
    if !damage.is_empty() || store.entries() != entries {
        return Err(format!("{} of {n} entries are read: {damage:?}", store.entries().len()));
    }
    drop(store);
    same_when_opened_again(folder)
}
