//! The probe: does the candidate fix its cluster? A sequential Bayesian test on the cluster's own cases, before anything dear.

use super::known::Known;
use super::policy::Policy;
use crate::gate::purchase::{Proposal, Task};
use crate::gate::stats::{Beta, Tally, log_odds, mean, of_log_odds};
use std::collections::BTreeMap;

/// Runs of one case in a probe.
const RUNS_A_CASE: f64 = 2.0;

/// The cases in the order in which they are run: those that the proposer did not see first, the most reliable failures of them first.
pub(super) fn order(known: &Known, policy: &Policy, proposal: &Proposal) -> Vec<Task> {
    let prior = known.prior(policy);
    let sorted = |tasks: &[Task]| {
        let mut tasks: Vec<(f64, Task)> = tasks
            .iter()
            .map(|task| (known.case(*task, prior).mean(), *task))
            .collect();
        tasks.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
        tasks.into_iter().map(|(_, task)| task)
    };
    sorted(&proposal.hidden).chain(sorted(&proposal.visible)).collect()
}

/// How probable it is that the cluster is fixed, after these runs of the candidate. A case counts as two hypotheses: it is fixed, if it carries
/// the cause at all, or it is as before.
pub(super) fn fixes(known: &Known, policy: &Policy, runs: &BTreeMap<Task, Tally>) -> f64 {
    let prior = known.prior(policy);
    let odds = runs
        .iter()
        .map(|(task, runs)| evidence(known.case(*task, prior), *runs, policy));
    of_log_odds(log_odds(policy.fixes) + odds.sum::<f64>())
}

fn evidence(before: Beta, runs: Tally, policy: &Policy) -> f64 {
    let fixed = before.raised(policy.rest).ln_likelihood(runs) - before.ln_likelihood(runs);
    (policy.member * fixed.exp() + 1.0 - policy.member).ln()
}

/// The next case to run, or `None` when the probe has ended. A run of an agent that repeats itself says nothing new.
pub(super) fn next(
    policy: &Policy,
    order: &[Task],
    runs: &BTreeMap<Task, Tally>,
    fixes: f64,
    repeats_itself: bool,
) -> Option<Task> {
    let total: f64 = runs.values().map(|runs| runs.runs()).sum();
    if fixes <= policy.probe_low || fixes >= policy.probe_high || total >= f64::from(policy.probe_runs) {
        return None;
    }
    fewest(order, runs, repeats_itself)
}

/// The next case that may be run once more: of those that were run least, the first.
pub(super) fn fewest(order: &[Task], runs: &BTreeMap<Task, Tally>, repeats_itself: bool) -> Option<Task> {
    let count = |task: &Task| runs.get(task).map_or(0.0, |runs| runs.runs());
    let fewest = order.iter().map(count).fold(f64::INFINITY, f64::min);
    let most = if repeats_itself { 1.0 } else { RUNS_A_CASE };
    order
        .iter()
        .copied()
        .find(|task| count(task) <= fewest && fewest < most)
}

/// The pass rate on the cases that were run; a half without any.
pub(super) fn lift(runs: &BTreeMap<Task, Tally>) -> f64 {
    if runs.is_empty() {
        return 0.5;
    }
    mean(runs.values().map(|runs| runs.passed / runs.runs().max(1.0)))
}
