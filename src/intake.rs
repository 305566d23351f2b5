//! Trace files of all kinds as they lie on a disk: plain, packed, in archives, in folders. What a file holds is for the core to say.

use crate::archive::{self, ArchiveError, ArchiveLimits};
use fs_err as fs;
use sprag_core::config::Mapping;
use sprag_core::trace::junit;
use sprag_core::trace::read::{Folder, Format, ReadTrace, Warning, read_any, read_as, read_mapped};
use sprag_core::trace::stream::{PREFIX, Survey};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

mod source;

use source::{OnDisk, Source};

/// The first bytes of a zip, and of an empty one.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// Up to so many bytes a file is read as a whole. A larger one is read piece by piece, so that memory does not grow with it.
const WHOLE: usize = 8_000_000;
/// The most bytes of a file that can only be read as a whole: Python's notation.
const WHOLE_MOST: u64 = 64_000_000;
/// Bytes that are asked for at once.
const CHUNK: usize = 256_000;
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

/// Takes the runs, one after the other.
type Take<'t> = &'t mut dyn FnMut(ReadTrace);

impl FileReader {
    /// Reads a file, an archive, or all files below a folder, and keeps all runs. `name` is what people call it.
    ///
    /// # Errors
    /// When it cannot be opened, or is an archive that cannot be read.
    pub fn path(&self, path: &Path, name: &str) -> Result<Intake, IntakeError> {
        collected(|take| self.each(path, name, take))
    }

    /// Reads the same, and hands each run to `take` as soon as it is whole; what could not be used comes back. Memory does not grow with
    /// the file, but for what is put together of several files of an archive or a folder.
    ///
    /// # Errors
    /// When it cannot be opened, or is an archive that cannot be read.
    pub fn each(&self, path: &Path, name: &str, take: Take<'_>) -> Result<Vec<String>, IntakeError> {
        if fs::metadata(path)?.is_dir() {
            return self.folder(path, take);
        }
        if source::starts_with(path, &ZIP)? {
            return Ok(self.zip(path, take)?);
        }
        Ok(self.file(&mut OnDisk::open(path)?, name, take)?)
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
        collected(|take| Ok(self.zip(path, take)?))
    }

    fn file(&self, source: &mut dyn Source, name: &str, take: Take<'_>) -> io::Result<Vec<String>> {
        match source::beginning(source, WHOLE)? {
            Some(bytes) => {
                let read = self.bytes(name, &bytes);
                read.traces.into_iter().for_each(take);
                Ok(read.problems)
            }
            None => self.large(source, name, take),
        }
    }

    /// A file that is gone through twice, piece by piece.
    fn large(&self, source: &mut dyn Source, name: &str, take: Take<'_>) -> io::Result<Vec<String>> {
        let mut prefix = Vec::new();
        source.begin()?.take(PREFIX as u64).read_to_end(&mut prefix)?;
        if junit::is_report(self.format, &prefix) {
            drop(prefix);
            let warnings = junit::stream(BufReader::with_capacity(CHUNK, source.begin()?), take);
            return Ok(warnings.iter().map(|warning| placed(name, warning)).collect());
        }
        let Some(mut survey) = Survey::new(self.format, self.mapping.as_ref(), &prefix) else {
            drop(prefix);
            return self.undivided(source, name, take);
        };
        drop(prefix);
        source::chunks(source, CHUNK, |bytes| survey.push(bytes))?;
        let mut stream = match survey.finish(name) {
            Ok(stream) => stream,
            Err(warning) => return Ok(vec![placed(name, &warning)]),
        };
        source::chunks(source, CHUNK, |bytes| stream.push(bytes, take))?;
        let warnings = stream.finish(take);
        Ok(warnings.iter().map(|warning| placed(name, warning)).collect())
    }

    /// A large file of a kind that cannot be read piece by piece.
    fn undivided(&self, source: &mut dyn Source, name: &str, take: Take<'_>) -> io::Result<Vec<String>> {
        let mut bytes = Vec::new();
        source.begin()?.take(WHOLE_MOST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > WHOLE_MOST {
            let most = WHOLE_MOST / 1_000_000;
            return Ok(vec![format!(
                "{name}: left out: a file of this format is read up to {most} MB; split it"
            )]);
        }
        let read = self.bytes(name, &bytes);
        read.traces.into_iter().for_each(take);
        Ok(read.problems)
    }

    fn empty(&self) -> Folder {
        match self.format {
            Some(format) => Folder::of_format(format),
            None => Folder::new(self.mapping.clone()),
        }
    }

    fn zip(&self, path: &Path, take: Take<'_>) -> Result<Vec<String>, ArchiveError> {
        let mut folder = self.empty();
        let mut problems = Vec::new();
        self.entries(path, "", &mut folder, &mut Vec::new(), None)?;
        self.entries(path, "", &mut folder, &mut problems, Some(&mut *take))?;
        problems.extend(folder.finish(take).iter().map(ToString::to_string));
        Ok(problems)
    }

    /// Goes through the entries of an archive: without `take` to note what stands in several of them, with it to read them.
    fn entries(
        &self,
        path: &Path,
        within: &str,
        folder: &mut Folder,
        problems: &mut Vec<String>,
        mut take: Option<Take<'_>>,
    ) -> Result<(), ArchiveError> {
        let mut told = Vec::new();
        let listing = archive::read(path, &ArchiveLimits::default(), |entry, content| {
            let entry = format!("{within}{entry}");
            let read = match &mut take {
                Some(take) => self.part(content, &entry, folder, &mut **take),
                None => noted(content, &entry, folder).map(|()| Vec::new()),
            };
            told.extend(read.unwrap_or_else(|error| vec![format!("{entry}: {error}")]));
        })?;
        problems.append(&mut told);
        problems.extend(listing.problems.iter().map(|problem| format!("{within}{problem}")));
        Ok(())
    }

    /// One file among several.
    fn part(
        &self,
        source: &mut dyn Source,
        name: &str,
        folder: &mut Folder,
        take: Take<'_>,
    ) -> io::Result<Vec<String>> {
        let Some(bytes) = source::beginning(source, WHOLE)? else {
            let mut number = 0;
            return self.large(source, name, &mut |run| {
                folder.run(name, number, run, take);
                number += 1;
            });
        };
        let warnings = folder.take(name, &bytes, take);
        Ok(warnings.iter().map(|warning| placed(name, warning)).collect())
    }

    /// Reads all files below a folder, in the order of their names. Links are not followed.
    fn folder(&self, path: &Path, take: Take<'_>) -> Result<Vec<String>, IntakeError> {
        let mut folder = self.empty();
        let mut problems = Vec::new();
        let files = files(path)?;
        for reading in [false, true] {
            for file in &files {
                let name = file.strip_prefix(path).unwrap_or(file);
                let name = name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
                let mut each = |run| take(run);
                let take: Option<Take<'_>> = if reading { Some(&mut each) } else { None };
                let read = self.one(file, &name, &mut folder, take);
                // One file that cannot be read is no reason to leave out the others.
                let read = read.unwrap_or_else(|error| vec![format!("{name}: {error}")]);
                problems.extend(read.into_iter().filter(|_| reading));
            }
        }
        problems.extend(folder.finish(take).iter().map(ToString::to_string));
        Ok(problems)
    }

    /// One file of a folder, which may be an archive.
    fn one(
        &self,
        file: &Path,
        name: &str,
        folder: &mut Folder,
        take: Option<Take<'_>>,
    ) -> Result<Vec<String>, IntakeError> {
        if source::starts_with(file, &ZIP)? {
            let mut problems = Vec::new();
            self.entries(file, &format!("{name}/"), folder, &mut problems, take)?;
            return Ok(problems);
        }
        let mut source = OnDisk::open(file)?;
        Ok(match take {
            Some(take) => self.part(&mut source, name, folder, take)?,
            None => noted(&mut source, name, folder).map(|()| Vec::new())?,
        })
    }
}

/// Lets a folder know of a file that other files may belong to.
fn noted(source: &mut dyn Source, name: &str, folder: &mut Folder) -> io::Result<()> {
    if let Some(bytes) = source::beginning(source, WHOLE)? {
        folder.note(name, &bytes);
    }
    Ok(())
}

/// All runs that somebody hands out.
fn collected(read: impl FnOnce(Take<'_>) -> Result<Vec<String>, IntakeError>) -> Result<Intake, IntakeError> {
    let mut traces = Vec::new();
    let problems = read(&mut |run| traces.push(run))?;
    Ok(Intake { traces, problems })
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

#[cfg(test)]
mod tests;
