//! The state branch: writers that race, and a hundred and forty ways to damage it.

use super::super::{Ground, Outcome, Tally};
use super::{Dice, fact, restore, stride};
use crate::store::branch::tamper::{self, Files};
use crate::store::{BranchStore, Damage, StoreError, Stored};
use crate::workspace::Remote;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const BRANCH: &str = "sprag/state";
const NOW: &str = "2026-07-25T10:11:12Z";
/// Writers that race.
const WRITERS: usize = 8;

/// A server and the caches of its clones.
struct Place(PathBuf);

impl Place {
    fn server(&self) -> PathBuf {
        self.0.join("server.git")
    }

    fn open(&self, cache: &str) -> Result<(BranchStore, Vec<Damage>), StoreError> {
        let remote = Remote {
            url: self.server().to_string_lossy().into_owned(),
            token: None,
        };
        let (store, damage) = BranchStore::open(remote, BRANCH, &self.0.join(cache))?;
        Ok((store.patient(1000, |_| std::thread::yield_now()), damage))
    }
}

/// Every fact of every writer is there once, however they race.
pub(super) fn raced(ground: &Ground) -> Outcome {
    let mut tally = Tally::default();
    // Each of them adds so many facts, one after the other.
    let (rounds, appends) = if ground.quick { (1, 6) } else { (3, 25) };
    for round in 0..rounds {
        let place = Place(ground.scratch.join(format!("race-{round}")));
        tamper::server(&place.server())?;
        let results: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
            let write = |writer: usize| {
                let place = &place;
                scope.spawn(move || {
                    let (mut store, _) = place.open(&format!("writer-{writer}"))?;
                    (0..appends).try_for_each(|n| store.publish(&[fact(writer * appends + n)], NOW))
                })
            };
            let writers: Vec<_> = (0..WRITERS).map(write).collect();
            let joined = writers.into_iter().map(|writer| writer.join());
            joined
                .map(|joined| joined.unwrap_or_else(|_| Err(std::io::Error::other("a writer panicked").into())))
                .collect()
        });
        results.into_iter().collect::<Result<(), _>>()?;
        let counts = tamper::counts(&tamper::read(&place.server(), BRANCH)?);
        for n in 0..WRITERS * appends {
            let times = counts.get(&fact(n).id).copied().unwrap_or(0);
            let outcome = if times == 1 {
                Ok(())
            } else {
                Err(format!("it is there {times} times"))
            };
            tally.case(format!("round {round}, fact {n}"), outcome);
        }
    }
    Ok(tally)
}

/// What is damaged is told, the rest is used, and whoever knew it all puts it back.
pub(super) fn damaged(ground: &Ground) -> Outcome {
    let place = Place(ground.scratch.join("work"));
    let whole = ground.scratch.join("whole");
    tamper::server(&place.server())?;
    let (mut knows, _) = place.open("knows")?;
    knows.publish(&(0..600).map(fact).collect::<Vec<_>>(), NOW)?;
    for n in 0..3 {
        knows.publish(&(600 + n * 4..604 + n * 4).map(fact).collect::<Vec<_>>(), NOW)?;
    }
    drop(knows);
    restore(&place.0, &whole)?;
    let files = tamper::read(&place.server(), BRANCH)?;
    let all: Vec<Stored> = (0..612).map(fact).collect();
    let mut tally = Tally::default();
    for damage in damages(&files).into_iter().step_by(stride(ground)) {
        restore(&whole, &place.0)?;
        tally.case(&damage.what, tried(&place, &damage, &all));
    }
    for gone in [true, false] {
        restore(&whole, &place.0)?;
        let what = if gone {
            "a branch that was deleted"
        } else {
            "a branch that was rewritten"
        };
        tally.case(what, gone_or_rewritten(&place, gone, &files, &all));
    }
    Ok(tally)
}

/// One way to damage the branch.
struct Damaged {
    what: String,
    files: Files,
    /// The file that was damaged, whose facts may be lost to whoever has not seen them.
    path: String,
    /// Whether only those can tell who have seen it: git keeps what was deleted, and the deletion is no damage.
    known_only: bool,
}

fn tried(place: &Place, damaged: &Damaged, all: &[Stored]) -> Result<(), String> {
    let failed = |error: StoreError| error.to_string();
    tamper::commit(&place.server(), BRANCH, &damaged.files, true).map_err(failed)?;
    let (fresh, damage) = match place.open("fresh") {
        Ok(opened) => opened,
        // Nothing is touched that a newer sprag wrote.
        Err(StoreError::Newer { .. }) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if damage.is_empty() && !damaged.known_only {
        return Err("nobody was told".to_owned());
    }
    let lost: BTreeSet<&str> = (all.iter().map(|fact| fact.id.as_str()))
        .filter(|id| !fresh.has(id))
        .collect();
    let of_path = tamper::counts(&Files::from([(
        damaged.path.clone(),
        damaged.files.get(&damaged.path).cloned().unwrap_or_default(),
    )]));
    let may_lose = if damaged.path.starts_with("segments/") { 256 } else { 12 };
    if lost.len() > may_lose.max(of_path.len()) {
        return Err(format!("{} facts are lost", lost.len()));
    }
    if let Some(other) = fresh.facts().iter().find(|fact| !all.contains(fact)) {
        return Err(format!("{} is not what was written", other.id));
    }
    drop(fresh);
    come_back(place, all)
}

/// Whoever has seen everything has it still, and puts it back for the others.
fn come_back(place: &Place, all: &[Stored]) -> Result<(), String> {
    let failed = |error: StoreError| error.to_string();
    let (mut knows, _) = place.open("knows").map_err(failed)?;
    if knows.facts().len() != all.len() {
        return Err(format!(
            "of {} facts, a clone that knew them has {}",
            all.len(),
            knows.facts().len()
        ));
    }
    knows.publish(&[], NOW).map_err(failed)?;
    let (after, damage) = place.open("after").map_err(failed)?;
    if !damage.is_empty() || after.facts() != all {
        return Err(format!(
            "put right, it has {} facts, and {damage:?}",
            after.facts().len()
        ));
    }
    let counts = tamper::counts(&tamper::read(&place.server(), BRANCH).map_err(failed)?);
    match counts.iter().find(|(_, times)| **times != 1) {
        Some((id, times)) => Err(format!("put right, {id} is there {times} times")),
        None => Ok(()),
    }
}

fn gone_or_rewritten(place: &Place, gone: bool, files: &Files, all: &[Stored]) -> Result<(), String> {
    let server: &Path = &place.server();
    let few: Files = (files.iter().filter(|(path, _)| !path.starts_with("events/")))
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect();
    let done = if gone {
        tamper::delete(server, BRANCH)
    } else {
        tamper::commit(server, BRANCH, &few, false)
    };
    done.map_err(|error| error.to_string())?;
    let (_, damage) = place.open("knows").map_err(|error| error.to_string())?;
    if damage.is_empty() {
        return Err("nobody was told".to_owned());
    }
    come_back(place, all)
}

/// All of them.
fn damages(good: &Files) -> Vec<Damaged> {
    let mut all = Vec::new();
    let mut dice = Dice(7);
    let paths: Vec<&String> = good.keys().collect();
    let facts: Vec<&&String> = paths
        .iter()
        .filter(|path| path.starts_with("events/") || path.ends_with(".zst"))
        .collect();
    let mut add = |what: String, path: &str, bytes: Option<Vec<u8>>, known_only| {
        let mut files = good.clone();
        match bytes {
            Some(bytes) => files.insert(path.to_owned(), bytes),
            None => files.remove(path),
        };
        all.push(Damaged {
            what: format!("{what} of {path}"),
            files,
            path: path.to_owned(),
            known_only,
        });
    };
    for path in &facts {
        let bytes = &good[**path];
        for _ in 0..11 {
            let (at, bit) = (dice.below(bytes.len()), dice.below(8));
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            add(format!("bit {bit} of byte {at}"), path, Some(flipped), false);
            let cut = dice.below(bytes.len() - 1);
            add(
                format!("what follows byte {cut}"),
                path,
                Some(bytes[..cut].to_vec()),
                false,
            );
        }
        let marked = [b"<<<<<<< HEAD\n", bytes.as_slice(), b"=======\n>>>>>>> other\n"].concat();
        add("conflict markers".to_owned(), path, Some(marked), false);
        add("all".to_owned(), path, None, path.starts_with("events/"));
    }
    for path in facts.iter().filter(|path| path.starts_with("events/")) {
        let text = String::from_utf8_lossy(&good[**path]).into_owned();
        let mut zeros = text.clone().into_bytes();
        zeros[200..220].fill(0);
        add(
            "line ends".to_owned(),
            path,
            Some(text.replace('\n', "\r\n").into_bytes()),
            false,
        );
        add(
            "a mark before".to_owned(),
            path,
            Some(format!("\u{feff}{text}").into_bytes()),
            false,
        );
        add("zeros in".to_owned(), path, Some(zeros), false);
    }
    let (later, bytes) = tamper::events("{\"id\":\"x\",\"at\":\"now\",\"fact\":{}}\n", 99);
    add("a later version".to_owned(), &later, Some(bytes), false);
    let (endless, bytes) = tamper::events(&format!("{{\"id\":\"{}\"}}\n", "x".repeat(9 << 20)), 1);
    add("an endless line".to_owned(), &endless, Some(bytes), false);
    let later = br#"{"major":99,"minor":0,"written_by":"later"}"#.to_vec();
    add("the version".to_owned(), "format.json", Some(later), false);
    for path in ["format.json", "segments/index.jsonl"] {
        add("all".to_owned(), path, None, false);
        let mut marked = b"<<<<<<< HEAD\n".to_vec();
        marked.extend(&good[path]);
        add("conflict markers".to_owned(), path, Some(marked), false);
    }
    add(
        "a stray file".to_owned(),
        "events/notes.txt",
        Some(b"hello".to_vec()),
        false,
    );
    all
}
