//! A coding agent that edits a harness: started in a checkout of nothing but the harness, told what to do, and held to its limits. What it
//! has changed there is read back as data.

use super::checkout::Checkout;
use super::hold::Hold;
use super::lanes::end_of;
use super::process::{Finished, Launch, run_told};
use super::worker::in_words;
use super::{RunnerError, way_to_model};
use crate::project::ProjectFiles;
use crate::proxy::Proxy;
use fs_err as fs;
use serde_json::{Map, Value};
use sprag_core::harness::{FileChange, Harness, PathPolicy};
use sprag_core::propose::cost;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The file with the brief, at the root of the checkout.
pub(crate) const BRIEF: &str = "SPRAG_BRIEF.md";
/// Where the agent may say what its change does.
pub(crate) const ANSWER: &str = "SPRAG_ANSWER.json";
/// How much of what it prints is kept for its costs, in bytes: a result object with a long text in it.
const STDOUT: usize = 1024 * 1024;
/// The largest file that is read back, in bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// How many files are looked at, and how deep.
const MAX_FILES: usize = 5_000;
const MAX_DEPTH: usize = 30;

/// What a coding agent needs.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The program and its arguments; `{brief}` stands for the path of the brief.
    pub command: Vec<String>,
    /// The harness as it stands in the repository.
    pub files: ProjectFiles,
    /// How long it may take.
    pub timeout: Duration,
    /// Names of environment variables that it gets besides the allow-list.
    pub env_pass: Vec<String>,
    /// An existing or new directory for the checkouts, in which nothing of an evaluation lies.
    pub scratch: PathBuf,
    /// What holds it.
    pub hold: Hold,
    /// Where it may ask models.
    pub proxy: Option<Arc<Proxy>>,
}

/// A coding agent. Dropping the future of its work leaves no process alive.
#[derive(Debug)]
pub struct CodingAgent {
    config: AgentConfig,
}

/// What it has done.
#[derive(Debug, Clone, Default)]
pub struct Edited {
    /// The harness as it left it, as far as the path policy allows.
    pub harness: Harness,
    /// What it changed and may not, by path.
    pub dropped: Vec<String>,
    /// What it says of its change.
    pub said: Map<String, Value>,
    /// What it says it cost, or what was counted on its way to the model, whichever is more, in US dollars; `None` when neither is known.
    pub usd: Option<f64>,
    /// Why nothing of it counts: it did not end in time, or ended with an error.
    pub failure: Option<String>,
}

impl CodingAgent {
    /// An agent with this command.
    pub fn new(config: AgentConfig) -> Self {
        Self { config }
    }

    /// The program, without its folder.
    pub fn name(&self) -> &str {
        let program = self.config.command.first().map_or("", String::as_str);
        program.rsplit('/').next().unwrap_or(program)
    }

    /// From now on it may spend so many US dollars on models, as far as it asks them through sprag.
    pub fn allow(&self, usd: f64) {
        self.config.proxy.iter().for_each(|proxy| proxy.allow(usd));
    }

    /// Lets it edit a harness.
    ///
    /// # Errors
    /// When it cannot be started, or its checkout cannot be written or read.
    pub async fn edit(&self, harness: &Harness, policy: &PathPolicy, brief: &str) -> Result<Edited, RunnerError> {
        let checkout = Checkout::write(&self.config.scratch, &self.config.files, harness)?;
        let brief_file = checkout.path().join(BRIEF);
        fs::write(&brief_file, brief)?;
        let path = brief_file.to_string_lossy();
        let command: Vec<String> = self
            .config
            .command
            .iter()
            .map(|word| word.replace("{brief}", &path))
            .collect();
        let model = way_to_model(self.config.proxy.as_ref())?;
        let launch = Launch {
            command: &command,
            dir: checkout.path(),
            // Of the project itself it learns nothing, not even where it is.
            project_dir: checkout.path(),
            env_pass: &self.config.env_pass,
            hold: &self.config.hold,
            write: &[],
            model: model.as_ref(),
        };
        let finished = run_told(launch, brief, STDOUT, self.config.timeout)
            .await
            .map_err(|source| RunnerError::Start {
                command: self.config.command.join(" "),
                source,
            })?;
        let said = cost::reported(&finished.stdout);
        let mut edited = Edited {
            harness: harness.clone(),
            usd: model.map_or(said, |model| {
                Some(model.session().end().usage.usd.max(said.unwrap_or_default()))
            }),
            failure: self.failure(&finished),
            ..Edited::default()
        };
        if edited.failure.is_none() {
            read_back(checkout.path(), policy, &mut edited)?;
        }
        Ok(edited)
    }

    fn failure(&self, finished: &Finished) -> Option<String> {
        let log = end_of(finished.log());
        if let Some(over) = finished.over {
            return Some(format!("{over} and was stopped{log}"));
        }
        match finished.status {
            None => Some(format!("did not end within {}{log}", in_words(self.config.timeout))),
            Some(status) if !status.success() => Some(format!("ended ({status}){log}")),
            Some(_) => None,
        }
    }
}

/// What the files in a checkout say now. Links are not followed, and no part of a harness.
fn read_back(root: &Path, policy: &PathPolicy, edited: &mut Edited) -> io::Result<()> {
    let mut found = BTreeSet::new();
    let mut whole = true;
    walk(root, "", 0, &mut found, &mut whole)?;
    let before = edited.harness.clone();
    let mut changes = Vec::new();
    for path in &found {
        let old = before.get(path);
        match read_bounded(&root.join(path))? {
            Some(text) if old == Some(text.as_str()) => {}
            Some(text) if policy.allows(path) => changes.push(FileChange {
                path: path.clone(),
                text: Some(text),
            }),
            _ => edited.dropped.push(path.clone()),
        }
    }
    // Of a checkout that was not looked through, what was not seen may still be there.
    let gone = before.files().filter(|(path, _)| whole && !found.contains(*path));
    changes.extend(gone.map(|(path, _)| FileChange {
        path: path.to_owned(),
        text: None,
    }));
    edited.harness = before.with(&changes);
    if let Some(said) = read_bounded(&root.join(ANSWER))? {
        edited.said = serde_json::from_str(&said).unwrap_or_default();
    }
    Ok(())
}

fn walk(dir: &Path, prefix: &str, depth: usize, found: &mut BTreeSet<String>, whole: &mut bool) -> io::Result<()> {
    if depth > MAX_DEPTH {
        *whole = false;
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let own = depth == 0 && (name == BRIEF || name == ANSWER);
        if own || name == ".git" {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), depth + 1, found, whole)?;
        } else if found.len() >= MAX_FILES {
            *whole = false;
        } else if kind.is_file() {
            found.insert(path);
        }
    }
    Ok(())
}

/// The text of a file; `None` when it is not there, no plain file, too large, or no text.
fn read_bounded(path: &Path) -> io::Result<Option<String>> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|size| size <= MAX_FILE);
    Ok(String::from_utf8(bytes).ok().filter(|_| fits))
}

#[cfg(test)]
mod tests;
