//! Contrast mining: which observation tells the runs in which an action was needed from those in which it was not.
//!
//! A fact that is as frequent in runs that did not need the action as in those that did explains nothing. Every fact of the traces is
//! scored by Youden's J (W. J. Youden, "Index for rating diagnostic tests", 1950): its share among the runs that needed the action minus
//! its share among those that did not. Where no single fact separates, pairs are tried.

use super::observation::{Atom, FieldValue, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// A condition: all facts must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// One or two facts; none means always.
    pub atoms: Vec<Atom>,
    /// How many of the runs that needed the action have it.
    pub hits: usize,
    /// How many of those that did not need it have it.
    pub false_alarms: usize,
    /// Youden's J, from -1 to 1.
    pub j: f64,
}

/// Facts that separate worse than this are noise.
const MIN_J: f64 = 0.4;
/// How many facts are paired with each other.
const PAIR_POOL: usize = 40;

impl Condition {
    /// J less the chance of luck: every further fact costs something.
    #[expect(clippy::cast_precision_loss, reason = "one or two facts")]
    pub fn merit(&self) -> f64 {
        self.j - PER_FACT * self.atoms.len().saturating_sub(1) as f64
    }
}

/// What a further fact costs.
const PER_FACT: f64 = 0.08;

/// What is known of a condition that was tried with the same action, and so of others, by the runs that they hold in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It broke what had worked: whatever holds wherever it holds would break it too. Only what holds in just the same runs and is said by another
    /// tool may still be right where it was wrong.
    Broke,
    /// The same, and nothing has run since that could tell what holds in the same runs from it.
    BrokeNow,
    /// It did nothing for what it was for: whatever holds in no other runs would do nothing either.
    Idle,
    /// It is being tried: what holds in just the same runs is no other change.
    Now,
}

/// What conditions may be made of.
#[expect(missing_debug_implementations, reason = "closures")]
pub struct Terms<'a> {
    /// The action's name and arguments.
    pub about: &'a str,
    /// Facts that are not usable are left out.
    pub usable: &'a dyn Fn(&Atom) -> bool,
    /// What came of a condition, if it was tried.
    pub tried: &'a dyn Fn(&[Atom]) -> Option<Tried>,
}

/// Conditions for an action.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Those that tell the runs apart, the best first.
    pub telling: Vec<Condition>,
    /// No condition at all, unless what was tried speaks against it.
    pub always: Option<Condition>,
}

/// Conditions that tell `needed` from `not_needed`, best first: by J, less what makes a fact likely to be luck (further facts, words of
/// the request, values that name one thing, places in a list), plus the closeness of its words to what it is about. At most `limit`, of different
/// reach: of facts that hold in exactly the same runs only the closest `TWINS` are kept. What was tried rules out others; see [`Tried`].
pub fn conditions(needed: &[Snapshot<'_>], not_needed: &[Snapshot<'_>], terms: &Terms<'_>, limit: usize) -> Found {
    if needed.is_empty() {
        return Found::default();
    }
    let Terms { about, usable, tried } = terms;
    let mut pool = candidates(needed, not_needed, usable);
    pool.retain(|atom| atom.hits.len() > needed.len() / 4 || atom.hits.len() >= 2 || needed.len() == 1);
    sort(&mut pool, about, needed.len(), not_needed.len());
    let mut found: Vec<Reach> = pool
        .iter()
        .filter(|reach| reach.j(needed.len(), not_needed.len()) >= MIN_J)
        .cloned()
        .collect();
    let best_alone = found
        .first()
        .map_or(0.0, |reach| reach.j(needed.len(), not_needed.len()));
    found.extend(pairs(&pool, needed.len(), not_needed.len(), best_alone));
    sort(&mut found, about, needed.len(), not_needed.len());
    let always = Reach {
        atoms: Vec::new(),
        hits: (0..needed.len()).collect(),
        false_alarms: (0..not_needed.len()).collect(),
    };
    let known: Vec<(Tried, Reach)> = found
        .iter()
        .chain([&always])
        .filter_map(|reach| Some((tried(&reach.atoms)?, reach.clone())))
        .collect();
    let open = |reach: &Reach| !known.iter().any(|(tried, by)| reach.is_settled(*tried, by));
    found.retain(open);
    let condition = |reach: Reach| reach.into_condition(needed.len(), not_needed.len());
    Found {
        // Without anything on the other side, J would say too much for it.
        always: open(&always).then(|| Condition {
            j: 0.0,
            ..condition(always)
        }),
        telling: drop_twins(found).into_iter().take(limit).map(condition).collect(),
    }
}

/// How many facts of exactly the same reach are kept: the evidence cannot tell them apart, the gates can.
const TWINS: usize = 3;

/// Facts with the runs they hold in.
#[derive(Debug, Clone)]
struct Reach {
    atoms: Vec<Atom>,
    hits: BTreeSet<usize>,
    false_alarms: BTreeSet<usize>,
}

impl Reach {
    #[expect(clippy::cast_precision_loss, reason = "counts of runs")]
    fn j(&self, needed: usize, not_needed: usize) -> f64 {
        self.hits.len() as f64 / needed.max(1) as f64 - self.false_alarms.len() as f64 / not_needed.max(1) as f64
    }

    /// Whether what was tried tells what would come of this one.
    fn is_settled(&self, tried: Tried, by: &Self) -> bool {
        match tried {
            Tried::Broke => self.is_wherever(by) && (!by.is_wherever(self) || self.tools() == by.tools()),
            Tried::BrokeNow => self.is_wherever(by),
            Tried::Idle => self.hits.is_subset(&by.hits),
            Tried::Now => self.is_wherever(by) && by.is_wherever(self),
        }
    }

    fn tools(&self) -> BTreeSet<Option<&str>> {
        self.atoms.iter().map(Atom::tool).collect()
    }

    fn is_wherever(&self, other: &Self) -> bool {
        self.hits.is_superset(&other.hits) && self.false_alarms.is_superset(&other.false_alarms)
    }

    fn into_condition(self, needed: usize, not_needed: usize) -> Condition {
        let j = self.j(needed, not_needed);
        Condition {
            hits: self.hits.len(),
            false_alarms: self.false_alarms.len(),
            j,
            atoms: self.atoms,
        }
    }
}

fn candidates(needed: &[Snapshot<'_>], not_needed: &[Snapshot<'_>], usable: &dyn Fn(&Atom) -> bool) -> Vec<Reach> {
    let mut atoms: Vec<Atom> = needed.iter().flat_map(Snapshot::atoms).collect();
    atoms.extend(thresholds(needed, not_needed));
    atoms.extend(
        not_needed
            .iter()
            .flat_map(Snapshot::atoms)
            .filter_map(|atom| match atom {
                Atom::Line { tool, line } => Some(Atom::Lacks { tool, line }),
                _ => None,
            }),
    );
    atoms.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    atoms.dedup();
    let names_one = identifying(needed.iter().chain(not_needed));
    atoms.retain(|atom| {
        usable(atom)
            && !matches!(atom, Atom::Field { tool, field, .. } if names_one.contains(&(tool.clone(), field.clone())))
    });
    let reach = |atom: &Atom, snapshots: &[Snapshot<'_>]| {
        snapshots
            .iter()
            .enumerate()
            .filter(|(_, snapshot)| atom.holds(snapshot))
            .map(|(at, _)| at)
            .collect()
    };
    atoms
        .into_iter()
        .map(|atom| Reach {
            hits: reach(&atom, needed),
            false_alarms: reach(&atom, not_needed),
            atoms: vec![atom],
        })
        .collect()
}

/// Fields whose value is another one in nearly every run (names, ids, amounts): that a run has its own value explains nothing.
fn identifying<'a>(snapshots: impl Iterator<Item = &'a Snapshot<'a>>) -> BTreeSet<(String, String)> {
    let mut values: BTreeMap<(String, String), Vec<FieldValue>> = BTreeMap::new();
    for (tool, field, value) in snapshots.flat_map(Snapshot::fields) {
        values
            .entry((tool.to_owned(), field.to_owned()))
            .or_default()
            .push(value.clone());
    }
    let many = |seen: &Vec<FieldValue>| {
        let mut distinct = seen.clone();
        distinct.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        distinct.dedup();
        distinct.len() >= 4 && distinct.len() * 3 >= seen.len()
    };
    values
        .into_iter()
        .filter(|(_, seen)| many(seen))
        .map(|(field, _)| field)
        .collect()
}

/// For each numeric field one threshold in each direction: half way between the two groups, where they do not overlap.
fn thresholds(needed: &[Snapshot<'_>], not_needed: &[Snapshot<'_>]) -> Vec<Atom> {
    type Range = BTreeMap<(String, String), (f64, f64)>;
    let range = |snapshots: &[Snapshot<'_>]| {
        let mut ranges = Range::new();
        for (tool, field, number) in snapshots.iter().flat_map(|snapshot| snapshot.numbers()) {
            let range = ranges
                .entry((tool.to_owned(), field.to_owned()))
                .or_insert((number, number));
            *range = (range.0.min(number), range.1.max(number));
        }
        ranges
    };
    let others = range(not_needed);
    let mut atoms = Vec::new();
    for ((tool, field), (low, high)) in range(needed) {
        let Some(&(other_low, other_high)) = others.get(&(tool.clone(), field.clone())) else {
            continue;
        };
        if low > other_high {
            atoms.push(Atom::AtLeast {
                tool,
                field,
                value: between(other_high, low),
            });
        } else if high < other_low {
            atoms.push(Atom::AtMost {
                tool,
                field,
                value: between(high, other_low),
            });
        }
    }
    atoms
}

/// The roundest number in `(low, high]` near the middle.
fn between(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    let round = |digits: i32| (middle * 10f64.powi(digits)).round() / 10f64.powi(digits);
    (-3..=6)
        .map(round)
        .find(|&value| value > low && value <= high)
        .unwrap_or(high)
}

/// Pairs of facts that both hold in every run that needed the action (or nearly), and together separate better than any one alone.
fn pairs(pool: &[Reach], needed: usize, not_needed: usize, best_alone: f64) -> Vec<Reach> {
    if best_alone >= 1.0 {
        return Vec::new();
    }
    let mut by_recall: Vec<&Reach> = pool.iter().filter(|reach| !reach.hits.is_empty()).collect();
    by_recall.sort_by_key(|reach| std::cmp::Reverse(reach.hits.len()));
    // The ubiquitous facts hold everywhere and add nothing to a pair.
    by_recall.retain(|reach| reach.false_alarms.len() < not_needed);
    by_recall.truncate(PAIR_POOL);
    let mut found = Vec::new();
    for (at, first) in by_recall.iter().enumerate() {
        for second in &by_recall[at + 1..] {
            let both = Reach {
                atoms: first.atoms.iter().chain(&second.atoms).cloned().collect(),
                hits: first.hits.intersection(&second.hits).copied().collect(),
                false_alarms: first.false_alarms.intersection(&second.false_alarms).copied().collect(),
            };
            let alone = first.j(needed, not_needed).max(second.j(needed, not_needed));
            if both.j(needed, not_needed) > alone.max(MIN_J) {
                found.push(both);
            }
        }
    }
    found
}

fn sort(found: &mut [Reach], about: &str, needed: usize, not_needed: usize) {
    let about = trigrams(about);
    found.sort_by_cached_key(|reach| {
        let words: String = reach.atoms.iter().map(Atom::describe).collect();
        let closeness = overlap(&about, &trigrams(&words));
        let luck: f64 = reach.atoms.iter().map(luck).sum::<f64>() - PER_FACT;
        (
            Descending(reach.j(needed, not_needed) - luck + CLOSENESS * closeness),
            words.len(),
        )
    });
}

/// How much closeness of words weighs against J.
const CLOSENESS: f64 = 0.25;

/// What a fact costs: more, where there are many of its kind, so that one of them separates by chance.
fn luck(atom: &Atom) -> f64 {
    let kind = match atom {
        Atom::Phrase { .. } => 0.06,
        Atom::Field {
            value: FieldValue::Text(text),
            ..
        } if text.chars().any(|c| c.is_ascii_digit()) => 0.06,
        Atom::Line { line, .. } | Atom::Lacks { line, .. } if line.chars().any(|c| c.is_ascii_digit()) => 0.02,
        Atom::Lacks { .. } => 0.01,
        Atom::Line { .. } | Atom::Field { .. } | Atom::AtLeast { .. } | Atom::AtMost { .. } => 0.0,
    };
    let in_list =
        matches!(atom, Atom::Field { field, .. } if field.split('.').any(|part| part.parse::<usize>().is_ok()));
    PER_FACT + kind + if in_list { 0.03 } else { 0.0 }
}

/// Larger first; the numbers here are never NaN.
#[derive(PartialEq)]
struct Descending(f64);

impl PartialOrd for Descending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Descending {}

impl Ord for Descending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0)
    }
}

fn drop_twins(found: Vec<Reach>) -> Vec<Reach> {
    let mut seen: BTreeMap<(BTreeSet<usize>, BTreeSet<usize>), usize> = BTreeMap::new();
    let mut keep = |reach: &Reach| {
        let count = seen
            .entry((reach.hits.clone(), reach.false_alarms.clone()))
            .or_default();
        *count += 1;
        *count <= TWINS
    };
    found.into_iter().filter(|reach| keep(reach)).collect()
}

/// Letter trigrams without punctuation, so that `Wi-Fi Calling` is close to `toggle_wifi_calling`.
fn trigrams(text: &str) -> BTreeSet<String> {
    let letters: Vec<char> = text
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    letters.windows(3).map(|window| window.iter().collect()).collect()
}

/// Cosine of two sets.
#[expect(clippy::cast_precision_loss, reason = "counts of trigrams")]
fn overlap(left: &BTreeSet<String>, right: &BTreeSet<String>) -> f64 {
    let shared = left.intersection(right).count() as f64;
    let size = (left.len() as f64 * right.len() as f64).sqrt();
    if size > 0.0 { shared / size } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot<'a>(input: &'a str, results: &[(&'a str, &'a str)]) -> Snapshot<'a> {
        Snapshot::from_parts(input, results.iter().copied())
    }

    fn found(
        needed: &[Snapshot<'_>],
        not_needed: &[Snapshot<'_>],
        about: &str,
        tried: &dyn Fn(&[Atom]) -> Option<Tried>,
        limit: usize,
    ) -> Found {
        let usable = &|_: &Atom| true;
        conditions(needed, not_needed, &Terms { about, usable, tried }, limit)
    }

    fn describe(conditions: &[Condition]) -> Vec<String> {
        let all = |condition: &Condition| {
            condition
                .atoms
                .iter()
                .map(Atom::describe)
                .collect::<Vec<_>>()
                .join(" and ")
        };
        conditions.iter().map(all).collect()
    }

    #[test]
    fn the_line_that_separates_and_sounds_like_the_action_comes_first() {
        let needed = [
            snapshot(
                "no mms",
                &[("status", "Airplane: OFF\nWi-Fi Calling: ON\nBattery: low")],
            ),
            snapshot(
                "mms broken",
                &[("status", "Airplane: ON\nWi-Fi Calling: ON\nBattery: low")],
            ),
        ];
        let not_needed = [snapshot(
            "slow",
            &[("status", "Airplane: ON\nWi-Fi Calling: OFF\nBattery: full")],
        )];
        let found = found(&needed, &not_needed, "toggle_wifi_calling", &|_| None, 3).telling;
        assert_eq!(describe(&found)[0], "`status` says \"Wi-Fi Calling: ON\"");
        assert_eq!((found[0].hits, found[0].false_alarms), (2, 0));
    }

    #[test]
    fn a_fact_as_frequent_without_need_explains_nothing() {
        let needed = [snapshot("", &[("status", "Signal: none")])];
        let not_needed = [
            snapshot("", &[("status", "Signal: none")]),
            snapshot("", &[("status", "Signal: none")]),
        ];
        assert!(found(&needed, &not_needed, "reboot", &|_| None, 3).telling.is_empty());
    }

    #[test]
    fn thresholds_lie_between_the_groups_at_a_round_number() {
        let needed = [
            snapshot("", &[("line", r#"{"used": 15.1}"#)]),
            snapshot("", &[("line", r#"{"used": 16}"#)]),
        ];
        let not_needed = [
            snapshot("", &[("line", r#"{"used": 3.2}"#)]),
            snapshot("", &[("line", r#"{"used": 8}"#)]),
        ];
        let found = found(&needed, &not_needed, "refuel", &|_| None, 3).telling;
        assert_eq!(describe(&found)[0], "`used` of `line` is at least 10");
    }

    #[test]
    fn two_facts_together_where_none_alone_is_enough() {
        let make = |a, b| snapshot("", &[("a", a), ("b", b)]);
        let needed = [make("late", "gold"), make("late", "gold")];
        let not_needed = [make("late", "plain"), make("early", "gold"), make("early", "plain")];
        let found = found(&needed, &not_needed, "", &|_| None, 1).telling;
        assert_eq!(describe(&found), ["`a` says \"late\" and `b` says \"gold\""]);
    }

    /// Two accounts that needed a call and four that did not; one of these was late too, and one more is not new.
    fn accounts() -> ([Snapshot<'static>; 2], [Snapshot<'static>; 4]) {
        let make = |a: &'static str, b| {
            let due = if a.starts_with("late") { "due" } else { "paid" };
            snapshot("", &[("a", a), ("b", b), ("c", due)])
        };
        (
            [make("late, old", "gold"), make("late, old", "plain")],
            [
                make("late, old", "red"),
                make("old", "blue"),
                make("new", "blue"),
                make("new", "red"),
            ],
        )
    }

    #[test]
    fn what_holds_wherever_a_harmful_condition_holds_is_not_tried() {
        let (needed, not_needed) = accounts();
        let of = |tried: &dyn Fn(&[Atom]) -> Option<Tried>| found(&needed, &not_needed, "", tried, 40);
        let said = |found: &Found| describe(&found.telling);
        let late = |atoms: &[Atom]| matches!(atoms, [Atom::Line { line, .. }] if line == "late, old");
        let untried = of(&|_| None);
        for line in [
            "`a` says \"late, old\"",
            "`a` does not say \"new\"",
            "`b` does not say \"red\"",
        ] {
            assert!(said(&untried).contains(&line.to_owned()), "{line}: {untried:#?}");
        }
        assert!(untried.always.is_some());

        let harmed = of(&|atoms| late(atoms).then_some(Tried::BrokeNow));
        assert!(
            !said(&harmed).iter().any(|one| one == "`a` says \"late, old\""),
            "itself"
        );
        assert!(
            !said(&harmed).iter().any(|one| one == "`a` does not say \"new\""),
            "holds wherever it holds"
        );
        assert!(
            said(&harmed).contains(&"`b` does not say \"red\"".to_owned()),
            "does not: {harmed:#?}"
        );
        assert!(
            said(&harmed).iter().any(|one| one.contains(" and ")),
            "narrower: {harmed:#?}"
        );
        assert_eq!(harmed.always, None, "always is wherever");

        let due = "`c` says \"due\"".to_owned();
        assert!(
            said(&untried).contains(&due) && !said(&harmed).contains(&due),
            "the same runs"
        );
        let before = of(&|atoms| late(atoms).then_some(Tried::Broke));
        assert!(
            said(&before).contains(&due),
            "said by another tool, it may differ by now"
        );
        for line in ["`a` says \"late, old\"", "`a` does not say \"new\""] {
            assert!(!said(&before).contains(&line.to_owned()), "{line}");
        }

        let idle = of(&|atoms| late(atoms).then_some(Tried::Idle));
        assert_eq!(idle, Found::default(), "nothing holds in more of those that needed it");

        let now = of(&|atoms| late(atoms).then_some(Tried::Now));
        assert!(!said(&now).iter().any(|one| one == "`a` says \"late, old\""), "itself");
        assert!(
            said(&now).contains(&"`a` does not say \"new\"".to_owned()),
            "another reach"
        );
    }
}
