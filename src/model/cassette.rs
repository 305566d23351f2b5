//! Exchanges with a model, kept in a folder: one readable file each, named by the hash of its request. For tests, for runs that cost nothing
//! the second time, and to see what was said.

use super::{Model, ModelError};
use fs_err as fs;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sprag_core::model::{Embeddings, EmbeddingsRequest, Fault, ModelAnswer, ModelRequest};
use sprag_core::redact::Redactor;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model in front of a folder.
pub struct Cassette {
    dir: PathBuf,
    /// Who is asked for what is not there, and what takes the secrets out of it; nobody when it is only replayed.
    behind: Option<(Arc<dyn Model>, Redactor)>,
}

impl fmt::Debug for Cassette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cassette")
            .field("dir", &self.dir)
            .field("behind", &self.behind.as_ref().map(|(model, _)| model))
            .finish()
    }
}

/// One exchange as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
struct Exchange {
    /// What was asked, for readers: what it is found by is the name of the file.
    request: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<ModelAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vector: Option<Vec<f32>>,
    /// A refusal, an empty answer, a request that is too long: they come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
}

impl Cassette {
    /// Answers from a folder alone; what is not there is an error.
    pub fn replay(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            behind: None,
        }
    }

    /// Answers from a folder, and asks `model` for what is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn record(dir: &Path, model: Arc<dyn Model>, redactor: Redactor) -> Result<Self, ModelError> {
        fs::create_dir_all(dir).map_err(|error| tape(dir, &error))?;
        Ok(Self {
            dir: dir.to_owned(),
            behind: Some((model, redactor)),
        })
    }

    fn file(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{hash}.json"))
    }

    /// The exchange that a hash names; `None` when it is not there but can be asked for.
    fn read(&self, hash: &str) -> Result<Option<Exchange>, ModelError> {
        let path = self.file(hash);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| tape(&path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => match self.behind {
                Some(_) => Ok(None),
                None => Err(ModelError::NotRecorded {
                    dir: self.dir.clone(),
                    hash: hash.to_owned(),
                }),
            },
            Err(error) => Err(tape(&path, &error)),
        }
    }

    /// Whole or not at all: a run may be killed at any time.
    fn write(&self, hash: &str, exchange: &Exchange, redactor: &Redactor) -> Result<Exchange, ModelError> {
        let path = self.file(hash);
        let mut value = serde_json::to_value(exchange).map_err(|error| tape(&path, &error))?;
        redactor.clean(&mut value);
        let text = serde_json::to_string_pretty(&value).map_err(|error| tape(&path, &error))?;
        let aside = path.with_extension("part");
        fs::write(&aside, text + "\n").map_err(|error| tape(&path, &error))?;
        fs::rename(&aside, &path).map_err(|error| tape(&path, &error))?;
        // Redacted alike in the first run and in every other.
        serde_json::from_value(value).map_err(|error| tape(&path, &error))
    }

    fn answer(&self, hash: &str, exchange: Exchange) -> Result<ModelAnswer, ModelError> {
        match (exchange.answer, exchange.fault) {
            (Some(answer), _) => Ok(answer),
            (None, Some(fault)) => Err(ModelError::on_record(fault)),
            (None, None) => Err(self.empty(hash)),
        }
    }

    fn empty(&self, hash: &str) -> ModelError {
        ModelError::Tape {
            path: self.file(hash),
            problem: "there is no answer in it".to_owned(),
        }
    }
}

fn tape(path: &Path, error: &dyn fmt::Display) -> ModelError {
    ModelError::Tape {
        path: path.to_owned(),
        problem: error.to_string(),
    }
}

impl Model for Cassette {
    fn complete<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelAnswer, ModelError>> {
        Box::pin(async move {
            let hash = request.hash();
            let known = self.read(&hash)?;
            let (Some((model, redactor)), None) = (&self.behind, &known) else {
                return known
                    .ok_or_else(|| self.empty(&hash))
                    .and_then(|known| self.answer(&hash, known));
            };
            let outcome = model.complete(request).await;
            let (answer, fault) = match &outcome {
                Ok(answer) => (Some(answer.clone()), None),
                Err(error) => match error.repeats() {
                    Some(fault) => (None, Some(fault.clone())),
                    None => return outcome,
                },
            };
            let exchange = Exchange {
                request: serde_json::to_value(request).unwrap_or_default(),
                answer,
                vector: None,
                fault,
            };
            let kept = self.write(&hash, &exchange, redactor)?;
            self.answer(&hash, kept)
        })
    }

    /// Each text has a file of its own, so that only new texts are asked for.
    fn embed<'a>(&'a self, request: &'a EmbeddingsRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        Box::pin(async move {
            let hashes: Vec<String> = request.texts.iter().map(|text| request.hash_of(text)).collect();
            let mut vectors: Vec<Option<Vec<f32>>> = Vec::new();
            for hash in &hashes {
                let known = self.read(hash)?;
                vectors.push(
                    known
                        .map(|known| known.vector.ok_or_else(|| self.empty(hash)))
                        .transpose()?,
                );
            }
            let missing: Vec<usize> = (0..vectors.len()).filter(|at| vectors[*at].is_none()).collect();
            let mut usage = None;
            if let Some((model, redactor)) = self.behind.as_ref().filter(|_| !missing.is_empty()) {
                let texts = missing.iter().map(|at| request.texts[*at].clone()).collect();
                let model_name = request.model.clone();
                let asked = EmbeddingsRequest {
                    model: model_name,
                    texts,
                };
                let answer = model.embed(&asked).await?;
                for (at, vector) in missing.into_iter().zip(answer.vectors) {
                    let exchange = Exchange {
                        request: serde_json::json!({"model": request.model, "text": request.texts[at]}),
                        answer: None,
                        vector: Some(vector.clone()),
                        fault: None,
                    };
                    self.write(&hashes[at], &exchange, redactor)?;
                    vectors[at] = Some(vector);
                }
                usage = answer.usage;
            }
            Ok(Embeddings {
                vectors: vectors.into_iter().map(Option::unwrap_or_default).collect(),
                usage,
            })
        })
    }
}
