//! Files that belong together: the entries of an archive, or a folder. Most are runs of their own; some are only a piece of one.

use super::format::Format;
use super::read::{ReadTrace, Warning, content};
use super::{gh_aw, harbor, inspect, mapped};
use crate::config::Mapping;
use std::collections::{BTreeMap, BTreeSet};

/// What a file says about runs whose steps stand in other files.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// `header.json` of an `.eval` archive.
    Inspect(inspect::Header),
    /// `result.json` of a trial.
    Harbor(Box<harbor::Trial>),
    /// A file of the artifact of an agentic workflow.
    GhAw(Box<gh_aw::Run>),
}

impl Piece {
    /// The run, where there are no other files.
    pub(super) fn alone(self, warnings: &mut Vec<Warning>) -> Option<ReadTrace> {
        match self {
            Self::Inspect(_) => {
                warnings.push(Warning::new("", "the log has no samples in it"));
                None
            }
            Self::Harbor(trial) => Some(trial.finish(None)),
            Self::GhAw(run) => Some(run.finish(None)),
        }
    }
}

type Runs = BTreeMap<(String, usize), ReadTrace>;

/// Reads the files of a folder or an archive one after the other, in any order, and puts together what belongs together.
#[derive(Debug, Default)]
pub struct Folder {
    format: Option<Format>,
    mapping: Option<Mapping>,
    /// By the name of the file, and the order in it.
    runs: Runs,
    pieces: Vec<(String, Piece)>,
    unknown: usize,
}

impl Folder {
    /// An empty one. Records with the keys of `mapping` are read by it.
    pub fn new(mapping: Option<Mapping>) -> Self {
        Self {
            mapping,
            ..Self::default()
        }
    }

    /// An empty one, whose files all have a format that somebody names.
    pub fn of_format(format: Format) -> Self {
        Self {
            format: Some(format),
            ..Self::default()
        }
    }

    /// Reads one file. `name` is its path, with `/` between the parts. Files of no known format are only counted: a folder holds much else.
    pub fn take(&mut self, name: &str, bytes: &[u8]) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mapping = self.mapping.as_ref();
        if let Some(traces) = mapping.and_then(|mapping| mapped::read(mapping, bytes, &mut warnings)) {
            add(&mut self.runs, name, traces);
            return warnings;
        }
        let content = content(name, bytes, self.format, &mut warnings);
        if !content.known {
            self.unknown += 1;
            return Vec::new();
        }
        add(&mut self.runs, name, content.traces);
        self.pieces.extend(content.piece.map(|piece| (name.to_owned(), piece)));
        warnings
    }

    /// How many files have no format that sprag knows.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// All runs, in the order of the names of their files.
    pub fn finish(self) -> (Vec<ReadTrace>, Vec<Warning>) {
        let mut warnings = Vec::new();
        let mut runs = self.runs;
        let mut agentic: BTreeMap<String, Box<gh_aw::Run>> = BTreeMap::new();
        for (name, piece) in self.pieces {
            let place = folder_of(&name);
            match piece {
                Piece::Inspect(header) => {
                    let samples = format!("{}samples/", prefix(place));
                    let of_log = runs.range_mut((samples.clone(), 0)..);
                    let of_log = of_log.take_while(|((name, _), _)| name.starts_with(&samples));
                    of_log.for_each(|(_, run)| header.apply(run));
                }
                Piece::Harbor(trial) => {
                    let steps = longest(&mut runs, place).map(|run| run.trace);
                    add(&mut runs, &name, vec![trial.finish(steps)]);
                }
                Piece::GhAw(run) => {
                    // The graders' results lie two folders deeper than the rest.
                    let root = place.strip_suffix("graders").unwrap_or(place).trim_end_matches('/');
                    let root = root.strip_suffix("agent").filter(|_| root != place).unwrap_or(root);
                    let root = root.trim_end_matches('/').to_owned();
                    match agentic.get_mut(&root) {
                        Some(known) => known.join(*run),
                        None => {
                            agentic.insert(root, run);
                        }
                    }
                }
            }
        }
        for (root, run) in agentic {
            let steps = longest(&mut runs, &root);
            add(&mut runs, &root, vec![run.finish(steps)]);
        }
        // A run that several files tell of, such as a log and its copy, is one.
        let mut seen = BTreeSet::new();
        runs.retain(|_, run| seen.insert(run.source.clone()));
        if self.unknown > 0 {
            let message = match self.unknown {
                1 => "1 file has no format that sprag knows, and is left out".to_owned(),
                n => format!("{n} files have no format that sprag knows, and are left out"),
            };
            warnings.push(Warning::new("", message));
        }
        (runs.into_values().collect(), warnings)
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn prefix(folder: &str) -> String {
    if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    }
}

fn add(runs: &mut Runs, name: &str, of_file: Vec<ReadTrace>) {
    let numbered = of_file.into_iter().enumerate();
    runs.extend(numbered.map(|(at, run)| ((name.to_owned(), at), run)));
}

/// Takes out all runs below a folder, which are views of one run, and gives back the one with the most steps.
fn longest(runs: &mut Runs, folder: &str) -> Option<ReadTrace> {
    let below = prefix(folder);
    let of_folder = runs.range((below.clone(), 0)..).map(|(place, _)| place.clone());
    let of_folder: Vec<_> = of_folder.take_while(|(name, _)| name.starts_with(&below)).collect();
    let views: Vec<ReadTrace> = of_folder.iter().filter_map(|place| runs.remove(place)).collect();
    // Of two that are equally long the first one.
    views.into_iter().rev().max_by_key(|run| run.trace.steps.len())
}

#[cfg(test)]
mod tests;
