//! Files from outside: archives that lie, and inputs of any size.

mod archives;
mod zip;

use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::archive::{self, ArchiveLimits};
use crate::runner::peak_kb;
use archives::Archive;
use fs_err as fs;
use rustix::time::{ClockId, clock_gettime};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    promise: "P23",
    way: Way::Blocking(archives),
}];

/// How much memory one archive may cost, in kilobytes.
const GROWTH: u64 = 64 * 1024;
/// How much time; a program that was built for debugging gets more.
const TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

fn archives(ground: &Ground) -> Outcome {
    let mut tally = Tally::default();
    for archive in archives::all(ground.quick) {
        let folder = ground.scratch.join("archive");
        fs::create_dir_all(&folder)?;
        let outcome = opened(&folder, &archive);
        tally.case(archive.name, outcome);
        fs::remove_dir_all(&folder)?;
    }
    Ok(tally)
}

/// Reads an archive as artifacts of strangers are read.
fn opened(folder: &Path, archive: &Archive) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let path = folder.join("x.zip");
    fs::write(&path, &archive.bytes).map_err(failed)?;
    let (before, began) = (peak_kb("self"), used());
    let mut names = Vec::new();
    let read = archive::read(&path, &ArchiveLimits::default(), |name, content| {
        let mut first = [0; 8];
        let n = content.read(&mut first).unwrap_or(0);
        names.push((name.to_owned(), first[..n].to_vec()));
    });
    let (grown, took) = (peak_kb("self").saturating_sub(before), used().saturating_sub(began));
    if took > TIME {
        return Err(format!("it took {} ms", took.as_millis()));
    }
    if grown > GROWTH {
        return Err(format!("it took {} MB", grown / 1024));
    }
    let beside = fs::read_dir(folder).map_err(failed)?.count();
    if beside != 1 {
        return Err(format!("{} files were written", beside - 1));
    }
    if let Some((name, _)) = names.iter().find(|(name, _)| !archive.may_be_read(name)) {
        return Err(format!("{name} was read"));
    }
    let good = names.iter().any(|(name, bytes)| name == "good.json" && bytes == b"{}");
    match (archive.good, read.is_ok()) {
        (true, false) => Err("the archive was refused, and a good entry with it".to_owned()),
        (true, true) if !good => Err("its good entry was not read".to_owned()),
        _ => Ok(()),
    }
}

/// The processor time of this thread.
fn used() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}
