//! A killed run, started again, ends as if nobody had killed it: nothing lost, nothing doubled, nothing paid twice.
//!
//! In process, a store dies at every append of a run, in each of the three ways in which a kill can meet it, and at records of runs.
//! Then the real program gets a real SIGKILL.

use crate::support::kiosk::{BROKEN, Kiosk, Paid};
use crate::support::program::{Place, Ran};
use crate::support::{Order, Remains, open_store, play, quick_dir, remains, state_dir};
use sprag::flow::FlowError;
use sprag::store::{DirStore, Recorded, Store, StoreError};
use sprag_core::id::RunKey;
use sprag_core::ledger::{Entry, Event};
use sprag_core::trial::Trial;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

/// How a kill meets an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Before anything is written.
    Before,
    /// After a part of the line is written.
    Torn,
    /// After the whole line is written, before `append` returns.
    After,
}

/// When the process dies; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    Append(usize, Way),
    /// The run was made, its record was not written.
    Record(usize),
}

/// A store whose process dies once.
struct CrashingStore {
    inner: DirStore,
    events: PathBuf,
    kill: Kill,
    n_appends: usize,
    n_records: usize,
}

impl CrashingStore {
    fn open(out: &Path, kill: Kill) -> Self {
        Self {
            inner: open_store(out),
            events: state_dir(out).join("events.jsonl"),
            kill,
            n_appends: 0,
            n_records: 0,
        }
    }
}

fn killed() -> StoreError {
    StoreError::Io(std::io::Error::other("killed"))
}

impl Store for CrashingStore {
    fn entries(&self) -> &[Entry] {
        self.inner.entries()
    }

    fn append(&mut self, at: String, event: Event) -> Result<(), StoreError> {
        self.n_appends += 1;
        let way = match self.kill {
            Kill::Append(n, way) if n == self.n_appends => way,
            Kill::Append(..) | Kill::Record(_) => return self.inner.append(at, event),
        };
        match way {
            Way::Before => {}
            Way::Torn => {
                let line = serde_json::to_vec(&Entry::after(self.inner.entries().last(), at, event)).unwrap();
                let mut events = std::fs::OpenOptions::new().append(true).open(&self.events).unwrap();
                events.write_all(&line[..line.len() * 2 / 3]).unwrap();
            }
            Way::After => self.inner.append(at, event).unwrap(),
        }
        Err(killed())
    }

    fn recorded(&self, key: &RunKey) -> Result<Option<Recorded>, StoreError> {
        self.inner.recorded(key)
    }

    fn record(&mut self, key: &RunKey, trial: &Trial) -> Result<(), StoreError> {
        self.n_records += 1;
        if self.kill == Kill::Record(self.n_records) {
            return Err(killed());
        }
        self.inner.record(key, trial)
    }

    fn salt(&self) -> &str {
        self.inner.salt()
    }
}

/// A run that nobody disturbs: what it leaves, and what it paid for.
async fn undisturbed(order: &Order) -> (Remains, BTreeMap<Paid, u32>) {
    let dir = quick_dir();
    let kiosk = Kiosk::new();
    play(dir.path(), &kiosk, &mut open_store(dir.path()), order)
        .await
        .unwrap();
    (remains(dir.path()), paid(&kiosk))
}

/// What was paid for, without the task whose runs come to nothing and are made again whenever they are asked for.
fn paid(kiosk: &Kiosk) -> BTreeMap<Paid, u32> {
    let mut paid = kiosk.paid();
    paid.retain(|(_, task, _), _| task != BROKEN);
    paid
}

/// Plays until the kill, throws everything in memory away, and returns whether the kill came.
async fn play_until(out: &Path, kiosk: &Kiosk, kill: Kill, order: &Order) -> bool {
    let mut store = CrashingStore::open(out, kill);
    match play(out, kiosk, &mut store, order).await {
        Err(FlowError::Store(error)) if error.to_string() == "killed" => true,
        Err(error) => panic!("{kill:?}: {error}"),
        Ok(_) => false,
    }
}

/// Kills a run at every append in one way.
async fn kill_at_every_append(way: Way) {
    let (whole, whole_paid) = undisturbed(&Order::default()).await;
    assert!(
        whole_paid.values().all(|&times| times == 1),
        "undisturbed, nothing is paid twice"
    );
    for n in 1..=whole.entries.len() {
        let dir = quick_dir();
        let kiosk = Kiosk::new();
        let kill = Kill::Append(n, way);
        assert!(play_until(dir.path(), &kiosk, kill, &Order::default()).await);
        let (mut store, damage) = DirStore::open(&state_dir(dir.path())).unwrap();
        assert_eq!(store.entries().len(), if way == Way::After { n } else { n - 1 });
        let problems: Vec<String> = damage.into_iter().map(|damage| damage.problem).collect();
        let torn = format!("entry {n}, the last line, was cut off");
        assert_eq!(problems, if way == Way::Torn { vec![torn] } else { vec![] });
        play(dir.path(), &kiosk, &mut store, &Order::default()).await.unwrap();
        drop(store);
        remains(dir.path()).assert_same(&whole, &format!("{kill:?}"));
        assert_eq!(
            paid(&kiosk),
            whole_paid,
            "{kill:?}: every run is on record before its entry is written"
        );
    }
}

#[tokio::test]
async fn killed_before_any_append() {
    kill_at_every_append(Way::Before).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_any_append() {
    kill_at_every_append(Way::Torn).await;
}

#[tokio::test]
async fn killed_after_any_append() {
    kill_at_every_append(Way::After).await;
}

#[tokio::test]
async fn killed_before_a_record_only_the_runs_in_flight_are_made_again() {
    let (whole, whole_paid) = undisturbed(&Order::default()).await;
    let in_flight = 2;
    for n in (1..=whole_paid.len()).step_by(5) {
        let dir = quick_dir();
        let kiosk = Kiosk {
            concurrency: in_flight,
            ..Kiosk::new()
        };
        assert!(play_until(dir.path(), &kiosk, Kill::Record(n), &Order::default()).await);
        play(dir.path(), &kiosk, &mut open_store(dir.path()), &Order::default())
            .await
            .unwrap();
        remains(dir.path()).assert_same(&whole, &format!("record {n}"));
        let paid = paid(&kiosk);
        assert!(paid.keys().eq(whole_paid.keys()), "record {n}");
        let twice = paid.values().filter(|&&times| times == 2).count();
        assert!(
            (1..=in_flight).contains(&twice),
            "record {n}: {twice} runs are paid twice"
        );
        assert!(paid.values().all(|&times| times <= 2), "record {n}");
    }
}

#[tokio::test]
async fn killed_again_and_again_at_every_step_it_still_ends_the_same() {
    let is_screened = |entry: &Entry| matches!(entry.event, Event::Screened { .. });
    let frontier = Order {
        config: "[search]\nmode = \"frontier\"".to_owned(),
        ..Order::default()
    };
    for order in [Order::default(), frontier] {
        let (whole, whole_paid) = undisturbed(&order).await;
        assert!(whole_paid.values().all(|&times| times == 1), "nothing is paid twice");
        let dir = quick_dir();
        let kiosk = Kiosk::new();
        let mut kills = 0;
        while play_until(dir.path(), &kiosk, Kill::Append(1, Way::After), &order).await {
            kills += 1;
        }
        assert_eq!(kills, whole.entries.len());
        let screened = open_store(dir.path()).entries().iter().any(is_screened);
        assert_eq!(screened, !order.config.is_empty(), "only a frontier screens drafts");
        remains(dir.path()).assert_same(&whole, "killed at every step");
        assert_eq!(paid(&kiosk), whole_paid);
    }
}

/// The head of the ledger, as the program names it.
fn head(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json()["ledger_head"].as_str().unwrap().to_owned()
}

#[test]
fn the_demo_killed_at_a_line_of_its_progress_goes_on_to_the_same_end() {
    const DEMO: [&str; 3] = ["demo", "--batches", "2"];
    let resume = [&DEMO[..], &["--json"]].concat();
    let undisturbed = head(&Place::new().sprag(&resume));
    for last in ["batch 1/2: 10 tasks of traffic", "E001: accepted"] {
        let place = Place::new();
        let mut child = place.sprag_command(&DEMO).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut told = stderr.lines().map(Result::unwrap);
        assert!(told.any(|line| line.contains(last)), "it tells `{last}`");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it was killed");
        assert_eq!(head(&place.sprag(&resume)), undisturbed, "killed after `{last}`");
    }
}

#[test]
fn killed_in_the_middle_of_a_run_of_the_agent_no_more_than_what_was_in_flight_is_made_again() {
    const SIMULATE: [&str; 6] = ["simulate", "--json", "--batches", "1", "--out", "../out"];
    let log = |place: &Place| -> Vec<String> {
        let log = fs_err::read_to_string(place.path("runs.log")).unwrap();
        log.lines().map(str::to_owned).collect()
    };
    let whole = Place::with_helpdesk();
    let undisturbed = head(&whole.sprag(&SIMULATE));
    let whole = log(&whole);
    for kill_at in [5, whole.len() / 2, whole.len() - 3] {
        let place = Place::with_helpdesk();
        place.write("kill-at", &kill_at.to_string());
        assert_eq!(place.sprag(&SIMULATE).code, None, "it was killed");
        assert_eq!(log(&place).len(), kill_at);
        assert_eq!(head(&place.sprag(&SIMULATE)), undisturbed, "killed in run {kill_at}");
        let mut runs = log(&place);
        // The run in the worker's hands, and perhaps one or two before it, whose results had just come in.
        let again = runs.len() - whole.len();
        assert!((1..=3).contains(&again), "{again} runs are made again");
        runs.drain(kill_at - again..kill_at);
        assert_eq!(runs, whole, "no other run is made again");
    }
}
