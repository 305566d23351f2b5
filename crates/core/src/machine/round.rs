//! Rounds of drafts: several changes for one cluster from different starting points, of which the one that does most on the cluster's own cases is
//! measured.

use super::{Command, State, begin_experiment, next_work, race, refuse};
use crate::budget::Spent;
use crate::candidate::{Candidate, Experiment, Ground};
use crate::harness::Harness;
use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId, TaskId};
use crate::ledger::Event;
use crate::search::frontier::{self, Ground as Made};
use crate::search::{Dropped, Screened, SearchMode, Start, ranked};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Cases that a draft is screened on.
const CASES: usize = 4;
/// Kept changes that are taken out again to see what they do, the latest.
const TAKEN_OUT: usize = 8;

/// The drafts of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Round {
    cluster: ClusterId,
    /// What was not drafted from yet; the first is under way.
    starts: VecDeque<Start>,
    drafts: Vec<Candidate>,
    /// Whether only the frontier was asked.
    from_frontier: bool,
    /// Task runs that drafting has cost.
    task_runs: u64,
}

impl Round {
    pub(super) fn new(state: &mut State, cluster: ClusterId) -> Self {
        // What is known comes before what must be found.
        if state.frontier_draft(&cluster).is_some() {
            return Self {
                cluster,
                starts: VecDeque::from([Start::Frontier]),
                drafts: Vec::new(),
                from_frontier: true,
                task_runs: 0,
            };
        }
        let simplify = may_simplify(state, &cluster).then_some(Start::Simplify);
        let proposed = Start::proposed(state.plan.search.proposals);
        Self {
            cluster,
            starts: simplify.into_iter().chain(proposed).collect(),
            drafts: Vec::new(),
            from_frontier: false,
            task_runs: 0,
        }
    }

    /// For a cluster that the proposer has nothing for: what was kept may be in its way.
    fn simplifying(state: &mut State, cluster: &ClusterId) -> Option<Self> {
        may_simplify(state, cluster).then(|| Self {
            cluster: cluster.clone(),
            starts: VecDeque::from([Start::Simplify]),
            drafts: Vec::new(),
            from_frontier: false,
            task_runs: 0,
        })
    }

    /// The next draft, or the screening of what was drafted; `None` where there is nothing to screen.
    pub(super) fn next(&self, experiment: ExperimentId) -> Option<Command> {
        let cluster = self.cluster.clone();
        if let Some(start) = self.starts.front() {
            let start = Some(*start);
            return Some(Command::Propose {
                experiment,
                cluster,
                start,
            });
        }
        (!self.drafts.is_empty()).then(|| Command::Screen {
            experiment,
            cluster,
            drafts: self.drafts.clone(),
        })
    }
}

/// Whether it is to be seen what a cluster does without each kept change: once on each harness.
fn may_simplify(state: &mut State, cluster: &ClusterId) -> bool {
    let kept = state.experiments.iter().any(Experiment::accepted);
    kept && state.simplified.insert((cluster.clone(), state.incumbent.id()))
}

/// Takes in what came of drafting; a proposer that was asked without a round may have had nothing, too.
pub(super) fn take(state: &mut State, event: &Event) -> Command {
    match event {
        Event::Drafted {
            experiment,
            candidate,
            objection,
            spent,
            ..
        } => drafted(state, experiment, candidate, objection.as_deref(), *spent),
        Event::Screened {
            experiment,
            screened,
            spent,
            ..
        } => self::screened(state, experiment, screened, *spent),
        Event::NothingProposed { cluster, .. } => match state.round.take() {
            Some(round) => nothing(state, round),
            None => {
                state.round = Round::simplifying(state, cluster);
                if state.round.is_none() {
                    state.exhausted.insert(cluster.clone());
                }
                next_work(state)
            }
        },
        _ => next_work(state),
    }
}

/// Goes on with the round under way, or leaves a cluster that nothing was drafted for.
pub(super) fn next(state: &mut State, round: Round) -> Command {
    if let Some(command) = round.next(state.next_experiment()) {
        state.round = Some(round);
        return command;
    }
    state.exhausted.insert(round.cluster);
    next_work(state)
}

/// Takes in a draft. One that is no legal change is an experiment, so that it is seen.
fn drafted(
    state: &mut State,
    experiment: &ExperimentId,
    candidate: &Candidate,
    objection: Option<&str>,
    spent: Spent,
) -> Command {
    state.tried.insert(candidate.id.clone());
    let Some(mut round) = state.round.take() else {
        return next_work(state);
    };
    round.starts.pop_front();
    state.drafts += 1;
    if let Some(reason) = objection {
        state.round = Some(round);
        begin_experiment(state, experiment, candidate, spent.task_runs);
        return refuse(experiment, reason);
    }
    round.task_runs += spent.task_runs;
    round.drafts.push(candidate.clone());
    state.round = Some(round);
    next_work(state)
}

/// A starting point led to nothing. A proposer that has nothing is not asked from another one.
fn nothing(state: &mut State, mut round: Round) -> Command {
    match round.starts.pop_front() {
        Some(start) if start.told().is_some() => round.starts.clear(),
        _ => {}
    }
    state.round = Some(round);
    next_work(state)
}

/// The best of what was screened is measured, the others wait; what did nothing, or more harm than good, is not tried again.
fn screened(state: &mut State, experiment: &ExperimentId, screened: &[Screened], spent: Spent) -> Command {
    let Some(round) = state.round.take() else {
        return next_work(state);
    };
    let ranked = ranked(&state.incumbent, &round.drafts, screened);
    let all = round.drafts.iter().zip(screened).enumerate();
    let dropped = all
        .filter(|(at, _)| !ranked.contains(at))
        .map(|(_, (draft, screened))| Dropped {
            candidate: draft.clone(),
            screened: screened.clone(),
            batch: state.batch,
        });
    state.dropped.extend(dropped);
    if ranked.is_empty() {
        // The frontier may have more, and the proposer was not asked then.
        if !round.from_frontier {
            state.exhausted.insert(round.cluster);
        }
        return next_work(state);
    }
    let entrant = |at: &usize| race::Entrant {
        draft: round.drafts[*at].clone(),
        screened: screened[*at].clone(),
    };
    let entrants = ranked.iter().map(entrant).collect();
    race::begin(state, experiment, entrants, round.task_runs + spent.task_runs)
}

/// A change that solved something and was not worth it alone is remembered, to be used beside another one; what breaks something would break it in any
/// company.
pub(super) fn fell(state: &mut State, experiment: &Experiment) {
    if state.plan.search.mode != SearchMode::Frontier || experiment.candidate.removes.is_some() {
        return;
    }
    state.frontier.fell(&experiment.candidate);
    if experiment.ground == Some(Ground::NoGain) && !frontier::is_of_members(&experiment.candidate) {
        let fixed = experiment.fixed_tasks().into_iter().map(TaskId::new);
        state.frontier.keep(experiment.candidate.clone(), fixed, true);
    }
}

impl State {
    /// The id of the next experiment.
    pub(super) fn next_experiment(&self) -> ExperimentId {
        ExperimentId::new(format!("E{:03}", self.experiments.len() + 1))
    }

    /// Whether a round of drafts is under way.
    pub fn is_drafting(&self) -> bool {
        self.round.is_some()
    }

    /// What was drafted in this round so far.
    pub fn drafts(&self) -> &[Candidate] {
        self.round.as_ref().map_or(&[], |round| &round.drafts)
    }

    /// Edits that are not wanted again today. Where drafts are screened, what did nothing on another harness, or in an earlier batch, may be one
    /// again: another fault may have kept it from doing something, and there are other cases now.
    pub fn tried_here(&self) -> BTreeSet<CandidateId> {
        if self.plan.search.mode == SearchMode::Greedy {
            return self.tried.clone();
        }
        let here = self.incumbent.id();
        let idle = |one: &&Experiment| one.ground == Some(Ground::Probe);
        let fell = self
            .experiments
            .iter()
            .filter(idle)
            .map(|one| (&one.candidate, one.batch));
        let harmless = self.dropped.iter().filter(|one| one.screened.broken.is_empty());
        let unshown: Vec<(&Candidate, u32)> = fell.chain(harmless.map(|one| (&one.candidate, one.batch))).collect();
        let told = self
            .experiments
            .iter()
            .filter(|one| !idle(one))
            .map(|one| &one.candidate);
        let today = |(one, batch): &&(&Candidate, u32)| one.parent == here && *batch == self.batch;
        let told: BTreeSet<&CandidateId> = told
            .chain(unshown.iter().filter(today).map(|(one, _)| *one))
            .chain(self.drafts())
            .map(|one| &one.id)
            .chain(&self.plan.known.rejected)
            .collect();
        let mut tried = self.tried.clone();
        let again = unshown.into_iter().filter(|(one, _)| !told.contains(&one.id));
        again.for_each(|(one, _)| {
            tried.remove(&one.id);
        });
        tried
    }

    /// The drafts that were not worth an experiment.
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// The cases of a cluster that its drafts are run on: those that the proposer sees.
    pub fn screening(&self, cluster: &ClusterId) -> Vec<TaskId> {
        let mut tasks = self.visible_tasks(cluster);
        tasks.truncate(CASES);
        tasks
    }

    /// A change for a cluster out of the frontier.
    pub fn frontier_draft(&self, cluster: &ClusterId) -> Option<Candidate> {
        if self.frontier.members().is_empty() {
            return None;
        }
        let own: BTreeSet<TaskId> = self.cluster_tasks(cluster).into_iter().collect();
        let open: BTreeSet<TaskId> = self
            .clusters
            .clusters
            .keys()
            .flat_map(|id| self.cluster_tasks(id))
            .collect();
        let lineage = self.lineage();
        self.frontier.draft(self.made(&lineage), cluster, &own, &open)
    }

    /// The latest kept changes, each taken out of the incumbent, for a cluster; as far as they can be.
    pub fn without_kept(&self, cluster: &ClusterId) -> Vec<(&Experiment, Candidate)> {
        let lineage = self.lineage();
        let kept = self.experiments.iter().rev().filter(|experiment| experiment.accepted());
        kept.take(TAKEN_OUT)
            .filter_map(|kept| Some((kept, frontier::without(self.made(&lineage), &kept.candidate, cluster)?)))
            .collect()
    }

    pub(super) fn made<'a>(&'a self, lineage: &'a BTreeMap<HarnessId, Harness>) -> Made<'a> {
        Made {
            lineage,
            incumbent: &self.incumbent,
            tried: &self.tried,
            seed: self.plan.seed,
        }
    }

    /// Every harness that was incumbent.
    pub(super) fn lineage(&self) -> BTreeMap<HarnessId, Harness> {
        let mut harness = self.plan.harness.clone();
        let mut all = BTreeMap::from([(harness.id(), harness.clone())]);
        for kept in self.experiments.iter().filter(|experiment| experiment.accepted()) {
            harness = harness.with(&kept.candidate.changes);
            all.insert(harness.id(), harness.clone());
        }
        all
    }
}
