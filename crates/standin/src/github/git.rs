//! Bare repositories, and git's own HTTP backend before them.

use fs_err as fs;
use http::{HeaderMap, Method};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::io::AsyncWriteExt;

/// A bare repository.
#[derive(Debug, Clone)]
pub(super) struct Git {
    folder: PathBuf,
}

/// What the backend answers: status, headers and body.
pub(super) type Answer = (u16, Vec<(String, String)>, Vec<u8>);

impl Git {
    pub(super) fn init(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        let git = Self {
            folder: folder.to_owned(),
        };
        git.run(&["init", "--quiet", "--bare", "--initial-branch=main"], b"");
        for (key, value) in [
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
            ("gc.auto", "0"),
        ] {
            git.run(&["config", key, value], b"");
        }
        git
    }

    pub(super) fn clone_to(&self, path: &Path) {
        let (from, to) = (self.folder.to_string_lossy(), path.to_string_lossy());
        self.run(&["clone", "--quiet", "--no-hardlinks", &from, &to], b"");
    }

    pub(super) fn default_branch(&self) -> String {
        self.run(&["symbolic-ref", "--short", "HEAD"], b"")
    }

    /// Names and commits of all branches, by name.
    pub(super) fn branches(&self) -> Vec<(String, String)> {
        let text = self.run(
            &[
                "for-each-ref",
                "--format=%(refname:lstrip=2) %(objectname)",
                "refs/heads",
            ],
            b"",
        );
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(name, sha)| (name.to_owned(), sha.to_owned())).collect()
    }

    pub(super) fn branch(&self, name: &str) -> Option<String> {
        self.commit(&format!("refs/heads/{name}"))
    }

    /// The commit that a name or a prefix means.
    pub(super) fn commit(&self, name: &str) -> Option<String> {
        self.ask(&[
            "rev-parse",
            "--quiet",
            "--verify",
            "--end-of-options",
            &format!("{name}^{{commit}}"),
        ])
    }

    /// Whether `ancestor` is part of the history of `sha`.
    pub(super) fn contains(&self, sha: &str, ancestor: &str) -> bool {
        self.ask(&["merge-base", "--is-ancestor", ancestor, sha]).is_some()
    }

    pub(super) fn read(&self, branch: &str, path: &str) -> Option<String> {
        let spec = format!("refs/heads/{branch}:{path}");
        self.ask(&["cat-file", "-e", &spec])?;
        Some(String::from_utf8_lossy(&self.bytes(&["cat-file", "blob", &spec], b"")).into_owned())
    }

    pub(super) fn files(&self, branch: &str) -> Vec<String> {
        let text = self.run(&["ls-tree", "-r", "-z", "--name-only", branch], b"");
        text.split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Commits whole files on a branch, `None` deletes; a branch that is not there starts from the default branch. Time in seconds.
    pub(super) fn write(
        &self,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
        who: &str,
        at: i64,
    ) -> String {
        let mut stream = format!(
            "commit refs/heads/{branch}\ncommitter {who} <{who}@users.invalid> {at} +0000\ndata {}\n{message}\n",
            message.len()
        );
        let parent = self.branch(branch).or_else(|| self.branch(&self.default_branch()));
        if let Some(parent) = parent {
            stream += &format!("from {parent}\n");
        }
        for (path, content) in files {
            stream += &match content {
                Some(content) => format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len()),
                None => format!("D {path}\n"),
            };
        }
        self.run(&["fast-import", "--quiet", "--force"], stream.as_bytes());
        self.branch(branch).expect("it has just been written")
    }

    /// A merge commit of `head` on the branch `base`; panics on conflicts.
    pub(super) fn merge(&self, base: &str, head: &str, message: &str, who: &str, at: i64) -> String {
        let base_sha = self.branch(base).expect("the base branch is there");
        let tree = self.run(&["merge-tree", "--write-tree", &base_sha, head], b"");
        let tree = tree.lines().next().unwrap_or_default().to_owned();
        let arguments = ["commit-tree", &tree, "-p", &base_sha, "-p", head, "-m", message];
        let output = self.spawn(&arguments, b"", Some((who, at)));
        let sha = text(&output.stdout);
        self.run(&["update-ref", &format!("refs/heads/{base}"), &sha], b"");
        sha
    }

    pub(super) fn delete_branch(&self, branch: &str) {
        self.run(&["update-ref", "-d", &format!("refs/heads/{branch}")], b"");
    }

    /// Parents, tree and message of a commit.
    pub(super) fn describe(&self, sha: &str) -> (Vec<String>, String, String) {
        let text = self.run(&["show", "--no-patch", "--format=%P%n%T%n%B", sha], b"");
        let mut lines = text.splitn(3, '\n');
        let parents = lines
            .next()
            .unwrap_or_default()
            .split(' ')
            .filter(|sha| !sha.is_empty());
        let parents = parents.map(str::to_owned).collect();
        let tree = lines.next().unwrap_or_default().to_owned();
        (parents, tree, lines.next().unwrap_or_default().trim().to_owned())
    }

    /// The best common ancestor of two commits.
    pub(super) fn merge_base(&self, base: &str, head: &str) -> Option<String> {
        self.ask(&["merge-base", base, head])
    }

    /// How many commits are behind the first and before the second.
    pub(super) fn distance(&self, ancestor: &str, commit: &str) -> u64 {
        let count = self.run(&["rev-list", "--count", &format!("{ancestor}..{commit}")], b"");
        count.trim().parse().unwrap_or(0)
    }

    /// Status letter, name, and former name of every file that differs between the merge base and the head.
    pub(super) fn changed(&self, base: &str, head: &str) -> Vec<(char, String, Option<String>)> {
        let text = self.run(&["diff", "--name-status", "-z", "-M", &format!("{base}...{head}")], b"");
        let mut parts = text.split('\0').filter(|part| !part.is_empty());
        let mut files = Vec::new();
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            let letter = status.chars().next().unwrap_or('M');
            let renamed = (letter == 'R').then(|| parts.next()).flatten();
            files.push(match renamed {
                Some(to) => (letter, to.to_owned(), Some(path.to_owned())),
                None => (letter, path.to_owned(), None),
            });
        }
        files
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> String {
        text(&self.bytes(arguments, input))
    }

    fn bytes(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.spawn(arguments, input, None);
        let trouble = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?} failed: {trouble}");
        output.stdout
    }

    /// The output, or `None` if git says no.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = self.spawn(arguments, b"", None);
        output.status.success().then(|| text(&output.stdout))
    }

    fn spawn(&self, arguments: &[&str], input: &[u8], author: Option<(&str, i64)>) -> std::process::Output {
        let mut command = git();
        command.arg("--git-dir").arg(&self.folder).args(arguments);
        if let Some((who, at)) = author {
            for role in ["AUTHOR", "COMMITTER"] {
                command.env(format!("GIT_{role}_NAME"), who);
                command.env(format!("GIT_{role}_EMAIL"), format!("{who}@users.invalid"));
                command.env(format!("GIT_{role}_DATE"), format!("{at} +0000"));
            }
        }
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = child.spawn().expect("git is installed");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A git that reads no input may close it early.
        let _closed = stdin.write_all(input);
        drop(stdin);
        child.wait_with_output().expect("git ends")
    }
}

/// The git program, without the settings of whoever runs the test.
#[expect(clippy::disallowed_methods, reason = "a test's GitHub is made of the real git")]
fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    for inherited in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(inherited);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned()
}

/// Hands a request to `git http-backend`. `path` begins with `/owner/name.git`; all repositories lie below `root`.
pub(super) async fn backend(
    root: &Path,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut child = tokio::process::Command::from(git())
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "somebody")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("git is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    let body = body.to_vec();
    let feed = tokio::spawn(async move { stdin.write_all(&body).await });
    let output = child.wait_with_output().await.expect("git ends");
    feed.abort();
    answer(&output.stdout)
}

/// A CGI program's answer: header lines, an empty line, the body.
fn answer(output: &[u8]) -> Answer {
    let end = output
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap_or(output.len());
    let (mut status, mut headers) = (200, Vec::new());
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            status = value.get(..3).and_then(|code| code.parse().ok()).unwrap_or(500);
        } else {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    (status, headers, output.get(end + 4..).unwrap_or_default().to_vec())
}
