//! What a model has said, and has cost, since the last entry of a ledger. A step that is made again after a kill takes it from here: it
//! asks for nothing twice, pays for nothing twice, and what was paid stays spent.
//!
//! One JSON line an answer, redacted. An answer that was under way when the process died is asked for again. With the next entry of the
//! ledger the file is of no use, and goes.

use super::purse::{Purse, Tally};
use super::{Model, ModelError};
use fs_err as fs;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sprag_core::hash;
use sprag_core::model::{Embeddings, EmbeddingsRequest, Fault, ModelAnswer, ModelRequest};
use sprag_core::redact::Redactor;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A model in front of the file.
#[derive(Debug)]
pub struct Journal {
    model: Arc<dyn Model>,
    purse: Arc<Purse>,
    redactor: Redactor,
    place: Mutex<Option<Place>>,
}

/// Where a run stands.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// The last entry of its ledger.
    head: String,
    /// What a killed process was told, by the hash of the question, oldest first: a question may be put several times.
    told: BTreeMap<String, VecDeque<(Said, Tally)>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    head: String,
    hash: String,
    said: Said,
    /// What was paid since the line before.
    paid: Tally,
}

/// What comes back from a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Answer(ModelAnswer),
    Vectors(Embeddings),
    /// A refusal, an empty answer, a request that is too long: it would come again.
    Fault(Fault),
}

impl Journal {
    /// In front of a model whose requests this purse pays. Nothing is kept until it is told where a run stands.
    pub fn new(model: Arc<dyn Model>, purse: Arc<Purse>, redactor: Redactor) -> Self {
        Self {
            model,
            purse,
            redactor,
            place: Mutex::default(),
        }
    }

    /// A run stands behind the entry `head` of its ledger; `path` is the run's file. What a killed process was told there is told again, and
    /// what it had paid counts as paid.
    ///
    /// # Errors
    /// When the file cannot be read or taken away.
    pub fn stand(&self, path: &Path, head: &str) -> std::io::Result<()> {
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        // A line that a kill has cut off is no line.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let lines: Vec<Line> = lines.filter(|line| line.head == head).collect();
        if lines.is_empty() && !text.is_empty() {
            fs::remove_file(path)?;
        }
        let mut told: BTreeMap<String, VecDeque<(Said, Tally)>> = BTreeMap::new();
        for line in lines {
            self.purse.recover(line.paid.usd);
            told.entry(line.hash).or_default().push_back((line.said, line.paid));
        }
        let place = Place {
            path: path.to_owned(),
            head: head.to_owned(),
            told,
        };
        let left = self.place().replace(place);
        // What nobody has asked for again was paid all the same.
        let left = left.into_iter().flat_map(|place| place.told.into_values().flatten());
        left.for_each(|(_, paid)| self.purse.tell(paid));
        Ok(())
    }

    /// What was paid since the last line is on record elsewhere.
    pub fn leave_out(&self) {
        self.purse.keep();
    }

    fn place(&self) -> MutexGuard<'_, Option<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a killed process was told.
    fn told(&self, hash: &str) -> Option<Said> {
        let (said, paid) = self.place().as_mut()?.told.get_mut(hash)?.pop_front()?;
        self.purse.tell(paid);
        Some(said)
    }

    /// Writes down what was said, in one write: a kill leaves the line out, or cuts it off.
    fn keep(&self, hash: String, said: Said) -> std::io::Result<()> {
        let guard = self.place();
        let Some(place) = guard.as_ref() else { return Ok(()) };
        let line = Line {
            head: place.head.clone(),
            hash,
            said,
            paid: self.purse.keep(),
        };
        let mut line = serde_json::to_value(line)?;
        if let Some(said) = line.get_mut("said") {
            self.redactor.clean(said);
        }
        if let Some(folder) = place.path.parent() {
            fs::create_dir_all(folder)?;
        }
        // The line break comes first, so that a line that was cut off spoils no other.
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&place.path)?;
        file.write_all(format!("\n{line}").as_bytes())
    }

    fn kept(&self, hash: String, said: Said) -> Result<(), ModelError> {
        self.keep(hash, said).map_err(|error| ModelError::Tape {
            path: self
                .place()
                .as_ref()
                .map(|place| place.path.clone())
                .unwrap_or_default(),
            problem: error.to_string(),
        })
    }
}

impl Model for Journal {
    fn complete<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        Box::pin(async move {
            let hash = request.hash();
            match self.told(&hash) {
                Some(Said::Answer(answer)) => return Ok(answer),
                Some(Said::Fault(fault)) => return Err(ModelError::on_record(fault)),
                Some(Said::Vectors(_)) | None => {}
            }
            let outcome = self.model.complete(request).await;
            match &outcome {
                Ok(answer) => self.kept(hash, Said::Answer(answer.clone()))?,
                Err(error) => {
                    if let Some(fault) = error.repeats() {
                        self.kept(hash, Said::Fault(fault.clone()))?;
                    }
                }
            }
            outcome
        })
    }

    fn embed<'a>(&'a self, request: &'a EmbeddingsRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        Box::pin(async move {
            let hash = hash::of(request);
            if let Some(Said::Vectors(vectors)) = self.told(&hash) {
                return Ok(vectors);
            }
            let vectors = self.model.embed(request).await?;
            self.kept(hash, Said::Vectors(vectors.clone()))?;
            Ok(vectors)
        })
    }
}

#[cfg(test)]
mod tests;
