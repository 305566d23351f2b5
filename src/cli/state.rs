//! `sprag state`: looks whether what is known is whole, and carries it from one place to another.

use super::source::{SourceArgs, facts_dir, state_dir};
use super::{print, print_json};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::store::{DirStore, FactFile, Portable, Store as _, Stored};
use fs_err as fs;
use serde::Serialize;
use sprag_core::fact::Fact;
use sprag_core::ledger::Entry;
use sprag_core::render::text;
use std::path::PathBuf;
use std::process::ExitCode;

/// Checks what is known, or carries it to another machine or repository.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    source: SourceArgs,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Reads everything and says whether it is whole; exit code 5 when something was set aside
    Check,
    /// Writes everything into one file that proves itself
    Export {
        /// The file
        file: PathBuf,
    },
    /// Adds what an exported file holds and is not known here; takes nothing of a file that was changed
    Import {
        /// The file
        file: PathBuf,
    },
}

/// What was done, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
struct Told {
    /// Entries of the ledger that are there now.
    entries: usize,
    /// Facts that are there now.
    facts: usize,
    /// Entries that were added.
    new_entries: usize,
    /// Facts that were added.
    new_facts: usize,
    /// What was damaged, and is set aside.
    damage: Vec<String>,
}

pub(super) async fn state(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let (known, damage) = known(&args.source, job).await?;
    let mut told = Told {
        entries: known.ledger.len(),
        facts: known.facts.len(),
        damage,
        ..Told::default()
    };
    match &args.what {
        What::Check => {}
        What::Export { file } => fs::write(file, known.pack()?)?,
        What::Import { file } => {
            let bytes = fs::read(file)?;
            let more = Portable::unpack(&bytes).map_err(|error| {
                let hint = "export it again where it was made; nothing of it was taken";
                CommandError::new(Exit::Config, format!("{}: {error}", file.display()), hint)
            })?;
            let new_entries = newer(&known.ledger, &more.ledger)?;
            let has = |fact: &&Stored| !known.facts.iter().any(|known| known.id == fact.id);
            let new_facts: Vec<Stored> = more.facts.iter().filter(has).cloned().collect();
            add(&args.source, job, new_entries, &new_facts).await?;
            told.new_entries = new_entries.len();
            told.new_facts = new_facts.len();
            told.entries += told.new_entries;
            told.facts += told.new_facts;
        }
    }
    if args.json {
        print_json(&told)?;
    } else {
        print(&text::state(
            (told.entries, told.facts),
            matches!(args.what, What::Import { .. }).then_some((told.new_entries, told.new_facts)),
            &told.damage,
        ))?;
    }
    Ok(if told.damage.is_empty() {
        ExitCode::SUCCESS
    } else {
        Exit::Rejected.into()
    })
}

/// Everything that is known there, and what was damaged.
async fn known(source: &SourceArgs, job: &Job) -> Result<(Portable, Vec<String>), CommandError> {
    if let Some((store, damage)) = source.branch(job).await? {
        let known = Portable {
            ledger: Vec::new(),
            facts: store.facts().to_vec(),
        };
        return Ok((known, damage.iter().map(ToString::to_string).collect()));
    }
    let mut known = Portable::default();
    let mut told = Vec::new();
    if state_dir(&source.out).exists() {
        let (store, damage) = DirStore::open(&state_dir(&source.out))?;
        known.ledger = store.entries().to_vec();
        told.extend(damage.iter().map(ToString::to_string));
    }
    if facts_dir(&source.out).exists() {
        let (facts, damage) = FactFile::open(&facts_dir(&source.out))?;
        known.facts = facts.facts().iter().map(stored).collect::<Result<_, _>>()?;
        told.extend(damage.iter().map(ToString::to_string));
    }
    Ok((known, told))
}

fn stored(fact: &Fact) -> Result<Stored, std::io::Error> {
    Ok(Stored {
        id: fact.id(),
        at: fact.at.clone(),
        fact: serde_json::to_value(&fact.what)?,
    })
}

/// What the longer of two ledgers has and this one lacks. Two that went different ways cannot be one.
fn newer<'a>(known: &[Entry], more: &'a [Entry]) -> Result<&'a [Entry], CommandError> {
    let same = known.iter().zip(more).all(|(known, more)| known.id == more.id);
    if !same {
        return Err(CommandError::new(
            Exit::Config,
            "the file has the ledger of another run than this folder",
            "import it into a folder of its own with `--out`",
        ));
    }
    Ok(more.get(known.len()..).unwrap_or_default())
}

async fn add(source: &SourceArgs, job: &Job, entries: &[Entry], facts: &[Stored]) -> Result<(), CommandError> {
    if let Some((mut store, _)) = source.branch(job).await? {
        tokio::task::block_in_place(|| store.publish(facts, &super::session::now()))?;
        return Ok(());
    }
    if !entries.is_empty() {
        let (mut store, _) = DirStore::open(&state_dir(&source.out))?;
        for entry in entries {
            store.append(entry.at.clone(), entry.event.clone())?;
        }
    }
    if !facts.is_empty() {
        let (mut file, _) = FactFile::open(&facts_dir(&source.out))?;
        for fact in facts {
            let what = serde_json::from_value(fact.fact.clone()).map_err(std::io::Error::from)?;
            file.note(fact.at.clone(), what)?;
        }
    }
    Ok(())
}
