//! A coding agent that looks for what is held out, everywhere: in git, in folders, in `/proc`, in what it is told.

use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::project::{ProjectFile, ProjectFiles};
use crate::runner::{AgentConfig, CodingAgent, Hold};
use crate::workspace::Workspace;
use fs_err as fs;
use sprag_core::harness::{Harness, PathPolicy};
use sprag_sandbox::{Choice, Limits};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;

pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    promise: "P14",
    way: Way::Async(|ground| Box::pin(looks(ground))),
}];

/// What is held out says this, and nothing else does.
const CANARY: &str = "held-canary-7";
/// Where it notes how many lines with it each attempt gave. The word is put together, so that no attempt finds its own words.
const BEGIN: &str = r#"w=held; w="$w-canary"
t() { n="$1"; shift; hits=$(timeout 5 sh -c "$*" 2>&1 </dev/null | head -c 4000000 | grep -ac "$w"); echo "$n=${hits:-0}" >> agent/found.md; }
"#;
/// `$P` is the project, `$O` where the run keeps its state, `$W` the checkout of a worker, `$T` and `$M` files in folders that all share.
const READS: [(&str, &str); 34] = [
    ("history of git", "git log --all -p"),
    ("reflog", "git reflog -p"),
    ("all objects", "git cat-file --batch-all-objects --batch"),
    ("file .git", "cat .git .git/config"),
    ("alternates", "cat .git/objects/info/alternates"),
    ("history of the project", "git -C $P log --all -p"),
    (
        "its state branch",
        "git --git-dir=$P/.git show sprag/state:held-out.json",
    ),
    (
        "fetch of all refs",
        "git init -q f && cd f && git fetch -q $P '+refs/*:refs/x/*'; git log --all -p",
    ),
    ("clone", "git clone -q $P c && cat c/evals/*"),
    (
        "borrowed objects",
        "git init -q b && cd b && GIT_ALTERNATE_OBJECT_DIRECTORIES=$P/.git/objects git cat-file --batch-all-objects --batch",
    ),
    ("held-out file", "cat $P/evals/held-out.json"),
    ("its folder", "cd $P/evals && cat *"),
    ("around the corner", "cat $P/agent/../evals/held-out.json"),
    ("one folder up", "cat ../*/evals/*"),
    ("everything above", "grep -rahs canary ../.. | head -c 3000000"),
    (
        "symbolic link",
        "ln -s $P/evals/held-out.json agent/link && cat agent/link",
    ),
    ("hard link", "ln $P/evals/held-out.json agent/hard && cat agent/hard"),
    ("copy", "cp -r $P agent/copy && cat agent/copy/evals/*"),
    ("archive", "tar c $P"),
    ("ledger", "cat $O/.sprag/state/events.jsonl"),
    ("recorded runs", "find $O -type f -exec cat {} +"),
    ("verdict of each case", "cat $O/results.tsv"),
    ("checkout of a worker", "cat $W/evals/held-out.json"),
    ("temporary file", "cat $T"),
    ("shared memory", "cat $M"),
    ("temporary files", "cat ${TMPDIR:-/tmp}/* /tmp/* /var/tmp/* /dev/shm/*"),
    ("environments", "cat /proc/*/environ; env"),
    ("folders of processes", "cat /proc/*/cwd/evals/held-out.json"),
    (
        "roots of processes",
        "cat /proc/1/root$P/evals/held-out.json /proc/*/root$P/evals/held-out.json",
    ),
    ("open files", "ls -l /proc/*/fd /proc/self/fd"),
    (
        "search",
        "find ${P%/*} ~ -maxdepth 6 -name 'held-out*' -type f -exec cat {} +",
    ),
    (
        "new root",
        "unshare -rm sh -c 'mount --bind $P/evals agent && cat agent/*'",
    ),
    ("brief and answer", "cat SPRAG_BRIEF.md SPRAG_ANSWER.json"),
    (
        "words of errors",
        "cat $P/evals $P/evals/held-out.json/x; ls -la $P/evals",
    ),
];

/// Where things lie.
struct Planted {
    project: PathBuf,
    out: PathBuf,
    worker: PathBuf,
    temporary: NamedTempFile,
    shared: Option<NamedTempFile>,
}

async fn looks(ground: Arc<Ground>) -> Outcome {
    let planted = plant(&ground.scratch)?;
    let mut tally = Tally::default();
    let open = found(&ground, &planted, Hold::none()).await?;
    let through = open.iter().filter(|(_, hits)| *hits > 0).count();
    if through < READS.len() / 2 {
        return Err(format!("without a sandbox only {through} attempts find something, so they prove nothing").into());
    }
    for choice in [Choice::A, Choice::B] {
        let hold = match Hold::select(choice, &ground.program, Vec::new(), Limits::default()) {
            Ok(hold) => hold,
            Err(refused) => {
                tally.untried(&refused.to_string());
                continue;
            }
        };
        let tier = hold.tier();
        for (name, hits) in found(&ground, &planted, hold).await? {
            let outcome = if hits == 0 {
                Ok(())
            } else {
                Err(format!("{hits} lines"))
            };
            tally.case(format!("tier {tier}: {name}"), outcome);
        }
    }
    Ok(tally)
}

fn plant(scratch: &Path) -> Result<Planted, Box<dyn std::error::Error + Send + Sync>> {
    let scratch = fs::canonicalize(scratch)?;
    let held_out = format!("{{\"id\": \"{CANARY}\", \"input\": \"{CANARY}\", \"answer\": \"{CANARY}\"}}\n");
    let project = scratch.join("project");
    fs::create_dir_all(&project)?;
    let file = |path: &str, text: &str| ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable: false,
    };
    Workspace::create(
        &project,
        &[
            file("agent/prompt.md", "Be kind.\n"),
            file("evals/held-out.json", &held_out),
        ],
    )?;
    let (out, worker) = (scratch.join("out"), scratch.join("runs/worker-1"));
    for path in [
        out.join(".sprag/state/events.jsonl"),
        out.join("results.tsv"),
        worker.join("evals/held-out.json"),
    ] {
        fs::create_dir_all(path.parent().unwrap_or(&scratch))?;
        fs::write(path, &held_out)?;
    }
    let temporary = NamedTempFile::new()?;
    fs::write(temporary.path(), &held_out)?;
    let shared = NamedTempFile::new_in("/dev/shm").ok();
    if let Some(shared) = &shared {
        fs::write(shared.path(), &held_out)?;
    }
    Ok(Planted {
        project,
        out,
        worker,
        temporary,
        shared,
    })
}

/// What each attempt found, as the agent noted it.
async fn found(
    ground: &Ground,
    planted: &Planted,
    hold: Hold,
) -> Result<Vec<(&'static str, usize)>, Box<dyn std::error::Error + Send + Sync>> {
    let harness = Harness::new([("agent/prompt.md".to_owned(), "Be kind.\n".to_owned())]);
    let policy = PathPolicy::new(&["agent/**".to_owned()], &[], &[])?;
    let files = Workspace::open(&planted.project)?.files()?;
    let agent = CodingAgent::new(AgentConfig {
        command: ["sh", "-c", &script(planted)].map(str::to_owned).into(),
        files: ProjectFiles {
            files,
            harness: harness.clone(),
        }
        .of_harness(),
        timeout: Duration::from_secs(120),
        env_pass: Vec::new(),
        scratch: ground.scratch.join("desk"),
        hold,
        proxy: None,
    });
    let edited = agent.edit(&harness, &policy, "Make it better.\n").await?;
    if let Some(failure) = edited.failure {
        return Err(failure.into());
    }
    let told = edited.harness.get("agent/found.md").unwrap_or_default();
    let counts = READS.iter().map(|(name, _)| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let hits = line.and_then(|hits| hits.parse().ok());
        hits.map(|hits| (*name, hits))
            .ok_or_else(|| format!("`{name}` was not tried").into())
    });
    counts.collect()
}

fn script(planted: &Planted) -> String {
    let shared = planted
        .shared
        .as_ref()
        .map_or("/dev/shm/none".into(), |file| file.path().to_owned());
    let places = [
        ("P", planted.project.as_path()),
        ("O", &planted.out),
        ("W", &planted.worker),
        ("T", planted.temporary.path()),
        ("M", &shared),
    ];
    let places: String = places
        .iter()
        .map(|(name, path)| format!("export {name}='{}'\n", path.display()))
        .collect();
    let attempts = READS
        .iter()
        .map(|(name, command)| format!("t '{name}' '{}'\n", command.replace('\'', r"'\''")));
    format!("{BEGIN}{places}{}", attempts.collect::<String>())
}
