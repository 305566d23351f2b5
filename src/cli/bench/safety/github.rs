//! Promises that need a whole GitHub: one of this machine is played against, and every request is held to GitHub's own description.

mod story;
mod town;

use super::state::Dice;
use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::forge::ENDPOINTS;
use sprag_standin::github::Fault;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use story::{Ending, NIGHTLY, Trouble, as_described, opened, play, until_done};
use town::{Error, Town};

pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        promise: "P5",
        way: Way::Blocking(every_fault),
    },
    Attempt {
        promise: "P25",
        way: Way::Blocking(the_same_again),
    },
    Attempt {
        promise: "P27",
        way: Way::Blocking(many_runs),
    },
];

/// Of the combinations of a call and a fault the quick part tries one of so many. A prime, so that all calls and faults have their turn.
const STRIDE: usize = 131;
/// Runs in one town, and in that of the quick part.
const RUNS: [usize; 2] = [20, 3];
/// Towns.
const TOWNS: [u64; 2] = [50, 1];
/// One request of so many meets a fault.
const ONE_OF: usize = 100;
/// How often a job may fail where anything may go wrong.
const PATIENCE: u32 = 12;

/// Runs a future on this thread. What it works with is not to be sent from one to another.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(work)
}

/// Tries cases on all processors; the outcomes come in their order.
fn on_all<C: Sync>(cases: &[C], attempt: impl Fn(&C) -> Result<(), Error> + Sync) -> Vec<Result<(), String>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    let outcome = attempt(case).map_err(|error| error.to_string());
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The first line in which two pages differ.
fn same(is: &str, should: &str) -> Result<(), Error> {
    let mut lines = is.lines().zip(should.lines());
    match lines.find(|(is, should)| is != should) {
        Some((is, should)) => Err(format!("people see `{is}`, not `{should}`").into()),
        None if is.len() != should.len() => Err("people see more or less".into()),
        None => Ok(()),
    }
}

/// Each call of the story, where it is made first, with everything that can go wrong with it.
fn every_fault(ground: &Ground) -> Outcome {
    let scratch = ground.scratch.as_path();
    let calm = block_on(play(scratch, None))?;
    let cells = cells(&calm);
    let step = if ground.quick { STRIDE } else { 1 };
    let cells: Vec<_> = cells.into_iter().skip(step / 2).step_by(step).collect();
    let outcomes = on_all(&cells, |(at, _, trouble)| {
        block_on(async { same(&play(scratch, Some((*at, *trouble))).await?.page, &calm.page) })
    });
    let mut tally = Tally::default();
    for ((_, endpoint, trouble), outcome) in cells.iter().zip(outcomes) {
        tally.case(format!("{trouble:?} at {endpoint}"), outcome);
    }
    if !ground.quick {
        tally.untried(&format!("calls that this story does not make: {}", others(&calm)));
    }
    Ok(tally)
}

/// libgit2 waits for git's answers for ever, so silence is not tried there.
fn cells(calm: &Ending) -> Vec<(u64, String, Trouble)> {
    let mut met = BTreeSet::new();
    let firsts = (1..)
        .zip(&calm.requests)
        .filter(|(_, endpoint)| met.insert(endpoint.as_str()));
    let faults = || {
        Fault::ALL
            .iter()
            .map(|fault| Trouble::Fault(*fault))
            .chain([Trouble::Kill])
    };
    let cells = firsts.flat_map(|(at, endpoint)| {
        let fits = |trouble: &Trouble| !(endpoint.contains(".git/") && format!("{trouble:?}").contains("Silence"));
        faults()
            .filter(fits)
            .map(move |trouble| (at, endpoint.clone(), trouble))
    });
    cells.collect()
}

fn others(calm: &Ending) -> String {
    let names = ENDPOINTS
        .iter()
        .map(|endpoint| format!("{} {}", endpoint.method(), endpoint.path()));
    let others: Vec<String> = names.filter(|name| !calm.requests.contains(name)).collect();
    others.join(", ")
}

/// The jobs that opened a pull request run again and again: nobody sees anything new.
fn the_same_again(ground: &Ground) -> Outcome {
    let rounds = if ground.quick { 3 } else { 100 };
    let mut tally = Tally::default();
    let outcomes = block_on(async {
        let town = Town::new(&ground.scratch, 5).await?;
        opened(&town).await?;
        let page = town.page();
        let mut outcomes = Vec::new();
        for _ in 0..rounds {
            let before = town.fake.exchanges().len();
            town.later();
            town.sync().await?;
            town.run(NIGHTLY).await?;
            outcomes.push(nothing_new(&town, before, &page).map_err(|error| error.to_string()));
        }
        as_described(&town)?;
        Ok(outcomes)
    })?;
    for (round, outcome) in outcomes.into_iter().enumerate() {
        tally.case(format!("run {round}"), outcome);
    }
    Ok(tally)
}

fn nothing_new(town: &Town, before: usize, page: &str) -> Result<(), Error> {
    let exchanges = town.fake.exchanges();
    let new = exchanges[before..].iter().find(|exchange| {
        exchange.endpoint.method != "GET" && !exchange.endpoint.template.contains(".git/") && exchange.status < 400
    });
    match new {
        Some(exchange) => Err(format!("{} {}", exchange.endpoint.method, exchange.target).into()),
        None => same(&town.page(), page),
    }
}

/// Towns in which people do what they do, jobs run, and anything may go wrong. After each run people see what they see in its twin, in
/// which nothing goes wrong.
fn many_runs(ground: &Ground) -> Outcome {
    let part = usize::from(ground.quick);
    let (towns, runs): (Vec<u64>, usize) = ((0..TOWNS[part]).collect(), RUNS[part]);
    let scratch = ground.scratch.as_path();
    let pages = Mutex::new(Vec::new());
    let whole = on_all(&towns, |town| {
        let calm = block_on(lifetime(scratch, *town, runs, false))?;
        let troubled = block_on(lifetime(scratch, *town, runs, true))?;
        let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, (is, should)) in troubled.iter().zip(&calm).enumerate() {
            let outcome = same(is, should).map_err(|error| error.to_string());
            pages.push((format!("town {town}, run {run}"), outcome));
        }
        Ok(())
    });
    let mut tally = Tally::default();
    for (name, outcome) in pages.into_inner().unwrap_or_else(PoisonError::into_inner) {
        tally.case(name, outcome);
    }
    for (town, outcome) in whole.into_iter().enumerate().filter(|(_, outcome)| outcome.is_err()) {
        tally.case(format!("town {town}"), outcome);
    }
    Ok(tally)
}

/// What people see after each run of a town.
async fn lifetime(scratch: &Path, seed: u64, runs: usize, troubled: bool) -> Result<Vec<String>, Error> {
    let town = Town::new(scratch, 5).await?;
    let mut dice = Dice(seed + 1);
    if troubled {
        let faults: Vec<Fault> = Fault::ALL
            .iter()
            .filter(|fault| !matches!(fault, Fault::Silence | Fault::SilenceAfter))
            .copied()
            .collect();
        let mut luck = Dice(seed + 1_000);
        for request in 1..10_000 {
            if luck.below(ONE_OF) == 0 {
                town.fake.fault(request, faults[luck.below(faults.len())]);
            }
        }
    }
    let mut issues = vec![town.reports(0)];
    let mut pages = Vec::new();
    for run in 0..runs {
        let which = issues[dice.below(issues.len())];
        match dice.below(6) {
            0 | 1 => issues.push(town.reports(dice.below(5))),
            2 => drop(town.alice.comments(which, "/sprag status")),
            3 => drop(town.bob.comments(which, "It happened once more.")),
            4 => {
                if let Some(pull) = town.open_pull() {
                    town.alice.readies(pull);
                    town.alice.merges(pull);
                }
            }
            _ => {}
        }
        town.later();
        if dice.below(5) == 0 {
            until_done(PATIENCE, async || town.run(&format!("run {run}")).await).await?;
        } else {
            until_done(PATIENCE, async || town.sync().await).await?;
        }
        pages.push(town.page());
    }
    as_described(&town)?;
    Ok(pages)
}
