//! Files that belong together: the entries of an archive, or a folder. Most are runs of their own; some are only a piece of one.

use super::document::{self, Document};
use super::format::{self, Format};
use super::read::{ReadTrace, Warning, content, decoded};
use super::window::Window;
use super::{gh_aw, harbor, inspect, junit, mapped};
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

/// So many of the files that are left out are named.
const NAMED: usize = 3;

type Runs = BTreeMap<(String, usize), ReadTrace>;

/// Takes the runs, one after the other.
type Take<'t> = &'t mut dyn FnMut(ReadTrace);

/// Reads the files of a folder or an archive, and puts together what belongs together. All files are first noted and then taken, so that a
/// run that nothing else belongs to can be handed out at once; only views of one run wait for each other.
#[derive(Debug, Default)]
pub struct Folder {
    format: Option<Format>,
    mapping: Option<Mapping>,
    /// What is said in one file about others, by the name of the file.
    pieces: Vec<(String, Piece)>,
    /// Runs that may be views of one, by the name of the file and the order in it.
    waiting: Runs,
    /// A run that several files tell of, such as a log and its copy, is one.
    seen: BTreeSet<String>,
    unknown: usize,
    /// The first of those that have no format that sprag knows.
    unknown_names: Vec<String>,
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

    /// Notes what a file says about others. `name` is its path, with `/` between the parts.
    pub fn note(&mut self, name: &str, bytes: &[u8]) {
        let mut unheard = Vec::new();
        let text = decoded(bytes, &mut unheard);
        if text.trim().is_empty() || junit::recognises(&text) || document::is_python(&text) {
            return;
        }
        let document = Document::read(&text, &mut unheard);
        let format = self.format.or_else(|| format::of(&document));
        let speaks_of_others = |format: &Format| matches!(format, Format::Inspect | Format::Harbor | Format::GhAw);
        if let Some(format) = format.filter(speaks_of_others) {
            let content = format.read(&document, &mut Window::default(), &mut unheard);
            self.pieces.extend(content.piece.map(|piece| (name.to_owned(), piece)));
        }
    }

    /// Reads one file. Files of no known format are counted, and the first are named: a folder holds much else.
    pub fn take(&mut self, name: &str, bytes: &[u8], take: Take<'_>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mapping = self.mapping.as_ref();
        let traces = match mapping.and_then(|mapping| mapped::read(mapping, bytes, &mut warnings)) {
            Some(traces) => traces,
            None => {
                let content = content(name, bytes, self.format, &mut warnings);
                if !content.known {
                    self.unknown += 1;
                    if self.unknown_names.len() < NAMED {
                        self.unknown_names.push(name.to_owned());
                    }
                    return Vec::new();
                }
                content.traces
            }
        };
        for (at, run) in traces.into_iter().enumerate() {
            self.run(name, at, run, take);
        }
        warnings
    }

    /// Takes a run that was read from a file; `at` is its number there.
    pub fn run(&mut self, name: &str, at: usize, mut run: ReadTrace, take: Take<'_>) {
        let mut waits = false;
        for (place, piece) in &self.pieces {
            match piece {
                Piece::Inspect(header) if name.starts_with(&format!("{}samples/", prefix(folder_of(place)))) => {
                    header.apply(&mut run);
                    break;
                }
                Piece::Inspect(_) => {}
                Piece::Harbor(_) => waits |= name.starts_with(&prefix(folder_of(place))),
                Piece::GhAw(_) => waits |= name.starts_with(&prefix(root_of(place))),
            }
        }
        if waits {
            self.waiting.insert((name.to_owned(), at), run);
        } else {
            self.hand_out(run, take);
        }
    }

    fn hand_out(&mut self, run: ReadTrace, take: Take<'_>) {
        if self.seen.insert(run.source.clone()) {
            take(run);
        }
    }

    /// How many files have no format that sprag knows.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The runs that several files tell of, in the order of their names.
    pub fn finish(mut self, take: Take<'_>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut runs = std::mem::take(&mut self.waiting);
        let mut agentic: BTreeMap<String, Box<gh_aw::Run>> = BTreeMap::new();
        for (name, piece) in std::mem::take(&mut self.pieces) {
            match piece {
                Piece::Inspect(_) => {}
                Piece::Harbor(trial) => {
                    let steps = longest(&mut runs, folder_of(&name)).map(|run| run.trace);
                    runs.insert((name, 0), trial.finish(steps));
                }
                Piece::GhAw(run) => match agentic.get_mut(root_of(&name)) {
                    Some(known) => known.join(*run),
                    None => {
                        agentic.insert(root_of(&name).to_owned(), run);
                    }
                },
            }
        }
        for (root, run) in agentic {
            let steps = longest(&mut runs, &root);
            runs.insert((root, 0), run.finish(steps));
        }
        runs.into_values().for_each(|run| self.hand_out(run, take));
        if self.unknown > 0 {
            let left_out = match self.unknown {
                1 => "1 file has no format that sprag knows, and is left out".to_owned(),
                n => format!("{n} files have no format that sprag knows, and are left out"),
            };
            let more = match self.unknown - self.unknown_names.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let names = self.unknown_names.join(", ");
            warnings.push(Warning::new("", format!("{left_out}: {names}{more}")));
        }
        warnings
    }
}

/// The folder of the artifact that a file of it lies in: the graders' results lie two folders deeper than the rest.
fn root_of(name: &str) -> &str {
    let place = folder_of(name);
    let root = place.strip_suffix("graders").unwrap_or(place).trim_end_matches('/');
    let root = root.strip_suffix("agent").filter(|_| root != place).unwrap_or(root);
    root.trim_end_matches('/')
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
pub(super) mod tests;
