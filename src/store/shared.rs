//! The state of a run on a machine that may be gone tomorrow: kept in a folder like any other, its ledger also handed on as it grows.

use super::{DirStore, Recorded, Store, StoreError};
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event};
use sprag_core::trial::Trial;

/// Takes the entries of a ledger, in order.
pub trait Witness: Send {
    /// Called after an entry stands in the folder.
    ///
    /// # Errors
    /// When the entry cannot be handed on; the run stops, and the same command goes on from the entry.
    fn witness(&mut self, entry: &Entry) -> Result<(), StoreError>;
}

/// A folder, and who else is told of its ledger.
#[expect(missing_debug_implementations, reason = "a witness is a port, not data")]
pub struct SharedStore<'a> {
    dir: DirStore,
    witness: &'a mut dyn Witness,
}

impl<'a> SharedStore<'a> {
    /// Puts into the folder what others know of the run, and tells the witness what only the folder knows.
    ///
    /// # Errors
    /// When the folder holds another run, or cannot be written.
    pub fn open(mut dir: DirStore, known: &[Entry], witness: &'a mut dyn Witness) -> Result<Self, StoreError> {
        let ours = dir.entries().len();
        let common = ours.min(known.len());
        if dir.entries()[..common] != known[..common] {
            return Err(StoreError::Unreadable {
                path: dir.path().to_owned(),
                problem: "it holds the ledger of another run".to_owned(),
            });
        }
        for entry in known.iter().skip(ours) {
            dir.append(entry.at.clone(), entry.event.clone())?;
        }
        dir.entries()
            .iter()
            .skip(known.len())
            .try_for_each(|entry| witness.witness(entry))?;
        Ok(Self { dir, witness })
    }
}

impl Store for SharedStore<'_> {
    fn entries(&self) -> &[Entry] {
        self.dir.entries()
    }

    fn append(&mut self, at: String, event: Event) -> Result<(), StoreError> {
        self.dir.append(at, event)?;
        match self.dir.entries().last() {
            Some(entry) => self.witness.witness(entry),
            None => Ok(()),
        }
    }

    fn recorded(&self, key: &RunKey) -> Result<Option<Recorded>, StoreError> {
        self.dir.recorded(key)
    }

    fn record(&mut self, key: &RunKey, trial: &Trial) -> Result<(), StoreError> {
        self.dir.record(key, trial)
    }

    fn salt(&self) -> &str {
        self.dir.salt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Vec<Entry>);

    impl Witness for Heard {
        fn witness(&mut self, entry: &Entry) -> Result<(), StoreError> {
            self.0.push(entry.clone());
            Ok(())
        }
    }

    fn event(reason: &str) -> Event {
        Event::Finished {
            reason: reason.to_owned(),
        }
    }

    fn dir(root: &std::path::Path) -> DirStore {
        DirStore::open(root).unwrap().0
    }

    #[test]
    fn a_run_moves_to_another_machine_with_its_ledger() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut heard = Heard::default();
        let mut store = SharedStore::open(dir(here.path()), &[], &mut heard).unwrap();
        store.append("t1".to_owned(), event("a")).unwrap();
        store.append("t2".to_owned(), event("b")).unwrap();
        let mut again = Heard::default();
        let store = SharedStore::open(dir(there.path()), &heard.0, &mut again).unwrap();
        assert_eq!(store.entries(), heard.0);
        assert_eq!(again.0, [], "others know them already");
    }

    #[test]
    fn what_was_not_handed_on_before_a_kill_is_handed_on_now() {
        let here = tempfile::tempdir().unwrap();
        let mut first = dir(here.path());
        first.append("t1".to_owned(), event("a")).unwrap();
        first.append("t2".to_owned(), event("b")).unwrap();
        let known = first.entries()[..1].to_vec();
        drop(first);
        let mut heard = Heard::default();
        SharedStore::open(dir(here.path()), &known, &mut heard).unwrap();
        assert_eq!(heard.0.len(), 1);
        assert_eq!(heard.0[0].seq, 2);
    }

    #[test]
    fn the_folder_of_another_run_is_refused() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        dir(here.path()).append("t".to_owned(), event("a")).unwrap();
        let mut other = dir(there.path());
        other.append("t".to_owned(), event("x")).unwrap();
        let mut heard = Heard::default();
        assert!(SharedStore::open(dir(here.path()), other.entries(), &mut heard).is_err());
    }
}
