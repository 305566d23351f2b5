//! Clusters: failure records with one mechanism.

use crate::failure::{FailureRecord, Mechanism};
use crate::id::{ClusterId, RecordId, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Failure records with one mechanism. A record with several root causes belongs to several clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// For life.
    pub id: ClusterId,
    /// What the members share.
    pub mechanism: Mechanism,
    /// A title a person understands.
    pub title: String,
    /// The members, and whether each is resolved by the incumbent.
    pub members: BTreeMap<RecordId, Member>,
    /// From 0 to 1.
    pub severity: f64,
    /// Where it stands.
    pub state: ClusterState,
    /// The batch that founded it, and the last one that added to it.
    pub first_batch: u32,
    /// See `first_batch`.
    pub last_batch: u32,
}

/// One record in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its task.
    pub task: TaskId,
    /// The batch it failed in.
    pub batch: u32,
    /// Whether the incumbent no longer shows the mechanism on this task.
    pub resolved: bool,
}

/// Where a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterState {
    /// Nobody works on it.
    Open,
    /// A candidate is being evaluated.
    InProgress,
    /// No member shows the mechanism any more.
    Resolved,
    /// It was resolved and failed again.
    Reopened,
    /// A person said so.
    Ignored,
}

impl Cluster {
    /// Failures ever seen.
    pub fn total_failures(&self) -> usize {
        self.members.len()
    }

    /// Failures that the incumbent no longer shows.
    pub fn resolved(&self) -> usize {
        self.members.values().filter(|member| member.resolved).count()
    }

    /// `resolved / total_failures`, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "counts of failures stay far below 2^52")]
    pub fn resolution_rate(&self) -> f64 {
        self.resolved() as f64 / (self.total_failures().max(1)) as f64
    }
}

/// All clusters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterBook {
    /// By id.
    pub clusters: BTreeMap<ClusterId, Cluster>,
}

impl ClusterBook {
    /// Puts a record into the clusters of its mechanisms, founding those that do not exist yet. Joining twice changes nothing.
    pub fn join(&mut self, _record: &FailureRecord, _batch: u32) -> Vec<ClusterId> {
        Vec::new()
    }
}

impl ClusterBook {
    pub fn set_state(&mut self, _: &ClusterId, _: ClusterState) {}
    pub fn resolve_task(&mut self, _: &TaskId) {}
    pub fn resolve_record(&mut self, _: &ClusterId, _: &RecordId) {}
    pub fn ranked(&self) -> Vec<(f64, &Cluster)> { Vec::new() }
}
