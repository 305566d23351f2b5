//! Links in a text that lead to traces: attachments, workflow runs and artifacts of this repository.

use super::Clue;
use crate::github::RepoName;
use std::collections::BTreeSet;

/// Where the repository is, to tell its own links from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The host of its pages, such as `github.com`.
    pub host: String,
    /// Its name.
    pub repo: RepoName,
}

/// Endings of files that may hold traces.
const ENDINGS: [&str; 8] = [".json", ".jsonl", ".ndjson", ".txt", ".log", ".xml", ".zip", ".eval"];

pub(super) fn find(text: &str, place: Option<&Place>) -> Vec<Clue> {
    let Some(place) = place else { return Vec::new() };
    let found: BTreeSet<&str> = urls(text);
    let mut clues: Vec<(usize, Clue)> = found
        .into_iter()
        .filter_map(|url| Some((text.find(url)?, clue(url, place)?)))
        .collect();
    clues.sort_by_key(|(at, _)| *at);
    clues.into_iter().map(|(_, clue)| clue).collect()
}

fn urls(text: &str) -> BTreeSet<&str> {
    let starts = text.match_indices("http").map(|(at, _)| &text[at..]);
    let urls = starts.filter(|rest| rest.starts_with("https://") || rest.starts_with("http://"));
    urls.map(|rest| {
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, ')' | ']' | '>' | '"' | '\'' | '<' | '`' | '|'))
            .unwrap_or(rest.len());
        rest[..end].trim_end_matches(['.', ',', ';', ':', '!'])
    })
    .collect()
}

fn clue(url: &str, place: &Place) -> Option<Clue> {
    let (host, path) = url.split_once("://")?.1.split_once('/')?;
    if !host.eq_ignore_ascii_case(&place.host) {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    if let ["user-attachments", "files", id, name] = parts[..] {
        return attachment(url, id, name);
    }
    let [owner, repo, rest @ ..] = &parts[..] else {
        return None;
    };
    let ours = owner.eq_ignore_ascii_case(&place.repo.owner) && repo.eq_ignore_ascii_case(&place.repo.name);
    match rest {
        _ if !ours => None,
        ["files", id, name] => attachment(url, id, name),
        ["actions", "runs", run, "artifacts", id] => Some(Clue::Artifact {
            run: run.parse().ok()?,
            id: id.parse().ok()?,
        }),
        ["actions", "runs", run, ..] => Some(Clue::WorkflowRun { id: run.parse().ok()? }),
        _ => None,
    }
}

fn attachment(url: &str, id: &str, name: &str) -> Option<Clue> {
    id.parse::<u64>().ok()?;
    let reads = ENDINGS.iter().any(|ending| name.to_lowercase().ends_with(ending));
    reads.then(|| Clue::Attachment {
        url: url.to_owned(),
        name: name.to_owned(),
    })
}
