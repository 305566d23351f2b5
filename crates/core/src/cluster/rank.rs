//! Which cluster is worked on first, and why.

use super::{Cluster, ClusterBook};
use crate::id::ClusterId;
use serde::Serialize;
use std::fmt;

/// How much a failure weighs when it is one batch older.
const FADING: f64 = 0.9;

/// `value = recurrence × (1 + severity) × (1 − resolution rate)`.
///
/// Recurrence counts every member `0.9^age`, its age being the number of batches since: a failure of ten batches ago weighs a third of one of
/// today. Severity is the share of all failed runs that show the mechanism. The resolution rate is the share of members that the incumbent no
/// longer shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rank {
    /// What clusters are ordered by.
    pub value: f64,
    /// Members, those of older batches for less.
    pub recurrence: f64,
    /// From 0 to 1.
    pub severity: f64,
    /// From 0 to 1.
    pub resolution_rate: f64,
}

impl Rank {
    pub(super) fn of(cluster: &Cluster, now: u32) -> Self {
        let ages = cluster.members.values().map(|member| now.saturating_sub(member.batch));
        let recurrence: f64 = ages
            .map(|age| FADING.powi(i32::try_from(age).unwrap_or(i32::MAX)))
            .sum();
        let (severity, resolution_rate) = (cluster.severity, cluster.resolution_rate());
        Self {
            value: recurrence * (1.0 + severity) * (1.0 - resolution_rate),
            recurrence,
            severity,
            resolution_rate,
        }
    }
}

/// The formula with its numbers: `3.0 = 2.0 recent failures × (1 + 0.50 of all failed runs) × (1 − 0.00 resolved)`.
impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} = {:.1} recent failures × (1 + {:.2} of all failed runs) × (1 − {:.2} resolved)",
            self.value, self.recurrence, self.severity, self.resolution_rate
        )
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
            "3.2 = 1.9 recent failures × (1 + 0.67 of all failed runs) × (1 − 0.00 resolved)"
        );
        assert!((rank.value - book.ranked()[0].0).abs() < 1e-12);
        assert_eq!(book.rank_of(&ClusterId::new("c-none")), None);
    }
}
