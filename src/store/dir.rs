//! The state as a folder, `.sprag/state/`:
//!
//! - `format.json`: `{"major","minor","written_by"}`; another major is refused.
//! - `events.jsonl`: the newest entries, one a line, each synced before `append` returns.
//! - `segments/000001.jsonl.zst`: older entries, 256 a segment; written whole, then renamed.
//! - `runs/ab/<key>.json.zst`: one recorded run; written whole, then renamed.
//! - `salt`: random, mixed into run keys.
//! - `quarantine/`: what could not be read, set aside.
//!
//! Every entry names the hash of the one before it. The first entry that does not fit ends the readable part: what follows is set aside
//! and reported, never skipped silently.

use super::lock::Lock;
use super::{Recorded, Store, StoreError, head};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sprag_core::hash;
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event, FORMAT_MAJOR};
use sprag_core::trial::Trial;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Entries a segment.
const SEGMENT: usize = 256;
/// zstd's default: the state is small.
const LEVEL: i32 = 3;

/// A state folder that this process holds.
#[derive(Debug)]
pub struct DirStore {
    root: PathBuf,
    entries: Vec<Entry>,
    /// How many of `entries` are in `events.jsonl`.
    unfolded: usize,
    events: fs::File,
    salt: String,
    _lock: Lock,
}

/// Something that could not be read and was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// What was wrong with it.
    pub problem: String,
    /// Where it was put.
    pub kept_as: PathBuf,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, kept_as) = (self.path.display(), self.kept_as.display());
        write!(f, "{path}: {}; set aside as {kept_as}", self.problem)
    }
}

#[derive(Serialize, Deserialize)]
struct Format {
    major: u32,
    minor: u32,
    written_by: String,
}

impl DirStore {
    /// Opens a state folder, or makes one. Damage is set aside and returned.
    ///
    /// # Errors
    /// When the folder cannot be read or written, was written in another format, or another process holds it.
    pub fn open(root: &Path) -> Result<(Self, Vec<Damage>), StoreError> {
        let lock = Lock::of(root)?;
        let is_new = !root.join("format.json").exists();
        check_format(root)?;
        fs::create_dir_all(root.join("segments"))?;
        fs::create_dir_all(root.join("runs"))?;
        let salt = salt(root)?;
        let mut entries = Vec::new();
        let mut damage = read_segments(root, &mut entries)?;
        let folded = entries.len();
        damage.extend(if is_new || root.join("events.jsonl").exists() {
            read_events(root, &mut entries)?
        } else {
            Some(gone(root)?)
        });
        let events = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(root.join("events.jsonl"))?;
        let unfolded = entries.len() - folded;
        Ok((
            Self {
                root: root.to_owned(),
                entries,
                unfolded,
                events,
                salt,
                _lock: lock,
            },
            damage,
        ))
    }

    /// The ledger in a folder that somebody else may be writing, up to the first entry that cannot be believed; empty if there is none.
    ///
    /// # Errors
    /// When the folder cannot be read or was written in another format.
    pub fn ledger(root: &Path) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        if !root.join("format.json").exists() {
            return Ok(entries);
        }
        check_format(root)?;
        for path in segment_paths(root)? {
            let text = zstd::decode_all(fs::read(&path)?.as_slice()).unwrap_or_default();
            if take_lines(&String::from_utf8_lossy(&text), &mut entries).is_err() {
                return Ok(entries);
            }
        }
        let events = fs::read(root.join("events.jsonl")).unwrap_or_default();
        // Its last line may just be being written.
        take_lines(&String::from_utf8_lossy(&events), &mut entries).ok();
        Ok(entries)
    }

    /// A run on record, of a folder that somebody else may be writing. `key` makes its key from the salt of the folder.
    pub fn recorded_in(root: &Path, key: impl FnOnce(&str) -> RunKey) -> Option<Recorded> {
        let salt = fs::read_to_string(root.join("salt")).ok()?;
        let packed = fs::read(run_path(root, &key(&salt))).ok()?;
        serde_json::from_slice(&zstd::decode_all(packed.as_slice()).ok()?).ok()
    }

    /// Its root.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Folds a full `events.jsonl` into a segment. A kill between the two steps leaves entries in both places; `read_events` drops those.
    fn fold(&mut self) -> Result<(), StoreError> {
        let number = self.entries.len() / SEGMENT;
        let start = self.entries.len() - self.unfolded;
        let lines = to_lines(&self.entries[start..])?;
        let segment = self.root.join("segments").join(format!("{number:06}.jsonl.zst"));
        write_whole(&segment, &pack(lines.as_bytes())?)?;
        write_whole(&self.root.join("events.jsonl"), b"")?;
        self.events = fs::OpenOptions::new()
            .append(true)
            .open(self.root.join("events.jsonl"))?;
        self.unfolded = 0;
        Ok(())
    }
}

impl Store for DirStore {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn append(&mut self, at: String, event: Event) -> Result<(), StoreError> {
        let entry = Entry::after(self.entries.last(), at, event);
        self.events
            .write_all(to_lines(std::slice::from_ref(&entry))?.as_bytes())?;
        self.events.sync_data()?;
        self.entries.push(entry);
        self.unfolded += 1;
        if self.unfolded >= SEGMENT {
            self.fold()?;
        }
        Ok(())
    }

    fn recorded(&self, key: &RunKey) -> Result<Option<Recorded>, StoreError> {
        let path = run_path(&self.root, key);
        let packed = match fs::read(&path) {
            Ok(packed) => packed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // A run that cannot be read was not recorded: it is made again and replaces this one.
        let recorded = zstd::decode_all(packed.as_slice())
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok());
        if recorded.is_none() {
            tracing::warn!("the recorded run {} cannot be read and is made again", path.display());
        }
        Ok(recorded)
    }

    fn record(&mut self, key: &RunKey, trial: &Trial) -> Result<(), StoreError> {
        let recorded = Recorded {
            after: head(&self.entries).to_owned(),
            trial: trial.clone(),
        };
        let json = serde_json::to_vec(&recorded).map_err(std::io::Error::from)?;
        let path = run_path(&self.root, key);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        write_whole(&path, &pack(&json)?)?;
        Ok(())
    }

    fn salt(&self) -> &str {
        &self.salt
    }
}

fn run_path(root: &Path, key: &RunKey) -> PathBuf {
    let name = key.as_str();
    root.join("runs")
        .join(name.get(..2).unwrap_or("xx"))
        .join(format!("{name}.json.zst"))
}

fn check_format(root: &Path) -> Result<(), StoreError> {
    let path = root.join("format.json");
    if !path.exists() {
        let format = Format {
            major: FORMAT_MAJOR,
            minor: 0,
            written_by: concat!("sprag ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let json = serde_json::to_string(&format).map_err(std::io::Error::from)?;
        write_whole(&path, json.as_bytes())?;
        return Ok(());
    }
    let format: Format = serde_json::from_slice(&fs::read(&path)?).map_err(|error| StoreError::Unreadable {
        path: path.clone(),
        problem: error.to_string(),
    })?;
    if format.major > FORMAT_MAJOR {
        return Err(StoreError::Newer {
            path: root.to_owned(),
            found: format.major,
            known: FORMAT_MAJOR,
        });
    }
    if format.major < FORMAT_MAJOR {
        return Err(StoreError::Older {
            path: root.to_owned(),
            found: format.major,
            known: FORMAT_MAJOR,
        });
    }
    Ok(())
}

/// 128 random bits from the operating system.
fn salt(root: &Path) -> Result<String, StoreError> {
    let path = root.join("salt");
    if let Ok(salt) = fs::read_to_string(&path)
        && salt.len() == 32
    {
        return Ok(salt);
    }
    let mut bytes = [0u8; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let salt: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write_whole(&path, salt.as_bytes())?;
    Ok(salt)
}

fn segment_paths(root: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root.join("segments"))?
        .map(|file| Ok(file?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "zst"));
    paths.sort();
    Ok(paths)
}

fn read_segments(root: &Path, entries: &mut Vec<Entry>) -> Result<Vec<Damage>, StoreError> {
    let mut damage = Vec::new();
    for path in segment_paths(root)? {
        let text = zstd::decode_all(fs::read(&path)?.as_slice())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let problem = match text {
            None => Some("it cannot be unpacked".to_owned()),
            Some(_) if !damage.is_empty() => Some("it follows a segment that cannot be read".to_owned()),
            Some(text) => take_lines(&text, entries).err().map(|(_, problem)| problem),
        };
        if let Some(problem) = problem {
            damage.push(set_aside(root, &path, problem, None)?);
            fs::remove_file(&path)?;
        }
    }
    Ok(damage)
}

fn read_events(root: &Path, entries: &mut Vec<Entry>) -> Result<Option<Damage>, StoreError> {
    let path = root.join("events.jsonl");
    let Ok(bytes) = fs::read(&path) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let folded = entries.len();
    let Err((good, problem)) = take_lines(&text, entries) else {
        return Ok(None);
    };
    let damage = set_aside(root, &path, problem, Some(&text.as_bytes()[good..]))?;
    write_whole(&path, to_lines(&entries[folded..])?.as_bytes())?;
    Ok(Some(damage))
}

/// The newest entries were there, and are not any more: nothing of them can be kept, and that is noted.
fn gone(root: &Path) -> Result<Damage, StoreError> {
    let path = root.join("events.jsonl");
    let problem = "it is gone, and the newest entries with it".to_owned();
    set_aside(root, &path, problem, Some(b""))
}

/// Packed with a checksum: a bit that flips must not make another verdict.
fn pack(bytes: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Takes the lines of a ledger file that continue `entries`. Lines that repeat its end (a fold that was cut short) are passed over.
/// Stops at the first line that does not fit: its offset, and why.
fn take_lines(text: &str, entries: &mut Vec<Entry>) -> Result<(), (usize, String)> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let next = entries.len() + 1;
        let entry: Entry = match serde_json::from_str(line) {
            Ok(entry) if line.ends_with('\n') => entry,
            _ if !line.ends_with('\n') => return Err((offset, format!("entry {next}, the last line, was cut off"))),
            Ok(_) | Err(_) => return Err((offset, format!("entry {next} is not readable"))),
        };
        let known = usize::try_from(entry.seq)
            .ok()
            .and_then(|seq| entries.get(seq.checked_sub(1)?));
        if known.is_some_and(|known| known.id == entry.id) {
            offset += line.len();
            continue;
        }
        if !entry.follows(entries.last()) {
            return Err((offset, format!("entry {next} does not fit the one before it")));
        }
        entries.push(entry);
        offset += line.len();
    }
    Ok(())
}

pub(super) fn set_aside(root: &Path, path: &Path, problem: String, bytes: Option<&[u8]>) -> Result<Damage, StoreError> {
    let whole;
    let bytes = match bytes {
        Some(bytes) => bytes,
        None => {
            whole = fs::read(path)?;
            &whole
        }
    };
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let hash = hash::of(bytes);
    let kept_as = root.join("quarantine").join(format!("{}-{name}", &hash[..8]));
    fs::create_dir_all(root.join("quarantine"))?;
    write_whole(&kept_as, bytes)?;
    Ok(Damage {
        path: path.to_owned(),
        problem,
        kept_as,
    })
}

fn to_lines(entries: &[Entry]) -> Result<String, StoreError> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry).map_err(std::io::Error::from)?);
        text.push('\n');
    }
    Ok(text)
}

/// Either the old file or the new one is there, never a part.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), std::io::Error> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sprag_core::trial::{TrialStatus, Usage};
    use tempfile::TempDir;

    fn event(n: usize) -> Event {
        Event::Finished {
            reason: format!("test {n}: \u{201c}caf\u{e9}\u{201d}"),
        }
    }

    /// A state with so many entries, closed.
    fn state_of(n: usize) -> TempDir {
        let dir = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let mut store = open(dir.path()).0;
        (0..n).for_each(|n| store.append("now".to_owned(), event(n)).unwrap());
        dir
    }

    fn open(root: &Path) -> (DirStore, Vec<Damage>) {
        DirStore::open(root).unwrap()
    }

    fn ids(store: &DirStore) -> Vec<String> {
        store.entries().iter().map(|entry| entry.id.clone()).collect()
    }

    fn names(root: &Path, folder: &str) -> Vec<String> {
        let files = fs::read_dir(root.join(folder)).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn trial(usd: f64) -> Trial {
        Trial {
            status: TrialStatus::Passed,
            score: 1.0,
            usage: Usage {
                usd,
                ..Usage::default()
            },
            duration_ms: 3,
            trace: None,
            rubrics: Vec::new(),
        }
    }

    #[test]
    fn full_files_are_folded_and_read_back() {
        let dir = state_of(2 * SEGMENT + 3);
        assert_eq!(names(dir.path(), "segments"), ["000001.jsonl.zst", "000002.jsonl.zst"]);
        assert_eq!(
            fs::read_to_string(dir.path().join("events.jsonl"))
                .unwrap()
                .lines()
                .count(),
            3
        );
        let (mut store, damage) = open(dir.path());
        assert_eq!((store.entries().len(), damage), (2 * SEGMENT + 3, vec![]));
        store.append("now".to_owned(), event(0)).unwrap();
        let before = ids(&store);
        drop(store);
        assert_eq!(ids(&open(dir.path()).0), before);
    }

    #[test]
    fn a_kill_between_the_two_steps_of_a_fold_doubles_nothing() {
        let dir = state_of(SEGMENT);
        let segment = fs::read(dir.path().join("segments/000001.jsonl.zst")).unwrap();
        let lines = zstd::decode_all(segment.as_slice()).unwrap();
        // The segment is there, and the file was not emptied yet.
        fs::write(dir.path().join("events.jsonl"), lines).unwrap();
        for (n_before, n_more) in [(SEGMENT, 2), (SEGMENT + 2, SEGMENT), (2 * SEGMENT + 2, 1)] {
            let (mut store, damage) = open(dir.path());
            assert_eq!((store.entries().len(), damage), (n_before, vec![]));
            (0..n_more).for_each(|n| store.append("now".to_owned(), event(n)).unwrap());
        }
        assert_eq!(names(dir.path(), "segments"), ["000001.jsonl.zst", "000002.jsonl.zst"]);
    }

    #[test]
    fn wherever_a_kill_cuts_the_file_the_whole_lines_before_it_are_kept() {
        let dir = state_of(3);
        let path = dir.path().join("events.jsonl");
        let (whole, all) = (fs::read(&path).unwrap(), ids(&open(dir.path()).0));
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let (store, damage) = open(dir.path());
            let n_lines = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(ids(&store), all[..n_lines], "cut at {cut}");
            let at_an_end = cut == 0 || whole[cut - 1] == b'\n';
            assert_eq!(damage.len(), usize::from(!at_an_end), "cut at {cut}");
            drop(store);
            assert_eq!(open(dir.path()).1, [], "damage is set aside once");
        }
    }

    #[test]
    fn whatever_byte_is_altered_the_entries_before_it_are_kept_and_no_other_is_believed() {
        let dir = state_of(3);
        let path = dir.path().join("events.jsonl");
        let (whole, all) = (fs::read(&path).unwrap(), ids(&open(dir.path()).0));
        for at in 0..whole.len() {
            for flip in [0x01, 0x80] {
                let mut altered = whole.clone();
                altered[at] ^= flip;
                fs::write(&path, &altered).unwrap();
                let (store, damage) = open(dir.path());
                let kept = ids(&store);
                assert!(all.starts_with(&kept), "byte {at}");
                let n_before = whole[..at].iter().filter(|&&byte| byte == b'\n').count();
                assert!(kept.len() >= n_before, "byte {at}");
                assert_eq!(damage.is_empty(), kept.len() == all.len(), "byte {at}: {damage:?}");
            }
        }
    }

    #[test]
    fn what_follows_a_damaged_segment_is_set_aside_with_it() {
        let dir = state_of(3 * SEGMENT + 1);
        let second = dir.path().join("segments/000002.jsonl.zst");
        fs::write(&second, b"no zstd").unwrap();
        let (mut store, damage) = open(dir.path());
        let problems: Vec<&str> = damage.iter().map(|damage| damage.problem.as_str()).collect();
        assert_eq!(
            problems,
            [
                "it cannot be unpacked",
                "it follows a segment that cannot be read",
                "entry 257 does not fit the one before it"
            ]
        );
        assert_eq!(fs::read(&damage[0].kept_as).unwrap(), b"no zstd");
        assert_eq!(store.entries().len(), SEGMENT);
        (0..SEGMENT).for_each(|n| store.append("now".to_owned(), event(n)).unwrap());
        drop(store);
        let (store, damage) = open(dir.path());
        assert_eq!((store.entries().len(), damage), (2 * SEGMENT, vec![]));
    }

    #[test]
    fn a_run_is_on_record_with_the_entry_it_was_made_after() {
        let dir = state_of(1);
        let mut store = open(dir.path()).0;
        let key = RunKey::new("abcdef");
        assert_eq!(store.recorded(&key).unwrap(), None);
        store.record(&key, &trial(0.1)).unwrap();
        store.record(&key, &trial(0.2)).unwrap();
        store.append("now".to_owned(), event(1)).unwrap();
        let expected = Recorded {
            after: store.entries()[0].id.clone(),
            trial: trial(0.2),
        };
        assert_eq!(store.recorded(&key).unwrap(), Some(expected));
    }

    #[test]
    fn a_run_that_cannot_be_read_was_not_recorded() {
        let dir = state_of(0);
        let mut store = open(dir.path()).0;
        let key = RunKey::new("abcdef");
        store.record(&key, &trial(0.1)).unwrap();
        let path = run_path(store.path(), &key);
        let whole = fs::read(&path).unwrap();
        // What a kill leaves of the next write is beside it and does not count.
        fs::write(path.with_extension("tmp"), &whole[..9]).unwrap();
        assert!(store.recorded(&key).unwrap().is_some());
        for damaged in [&whole[..9], b"", b"no zstd"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(store.recorded(&key).unwrap(), None);
        }
        store.record(&key, &trial(0.3)).unwrap();
        assert!(store.recorded(&key).unwrap().is_some());
    }

    #[test]
    fn the_salt_stays_and_is_another_one_everywhere() {
        let (one, other) = (state_of(0), state_of(0));
        let salt = open(one.path()).0.salt().to_owned();
        assert_eq!((salt.len(), open(one.path()).0.salt()), (32, salt.as_str()));
        assert_ne!(open(other.path()).0.salt(), salt);
    }

    #[test]
    fn a_state_is_held_by_one_at_a_time_and_refused_when_it_is_of_another_format() {
        let dir = state_of(1);
        let held = open(dir.path());
        assert!(matches!(DirStore::open(dir.path()), Err(StoreError::Locked { .. })));
        drop(held);
        let format = dir.path().join("format.json");
        fs::write(&format, r#"{"major":3,"minor":0,"written_by":"sprag 9"}"#).unwrap();
        assert!(matches!(
            DirStore::open(dir.path()),
            Err(StoreError::Newer { found: 3, .. })
        ));
        fs::write(&format, r#"{"major":1,"minor":0,"written_by":"sprag 0"}"#).unwrap();
        assert!(matches!(
            DirStore::open(dir.path()),
            Err(StoreError::Older { found: 1, .. })
        ));
        fs::write(&format, r#"{"major":2,"minor":7,"written_by":"sprag 9"}"#).unwrap();
        assert_eq!(
            open(dir.path()).0.entries().len(),
            1,
            "a newer minor version can be read"
        );
    }
}
