//! The facts of a repository while a job works with them: what the state branch holds, what was noted since, and the book of both.

use crate::flow::Clock;
use crate::forge::Forge;
use crate::store::{BranchStore, StoreError, Stored};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use sprag_core::book::Book;
use sprag_core::fact::{Fact, What};
use sprag_core::hash;
use std::collections::{BTreeMap, BTreeSet};
use tokio::runtime::Handle;

/// The most bytes of a fact that is kept in one piece, and of a part of one. As text in JSON a part may double, and a file of the branch
/// holds 900,000.
const PART_BYTES: usize = 400_000;
/// The type of a part.
const PART: &str = "part";

/// Facts, noted first and kept a little later: see [`Notebook::keep`].
#[expect(missing_debug_implementations, reason = "a clock is no data")]
pub struct Notebook {
    store: BranchStore,
    forge: Forge,
    book: Book,
    noted: Vec<Fact>,
    /// The time of the last fact of all.
    last: Timestamp,
    clock: Clock,
    job: String,
    /// Whether what is noted stays here: the job may write nowhere.
    holds: bool,
}

impl Notebook {
    /// Opens the facts of a state branch, whose tokens come from `forge`. `job` tells this job from others that run at the same time.
    ///
    /// # Errors
    /// When a fact cannot be understood.
    pub fn open(store: BranchStore, forge: Forge, clock: Clock, job: String) -> Result<Self, StoreError> {
        let book = fold(&store)?;
        let last = last(&store);
        let pace = forge.clone();
        Ok(Self {
            store: store.paced(move || pace.push_wait()),
            forge,
            book,
            noted: Vec::new(),
            last,
            clock,
            job,
            holds: false,
        })
    }

    /// Keeps nothing from now on: what is noted is for another job, which may write.
    #[must_use]
    pub fn held(self) -> Self {
        Self { holds: true, ..self }
    }

    /// What was noted and is not kept.
    pub fn noted(&self) -> &[Fact] {
        &self.noted
    }

    /// Takes over what another job noted, as it noted it.
    pub fn learn(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.last = self.last.max(fact.at.parse().unwrap_or(self.last));
            self.book.learn(&fact);
            self.noted.push(fact);
        }
    }

    /// What all facts add up to, those that are only noted included.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// What tells this job from others.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// Now, as RFC 3339.
    pub fn now(&self) -> String {
        (self.clock)()
    }

    /// Notes something that was learned just now.
    pub fn note(&mut self, what: What) {
        let at = match &what {
            What::RunEntry { entry, .. } => entry.at.clone(),
            _ => format!("{:.6}", self.after_all_others()),
        };
        self.learn(vec![Fact { at, what }]);
    }

    /// Now, or a moment after the last fact where clocks differ: what is learned later has the later time, on whatever machine.
    fn after_all_others(&self) -> Timestamp {
        let next = self.last + jiff::SignedDuration::from_micros(1);
        self.now().parse().map_or(next, |now: Timestamp| now.max(next))
    }

    /// Puts what was noted on the state branch, together with what other jobs put there meanwhile. When this returns, a kill loses nothing.
    pub fn keep(&mut self) -> Result<(), StoreError> {
        if self.holds || self.noted.is_empty() {
            return Ok(());
        }
        let stored: Vec<Stored> = self.noted.iter().flat_map(stored).collect();
        let new: BTreeSet<&str> = stored.iter().map(|fact| fact.id.as_str()).collect();
        let expected = self.store.facts().len() + new.iter().filter(|id| !self.store.has(id)).count();
        let now = self.now();
        // Pushing blocks; the other tasks of this thread move on meanwhile. A run may outlive its token, which is good for an hour.
        tokio::task::block_in_place(|| {
            self.store.renew(Handle::current().block_on(self.forge.token())?);
            self.store.publish(&stored, &now)
        })?;
        self.noted.clear();
        // What we noted is in the book already; what others did meanwhile is not.
        if self.store.facts().len() != expected {
            self.book = fold(&self.store)?;
            self.last = self.last.max(last(&self.store));
        }
        Ok(())
    }
}

/// The time of the last fact on the branch.
fn last(store: &BranchStore) -> Timestamp {
    let mut times = store.facts().iter().rev().filter_map(|fact| fact.at.parse().ok());
    times.next().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A fact as the branch keeps it: in several parts, if it is more than one file can hold.
fn stored(fact: &Fact) -> Vec<Stored> {
    let value = serde_json::to_value(&fact.what).unwrap_or_default();
    let text = value.to_string();
    if text.len() <= PART_BYTES {
        return vec![Stored {
            id: fact.id(),
            at: fact.at.clone(),
            fact: value,
        }];
    }
    let (id, parts) = (fact.id(), parts(&text));
    let n = parts.len();
    let part = |(number, text): (usize, &str)| Stored {
        id: hash::of(&("part", &id, number)),
        at: fact.at.clone(),
        fact: json!({"type": PART, "of": id, "number": number, "n": n, "text": text}),
    };
    parts.into_iter().enumerate().map(part).collect()
}

/// A text cut into pieces of at most [`PART_BYTES`].
fn parts(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let (part, rest) = text.split_at(text.floor_char_boundary(PART_BYTES));
        parts.push(part);
        text = rest;
    }
    parts
}

/// One part of a fact.
#[derive(Deserialize)]
struct Part {
    of: String,
    number: usize,
    n: usize,
    text: String,
}

fn fold(store: &BranchStore) -> Result<Book, StoreError> {
    let mut facts = Vec::with_capacity(store.facts().len());
    let mut parted: BTreeMap<String, BTreeMap<usize, Part>> = BTreeMap::new();
    let mut understand = |id: &str, at: &str, what: serde_json::Result<What>| match what {
        Ok(what) => facts.push(Fact {
            at: at.to_owned(),
            what,
        }),
        // What a newer minor version knows besides is left alone: it stays on the branch, and this version does without it.
        Err(error) => tracing::warn!("fact {id} of the state branch is not understood ({error})"),
    };
    for stored in store.facts() {
        if stored.fact["type"] != PART {
            understand(&stored.id, &stored.at, serde_json::from_value(stored.fact.clone()));
            continue;
        }
        let Ok(part) = serde_json::from_value::<Part>(stored.fact.clone()) else {
            tracing::warn!("part {} of a fact of the state branch is not understood", stored.id);
            continue;
        };
        let (of, n) = (part.of.clone(), part.n);
        let parts = parted.entry(of.clone()).or_default();
        parts.insert(part.number, part);
        if parts.len() == n {
            let text: String = parts.values().map(|part| part.text.as_str()).collect();
            understand(&of, &stored.at, serde_json::from_str(&text));
            parted.remove(&of);
        }
    }
    for of in parted.keys() {
        tracing::warn!("fact {of} of the state branch lacks a part, and is left out");
    }
    Ok(Book::fold(&facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_nothing_is_lost() {
        let text = "€".repeat(PART_BYTES);
        let parts = parts(&text);
        assert!(parts.len() == 4 && parts.iter().all(|part| part.len() <= PART_BYTES));
        assert_eq!(parts.concat(), text);
    }
}
