//! The state folder of a run: sixty ways to damage it.

use super::super::{Ground, Outcome, Tally};
use super::{Dice, restore, stride};
use crate::store::{DirStore, Store as _, StoreError};
use fs_err as fs;
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event};
use sprag_core::trial::{Trial, TrialStatus, Usage};
use std::path::{Path, PathBuf};

/// Entries: one segment, and what is newer.
const ENTRIES: usize = 300;

/// What is damaged is told and set aside; what can be believed is what was written.
pub(super) fn damaged(ground: &Ground) -> Outcome {
    let (whole, work) = (ground.scratch.join("whole"), ground.scratch.join("work"));
    let key = RunKey::new("0123456789abcdef0123456789abcdef");
    let trial = Trial {
        status: TrialStatus::Failed,
        score: 0.25,
        usage: Usage::default(),
        duration_ms: 1234,
        trace: None,
        rubrics: Vec::new(),
    };
    let (mut store, _) = DirStore::open(&whole)?;
    for n in 0..ENTRIES {
        let reason = format!("entry {n}: \u{201c}caf\u{e9}\u{201d}");
        store.append(format!("2026-07-25T10:11:{:02}Z", n % 60), Event::Finished { reason })?;
    }
    store.record(&key, &trial)?;
    let entries = store.entries().to_vec();
    drop(store);
    let mut tally = Tally::default();
    for (what, path, bytes) in damages(&whole)?.into_iter().step_by(stride(ground)) {
        restore(&whole, &work)?;
        match bytes {
            Some(bytes) => fs::write(work.join(&path), bytes)?,
            None => fs::remove_file(work.join(&path))?,
        }
        let name = format!("{what} of {}", path.display());
        tally.case(name, tried(&work, &entries, &key, &trial));
    }
    Ok(tally)
}

fn tried(work: &Path, entries: &[Entry], key: &RunKey, trial: &Trial) -> Result<(), String> {
    let (store, damage) = match DirStore::open(work) {
        Ok(opened) => opened,
        Err(StoreError::Newer { .. } | StoreError::Unreadable { .. }) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    // What covers the time is no part of what happened; where it is gone, nothing else is.
    let plain = |entries: &[Entry]| -> Vec<Entry> {
        let without = |entry: &Entry| Entry {
            sum: String::new(),
            ..entry.clone()
        };
        entries.iter().map(without).collect()
    };
    let (read, entries) = (plain(store.entries()), plain(entries));
    if read != entries && damage.is_empty() {
        return Err(format!(
            "{} of {} entries are read, and nobody was told",
            read.len(),
            entries.len()
        ));
    }
    if !entries.starts_with(&read) {
        return Err("it is not what was written".to_owned());
    }
    if let Some(lost) = damage.iter().find(|damage| !damage.kept_as.exists()) {
        return Err(format!("{} was not set aside", lost.path.display()));
    }
    match store.recorded(key) {
        Ok(Some(recorded)) if recorded.trial != *trial => Err("the recorded run is another".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// What is done, to which file, and what it holds then; none when it is deleted.
type Damage = (String, PathBuf, Option<Vec<u8>>);

fn damages(whole: &Path) -> Result<Vec<Damage>, std::io::Error> {
    let mut all: Vec<Damage> = Vec::new();
    let mut dice = Dice(11);
    let run = "runs/01/0123456789abcdef0123456789abcdef.json.zst";
    for path in ["events.jsonl", "segments/000001.jsonl.zst", run] {
        let bytes = fs::read(whole.join(path))?;
        for _ in 0..12 {
            let (at, bit) = (dice.below(bytes.len()), dice.below(8));
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            all.push((format!("bit {bit} of byte {at}"), path.into(), Some(flipped)));
        }
        for _ in 0..4 {
            // What is cut off at the end of a line is a folder as it was earlier, which nobody can tell from it.
            let cut = dice.below(bytes.len() - 1);
            let cut = if bytes[..cut].ends_with(b"\n") { cut + 1 } else { cut };
            all.push((
                format!("what follows byte {cut}"),
                path.into(),
                Some(bytes[..cut].to_vec()),
            ));
        }
        all.push(("all".to_owned(), path.into(), None));
    }
    let events = fs::read_to_string(whole.join("events.jsonl"))?;
    let lines: Vec<&str> = events.split_inclusive('\n').collect();
    let mut swapped = lines.clone();
    swapped.swap(3, 9);
    let mut short = lines.clone();
    short.remove(20);
    let texts = [
        ("two lines in each other's place", swapped.concat()),
        ("a missing line", short.concat()),
        (
            "conflict markers",
            format!("<<<<<<< HEAD\n{events}=======\n>>>>>>> other\n"),
        ),
        ("a mark before", format!("\u{feff}{events}")),
        ("line ends", events.replace('\n', "\r\n")),
        ("zeros behind", format!("{events}\0\0\0\0")),
        ("an endless line", format!("{events}{}", "x".repeat(4 << 20))),
    ];
    for (what, text) in texts {
        all.push((what.to_owned(), "events.jsonl".into(), Some(text.into_bytes())));
    }
    for format in [r#"{"major":99,"minor":0,"written_by":"later"}"#, "<<<<<<< HEAD\n{}", ""] {
        let what = format!("the version, which is {format:?}");
        all.push((what, "format.json".into(), Some(format.into())));
    }
    Ok(all)
}
