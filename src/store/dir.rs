//! The state as a folder, `.sprag/state/`:
//!
//! - `format.json`: `{"major","minor","written_by"}`; a newer major is refused.
//! - `events.jsonl`: the newest entries, one a line, each synced before `append` returns.
//! - `segments/000001.jsonl.zst`: older entries, 256 a segment; written whole, then renamed.
//! - `runs/ab/<key>.json.zst`: one recorded run; written whole, then renamed.
//! - `salt`: random, mixed into run keys.
//! - `quarantine/`: what could not be read, set aside.
//!
//! Every entry names the hash of the one before it. The first entry that does not fit ends the readable part: what follows is set aside
//! and reported, never skipped silently.

use super::{Recorded, Store, StoreError, head};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sprag_core::hash;
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event, FORMAT_MAJOR};
use sprag_core::trial::Trial;
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
    /// Held as long as the store lives.
    _lock: fs::File,
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
    /// When the folder cannot be read or written, was written by a newer sprag, or another process holds it.
    pub fn open(root: &Path) -> Result<(Self, Vec<Damage>), StoreError> {
        fs::create_dir_all(root)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))?;
        if lock.file().try_lock().is_err() {
            return Err(StoreError::Locked { path: root.to_owned() });
        }
        check_format(root)?;
        fs::create_dir_all(root.join("segments"))?;
        fs::create_dir_all(root.join("runs"))?;
        let salt = salt(root)?;
        let mut entries = Vec::new();
        let mut damage = read_segments(root, &mut entries)?;
        let folded = entries.len();
        damage.extend(read_events(root, &mut entries)?);
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

    fn run_path(&self, key: &RunKey) -> PathBuf {
        let name = key.as_str();
        self.root
            .join("runs")
            .join(name.get(..2).unwrap_or("xx"))
            .join(format!("{name}.json.zst"))
    }

    /// Folds a full `events.jsonl` into a segment. A kill between the two steps leaves entries in both places; `read_events` drops those.
    fn fold(&mut self) -> Result<(), StoreError> {
        let number = self.entries.len() / SEGMENT;
        let start = self.entries.len() - self.unfolded;
        let lines = to_lines(&self.entries[start..])?;
        let packed = zstd::encode_all(lines.as_bytes(), LEVEL)?;
        write_whole(
            &self.root.join("segments").join(format!("{number:06}.jsonl.zst")),
            &packed,
        )?;
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
        let path = self.run_path(key);
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
        let path = self.run_path(key);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        write_whole(&path, &zstd::encode_all(json.as_slice(), LEVEL)?)?;
        Ok(())
    }

    fn salt(&self) -> &str {
        &self.salt
    }
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

fn read_segments(root: &Path, entries: &mut Vec<Entry>) -> Result<Vec<Damage>, StoreError> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root.join("segments"))?
        .map(|file| Ok(file?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "zst"));
    paths.sort();
    let mut damage = Vec::new();
    for path in paths {
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

fn read_events(root: &Path, entries: &mut Vec<Entry>) -> Result<Vec<Damage>, StoreError> {
    let path = root.join("events.jsonl");
    let Ok(bytes) = fs::read(&path) else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8_lossy(&bytes);
    let folded = entries.len();
    let Err((good, problem)) = take_lines(&text, entries) else {
        return Ok(Vec::new());
    };
    let damage = set_aside(root, &path, problem, Some(&text.as_bytes()[good..]))?;
    write_whole(&path, to_lines(&entries[folded..])?.as_bytes())?;
    Ok(vec![damage])
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

fn set_aside(root: &Path, path: &Path, problem: String, bytes: Option<&[u8]>) -> Result<Damage, StoreError> {
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
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), std::io::Error> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}
