//! Which cluster is worked on first, and why.

use super::{Cluster, ClusterBook, Member};
use crate::id::ClusterId;
use crate::severity::Severity;
use serde::Serialize;
use std::fmt;

/// How much a failure weighs when it is one batch older.
const FADING: f64 = 0.9;

/// `value = recurrence × (1 + share) × weight of the severity × (1 − resolution rate)`.
///
/// Recurrence counts every member `0.9^age`, its age being the number of batches since: a failure of ten batches ago weighs a third of one of
/// today. The share is that of all failed runs that show the mechanism. The severity is the worst of any member that is not resolved: what
/// people told of it (labels and form of its issue, `impact` of its trace, a secret that the agent said), else what follows from the
/// rule that found it ([`Severity::of_mechanism`]); low weighs ½, medium 1, high 2, critical 4. The resolution rate is the share of
/// members that the incumbent no longer shows. Where nobody told anything and the rule is an ordinary one, the severity changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rank {
    /// What clusters are ordered by.
    pub value: f64,
    /// Members, those of older batches for less.
    pub recurrence: f64,
    /// From 0 to 1.
    pub share: f64,
    /// How bad it is.
    pub severity: Severity,
    /// Whether somebody told that, and not only the rule.
    pub told: bool,
    /// From 0 to 1.
    pub resolution_rate: f64,
}

impl Rank {
    pub(super) fn of(cluster: &Cluster, now: u32) -> Self {
        let ages = cluster.members.values().map(|member| now.saturating_sub(member.batch));
        let recurrence: f64 = ages
            .map(|age| FADING.powi(i32::try_from(age).unwrap_or(i32::MAX)))
            .sum();
        let (severity, told) = cluster.severity();
        let (share, resolution_rate) = (cluster.share, cluster.resolution_rate());
        Self {
            value: recurrence * (1.0 + share) * severity.weight() * (1.0 - resolution_rate),
            recurrence,
            share,
            severity,
            told,
            resolution_rate,
        }
    }

    /// The numbers alone: `3.0 = 2.0 × 1.50 × 1 × 1.00`, in the order of the formula.
    pub fn in_short(&self) -> String {
        format!(
            "{:.1} = {:.1} × {:.2} × {} × {:.2}",
            self.value,
            self.recurrence,
            1.0 + self.share,
            self.severity.weight(),
            1.0 - self.resolution_rate
        )
    }
}

/// The formula with its numbers: `3.0 = 2.0 recent failures × (1 + 0.50 of all failed runs) × 1 (medium severity, by its rule) × (1 − 0.00 resolved)`.
impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.told { "as told" } else { "by its rule" };
        write!(
            f,
            "{:.1} = {:.1} recent failures × (1 + {:.2} of all failed runs) × {} ({} severity, {by}) × (1 − {:.2} resolved)",
            self.value,
            self.recurrence,
            self.share,
            self.severity.weight(),
            self.severity,
            self.resolution_rate
        )
    }
}

impl Cluster {
    /// How bad it is, and whether somebody told so; see [`Rank`].
    pub fn severity(&self) -> (Severity, bool) {
        let of = |member: &Member| match member.impact {
            Some(told) => (told, true),
            None => (Severity::of_mechanism(&member.mechanism), false),
        };
        let unresolved = self.members.values().filter(|member| !member.resolved);
        let worst = unresolved.map(of).max();
        worst.unwrap_or_else(|| (Severity::of_mechanism(&self.mechanism), false))
    }
}

impl ClusterBook {
    /// Why a cluster has its rank; `None` for one that is not in the book.
    pub fn rank_of(&self, id: &ClusterId) -> Option<Rank> {
        Some(Rank::of(self.clusters.get(id)?, self.now()))
    }

    /// The last batch that added to any cluster.
    pub(super) fn now(&self) -> u32 {
        self.clusters
            .values()
            .map(|cluster| cluster.last_batch)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::record;

    #[test]
    fn the_formula_is_shown_with_its_numbers() {
        let mut book = ClusterBook::default();
        let id = book
            .join(&record("r1", "t1", &[("missing_action", "refund")]), 1)
            .remove(0);
        book.join(&record("r2", "t2", &[("missing_action", "refund")]), 2);
        book.join(&record("r3", "t3", &[("missing_action", "cancel")]), 2);
        let rank = book.rank_of(&id).unwrap();
        assert_eq!(
            rank.to_string(),
            "3.2 = 1.9 recent failures × (1 + 0.67 of all failed runs) × 1 (medium severity, by its rule) × (1 − 0.00 resolved)"
        );
        assert_eq!(rank.in_short(), "3.2 = 1.9 × 1.67 × 1 × 1.00");
        assert!((rank.value - book.ranked()[0].0).abs() < 1e-12);
        assert_eq!(book.rank_of(&ClusterId::new("c-none")), None);
    }

    #[test]
    fn what_people_tell_of_a_failure_outweighs_its_rule_until_it_is_resolved() {
        let mut book = ClusterBook::default();
        let add = |book: &mut ClusterBook, id: &str, rule: &str, impact: Option<Severity>| {
            let mut failure = record(id, id, &[(rule, "refund")]);
            failure.impact = impact;
            book.join(&failure, 1).remove(0)
        };
        let missing = add(&mut book, "a", "missing_action", None);
        add(&mut book, "b", "missing_action", None);
        let extra = add(&mut book, "c", "extra_write", None);
        let first = |book: &ClusterBook| book.ranked()[0].1.id.clone();
        let severity = |book: &ClusterBook, id: &ClusterId| {
            let rank = book.rank_of(id).unwrap();
            (rank.severity, rank.told)
        };
        assert_eq!(severity(&book, &extra), (Severity::High, false));
        assert_eq!(
            first(&book),
            missing,
            "twice as many weigh as much as twice as bad, and are more of all"
        );
        add(&mut book, "d", "missing_action", Some(Severity::Critical));
        assert_eq!(severity(&book, &missing), (Severity::Critical, true));
        book.resolve_record(&missing, &crate::id::RecordId::new("d"));
        assert_eq!(
            severity(&book, &missing),
            (Severity::Medium, false),
            "it is what is left that counts"
        );
        let known = record("c", "c", &[("extra_write", "refund")]);
        let told = crate::failure::FailureRecord {
            impact: Some(Severity::Low),
            ..known.clone()
        };
        assert!(!book.reread(&known, &told), "nothing else has changed");
        assert_eq!(severity(&book, &extra), (Severity::Low, true));
    }
}
