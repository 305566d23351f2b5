//! Carrying a change over to another harness: a merge of three texts by lines, as `diff3` does it (Khanna, Kunal, Pierce, "A formal investigation of
//! diff3", 2007), with one difference: lines that both sides have put at the same place are all kept. Steps, rules and examples are appended to
//! lists, and two changes that append to one list are compatible.

use crate::harness::Harness;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::ops::Range;

/// A stretch of the old text, and the lines that take its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hunk<'a> {
    old: Range<usize>,
    new: Vec<&'a str>,
}

/// What `theirs` changes of `base`, done to `ours`. `None` where both change the same lines in different ways.
pub fn text(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let base = lines(base);
    let (mut ours, mut theirs) = (
        hunks(&base, &lines(ours)).into_iter().peekable(),
        hunks(&base, &lines(theirs)).into_iter().peekable(),
    );
    let mut merged = String::new();
    let mut at = 0;
    loop {
        let hunk = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => ours.next()?,
            (None, Some(_)) => theirs.next()?,
            (Some(our), Some(their)) if our == their => {
                theirs.next();
                ours.next()?
            }
            (Some(our), Some(their)) if our.old.is_empty() && their.old.is_empty() && our.old == their.old => {
                ours.next()?
            }
            (Some(our), Some(their)) if our.old.end <= their.old.start && our.old != their.old => ours.next()?,
            (Some(our), Some(their)) if their.old.end <= our.old.start && our.old != their.old => theirs.next()?,
            _ => return None,
        };
        base.get(at..hunk.old.start)?
            .iter()
            .for_each(|line| merged.push_str(line));
        hunk.new.iter().for_each(|line| merged.push_str(line));
        at = hunk.old.end;
    }
    base.get(at..)?.iter().for_each(|line| merged.push_str(line));
    Some(merged)
}

/// What makes `to` of `from`, done to `onto`. `None` where it does not fit, or would change nothing.
pub fn harness(from: &Harness, to: &Harness, onto: &Harness) -> Option<Harness> {
    let mut changes = from.changes_to(to);
    for change in &mut changes {
        let (before, here) = (from.get(&change.path), onto.get(&change.path));
        match (before, here, &mut change.text) {
            _ if before == here => {}
            (Some(before), Some(here), Some(after)) => *after = text(before, here, after)?,
            (_, here, after) if here == after.as_deref() => {}
            _ => return None,
        }
    }
    let merged = onto.with(&changes);
    (merged != *onto).then_some(merged)
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn hunks<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Hunk<'a>> {
    let changed = |op: DiffOp| {
        let (old, lines) = (op.old_range(), new.get(op.new_range())?.to_vec());
        (!matches!(op, DiffOp::Equal { .. })).then_some(Hunk { old, new: lines })
    };
    capture_diff_slices(Algorithm::Myers, old, new)
        .into_iter()
        .filter_map(changed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_changes_append_to_one_place_is_all_kept_and_can_be_taken_out_again() {
        let base = "a\nb\n";
        let both = text(base, "a\nb\nc\n", "a\nb\nd\n").unwrap();
        assert_eq!(both, "a\nb\nc\nd\n");
        assert_eq!(text("a\nb\nc\n", &both, base).unwrap(), "a\nb\nd\n", "without c");
    }

    #[test]
    fn changes_of_different_lines_are_merged_and_those_of_the_same_are_not() {
        assert_eq!(text("a\nb\nc\n", "x\nb\nc\n", "a\nb\ny\n").unwrap(), "x\nb\ny\n");
        assert_eq!(text("a\nb\n", "x\nb\n", "y\nb\n"), None);
        assert_eq!(text("a\nb\n", "b\n", "x\nb\n"), None, "changed here and deleted there");
        assert_eq!(text("a\nb\n", "x\nb\n", "x\nb\n").unwrap(), "x\nb\n", "the same change");
        assert_eq!(text("a", "a\nb", "a\nb").unwrap(), "a\nb", "no newline at the end");
    }

    #[test]
    fn a_change_is_carried_over_file_by_file() {
        let of = |files: &[(&str, &str)]| Harness::new(files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())));
        let from = of(&[("p", "a\n"), ("q", "q\n")]);
        let to = of(&[("p", "a\nb\n"), ("q", "q\n"), ("new", "n\n")]);
        let onto = of(&[("p", "z\na\n"), ("q", "other\n")]);
        let merged = harness(&from, &to, &onto).unwrap();
        assert_eq!(merged, of(&[("p", "z\na\nb\n"), ("q", "other\n"), ("new", "n\n")]));
        assert_eq!(harness(&from, &to, &merged), None, "it is there already");
        assert_eq!(harness(&to, &from, &merged).unwrap(), onto, "and taken out again");
        assert_eq!(harness(&from, &to, &of(&[("q", "q\n")])), None, "the file is gone");
    }
}
