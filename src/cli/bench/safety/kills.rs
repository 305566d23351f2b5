//! Killed at every step, and at any moment: started again, it ends as if nobody had killed it.

use super::state::Dice;
use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::flow::{self, FlowError, Request, Summary};
use crate::helpdesk::{self, Inside};
use crate::progress::Progress;
use crate::project::{Project, ProjectFile};
use crate::runner::Ourselves;
use crate::store::{DirStore, Recorded, Store, StoreError};
use crate::workspace::Workspace;
use fs_err as fs;
use sprag_core::config;
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event, Known};
use sprag_core::trial::Trial;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        promise: "P4",
        // A repository is not to be sent from one thread to another.
        way: Way::Blocking(|ground| Handle::current().block_on(at_every_step(ground))),
    },
    Attempt {
        promise: "P4",
        way: Way::Async(|ground| Box::pin(at_any_moment(ground))),
    },
    Attempt {
        promise: "P4",
        way: Way::Async(|ground| Box::pin(cancelled(ground))),
    },
];

/// How a kill meets the writing of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    /// A part of the line is written.
    Within,
    After,
}

/// A store whose process dies at one entry.
struct Dying {
    inner: DirStore,
    events: PathBuf,
    at: usize,
    when: When,
    n: usize,
}

fn killed() -> StoreError {
    StoreError::Io(std::io::Error::other("killed"))
}

impl Store for Dying {
    fn entries(&self) -> &[Entry] {
        self.inner.entries()
    }

    fn append(&mut self, at: String, event: Event) -> Result<(), StoreError> {
        self.n += 1;
        if self.n != self.at {
            return self.inner.append(at, event);
        }
        match self.when {
            When::Before => {}
            When::Within => {
                let entry = Entry::after(self.inner.entries().last(), at, event);
                let line = serde_json::to_vec(&entry).map_err(std::io::Error::from)?;
                let mut events = fs::OpenOptions::new().append(true).open(&self.events)?;
                events.write_all(&line[..line.len() * 2 / 3])?;
            }
            When::After => self.inner.append(at, event)?,
        }
        Err(killed())
    }

    fn recorded(&self, key: &RunKey) -> Result<Option<Recorded>, StoreError> {
        self.inner.recorded(key)
    }

    fn record(&mut self, key: &RunKey, trial: &Trial) -> Result<(), StoreError> {
        self.inner.record(key, trial)
    }

    fn salt(&self) -> &str {
        self.inner.salt()
    }
}

/// What a run leaves that does not depend on when it ran: its ledger, and the pull requests, check runs and answers it wrote.
type Remains = Vec<(String, String)>;

async fn at_every_step(ground: &Ground) -> Outcome {
    let whole = ground.scratch.join("whole");
    let entries = play(&whole, None).await?.ok_or("nobody killed it")?;
    let undisturbed = remains(&whole)?;
    let mut tally = Tally::default();
    let step = if ground.quick { 9 } else { 1 };
    for at in (1..=entries).step_by(step) {
        for when in [When::Before, When::Within, When::After] {
            let folder = ground.scratch.join("killed");
            let outcome = match play(&folder, Some((at, when))).await? {
                Some(_) => Err("the kill did not come".to_owned()),
                None => {
                    play(&folder, None).await?;
                    same(&remains(&folder)?, &undisturbed)
                }
            };
            tally.case(format!("{when:?} entry {at}"), outcome);
            fs::remove_dir_all(&folder)?;
        }
    }
    Ok(tally)
}

fn same(left: &Remains, undisturbed: &Remains) -> Result<(), String> {
    let differs = left.iter().zip(undisturbed).find(|(is, should)| is != should);
    match differs {
        Some((is, should)) => Err(format!("{} is not as in {}", is.0, should.0)),
        None if left.len() != undisturbed.len() => Err(format!("{} things and not {}", left.len(), undisturbed.len())),
        None => Ok(()),
    }
}

fn remains(folder: &Path) -> Result<Remains, Box<dyn std::error::Error + Send + Sync>> {
    let ledger = DirStore::ledger(&folder.join(".sprag/state"))?;
    let mut left: Remains = ledger
        .iter()
        .map(|entry| (format!("entry {}", entry.seq), entry.id.clone()))
        .collect();
    for part in ["comments", "pulls"] {
        collect(&folder.join(part), &mut left)?;
    }
    Ok(left)
}

fn collect(folder: &Path, left: &mut Remains) -> std::io::Result<()> {
    let Ok(read) = fs::read_dir(folder) else { return Ok(()) };
    let mut paths: Vec<PathBuf> = read.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() {
            collect(&path, left)?;
        } else {
            left.push((name, without_commits(&fs::read_to_string(&path)?)));
        }
    }
    Ok(())
}

/// Commits hold the time of their making.
fn without_commits(text: &str) -> String {
    let word = |word: &str| word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !word(part));
    words.collect::<Vec<_>>().join(" ")
}

/// Plays the demo's first batch in this process; how many entries there are at its end, or none when it was killed.
async fn play(
    folder: &Path,
    kill: Option<(usize, When)>,
) -> Result<Option<usize>, Box<dyn std::error::Error + Send + Sync>> {
    let text = |(path, text): (&str, &str)| ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable: false,
    };
    let files: Vec<ProjectFile> = helpdesk::project_files().into_iter().map(text).collect();
    let toml = files.iter().find(|file| file.path == "sprag.toml");
    let toml = toml
        .map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
        .unwrap_or_default();
    let config = config::parse(&toml).map_err(|problems| format!("{problems:?}"))?;
    fs::create_dir_all(folder.join("repo"))?;
    let workspace = Workspace::create(&folder.join("repo"), &files)?;
    let project = Project::new(workspace.files()?, &config.harness, &config.runner.command)?;
    let runner = Inside::new(folder.join("desk"))?;
    let request = Request {
        config: &config,
        workspace: &workspace,
        harness: project.files.harness,
        policy: project.policy,
        runner: &runner,
        advisor: None,
        agent: None,
        runner_identity: "helpdesk".to_owned(),
        project: "helpdesk".to_owned(),
        out: folder.to_owned(),
        seed: 1,
        batches: 1,
        experiments: config.budget.experiments,
        merge: true,
        issues: helpdesk::issues(),
        known: Known::default(),
        // Its agent is a part of this program.
        sandbox: "none",
        clock: Arc::new(|| "2026-11-01T12:00:00.000000Z".to_owned()),
        wall: Duration::from_hours(1),
        interrupted: Arc::default(),
    };
    let progress = Progress::new(true, false);
    let state = folder.join(".sprag/state");
    let (inner, damage) = DirStore::open(&state)?;
    let torn = damage.iter().all(|damage| damage.problem.contains("was cut off"));
    if !torn {
        return Err(format!("{damage:?}").into());
    }
    let (at, when) = kill.unwrap_or((0, When::After));
    let mut store = Dying {
        inner,
        events: state.join("events.jsonl"),
        at,
        when,
        n: 0,
    };
    match flow::improve(&request, &mut store, &progress).await {
        Ok(state) => {
            Summary::write(&request, &state, store.entries())?;
            Ok(Some(store.entries().len()))
        }
        Err(FlowError::Store(error)) if error.to_string() == "killed" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

const DEMO: [&str; 6] = ["demo", "--json", "--batches", "1", "--out", "out"];

/// The head of the ledger at the end, and how long that took.
async fn demo(ground: &Ground, dir: &Path) -> Result<(String, Duration), Box<dyn std::error::Error + Send + Sync>> {
    let began = Instant::now();
    let output = Ourselves::start(&ground.program, &DEMO, dir, true)?.output().await?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let head = told["ledger_head"].as_str().unwrap_or_default().to_owned();
    Ok((head, began.elapsed()))
}

/// The real program, killed by the real signal, at moments that nobody chose.
async fn at_any_moment(ground: Arc<Ground>) -> Outcome {
    let wanted = if ground.quick { 2 } else { 200 };
    let (whole, took) = demo(&ground, &folder(&ground, "whole")?).await?;
    let most = usize::try_from(took.as_millis())?;
    let mut dice = Dice(5);
    let mut tally = Tally::default();
    let mut round = 0;
    while tally.tried < wanted {
        round += 1;
        let dir = folder(&ground, &format!("round-{round}"))?;
        let mut kills = 0;
        while kills < 10.min(wanted - tally.tried) {
            let time = Duration::from_millis(u64::try_from(dice.below(most * 3 / 4))?);
            let running = Ourselves::start(&ground.program, &DEMO, &dir, false)?;
            if running.killed_after(time).await?.is_some() {
                break;
            }
            kills += 1;
        }
        let (head, _) = demo(&ground, &dir).await?;
        for kill in 0..kills {
            let outcome = if head == whole {
                Ok(())
            } else {
                Err(format!("it ended in {head}, not {whole}"))
            };
            tally.case(format!("round {round}, kill {kill}"), outcome);
        }
        fs::remove_dir_all(&dir)?;
    }
    Ok(tally)
}

/// A job that is cancelled gets SIGTERM and a few seconds: it ends by then, and the next one goes on.
async fn cancelled(ground: Arc<Ground>) -> Outcome {
    let (whole, took) = demo(&ground, &folder(&ground, "whole")?).await?;
    let mut tally = Tally::default();
    for part in 1..=if ground.quick { 1 } else { 5 } {
        let dir = folder(&ground, &format!("part-{part}"))?;
        let running = Ourselves::start(&ground.program, &DEMO, &dir, true)?;
        tokio::time::sleep(took * part / 8).await;
        running.terminate();
        let began = Instant::now();
        let output = running.output().await?;
        let lasted = began.elapsed();
        let (head, _) = demo(&ground, &dir).await?;
        let outcome = if lasted > Duration::from_secs(5) {
            Err(format!("it took {} ms to end", lasted.as_millis()))
        } else if head != whole {
            Err(format!("it ended in {head}, not {whole}, after {}", output.status))
        } else {
            Ok(())
        };
        tally.case(format!("cancelled after {part} eighths"), outcome);
    }
    Ok(tally)
}

fn folder(ground: &Ground, name: &str) -> std::io::Result<PathBuf> {
    let dir = ground.scratch.join(name);
    fs::create_dir_all(&dir)?;
    Ok(dir)
}
