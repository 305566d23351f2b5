//! The user's repository: its files, and the branches sprag makes in it.

pub mod hijack;
pub mod patches;
mod remote;

pub use remote::Remote;
pub(crate) use remote::{Depth, Lease, branch_head, fetch, own_repository, push};

use crate::project::ProjectFile;
use fs_err as fs;
use git2::{Commit, IndexEntry, IndexTime, ObjectType, Oid, Repository, Signature, Tree, TreeWalkMode, TreeWalkResult};
use sprag_core::candidate::check::TreeChange;
use sprag_core::harness::FileChange;
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
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
    /// The files of the repository are in another place than the project.
    #[error("{} is not where the repository around it has its files, which is {}", project.display(), root.display())]
    Elsewhere {
        /// The project.
        project: PathBuf,
        /// Where the repository says its files are.
        root: PathBuf,
    },
    /// The server does not let this token do it. Trying again does not help.
    #[error("{url} refuses: {problem}")]
    Refused {
        /// The repository, without any secret.
        url: String,
        /// Why.
        problem: String,
    },
    /// The remote branch is not what it was expected to be.
    #[error("the remote branch {branch} was moved{}", found.as_ref().map_or_else(String::new, |sha| format!(": it is at {sha}")))]
    Moved {
        /// The branch.
        branch: String,
        /// Its commit, if the server told.
        found: Option<String>,
    },
    /// The server could not be reached, or did not answer as it should. Trying again may help.
    #[error("{url} cannot be reached: {problem}")]
    Network {
        /// The repository, without any secret.
        url: String,
        /// Why.
        problem: String,
    },
}

/// The mode of a file that may be executed, as git writes it.
const EXECUTABLE: u32 = 0o100_755;

/// The mode of any other file.
const REGULAR: u32 = 0o100_644;

/// Whether a mode is that of a file, not of a link or a submodule. Old repositories know a third.
fn is_regular(mode: u32) -> bool {
    matches!(mode, REGULAR | EXECUTABLE | 0o100_664)
}

/// A repository, and the part of it that is the project.
pub struct Workspace {
    repository: Repository,
    /// Where its files are. Kept, since whoever can write the repository's configuration can name another place there.
    root: PathBuf,
    /// The project's folder inside the repository, empty or ending in `/`.
    prefix: String,
    /// What talks to servers, made when it is needed first.
    private: OnceCell<remote::Private>,
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
        let root = fs::canonicalize(repository.workdir().unwrap_or_else(|| repository.path()))?;
        let project = fs::canonicalize(project)?;
        let Ok(prefix) = project.strip_prefix(&root) else {
            return Err(WorkspaceError::Elsewhere { project, root });
        };
        let prefix = prefix.to_string_lossy().replace('\\', "/");
        let prefix = if prefix.is_empty() {
            prefix
        } else {
            format!("{prefix}/")
        };
        repository.head()?.peel_to_commit()?;
        Ok(Self {
            repository,
            root,
            prefix,
            private: OnceCell::new(),
        })
    }

    /// A new repository in `path` with one commit of these files on `main`. One that is there already keeps its history; without a
    /// commit it is what a kill has left of an earlier try, and is made anew. It is sprag's own, so a lock in it is a kill's too.
    pub fn create(path: &Path, files: &[ProjectFile]) -> Result<Self, WorkspaceError> {
        // Not `discover`: half a repository must not lead to the one around it.
        if let Ok(repository) = Repository::open(path)
            && repository.head().and_then(|head| head.peel_to_commit()).is_ok()
        {
            unlock(repository.path())?;
            return Self::fresh(repository, path);
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
        // Half a repository may have begun on another branch.
        repository.set_head("refs/heads/main")?;
        drop(tree);
        Self::fresh(repository, path)
    }

    /// One whose files are as they are at HEAD.
    fn fresh(repository: Repository, path: &Path) -> Result<Self, WorkspaceError> {
        let workspace = Self {
            repository,
            root: fs::canonicalize(path)?,
            prefix: String::new(),
            private: OnceCell::new(),
        };
        workspace.refresh_files()?;
        Ok(workspace)
    }

    /// The project's folder in the repository, with a `/` at its end; empty for the root.
    pub fn folder(&self) -> &str {
        &self.prefix
    }

    /// The files of the project at HEAD; links and submodules are left out.
    pub fn files(&self) -> Result<Vec<ProjectFile>, WorkspaceError> {
        self.files_at("HEAD")
    }

    /// The files of the project at a commit or branch; links and submodules are left out.
    ///
    /// # Errors
    /// When there is no such commit here.
    pub fn files_at(&self, revision: &str) -> Result<Vec<ProjectFile>, WorkspaceError> {
        let tree = self.repository.revparse_single(revision)?.peel_to_tree()?;
        let mut files = Vec::new();
        tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
            let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
            let mode = u32::try_from(entry.filemode()).unwrap_or(0);
            if entry.kind() == Some(ObjectType::Blob)
                && is_regular(mode)
                && let Some(path) = path.strip_prefix(&self.prefix)
            {
                files.push((path.to_owned(), entry.id(), mode == EXECUTABLE));
            }
            TreeWalkResult::Ok
        })?;
        self.read(files)
    }

    /// The text of a file of the project at a commit or branch; `None` when there is no such file, or it is no text.
    ///
    /// # Errors
    /// When there is no such commit here.
    pub fn text_at(&self, revision: &str, path: &str) -> Result<Option<String>, WorkspaceError> {
        let tree = self.repository.revparse_single(revision)?.peel_to_tree()?;
        let Ok(entry) = tree.get_path(Path::new(&format!("{}{path}", self.prefix))) else {
            return Ok(None);
        };
        if entry.kind() != Some(ObjectType::Blob) || !u32::try_from(entry.filemode()).is_ok_and(is_regular) {
            return Ok(None);
        }
        let blob = self.repository.find_blob(entry.id())?;
        Ok(String::from_utf8(blob.content().to_vec()).ok())
    }

    /// The files of the project as they would be if what changed from `ancestor` to `theirs` were merged into `ours`; `None` when that is
    /// in conflict.
    ///
    /// # Errors
    /// When one of the commits is not here.
    pub fn files_merged(
        &self,
        ancestor: &str,
        ours: &str,
        theirs: &str,
    ) -> Result<Option<Vec<ProjectFile>>, WorkspaceError> {
        let tree = |revision: &str| self.repository.revparse_single(revision)?.peel_to_tree();
        let merged = self
            .repository
            .merge_trees(&tree(ancestor)?, &tree(ours)?, &tree(theirs)?, None)?;
        if merged.has_conflicts() {
            return Ok(None);
        }
        let mut files = Vec::new();
        for entry in merged.iter() {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            if let Some(path) = path.strip_prefix(&self.prefix)
                && is_regular(entry.mode)
            {
                files.push((path.to_owned(), entry.id, entry.mode == EXECUTABLE));
            }
        }
        self.read(files).map(Some)
    }

    /// The best common ancestor of two commits that are here.
    ///
    /// # Errors
    /// When one is not here, or there is none.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<String, WorkspaceError> {
        let commit = |revision: &str| self.repository.revparse_single(revision)?.peel_to_commit();
        let base = self.repository.merge_base(commit(one)?.id(), commit(other)?.id())?;
        Ok(base.to_string())
    }

    fn read(&self, files: Vec<(String, Oid, bool)>) -> Result<Vec<ProjectFile>, WorkspaceError> {
        let read = |(path, id, executable): (String, Oid, bool)| {
            Ok(ProjectFile {
                path,
                bytes: self.repository.find_blob(id)?.content().to_vec(),
                executable,
            })
        };
        files.into_iter().map(read).collect()
    }

    /// The commit of HEAD.
    pub fn head_commit(&self) -> Result<String, WorkspaceError> {
        Ok(self.repository.head()?.peel_to_commit()?.id().to_string())
    }

    /// The id of a commit's tree: its content alone.
    pub fn tree_of(&self, revision: &str) -> Result<String, WorkspaceError> {
        Ok(self
            .repository
            .revparse_single(revision)?
            .peel_to_tree()?
            .id()
            .to_string())
    }

    /// What differs between the trees of two commits or branches, with links and submodules, in the order of the paths.
    ///
    /// # Errors
    /// When one of them is not here.
    pub fn changed(&self, base: &str, tip: &str) -> Result<Vec<TreeChange>, WorkspaceError> {
        let tree = |revision: &str| self.repository.revparse_single(revision)?.peel_to_tree();
        let (old, new) = (tree(base)?, tree(tip)?);
        let diff = self.repository.diff_tree_to_tree(Some(&old), Some(&new), None)?;
        // The tree is asked, and not the difference, which knows no odd modes.
        // A folder in the place of a file is told by what is in it.
        let mode = |tree: &Tree<'_>, path: &Path| {
            let entry = tree
                .get_path(path)
                .ok()
                .filter(|entry| entry.kind() != Some(ObjectType::Tree))?;
            u32::try_from(entry.filemode_raw()).ok()
        };
        let change = |delta: git2::DiffDelta<'_>| {
            let path = delta.new_file().path_bytes().or(delta.old_file().path_bytes())?;
            let on_disk = Path::new(OsStr::from_bytes(path));
            Some(TreeChange {
                path: String::from_utf8_lossy(path).into_owned(),
                before: mode(&old, on_disk),
                after: mode(&new, on_disk),
            })
        };
        Ok(diff.deltas().filter_map(change).collect())
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
        self.unlink_folders()?;
        let mut checkout = git2::build::CheckoutBuilder::new();
        Ok(self
            .repository
            .checkout_head(Some(checkout.force().target_dir(&self.root)))?)
    }

    /// Takes away links that stand where HEAD has folders: a checkout would write through them to wherever they lead.
    fn unlink_folders(&self) -> Result<(), WorkspaceError> {
        let mut folders = Vec::new();
        self.repository
            .head()?
            .peel_to_tree()?
            .walk(TreeWalkMode::PreOrder, |folder, entry| {
                if entry.kind() == Some(ObjectType::Tree) {
                    let name = String::from_utf8_lossy(entry.name_bytes());
                    folders.push(self.root.join(format!("{folder}{name}")));
                }
                TreeWalkResult::Ok
            })?;
        for folder in folders {
            if fs::symlink_metadata(&folder).is_ok_and(|there| there.is_symlink()) {
                fs::remove_file(&folder)?;
            }
        }
        Ok(())
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
                        .is_ok_and(|old| u32::try_from(old.filemode()) == Ok(EXECUTABLE));
                    index.add(&entry(&path, self.repository.blob(text.as_bytes())?, executable))?;
                }
                None => index.remove_path(Path::new(&path))?,
            }
        }
        Ok(self.repository.find_tree(index.write_tree_to(&self.repository)?)?)
    }
}

/// Takes away the locks that a killed process has left on the index and the references of a repository that nobody else works in.
fn unlock(git: &Path) -> Result<(), WorkspaceError> {
    for entry in ignore::WalkBuilder::new(git).standard_filters(false).build() {
        let entry = entry.map_err(std::io::Error::other)?;
        if entry.path().extension() == Some(OsStr::new("lock")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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
        mode: if executable { EXECUTABLE } else { REGULAR },
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use tempfile::TempDir;

    fn file(path: &str, text: &str) -> ProjectFile {
        ProjectFile {
            path: path.to_owned(),
            bytes: text.into(),
            executable: path.ends_with(".sh"),
        }
    }

    fn change(path: &str, text: Option<&str>) -> FileChange {
        FileChange {
            path: path.to_owned(),
            text: text.map(str::to_owned),
        }
    }

    fn files() -> Vec<ProjectFile> {
        vec![
            file("agent/a.md", "a\n"),
            file("agent/run.sh", "run\n"),
            file("README.md", "read\n"),
        ]
    }

    fn project() -> (TempDir, Workspace) {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::create(dir.path(), &files()).unwrap();
        (dir, workspace)
    }

    fn n_commits(workspace: &Workspace, branch: &str) -> usize {
        let mut walk = workspace.repository.revwalk().unwrap();
        walk.push_ref(&format!("refs/heads/{branch}")).unwrap();
        walk.count()
    }

    fn texts(files: &[ProjectFile]) -> Vec<(&str, &str, bool)> {
        files
            .iter()
            .map(|file| {
                let text = std::str::from_utf8(&file.bytes).unwrap();
                (file.path.as_str(), text, file.executable)
            })
            .collect()
    }

    #[test]
    fn a_new_repository_has_the_files_and_one_that_is_there_keeps_its_history() {
        let (dir, workspace) = project();
        let expected = [
            ("README.md", "read\n", false),
            ("agent/a.md", "a\n", false),
            ("agent/run.sh", "run\n", true),
        ];
        assert_eq!(texts(&workspace.files().unwrap()), expected);
        assert_eq!(texts(&files_of_folder(dir.path()).unwrap()), expected);
        workspace
            .land("main", "sprag/c", "better", &[change("agent/a.md", Some("b\n"))])
            .unwrap();
        workspace.fast_forward("sprag/c").unwrap();
        let again = Workspace::create(dir.path(), &files()).unwrap();
        assert_eq!(n_commits(&again, "main"), 2);
        assert_eq!(fs::read_to_string(dir.path().join("agent/a.md")).unwrap(), "b\n");
    }

    #[test]
    fn what_a_kill_left_of_a_new_repository_is_made_anew_and_never_taken_for_the_one_around_it() {
        let (outer_dir, outer) = project();
        for left in ["", "HEAD", "config"] {
            let dir = outer_dir.path().join("out/repo");
            fs::create_dir_all(dir.join(".git")).unwrap();
            let begun = Repository::init(outer_dir.path().join("begun")).unwrap();
            if !left.is_empty() {
                fs::copy(begun.path().join(left), dir.join(".git").join(left)).unwrap();
            }
            let workspace = Workspace::create(&dir, &files()).unwrap();
            assert_eq!(n_commits(&workspace, "main"), 1, "left: {left}");
            assert_eq!(
                workspace.repository.path(),
                fs::canonicalize(&dir).unwrap().join(".git")
            );
            fs::remove_dir_all(&dir).unwrap();
        }
        assert_eq!(n_commits(&outer, "main"), 1);
        let begun = outer_dir.path().join("begun");
        let workspace = Workspace::create(&begun, &files()).unwrap();
        assert_eq!(n_commits(&workspace, "main"), 1, "all but the commit was there");
        assert_eq!(workspace.head_branch().unwrap(), "main");
    }

    #[test]
    fn locks_that_a_kill_left_hold_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        Workspace::create(dir.path(), &files()).unwrap();
        let locks = [
            "index.lock",
            "HEAD.lock",
            "refs/heads/main.lock",
            "refs/heads/sprag/c.lock",
        ];
        for lock in locks.map(|lock| dir.path().join(".git").join(lock)) {
            fs::create_dir_all(lock.parent().unwrap()).unwrap();
            fs::write(&lock, "").unwrap();
        }
        let again = Workspace::create(dir.path(), &files()).unwrap();
        again
            .land("main", "sprag/c", "better", &[change("agent/a.md", Some("b\n"))])
            .unwrap();
        again.fast_forward("sprag/c").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("agent/a.md")).unwrap(), "b\n");
    }

    #[test]
    fn landing_makes_a_branch_and_touches_neither_head_nor_the_files() {
        let (dir, workspace) = project();
        let head = workspace.repository.head().unwrap().target();
        let changes = [
            change("agent/run.sh", Some("better\n")),
            change("agent/a.md", None),
            change("agent/new/b.md", Some("b\n")),
        ];
        let landed = workspace.land("main", "sprag/c-1", "better", &changes).unwrap();
        assert_eq!(workspace.repository.head().unwrap().target(), head);
        assert_eq!(fs::read_to_string(dir.path().join("agent/run.sh")).unwrap(), "run\n");
        assert!(workspace.repository.statuses(None).unwrap().is_empty());
        workspace.fast_forward("sprag/c-1").unwrap();
        assert_eq!(
            texts(&workspace.files().unwrap()),
            [
                ("README.md", "read\n", false),
                ("agent/new/b.md", "b\n", false),
                ("agent/run.sh", "better\n", true)
            ]
        );
        assert_eq!(
            workspace.repository.head().unwrap().target().unwrap().to_string(),
            landed.commit
        );
        assert_eq!(
            texts(&files_of_folder(dir.path()).unwrap()),
            texts(&workspace.files().unwrap()),
            "the files follow"
        );
    }

    #[test]
    fn landing_again_is_harmless_before_and_after_the_merge() {
        let (_dir, workspace) = project();
        let changes = [change("agent/a.md", Some("b\n"))];
        let land = || {
            workspace
                .land(&workspace.head_branch().unwrap(), "sprag/c", "better", &changes)
                .unwrap()
        };
        let first = land();
        assert_eq!(land(), first);
        workspace.fast_forward("sprag/c").unwrap();
        assert_eq!(land(), first, "killed after the merge, before it was written down");
        assert_eq!(
            (n_commits(&workspace, "main"), n_commits(&workspace, "sprag/c")),
            (2, 2)
        );
        let other = workspace
            .land("main", "sprag/c", "better still", &[change("agent/a.md", Some("c\n"))])
            .unwrap();
        assert_ne!(other, first);
        assert_eq!(n_commits(&workspace, "sprag/c"), 3);
    }

    #[test]
    fn a_project_may_be_a_folder_of_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let nested: Vec<ProjectFile> = files()
            .into_iter()
            .map(|old| {
                file(
                    &format!("bots/desk/{}", old.path),
                    std::str::from_utf8(&old.bytes).unwrap(),
                )
            })
            .collect();
        Workspace::create(dir.path(), &nested).unwrap();
        let workspace = Workspace::open(&dir.path().join("bots/desk")).unwrap();
        let paths: Vec<String> = workspace.files().unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["README.md", "agent/a.md", "agent/run.sh"]);
        workspace
            .land("main", "sprag/c", "better", &[change("agent/a.md", Some("b\n"))])
            .unwrap();
        workspace.fast_forward("sprag/c").unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("bots/desk/agent/a.md")).unwrap(),
            "b\n"
        );
        assert_eq!(workspace.text_at("HEAD", "agent/a.md").unwrap().as_deref(), Some("b\n"));
        assert_eq!(workspace.text_at("HEAD", "agent").unwrap(), None);
        assert_eq!(workspace.text_at("HEAD", "agent/none.md").unwrap(), None);
    }

    #[test]
    fn links_and_what_git_ignores_are_left_out() {
        let (dir, _) = project();
        fs::write(dir.path().join(".gitignore"), "*.log\n").unwrap();
        fs::write(dir.path().join("agent/x.log"), "x").unwrap();
        fs::write(dir.path().join("tool"), "x").unwrap();
        fs::set_permissions(dir.path().join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", dir.path().join("agent/link.md")).unwrap();
        let files = files_of_folder(dir.path()).unwrap();
        let found: Vec<(&str, bool)> = files.iter().map(|file| (file.path.as_str(), file.executable)).collect();
        assert_eq!(
            found,
            [
                (".gitignore", false),
                ("README.md", false),
                ("agent/a.md", false),
                ("agent/run.sh", true),
                ("tool", true)
            ]
        );
    }

    #[test]
    fn without_a_commit_there_is_nothing_to_work_on() {
        let dir = tempfile::tempdir().unwrap();
        Repository::init(dir.path()).unwrap();
        assert!(Workspace::open(dir.path()).is_err());
    }
}
