//! Facts of a project without GitHub, in a folder: what `sprag ingest` has read, and what people decided on the command line.
//!
//! - `facts.jsonl`: one fact a line, `{"id","at","fact"}` as on the state branch, synced before [`FactFile::note`] returns.
//! - `lock`: held by who writes.
//! - `quarantine/`: lines that could not be read, set aside. Facts are a set, so one bad line costs no other.

use super::dir::{set_aside, write_whole};
use super::lock::Lock;
use super::{Damage, StoreError, Stored};
use fs_err as fs;
use serde::Serialize;
use sprag_core::fact::{Fact, What};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

/// The file of the facts.
const FACTS: &str = "facts.jsonl";

/// A folder of facts that this process writes.
#[derive(Debug)]
pub struct FactFile {
    file: fs::File,
    facts: Vec<Fact>,
    ids: BTreeSet<String>,
    _lock: Lock,
}

impl FactFile {
    /// Opens a folder of facts, or makes one. Lines that cannot be read are set aside and returned.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or another process writes it.
    pub fn open(root: &Path) -> Result<(Self, Vec<Damage>), StoreError> {
        let lock = Lock::of(root)?;
        let path = root.join(FACTS);
        let lines = Lines::read(&path)?;
        let mut damage = Vec::new();
        if let Some(problem) = lines.problem() {
            damage.push(set_aside(root, &path, problem, Some(lines.bad.as_bytes()))?);
        }
        // What is written next must not become part of a line that was cut at its very end.
        if !lines.bad.is_empty() || lines.cut {
            let whole: String = lines.good.iter().map(|line| format!("{line}\n")).collect();
            write_whole(&path, whole.as_bytes())?;
        }
        let facts = lines.facts;
        let file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        let ids = facts.iter().map(Fact::id).collect();
        let facts = Self {
            file,
            facts,
            ids,
            _lock: lock,
        };
        Ok((facts, damage))
    }

    /// The facts of a folder that somebody else may be writing, and what is wrong with its lines; none if there is no such folder.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(root: &Path) -> Result<(Vec<Fact>, Option<String>), StoreError> {
        let path = root.join(FACTS);
        let lines = Lines::read(&path)?;
        let problem = lines.problem().map(|problem| format!("{}: {problem}", path.display()));
        Ok((lines.facts, problem))
    }

    /// Each fact once, in the order in which they were noted.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Hands the facts over: there may be many failures in them, and one copy of these is enough. More can be noted afterwards.
    pub fn take_facts(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.facts)
    }

    /// Notes a fact, and says whether it is a new one. When this returns, it survives a kill of the process.
    pub fn note(&mut self, at: String, what: What) -> Result<bool, StoreError> {
        let fact = Fact { at, what };
        let id = fact.id();
        if self.ids.contains(&id) {
            return Ok(false);
        }
        let written = Written {
            id: &id,
            at: &fact.at,
            fact: &fact.what,
        };
        let mut line = serde_json::to_vec(&written).map_err(std::io::Error::from)?;
        line.push(b'\n');
        let end = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&line) {
            // Half a line would spoil the next one.
            self.file.set_len(end).ok();
            return Err(error.into());
        }
        self.file.sync_data()?;
        self.ids.insert(id);
        self.facts.push(fact);
        Ok(true)
    }
}

/// A [`Stored`] fact, as it is written.
#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    at: &'a str,
    fact: &'a What,
}

/// The lines of a file of facts.
#[derive(Default)]
struct Lines {
    /// Those that are facts, each once, also of a kind that this version does not know.
    good: Vec<String>,
    /// The facts that this version knows.
    facts: Vec<Fact>,
    /// All other lines.
    bad: String,
    /// Whether the last line has no end.
    cut: bool,
}

impl Lines {
    fn read(path: &Path) -> Result<Self, StoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let mut lines = Self {
            cut: bytes.last().is_some_and(|byte| *byte != b'\n'),
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Ok(stored) = serde_json::from_str::<Stored>(line) else {
                lines.take_bad(line);
                continue;
            };
            // What a newer version wrote stays, and this version does without it.
            let Ok(what) = serde_json::from_value::<What>(stored.fact) else {
                lines.good.push(line.to_owned());
                continue;
            };
            let fact = Fact { at: stored.at, what };
            if fact.id() != stored.id {
                lines.take_bad(line);
            } else if seen.insert(stored.id) {
                lines.good.push(line.to_owned());
                lines.facts.push(fact);
            }
        }
        Ok(lines)
    }

    fn take_bad(&mut self, line: &str) {
        self.bad.push_str(line);
        self.bad.push('\n');
    }

    fn problem(&self) -> Option<String> {
        let n = self.bad.lines().count();
        (n > 0).then(|| format!("{n} of its lines cannot be read as facts"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sprag_core::fact::Decision;
    use sprag_core::id::ClusterId;

    fn decided(cluster: &str) -> What {
        What::Decided {
            by: "alice".to_owned(),
            decisions: vec![Decision::Ignore {
                cluster: ClusterId::new(cluster),
            }],
        }
    }

    fn noted(root: &Path, clusters: &[&str]) {
        let (mut facts, _) = FactFile::open(root).unwrap();
        for (at, cluster) in clusters.iter().enumerate() {
            assert!(facts.note(format!("2026-01-0{}", at + 1), decided(cluster)).unwrap());
        }
    }

    #[test]
    fn facts_are_kept_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(FactFile::read(dir.path()).unwrap().0.is_empty());
        noted(dir.path(), &["c-1", "c-2"]);
        let (mut facts, damage) = FactFile::open(dir.path()).unwrap();
        assert!(damage.is_empty());
        assert!(!facts.note("2026-01-01".to_owned(), decided("c-1")).unwrap(), "known");
        assert_eq!(FactFile::read(dir.path()).unwrap().0, facts.facts());
        assert!(matches!(FactFile::open(dir.path()), Err(StoreError::Locked { .. })));
    }

    #[test]
    fn a_line_that_was_cut_or_changed_is_set_aside_and_the_others_are_used() {
        let dir = tempfile::tempdir().unwrap();
        noted(dir.path(), &["c-1", "c-2", "c-3"]);
        let path = dir.path().join(FACTS);
        let text = fs::read_to_string(&path).unwrap().replace("c-2", "c-9");
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        let (facts, problem) = FactFile::read(dir.path()).unwrap();
        assert!(
            facts.len() == 1 && problem.unwrap().contains("2 of its lines"),
            "looking tells it too"
        );
        let (mut facts, damage) = FactFile::open(dir.path()).unwrap();
        assert_eq!(facts.facts().len(), 1);
        assert!(damage[0].problem.starts_with("2 of its lines"), "{damage:?}");
        let kept = fs::read_to_string(&damage[0].kept_as).unwrap();
        assert!(kept.contains("c-9") && kept.contains("c-3"));
        assert!(facts.note("2026-01-04".to_owned(), decided("c-4")).unwrap());
        drop(facts);
        assert_eq!(FactFile::read(dir.path()).unwrap().0.len(), 2);
        assert!(FactFile::open(dir.path()).unwrap().1.is_empty());
    }

    #[test]
    fn a_file_that_lacks_its_last_byte_loses_nothing_by_the_next_fact() {
        let dir = tempfile::tempdir().unwrap();
        noted(dir.path(), &["c-1", "c-2"]);
        let path = dir.path().join(FACTS);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.trim_end()).unwrap();
        let (mut facts, damage) = FactFile::open(dir.path()).unwrap();
        assert!(damage.is_empty() && facts.facts().len() == 2);
        facts.note("2026-01-03".to_owned(), decided("c-3")).unwrap();
        assert_eq!(FactFile::read(dir.path()).unwrap().0.len(), 3);
    }

    #[test]
    fn a_fact_of_a_newer_version_stays_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        noted(dir.path(), &["c-1"]);
        let path = dir.path().join(FACTS);
        let newer = "{\"id\":\"x\",\"at\":\"2027\",\"fact\":{\"type\":\"from_tomorrow\"}}\n";
        fs::write(&path, format!("{newer}{}", fs::read_to_string(&path).unwrap())).unwrap();
        let (facts, damage) = FactFile::open(dir.path()).unwrap();
        assert!(damage.is_empty() && facts.facts().len() == 1);
        assert!(fs::read_to_string(&path).unwrap().contains("from_tomorrow"));
    }
}
