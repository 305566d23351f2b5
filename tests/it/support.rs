//! What the tests of the whole loop share: a small agent that plays in process, a project around it, and ways to look at what a
//! run left behind.

pub(crate) mod kiosk;
pub(crate) mod program;
pub(crate) mod scene;
pub(crate) mod story;

use git2::Repository;
use kiosk::Kiosk;
use serde_json::Value;
use sprag::flow::{self, FlowError, Request, Summary};
use sprag::progress::Progress;
use sprag::project::{Project, ProjectFile};
use sprag::store::{DirStore, Store};
use sprag::workspace::Workspace;
use sprag_core::config::{self, Config};
use sprag_core::ledger::Known;
use sprag_core::signal::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How a run of the kiosk's project is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The seed.
    pub(crate) seed: u64,
    /// Batches of traffic.
    pub(crate) batches: u32,
    /// Whether accepted changes are merged at once.
    pub(crate) merge: bool,
    /// What is known before it begins.
    pub(crate) known: Known,
    /// Labelled issues.
    pub(crate) issues: Vec<Report>,
}

/// A short run with everything in it: issues, two accepted and two rejected changes, and a cluster that nothing is proposed for.
impl Default for Order {
    fn default() -> Self {
        Self {
            seed: 56,
            batches: 2,
            merge: true,
            known: Known::default(),
            issues: issues(),
        }
    }
}

/// A folder for tests that sync many small files: in memory where there is such a place.
pub(crate) fn quick_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// A file of a project.
pub(crate) fn file(path: &str, text: &str) -> ProjectFile {
    ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable: false,
    }
}

/// The kiosk's configuration.
pub(crate) fn config() -> Config {
    config::parse(kiosk::CONFIG).unwrap()
}

/// Where the state of a run in `out` is.
pub(crate) fn state_dir(out: &Path) -> PathBuf {
    out.join(".sprag/state")
}

/// Opens the state of a run in `out`; nothing in it may be damaged.
pub(crate) fn open_store(out: &Path) -> DirStore {
    let (store, damage) = DirStore::open(&state_dir(out)).unwrap();
    assert_eq!(damage, []);
    store
}

/// Plays the loop on the kiosk's project in `out/repo`, from wherever `store` stands to the end, or to the first error.
pub(crate) async fn play(
    out: &Path,
    kiosk: &Kiosk,
    store: &mut dyn Store,
    order: &Order,
) -> Result<Summary, FlowError> {
    fs_err::create_dir_all(out.join("repo")).unwrap();
    let files = [
        file("agent/steps.toml", kiosk::STEPS),
        file("sprag.toml", kiosk::CONFIG),
    ];
    let workspace = Workspace::create(&out.join("repo"), &files).unwrap();
    let config = config();
    let project =
        Project::new(workspace.files()?, &config.harness, &config.runner.command).expect("globs that can be read");
    let request = Request {
        config: &config,
        workspace: &workspace,
        harness: project.files.harness,
        policy: project.policy,
        runner: kiosk,
        advisor: None,
        agent: None,
        runner_identity: "kiosk".to_owned(),
        project: "kiosk".to_owned(),
        out: out.to_owned(),
        seed: order.seed,
        batches: order.batches,
        experiments: 40,
        merge: order.merge,
        issues: order.issues.clone(),
        known: order.known.clone(),
        sandbox: "A (namespaces)",
        clock: Arc::new(|| "2026-11-01T12:00:00Z".to_owned()),
        wall: Duration::from_secs(3600),
        interrupted: Arc::default(),
    };
    let state = flow::improve(&request, store, &Progress::new(true, false)).await?;
    Summary::write(&request, &state, store.entries())
}

/// One issue that names a task, and one that helps nobody.
fn issues() -> Vec<Report> {
    let issue = |number, body: &str| Report {
        number,
        title: "The kiosk does nothing".to_owned(),
        body: body.to_owned(),
        comments: Vec::new(),
    };
    vec![issue(7, "Seen in k03 again."), issue(8, "It does not work.")]
}

/// What a run left behind, without what may differ between two equal runs: the times, and the ids of the commits that hold them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remains {
    /// The id of the last entry of the ledger.
    pub(crate) head: String,
    /// The ids of all entries.
    pub(crate) entries: Vec<String>,
    /// Per branch, the trees and messages of its commits, the newest first.
    pub(crate) branches: BTreeMap<String, Vec<(String, String)>>,
    /// Every other file under the folder, commit ids replaced by the ids of their trees.
    pub(crate) files: BTreeMap<String, String>,
}

impl Remains {
    /// Compares with what an undisturbed run left, smallest first, so that a difference can be read.
    pub(crate) fn assert_same(&self, undisturbed: &Self, what: &str) {
        let unique: BTreeSet<&String> = self.entries.iter().collect();
        assert_eq!(unique.len(), self.entries.len(), "{what}: an entry is there twice");
        assert_eq!(self.entries, undisturbed.entries, "{what}: the ledger");
        assert_eq!(self.branches, undisturbed.branches, "{what}: the branches");
        assert!(
            self.files.keys().eq(undisturbed.files.keys()),
            "{what}: the names of the files"
        );
        for (path, text) in &self.files {
            assert_eq!(text, &undisturbed.files[path], "{what}: {path}");
        }
    }
}

/// Looks at what a run in `out` left behind.
pub(crate) fn remains(out: &Path) -> Remains {
    let store = open_store(out);
    let entries: Vec<String> = store.entries().iter().map(|entry| entry.id.clone()).collect();
    let repository = Repository::open(out.join("repo")).unwrap();
    let mut branches = BTreeMap::new();
    let mut commits = BTreeMap::new();
    for branch in repository.branches(None).unwrap() {
        let (branch, _) = branch.unwrap();
        let name = branch.name().unwrap().unwrap().to_owned();
        let mut walk = repository.revwalk().unwrap();
        walk.push(branch.get().target().unwrap()).unwrap();
        let history = walk.map(|id| {
            let commit = repository.find_commit(id.unwrap()).unwrap();
            let tree = commit.tree_id().to_string();
            commits.insert(commit.id().to_string(), tree.clone());
            (tree, commit.message().unwrap().to_owned())
        });
        branches.insert(name, history.collect());
    }
    let mut files = BTreeMap::new();
    for (path, bytes) in files_under(out) {
        let of_git_or_state = path.starts_with("repo/.git/") || path.starts_with(".sprag/state/");
        if !of_git_or_state {
            let mut text = String::from_utf8(bytes).unwrap();
            for (commit, tree) in &commits {
                text = text.replace(commit, tree);
            }
            files.insert(path, text);
        }
    }
    Remains {
        head: entries.last().cloned().unwrap_or_default(),
        entries,
        branches,
        files,
    }
}

/// Every file under a folder with its bytes, by path from there.
pub(crate) fn files_under(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.insert(name, fs_err::read(path).unwrap());
            }
        }
    }
    found
}

/// The JSON body of the request that a stream brings.
pub(crate) fn json_body(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}
