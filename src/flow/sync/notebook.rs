//! The facts of a repository while a job works with them: what the state branch holds, what was noted since, and the book of both.

use crate::flow::Clock;
use crate::store::{BranchStore, StoreError, Stored};
use sprag_core::book::Book;
use sprag_core::fact::{Fact, What};

/// Facts, noted first and kept a little later: see [`Notebook::keep`].
#[expect(missing_debug_implementations, reason = "a clock is no data")]
pub struct Notebook {
    store: BranchStore,
    book: Book,
    noted: Vec<Fact>,
    clock: Clock,
    job: String,
}

impl Notebook {
    /// Opens the facts of a state branch. `job` tells this job from others that run at the same time.
    ///
    /// # Errors
    /// When a fact cannot be understood.
    pub fn open(store: BranchStore, clock: Clock, job: String) -> Result<Self, StoreError> {
        let book = fold(&store)?;
        Ok(Self {
            store,
            book,
            noted: Vec::new(),
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
            _ => self.now(),
        };
        let fact = Fact { at, what };
        self.book.learn(&fact);
        self.noted.push(fact);
    }

    /// Puts what was noted on the state branch, together with what other jobs put there meanwhile. When this returns, a kill loses nothing.
    pub fn keep(&mut self) -> Result<(), StoreError> {
        if self.noted.is_empty() {
            return Ok(());
        }
        let stored: Vec<Stored> = self.noted.iter().map(stored).collect();
        let now = self.now();
        // Pushing blocks; the other tasks of this thread move on meanwhile.
        tokio::task::block_in_place(|| self.store.publish(&stored, &now))?;
        self.noted.clear();
        self.book = fold(&self.store)?;
        Ok(())
    }
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
