//! What holds foreign processes, and what each of them may read: the programs and libraries that its command needs.

use fs_err as fs;
use sprag_sandbox::{Choice, Limits, Network, Policy, Refused, Sandbox, Tier};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// What an installation of programs has beside its `bin`.
const PARTS: [&str; 6] = ["lib", "lib64", "libexec", "versions", "installs", "pyvenv.cfg"];
/// Where a project keeps the libraries of its languages.
const LIBRARIES: [&str; 4] = [".venv", "venv", "node_modules", "vendor/bundle"];
/// How many links are followed from a program to what it is.
const MAX_LINKS: usize = 16;

/// What holds foreign processes.
#[derive(Debug, Clone)]
pub struct Hold {
    sandbox: Sandbox,
    read: Vec<PathBuf>,
    limits: Limits,
}

impl Hold {
    /// Nothing: foreign processes have all rights of this one.
    pub fn none() -> Self {
        Self {
            sandbox: Sandbox::none(),
            read: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// The first tier of the choice that holds on this machine. `program` is sprag itself; `read` are the paths that foreign processes may
    /// read besides what their commands need.
    ///
    /// # Errors
    /// When no tier holds.
    pub fn select(choice: Choice, program: &Path, read: Vec<PathBuf>, limits: Limits) -> Result<Self, Refused> {
        Ok(Self {
            sandbox: Sandbox::select(choice, program)?,
            read,
            limits,
        })
    }

    /// The tier that holds.
    pub fn tier(&self) -> Tier {
        self.sandbox.tier()
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// What a command may reach that is started in the first of the directories it may change.
    pub(super) fn policy(
        &self,
        command: &[String],
        write: &[&Path],
        project_dir: &Path,
        env: &[(OsString, OsString)],
    ) -> Policy {
        let mut read = Read::new(project_dir);
        if self.tier() != Tier::None {
            read.toolchain(command, project_dir, env);
            self.read.iter().for_each(|path| read.add(path));
        }
        Policy {
            read: read.paths.into_iter().collect(),
            network: Network::None,
            limits: self.limits,
            ..Policy::writing(write.iter().map(|path| (*path).to_owned()))
        }
    }
}

/// The paths that a command needs.
struct Read {
    paths: BTreeSet<PathBuf>,
    /// Directories that hold too much to be read as a whole: home, the project, and all above them.
    wide: BTreeSet<PathBuf>,
}

impl Read {
    fn new(project_dir: &Path) -> Self {
        let home = std::env::home_dir();
        let local = home.as_ref().map(|home| home.join(".local"));
        let with_parents = [Some(project_dir.to_owned()), home, local].into_iter().flatten();
        let wide = with_parents.flat_map(|path| path.ancestors().map(Path::to_owned).collect::<Vec<_>>());
        Self {
            paths: BTreeSet::new(),
            wide: wide.collect(),
        }
    }

    /// A path as it is written and as it really is.
    fn add(&mut self, path: &Path) {
        let Ok(real) = fs::canonicalize(path) else {
            return;
        };
        for path in [path.to_owned(), real] {
            let plain = path
                .components()
                .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
            if plain && path.is_absolute() && !self.wide.contains(&path) {
                self.paths.insert(path);
            }
        }
    }

    fn toolchain(&mut self, command: &[String], project_dir: &Path, env: &[(OsString, OsString)]) {
        let value = |wanted: &str| env.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let folders: Vec<PathBuf> = value("PATH").into_iter().flat_map(std::env::split_paths).collect();
        for folder in &folders {
            self.installation(folder);
        }
        for name in LIBRARIES {
            self.library(&project_dir.join(name));
        }
        if let Some(folder) = value("VIRTUAL_ENV") {
            self.library(Path::new(folder));
        }
        for (index, word) in command.iter().enumerate() {
            let path = Path::new(word);
            if path.is_absolute() {
                self.program(path);
            } else if index == 0 && !word.contains('/') {
                let found = folders
                    .iter()
                    .map(|folder| folder.join(word))
                    .find(|path| path.exists());
                found.iter().for_each(|path| self.program(path));
            }
        }
    }

    /// A program with whatever its links lead to, each with its installation.
    fn program(&mut self, path: &Path) {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            self.add(&path);
            if let Some(folder) = path.parent() {
                self.installation(folder);
            }
            let Ok(target) = fs::read_link(&path) else {
                return;
            };
            path = path.parent().unwrap_or(Path::new("/")).join(target);
            if let (Some(folder), Some(name)) = (
                path.parent().and_then(|folder| fs::canonicalize(folder).ok()),
                path.file_name(),
            ) {
                path = folder.join(name);
            }
        }
    }

    /// A folder of programs, and the installation that it is the `bin` of.
    fn installation(&mut self, folder: &Path) {
        let is_bin = folder
            .file_name()
            .is_some_and(|name| ["bin", "sbin", "shims"].iter().any(|bin| name == *bin));
        let Some(root) = folder.parent().filter(|_| is_bin) else {
            return;
        };
        self.add(folder);
        if PARTS.iter().any(|part| root.join(part).exists()) {
            self.library(root);
        }
    }

    /// An installation or a virtual environment, and the installation that that is made from.
    fn library(&mut self, root: &Path) {
        if self.paths.contains(root) || !root.exists() {
            return;
        }
        self.add(root);
        let config = fs::read_to_string(root.join("pyvenv.cfg")).unwrap_or_default();
        let home = config.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "home").then(|| PathBuf::from(value.trim()))
        });
        if let Some(home) = home {
            self.program(&home.join("python3"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn read(command: &[&str], project: &Path, path: &str) -> Vec<PathBuf> {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let mut read = Read::new(project);
        read.toolchain(&command, project, &[("PATH".into(), path.into())]);
        read.paths.into_iter().collect()
    }

    #[test]
    fn a_command_reads_its_installation_its_libraries_and_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(folder.path()).unwrap();
        for made in ["python/bin", "python/lib", "project/.venv/bin", "tools/bin", "secrets"] {
            fs::create_dir_all(at.join(made)).unwrap();
        }
        fs::write(at.join("python/bin/python3"), "").unwrap();
        fs::write(at.join("project/worker.py"), "").unwrap();
        symlink(at.join("python/bin/python3"), at.join("tools/bin/python")).unwrap();
        let home = format!("home = {}\n", at.join("python/bin").display());
        fs::write(at.join("project/.venv/pyvenv.cfg"), home).unwrap();

        let venv = read(&["worker.py"], &at.join("project"), "/usr/bin");
        let of_venv = ["project/.venv", "python", "python/bin", "python/bin/python3"].map(|path| at.join(path));
        assert!(of_venv.iter().all(|path| venv.contains(path)), "{venv:?}");
        fs::remove_dir_all(at.join("project/.venv")).unwrap();

        let path = at.join("tools/bin").display().to_string();
        let script = at.join("project/worker.py").display().to_string();
        let linked = read(&["python", &script], &at.join("project"), &path);
        let wanted = [
            "project/worker.py",
            "python",
            "python/bin",
            "python/bin/python3",
            "tools/bin",
            "tools/bin/python",
        ];
        assert_eq!(
            linked,
            wanted.map(|path| at.join(path)),
            "tools has no libraries, so only its bin"
        );
    }

    #[test]
    fn home_the_project_and_what_is_above_them_are_never_read_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(at.join("bin")).unwrap();
        fs::create_dir_all(at.join("lib")).unwrap();
        let path = at.join("bin").display().to_string();
        let whole = at.display().to_string();
        assert_eq!(read(&["x", &whole, "/"], &at, &path), [at.join("bin")]);
        let home = std::env::home_dir().unwrap();
        assert!(
            read(&[&home.display().to_string()], &at, "")
                .iter()
                .all(|path| *path != home)
        );
    }
}
