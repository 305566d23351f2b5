//! Where a run is remembered: the ledger and the recorded task runs.
//!
//! What is in the ledger is done; what is not is done again. Recorded runs are kept beside it, by key, so that no run is paid twice.

pub(crate) mod branch;
mod dir;
mod facts;
mod lock;
mod portable;
mod shared;

pub use branch::{BranchStore, Stored};
pub use dir::{Damage, DirStore};
pub use facts::FactFile;
pub use portable::{Portable, PortableError};
pub use shared::{SharedStore, Witness};

use crate::forge::ForgeError;
use crate::workspace::WorkspaceError;
use serde::{Deserialize, Serialize};
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event};
use sprag_core::trial::Trial;
use std::path::PathBuf;

/// The port to the state of a run.
pub trait Store: Send {
    /// Every entry so far, in order.
    fn entries(&self) -> &[Entry];

    /// Writes an event down. When this returns, the event survives a kill of the process.
    fn append(&mut self, at: String, event: Event) -> Result<(), StoreError>;

    /// A run on record.
    fn recorded(&self, key: &RunKey) -> Result<Option<Recorded>, StoreError>;

    /// Records a run, made for the entry that comes next. Recording the same key again replaces it.
    fn record(&mut self, key: &RunKey, trial: &Trial) -> Result<(), StoreError>;

    /// Mixed into every run key, so that nobody can find out a held-out task by hashing guesses.
    fn salt(&self) -> &str;
}

/// A run on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The id of the ledger's last entry when it was made, empty for none: the entry it was made for, and whose cost it is, comes next.
    pub after: String,
    /// What it came to.
    pub trial: Trial,
}

/// The id of a ledger's last entry, empty for none.
pub fn head(entries: &[Entry]) -> &str {
    entries.last().map_or("", |entry| entry.id.as_str())
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A newer sprag wrote it.
    #[error("the state in {path} has format {found}, this sprag reads up to {known}")]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its major version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// An older sprag wrote it.
    #[error("the state in {path} has format {found}, and this sprag reads format {known}")]
    Older {
        /// Where.
        path: PathBuf,
        /// Its major version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Another sprag works on it.
    #[error("another sprag is working on {path}")]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// There is no token for the state branch.
    #[error("the state branch: {0}")]
    Token(#[from] ForgeError),
    /// The server that has the state branch, or git, said no.
    #[error("the state branch: {0}")]
    Branch(#[from] WorkspaceError),
    /// It is there but cannot be read.
    #[error("{path} is not a state of sprag: {problem}")]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}
