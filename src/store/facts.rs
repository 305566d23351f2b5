//! Facts of a project without GitHub, in a folder: what `sprag ingest` has read, and what people decided on the command line.
//!
//! - `facts.jsonl`: one fact a line, `{"id","at","fact"}` as on the state branch, synced before [`FactFile::note`] returns.
//! - `lock`: held by who writes.
//! - `quarantine/`: lines that could not be read, set aside. Facts are a set, so one bad line costs no other.

use super::dir::{set_aside, write_whole};
use super::{Damage, StoreError, Stored};
use fs_err as fs;
use sprag_core::fact::{Fact, What};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file of the facts.
const FACTS: &str = "facts.jsonl";

/// A folder of facts that this process writes.
#[derive(Debug)]
pub struct FactFile {
    file: fs::File,
    facts: Vec<Fact>,
    ids: BTreeSet<String>,
    /// Held as long as the facts are.
    lock: fs::File,
}

impl Drop for FactFile {
    fn drop(&mut self) {
        self.lock.file().unlock().ok();
    }
}

impl FactFile {
    /// Opens a folder of facts, or makes one. Lines that cannot be read are set aside and returned.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or another process writes it.
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
        let path = root.join(FACTS);
        let (good, bad) = lines(&path)?;
        let mut damage = Vec::new();
        if !bad.is_empty() {
            let n = bad.lines().count();
            let problem = format!("{n} of its lines cannot be read as facts");
            damage.push(set_aside(root, &path, problem, Some(bad.as_bytes()))?);
            let whole: String = good.iter().map(|(line, _)| format!("{line}\n")).collect();
            write_whole(&path, whole.as_bytes())?;
        }
        let facts: Vec<Fact> = good.into_iter().map(|(_, fact)| fact).collect();
        let file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        let ids = facts.iter().map(Fact::id).collect();
        Ok((Self { file, facts, ids, lock }, damage))
    }

    /// The facts of a folder that somebody else may be writing; none if there is no such folder.
    pub fn read(root: &Path) -> Result<Vec<Fact>, StoreError> {
        let (good, _) = lines(&root.join(FACTS))?;
        Ok(good.into_iter().map(|(_, fact)| fact).collect())
    }

    /// Each fact once, in the order in which they were noted.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Notes a fact, and says whether it is a new one. When this returns, it survives a kill of the process.
    pub fn note(&mut self, at: String, what: What) -> Result<bool, StoreError> {
        let fact = Fact { at, what };
        let id = fact.id();
        if self.ids.contains(&id) {
            return Ok(false);
        }
        let stored = Stored {
            id: id.clone(),
            at: fact.at.clone(),
            fact: serde_json::to_value(&fact.what).map_err(std::io::Error::from)?,
        };
        let mut line = serde_json::to_vec(&stored).map_err(std::io::Error::from)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        self.ids.insert(id);
        self.facts.push(fact);
        Ok(true)
    }
}

/// The lines that are facts with their ids, each fact once, and all other lines.
fn lines(path: &PathBuf) -> Result<(Vec<(String, Fact)>, String), StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(error.into()),
    };
    let (mut good, mut bad, mut seen) = (Vec::new(), String::new(), BTreeSet::new());
    for line in String::from_utf8_lossy(&bytes).lines() {
        match fact(line) {
            Some(fact) if seen.insert(fact.id()) => good.push((line.to_owned(), fact)),
            Some(_) => {}
            None => {
                bad.push_str(line);
                bad.push('\n');
            }
        }
    }
    Ok((good, bad))
}

fn fact(line: &str) -> Option<Fact> {
    let stored: Stored = serde_json::from_str(line).ok()?;
    let what = serde_json::from_value(stored.fact).ok()?;
    let fact = Fact { at: stored.at, what };
    (fact.id() == stored.id).then_some(fact)
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
        assert!(FactFile::read(dir.path()).unwrap().is_empty());
        noted(dir.path(), &["c-1", "c-2"]);
        let (mut facts, damage) = FactFile::open(dir.path()).unwrap();
        assert!(damage.is_empty());
        assert!(!facts.note("2026-01-01".to_owned(), decided("c-1")).unwrap(), "known");
        assert_eq!(FactFile::read(dir.path()).unwrap(), facts.facts());
        assert!(matches!(FactFile::open(dir.path()), Err(StoreError::Locked { .. })));
    }

    #[test]
    fn a_line_that_was_cut_or_changed_is_set_aside_and_the_others_are_used() {
        let dir = tempfile::tempdir().unwrap();
        noted(dir.path(), &["c-1", "c-2", "c-3"]);
        let path = dir.path().join(FACTS);
        let text = fs::read_to_string(&path).unwrap().replace("c-2", "c-9");
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        let (mut facts, damage) = FactFile::open(dir.path()).unwrap();
        assert_eq!(facts.facts().len(), 1);
        assert!(damage[0].problem.starts_with("2 of its lines"), "{damage:?}");
        let kept = fs::read_to_string(&damage[0].kept_as).unwrap();
        assert!(kept.contains("c-9") && kept.contains("c-3"));
        assert!(facts.note("2026-01-04".to_owned(), decided("c-4")).unwrap());
        drop(facts);
        assert_eq!(FactFile::read(dir.path()).unwrap().len(), 2);
        assert!(FactFile::open(dir.path()).unwrap().1.is_empty());
    }
}
