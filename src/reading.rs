//! Reads trace files of any size and mines what failed in them. The files are gone through twice: the first time every judged run is sketched, the
//! second time the failed ones are mined beside the sketches. So memory grows with the failures, and not with the files.

use crate::error::{CommandError, Exit};
use crate::intake::FileReader;
use sprag_core::case::drafted;
use sprag_core::config::Config;
use sprag_core::failure::FailureRecord;
use sprag_core::hash;
use sprag_core::id::RecordId;
use sprag_core::mine::{self, Judged, Run};
use sprag_core::redact::Redactor;
use sprag_core::trace::Trace;
use sprag_core::trace::read::{Format, ReadTrace};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Bytes of what is kept of failures to make cases of them.
const DRAFTS: usize = 32_000_000;

/// What was found in files.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs that were read.
    pub traces: usize,
    /// Those among them that somebody judged.
    pub judged: usize,
    /// The failed ones, in the order of the files.
    pub records: Vec<FailureRecord>,
    /// The traces of the first of them.
    pub kept: Vec<Trace>,
    /// What could not be read, without secrets.
    pub warnings: Vec<String>,
}

/// How files are read: by which format, and by which configuration.
#[derive(Debug)]
pub struct Reading {
    reader: FileReader,
    redactor: Redactor,
}

impl Reading {
    /// By a format that somebody named, and by `[redact]` and `[signals.mapping]` of a configuration.
    pub fn new(format: Option<&str>, config: Option<&Config>) -> Self {
        Self {
            reader: FileReader {
                format: format.and_then(Format::named),
                mapping: config.and_then(|config| config.signals.mapping.clone()),
            },
            redactor: config.map(|config| Redactor::new(&config.redact)).unwrap_or_default(),
        }
    }

    /// Reads and mines, and keeps the traces of the first `keep` failures.
    ///
    /// # Errors
    /// When a file cannot be opened, or is an archive that cannot be read.
    pub fn mine(&self, files: &[PathBuf], keep: usize) -> Result<Found, CommandError> {
        let files = &named(files)?[..];
        let mut found = Found::default();
        let mut judged = Judged::builder();
        found.warnings = self.each(files, |read| {
            found.traces += 1;
            if let Some(passed) = read.passed {
                found.judged += 1;
                judged.add(&read.task, &read.trace, passed);
            }
        })?;
        self.redactor.clean(&mut found.warnings);
        let judged = judged.build();
        // One run of a task is enough to make its case, and what all drafts hold together is bounded.
        let (mut tasks, mut left) = (BTreeSet::new(), DRAFTS);
        self.each(files, |read| {
            if read.passed == Some(false) {
                let run = Run {
                    source: &read.source,
                    task: &read.task,
                    trace: &read.trace,
                    passed: read.passed,
                    blamed: read.kind_hint,
                };
                let mut record = mine::one(&run, &judged);
                if left > 0 && tasks.insert(read.task.clone()) {
                    record = drafted(&read.source, record, &read.trace, None);
                    let size = serde_json::to_string(&record.draft).map_or(0, |draft| draft.len());
                    left = left.saturating_sub(size);
                }
                found.records.push(record);
                if found.kept.len() < keep {
                    found.kept.push(read.trace);
                }
            }
        })?;
        mine::finish(&mut found.records);
        Ok(found)
    }

    /// The trace of a failure, if it is in the files.
    ///
    /// # Errors
    /// See [`Reading::mine`].
    pub fn trace_of(&self, files: &[PathBuf], record: &RecordId) -> Result<Option<Trace>, CommandError> {
        let mut found = None;
        self.each(&named(files)?, |read| {
            if found.is_none() && hash::of_text(&read.source) == record.as_str() {
                found = Some(read.trace);
            }
        })?;
        Ok(found)
    }

    /// Hands over every run of all files, without its secrets. What could not be read comes back.
    fn each(&self, files: &[Named], mut take: impl FnMut(ReadTrace)) -> Result<Vec<String>, CommandError> {
        let mut problems = Vec::new();
        for Named { name, path, .. } in files {
            let read = self.reader.each(path, name, &mut |mut read| {
                self.redactor.clean(&mut read);
                take(read);
            });
            problems.extend(read.map_err(|error| unreadable(name, &error))?);
        }
        Ok(problems)
    }
}

/// A file with the name that people know it by.
struct Named {
    name: String,
    path: PathBuf,
    /// What came out of a pipe, which can be read only once.
    _copy: Option<NamedTempFile>,
}

/// The files; pipes are copied first.
fn named(files: &[PathBuf]) -> Result<Vec<Named>, CommandError> {
    let named = files.iter().map(|path| {
        let name = path.display().to_string();
        let copy = copied(path).map_err(|error| unreadable(&name, &error))?;
        Ok(Named {
            path: copy.as_ref().map_or(path.clone(), |copy| copy.path().to_owned()),
            name,
            _copy: copy,
        })
    });
    named.collect()
}

fn copied(path: &Path) -> io::Result<Option<NamedTempFile>> {
    let kind = std::fs::metadata(path)?;
    if kind.is_file() || kind.is_dir() {
        return Ok(None);
    }
    let mut copy = NamedTempFile::new()?;
    io::copy(&mut std::fs::File::open(path)?, &mut copy)?;
    Ok(Some(copy))
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::new(
        Exit::Config,
        format!("{name}: {error}"),
        "name a file or a folder that exists and may be read",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use fs_err as fs;

    #[test]
    fn failures_are_mined_beside_the_runs_of_all_files_and_the_first_traces_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let run = |task: &str, call: bool| {
            let ask = r#"{"role":"user","content":"refund order O-7731, nadia@example.org"}"#;
            let done = r#"{"role":"assistant","content":"Done."}"#;
            let refund = r#"{"role":"assistant","tool_calls":[{"id":"c","name":"refund","arguments":{"order":"O-7731"}}]},{"role":"tool","call_id":"c","content":"ok"},"#;
            let steps = format!("{ask},{}{done}", if call { refund } else { "" });
            format!(r#"{{"task":"{task}","passed":{call},"trace":{{"steps":[{steps}]}}}}"#)
        };
        let files = ["one.jsonl", "two.jsonl"].map(|name| dir.path().join(name));
        fs::write(&files[0], [run("t1", false), run("t2", false)].join("\n")).unwrap();
        fs::write(&files[1], format!("{}\nnot json\n", run("t1", true))).unwrap();
        let found = Reading::new(None, None).mine(&files, 1).unwrap();
        assert_eq!(
            (found.traces, found.judged, found.records.len(), found.kept.len()),
            (3, 3, 2, 1)
        );
        assert_eq!(found.records[0].causes[0].mechanism.to_string(), "gave_up:refund");
        assert!(found.records[0].draft.is_some(), "it can become a case");
        assert!(found.kept[0].steps[0].content.contains("[email-1]"));
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
        let missing = Reading::new(None, None)
            .mine(&[dir.path().join("none")], 0)
            .unwrap_err();
        assert!(missing.to_string().contains("none"), "{missing}");
    }
}
