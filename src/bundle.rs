//! What `sprag optimize` hands to `sprag publish`: a folder with a few files, sealed by their digests.
//!
//! - `bundle.json`: format, repository, commit, run, sandbox, and the name, size and SHA-256 of every other file; last the SHA-256 of all that.
//! - `facts.jsonl`: what was noted, a fact a line, as the state branch would hold it.
//! - `without.json`: what the suite said without the newest merged change, if that was measured.
//!
//! Whoever makes a bundle makes its digests too: they find damage, and nothing else. What keeps a hostile bundle out is what
//! [`publish`](crate::flow::handover) checks.

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sprag_core::fact::{Fact, What};
use sprag_core::hash;
use sprag_core::id::RunId;
use sprag_core::ledger::Event;
use sprag_core::redact::Redactor;
use sprag_core::score::Scorecard;
use std::path::{Path, PathBuf};

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;
/// The file that names the others.
pub const INDEX: &str = "bundle.json";
const FACTS: &str = "facts.jsonl";
const WITHOUT: &str = "without.json";
/// The most bytes of the index, and of all else.
const INDEX_BYTES: u64 = 64 * 1024;
const BYTES: u64 = 64 * 1024 * 1024;

/// What one job hands to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// The repository, as owner/name.
    pub repository: String,
    /// The commit that was worked on.
    pub commit: String,
    /// The run.
    pub run: RunId,
    /// What held the code of others: the tier, in words.
    pub sandbox: String,
    /// What was noted, in order.
    pub facts: Vec<Fact>,
    /// What the suite said without the newest merged change.
    pub without: Option<Scorecard>,
}

/// Why a bundle is not used. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A newer sprag wrote it.
    #[error("the bundle in {path} has format {found}, this sprag reads {FORMAT}")]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It is not what was written.
    #[error("{path} is no whole bundle: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It is too large to be read.
    #[error("{path} has {found} bytes, and {limit} are allowed")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The most.
        limit: u64,
    },
    /// It is about something else.
    #[error("the bundle is for the {what} {found}, and this is {here}")]
    Elsewhere {
        /// Repository or commit.
        what: &'static str,
        /// What it names.
        found: String,
        /// What it should.
        here: String,
    },
    /// It tells a secret.
    #[error("fact {0} of the bundle holds what looks like a secret")]
    Secret(usize),
    /// A fact has a time that cannot be.
    #[error("fact {0} of the bundle is from the future, or from no time at all")]
    Time(usize),
    /// What it says is not believed.
    #[error("the bundle is not believed: {0}")]
    Refused(#[from] sprag_core::handover::Refusal),
    /// The ledger names another branch or tree than its change makes.
    #[error("the change on {branch} makes another branch or tree than the bundle says")]
    Tree {
        /// The branch that the change makes.
        branch: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Index {
    format: u32,
    written_by: String,
    repository: String,
    commit: String,
    run: RunId,
    sandbox: String,
    files: Vec<Part>,
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Of a newer format nothing but this is known.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Index {
    fn digest(&self) -> String {
        let files = self.files.iter().map(|part| (&part.name, part.bytes, &part.sha256));
        let whole = (
            self.format,
            &self.written_by,
            &self.repository,
            &self.commit,
            &self.run,
            &self.sandbox,
            files.collect::<Vec<_>>(),
        );
        hash::sha256(&serde_json::to_string(&whole).unwrap_or_default())
    }
}

impl Bundle {
    /// Writes the bundle into a folder, in the place of what is there.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), BundleError> {
        fs::create_dir_all(dir)?;
        let mut facts = String::new();
        for fact in &self.facts {
            facts.push_str(&serde_json::to_string(fact).map_err(std::io::Error::from)?);
            facts.push('\n');
        }
        let mut texts = vec![(FACTS, facts)];
        if let Some(card) = &self.without {
            texts.push((WITHOUT, serde_json::to_string(card).map_err(std::io::Error::from)?));
        } else if fs::exists(dir.join(WITHOUT))? {
            fs::remove_file(dir.join(WITHOUT))?;
        }
        let part = |(name, text): &(&str, String)| Part {
            name: (*name).to_owned(),
            bytes: text.len() as u64,
            sha256: hash::sha256(text),
        };
        let mut index = Index {
            format: FORMAT,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            repository: self.repository.clone(),
            commit: self.commit.clone(),
            run: self.run.clone(),
            sandbox: self.sandbox.clone(),
            files: texts.iter().map(part).collect(),
            sha256: String::new(),
        };
        index.sha256 = index.digest();
        for (name, text) in &texts {
            fs::write(dir.join(name), text)?;
        }
        let text = serde_json::to_string_pretty(&index).map_err(std::io::Error::from)?;
        Ok(fs::write(dir.join(INDEX), text + "\n")?)
    }

    /// Reads the bundle of a folder.
    ///
    /// # Errors
    /// When it is not what was written, too large, or of a newer format.
    pub fn read(dir: &Path) -> Result<Self, BundleError> {
        let path = dir.join(INDEX);
        let text = bounded(&path, INDEX_BYTES)?;
        let damaged = |problem: String| BundleError::Damaged {
            path: path.clone(),
            problem,
        };
        let Format { format } = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if format > FORMAT {
            return Err(BundleError::Newer {
                path: dir.to_owned(),
                found: format,
            });
        }
        let index: Index = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if index.sha256 != index.digest() {
            return Err(damaged("its digest does not fit what it says".to_owned()));
        }
        let names: Vec<&str> = index.files.iter().map(|part| part.name.as_str()).collect();
        if !matches!(names[..], [FACTS] | [FACTS, WITHOUT]) {
            return Err(damaged("it names other files than a bundle has".to_owned()));
        }
        let texts = index.files.iter().map(|part| whole(&dir.join(&part.name), part));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let facts = texts[0].lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let without = texts.get(1).map(|text| serde_json::from_str(text)).transpose();
        Ok(Self {
            repository: index.repository,
            commit: index.commit,
            run: index.run,
            sandbox: index.sandbox,
            facts: facts.map_err(|error| damaged(format!("{FACTS}: {error}")))?,
            without: without.map_err(|error| damaged(format!("{WITHOUT}: {error}")))?,
        })
    }

    /// Finds what a bundle must not hold, whatever it says: secrets, and times after `now`.
    ///
    /// # Errors
    /// With the number of the fact, from 1.
    pub fn inspect(&self, redactor: &Redactor, now: &str) -> Result<(), BundleError> {
        let now: Option<jiff::Timestamp> = now.parse().ok();
        for (n, fact) in (1..).zip(&self.facts) {
            let at: Option<jiff::Timestamp> = fact.at.parse().ok();
            // The clocks of two machines differ.
            let slack = jiff::SignedDuration::from_mins(10);
            if at.is_none_or(|at| now.is_none_or(|now| at.duration_since(now) > slack)) {
                return Err(BundleError::Time(n));
            }
            let value = serde_json::to_value(told(fact)).map_err(std::io::Error::from)?;
            let mut clean = value.clone();
            redactor.clean(&mut clean);
            if clean != value {
                return Err(BundleError::Secret(n));
            }
        }
        Ok(())
    }
}

/// A fact without the harness that a run began with: that is the repository's own.
fn told(fact: &Fact) -> Fact {
    let mut fact = fact.clone();
    if let What::RunEntry { entry, .. } = &mut fact.what
        && let Event::Started(plan) = &mut entry.event
    {
        plan.harness = sprag_core::harness::Harness::new([]);
    }
    fact
}

fn whole(path: &Path, part: &Part) -> Result<String, BundleError> {
    let text = bounded(path, BYTES)?;
    if text.len() as u64 != part.bytes || hash::sha256(&text) != part.sha256 {
        return Err(BundleError::Damaged {
            path: path.to_owned(),
            problem: "its digest is not the one it was sealed with".to_owned(),
        });
    }
    Ok(text)
}

/// The text of a plain file of at most so many bytes.
fn bounded(path: &Path, limit: u64) -> Result<String, BundleError> {
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_file() {
        return Err(BundleError::Damaged {
            path: path.to_owned(),
            problem: "it is no plain file".to_owned(),
        });
    }
    if meta.len() > limit {
        return Err(BundleError::TooLarge {
            path: path.to_owned(),
            found: meta.len(),
            limit,
        });
    }
    Ok(fs::read_to_string(path)?)
}
