//! What somebody who can write into a repository tries, so that sprag's git runs his code or pushes elsewhere: each way is tried on a real
//! repository, in which sprag then does all it does with git.

use super::{Remote, Workspace, WorkspaceError};
use crate::attempt::Attempt;
use crate::project::ProjectFile;
use fs_err as fs;
use git2::{Oid, Repository};
use sprag_core::harness::FileChange;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// The name of the branch that is pushed.
const BRANCH: &str = "sprag/c-1";
/// Stands for the program that must not run, in the tables below.
const RUN: &str = "{run}";
/// Stands for the repository of the attacker.
const EVIL: &str = "{evil}";
/// Stands for the repository that sprag means.
const REMOTE: &str = "{remote}";

/// Hooks that git runs on what sprag does.
const HOOKS: [&str; 7] = [
    "pre-commit",
    "commit-msg",
    "post-commit",
    "pre-push",
    "post-checkout",
    "reference-transaction",
    "post-index-change",
];

/// Lines that are added to the configuration of the repository.
const CONFIGS: [(&str, &str); 17] = [
    ("core.fsmonitor", "[core]\n\tfsmonitor = {run}\n"),
    ("core.hooksPath", "[core]\n\thooksPath = {hooks}\n"),
    ("core.sshCommand", "[core]\n\tsshCommand = {run}\n"),
    (
        "core.pager and core.editor",
        "[core]\n\tpager = {run}\n\teditor = {run}\n",
    ),
    ("core.alternateRefsCommand", "[core]\n\talternateRefsCommand = {run}\n"),
    (
        "gpg.program",
        "[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = {run}\n[user]\n\tsigningkey = x\n",
    ),
    ("include.path", "[include]\n\tpath = {config}\n"),
    ("includeIf", "[includeIf \"gitdir:/\"]\n\tpath = {config}\n"),
    ("url.insteadOf", "[url \"{evil}\"]\n\tinsteadOf = {remote}\n"),
    ("url.pushInsteadOf", "[url \"{evil}\"]\n\tpushInsteadOf = {remote}\n"),
    (
        "remote.pushurl",
        "[remote \"origin\"]\n\turl = {remote}\n\tpushurl = {evil}\n[remote]\n\tpushDefault = origin\n",
    ),
    (
        "a remote that is named as the address",
        "[remote \"{remote}\"]\n\turl = {evil}\n\tpushurl = {evil}\n",
    ),
    (
        "an ext:: remote",
        "[protocol \"ext\"]\n\tallow = always\n[url \"ext::{run} \"]\n\tinsteadOf = {remote}\n",
    ),
    (
        "diff.external and a merge driver",
        "[diff]\n\texternal = {run}\n[merge \"x\"]\n\tdriver = {run}\n",
    ),
    ("credential.helper", "[credential]\n\thelper = {run}\n"),
    (
        "receivepack and uploadpack",
        "[remote \"origin\"]\n\turl = {remote}\n\treceivepack = {run}\n\tuploadpack = {run}\n[uploadpack]\n\tpackObjectsHook = {run}\n",
    ),
    (
        "a filter of core.attributesFile",
        "[core]\n\tattributesFile = {attributes}\n[filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n",
    ),
];

/// Changes a repository as an attacker would.
type Tamper = fn(&Ground) -> io::Result<()>;

/// Tries every way.
///
/// # Errors
/// When the repositories for it cannot be made.
pub fn attempts() -> io::Result<Vec<Attempt>> {
    let dir = tempfile::tempdir()?;
    let model = Ground::new(dir.path()).map_err(io::Error::other)?;
    let mut made = Vec::new();
    for hook in HOOKS {
        made.push(attempt(&model, &format!("the hook {hook}"), |ground| {
            ground.hook(hook)
        })?);
    }
    for (name, lines) in CONFIGS {
        made.push(attempt(&model, name, |ground| ground.configure(lines))?);
    }
    let others: [(&str, Tamper); 9] = [
        ("a filter of .gitattributes", |ground| {
            fs::write(ground.repository.join(".gitattributes"), "* filter=x diff=x merge=x\n")?;
            ground
                .configure("[filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n")
        }),
        ("a filter of info/attributes", |ground| {
            fs::create_dir_all(ground.git().join("info"))?;
            fs::write(ground.git().join("info/attributes"), "* filter=x\n")?;
            ground.configure("[filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n")
        }),
        ("a .git that leads elsewhere", |ground| {
            fs::rename(ground.git(), ground.dir.join("moved"))?;
            fs::write(ground.git(), format!("gitdir: {}\n", ground.evil.display()))
        }),
        ("another working tree", |ground| {
            fs::create_dir_all(ground.dir.join("victim"))?;
            ground.configure("[core]\n\tworktree = {victim}\n")
        }),
        ("a folder that is a link", |ground| {
            fs::create_dir_all(ground.dir.join("victim"))?;
            fs::remove_dir_all(ground.repository.join("agent"))?;
            symlink(ground.dir.join("victim"), ground.repository.join("agent"))
        }),
        ("replaced objects", Ground::replace),
        ("borrowed objects", |ground| {
            let objects = format!("{}\n", ground.evil.join("objects").display());
            fs::create_dir_all(ground.git().join("objects/info"))?;
            fs::write(ground.git().join("objects/info/alternates"), objects)
        }),
        ("a history that ends early", |ground| {
            fs::write(ground.git().join("shallow"), format!("{}\n", ground.head))
        }),
        ("grafted parents", |ground| {
            fs::create_dir_all(ground.git().join("info"))?;
            fs::write(ground.git().join("info/grafts"), format!("{}\n", ground.head))
        }),
    ];
    for (name, tamper) in others {
        made.push(attempt(&model, name, tamper)?);
    }
    Ok(made)
}

fn attempt(model: &Ground, name: &str, tamper: impl Fn(&Ground) -> io::Result<()>) -> io::Result<Attempt> {
    let dir = tempfile::tempdir()?;
    let mut outcome = Ok(());
    // Before sprag opens the repository, and after it.
    for (when, early) in [("before it was opened", true), ("after it was opened", false)] {
        let ground = model.again(&dir.path().join(when))?;
        let fell = ground
            .holds(&tamper, early)?
            .map_err(|instead| format!("{when}: {instead}"));
        outcome = outcome.and(fell);
    }
    Ok(Attempt::new(name, outcome))
}

/// A repository with two commits, the one that sprag pushes to, and the one of the attacker.
struct Ground {
    dir: PathBuf,
    repository: PathBuf,
    remote: PathBuf,
    evil: PathBuf,
    /// Made by the program that must not run.
    ran: PathBuf,
    head: String,
}

impl Ground {
    fn new(dir: &Path) -> Result<Self, WorkspaceError> {
        let at = |name: &str| dir.join(name);
        fs::create_dir_all(dir)?;
        let workspace = Workspace::create(&at("repository"), &project())?;
        workspace.land("main", "next", "a second commit", &[change("agent/a.md", "a, too\n")])?;
        workspace.fast_forward("next")?;
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false);
        Repository::init_opts(at("remote.git"), &options)?;
        Repository::init_opts(at("evil.git"), &options)?;
        let remote = Remote {
            url: at("remote.git").to_string_lossy().into_owned(),
            token: None,
        };
        workspace.push(&remote, "main", None)?;
        Ok(Self::at(dir, workspace.head_commit()?))
    }

    fn at(dir: &Path, head: String) -> Self {
        Self {
            dir: dir.to_owned(),
            repository: dir.join("repository"),
            remote: dir.join("remote.git"),
            evil: dir.join("evil.git"),
            ran: dir.join("ran"),
            head,
        }
    }

    /// The same in another folder, with a program of its own that must not run.
    fn again(&self, dir: &Path) -> io::Result<Self> {
        copy(&self.dir, dir)?;
        let ground = Self::at(dir, self.head.clone());
        let run = format!("#!/bin/sh\necho ran >> '{}'\ncat\n", ground.ran.display());
        program(&ground.run(), &run)?;
        Ok(ground)
    }

    fn git(&self) -> PathBuf {
        self.repository.join(".git")
    }

    fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    fn hook(&self, name: &str) -> io::Result<()> {
        fs::create_dir_all(self.git().join("hooks"))?;
        fs::copy(self.run(), self.git().join("hooks").join(name)).map(drop)
    }

    /// Adds lines to the configuration.
    fn configure(&self, lines: &str) -> io::Result<()> {
        let at = |name: &str| self.dir.join(name).to_string_lossy().into_owned();
        let fill = |lines: &str| {
            let lines = lines
                .replace(RUN, &at("run"))
                .replace(EVIL, &at("evil.git"))
                .replace(REMOTE, &at("remote.git"));
            let lines = lines
                .replace("{hooks}", &at("hooks"))
                .replace("{config}", &at("config"));
            lines
                .replace("{attributes}", &at("attributes"))
                .replace("{victim}", &at("victim"))
        };
        fs::create_dir_all(self.dir.join("hooks"))?;
        for hook in HOOKS {
            fs::copy(self.run(), self.dir.join("hooks").join(hook))?;
        }
        fs::write(self.dir.join("attributes"), "* filter=x\n")?;
        let all: Vec<&str> = CONFIGS
            .iter()
            .map(|(_, lines)| *lines)
            .filter(|lines| !lines.contains("{config}"))
            .collect();
        fs::write(self.dir.join("config"), fill(&all.concat()))?;
        let config = self.git().join("config");
        let before = fs::read_to_string(&config)?;
        fs::write(&config, before + &fill(lines))
    }

    /// Lets another tree stand for that of HEAD.
    fn replace(&self) -> io::Result<()> {
        let make = || -> Result<(), git2::Error> {
            let repository = Repository::open(&self.repository)?;
            let head = repository.find_commit(Oid::from_str(&self.head)?)?;
            let parent = head.parent(0)?;
            repository.reference(&format!("refs/replace/{}", head.id()), parent.id(), true, "")?;
            let blob = repository.blob(b"evil\n")?;
            let old = repository.revparse_single("HEAD:agent/a.md")?.id();
            repository
                .reference(&format!("refs/replace/{old}"), blob, true, "")
                .map(drop)
        };
        make().map_err(io::Error::other)
    }

    /// Sprag, doing all it does, must run nothing, write nowhere else, and bring exactly its own change to where it should be. It may refuse
    /// to work.
    fn holds(&self, tamper: impl Fn(&Self) -> io::Result<()>, early: bool) -> io::Result<Result<(), String>> {
        if early {
            tamper(self)?;
        }
        let worked = Workspace::open(&self.repository).and_then(|workspace| {
            if !early {
                tamper(self)?;
            }
            self.work(&workspace)
        });
        let arrived = self.arrived().map_err(io::Error::other)?;
        let as_it_should = match &worked {
            Ok(commit) => arrived.as_ref() == Some(commit),
            Err(_) => arrived.is_none(),
        };
        let redirected = Repository::open(&self.evil)
            .and_then(|evil| Ok(evil.references()?.count() > 0))
            .map_err(io::Error::other)?;
        let victim = fs::read_dir(self.dir.join("victim")).is_ok_and(|mut files| files.next().is_some());
        let fell = [
            (self.ran.exists(), "a program ran"),
            (redirected, "a push went to the attacker"),
            (victim, "files were written outside"),
            (!as_it_should, "not what was meant arrived"),
        ];
        let fell = fell.into_iter().find(|(fell, _)| *fell);
        Ok(fell.map_or(Ok(()), |(_, what)| Err(format!("{what} ({worked:?}, {arrived:?})"))))
    }

    /// All that sprag does with a repository and a server. The commit that was pushed.
    fn work(&self, workspace: &Workspace) -> Result<String, WorkspaceError> {
        let remote = Remote {
            url: self.remote.to_string_lossy().into_owned(),
            token: None,
        };
        workspace.files()?;
        workspace.head_branch()?;
        let head = workspace.remote_branch(&remote, "main")?.unwrap_or_default();
        workspace.fetch(&remote, &head)?;
        workspace.files_at(&self.head)?;
        let landed = workspace.land(&self.head, BRANCH, "a change", &[change("agent/a.md", "better\n")])?;
        workspace.push(&remote, BRANCH, None)?;
        workspace.fast_forward(BRANCH)?;
        Ok(landed.commit)
    }

    /// The commit that came to the server, if it is whole and what was meant: the old files with one changed, on top of HEAD.
    fn arrived(&self) -> Result<Option<String>, git2::Error> {
        let remote = Repository::open_bare(&self.remote)?;
        let Ok(reference) = remote.find_reference(&format!("refs/heads/{BRANCH}")) else {
            return Ok(None);
        };
        let commit = reference.peel_to_commit()?;
        let meant = [
            ("agent/a.md", "better\n"),
            ("agent/run.sh", "run\n"),
            ("README.md", "read\n"),
        ];
        let tree = commit.tree()?;
        let mut files = 0;
        tree.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
            files += usize::from(entry.kind() == Some(git2::ObjectType::Blob));
            git2::TreeWalkResult::Ok
        })?;
        let same = meant.iter().all(|(path, text)| {
            let blob = tree
                .get_path(Path::new(path))
                .and_then(|entry| remote.find_blob(entry.id()));
            blob.is_ok_and(|blob| blob.content() == text.as_bytes())
        });
        let on_head = commit.parent_id(0)?.to_string() == self.head;
        let whole = same && files == meant.len() && on_head;
        Ok(Some(if whole {
            commit.id().to_string()
        } else {
            "another commit".to_owned()
        }))
    }
}

fn project() -> Vec<ProjectFile> {
    let file = |path: &str, text: &str| ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable: false,
    };
    vec![
        file("agent/a.md", "a\n"),
        file("agent/run.sh", "run\n"),
        file("README.md", "read\n"),
    ]
}

fn change(path: &str, text: &str) -> FileChange {
    FileChange {
        path: path.to_owned(),
        text: Some(text.to_owned()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_runs_and_no_push_goes_elsewhere() {
        let attempts = attempts().unwrap();
        let fallen: Vec<_> = attempts.iter().filter(|attempt| !attempt.held()).collect();
        assert!(fallen.is_empty(), "{fallen:#?}");
        assert!(attempts.len() >= 30, "{}", attempts.len());
    }
}
