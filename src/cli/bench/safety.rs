//! `sprag bench safety`: tries what sprag promises, with the code and on the machine that would have to keep it.
//!
//! A promise is tried by attempts; each group of them is a file below, listed in [`GROUPS`]. To add one, write a file with a table
//! `ATTEMPTS` and name it there. Attempts on one promise are added up. What this machine cannot try is said, and never counts as held.

mod cheats;
mod evil;
mod files;
mod giant;
mod github;
#[cfg(target_os = "linux")]
mod held;
mod kills;
mod people;
mod polite;
mod reach;
mod sealed;
mod secrets;
mod server;
mod state;
mod supply;
mod text;

use super::super::{print, print_json};
use crate::error::{CommandError, Exit};
use crate::progress::Progress;
use futures_util::future::BoxFuture;
use sprag_core::render::safety::{self, Row};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A smaller number of cases of each promise, in about a minute
    #[arg(long)]
    quick: bool,
    /// Only these promises, such as `P18`
    #[arg(long, value_name = "PROMISE", value_delimiter = ',', value_parser = promise)]
    only: Vec<&'static str>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The tables of all groups.
const GROUPS: &[&[Attempt]] = &[
    &text::ATTEMPTS,
    &files::ATTEMPTS,
    &giant::ATTEMPTS,
    &state::ATTEMPTS,
    &polite::ATTEMPTS,
    &reach::ATTEMPTS,
    #[cfg(target_os = "linux")]
    &held::ATTEMPTS,
    &cheats::ATTEMPTS,
    &supply::ATTEMPTS,
    &evil::ATTEMPTS,
    &people::ATTEMPTS,
    &kills::ATTEMPTS,
    &github::ATTEMPTS,
    &sealed::ATTEMPTS,
    &secrets::ATTEMPTS,
];

/// Every promise: its name, and what it says. The first three were about a server for webhooks, which sprag has not.
const PROMISES: [(&str, &str); 24] = [
    ("P4", "A kill at any moment loses and doubles nothing"),
    ("P5", "Every call of GitHub survives every fault"),
    ("P6", "GitHub is asked politely"),
    ("P7", "Runs at the same time lose no state"),
    ("P8", "Damaged state is found, never silently shortened"),
    ("P9", "Old states are read for ever"),
    ("P10", "Secrets appear nowhere"),
    ("P11", "Candidates reach nothing outside their sandbox"),
    ("P12", "They reach no network but the model"),
    ("P13", "What they use is bounded, and they end"),
    ("P14", "What is held out stays held out"),
    ("P15", "A candidate that cheats is not accepted"),
    ("P16", "A change is judged by the tree it makes"),
    ("P17", "Our git cannot be hijacked"),
    ("P18", "Published text is inert"),
    ("P19", "A log commands no runner"),
    ("P20", "A model that serves an attacker gains nothing"),
    ("P21", "Only those who may command are heard"),
    ("P22", "No code of a fork runs beside a token"),
    ("P23", "Hostile archives are read in bounds, or not"),
    ("P24", "Giant inputs are read in bounds"),
    ("P25", "Nothing is posted twice"),
    ("P26", "Our own supply chain is pinned and checked"),
    ("P27", "All of it holds over many runs with faults"),
];

/// One way to try a promise.
pub(super) struct Attempt {
    /// The promise: `P18`.
    promise: &'static str,
    way: Way,
}

/// How an attempt is made; one that panics does not hold.
pub(super) enum Way {
    Blocking(fn(&Ground) -> Outcome),
    Async(fn(Arc<Ground>) -> BoxFuture<'static, Outcome>),
}

/// What came of an attempt; an error when it could not be made, which does not hold.
pub(super) type Outcome = Result<Tally, Box<dyn std::error::Error + Send + Sync>>;

/// What an attempt is made on.
#[derive(Debug)]
pub(super) struct Ground {
    /// An empty folder of its own, removed afterwards.
    scratch: PathBuf,
    /// This very program.
    program: PathBuf,
    /// Whether fewer cases are wanted.
    quick: bool,
}

/// The cases of an attempt.
#[derive(Debug, Default)]
pub(super) struct Tally {
    tried: usize,
    fell: Vec<String>,
    untried: Vec<String>,
}

impl Tally {
    /// Counts a case, which held or says what happened instead.
    fn case(&mut self, name: impl std::fmt::Display, outcome: Result<(), String>) {
        self.tried += 1;
        if let Err(instead) = outcome {
            self.fell.push(format!("{name}: {instead}"));
        }
    }

    /// Something could not be tried here, and why.
    fn untried(&mut self, why: &str) {
        self.untried.push(why.to_owned());
    }

    fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.fell.extend(other.fell);
        self.untried.extend(other.untried);
    }
}

/// Makes all attempts that are wanted, and prints the page. The exit code says whether everything held that was tried.
pub(super) async fn safety(args: Args) -> Result<ExitCode, CommandError> {
    let wanted = |name: &&str| args.only.is_empty() || args.only.contains(name);
    let progress = Progress::new(args.json, false);
    let count = PROMISES.iter().filter(|(name, _)| wanted(name)).count();
    progress.begin("trying promises", count);
    let mut rows = Vec::new();
    for (name, says) in PROMISES.into_iter().filter(|(name, _)| wanted(name)) {
        let started = Instant::now();
        let mut tally = Tally::default();
        for attempt in GROUPS
            .iter()
            .flat_map(|group| group.iter())
            .filter(|attempt| attempt.promise == name)
        {
            tally.add(attempt.make(args.quick).await?);
        }
        if tally.tried == 0 && tally.untried.is_empty() {
            tally
                .untried
                .push("nothing in this program tries it; docs/safety.md says what does".to_owned());
        }
        rows.push(Row {
            promise: name.to_owned(),
            says: says.to_owned(),
            tried: tally.tried,
            held: tally.tried - tally.fell.len(),
            fell: tally.fell,
            not_tried: tally.untried,
            ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            repeat: format!("sprag bench safety --only {name}"),
        });
        progress.tick();
    }
    progress.end();
    let all_held = rows.iter().all(|row| row.held == row.tried);
    if args.json {
        print_json(&serde_json::json!({"quick": args.quick, "promises": rows}))?;
    } else {
        print(&safety::page(&rows, args.quick))?;
    }
    Ok(if all_held {
        ExitCode::SUCCESS
    } else {
        Exit::Rejected.into()
    })
}

impl Attempt {
    async fn make(&self, quick: bool) -> Result<Tally, CommandError> {
        let folder = tempfile::tempdir()?;
        let ground = Arc::new(Ground {
            scratch: folder.path().to_owned(),
            program: std::env::current_exe()?,
            quick,
        });
        let joined = match self.way {
            Way::Blocking(way) => tokio::task::spawn_blocking(move || way(&ground)).await,
            Way::Async(way) => tokio::spawn(way(ground)).await,
        };
        let outcome = joined.unwrap_or_else(|panicked| Err(panicked.into()));
        Ok(outcome.unwrap_or_else(|error| Tally {
            tried: 1,
            fell: vec![format!("it could not be tried: {error}")],
            untried: Vec::new(),
        }))
    }
}

fn promise(text: &str) -> Result<&'static str, String> {
    let names = PROMISES.iter().map(|(name, _)| *name);
    names
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            format!(
                "the promises are {} to {}",
                PROMISES[0].0,
                PROMISES[PROMISES.len() - 1].0
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_is_on_a_promise() {
        let attempts = GROUPS.iter().flat_map(|group| group.iter());
        for attempt in attempts {
            assert_eq!(promise(attempt.promise), Ok(attempt.promise));
        }
        assert_eq!(promise("p18"), Ok("P18"));
        assert!(promise("P3").is_err());
    }

    #[tokio::test]
    async fn a_panic_and_an_error_do_not_hold_and_the_rest_is_counted() {
        let make = async |way| {
            let tally = Attempt { promise: "P4", way }.make(true).await.unwrap();
            (tally.tried, tally.fell.len())
        };
        assert_eq!(make(Way::Blocking(|_| panic!("broken"))).await, (1, 1));
        assert_eq!(make(Way::Blocking(|_| Err("no disk".into()))).await, (1, 1));
        let counts = Way::Blocking(|_| {
            let mut tally = Tally::default();
            tally.case("a", Ok(()));
            tally.case("b", Err("it came through".to_owned()));
            Ok(tally)
        });
        assert_eq!(make(counts).await, (2, 1));
    }
}
