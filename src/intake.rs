//! Trace files of all kinds as they lie on a disk: plain, packed, in archives, in folders. What a file holds is for the core to say.

use crate::archive::{self, ArchiveError, ArchiveLimits};
use fs_err as fs;
use sprag_core::config::Mapping;
use sprag_core::trace::read::{Folder, Format, ReadTrace, Warning, read_any, read_as, read_mapped};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The first bytes of a zip, and of an empty one.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// The first bytes of what zstd has packed.
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
/// The most bytes that a packed file may unpack to.
const UNPACKED: u64 = 2_000_000_000;
/// Endings of the files of a folder that are looked at.
const ENDINGS: [&str; 9] = ["json", "jsonl", "ndjson", "xml", "log", "txt", "eval", "zip", "zst"];

/// What was read.
#[derive(Debug, Default)]
pub struct Intake {
    /// The runs, in the order of the files.
    pub traces: Vec<ReadTrace>,
    /// What could not be used, with its place.
    pub problems: Vec<String>,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The file or the folder.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// How files are read.
#[derive(Debug, Clone, Default)]
pub struct FileReader {
    /// The format, if somebody named it.
    pub format: Option<Format>,
    /// `[signals.mapping]`.
    pub mapping: Option<Mapping>,
}

impl FileReader {
    /// Reads a file, an archive, or all files below a folder. `name` is what people call it.
    ///
    /// # Errors
    /// When it cannot be opened, or is an archive that cannot be read.
    pub fn path(&self, path: &Path, name: &str) -> Result<Intake, IntakeError> {
        if fs::metadata(path)?.is_dir() {
            return self.folder(path);
        }
        if starts_with(path, &ZIP)? {
            return self.archive(path);
        }
        Ok(self.bytes(name, &content(path)?))
    }

    /// Reads what a file holds.
    pub fn bytes(&self, name: &str, bytes: &[u8]) -> Intake {
        let (traces, warnings) = match (self.format, &self.mapping) {
            (Some(format), _) => read_as(format, name, bytes),
            (None, Some(mapping)) => read_mapped(mapping, name, bytes),
            (None, None) => read_any(name, bytes),
        };
        let problems = warnings.iter().map(|warning| placed(name, warning)).collect();
        Intake { traces, problems }
    }

    /// Reads the files of an archive; what belongs together is put together.
    ///
    /// # Errors
    /// When it is no zip, or too large.
    pub fn archive(&self, path: &Path) -> Result<Intake, IntakeError> {
        let mut folder = self.empty();
        let mut problems = Vec::new();
        self.entries(path, "", &mut folder, &mut problems)?;
        Ok(finished(folder, problems))
    }

    fn empty(&self) -> Folder {
        match self.format {
            Some(format) => Folder::of_format(format),
            None => Folder::new(self.mapping.clone()),
        }
    }

    fn entries(
        &self,
        path: &Path,
        within: &str,
        folder: &mut Folder,
        problems: &mut Vec<String>,
    ) -> Result<(), ArchiveError> {
        let listing = archive::read(path, &ArchiveLimits::default(), |entry, bytes| {
            let entry = format!("{within}{entry}");
            let warnings = folder.take(&entry, bytes);
            problems.extend(warnings.iter().map(|warning| placed(&entry, warning)));
        })?;
        problems.extend(listing.problems.iter().map(|problem| format!("{within}{problem}")));
        Ok(())
    }

    /// Reads all files below a folder, in the order of their names. Links are not followed.
    fn folder(&self, path: &Path) -> Result<Intake, IntakeError> {
        let mut folder = self.empty();
        let mut problems = Vec::new();
        for file in files(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file);
            let name = name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
            let read = starts_with(&file, &ZIP).map_err(IntakeError::from).and_then(|zip| {
                if zip {
                    return Ok(self.entries(&file, &format!("{name}/"), &mut folder, &mut problems)?);
                }
                let warnings = folder.take(&name, &content(&file)?);
                problems.extend(warnings.iter().map(|warning| placed(&name, warning)));
                Ok(())
            });
            // One file that cannot be read is no reason to leave out the others.
            problems.extend(read.err().map(|error| format!("{name}: {error}")));
        }
        Ok(finished(folder, problems))
    }
}

fn finished(folder: Folder, mut problems: Vec<String>) -> Intake {
    let (traces, warnings) = folder.finish();
    problems.extend(warnings.iter().map(ToString::to_string));
    Intake { traces, problems }
}

/// A problem with its file; one with the file as a whole names it already.
fn placed(name: &str, warning: &Warning) -> String {
    let told = warning.to_string();
    if warning.place == name {
        told
    } else {
        format!("{name}: {told}")
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in ignore::WalkBuilder::new(folder).standard_filters(false).build() {
        let entry = entry.map_err(io::Error::other)?;
        let path = entry.into_path();
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let wanted = ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()));
        if wanted && fs::symlink_metadata(&path)?.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn starts_with(path: &Path, marks: &[&[u8]]) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(4).read_to_end(&mut head)?;
    Ok(marks.contains(&head.as_slice()))
}

/// What a file holds, unpacked if it is packed by zstd.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    if !starts_with(path, &[ZSTD])? {
        return fs::read(path);
    }
    let mut unpacked = Vec::new();
    let packed = zstd::Decoder::new(fs::File::open(path)?)?;
    packed.take(UNPACKED + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > UNPACKED {
        return Err(io::Error::other("it unpacks to too much"));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests;
