//! What the processes of a sandbox use together, read from `/proc` and from the directories that they may write.

use crate::policy::{Limits, Over};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often processes are looked at, in milliseconds.
pub(super) const TICK: i32 = 100;
/// How often directories are looked at: at least, at most. In between, it takes a fiftieth of the time.
const DISK_TICK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(700));
/// How deep a directory is looked into.
const MAX_DEPTH: u32 = 64;
/// How many ancestors of a process are looked at.
const MAX_CHAIN: u32 = 10_000;

/// Whose processes are meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Family {
    /// All that there are: this process is the first of a namespace.
    All,
    /// All that descend from this process.
    Descendants,
}

/// One process.
#[derive(Debug, Clone, Copy)]
struct Process {
    parent: i32,
    group: i32,
    threads: u64,
    pages: u64,
}

/// The processes of a family, without this one.
fn family(of: Family) -> BTreeMap<i32, Process> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let all: BTreeMap<i32, Process> = pids.filter_map(|pid| Some((pid, read(pid)?))).collect();
    let descends = |mut pid: i32| {
        // A chain that changes while it is read may have a ring.
        for _ in 0..all.len() {
            match all.get(&pid) {
                Some(process) if process.parent == own => return true,
                Some(process) => pid = process.parent,
                None => return false,
            }
        }
        false
    };
    let wanted = |pid: &i32| *pid != own && (matches!(of, Family::All) || descends(*pid));
    all.iter()
        .filter(|(pid, _)| wanted(pid))
        .map(|(pid, process)| (*pid, *process))
        .collect()
}

/// Whether a process, or the one that a thread belongs to, descends from this one. `None` when there is none of this id.
pub(super) fn descends(mut pid: i32) -> Option<bool> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    read(pid)?;
    // A chain that changes while it is read may have a ring.
    for _ in 0..MAX_CHAIN {
        match read(pid) {
            Some(process) if process.parent == own => return Some(true),
            Some(process) => pid = process.parent,
            None => return Some(false),
        }
    }
    Some(false)
}

/// The ids of a family.
pub(super) fn members(of: Family) -> Vec<i32> {
    family(of).into_keys().collect()
}

/// Whether a process of a family is in this group.
pub(super) fn has_group(of: Family, group: i32) -> bool {
    family(of).values().any(|process| process.group == group)
}

/// How many processes and threads a family has.
pub(super) fn threads(of: Family) -> u64 {
    family(of).values().map(|process| process.threads).sum()
}

/// What `/proc/PID/stat` says. The name in it may hold anything, so it is read from behind that.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace().collect();
    let dead = matches!(*fields.first()?, "Z" | "X");
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        pages: if dead { 0 } else { fields.get(21)?.parse().ok()? },
    })
}

/// How many processes and threads a user has.
pub(super) fn processes_of(user: u32) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0;
    };
    let own = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == user).then(|| read(pid))?
    });
    own.map(|process| process.threads).sum()
}

/// Memory that is shared counts once for all who share it. Costs much more to read than what [`read`] says.
fn proportional(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Looks now and then whether a limit is passed.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    tick: Duration,
    of: Family,
    folders: Vec<PathBuf>,
    processes_at: Instant,
    disk_at: Instant,
}

impl Meter {
    pub(super) fn new(limits: Limits, of: Family, folders: Vec<PathBuf>) -> Self {
        let now = Instant::now();
        let tick = Duration::from_millis(TICK.unsigned_abs().into());
        Self {
            limits,
            tick,
            of,
            folders,
            processes_at: now + tick,
            disk_at: now + DISK_TICK.0,
        }
    }

    /// A limit that is passed. Does nothing when it is not time yet.
    pub(super) fn over(&mut self) -> Option<Over> {
        let now = Instant::now();
        if now >= self.processes_at {
            self.processes_at = now + self.tick;
            if let Some(over) = self.processes() {
                return Some(over);
            }
        }
        if now < self.disk_at {
            return None;
        }
        let over = self.disk();
        let pause = (now.elapsed() * 50).clamp(DISK_TICK.0, DISK_TICK.1);
        self.disk_at = Instant::now() + pause;
        over
    }

    fn processes(&self) -> Option<Over> {
        let family = family(self.of);
        if family.values().map(|process| process.threads).sum::<u64>() > self.limits.processes {
            return Some(Over::Processes);
        }
        let page = 4096;
        if family.values().map(|process| process.pages * page).sum::<u64>() <= self.limits.memory {
            return None;
        }
        let each = family
            .iter()
            .map(|(pid, process)| proportional(*pid).unwrap_or(process.pages * page));
        (each.sum::<u64>() > self.limits.memory).then_some(Over::Memory)
    }

    fn disk(&self) -> Option<Over> {
        let mut used = Used::default();
        for folder in &self.folders {
            used.add(folder, 0, &self.limits);
        }
        if used.bytes > self.limits.disk {
            return Some(Over::Disk);
        }
        (used.files > self.limits.files).then_some(Over::Files)
    }
}

#[derive(Debug, Default)]
struct Used {
    bytes: u64,
    files: u64,
}

impl Used {
    /// Stops where a limit is passed. Blocks count, not lengths: a hole takes no room.
    fn add(&mut self, folder: &Path, depth: u32, limits: &Limits) {
        use std::os::unix::fs::MetadataExt as _;
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            if self.bytes > limits.disk || self.files > limits.files {
                return;
            }
            let Ok(found) = entry.metadata() else {
                continue;
            };
            self.files += 1;
            self.bytes += found.blocks() * 512;
            if found.is_dir() && depth < MAX_DEPTH {
                self.add(&entry.path(), depth + 1, limits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read_and_is_no_part_of_its_family() {
        let own = i32::try_from(std::process::id()).unwrap();
        let process = read(own).unwrap();
        assert!(process.threads >= 1 && process.pages > 100, "{process:?}");
        assert!(processes_of(crate::sys::ids().0) >= process.threads);
        assert!(!members(Family::All).contains(&own));
        assert!(proportional(own).unwrap() > 0);
    }

    #[test]
    fn what_lies_in_a_directory_is_counted_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/file"), vec![1; 100_000]).unwrap();
        let over = |limits| Meter::new(limits, Family::Descendants, vec![folder.path().to_owned()]).disk();
        let limits = Limits::default();
        assert_eq!(over(limits), None);
        assert_eq!(over(Limits { disk: 90_000, ..limits }), Some(Over::Disk));
        assert_eq!(over(Limits { files: 1, ..limits }), Some(Over::Files));
    }
}
