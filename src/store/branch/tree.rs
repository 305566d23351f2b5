//! One commit of the state branch: reading what it holds, and making the next one.

use super::files::{self, Contents, Kind, Listed, Record, Trouble};
use super::{Damage, Stored, failed};
use crate::store::StoreError;
use git2::{
    FileMode, Index, IndexEntry, IndexTime, ObjectType, Oid, Repository, Signature, Time, TreeWalkMode, TreeWalkResult,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// So many files of events are folded into segments.
const FOLD: usize = 64;

/// A file of facts that was read and believed.
#[derive(Debug, Clone)]
pub(super) struct Believed {
    pub(super) oid: Oid,
    pub(super) ids: Vec<String>,
    /// The lines of an event file; those of a segment are read again when they are needed.
    pub(super) records: Vec<Record>,
}

/// Something to be put under `quarantine/` with the next commit.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    path: String,
    kept_as: String,
    what: Kept,
}

#[derive(Debug, Clone)]
enum Kept {
    /// The object as it is.
    Object { oid: Oid, mode: u32 },
    /// What is known of a file that is gone.
    Note(String),
}

/// What a commit holds.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) commit: Option<Oid>,
    /// By path.
    pub(super) files: BTreeMap<String, Believed>,
    pub(super) aside: Vec<Aside>,
    pub(super) damage: Vec<Damage>,
    has_format: bool,
    has_index: bool,
    /// The lines of the index that can be believed, by segment.
    index: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    major: u32,
    minor: u32,
    written_by: String,
}

/// Reads a commit. Files that `known` has are not read again; the facts of the others go to `found`.
pub(super) fn read(
    repository: &Repository,
    commit: Oid,
    known: &BTreeMap<String, Believed>,
    found: &mut Vec<Stored>,
) -> Result<Snapshot, StoreError> {
    let tree = repository
        .find_commit(commit)
        .and_then(|commit| commit.tree())
        .map_err(failed)?;
    let mut entries = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() != Some(ObjectType::Tree) {
            let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
            entries.push((path, entry.id(), entry.filemode()));
        }
        TreeWalkResult::Ok
    })
    .map_err(failed)?;
    let mut snapshot = Snapshot {
        commit: Some(commit),
        ..Snapshot::default()
    };
    for (path, oid, mode) in entries {
        let mode = u32::try_from(mode).unwrap_or_default();
        let kind = files::kind(&path);
        if let Some(believed) = known.get(&path).filter(|believed| believed.oid == oid) {
            snapshot.files.insert(path, believed.clone());
            continue;
        }
        let problem = match kind {
            Kind::Other => continue,
            Kind::Stray => Some("it is not a file of the state".to_owned()),
            _ if mode != u32::from(FileMode::Blob) => Some("it is not a plain file".to_owned()),
            _ => match read_file(repository, &path, oid, &mut snapshot, found) {
                Ok(problem) => problem,
                Err(Failure::Trouble(Trouble::Bad(problem))) => Some(problem),
                Err(Failure::Trouble(Trouble::Newer(major))) => {
                    return Err(StoreError::Newer {
                        path: PathBuf::from(path),
                        found: major,
                        known: files::MAJOR,
                    });
                }
                Err(Failure::Git(error)) => return Err(failed(error)),
            },
        };
        if let Some(problem) = problem {
            let short = oid.to_string()[..8].to_owned();
            let name = path.rsplit('/').next().unwrap_or(&path);
            let kept_as = format!("quarantine/{short}-{name}");
            snapshot.set_aside(path, problem, kept_as, Kept::Object { oid, mode });
        }
    }
    let has_segments = snapshot.files.keys().any(|path| path.starts_with("segments/"));
    let (has_files, has_index) = (!snapshot.files.is_empty(), snapshot.has_index);
    snapshot.note_missing("format.json", has_files && !snapshot.has_format);
    snapshot.note_missing("segments/index.jsonl", has_segments && !has_index);
    snapshot.note_missing_segments();
    Ok(snapshot)
}

enum Failure {
    Trouble(Trouble),
    Git(git2::Error),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<git2::Error> for Failure {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

/// Takes what can be believed of a file; what is wrong with it although it is used.
fn read_file(
    repository: &Repository,
    path: &str,
    oid: Oid,
    snapshot: &mut Snapshot,
    found: &mut Vec<Stored>,
) -> Result<Option<String>, Failure> {
    let (size, _) = repository.odb()?.read_header(oid)?;
    if files::is_too_large(size) {
        return Err(Trouble::Bad(format!("it has {size} bytes, more than any file of the state")).into());
    }
    let blob = repository.find_blob(oid)?;
    let contents = match files::kind(path) {
        Kind::Format => return Ok(snapshot.take_format(blob.content())?),
        Kind::Index => return Ok(snapshot.take_index(blob.content())),
        kind => contents(kind, blob.content())?,
    };
    found.extend(contents.stored);
    if contents.problem.is_none() {
        let is_events = matches!(files::kind(path), Kind::Events(_));
        let believed = Believed {
            oid,
            ids: contents.records.iter().map(|record| record.id.clone()).collect(),
            records: if is_events { contents.records } else { Vec::new() },
        };
        snapshot.files.insert(path.to_owned(), believed);
    } else {
        snapshot.rescued(contents.records, oid);
    }
    Ok(contents.problem)
}

fn contents(kind: Kind<'_>, bytes: &[u8]) -> Result<Contents, Trouble> {
    match kind {
        Kind::Events(hash) => files::read(bytes, hash),
        Kind::Segment(hash) => files::read(&files::unpack(bytes)?, hash),
        _ => Err(Trouble::Bad("it has no facts".to_owned())),
    }
}

/// The lines of a file that was believed when it was read.
pub(super) fn records(repository: &Repository, path: &str, believed: &Believed) -> Result<Vec<Record>, StoreError> {
    if !believed.records.is_empty() {
        return Ok(believed.records.clone());
    }
    let blob = repository.find_blob(believed.oid).map_err(failed)?;
    contents(files::kind(path), blob.content())
        .map(|contents| contents.records)
        .map_err(|trouble| StoreError::Unreadable {
            path: PathBuf::from(path),
            problem: format!("{trouble:?}"),
        })
}

impl Snapshot {
    fn set_aside(&mut self, path: String, problem: String, kept_as: String, what: Kept) {
        self.damage.push(Damage {
            path: PathBuf::from(&path),
            problem,
            kept_as: PathBuf::from(&kept_as),
        });
        self.aside.push(Aside { path, kept_as, what });
    }

    fn take_format(&mut self, bytes: &[u8]) -> Result<Option<String>, Trouble> {
        match serde_json::from_slice::<Format>(bytes) {
            Ok(format) if format.major > files::MAJOR => Err(Trouble::Newer(format.major)),
            Ok(_) => {
                self.has_format = true;
                Ok(None)
            }
            Err(error) => Ok(Some(format!("it cannot be read: {error}"))),
        }
    }

    fn take_index(&mut self, bytes: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(bytes);
        self.has_index = true;
        let mut bad = 0;
        for line in text.lines() {
            match serde_json::from_str::<Listed>(line) {
                Ok(listed) => {
                    self.index.insert(listed.segment, line.to_owned());
                }
                Err(_) => bad += 1,
            }
        }
        (bad > 0 || text.contains('\r')).then(|| format!("{bad} of its lines cannot be read"))
    }

    /// Notes that a file which must be there is gone, unless it is there and damaged.
    fn note_missing(&mut self, path: &str, is_missing: bool) {
        if !is_missing || self.aside.iter().any(|aside| aside.path == path) {
            return;
        }
        let kept_as = format!("quarantine/missing-{}", path.rsplit('/').next().unwrap_or(path));
        let note = Kept::Note("{\"missing\":true}\n".to_owned());
        self.set_aside(path.to_owned(), "it is gone".to_owned(), kept_as, note);
    }

    /// A segment of the index must be there, or something is lost.
    fn note_missing_segments(&mut self) {
        let there: BTreeSet<&str> = (self.files.keys())
            .chain(self.aside.iter().map(|aside| &aside.path))
            .map(String::as_str)
            .collect();
        let lost: Vec<(String, String)> = (self.index.iter())
            .map(|(segment, line)| (format!("segments/{segment}.jsonl.zst"), line.clone()))
            .filter(|(path, _)| !there.contains(path.as_str()))
            .collect();
        for (path, line) in lost {
            let facts = serde_json::from_str::<Listed>(&line).map_or(0, |listed| listed.n);
            let name = path.rsplit('/').next().unwrap_or(&path);
            let kept_as = format!("quarantine/missing-{name}.json");
            let problem = format!("it is gone, and {facts} facts with it");
            self.set_aside(path.clone(), problem, kept_as, Kept::Note(format!("{line}\n")));
        }
    }

    /// Facts of a file that is set aside all the same: they are written anew.
    fn rescued(&mut self, records: Vec<Record>, oid: Oid) {
        let ids = Vec::new();
        self.files
            .insert(format!("rescued/{oid}"), Believed { oid, ids, records });
    }

    /// Takes the rescued records out.
    pub(super) fn take_rescued(&mut self) -> Vec<Record> {
        let paths: Vec<String> = (self.files.keys())
            .filter(|path| path.starts_with("rescued/"))
            .cloned()
            .collect();
        paths
            .iter()
            .filter_map(|path| self.files.remove(path))
            .flat_map(|believed| believed.records)
            .collect()
    }

    fn events(&self) -> impl Iterator<Item = (&String, &Believed)> {
        self.files.iter().filter(|(path, _)| path.starts_with("events/"))
    }

    /// Makes the commit that adds these records, folds what is due, and sets aside what was found damaged.
    pub(super) fn next(&self, repository: &Repository, new: &[Record], now: &str) -> Result<Oid, StoreError> {
        let mut index = Index::new().map_err(failed)?;
        let parent = self
            .commit
            .map(|commit| repository.find_commit(commit))
            .transpose()
            .map_err(failed)?;
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree().map_err(failed)?).map_err(failed)?;
        }
        let mut next = Next {
            repository,
            index,
            said: Vec::new(),
        };
        for aside in &self.aside {
            next.put_away(aside)?;
        }
        if !self.has_format {
            let format = Format {
                major: files::MAJOR,
                minor: 0,
                written_by: concat!("sprag ", env!("CARGO_PKG_VERSION")).to_owned(),
            };
            next.write(
                "format.json",
                serde_json::to_string(&format).map_err(std::io::Error::from)?.as_bytes(),
            )?;
        }
        let now = moment(now)?;
        if !new.is_empty() {
            next.said.push(counted(new.len(), "Add", "fact"));
        }
        let bytes: usize = new.iter().map(|record| record.line.len()).sum();
        let fold = self.events().count() + 1 >= FOLD || new.len() > files::SEGMENT || bytes > files::SEGMENT_BYTES;
        let mut listed = self.index.clone();
        listed.retain(|segment, _| self.files.contains_key(&format!("segments/{segment}.jsonl.zst")));
        for (path, believed) in &self.files {
            if let Kind::Segment(segment) = files::kind(path)
                && !listed.contains_key(segment)
            {
                listed.insert(segment.to_owned(), listing(segment, &believed.ids)?);
            }
        }
        if fold {
            self.fold(&mut next, new, &mut listed)?;
        } else if !new.is_empty() {
            let records: Vec<&Record> = new.iter().collect();
            let text = files::write(&records, self.commit.map(|commit| commit.to_string()))?;
            let folder = now.strftime("events/%Y/%m/%Y%m%dT%H%M%SZ");
            let hash = &sprag_core::hash::of_text(&text)[..12];
            next.write(&format!("{folder}-{hash}.jsonl"), text.as_bytes())?;
        }
        let lines: Vec<String> = listed.values().map(|line| format!("{line}\n")).collect();
        if listed != self.index || self.aside.iter().any(|aside| aside.path == "segments/index.jsonl") {
            next.write("segments/index.jsonl", lines.concat().as_bytes())?;
        }
        let tree = next.index.write_tree_to(repository).map_err(failed)?;
        let tree = repository.find_tree(tree).map_err(failed)?;
        let who = Signature::new("sprag", "sprag@localhost", &Time::new(now.as_second(), 0)).map_err(failed)?;
        let parents: Vec<_> = parent.iter().collect();
        repository
            .commit(None, &who, &who, &next.said.join(", "), &tree, &parents)
            .map_err(failed)
    }

    /// Event files and new records become segments.
    fn fold(
        &self,
        next: &mut Next<'_>,
        new: &[Record],
        listed: &mut BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let mut all: Vec<&Record> = (self.events())
            .flat_map(|(_, believed)| &believed.records)
            .chain(new)
            .collect();
        all.sort_by(|a, b| (&a.id, &a.at).cmp(&(&b.id, &b.at)));
        all.dedup_by(|b, a| a.id == b.id);
        all.sort_by(|a, b| (&a.at, &a.id).cmp(&(&b.at, &b.id)));
        let n_events = self.events().count();
        for (path, _) in self.events() {
            next.index.remove_path(path.as_ref()).map_err(failed)?;
        }
        let parts = files::segments(&all);
        for part in &parts {
            let text = files::write(part, None)?;
            let segment = sprag_core::hash::of_text(&text);
            next.write(&format!("segments/{segment}.jsonl.zst"), &files::pack(&text)?)?;
            let ids: Vec<String> = part.iter().map(|record| record.id.clone()).collect();
            let line = listing(&segment, &ids)?;
            listed.insert(segment, line);
        }
        if n_events > 0 {
            next.said.push(counted(n_events, "fold", "transaction"));
        }
        Ok(())
    }
}

/// The commit that is being made.
struct Next<'a> {
    repository: &'a Repository,
    index: Index,
    /// What it does, for its message.
    said: Vec<String>,
}

impl Next<'_> {
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let oid = self.repository.blob(bytes).map_err(failed)?;
        self.index.add(&entry(path, oid, FileMode::Blob.into())).map_err(failed)
    }

    fn put_away(&mut self, aside: &Aside) -> Result<(), StoreError> {
        self.said.push(format!("set aside {}", aside.path));
        match &aside.what {
            Kept::Object { oid, mode } => {
                self.index.remove_path(aside.path.as_ref()).map_err(failed)?;
                self.index.add(&entry(&aside.kept_as, *oid, *mode)).map_err(failed)
            }
            Kept::Note(text) => self.write(&aside.kept_as.clone(), text.as_bytes()),
        }
    }
}

/// A segment's line in the index.
fn listing(segment: &str, ids: &[String]) -> Result<String, std::io::Error> {
    Ok(serde_json::to_string(&Listed {
        segment: segment.to_owned(),
        n: ids.len(),
        first: ids.first().cloned().unwrap_or_default(),
        last: ids.last().cloned().unwrap_or_default(),
    })?)
}

fn moment(now: &str) -> Result<jiff::Timestamp, std::io::Error> {
    now.parse().map_err(|error| {
        std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            format!("{now} is not a time: {error}"),
        )
    })
}

fn counted(n: usize, verb: &str, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{verb} {n} {noun}{s}")
}

pub(super) fn entry(path: &str, id: Oid, mode: u32) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}
