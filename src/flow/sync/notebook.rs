//! The facts of a repository while a job works with them: what the state branch holds, what was noted since, and the book of both.

use crate::flow::Clock;
use crate::forge::Forge;
use crate::store::{BranchStore, StoreError, Stored};
use jiff::Timestamp;
use sprag_core::book::Book;
use sprag_core::fact::{Fact, What};
use std::collections::BTreeSet;
use tokio::runtime::Handle;

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
}

impl Notebook {
    /// Opens the facts of a state branch, whose tokens come from `forge`. `job` tells this job from others that run at the same time.
    ///
    /// # Errors
    /// When a fact cannot be understood.
    pub fn open(store: BranchStore, forge: Forge, clock: Clock, job: String) -> Result<Self, StoreError> {
        let book = fold(&store)?;
        let last = last(&store);
        Ok(Self {
            store,
            forge,
            book,
            noted: Vec::new(),
            last,
            clock,
            job,
        })
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
        self.last = self.last.max(at.parse().unwrap_or(self.last));
        let fact = Fact { at, what };
        self.book.learn(&fact);
        self.noted.push(fact);
    }

    /// Now, or a moment after the last fact where clocks differ: what is learned later has the later time, on whatever machine.
    fn after_all_others(&self) -> Timestamp {
        let next = self.last + jiff::SignedDuration::from_micros(1);
        self.now().parse().map_or(next, |now: Timestamp| now.max(next))
    }

    /// Puts what was noted on the state branch, together with what other jobs put there meanwhile. When this returns, a kill loses nothing.
    pub fn keep(&mut self) -> Result<(), StoreError> {
        if self.noted.is_empty() {
            return Ok(());
        }
        let stored: Vec<Stored> = self.noted.iter().map(stored).collect();
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

fn stored(fact: &Fact) -> Stored {
    Stored {
        id: fact.id(),
        at: fact.at.clone(),
        fact: serde_json::to_value(&fact.what).unwrap_or_default(),
    }
}

fn fold(store: &BranchStore) -> Result<Book, StoreError> {
    let mut facts = Vec::with_capacity(store.facts().len());
    for stored in store.facts() {
        // What a newer minor version knows besides is left alone: it stays on the branch, and this version does without it.
        match serde_json::from_value::<What>(stored.fact.clone()) {
            Ok(what) => facts.push(Fact {
                at: stored.at.clone(),
                what,
            }),
            Err(error) => tracing::warn!("fact {} of the state branch is not understood ({error})", stored.id),
        }
    }
    Ok(Book::fold(&facts))
}
