//! Changes that reach too far, and honest ones: each is held against the rules, committed to a real repository where they let it, and
//! the tree that comes of it looked at.

use super::{EXECUTABLE, REGULAR, Workspace, WorkspaceError, entry};
use crate::attempt::Attempt;
use crate::project::{Project, ProjectFile};
use git2::{IndexEntry, Oid, Repository};
use sprag_core::candidate::check::{Guarded, objection, tree_objection};
use sprag_core::config::HarnessConfig;
use sprag_core::harness::{FileChange, Harness, PathPolicy};
use std::io;

/// The mode of a link, and of a submodule.
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// Paths that no candidate may write, though the globs of the project reach everything.
const PATHS: [&str; 66] = [
    // What judges a candidate, or runs beside it.
    "sprag.toml",
    "sub/sprag.toml",
    "SPRAG.TOML",
    ".sprag/suite/case-1.json",
    "agent/.sprag/x",
    "agent/judge.py",
    "AGENT/Judge.py",
    "agent/judge.py/x",
    "evals/worker.py",
    "agent/secrets/key.md",
    // What GitHub acts on.
    ".github/workflows/ci.yml",
    ".github/actions/x/action.yml",
    ".GitHub/workflows/ci.yml",
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/codeowners",
    ".github",
    // What git acts on, in every spelling that some file system takes for it.
    ".git",
    ".git/config",
    ".git/hooks/pre-push",
    ".GIT/config",
    ".Git/HEAD",
    "agent/.git/config",
    "agent/.gIt",
    ".git./config",
    ".git /config",
    ".git../config",
    "git~1/config",
    "GIT~1/config",
    "gi7eba~1/x",
    ".git\\config",
    "agent\\..\\.git\\config",
    ".git::$INDEX_ALLOCATION/config",
    ".git:x/config",
    ".g\u{200c}it/config",
    ".gi\u{200d}t/config",
    "\u{feff}.git/config",
    ".git\u{2060}/config",
    ".gitattributes",
    "agent/.gitattributes",
    ".GITATTRIBUTES",
    ".gitmodules",
    "agent/.GitModules",
    ".gitmodules.",
    "gitmod~1",
    ".lfsconfig",
    // What steers the tools of whoever works there.
    "AGENTS.md",
    "claude.md",
    ".claude/settings.json",
    ".cursor/rules/x.mdc",
    ".mcp.json",
    ".vscode/tasks.json",
    ".husky/pre-commit",
    ".devcontainer/devcontainer.json",
    "package-lock.json",
    "agent/uv.lock",
    // Paths that are none.
    "",
    "/etc/passwd",
    "../outside.md",
    "agent/../../outside.md",
    "agent/./a.md",
    "agent//a.md",
    "agent/",
    "agent/line\nbreak.md",
    "agent/\"quoted\".md",
    "agent/\u{202e}dm.a",
];

/// Paths that an honest candidate may write.
const HONEST: [&str; 34] = [
    "agent/a.md",
    "agent/run.sh",
    "agent/new.md",
    "agent/deep/er/still/new.md",
    "agent/system prompt.md",
    "agent/prompt-v2.1.txt",
    "agent/prompt_(draft).md",
    "agent/übersicht.md",
    "agent/提示.md",
    "agent/émoji-🙂.md",
    "agent/.hidden",
    "agent/.env.example",
    "agent/git.md",
    "agent/gitattributes.md",
    "agent/github/notes.md",
    "agent/agents.py",
    "agent/claude.py",
    "agent/tools/__init__.py",
    "agent/tools/search.py",
    "agent/judge.md",
    "agent/judge.pyi",
    "agent/secrets.md",
    "agent/workflow.toml",
    "agent/config.yaml",
    "agent/few-shot.jsonl",
    "agent/package.json",
    "agent/requirements.txt",
    "agent/README",
    "agent/a.md.bak",
    "agent/~draft.md",
    "agent/a+b=c,d.md",
    "agent/100%.md",
    "agent/[id].tsx",
    "prompts/system.md",
];

/// What is told to everybody: the harness, the policy, and the repository with both.
struct Ground {
    workspace: Workspace,
    before: Harness,
    policy: PathPolicy,
    _dir: tempfile::TempDir,
}

/// Tries every change.
///
/// # Errors
/// When the repository for it cannot be made.
pub fn attempts() -> io::Result<Vec<Attempt>> {
    let ground = Ground::new().map_err(io::Error::other)?;
    let mut made = Vec::new();
    for path in PATHS {
        made.push(ground.refuses(format!("writing {path:?}"), &[write(path)]));
    }
    for (name, changes) in sets() {
        made.push(ground.refuses(name.to_owned(), &changes));
    }
    for (name, change) in TREES {
        made.push(ground.refuses_tree(name, change).map_err(io::Error::other)?);
    }
    for path in HONEST {
        made.push(ground.lets(format!("honest: writing {path:?}"), &[write(path)]));
    }
    for (name, changes) in honest_sets() {
        made.push(ground.lets(name.to_owned(), &changes));
    }
    Ok(made)
}

fn write(path: &str) -> FileChange {
    FileChange {
        path: path.to_owned(),
        text: Some("Be kind.\n".to_owned()),
    }
}

fn remove(path: &str) -> FileChange {
    FileChange {
        path: path.to_owned(),
        text: None,
    }
}

/// Hostile changes of more than one path, or more than a path.
fn sets() -> Vec<(&'static str, Vec<FileChange>)> {
    let large = |path: &str, bytes: usize| FileChange {
        path: path.to_owned(),
        text: Some("x".repeat(bytes)),
    };
    let many = (0..60).map(|n| write(&format!("agent/{n}.md"))).collect();
    let heavy = (0..10).map(|n| large(&format!("agent/{n}.md"), 200 * 1024)).collect();
    vec![
        ("deleting a workflow", vec![remove(".github/workflows/ci.yml")]),
        ("deleting the judge", vec![remove("agent/judge.py")]),
        (
            "moving a workflow away",
            vec![remove(".github/workflows/ci.yml"), write("agent/ci.yml")],
        ),
        (
            "an honest file beside a workflow",
            vec![write("agent/a.md"), write(".github/workflows/x.yml")],
        ),
        ("60 files", many),
        ("a file of 300 KB", vec![large("agent/a.md", 300 * 1024)]),
        ("2 MB in ten files", heavy),
        ("a file in the place of a folder", vec![write("agent/deep")]),
        ("a folder in the place of a file", vec![write("agent/a.md/x.md")]),
        ("a file that differs in its case alone", vec![write("agent/A.md")]),
        (
            "a path of 2,000 bytes",
            vec![write(&format!("agent/{}.md", "x/".repeat(1_000)))],
        ),
        (
            "a name of 300 bytes",
            vec![write(&format!("agent/{}.md", "x".repeat(300)))],
        ),
    ]
}

fn honest_sets() -> Vec<(&'static str, Vec<FileChange>)> {
    vec![
        ("honest: deleting a file", vec![remove("agent/a.md")]),
        ("honest: moving a file", vec![remove("agent/a.md"), write("agent/b.md")]),
        (
            "honest: a folder in the place of a file that goes",
            vec![remove("agent/a.md"), write("agent/a.md/x.md")],
        ),
        (
            "honest: 20 files",
            (0..20).map(|n| write(&format!("agent/{n}.md"))).collect(),
        ),
        ("honest: the last file of a folder", vec![remove("agent/deep/c.md")]),
        (
            "honest: a program that is edited",
            vec![write("agent/run.sh"), write("agent/a.md")],
        ),
    ]
}

/// A path, a mode, and whether it is added to the tree or taken away.
type TreeEdit = (&'static str, u32, bool);

/// Trees that are not what a change of files makes.
const TREES: [(&str, TreeEdit); 8] = [
    ("a link out of the repository", ("agent/link.md", LINK, true)),
    ("a link in the place of a file", ("agent/a.md", LINK, true)),
    ("a submodule", ("agent/module", SUBMODULE, true)),
    ("a submodule in the place of a file", ("agent/a.md", SUBMODULE, true)),
    ("a new program", ("agent/tool.sh", EXECUTABLE, true)),
    ("a file that becomes a program", ("agent/a.md", EXECUTABLE, true)),
    ("a link that is taken away", ("agent/old-link", LINK, false)),
    ("a file that nobody meant to touch", ("evals/worker.py", REGULAR, true)),
];

impl Ground {
    fn new() -> Result<Self, WorkspaceError> {
        let dir = tempfile::tempdir()?;
        let file = |path: &str| ProjectFile {
            path: path.to_owned(),
            bytes: format!("{path}\n").into(),
            executable: path.ends_with(".sh"),
        };
        let files: Vec<ProjectFile> = [
            "agent/a.md",
            "agent/run.sh",
            "agent/deep/c.md",
            "agent/judge.py",
            "evals/worker.py",
            ".github/workflows/ci.yml",
            "README.md",
        ]
        .map(file)
        .into();
        let workspace = Workspace::create(dir.path(), &files)?;
        let config = HarnessConfig {
            paths: vec!["**".to_owned()],
            protect: vec!["agent/judge.py".to_owned(), "agent/secrets/**".to_owned()],
        };
        let command = ["python3".to_owned(), "evals/worker.py".to_owned()];
        let Project { files, policy } = Project::new(files, &config, &command).map_err(io::Error::other)?;
        let ground = Self {
            workspace,
            before: files.harness,
            policy,
            _dir: dir,
        };
        // The harness has none of it, but the repository has.
        ground.commit("main", ("agent/old-link", LINK, true))?;
        Ok(ground)
    }

    /// What is said of a change, by the rules or of the tree that it makes.
    fn said(&self, changes: &[FileChange]) -> Option<String> {
        let guarded = Guarded::of(&[], [], []);
        if let Some(objection) = objection(&self.before, changes, &self.policy, &guarded) {
            return Some(objection);
        }
        match self.workspace.land("main", "sprag/c-1", "a change", changes) {
            Ok(landed) => self.said_of_tree(&landed.commit),
            Err(error) => Some(error.to_string()),
        }
    }

    fn said_of_tree(&self, commit: &str) -> Option<String> {
        match self.workspace.changed("main", commit) {
            Ok(changed) => tree_objection(&changed, "", |path| self.policy.allows(path)),
            Err(error) => Some(error.to_string()),
        }
    }

    fn refuses(&self, name: String, changes: &[FileChange]) -> Attempt {
        let refused = self.said(changes).map(drop);
        Attempt::new(name, refused.ok_or_else(|| "it was let through".to_owned()))
    }

    fn lets(&self, name: String, changes: &[FileChange]) -> Attempt {
        Attempt::new(name, self.said(changes).map_or(Ok(()), Err))
    }

    fn refuses_tree(&self, name: &str, edit: TreeEdit) -> Result<Attempt, WorkspaceError> {
        let commit = self.commit("sprag/tree", edit)?;
        let refused = self.said_of_tree(&commit).map(drop);
        Ok(Attempt::new(
            name,
            refused.ok_or_else(|| "it was let through".to_owned()),
        ))
    }

    /// Puts a commit with one entry of any mode on top of `main`, and a branch on it.
    fn commit(&self, branch: &str, (path, mode, added): TreeEdit) -> Result<String, WorkspaceError> {
        let repository: &Repository = &self.workspace.repository;
        let parent = repository.revparse_single("main")?.peel_to_commit()?;
        let mut index = git2::Index::new()?;
        index.read_tree(&parent.tree()?)?;
        let id = if mode == SUBMODULE {
            parent.id()
        } else {
            repository.blob(b"/etc/passwd")?
        };
        if added {
            index.add(&of_mode(path, id, mode))?;
        } else {
            index.remove_path(path.as_ref())?;
        }
        let tree = repository.find_tree(index.write_tree_to(repository)?)?;
        let who = super::signature(repository)?;
        let commit = repository.commit(None, &who, &who, "a tree", &tree, &[&parent])?;
        repository.reference(&format!("refs/heads/{branch}"), commit, true, "")?;
        Ok(commit.to_string())
    }
}

fn of_mode(path: &str, id: Oid, mode: u32) -> IndexEntry {
    IndexEntry {
        mode,
        ..entry(path, id, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_changes_are_refused_and_honest_ones_pass() {
        let attempts = attempts().unwrap();
        let fallen: Vec<_> = attempts.iter().filter(|attempt| !attempt.held()).collect();
        assert!(fallen.is_empty(), "{fallen:#?}");
        let honest = attempts
            .iter()
            .filter(|attempt| attempt.name.starts_with("honest"))
            .count();
        assert_eq!((attempts.len() - honest, honest), (86, 40));
    }
}
