//! Exchanges that went through the proxy, kept in a folder: one readable file each, named by the hash of what was asked.

use crate::model::ModelError;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sprag_core::hash;
use sprag_core::model::Route;
use sprag_core::redact::Redactor;
use std::path::{Path, PathBuf};

/// A folder of exchanges.
#[derive(Debug)]
pub(super) struct Recorder {
    dir: PathBuf,
    redactor: Redactor,
}

/// One answer as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What was asked, for readers: what it is found by is the name of the file.
    pub(super) request: Value,
    pub(super) content_type: String,
    pub(super) answer: String,
}

impl Recorder {
    pub(super) fn new(dir: &Path, redactor: Redactor) -> Self {
        Self {
            dir: dir.to_owned(),
            redactor,
        }
    }

    fn file(&self, route: Route, body: &Value) -> PathBuf {
        self.dir.join(format!("{}.json", hash::of(&(route.path(), body))))
    }

    /// The answer on record, if there is one.
    pub(super) fn read(&self, route: Route, body: &Value) -> Result<Option<Kept>, ModelError> {
        let path = self.file(route, body);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| tape(&path, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(tape(&path, &error)),
        }
    }

    /// Keeps an answer, whole or not at all, without secrets.
    pub(super) fn write(&self, route: Route, kept: &Kept) -> Result<(), ModelError> {
        let path = self.file(route, &kept.request);
        let mut value = serde_json::to_value(kept).map_err(|error| tape(&path, &error))?;
        self.redactor.clean(&mut value);
        let text = serde_json::to_string_pretty(&value).map_err(|error| tape(&path, &error))?;
        fs::create_dir_all(&self.dir).map_err(|error| tape(&path, &error))?;
        let mut aside = tempfile::NamedTempFile::new_in(&self.dir).map_err(|error| tape(&path, &error))?;
        let written = std::io::Write::write_all(&mut aside, (text + "\n").as_bytes());
        written.map_err(|error| tape(&path, &error))?;
        aside.persist(&path).map_err(|error| tape(&path, &error.error))?;
        Ok(())
    }
}

fn tape(path: &Path, error: &dyn std::fmt::Display) -> ModelError {
    ModelError::Tape {
        path: path.to_owned(),
        problem: error.to_string(),
    }
}
