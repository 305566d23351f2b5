//! The harness: the files a candidate may change, and the policy that says which they are.

mod names;

use crate::hash;
use crate::id::HarnessId;
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The files a candidate may change, by path from the root of the repository with `/` between the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Harness {
    files: BTreeMap<String, String>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// Its whole new text; `None` deletes it.
    pub text: Option<String>,
}

impl Harness {
    /// A harness of these files.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }

    /// The content hash that names this harness.
    pub fn id(&self) -> HarnessId {
        HarnessId::new(hash::of(&self.files))
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All files in order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The characters of all files.
    pub fn size(&self) -> usize {
        self.files.values().map(|text| text.chars().count()).sum()
    }

    /// This harness with some files changed.
    #[must_use]
    pub fn with(&self, changes: &[FileChange]) -> Self {
        let mut files = self.files.clone();
        for change in changes {
            match &change.text {
                Some(text) => files.insert(change.path.clone(), text.clone()),
                None => files.remove(&change.path),
            };
        }
        Self { files }
    }

    /// What must change to make `other` out of this harness.
    pub fn changes_to(&self, other: &Self) -> Vec<FileChange> {
        let mut paths: Vec<&String> = self.files.keys().chain(other.files.keys()).collect();
        paths.sort();
        paths.dedup();
        paths
            .into_iter()
            .filter(|path| self.files.get(*path) != other.files.get(*path))
            .map(|path| FileChange {
                path: path.clone(),
                text: other.files.get(path).cloned(),
            })
            .collect()
    }

    /// A unified diff from this harness to `other`, as `git diff` prints it, without index lines.
    pub fn diff(&self, other: &Self) -> String {
        let mut out = String::new();
        for change in self.changes_to(other) {
            let old = self.get(&change.path).unwrap_or_default();
            let new = other.get(&change.path).unwrap_or_default();
            let old_name = self
                .get(&change.path)
                .map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{}", change.path));
            let new_name = other
                .get(&change.path)
                .map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{}", change.path));
            let diff = similar::TextDiff::from_lines(old, new);
            out.push_str(
                &diff
                    .unified_diff()
                    .context_radius(3)
                    .header(&old_name, &new_name)
                    .to_string(),
            );
        }
        out
    }
}

/// Always read-only to a candidate, whatever `sprag.toml` says: what judges it, and what could run outside it.
pub const ALWAYS_PROTECTED: [&str; 8] = [
    "**/.git",
    "**/.github",
    "**/.sprag",
    "**/sprag.toml",
    "**/.gitmodules",
    "**/.gitattributes",
    "**/.lfsconfig",
    "**/CODEOWNERS",
];

/// Which paths a candidate may change.
#[derive(Debug, Clone)]
pub struct PathPolicy {
    allowed: GlobSet,
    protected: GlobSet,
    runner_files: Vec<String>,
}

/// A glob of `harness.paths` or `harness.protect` that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("glob `{glob}` cannot be read: {source}")]
pub struct GlobError {
    /// The glob.
    pub glob: String,
    /// Why.
    #[source]
    pub source: globset::Error,
}

impl PathPolicy {
    /// A policy from the globs of `sprag.toml`; `runner_files` (the files the runner command names) are protected too.
    pub fn new(paths: &[String], protect: &[String], runner_files: &[String]) -> Result<Self, GlobError> {
        let protected: Vec<String> = ALWAYS_PROTECTED
            .iter()
            .map(|&glob| glob.to_owned())
            .chain(protect.iter().cloned())
            .chain(runner_files.iter().map(|path| globset::escape(path)))
            .chain(
                names::STEERING
                    .iter()
                    .filter(|name| !names::is_named(name, paths))
                    .map(|name| format!("**/{name}")),
            )
            .collect();
        Ok(Self {
            allowed: set(paths, false)?,
            protected: set(&protected, true)?,
            runner_files: runner_files.to_vec(),
        })
    }

    /// The files that the runner's command names: they judge the candidate.
    pub fn runner_files(&self) -> &[String] {
        &self.runner_files
    }

    /// Whether a candidate may change this path. Below what is protected everything is, also below a file: what is put there would take its
    /// place.
    pub fn allows(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        names::is_plain(path)
            && self.allowed.is_match(path)
            && !folders.chain([path]).any(|part| self.protected.is_match(part))
    }
}

/// What is protected is so in any case: some file systems know no other.
fn set(globs: &[String], any_case: bool) -> Result<GlobSet, GlobError> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        let made: Result<Glob, _> = GlobBuilder::new(glob).case_insensitive(any_case).build();
        builder.add(made.map_err(|source| GlobError {
            glob: glob.clone(),
            source,
        })?);
    }
    builder.build().map_err(|source| GlobError {
        glob: globs.join(", "),
        source,
    })
}
