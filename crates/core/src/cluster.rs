//! Clusters: failure records with one mechanism.

mod curate;
mod explain;
mod neighbour;
mod part;
mod rank;
mod revise;
mod signature;
mod title;

pub use curate::{Likeness, Question, ask, questions, read as read_answer, texts};
pub(crate) use curate::{alike_to, shown};
pub use explain::{Explanation, Trend, explain};
pub use rank::Rank;
pub use revise::{Author, Change, Revision, part_of};
pub use signature::signature;
pub use title::of as title;

use crate::failure::{FailureKind, FailureRecord, Mechanism};
use crate::hash;
use crate::id::{ClusterId, RecordId, TaskId};
use crate::severity::Severity;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Failures of one cluster that a run is told.
const TOLD_OF_A_CLUSTER: usize = 200;
/// About the most failures that a run is told.
const TOLD: usize = 2_000;

/// Failure records with one mechanism. A record with several root causes belongs to several clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// For life.
    pub id: ClusterId,
    /// What the members share.
    pub mechanism: Mechanism,
    /// Further mechanisms that were found to be the same.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<Mechanism>,
    /// A title a person understands.
    pub title: String,
    /// The members, and whether each is resolved by the incumbent.
    pub members: BTreeMap<RecordId, Member>,
    /// The share of all failed runs that show it, from 0 to 1.
    pub share: f64,
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
    /// Which of the cluster's mechanisms it shows.
    pub mechanism: Mechanism,
    /// How bad it was, where somebody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Severity>,
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

    /// Whether the cluster may go to a state. Work begins on what is unresolved and ends by giving it back (open, reopened) or by
    /// resolving it. Resolved means that every member is; what is resolved only comes back as reopened. A person may ignore
    /// any cluster, and open an ignored one again.
    pub fn may_become(&self, state: ClusterState) -> bool {
        use ClusterState::{Ignored, InProgress, Open, Reopened, Resolved};
        match (self.state, state) {
            (Open | Reopened, InProgress) | (InProgress, Open | Reopened) | (Resolved, Reopened) | (Ignored, Open) => {
                true
            }
            (Open | InProgress | Reopened, Resolved) => self.resolved() == self.total_failures(),
            (from, Ignored) => from != Ignored,
            _ => false,
        }
    }

    /// Whether a mechanism is that of the cluster.
    pub fn shows(&self, mechanism: &Mechanism) -> bool {
        self.mechanism == *mechanism || self.also.contains(mechanism)
    }

    /// Takes in all of another cluster.
    fn take_over(&mut self, gone: Self) {
        self.first_batch = self.first_batch.min(gone.first_batch);
        self.last_batch = self.last_batch.max(gone.last_batch);
        self.also.extend(gone.also);
        self.also.insert(gone.mechanism);
        self.also.remove(&self.mechanism);
        let fresh = gone.members.values().any(|member| !member.resolved);
        self.members.extend(gone.members);
        if fresh && self.state == ClusterState::Resolved {
            self.state = ClusterState::Reopened;
        }
    }

    fn founded_by(mechanism: &Mechanism, batch: u32) -> Self {
        Self {
            id: id_of(mechanism),
            mechanism: mechanism.clone(),
            also: BTreeSet::new(),
            title: title::of(mechanism),
            members: BTreeMap::new(),
            share: 0.0,
            state: ClusterState::Open,
            first_batch: batch,
            last_batch: batch,
        }
    }

    /// A new failure shows that the incumbent has the mechanism on this task, whatever was thought before.
    ///
    /// But one that is older than what `fixed` the cluster shows nothing of the incumbent.
    fn add(&mut self, record: &FailureRecord, mechanism: &Mechanism, batch: u32, fixed: bool) {
        if self.members.contains_key(&record.id) {
            return;
        }
        let same_task = self.members.values_mut().filter(|member| member.task == record.task);
        same_task.for_each(|member| member.resolved &= fixed);
        self.members.insert(
            record.id.clone(),
            Member {
                task: record.task.clone(),
                batch,
                resolved: fixed,
                mechanism: mechanism.clone(),
                impact: record.impact,
            },
        );
        self.first_batch = self.first_batch.min(batch);
        self.last_batch = self.last_batch.max(batch);
        if self.state == ClusterState::Resolved && !fixed {
            self.state = ClusterState::Reopened;
        } else if fixed && self.may_become(ClusterState::Resolved) {
            self.state = ClusterState::Resolved;
        }
    }

    fn resolve(&mut self, is_fixed: impl Fn(&RecordId, &Member) -> bool) {
        for (_, member) in self.members.iter_mut().filter(|(id, member)| is_fixed(id, member)) {
            member.resolved = true;
        }
        if self.may_become(ClusterState::Resolved) {
            self.state = ClusterState::Resolved;
        }
    }

    /// `resolved / total_failures`, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "counts of failures stay far below 2^52")]
    pub fn resolution_rate(&self) -> f64 {
        self.resolved() as f64 / (self.total_failures().max(1)) as f64
    }
}

/// All clusters.
#[derive(Debug, Clone, Default)]
pub struct ClusterBook {
    /// By id.
    pub clusters: BTreeMap<ClusterId, Cluster>,
    /// Clusters that are part of another one.
    merged: BTreeMap<ClusterId, ClusterId>,
    /// Where records went that were taken out of a cluster.
    moved: BTreeMap<(ClusterId, RecordId), ClusterId>,
    /// Titles that were given, also to clusters that nothing has founded yet.
    titles: BTreeMap<ClusterId, String>,
    /// Clusters that only people may change.
    decided: BTreeSet<ClusterId>,
    /// What was changed so far.
    revisions: Vec<Revision>,
    /// How many failed runs the clusters hold, if nothing has come or gone since they were counted.
    runs: Option<usize>,
}

/// Two books are equal if they hold the same; whether the runs have been counted does not matter.
impl PartialEq for ClusterBook {
    fn eq(&self, other: &Self) -> bool {
        self.clusters == other.clusters
            && self.merged == other.merged
            && self.moved == other.moved
            && self.titles == other.titles
            && self.decided == other.decided
            && self.revisions == other.revisions
    }
}

impl ClusterBook {
    /// Puts a record into the clusters of its mechanisms, founding those that do not exist yet, and weighs all clusters anew.
    /// Joining twice changes nothing. Only failures of the agent join; the clusters come back surest cause first.
    pub fn join(&mut self, record: &FailureRecord, batch: u32) -> Vec<ClusterId> {
        let (counted, known) = (self.runs, !self.holding(&record.id).is_empty());
        let joined = self.place(record, batch, |_| false);
        match counted {
            Some(runs) => self.weigh_among(runs + usize::from(!known && !joined.is_empty())),
            None => self.weigh(),
        }
        joined
    }

    /// Joins many records of one batch; the same as joining them one by one, but the clusters are weighed only once.
    pub fn join_all<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a FailureRecord>,
        batch: u32,
    ) -> Vec<Vec<ClusterId>> {
        let joined = records
            .into_iter()
            .map(|record| self.place(record, batch, |_| false))
            .collect();
        self.weigh();
        joined
    }

    /// The clusters that are worth work, highest rank first; resolved and ignored ones are not ranked.
    ///
    /// [`Rank`] has the formula. Equal ranks go by id.
    pub fn ranked(&self) -> Vec<(f64, &Cluster)> {
        let now = self.now();
        let open = self.clusters.values().filter(|cluster| cluster.state.is_unresolved());
        let mut ranked: Vec<_> = open.map(|cluster| (Rank::of(cluster, now).value, cluster)).collect();
        ranked.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        ranked
    }

    /// The clusters that people want to be left alone.
    pub fn ignored(&self) -> BTreeSet<ClusterId> {
        let ignored = self
            .clusters
            .values()
            .filter(|cluster| cluster.state == ClusterState::Ignored);
        ignored.map(|cluster| cluster.id.clone()).collect()
    }

    /// Unresolved failures for a run to know: of each cluster the newest, of the clusters those that rank highest. A run works on one cluster
    /// after the other, so more than it can come to would only have to be written down. `when` orders failures by their age.
    pub fn telling<K: Ord>(&self, when: impl Fn(&RecordId) -> K) -> BTreeSet<&RecordId> {
        let mut known = BTreeSet::new();
        for (_, cluster) in self.ranked() {
            let open = cluster.members.iter().filter(|(_, member)| !member.resolved);
            let mut open: Vec<(&RecordId, &Member)> = open.collect();
            open.sort_by_key(|(record, member)| std::cmp::Reverse((when(record), member.batch, *record)));
            known.extend(open.into_iter().take(TOLD_OF_A_CLUSTER).map(|(record, _)| record));
            if known.len() >= TOLD {
                break;
            }
        }
        known
    }

    /// Notes that the incumbent no longer shows a cluster's mechanism on a task. When no member shows it any more,
    /// the cluster is resolved.
    pub fn resolve(&mut self, cluster: &ClusterId, task: &TaskId) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.resolve(|_, member| member.task == *task);
        }
    }

    /// Notes that the incumbent passes a task: it shows no mechanism on it.
    pub fn resolve_task(&mut self, task: &TaskId) {
        for cluster in self.clusters.values_mut() {
            cluster.resolve(|_, member| member.task == *task);
        }
    }

    /// Notes that the incumbent no longer shows a cluster's mechanism where one record did.
    pub fn resolve_record(&mut self, cluster: &ClusterId, record: &RecordId) {
        self.resolve_members(cluster, |id| id == record);
    }

    /// Notes that the incumbent no longer shows a cluster's mechanism where some of its records did.
    pub fn resolve_members(&mut self, cluster: &ClusterId, is_fixed: impl Fn(&RecordId) -> bool) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.resolve(|id, _| is_fixed(id));
        }
    }

    /// Notes that what had resolved a cluster was taken back: every member shows its mechanism again.
    pub fn reopen(&mut self, cluster: &ClusterId) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.members.values_mut().for_each(|member| member.resolved = false);
            if cluster.state == ClusterState::Resolved {
                cluster.state = ClusterState::Reopened;
            }
        }
    }

    /// The clusters that hold a record, in the order of their ids.
    pub fn holding(&self, record: &RecordId) -> Vec<ClusterId> {
        let holding = self
            .clusters
            .values()
            .filter(|cluster| cluster.members.contains_key(record));
        holding.map(|cluster| cluster.id.clone()).collect()
    }

    /// Whether nothing of some records is left to resolve once a cluster is resolved: every other one that holds them is resolved already.
    pub fn settled_by<'a>(&self, cluster: &ClusterId, mut records: impl Iterator<Item = &'a RecordId>) -> bool {
        let done = |other: &Cluster| other.id == *cluster || other.state == ClusterState::Resolved;
        records.all(|record| {
            let mut holding = self
                .clusters
                .values()
                .filter(|other| other.members.contains_key(record));
            holding.all(done)
        })
    }

    /// Moves a cluster to another state, and says whether it may go there; see [`Cluster::may_become`].
    pub fn mark(&mut self, cluster: &ClusterId, state: ClusterState) -> bool {
        let Some(cluster) = self
            .clusters
            .get_mut(cluster)
            .filter(|cluster| cluster.may_become(state))
        else {
            return false;
        };
        cluster.state = state;
        if state == ClusterState::Ignored {
            self.decided.insert(cluster.id.clone());
        }
        true
    }

    /// The cluster that merges have made of this one; itself, mostly.
    pub fn current(&self, cluster: &ClusterId) -> ClusterId {
        let mut current = cluster;
        while let Some(into) = self.merged.get(current) {
            current = into;
        }
        current.clone()
    }

    /// Takes in that a failure was read once more. What is explained otherwise than before leaves its clusters, for the caller to place it
    /// anew; of the rest only what is told of how bad it was is news. Whether it left comes back.
    pub fn reread(&mut self, known: &FailureRecord, record: &FailureRecord) -> bool {
        let left = !known.is_explained_like(record);
        if left {
            self.leave(&record.id);
        } else if known.impact != record.impact {
            let members = self.clusters.values_mut();
            let told = members.filter_map(|cluster| cluster.members.get_mut(&record.id));
            told.for_each(|member| member.impact = record.impact);
        }
        left
    }

    /// Takes a record that was no failure after all out of its clusters. One that only it had founded, and nobody has worked on, is gone.
    pub fn leave(&mut self, record: &RecordId) {
        self.runs = None;
        self.clusters.retain(|_, cluster| {
            let left = cluster.members.remove(record).is_some();
            !(left && cluster.members.is_empty() && cluster.state == ClusterState::Open)
        });
    }

    /// Puts a record where [`Self::join`] puts it, without weighing: whoever has placed all of many records calls [`Self::weigh`] once.
    /// `fixed` says of which clusters the failure is older than what fixed them: it joins them resolved.
    pub fn place(&mut self, record: &FailureRecord, batch: u32, fixed: impl Fn(&ClusterId) -> bool) -> Vec<ClusterId> {
        let mut joined = Vec::new();
        if record.kind != FailureKind::Agent {
            return joined;
        }
        self.runs = None;
        for cause in &record.causes {
            let id = self.place_of(&id_of(&cause.mechanism), &record.id);
            if joined.contains(&id) {
                continue;
            }
            let cluster = self.clusters.entry(id.clone()).or_insert_with(|| {
                let founded = Cluster::founded_by(&cause.mechanism, batch);
                Cluster {
                    id: id.clone(),
                    title: self.titles.get(&id).unwrap_or(&founded.title).clone(),
                    ..founded
                }
            });
            if !cluster.shows(&cause.mechanism) {
                cluster.also.insert(cause.mechanism.clone());
            }
            cluster.add(record, &cause.mechanism, batch, fixed(&id));
            joined.push(id);
        }
        joined
    }

    /// Weighs all clusters: counts which share of all failed runs that show the mechanism.
    pub fn weigh(&mut self) {
        // Sorting what is mostly sorted and counting it is several times faster than a set of it.
        let mut runs: Vec<&RecordId> = self
            .clusters
            .values()
            .flat_map(|cluster| cluster.members.keys())
            .collect();
        runs.sort();
        runs.dedup();
        let runs = runs.len();
        self.weigh_among(runs);
    }

    fn weigh_among(&mut self, runs: usize) {
        self.runs = Some(runs);
        for cluster in self.clusters.values_mut() {
            cluster.share = crate::agreement::share(cluster.members.len(), runs);
        }
    }
}

impl ClusterState {
    /// Whether there is something left to do and nobody said to leave it.
    pub fn is_unresolved(self) -> bool {
        match self {
            Self::Open | Self::InProgress | Self::Reopened => true,
            Self::Resolved | Self::Ignored => false,
        }
    }
}

/// The id of a mechanism's cluster: the same in every run.
fn id_of(mechanism: &Mechanism) -> ClusterId {
    ClusterId::new(format!("c-{}", &hash::of(mechanism)[..8]))
}

#[cfg(test)]
pub(crate) mod tests;
