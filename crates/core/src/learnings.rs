//! Learnings: what was tried, what came of it and what reviewers said, as a file that people may edit.
//!
//! An entry is a line with a hidden marker that has its id and the hash of its text. Where the hash does not fit, a person has changed the
//! line; where an id was written before and its line is gone, a person has deleted it. Both stay as they are. Every other line is a person's.
//! Of held-out tasks nothing is learned but that a change did harm there.

use crate::candidate::{Experiment, Stage, Verdict};
use crate::cluster::ClusterBook;
use crate::hash;
use crate::id::ClusterId;
use crate::mine::text::{counted, shortened};
use crate::render::learnings::{HEADINGS, INTRODUCTION, TITLE, entry};
use crate::render::markdown::marker;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The file, from the root of the project. No candidate may change it.
pub const FILE: &str = ".sprag/learnings.md";

/// The most entries of a kind.
const ENTRIES: usize = 30;
/// The most ids of evidence that an entry has. With so many it is true, and is not written anew.
const EVIDENCE: usize = 6;
/// The most ids that are remembered as written.
const SEEN: usize = 600;
/// The most lines that a proposer is told, and the most characters of one.
const LINES: usize = 150;
const LINE: usize = 500;

/// What kind of thing was learned, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reviewers said something of a change that they did not want.
    Said,
    /// A change was kept.
    Kept,
    /// A change was not kept.
    Fell,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Said, Self::Kept, Self::Fell];

    fn word(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::Kept => "kept",
            Self::Fell => "fell",
        }
    }
}

/// One thing that was learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    /// What kind of thing.
    pub kind: Kind,
    /// The cluster that the change was for.
    pub cluster: ClusterId,
    /// Its title.
    pub about: String,
    /// The title of the change.
    pub change: String,
    /// What came of it, or what was said of it.
    pub outcome: String,
    /// Where to look it up: ids of candidates, which are in the ledger, in `results.tsv` and in commit messages; for what reviewers said,
    /// numbers of pull requests.
    pub evidence: Vec<String>,
}

impl Learning {
    /// What the same thing has again when it is learned again: 8 hexadecimal digits.
    pub fn id(&self) -> String {
        let what = match self.kind {
            Kind::Said => self.evidence.concat(),
            Kind::Kept | Kind::Fell => self.change.to_lowercase(),
        };
        short(&hash::of(&(self.kind.word(), &self.cluster, what)))
    }
}

/// What experiments teach, in their order. One that could not be measured teaches nothing.
pub fn of_experiments<'a>(
    experiments: impl IntoIterator<Item = &'a Experiment>,
    clusters: &ClusterBook,
) -> Vec<Learning> {
    let learned = |experiment: &Experiment| {
        let (kind, outcome) = outcome(experiment)?;
        let candidate = &experiment.candidate;
        let about = clusters.clusters.get(&candidate.cluster);
        Some(Learning {
            kind,
            cluster: candidate.cluster.clone(),
            about: about.map_or_else(
                || candidate.cluster.to_string(),
                |cluster| shortened(&cluster.title, 120),
            ),
            change: shortened(&candidate.title, 120),
            outcome,
            evidence: vec![candidate.id.to_string()],
        })
    };
    experiments.into_iter().filter_map(learned).collect()
}

/// What became of an experiment. Tasks are counted and not named, and the validation set gives no figure.
fn outcome(experiment: &Experiment) -> Option<(Kind, String)> {
    let (verdict, reason) = experiment.verdict.as_ref()?;
    let mut told = Vec::new();
    let kind = match (verdict, experiment.stage(Stage::Validation)) {
        (Verdict::Indecisive, _) => return None,
        (Verdict::Accepted, _) => Kind::Kept,
        (Verdict::Invalid, _) => {
            told.push("it broke the rules for changes".to_owned());
            Kind::Fell
        }
        (Verdict::Rejected, Some(_)) => {
            told.push("it does harm on held-out tasks".to_owned());
            Kind::Fell
        }
        (Verdict::Rejected, None) => {
            told.push(shortened(reason, 160));
            Kind::Fell
        }
    };
    if let Some(card) = experiment.stage(Stage::Cluster) {
        told.push(format!(
            "it fixed {} of {} of its cluster",
            card.fixed,
            counted(card.total() as usize, "case")
        ));
    }
    if let Some(card) = experiment.stage(Stage::Regression).filter(|card| card.broken > 0) {
        told.push(format!(
            "it broke {} of the suite",
            counted(card.broken as usize, "case")
        ));
    }
    let prediction = experiment.prediction().filter(|score| score.predicted > 0);
    told.extend(prediction.map(|score| score.to_string()));
    if kind == Kind::Kept {
        told.push(format!("why: {}", shortened(&experiment.candidate.hypothesis, 240)));
    }
    Some((kind, told.join("; ")))
}

/// The file, as its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    lines: Vec<String>,
    newline: &'static str,
}

/// A line that sprag wrote.
struct Entry<'a> {
    kind: &'a str,
    id: &'a str,
    /// Without the marker.
    text: &'a str,
    evidence: Vec<String>,
    /// Whether it stands as it was written.
    untouched: bool,
}

impl<'a> Entry<'a> {
    fn of(line: &'a str) -> Option<Self> {
        static MARKED: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"^(.*?)\s*<!-- sprag:learned kind=(\w+) id=([0-9a-f]{8}) of=([\w.]*) text=([0-9a-f]{8}) -->\s*$",
            )
            .expect("it is a regex")
        });
        let found = MARKED.captures(line)?;
        let part = |at: usize| found.get(at).map_or("", |part| part.as_str());
        Some(Self {
            kind: part(2),
            id: part(3),
            text: part(1),
            evidence: part(4).split('.').map(str::to_owned).collect(),
            untouched: short(&hash::of_text(part(1))) == part(5),
        })
    }
}

impl Page {
    /// The file as it is, or a new one.
    pub fn read(text: Option<&str>) -> Self {
        let text = text.filter(|text| !text.trim().is_empty());
        let Some(text) = text else {
            return Self {
                lines: [TITLE, "", INTRODUCTION].map(str::to_owned).into(),
                newline: "\n",
            };
        };
        // The first line says how lines end; where they end in several ways, what is written ends in one.
        let first = text.split_inclusive('\n').next().unwrap_or_default();
        Self {
            lines: text
                .lines()
                .map(|line| line.trim_end_matches('\r').to_owned())
                .collect(),
            newline: if first.ends_with("\r\n") { "\r\n" } else { "\n" },
        }
    }

    /// Takes in what was learned, the oldest first. What people changed or deleted stays so.
    pub fn learn(&mut self, learnings: &[Learning]) {
        let mut seen = self.seen();
        for learning in learnings {
            let id = learning.id();
            let there = self
                .lines
                .iter()
                .position(|line| Entry::of(line).is_some_and(|entry| entry.id == id));
            match there {
                Some(at) => self.renew(at, learning),
                None if seen.contains(&id) => {}
                None => self.insert(learning),
            }
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
        Kind::ALL.into_iter().for_each(|kind| self.bound(kind));
        if !learnings.is_empty() {
            self.write_seen(&seen);
        }
    }

    /// What a proposer is told of it, a line each: what people wrote, what reviewers said, what helped, what did not.
    pub fn told(&self) -> Vec<String> {
        let entries = |kind: Kind| {
            let of_kind = move |line: &&String| Entry::of(line).is_some_and(|entry| entry.kind == kind.word());
            self.lines.iter().filter(of_kind)
        };
        let own = self
            .lines
            .iter()
            .filter(|line| Entry::of(line).is_none() && is_a_person_s(line));
        let all = own.chain(Kind::ALL.into_iter().flat_map(entries));
        let bare = all.map(|line| Entry::of(line).map_or(line.as_str(), |entry| entry.text));
        bare.take(LINES).map(|line| shortened(line, LINE)).collect()
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        self.lines
            .iter()
            .map(|line| format!("{line}{}", self.newline))
            .collect()
    }

    fn renew(&mut self, at: usize, learning: &Learning) {
        let Some(old) = Entry::of(&self.lines[at]).filter(|old| old.untouched) else {
            return;
        };
        let mut evidence = old.evidence;
        let new: Vec<&String> = learning.evidence.iter().filter(|id| !evidence.contains(id)).collect();
        // What is said again with nothing new must leave the file as it is.
        if evidence.len() >= EVIDENCE || new.is_empty() && learning.kind != Kind::Said {
            return;
        }
        evidence.extend(new.into_iter().cloned());
        self.lines[at] = written(&Learning {
            evidence,
            ..learning.clone()
        });
    }

    /// Puts an entry below the heading of its kind.
    fn insert(&mut self, learning: &Learning) {
        let at = self.heading(HEADINGS[learning.kind as usize]);
        if self.lines.get(at + 1).is_none_or(|line| !line.trim().is_empty()) {
            self.lines.insert(at + 1, String::new());
        }
        self.lines.insert(at + 2, written(learning));
    }

    /// Where a heading stands. One that is not there is put at the end, but before the ids.
    fn heading(&mut self, heading: &str) -> usize {
        if let Some(at) = self.lines.iter().position(|line| line.trim_end() == heading) {
            return at;
        }
        let ids = self.lines.iter().position(|line| seen_ids(line).is_some());
        let mut at = ids.unwrap_or(self.lines.len());
        if at > 0 && !self.lines[at - 1].trim().is_empty() {
            self.lines.insert(at, String::new());
            at += 1;
        }
        self.lines
            .splice(at..at, [heading.to_owned(), String::new(), String::new()]);
        at
    }

    /// Lets go of the oldest entries of a kind, which stand last, but for those that people changed.
    fn bound(&mut self, kind: Kind) {
        let of_kind = |line: &String| {
            Entry::of(line)
                .filter(|entry| entry.kind == kind.word())
                .map(|entry| entry.untouched)
        };
        let mut over = self.lines.iter().filter_map(of_kind).count().saturating_sub(ENTRIES);
        let mut gone = BTreeSet::new();
        for (at, line) in self.lines.iter().enumerate().rev() {
            if over > 0 && of_kind(line) == Some(true) {
                gone.insert(at);
                over -= 1;
            }
        }
        let mut at = 0;
        self.lines.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
    }

    fn seen(&self) -> Vec<String> {
        self.lines.iter().find_map(|line| seen_ids(line)).unwrap_or_default()
    }

    fn write_seen(&mut self, seen: &[String]) {
        let ids = seen[seen.len().saturating_sub(SEEN)..].join(".");
        let line = marker("learnings", &[("seen", &ids)]);
        match self.lines.iter().position(|line| seen_ids(line).is_some()) {
            Some(at) => self.lines[at] = line,
            None => self.lines.push(line),
        }
    }
}

/// An entry as a line of the file.
fn written(learning: &Learning) -> String {
    let text = entry(learning);
    let (id, of, sum) = (learning.id(), learning.evidence.join("."), short(&hash::of_text(&text)));
    let fields = [("kind", learning.kind.word()), ("id", &id), ("of", &of), ("text", &sum)];
    format!("{text} {}", marker("learned", &fields))
}

/// The ids that were written so far, out of the line that has them.
fn seen_ids(line: &str) -> Option<Vec<String>> {
    let ids = line
        .trim()
        .strip_prefix("<!-- sprag:learnings seen=")?
        .strip_suffix(" -->")?;
    Some(ids.split('.').map(str::to_owned).collect())
}

/// Whether a line says something that sprag did not write.
fn is_a_person_s(line: &str) -> bool {
    let line = line.trim();
    let ours = line == TITLE || line == INTRODUCTION || HEADINGS.contains(&line);
    !line.is_empty() && !ours && !line.starts_with("<!--")
}

fn short(digits: &str) -> String {
    digits[..8].to_owned()
}

#[cfg(test)]
mod tests;
