//! The user's repository: its files, and the branches sprag makes in it. The only place that names git2.

use crate::runner::ProjectFile;
use fs_err as fs;
use git2::{Commit, IndexEntry, IndexTime, ObjectType, Oid, Repository, Signature, Tree, TreeWalkMode, TreeWalkResult};
use sprag_core::harness::{FileChange, Harness, PathPolicy};
use std::path::{Path, PathBuf};

/// Why the repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// git said no.
    #[error("git: {}", .0.message())]
    Git(#[from] git2::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A repository, and the part of it that is the project.
pub struct Workspace {
    repository: Repository,
    /// The project's folder inside the repository, empty or ending in `/`.
    prefix: String,
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace")
            .field("path", &self.repository.path())
            .field("prefix", &self.prefix)
            .finish()
    }
}

/// A commit on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// The commit's id, 40 hexadecimal digits.
    pub commit: String,
    /// Its tree's id: the content alone, the same in every run.
    pub tree: String,
}

impl Workspace {
    /// The repository around a project folder.
    ///
    /// # Errors
    /// When there is none, or it has no commit.
    pub fn open(project: &Path) -> Result<Self, WorkspaceError> {
        let repository = Repository::discover(project)?;
        let root = repository.workdir().map(Path::to_owned).unwrap_or_default();
        let project = fs::canonicalize(project)?;
        let prefix = project
            .strip_prefix(fs::canonicalize(root)?)
            .map(Path::to_owned)
            .unwrap_or_default();
        let prefix = prefix.to_string_lossy().replace('\\', "/");
        let prefix = if prefix.is_empty() {
            prefix
        } else {
            format!("{prefix}/")
        };
        repository.head()?.peel_to_commit()?;
        Ok(Self { repository, prefix })
    }

    /// A new repository in `path` with one commit of these files on `main`. One that is there already keeps its history; without a
    /// commit it is what a kill has left of an earlier try, and is made anew.
    pub fn create(path: &Path, files: &[ProjectFile]) -> Result<Self, WorkspaceError> {
        // Not `discover`: half a repository must not lead to the one around it.
        if let Ok(repository) = Repository::open(path)
            && repository.head().and_then(|head| head.peel_to_commit()).is_ok()
        {
            let workspace = Self {
                repository,
                prefix: String::new(),
            };
            workspace.refresh_files()?;
            return Ok(workspace);
        }
        let mut options = git2::RepositoryInitOptions::new();
        let repository = Repository::init_opts(path, options.initial_head("main"))?;
        let mut index = git2::Index::new()?;
        for file in files {
            index.add(&entry(&file.path, repository.blob(&file.bytes)?, file.executable))?;
        }
        let tree = repository.find_tree(index.write_tree_to(&repository)?)?;
        let who = signature(&repository)?;
        repository.commit(
            Some("refs/heads/main"),
            &who,
            &who,
            "Begin with the project as it is",
            &tree,
            &[],
        )?;
        drop(tree);
        let workspace = Self {
            repository,
            prefix: String::new(),
        };
        workspace.refresh_files()?;
        Ok(workspace)
    }

    /// The files of the project at HEAD; links and submodules are left out.
    pub fn files(&self) -> Result<Vec<ProjectFile>, WorkspaceError> {
        let tree = self.repository.head()?.peel_to_tree()?;
        let mut files = Vec::new();
        tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
            let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
            let regular = matches!(entry.filemode(), 0o100_644 | 0o100_755 | 0o100_664);
            if entry.kind() == Some(ObjectType::Blob)
                && regular
                && let Some(path) = path.strip_prefix(&self.prefix)
            {
                files.push((path.to_owned(), entry.id(), entry.filemode() == 0o100_755));
            }
            TreeWalkResult::Ok
        })?;
        let read = |(path, id, executable): (String, Oid, bool)| {
            Ok(ProjectFile {
                path,
                bytes: self.repository.find_blob(id)?.content().to_vec(),
                executable,
            })
        };
        files.into_iter().map(read).collect()
    }

    /// The branch HEAD stands on.
    pub fn head_branch(&self) -> Result<String, WorkspaceError> {
        Ok(self.repository.head()?.shorthand().unwrap_or("HEAD").to_owned())
    }

    /// Puts a commit with these changes on top of `base` and points `branch` at it. If the branch already holds this very content with
    /// this message on this base, nothing is done: doing it again is harmless.
    pub fn land(
        &self,
        base: &str,
        branch: &str,
        message: &str,
        changes: &[FileChange],
    ) -> Result<Landed, WorkspaceError> {
        let parent = self.repository.revparse_single(base)?.peel_to_commit()?;
        let tree = self.changed_tree(&parent.tree()?, changes)?;
        let reference = format!("refs/heads/{branch}");
        if let Ok(existing) = self
            .repository
            .find_reference(&reference)
            .and_then(|found| found.peel_to_commit())
            && existing.tree_id() == tree.id()
            && existing.message() == Ok(message)
            && (existing.parent_id(0).ok() == Some(parent.id()) || existing.id() == parent.id())
        {
            return Ok(landed(&existing));
        }
        let who = signature(&self.repository)?;
        let id = self.repository.commit(None, &who, &who, message, &tree, &[&parent])?;
        self.repository
            .reference(&reference, id, true, "sprag: accepted change")?;
        Ok(landed(&self.repository.find_commit(id)?))
    }

    /// Moves the branch HEAD stands on forward to `branch`, as a merge of the pull request would, and refreshes the files on disk.
    pub fn fast_forward(&self, branch: &str) -> Result<(), WorkspaceError> {
        let target = self.repository.revparse_single(&format!("refs/heads/{branch}"))?.id();
        let head = self.repository.head()?.name().unwrap_or("HEAD").to_owned();
        self.repository.reference(&head, target, true, "sprag: merged")?;
        self.refresh_files()
    }

    fn refresh_files(&self) -> Result<(), WorkspaceError> {
        let mut checkout = git2::build::CheckoutBuilder::new();
        Ok(self.repository.checkout_head(Some(checkout.force()))?)
    }

    fn changed_tree(&self, tree: &Tree<'_>, changes: &[FileChange]) -> Result<Tree<'_>, WorkspaceError> {
        let mut index = git2::Index::new()?;
        index.read_tree(tree)?;
        for change in changes {
            let path = format!("{}{}", self.prefix, change.path);
            match &change.text {
                Some(text) => {
                    let executable = tree
                        .get_path(Path::new(&path))
                        .is_ok_and(|old| old.filemode() == 0o100_755);
                    index.add(&entry(&path, self.repository.blob(text.as_bytes())?, executable))?;
                }
                None => index.remove_path(Path::new(&path))?,
            }
        }
        Ok(self.repository.find_tree(index.write_tree_to(&self.repository)?)?)
    }
}

/// The harness: those files that a candidate may change and that are text.
pub fn harness_of(files: &[ProjectFile], policy: &PathPolicy) -> Harness {
    let allowed = files.iter().filter(|file| policy.allows(&file.path));
    Harness::new(allowed.filter_map(|file| Some((file.path.clone(), String::from_utf8(file.bytes.clone()).ok()?))))
}

/// The files of a folder that git would track: everything but what its ignore files name, and `.git`.
pub fn files_of_folder(root: &Path) -> Result<Vec<ProjectFile>, WorkspaceError> {
    let mut files = Vec::new();
    let walk = ignore::WalkBuilder::new(root)
        .hidden(false)
        .require_git(false)
        .sort_by_file_path(Path::cmp)
        .build();
    for entry in walk {
        let entry = entry.map_err(std::io::Error::other)?;
        let path: PathBuf = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned();
        let in_git = path.components().any(|part| part.as_os_str() == ".git");
        if in_git || !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let executable = is_executable(&fs::metadata(entry.path())?);
        let path = path.to_string_lossy().replace('\\', "/");
        files.push(ProjectFile {
            path,
            bytes: fs::read(entry.path())?,
            executable,
        });
    }
    Ok(files)
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

fn landed(commit: &Commit<'_>) -> Landed {
    Landed {
        commit: commit.id().to_string(),
        tree: commit.tree_id().to_string(),
    }
}

/// The user's own name where git knows one; sprag's otherwise.
fn signature(repository: &Repository) -> Result<Signature<'static>, git2::Error> {
    repository
        .signature()
        .map(|who| who.to_owned())
        .or_else(|_| Signature::now("sprag", "sprag@localhost"))
}

fn entry(path: &str, id: Oid, executable: bool) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: if executable { 0o100_755 } else { 0o100_644 },
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}
