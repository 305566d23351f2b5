//! Values that are put together from pieces in whatever order: `A = '4711'`, `B = 'return'`, then `B + A`.

use super::added::{Added, decoded, tokens};
use std::collections::BTreeSet;

/// Pieces that are put together stand at most so many added lines apart.
const NEAR: usize = 12;
/// The least letters of a piece.
const LEAST: usize = 2;

/// The quoted texts and numbers of the added lines that are code or data.
#[derive(Debug, Default)]
pub(super) struct Shuffled {
    /// Per line, with its file; empty for texts for people.
    lines: Vec<(String, Vec<String>)>,
    all: BTreeSet<String>,
}

impl Shuffled {
    pub(super) fn of(added: &[Added<'_>]) -> Self {
        let pieces = |line: &Added<'_>| {
            let mut found = if line.is_prose() {
                Vec::new()
            } else {
                tokens(&decoded(line.text))
            };
            found.retain(|piece| piece.chars().count() >= LEAST);
            (line.path.to_owned(), found)
        };
        let lines: Vec<(String, Vec<String>)> = added.iter().map(pieces).collect();
        let all = lines.iter().flat_map(|(_, pieces)| pieces.iter().cloned()).collect();
        Self { lines, all }
    }

    /// The index of the line in which the pieces of a squashed value begin to stand together.
    pub(super) fn find(&self, value: &str) -> Option<usize> {
        if !is_made_of(value, &self.all) {
            return None;
        }
        (0..self.lines.len()).find(|&at| {
            let (path, _) = &self.lines[at];
            let near = self.lines[at..].iter().take(NEAR).take_while(|(of, _)| of == path);
            let pieces: BTreeSet<String> = near.flat_map(|(_, pieces)| pieces.iter().cloned()).collect();
            is_made_of(value, &pieces)
        })
    }
}

/// Whether a text is two or more of the pieces, one after the other.
fn is_made_of(text: &str, pieces: &BTreeSet<String>) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for at in 0..text.len() {
        if reached[at] && text.is_char_boundary(at) {
            let fits = pieces
                .iter()
                .filter(|piece| piece.len() < text.len() && text[at..].starts_with(piece.as_str()));
            fits.for_each(|piece| reached[at + piece.len()] = true);
        }
    }
    reached[text.len()]
}
