//! State: written at once by many, damaged by anybody, read for ever.

mod branch;
mod folder;
mod versions;

use super::{Attempt, Ground, Way};
use crate::store::Stored;
use fs_err as fs;
use sprag_core::hash;
use std::io;
use std::path::Path;

pub(super) const ATTEMPTS: [Attempt; 4] = [
    Attempt {
        promise: "P7",
        way: Way::Blocking(branch::raced),
    },
    Attempt {
        promise: "P8",
        way: Way::Blocking(branch::damaged),
    },
    Attempt {
        promise: "P8",
        way: Way::Blocking(folder::damaged),
    },
    Attempt {
        promise: "P9",
        way: Way::Blocking(versions::read),
    },
];

/// A made-up fact.
fn fact(n: usize) -> Stored {
    Stored {
        id: hash::of_text(&format!("fact {n}")),
        at: format!("2026-07-25T{:02}:{:02}:{:02}Z", n / 3600 % 24, n / 60 % 60, n % 60),
        fact: serde_json::json!({"type": "tried", "n": n, "text": "caf\u{e9} \u{201c}x\u{201d}"}),
    }
}

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below `most`.
    pub(super) fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most.max(1)
    }
}

/// Copies a folder into an empty one.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Puts a folder back to what it was.
fn restore(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy(from, to)
}

/// Whether every case is tried, or one in so many.
fn stride(ground: &Ground) -> usize {
    if ground.quick { 17 } else { 1 }
}
