//! Checkouts: the directories that workers run in, a copy of the project with the harness under test laid over it.

use crate::project::ProjectFiles;
use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fchmod, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use sprag_core::harness::{FileChange, Harness};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use tempfile::TempDir;

/// A directory with the project and one harness. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Checkout {
    dir: TempDir,
    harness: Harness,
    executables: BTreeSet<String>,
}

impl Checkout {
    /// Writes a new checkout into a directory of its own under `scratch`.
    ///
    /// Every process gets a new one: what a candidate's code leaves behind must reach neither the next candidate nor its judge.
    pub(crate) fn write(scratch: &Path, project: &ProjectFiles, harness: &Harness) -> io::Result<Self> {
        fs::create_dir_all(scratch)?;
        // In a sandbox it is at the same path, and there are no links on the way.
        let scratch = fs::canonicalize(scratch)?;
        let dir = tempfile::Builder::new().prefix("checkout-").tempdir_in(scratch)?;
        for file in &project.files {
            write_file(dir.path(), &file.path, &file.bytes, file.executable)?;
        }
        let executables = project
            .files
            .iter()
            .filter(|file| file.executable)
            .map(|file| file.path.clone())
            .collect();
        let mut checkout = Self {
            dir,
            harness: project.harness.clone(),
            executables,
        };
        checkout.change_to(harness)?;
        Ok(checkout)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The harness in it.
    pub(crate) fn harness(&self) -> &Harness {
        &self.harness
    }

    /// Rewrites the files in which `harness` differs from the one in place.
    pub(crate) fn change_to(&mut self, harness: &Harness) -> io::Result<()> {
        for FileChange { path, text } in self.harness.changes_to(harness) {
            match text {
                Some(text) => {
                    write_file(
                        self.dir.path(),
                        &path,
                        text.as_bytes(),
                        self.executables.contains(&path),
                    )?;
                }
                None => remove_file(self.dir.path(), &path)?,
            }
        }
        self.harness = harness.clone();
        Ok(())
    }
}

/// Writes beside the target and renames, so that nobody reads half a file. A link in the place of the file, or of a folder on the way
/// to it, is replaced and not followed: what runs in the checkout may have put it there, to have us write elsewhere with our rights.
fn write_file(root: &Path, path: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
    let (folders, name) = split(path)?;
    let folder = open_folder(root, &folders, true)?;
    let temporary = format!(".{}.sprag", name.to_string_lossy());
    // One that was left behind, or was laid there.
    unlinkat(&folder, &temporary, AtFlags::empty()).ok();
    let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&folder, &temporary, flags, mode)?);
    file.write_all(bytes)?;
    fchmod(&file, mode)?;
    Ok(renameat(&folder, &temporary, &folder, name)?)
}

fn remove_file(root: &Path, path: &str) -> io::Result<()> {
    let (folders, name) = split(path)?;
    let removed = open_folder(root, &folders, false).and_then(|folder| unlinkat(&folder, name, AtFlags::empty()));
    match removed {
        // Behind a link, or below a file, there is no file of the checkout.
        Ok(()) | Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The folders on the way to a file, and its name.
fn split(path: &str) -> io::Result<(Vec<&OsStr>, &OsStr)> {
    let mut parts: Vec<&OsStr> = plain(path)?.iter().collect();
    let name = parts.pop().unwrap_or_default();
    Ok((parts, name))
}

/// Goes down folder by folder without following a link. With `make`, folders that are missing are made, also in the place of what is none.
fn open_folder(root: &Path, folders: &[&OsStr], make: bool) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(CWD, root, flags, Mode::empty())?;
    for folder in folders {
        let mut next = openat(&at, *folder, flags, Mode::empty());
        if make && let Err(error) = next {
            if error != Errno::NOENT {
                unlinkat(&at, *folder, AtFlags::empty())?;
            }
            mkdirat(&at, *folder, Mode::from_raw_mode(0o755))?;
            next = openat(&at, *folder, flags, Mode::empty());
        }
        at = next?;
    }
    Ok(at)
}

/// Refuses a path that could leave the checkout.
fn plain(path: &str) -> io::Result<&Path> {
    let path = Path::new(path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if stays && path.components().next().is_some() {
        return Ok(path);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("`{}` is not a path inside the project", path.display()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::ProjectFile;
    use std::os::unix::fs::PermissionsExt;

    fn harness(files: &[(&str, &str)]) -> Harness {
        Harness::new(files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())))
    }

    fn project() -> ProjectFiles {
        let file = |path: &str, text: &str, executable| ProjectFile {
            path: path.to_owned(),
            bytes: text.into(),
            executable,
        };
        ProjectFiles {
            files: vec![
                file("evals/worker.sh", "worker", true),
                file("agent/run.sh", "old", true),
                file("agent/b.txt", "b", false),
            ],
            harness: harness(&[("agent/run.sh", "old"), ("agent/b.txt", "b")]),
        }
    }

    fn read(checkout: &Checkout, path: &str) -> Option<String> {
        fs::read_to_string(checkout.path().join(path)).ok()
    }

    fn is_executable(checkout: &Checkout, path: &str) -> bool {
        fs::metadata(checkout.path().join(path)).unwrap().permissions().mode() & 0o111 != 0
    }

    #[test]
    fn a_harness_is_laid_over_the_project_and_changed_in_place() {
        let scratch = tempfile::tempdir().unwrap();
        let first = harness(&[("agent/run.sh", "new"), ("agent/deep/c.txt", "c")]);
        let mut checkout = Checkout::write(scratch.path(), &project(), &first).unwrap();
        assert_eq!(read(&checkout, "evals/worker.sh").unwrap(), "worker");
        assert_eq!(read(&checkout, "agent/run.sh").unwrap(), "new");
        assert!(
            is_executable(&checkout, "agent/run.sh"),
            "a rewritten file keeps its mode"
        );
        assert_eq!(
            read(&checkout, "agent/b.txt"),
            None,
            "a file the harness lacks is removed"
        );

        checkout
            .change_to(&harness(&[("agent/run.sh", "new"), ("agent/b.txt", "b2")]))
            .unwrap();
        assert_eq!(read(&checkout, "agent/deep/c.txt"), None);
        assert_eq!(read(&checkout, "agent/b.txt").unwrap(), "b2");
        assert!(!is_executable(&checkout, "agent/b.txt"));
    }

    #[test]
    fn nothing_is_written_outside() {
        let scratch = tempfile::tempdir().unwrap();
        for path in ["../x", "/tmp/x", "agent/../../x", ""] {
            let error = Checkout::write(scratch.path(), &project(), &harness(&[(path, "x")])).unwrap_err();
            assert_eq!(error.to_string(), format!("`{path}` is not a path inside the project"));
        }
        assert!(!scratch.path().join("x").exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let victim = scratch.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        let mut checkout = Checkout::write(scratch.path(), &project(), &project().harness).unwrap();
        fs::remove_file(checkout.path().join("agent/b.txt")).unwrap();
        std::os::unix::fs::symlink(&victim, checkout.path().join("agent/b.txt")).unwrap();
        checkout
            .change_to(&harness(&[("agent/run.sh", "old"), ("agent/b.txt", "evil")]))
            .unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(read(&checkout, "agent/b.txt").unwrap(), "evil");
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_is_replaced_and_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("b.txt"), "mine").unwrap();
        let mut checkout = Checkout::write(scratch.path(), &project(), &project().harness).unwrap();
        let link = |checkout: &Checkout| {
            fs::remove_dir_all(checkout.path().join("agent")).unwrap();
            std::os::unix::fs::symlink(&home, checkout.path().join("agent")).unwrap();
        };
        link(&checkout);
        checkout.change_to(&harness(&[("agent/run.sh", "old")])).unwrap();
        assert_eq!(
            fs::read_to_string(home.join("b.txt")).unwrap(),
            "mine",
            "not removed through the link"
        );
        checkout
            .change_to(&harness(&[("agent/run.sh", "old"), ("agent/b.txt", "evil")]))
            .unwrap();
        assert_eq!(
            fs::read_to_string(home.join("b.txt")).unwrap(),
            "mine",
            "not written through the link"
        );
        assert_eq!(read(&checkout, "agent/b.txt").unwrap(), "evil");
    }
}
