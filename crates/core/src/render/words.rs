//! The small words that several views share: counts, scores, states, and what a gate mode means.

use crate::candidate::Verdict;
use crate::case::CaseState;
use crate::cluster::{Cluster, ClusterState, Rank};
use crate::config::GateMode;
use crate::gate::holdout::Asked;
use crate::score::Scorecard;

/// What the answers of a held-out set of so many tasks may have done to a score on it.
pub(super) fn optimism(asked: Asked, tasks: u32) -> String {
    let points = 100.0 * asked.optimism(tasks);
    if points < 0.5 {
        return "which makes no score on it too good".to_owned();
    }
    format!(
        "which makes a score on it at most {points:.0} points too good, and so much only for a proposer that aims at it"
    )
}

/// Where a case stands, in a word.
pub(super) fn case_state(state: CaseState) -> &'static str {
    match state {
        CaseState::Candidate => "candidate",
        CaseState::Unconfirmed => "unconfirmed",
        CaseState::Open => "open",
        CaseState::Resolved => "fixed",
        CaseState::Promoted => "in the suite",
        CaseState::Quarantined => "quarantined",
        CaseState::Retired => "retired",
    }
}

/// `1 task`, `2 tasks`, `1,204 tasks`: for nouns that take an `s`.
pub(super) fn count(n: impl TryInto<u64>, noun: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {noun}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// A whole number with commas between the thousands.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A score from 0 to 1 with three decimals.
pub(super) fn score(value: f64) -> String {
    format!("{value:.3}")
}

/// `31/40 (0.775)`, with the trials that have no verdict named; `not measured` when nothing has one.
pub(super) fn result(card: &Scorecard) -> String {
    let Some(value) = card.score() else {
        return if card.errored == 0 {
            "nothing to run".to_owned()
        } else {
            without_verdict(card)
        };
    };
    let measured = format!("{}/{} ({})", card.passed, card.passed + card.failed, score(value));
    if card.errored == 0 {
        measured
    } else {
        format!("{measured}, {}", without_verdict(card))
    }
}

fn without_verdict(card: &Scorecard) -> String {
    format!("{} without a verdict", card.errored)
}

/// What the incumbent scored on the same trials, as far as the pairing tells: only when every task has a verdict and none wavers.
pub(super) fn before(card: &Scorecard) -> Option<Scorecard> {
    let passed = (card.passed + card.broken).checked_sub(card.fixed)?;
    let failed = (card.failed + card.fixed).checked_sub(card.broken)?;
    (card.complete() && card.wavering == 0).then(|| Scorecard {
        passed,
        failed,
        ..Scorecard::default()
    })
}

/// Trials that went the same way as on the incumbent.
pub(super) fn unchanged(card: &Scorecard) -> u32 {
    (card.passed + card.failed).saturating_sub(card.fixed + card.broken + card.wavering)
}

/// What held the code of others while something was measured, as a sentence behind another one. Not told when nothing was measured.
pub(super) fn sandbox(tier: &str) -> String {
    match tier {
        "" => String::new(),
        "none" => " **The code ran without a sandbox**, as `sprag.toml` says.".to_owned(),
        tier => format!(" The code ran in a sandbox of tier {tier}."),
    }
}

/// The name of a gate mode, as `sprag.toml` spells it.
pub(super) fn gate_mode(mode: GateMode) -> &'static str {
    match mode {
        GateMode::Efficient => "efficient",
        GateMode::Assured => "assured",
        GateMode::Strict => "strict",
    }
}

/// What a reader should know about the results of a gate mode.
pub(super) fn gate_caveat(mode: GateMode) -> &'static str {
    match mode {
        GateMode::Efficient => {
            "This mode keeps what is expected to be better, for the runs that it is worth. It promises no rate of errors: of the changes that it keeps, \
             about one in ten does harm, and later ones find that out."
        }
        GateMode::Assured => {
            "This mode keeps what is proven, however often one looks: of changes that are not better, it keeps no more than the rate `alpha`."
        }
        GateMode::Strict => {
            "This mode takes one trial per task, and accepts a validation score equal to the best seen. It is known to be optimistic: \
             an agent that is not deterministic can pass it by luck."
        }
    }
}

/// A probability in words: `9 in 10`.
pub(super) use crate::gate::odds;

/// Where a cluster stands.
pub(super) fn cluster_state(state: ClusterState) -> &'static str {
    match state {
        ClusterState::Open => "open",
        ClusterState::InProgress => "in progress",
        ClusterState::Resolved => "resolved",
        ClusterState::Reopened => "reopened",
        ClusterState::Ignored => "ignored",
    }
}

/// The batches a cluster was seen in: `in batch 3`, `in batches 2 to 5`.
pub(super) fn batches_of(cluster: &Cluster) -> String {
    if cluster.first_batch == cluster.last_batch {
        format!("in batch {}", cluster.first_batch)
    } else {
        format!("in batches {} to {}", cluster.first_batch, cluster.last_batch)
    }
}

/// A verdict, or that there is none yet.
pub(super) fn verdict(verdict: Option<&(Verdict, String)>) -> String {
    verdict.map_or_else(|| "running".to_owned(), |(verdict, _)| verdict.to_string())
}

/// `a`, `a and b`, `a, b and c`; after `most` items the rest is counted: `a, b and 7 more`.
pub(super) fn list(items: &[String], most: usize) -> String {
    let shown = &items[..items.len().min(most)];
    match (shown, items.len() - shown.len()) {
        ([], _) => "none".to_owned(),
        (shown, more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        ([only], _) => only.clone(),
        ([head @ .., last], _) => format!("{} and {last}", head.join(", ")),
    }
}

/// How bad a cluster is, and why it has its rank: `high severity as told, rank 6.0 = 1.5 × 2.00 × 2 × 1.00`.
pub(super) fn rank(rank: &Rank) -> String {
    let told = if rank.told { " as told" } else { "" };
    format!("{} severity{told}, rank {}", rank.severity, rank.in_short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_english() {
        assert_eq!(count(1u64, "task"), "1 task");
        assert_eq!(count(0u64, "task"), "0 tasks");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(123), "123");
    }

    #[test]
    fn the_incumbents_score_follows_from_the_pairing() {
        let card = Scorecard {
            passed: 30,
            failed: 10,
            fixed: 4,
            broken: 1,
            ..Scorecard::default()
        };
        assert_eq!(before(&card).map(|card| (card.passed, card.failed)), Some((27, 13)));
        assert_eq!(unchanged(&card), 35);
        assert_eq!(before(&Scorecard { errored: 1, ..card }), None);
    }

    #[test]
    fn results_never_hide_missing_verdicts() {
        assert_eq!(result(&Scorecard::default()), "nothing to run");
        assert_eq!(
            result(&Scorecard {
                errored: 2,
                ..Scorecard::default()
            }),
            "2 without a verdict"
        );
        let card = Scorecard {
            passed: 1,
            failed: 1,
            errored: 1,
            ..Scorecard::default()
        };
        assert_eq!(result(&card), "1/2 (0.500), 1 without a verdict");
    }

    #[test]
    fn lists_stop_counting_names() {
        let items: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(list(&items, 2), "a, b and 2 more");
        assert_eq!(list(&items, 4), "a, b, c and d");
        assert_eq!(list(&items[..1], 4), "a");
        assert_eq!(list(&[], 4), "none");
    }
}
