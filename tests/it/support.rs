//! What the tests of the whole loop share: a small agent that plays in process, a project around it, and ways to look at what a
//! run left behind.

pub(crate) mod kiosk;
pub(crate) mod program;
pub(crate) mod scene;
pub(crate) mod story;

use git2::Repository;
use kiosk::Kiosk;
use serde_json::{Value, json};
use sprag::flow::advise::Advisor;
use sprag::flow::{self, FlowError, Request, Summary};
use sprag::model::Tape;
use sprag::progress::Progress;
use sprag::project::{Project, ProjectFile};
use sprag::store::{DirStore, Store};
use sprag::workspace::Workspace;
use sprag_core::config::{self, Config};
use sprag_core::ledger::Known;
use sprag_core::redact::Redactor;
use sprag_core::signal::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// What is configured besides.
    pub(crate) config: String,
}

/// A short run: issues, changes that are kept, and a cluster that nothing is proposed for.
impl Default for Order {
    fn default() -> Self {
        Self {
            seed: 56,
            batches: 2,
            merge: true,
            known: Known::default(),
            issues: issues(),
            config: String::new(),
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
    let config = config::parse(&format!("{}\n{}", kiosk::CONFIG, order.config)).unwrap();
    let asked = |config: &Config| {
        let model = config.model.as_ref()?;
        Some(Advisor::new(model, &Tape::Off, Redactor::default(), config.budget.usd, |_| None).unwrap())
    };
    let advisor = asked(&config);
    let project =
        Project::new(workspace.files()?, &config.harness, &config.runner.command).expect("globs that can be read");
    let request = Request {
        config: &config,
        workspace: &workspace,
        harness: project.files.harness,
        policy: project.policy,
        runner: kiosk,
        advisor: advisor.as_ref(),
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
        impact: None,
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

/// What a configuration says of a model at an address.
pub(crate) fn model_table(address: &str) -> String {
    format!(
        "[model]\nprovider = \"openai-compatible\"\nname = \"m\"\nbase_url = \"{address}\"\nprices = {{ input = 1, output = 10 }}\n"
    )
}

/// A server with the interface of `OpenAI` that answers in events: its address, and how often it was asked. `answer` gets what was asked, and
/// whether that was to mend an answer.
pub(crate) fn model_server(answer: impl Fn(&str, bool) -> Value + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, answer) = (asked.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            std::thread::spawn(move || serve(stream.unwrap(), &*answer));
        }
    });
    (address, asked)
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&str, bool) -> Value) {
    let body = json_body(&stream);
    let messages = body["messages"].as_array().unwrap();
    let said = answer(messages[1]["content"].as_str().unwrap(), messages.len() > 2).to_string();
    let (start, end) = said.split_at(said.len() / 2);
    let delta = |text: &str| {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": 0, "delta": {"content": text}}]})
        )
    };
    let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
    let events = format!("{}{}data: {stop}\n\ndata: [DONE]\n\n", delta(start), delta(end));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{events}", events.len()).unwrap();
}
