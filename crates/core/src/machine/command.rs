//! What the machine wants to be done.

use super::CaseTrial;
use crate::candidate::{Candidate, Ground};
use crate::case::SuiteChange;
use crate::cluster::Revision;
use crate::gate::purchase::Request;
use crate::id::{CaseId, ClusterId, ExperimentId, RecordId, TaskId};
use crate::ledger::CaseRerun;
use crate::search::Start;

/// What must be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Make the runs that the gate asks for; leads to `Bought`.
    Buy {
        /// The experiment they are for; none before the first.
        experiment: Option<ExperimentId>,
        /// The runs, with the gate's numbers of their tasks.
        request: Request,
        /// The trial of each.
        trials: Vec<u32>,
    },
    /// Read the labelled issues of the plan; leads to `SignalsRead`.
    ReadSignals,
    /// Run these tasks on the incumbent and mine the failures; leads to `TrafficRan`.
    RunTraffic {
        /// From 1.
        batch: u32,
        /// With the number of times each was in the traffic before, which is its trial.
        tasks: Vec<(TaskId, u32)>,
    },
    /// Change the clusters that the traffic has made alike, and ask the model, if there is one; leads to `ClustersRevised`.
    ReviseClusters {
        /// What rules found.
        found: Vec<Revision>,
    },
    /// Ask a model what becomes of new clusters and cases; leads to `Curated`.
    Curate {
        /// The clusters.
        clusters: Vec<ClusterId>,
        /// The cases.
        cases: Vec<CaseId>,
    },
    /// Run new cases again on the incumbent, or refuse them, or look at doubtful ones of the suite; leads to `CasesTried`.
    TryCases {
        /// The cases, in order of ids.
        cases: Vec<CaseTrial>,
    },
    /// Write down which cases leave the suite or come back; leads to `SuiteRevised`.
    ReviseSuite {
        /// What becomes of each.
        changes: Vec<SuiteChange>,
    },
    /// Ask the proposer; leads to `Proposed`, with a starting point to `Drafted`, or to `NothingProposed`.
    Propose {
        /// The id the experiment gets.
        experiment: ExperimentId,
        /// The cluster to work on.
        cluster: ClusterId,
        /// Where to start from; only with a frontier.
        start: Option<Start>,
    },
    /// Run drafts on their cluster's own cases; leads to `Screened`.
    Screen {
        /// The experiment that the best of them will be.
        experiment: ExperimentId,
        /// Their cluster.
        cluster: ClusterId,
        /// The drafts.
        drafts: Vec<Candidate>,
    },
    /// See whether everything still passes without a change that was kept; leads to `Ablated`.
    Ablate {
        /// The experiment that it came with.
        kept: ExperimentId,
        /// The change taken out of the incumbent.
        candidate: Box<Candidate>,
        /// What it had fixed, then the regression suite.
        tasks: Vec<TaskId>,
    },
    /// Run one case on each of several drafts; leads to `Raced`.
    Race {
        /// The experiment that the best of them will be.
        experiment: ExperimentId,
        /// Their cluster.
        cluster: ClusterId,
        /// The drafts that are still in the race.
        drafts: Vec<Candidate>,
        /// The case.
        task: TaskId,
        /// Its trial.
        trial: u32,
    },
    /// Write the verdict down; leads to `Decided`.
    Decide {
        /// The experiment.
        experiment: ExperimentId,
        /// What the verdict rests on.
        ground: Ground,
        /// Why.
        reason: String,
    },
    /// Write down what becomes of the cases after an acceptance; leads to `Promoted`.
    Promote {
        /// The experiment.
        experiment: ExperimentId,
        /// The cases that ran.
        cases: Vec<CaseRerun>,
        /// The memberships that no run shows any more.
        resolved: Vec<(ClusterId, RecordId)>,
    },
    /// Write branch, pull request and check runs; leads to `Published`.
    Publish {
        /// The experiment.
        experiment: ExperimentId,
    },
    /// Write down that the run is over; leads to `Finished`.
    Finish {
        /// Why.
        reason: String,
    },
}
