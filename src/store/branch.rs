//! The state of one repository as facts on an orphan branch of it, `sprag/state`:
//!
//! - `format.json`: `{"major","minor","written_by"}`; a newer major is refused.
//! - `events/<yyyy>/<mm>/<stamp>-<hash12>.jsonl`: one transaction each, never changed: a first line `{"v","n","sha256","prev"}`, then a fact a line.
//! - `segments/<hash>.jsonl.zst`: older facts, at most 256 each, the same way; `segments/index.jsonl` lists them.
//! - `quarantine/`: what could not be believed, set aside.
//!
//! Every file of facts is named by the hash of its content, and every fact by what it is about, so that two states are joined as sets. A write
//! is a compare-and-swap of the branch: who loses reads again and writes what is still missing.
//!
//! Reading needs no right to write; what is found damaged or lost is put right by the next write.

mod files;
pub(crate) mod tamper;
mod tree;

use super::{Damage, StoreError};
use crate::workspace::{Depth, Lease, Remote, WorkspaceError, branch_head, fetch, own_repository, push};
use files::Record;
use fs_err as fs;
use git2::{Oid, Repository};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sprag_core::hash;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tree::Snapshot;

/// What the cache remembers of the branch: a commit whose facts are all on it, as far as this clone knows.
const KNOWN: &str = "refs/sprag/known";
/// How often a write is tried.
const TRIES: u32 = 8;
/// How long the first lost race and the last one wait, in milliseconds.
const WAITS: (u64, u64) = (200, 5000);

/// One fact as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The content hash of its identity; equal ids are the same fact.
    pub id: String,
    /// When it was found, RFC 3339.
    pub at: String,
    /// The fact.
    pub fact: serde_json::Value,
}

/// How a lost race waits.
type Wait = Arc<dyn Fn(Duration) + Send + Sync>;

/// The state branch of one repository.
pub struct BranchStore {
    remote: Remote,
    branch: String,
    repository: Repository,
    /// The branch as it was last read.
    snapshot: Snapshot,
    /// In how many files of the branch each fact is.
    on_branch: HashMap<String, u32>,
    /// Facts that this clone knows and the branch does not have.
    missing: Vec<Record>,
    facts: Vec<Stored>,
    /// The time of each fact, by id.
    ids: HashMap<String, String>,
    tries: u32,
    wait: Wait,
    /// How long the next push has to wait.
    slot: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl std::fmt::Debug for BranchStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BranchStore")
            .field("remote", &self.remote)
            .field("branch", &self.branch)
            .field("head", &self.head())
            .field("facts", &self.facts.len())
            .finish_non_exhaustive()
    }
}

impl BranchStore {
    /// Reads the branch, empty when there is none, into a bare repository of sprag's own in the folder `cache`. Damage is returned and the
    /// rest is used; the next write sets it aside. Facts that `cache` remembers and the branch no longer has are facts all the same, and
    /// the next write puts them back.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or a newer sprag wrote the branch.
    pub fn open(remote: Remote, branch: &str, cache: &Path) -> Result<(Self, Vec<Damage>), StoreError> {
        let name = hash::of_text(&format!("{}\n{branch}", remote.url));
        let (repository, mut damage) = cache_repository(&cache.join(format!("{name}.git")))?;
        let mut store = Self {
            remote,
            branch: branch.to_owned(),
            repository,
            snapshot: Snapshot::default(),
            on_branch: HashMap::new(),
            missing: Vec::new(),
            facts: Vec::new(),
            ids: HashMap::new(),
            tries: TRIES,
            wait: Arc::new(std::thread::sleep),
            slot: Arc::new(|| Duration::ZERO),
        };
        if let Ok(known) = store.repository.refname_to_id(KNOWN) {
            match store.adopt(Some(known)) {
                // What was wrong with it then is not news, unless it still is.
                Ok(_) => {}
                Err(StoreError::Branch(error)) => {
                    damage.push(store.damage(format!("what was known cannot be read: {error}")));
                }
                Err(error) => return Err(error),
            }
        }
        damage.extend(store.refresh()?);
        Ok((store, damage))
    }

    /// How often a write is tried, and how it waits in between.
    #[must_use]
    pub fn patient(mut self, tries: u32, wait: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.tries = tries;
        self.wait = Arc::new(wait);
        self
    }

    /// What says before each push how long it has to wait.
    #[must_use]
    pub fn paced(mut self, slot: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.slot = Arc::new(slot);
        self
    }

    /// Each fact once, ordered by time and id.
    pub fn facts(&self) -> &[Stored] {
        &self.facts
    }

    /// Whether a fact is there, by its id.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// The commit of the branch that was read last.
    pub fn head(&self) -> Option<String> {
        self.snapshot.commit.map(|commit| commit.to_string())
    }

    /// Adds facts. Those that are there are not written again; with nothing new, and nothing to put right, nothing is pushed. When this
    /// returns, they are on the server. It blocks.
    ///
    /// # Errors
    /// When the server refuses; when a race was lost, or the server not reached, at every try. Doing it again is harmless.
    pub fn publish(&mut self, facts: &[Stored], now: &str) -> Result<(), StoreError> {
        let mut tried = 0;
        loop {
            let new = self.unwritten(facts)?;
            if new.is_empty() && self.snapshot.aside.is_empty() {
                return Ok(());
            }
            let commit = self.snapshot.next(&self.repository, &new, now)?;
            let slot = (self.slot)();
            if !slot.is_zero() {
                (self.wait)(slot);
            }
            let error = match self.try_push(commit) {
                Ok(damage) => {
                    warn(&damage);
                    return Ok(());
                }
                Err(StoreError::Branch(error @ (WorkspaceError::Moved { .. } | WorkspaceError::Network { .. }))) => {
                    error
                }
                Err(error) => return Err(error),
            };
            tried += 1;
            if tried >= self.tries {
                return Err(error.into());
            }
            tracing::debug!("writing to {}: {error}; trying again", self.branch);
            (self.wait)(backoff(tried, commit));
            match self.refresh() {
                Ok(damage) => warn(&damage),
                // The next push will tell whether that was all.
                Err(StoreError::Branch(WorkspaceError::Network { .. } | WorkspaceError::Moved { .. })) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What of these facts, and of those that were lost, is not on the branch.
    fn unwritten(&self, facts: &[Stored]) -> Result<Vec<Record>, StoreError> {
        let mut new = self.missing.clone();
        let mut taken: HashSet<&str> = self.missing.iter().map(|record| record.id.as_str()).collect();
        for stored in facts {
            if !self.on_branch.contains_key(&stored.id) && taken.insert(&stored.id) {
                new.push(Record::new(stored)?);
            }
        }
        Ok(new)
    }

    /// Goes on with another token: a job may outlive the one it began with.
    pub fn renew(&mut self, token: SecretString) {
        self.remote.token = Some(token);
    }

    /// Moves the branch from what was read last to this commit, and nothing else.
    fn try_push(&mut self, commit: Oid) -> Result<Vec<Damage>, StoreError> {
        let lease = Lease::Exactly(self.snapshot.commit.unwrap_or(Oid::ZERO_SHA1));
        push(&self.repository, &self.remote, commit, &self.branch, lease)?;
        let damage = self.adopt(Some(commit))?;
        self.remember()?;
        Ok(damage)
    }

    /// Reads the branch again.
    fn refresh(&mut self) -> Result<Vec<Damage>, StoreError> {
        let mut head = branch_head(&self.repository, &self.remote, &self.branch)?;
        if head == self.snapshot.commit && self.snapshot.commit.is_some() {
            return Ok(self.snapshot.damage.clone());
        }
        if let Some(commit) = head
            && self.repository.find_commit(commit).is_err()
        {
            // Without anything to compare with, the past of the branch is of no use.
            let depth = if self.snapshot.commit.is_some() {
                Depth::All
            } else {
                Depth::One
            };
            let name = format!("refs/heads/{}", self.branch);
            head = Some(fetch(&self.repository, &self.remote, &name, depth)?);
        }
        let damage = self.adopt(head)?;
        self.remember()?;
        Ok(damage)
    }

    /// Goes over to another commit of the branch. Facts of the one before that it lacks are missing from then on.
    fn adopt(&mut self, commit: Option<Oid>) -> Result<Vec<Damage>, StoreError> {
        let mut found = Vec::new();
        let mut next = match commit {
            Some(commit) => tree::read(&self.repository, commit, &self.snapshot.files, &mut found)?,
            None => Snapshot::default(),
        };
        let mut missing = std::mem::take(&mut self.missing);
        missing.extend(next.take_rescued());
        for (path, believed) in &next.files {
            if self.snapshot.files.get(path).is_none_or(|old| old.oid != believed.oid) {
                for id in &believed.ids {
                    *self.on_branch.entry(id.clone()).or_default() += 1;
                }
            }
        }
        let gone = (self.snapshot.files.iter())
            .filter(|(path, old)| next.files.get(*path).is_none_or(|new| new.oid != old.oid));
        let mut lost = Vec::new();
        for (path, old) in gone {
            for id in &old.ids {
                if let Some(count) = self.on_branch.get_mut(id) {
                    *count -= 1;
                }
            }
            lost.push((path, old));
        }
        self.on_branch.retain(|_, count| *count > 0);
        for (path, old) in lost {
            if old.ids.iter().any(|id| !self.on_branch.contains_key(id)) {
                missing.extend(tree::records(&self.repository, path, old)?);
            }
        }
        let mut taken = HashSet::new();
        missing.retain(|record| !self.on_branch.contains_key(&record.id) && taken.insert(record.id.clone()));
        let rewritten = self.rewritten(commit, missing.len());
        let mut damage = next.damage.clone();
        damage.extend(rewritten);
        self.missing = missing;
        self.snapshot = next;
        self.take(found);
        Ok(damage)
    }

    /// Whether the branch no longer has the commit that was known.
    fn rewritten(&self, new: Option<Oid>, n_missing: usize) -> Option<Damage> {
        let old = self.snapshot.commit?;
        let problem = match new {
            None => "the branch is gone".to_owned(),
            Some(new) if new == old || self.repository.graph_descendant_of(new, old).unwrap_or(false) => return None,
            Some(_) => format!("the branch was rewritten and no longer has {old}"),
        };
        Some(self.damage(format!("{problem}; {n_missing} facts come back with the next write")))
    }

    fn damage(&self, problem: String) -> Damage {
        Damage {
            path: PathBuf::from(&self.branch),
            problem,
            kept_as: self.repository.path().to_owned(),
        }
    }

    /// Takes facts that were read. Of two with one id the earlier stays, whatever order they come in.
    fn take(&mut self, found: Vec<Stored>) {
        if found.is_empty() {
            return;
        }
        for stored in found {
            match self.ids.get(&stored.id) {
                Some(at) if *at <= stored.at => continue,
                Some(_) => self.facts.retain(|other| other.id != stored.id),
                None => {}
            }
            self.ids.insert(stored.id.clone(), stored.at.clone());
            self.facts.push(stored);
        }
        self.facts.sort_by(|a, b| (&a.at, &a.id).cmp(&(&b.at, &b.id)));
    }

    /// Writes down what the branch was, once it has all that is known: until then, the cache is what saves the rest.
    fn remember(&self) -> Result<(), StoreError> {
        match self.snapshot.commit {
            Some(commit) if self.missing.is_empty() => {
                self.repository
                    .reference(KNOWN, commit, true, "sprag: read")
                    .map_err(failed)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The repository that holds what was read. One that git cannot open is put aside: the branch has it all.
fn cache_repository(path: &Path) -> Result<(Repository, Vec<Damage>), StoreError> {
    fs::create_dir_all(path)?;
    let error = match own_repository(path) {
        Ok(repository) => return Ok((repository, Vec::new())),
        Err(error) => error,
    };
    let kept_as = path.with_extension("damaged");
    if kept_as.exists() {
        fs::remove_dir_all(&kept_as)?;
    }
    fs::rename(path, &kept_as)?;
    let damage = Damage {
        path: path.to_owned(),
        problem: error.to_string(),
        kept_as,
    };
    Ok((own_repository(path)?, vec![damage]))
}

/// Doubles from the least to the most wait, less up to half of it: two writers that lost the same race made different commits, and so do not wait
/// equally long.
fn backoff(tried: u32, commit: Oid) -> Duration {
    let most = WAITS.0.saturating_mul(1 << tried.min(16)).min(WAITS.1);
    let spread = u64::from(commit.as_bytes()[0]);
    Duration::from_millis(most - most * spread / 512)
}

fn warn(damage: &[Damage]) {
    for damage in damage {
        tracing::warn!("the state branch: {}: {}", damage.path.display(), damage.problem);
    }
}

fn failed(error: git2::Error) -> StoreError {
    StoreError::Branch(error.into())
}

#[cfg(test)]
mod tests;
