//! Reads trace files out of a zip that strangers may have made. Nothing is ever written by the names in it; sizes are counted as they
//! come, not as the archive states them.

use fs_err as fs;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Seek};
use std::path::Path;
use tempfile::SpooledTempFile;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// Endings of files that may hold traces.
const TRACES: [&str; 6] = [".json", ".jsonl", ".ndjson", ".xml", ".log", ".txt"];
/// The ending of Inspect's logs, which are archives themselves: the only ones that are opened inside of one.
const LOGS: &str = ".eval";
/// Endings of archives, which are not opened inside of one.
const ARCHIVES: [&str; 6] = [".zip", ".tar", ".tgz", ".gz", ".zst", ".7z"];
/// Up to so many bytes an entry may be packed as tightly as it likes.
const SMALL: u64 = 1_000_000;
/// Bytes of an entry that are kept in memory; a larger one lies in a temporary file without a name while it is read.
const IN_MEMORY: usize = 8_000_000;
/// Problems that are told; the rest are only more of the same.
const TOLD: usize = 50;

/// What an archive may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of the zip itself.
    pub bytes_packed: u64,
    /// Bytes that are unpacked in all.
    pub bytes_unpacked: u64,
    /// Bytes of one entry.
    pub entry_bytes: u64,
    /// Entries.
    pub entries: usize,
    /// Unpacked bytes for each packed one.
    pub ratio: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            bytes_packed: 2_000_000_000,
            bytes_unpacked: 4_000_000_000,
            entry_bytes: 2_000_000_000,
            entries: 10_000,
            ratio: 200,
        }
    }
}

/// An entry that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its name, as data; empty for the archive as a whole.
    pub entry: String,
    /// Half a sentence.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry.as_str() {
            "" => f.write_str(&self.what),
            entry => write!(f, "{entry}: {}", self.what),
        }
    }
}

/// What was in an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Entries that were read.
    pub read: usize,
    /// Entries that are no traces by their names.
    pub others: usize,
    /// What was not read, and why.
    pub problems: Vec<Problem>,
}

/// Why an archive cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no zip.
    #[error("it is no zip that can be read: {0}")]
    NoZip(String),
    /// It is too large.
    #[error("it has {bytes} bytes, and {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

/// Hands each trace file in a zip to `take`, with its name, which is only a label. One entry is unpacked at a time. Whatever is wrong with
/// an entry is listed, and the others are read. The entries of an `.eval` log inside of the zip have its name before theirs.
///
/// # Errors
/// When the file is no zip or too large.
pub fn read(
    path: &Path,
    limits: &ArchiveLimits,
    mut take: impl FnMut(&str, &mut SpooledTempFile),
) -> Result<Listing, ArchiveError> {
    let file = fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > limits.bytes_packed {
        return Err(ArchiveError::TooLarge {
            bytes,
            limit: limits.bytes_packed,
        });
    }
    let archive = ZipArchive::new(file).map_err(|error| ArchiveError::NoZip(error.to_string()))?;
    let mut reading = Reading {
        limits,
        listing: Listing::default(),
        names: BTreeSet::new(),
        left: limits.bytes_unpacked,
    };
    reading.walk(archive, "", &mut take);
    Ok(reading.listing)
}

struct Reading<'a> {
    limits: &'a ArchiveLimits,
    listing: Listing,
    /// Names in lower case: two that differ only in case are one file on some machines.
    names: BTreeSet<String>,
    left: u64,
}

impl Reading<'_> {
    fn problem(&mut self, entry: &str, what: impl Into<String>) {
        if self.listing.problems.len() < TOLD {
            self.listing.problems.push(Problem {
                entry: entry.chars().take(200).collect(),
                what: what.into(),
            });
        }
    }

    /// Hands over what is in an archive; `within` is the one that it lies in.
    fn walk<R: Read + Seek>(
        &mut self,
        mut archive: ZipArchive<R>,
        within: &str,
        take: &mut dyn FnMut(&str, &mut SpooledTempFile),
    ) {
        // Entries that share bytes unpack to far more than the archive holds.
        if archive.has_overlapping_files().unwrap_or(true) {
            self.problem(within, "its entries lie over each other, so none is read");
            return;
        }
        for at in 0..archive.len() {
            if at >= self.limits.entries {
                let rest = archive.len() - at;
                let what = format!("it has {} entries; the last {rest} are not read", archive.len());
                self.problem(within, what);
                break;
            }
            match archive.by_index(at) {
                Ok(mut entry) => {
                    let Some((name, mut content)) = self.entry(&mut entry, within) else {
                        continue;
                    };
                    drop(entry);
                    if !is_log(&name, within) {
                        self.listing.read += 1;
                        take(&name, &mut content);
                        continue;
                    }
                    match ZipArchive::new(content) {
                        Ok(log) => self.walk(log, &format!("{name}/"), take),
                        Err(error) => self.problem(&name, format!("is no log that can be read ({error})")),
                    }
                }
                Err(ZipError::UnsupportedArchive(what)) => self.problem(&format!("{within}entry {at}"), what),
                Err(error) => self.problem(&format!("{within}entry {at}"), error.to_string()),
            }
        }
    }

    fn entry<R: Read>(&mut self, entry: &mut ZipFile<'_, R>, within: &str) -> Option<(String, SpooledTempFile)> {
        let name = format!("{within}{}", String::from_utf8_lossy(entry.name_raw()));
        if entry.is_dir() {
            return None;
        }
        if let Some(what) = forbidden(&name, entry) {
            self.problem(&name, what);
            return None;
        }
        let lower = name.to_lowercase();
        if ARCHIVES.iter().any(|ending| lower.ends_with(ending)) {
            self.problem(&name, "is an archive inside of the archive, and not opened");
            return None;
        }
        if !is_log(&name, within) && !TRACES.iter().any(|ending| lower.ends_with(ending)) {
            self.listing.others += 1;
            return None;
        }
        if !self.names.insert(lower) {
            self.problem(&name, "has the name of another entry");
            return None;
        }
        self.content(&name, entry).map(|content| (name, content))
    }

    fn content<R: Read>(&mut self, name: &str, entry: &mut ZipFile<'_, R>) -> Option<SpooledTempFile> {
        let tight = entry.compressed_size().saturating_mul(self.limits.ratio).max(SMALL);
        let allowed = self.limits.entry_bytes.min(self.left).min(tight);
        let mut content = SpooledTempFile::new(IN_MEMORY);
        let unpacked = io::copy(&mut entry.by_ref().take(allowed + 1), &mut content);
        let rewound = unpacked.and_then(|length| content.rewind().map(|()| length));
        let length = match rewound {
            Ok(length) => length,
            Err(error) => {
                // How much of it came is not known.
                self.left = self.left.saturating_sub(allowed);
                self.problem(name, format!("cannot be unpacked ({error})"));
                return None;
            }
        };
        self.left = self.left.saturating_sub(length);
        if length > allowed {
            let what = if allowed == tight {
                "is packed too tightly to be a trace"
            } else {
                "is too large"
            };
            self.problem(name, what);
            return None;
        }
        Some(content)
    }
}

/// Whether an entry is a log of Inspect, which is opened; one inside of another is none.
fn is_log(name: &str, within: &str) -> bool {
    within.is_empty() && name.to_lowercase().ends_with(LOGS)
}

/// What is wrong with an entry, whatever it holds.
fn forbidden<R: Read>(name: &str, entry: &ZipFile<'_, R>) -> Option<&'static str> {
    // The type of the file in the upper bits of a Unix mode: regular, or not said.
    let special = entry
        .unix_mode()
        .is_some_and(|mode| !matches!(mode & 0o170_000, 0 | 0o100_000));
    let outside = name.starts_with('/') || name.split(['/', '\\']).any(|part| part == "..") || name.contains(':');
    if entry.is_symlink() || special {
        Some("is no regular file")
    } else if entry.encrypted() {
        Some("is encrypted")
    } else if outside || name.contains(['\\', '\0']) || name.chars().any(char::is_control) {
        Some("has a name that no trace has")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
