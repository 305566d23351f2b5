//! The state branch in the hands of somebody else: what whoever may push can do to it. For tests, and for `sprag bench safety`.

use super::{StoreError, failed, files, tree};
use crate::workspace::own_repository;
use git2::{Index, Repository, Signature, Time, TreeWalkMode, TreeWalkResult};
use std::collections::BTreeMap;
use std::path::Path;

/// What stands on the branch, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A bare repository to push to.
pub(crate) fn server(path: &Path) -> Result<(), StoreError> {
    fs_err::create_dir_all(path)?;
    own_repository(path)?;
    Ok(())
}

/// Everything on the branch; nothing when there is none.
pub(crate) fn read(server: &Path, branch: &str) -> Result<Files, StoreError> {
    let there = Repository::open(server).map_err(failed)?;
    let mut files = Files::new();
    let Ok(commit) = there.find_reference(&format!("refs/heads/{branch}")) else {
        return Ok(files);
    };
    let tree = commit.peel_to_tree().map_err(failed)?;
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if let Ok(blob) = there.find_blob(entry.id()) {
            let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
            files.insert(path, blob.content().to_vec());
        }
        TreeWalkResult::Ok
    })
    .map_err(failed)?;
    Ok(files)
}

/// Commits these files and nothing else on the branch, on top of its past or without one.
pub(crate) fn commit(server: &Path, branch: &str, files: &Files, keep_history: bool) -> Result<(), StoreError> {
    let there = Repository::open(server).map_err(failed)?;
    let mut index = Index::new().map_err(failed)?;
    for (path, bytes) in files {
        let blob = there.blob(bytes).map_err(failed)?;
        index.add(&tree::entry(path, blob, 0o100_644)).map_err(failed)?;
    }
    let written = index.write_tree_to(&there).map_err(failed)?;
    let tree = there.find_tree(written).map_err(failed)?;
    let who = Signature::new("somebody", "somebody@localhost", &Time::new(0, 0)).map_err(failed)?;
    let name = format!("refs/heads/{branch}");
    let head = there
        .find_reference(&name)
        .and_then(|head| head.peel_to_commit())
        .map_err(failed)?;
    let parents = if keep_history { vec![&head] } else { vec![] };
    let id = there
        .commit(None, &who, &who, "by hand", &tree, &parents)
        .map_err(failed)?;
    there.reference(&name, id, true, "by hand").map_err(failed)?;
    Ok(())
}

/// Deletes the branch.
pub(crate) fn delete(server: &Path, branch: &str) -> Result<(), StoreError> {
    let there = Repository::open(server).map_err(failed)?;
    let head = there.find_reference(&format!("refs/heads/{branch}"));
    head.and_then(|mut head| head.delete()).map_err(failed)
}

/// How often each fact stands on the branch, by id.
pub(crate) fn counts(files: &Files) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (path, bytes) in files {
        let text = match files::kind(path) {
            files::Kind::Events(_) => bytes.clone(),
            files::Kind::Segment(_) => zstd::decode_all(bytes.as_slice()).unwrap_or_default(),
            _ => continue,
        };
        for line in String::from_utf8_lossy(&text).lines().skip(1) {
            if let Ok(stored) = serde_json::from_str::<super::Stored>(line) {
                *counts.entry(stored.id).or_default() += 1;
            }
        }
    }
    counts
}

/// The path and the text of a file of events with these lines, as [`super::BranchStore`] would write it.
pub(crate) fn events(lines: &str, version: u32) -> (String, Vec<u8>) {
    let header = serde_json::json!({
        "v": version, "n": lines.lines().count(), "sha256": sprag_core::hash::sha256(lines)
    });
    let text = format!("{header}\n{lines}");
    let path = format!(
        "events/2026/07/20260725T000000Z-{}.jsonl",
        &sprag_core::hash::of_text(&text)[..12]
    );
    (path, text.into_bytes())
}
