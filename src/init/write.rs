//! Compares the proposed files with what is there, shows the difference, and writes. A person's file is never overwritten unasked.

use super::ask::Person;
use super::files::Planned;
use fs_err as fs;
use sprag_core::harness::Harness;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What happens to one proposed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is not there, and will be written.
    New(Planned),
    /// Another one is there.
    Differs {
        /// What is proposed.
        planned: Planned,
        /// What is there; `None` for what is no text.
        old: Option<String>,
    },
}

/// What there is to do; files that are as proposed, and seeds that are there, need nothing.
///
/// # Errors
/// When a file cannot be read.
pub fn changes(root: &Path, files: Vec<Planned>) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for planned in files {
        match fs::read(root.join(&planned.path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => changes.push(Change::New(planned)),
            Err(error) => return Err(error),
            Ok(bytes) => {
                if !planned.seed && bytes != planned.text.as_bytes() {
                    let old = String::from_utf8(bytes).ok();
                    changes.push(Change::Differs { planned, old });
                }
            }
        }
    }
    Ok(changes)
}

/// The change as a person reads it: a diff, with all lines of a new file.
pub fn shown(change: &Change) -> String {
    let (planned, old) = match change {
        Change::New(planned) => (planned, None),
        Change::Differs {
            planned,
            old: Some(old),
        } => (planned, Some(old.clone())),
        Change::Differs { planned, old: None } => return format!("{} is there, and is no text\n", planned.path),
    };
    let before = Harness::new(old.map(|old| (planned.path.clone(), old)));
    before.diff(&Harness::new([(planned.path.clone(), planned.text.clone())]))
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that were written.
    pub written: Vec<String>,
    /// Files that differ from what sprag would write, and are as they were.
    pub kept: Vec<String>,
}

/// Writes what is new, and what differs where the person says so; without a person nothing that is there is touched.
///
/// # Errors
/// When a file cannot be written, or the person cannot be asked.
pub fn write(root: &Path, changes: Vec<Change>, person: &mut Option<Person<'_>>) -> io::Result<Written> {
    let mut done = Written::default();
    for change in changes {
        let (planned, there) = match change {
            Change::New(planned) => (planned, false),
            Change::Differs { planned, .. } => (planned, true),
        };
        let replace = match person {
            Some(person) if there => person.agrees(&format!("Replace {}?", planned.path), false)?,
            _ => false,
        };
        if there && !replace {
            done.kept.push(planned.path);
            continue;
        }
        let target = root.join(&planned.path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        if write_one(&target, &planned.text, replace)? {
            done.written.push(planned.path);
        } else {
            done.kept.push(planned.path);
        }
    }
    Ok(done)
}

/// `false` when a file that was not there before is there now: it is somebody's, and was not shown.
fn write_one(target: &PathBuf, text: &str, replace: bool) -> io::Result<bool> {
    if replace {
        fs::write(target, text)?;
        return Ok(true);
    }
    // `create_new` cannot overwrite, whoever else is writing, and follows no link.
    match fs::OpenOptions::new().write(true).create_new(true).open(target) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
