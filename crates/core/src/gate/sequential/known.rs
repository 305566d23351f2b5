//! What the gate knows between candidates: how much tasks waver, what the incumbent does on each, the clusters, the suite, the proposer.

use super::care::Wavering;
use super::policy::Policy;
use crate::gate::purchase::{Cluster, Promotion, Proposal, Seen, Task};
use crate::gate::stats::{Beta, Tally, mean};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that later decisions need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Validation runs that speak for the incumbent, by task.
    pub validation: Vec<Tally>,
    /// Train runs of the incumbent.
    pub cases: BTreeMap<Task, Tally>,
    /// The promoted cases, with their runs since.
    pub suite: BTreeMap<Task, Tally>,
    /// Of these, the runs on today's incumbent.
    #[serde(default)]
    pub here: BTreeMap<Task, Tally>,
    /// The cases that left the suite because they wavered.
    #[serde(default)]
    pub wavering: BTreeMap<Task, Wavering>,
    /// The clusters.
    clusters: BTreeMap<Cluster, ClusterShare>,
    /// Candidates so far.
    pub candidates: u64,
    /// Candidates so far that were measured on the validation set: how often it was asked.
    pub asked: u64,
    /// The highest score that was measured on the validation set. Shown; only the literal rule uses it.
    pub best: f64,
    /// Runs of the incumbent without a verdict, and all of its runs.
    pub errors: (f64, f64),
    /// Runs that were compared to the letter with another one of the same task, and how many of them differed.
    repeats: (u32, u32),
    /// Tasks of traffic so far.
    seen: f64,
    /// Identical runs that were compared, and how many of them disagreed.
    pairs: (f64, f64),
    /// Candidates that reached the validation set, and how many of them broke something.
    harms: (f64, f64),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct ClusterShare {
    /// Failures in the traffic; those from before a kept change for the cluster count less.
    failures: f64,
    promoted: u32,
}

/// What a kept change leaves of the failures of its cluster that were counted before.
const AFTER_A_FIX: f64 = 0.4;
/// Comparisons without a difference that show an agent which repeats itself.
const REPEATS: u32 = 3;
/// The noise of such an agent, and about the least of any.
const NO_NOISE: f64 = 0.004;

impl Known {
    /// Takes traffic on the incumbent in; gives the failures to be run again.
    pub fn take_traffic(&mut self, traffic: &[Seen]) -> Vec<Task> {
        for seen in traffic {
            self.seen += 1.0;
            self.errors.1 += 1.0;
            self.take_run(seen.task, seen.passed);
            for cluster in &seen.clusters {
                self.clusters.entry(*cluster).or_default().failures += 1.0;
            }
        }
        traffic
            .iter()
            .filter(|seen| !seen.passed)
            .map(|seen| seen.task)
            .collect()
    }

    /// Takes in a run of the incumbent on the validation set before anything was changed.
    pub fn take_baseline(&mut self, task: Task, passed: bool) {
        let at = usize::try_from(task).ok();
        if let Some(runs) = at.and_then(|task| self.validation.get_mut(task)) {
            runs.add(passed);
        }
        let add = |sum: Tally, runs: &Tally| sum.plus(*runs, 1.0);
        let all = self.validation.iter().fold(Tally::default(), add);
        self.best = all.passed / all.runs().max(1.0);
    }

    /// Takes in a run of a train task on the incumbent.
    pub fn take_run(&mut self, task: Task, passed: bool) {
        self.cases.entry(task).or_default().add(passed);
        self.take_here(task, passed);
    }

    /// Takes in the second run of a failure. A pass tells of wavering: `P(pass | failed before) = E[p(1-p)] / (1 - mean)`.
    pub fn take_reproduction(&mut self, task: Task, passed: bool, policy: &Policy) {
        self.take_run(task, passed);
        self.pairs.0 += 1.0;
        if passed {
            self.pairs.1 += 2.0 * (1.0 - self.level(policy));
        }
    }

    /// Runs were compared with another one of the same task under another seed.
    pub fn take_repeat(&mut self, same: bool) {
        self.repeats.0 += 1;
        self.repeats.1 += u32::from(!same);
    }

    /// Whether the agent does the same whatever the seed: then a run that is made again says nothing, and is not asked for.
    pub fn repeats_itself(&self) -> bool {
        self.repeats.0 >= REPEATS && self.repeats.1 == 0
    }

    /// What was known of one cluster is known of another one that it has become a part of.
    pub fn merge(&mut self, cluster: Cluster, into: Cluster) {
        if let Some(gone) = self.clusters.remove(&cluster) {
            let one = self.clusters.entry(into).or_default();
            one.failures += gone.failures;
            one.promoted += gone.promoted;
        }
    }

    /// The validation tasks that were never run on the incumbent.
    pub fn unmeasured(&self) -> Vec<Task> {
        let tasks = (0..).zip(&self.validation);
        tasks
            .filter(|(_, runs)| runs.runs() == 0.0)
            .map(|(task, _)| task)
            .collect()
    }

    /// `E[p(1-p)]` over tasks: half of the rate at which identical runs disagree.
    pub fn noise(&self, policy: &Policy) -> f64 {
        if self.repeats_itself() {
            return NO_NOISE;
        }
        let (prior, weight) = policy.noise;
        ((prior * weight + 0.5 * self.pairs.1) / (weight + self.pairs.0)).max(NO_NOISE)
    }

    /// The incumbent's validation score: the mean of what is believed of its tasks.
    pub fn level(&self, policy: &Policy) -> f64 {
        let mut level = self.raw_level();
        // Tasks with few runs lean on the level itself; a few rounds are enough to agree.
        for _ in 0..4 {
            let prior = self.prior_at(level, policy);
            level = mean(self.validation.iter().map(|runs| prior.after(*runs).mean()));
        }
        level
    }

    fn raw_level(&self) -> f64 {
        let all = self
            .validation
            .iter()
            .fold(Tally::default(), |sum, runs| sum.plus(*runs, 1.0));
        (all.passed + 1.0) / (all.runs() + 2.0)
    }

    /// What is believed of a task that was never run: a Beta distribution with the level as its mean and the noise as its `E[p(1-p)]`.
    pub fn prior(&self, policy: &Policy) -> Beta {
        self.prior_at(self.level(policy), policy)
    }

    fn prior_at(&self, level: f64, policy: &Policy) -> Beta {
        let m = level.clamp(0.03, 0.97);
        let v = m * (1.0 - m);
        let e = self.noise(policy).min(0.95 * v);
        // One run tells all of an agent that repeats itself.
        let strength = match self.repeats_itself() {
            true => 0.001,
            false => (e / (v - e)).max(0.03),
        };
        Beta {
            a: m * strength,
            b: (1.0 - m) * strength,
        }
    }

    /// What is believed of a train task.
    pub fn case(&self, task: Task, prior: Beta) -> Beta {
        prior.after(self.cases.get(&task).copied().unwrap_or(Tally {
            passed: 0.0,
            failed: 1.0,
        }))
    }

    /// The part of the traffic that fails with the proposal's cluster by now.
    pub fn share(&self, proposal: &Proposal) -> f64 {
        match proposal.cluster.and_then(|cluster| self.clusters.get(&cluster)) {
            Some(cluster) if self.seen > 0.0 => (cluster.failures / self.seen).min(proposal.share),
            _ => proposal.share,
        }
    }

    /// How probable a candidate breaks something.
    pub fn harms(&self, policy: &Policy) -> f64 {
        let ((prior, weight), (seen, harmful)) = (policy.harms, self.harms);
        ((prior * weight + harmful) / (weight + seen)).clamp(0.02, 0.98)
    }

    /// Learns of the proposer from the validation set.
    pub fn learn_harm(&mut self, probability: f64) {
        self.harms.0 += 1.0;
        self.harms.1 += probability;
    }

    /// How many cases of a cluster have joined the suite.
    pub fn promoted(&self, cluster: Option<Cluster>) -> u32 {
        let cluster = cluster.and_then(|cluster| self.clusters.get(&cluster));
        cluster.map_or(0, |cluster| cluster.promoted)
    }

    /// Takes in an acceptance: the cases that were run on it, and what came of them.
    pub fn take_promotion(&mut self, cluster: Option<Cluster>, promotion: &Promotion) {
        let runs = &promotion.runs;
        self.cases.extend(runs.iter().map(|(task, runs)| (*task, *runs)));
        for task in &promotion.promoted {
            self.suite.insert(*task, runs.get(task).copied().unwrap_or_default());
        }
        let Some(cluster) = cluster else { return };
        let cluster = self.clusters.entry(cluster).or_default();
        cluster.failures *= AFTER_A_FIX;
        cluster.promoted += u32::try_from(promotion.promoted.len()).unwrap_or(u32::MAX);
    }
}
