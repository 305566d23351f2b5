//! The gate played against agents of which the truth is known: what it would say of a change of a given size, and after how many runs.
//!
//! Nothing is measured: every run is drawn from a seed. `sprag plan` rehearses before money is spent; `benches/gates.rs` prints what changes of known size
//! come to, and with recorded pass rates what a change comes to that changes nothing.

use super::purchase::{Arm, Ask, Cluster, Judgement, Outcome, Proposal, Purpose, Request, Seen, Task};
use super::sequential::{Policy, Sequential};
use super::stats::{draw, real};
use crate::candidate::{Ground, Verdict};
use statrs::function::beta::inv_beta_reg;

/// The failing cases of the rehearsed cluster: two that the proposer saw and two that it did not.
const CASES: [Task; 4] = [0, 1, 2, 3];
/// Numbers from here on are those of tasks that pass.
const PASSING: Task = 1_000_000;
/// How fine chances are drawn.
const GRAIN: u32 = 1_000_000;
/// A fixed task passes this often, a broken one fails this often.
const SETTLED: f64 = 0.97;

/// An agent of which the pass rates are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Pass rates of the validation tasks, from 0 to 1.
    pub rates: Vec<f64>,
    /// Pass rates of failing cases, by number.
    pub cases: Vec<f64>,
}

impl Agent {
    /// An agent with this mean pass rate whose tasks waver by `noise = E[p(1-p)]`: the quantiles of the Beta distribution that has both.
    /// A noise that the level does not allow is lowered to what it does.
    pub fn with_level(tasks: u32, level: f64, noise: f64) -> Self {
        let m = level.clamp(0.01, 0.99);
        let v = m * (1.0 - m);
        let e = noise.clamp(0.0, 0.98 * v);
        let n = f64::from(tasks);
        let strength = e / (v - e);
        let rate = |i: u32| {
            let at = (f64::from(i) + 0.5) / n;
            if strength < 0.02 {
                // All but deterministic: the part `m` of the tasks passes.
                return f64::from(u8::from(at > 1.0 - m));
            }
            inv_beta_reg(m * strength, (1.0 - m) * strength, at)
        };
        Self {
            rates: (0..tasks).map(rate).collect(),
            cases: vec![0.0; CASES.len()],
        }
    }

    /// The mean pass rate on the validation tasks.
    pub fn level(&self) -> f64 {
        super::stats::mean(self.rates.iter().copied())
    }

    /// The pass rates of so many cases: tasks like those of the validation set that failed twice. Fewer where hardly any fails.
    fn failing(&self, cases: u32, seed: u64) -> Vec<f64> {
        let tasks = u32::try_from(self.rates.len()).unwrap_or(u32::MAX);
        let chance = |at: u64| f64::from(draw(!seed, at, GRAIN)) / f64::from(GRAIN);
        let case = |at: u64| {
            let task = usize::try_from(draw(!seed, 3 * at, tasks)).ok()?;
            let rate = *self.rates.get(task)?;
            (chance(3 * at + 1) >= rate && chance(3 * at + 2) >= rate).then_some(rate)
        };
        let most = u64::from(cases) * 100;
        (0..most)
            .filter_map(case)
            .take(usize::try_from(cases).unwrap_or(usize::MAX))
            .collect()
    }

    /// The same agent after a change that passes its cluster's cases, and on the validation tasks raises the mean by `fixed` where they fail and
    /// lowers it by `broken` where they pass, one task after the other, as far as there is room.
    #[must_use]
    pub fn changed(&self, fixed: f64, broken: f64) -> Self {
        let mut rates = self.rates.clone();
        let mut order: Vec<usize> = (0..rates.len()).collect();
        order.sort_by(|x, y| rates[*x].total_cmp(&rates[*y]));
        let n = real(rates.len());
        let (mut up, mut down) = (fixed * n, broken * n);
        for task in &order {
            let step = (SETTLED - rates[*task]).min(up).max(0.0);
            rates[*task] += step;
            up -= step;
        }
        for task in order.iter().rev() {
            let step = (rates[*task] - (1.0 - SETTLED)).min(down).max(0.0);
            rates[*task] -= step;
            down -= step;
        }
        Self {
            rates,
            cases: vec![SETTLED; CASES.len()],
        }
    }
}

/// What the gate said of many candidates of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rehearsal {
    /// How many there were.
    pub candidates: u32,
    /// Of these, kept.
    pub accepted: u32,
    /// Rejected as worse, or because a case broke.
    pub harmful: u32,
    /// Rejected for any other reason.
    pub rejected: u32,
    /// Not decided.
    pub indecisive: u32,
    /// Runs that the candidates cost, all together.
    pub runs: u64,
    /// The cheapest candidate's runs.
    pub least_runs: u64,
    /// The dearest candidate's runs.
    pub most_runs: u64,
}

impl Rehearsal {
    /// The part of the candidates that was kept, from 0 to 1.
    pub fn kept(&self) -> f64 {
        f64::from(self.accepted) / f64::from(self.candidates.max(1))
    }

    /// Runs a candidate, in the mean.
    pub fn runs_each(&self) -> f64 {
        real(self.runs) / f64::from(self.candidates.max(1))
    }

    fn take(&mut self, judgement: &Judgement, runs: u64) {
        self.least_runs = if self.candidates == 0 {
            runs
        } else {
            self.least_runs.min(runs)
        };
        self.candidates += 1;
        self.runs += runs;
        self.most_runs = self.most_runs.max(runs);
        match judgement.ground.verdict() {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Rejected if matches!(judgement.ground, Ground::Harm | Ground::Regression) => self.harmful += 1,
            Verdict::Rejected => self.rejected += 1,
            Verdict::Indecisive | Verdict::Invalid => self.indecisive += 1,
        }
    }
}

/// Judges so many candidates that do to the incumbent what `after` does. Each meets a gate of its own, which has measured the incumbent for itself and
/// has seen the cluster fail in the traffic: what luck the first measurement had is part of the answer. `share` is the part of the traffic that
/// fails with the cluster.
pub fn rehearse(policy: &Policy, before: &Agent, after: &Agent, share: f64, candidates: u32, seed: u64) -> Rehearsal {
    let mut said = Rehearsal::default();
    let mut world = World {
        before,
        after,
        seed,
        runs: 0,
    };
    let tasks = u32::try_from(before.rates.len()).unwrap_or(u32::MAX);
    for _ in 0..candidates {
        let mut gate = Sequential::new(*policy, tasks);
        world.drive(&mut gate);
        gate.traffic(&traffic(&CASES, 0, share));
        world.drive(&mut gate);
        let before = world.runs;
        gate.candidate(Proposal {
            cluster: Some(0),
            visible: CASES[..2].to_vec(),
            hidden: CASES[2..].to_vec(),
            share,
            ..Proposal::default()
        });
        if let Ask::Decide(judgement) = world.drive(&mut gate) {
            said.take(&judgement, world.runs - before);
        }
    }
    said
}

/// What a change that changes nothing is said to be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A cluster of cases that failed twice, as a change of sprag's own.
    Cluster,
    /// No cluster, as a person's change: nothing is tried before the suite and the validation set.
    Nothing,
}

/// What a gate did with changes that changed nothing, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Idle {
    /// Whether the first was kept.
    pub first: bool,
    /// How many were kept.
    pub accepted: u32,
    /// The validation score that the gate claims in the end, from 0 to 1.
    pub claimed: f64,
    /// Runs that the changes cost, all together.
    pub runs: u64,
}

/// Shows one gate so many changes that change nothing. Those for a cluster are for cases that failed twice with the agent's own pass rates on the validation
/// tasks, so some of them pass now and then; a quarter of the failures is of that cluster.
pub fn idle(policy: &Policy, agent: &Agent, target: Target, tries: u32, seed: u64) -> Idle {
    let each = u32::try_from(CASES.len()).unwrap_or(u32::MAX);
    let agent = &Agent {
        cases: agent.failing(tries * each, seed),
        ..agent.clone()
    };
    let share = (1.0 - agent.level()) / 4.0;
    let tasks = u32::try_from(agent.rates.len()).unwrap_or(u32::MAX);
    let mut world = World {
        before: agent,
        after: agent,
        seed,
        runs: 0,
    };
    let mut gate = Sequential::new(*policy, tasks);
    world.drive(&mut gate);
    let (mut told, baseline) = (Idle::default(), world.runs);
    for n in 0..tries {
        let cases: Vec<Task> = (n * each..(n + 1) * each).collect();
        let proposal = match target {
            Target::Nothing => Proposal::default(),
            Target::Cluster => {
                gate.seen(&traffic(&cases, n, share));
                cases.iter().for_each(|case| gate.reproduced(*case, false));
                let (visible, hidden) = cases.split_at(cases.len() / 2);
                Proposal {
                    cluster: Some(n),
                    visible: visible.to_vec(),
                    hidden: hidden.to_vec(),
                    share,
                    ..Proposal::default()
                }
            }
        };
        gate.candidate(proposal);
        let kept = matches!(world.drive(&mut gate), Ask::Decide(judgement) if judgement.verdict() == Verdict::Accepted);
        if kept {
            told.first |= n == 0;
            told.accepted += 1;
            gate.kept();
            world.drive(&mut gate);
        }
    }
    (told.claimed, told.runs) = (gate.level(), world.runs - baseline);
    told
}

/// Traffic of which the part `share` fails, with the cluster.
fn traffic(cases: &[Task], cluster: Cluster, share: f64) -> Vec<Seen> {
    let all = (real(cases.len()) / share.max(0.01)) as usize;
    let failed = cases.iter().map(|task| Seen {
        task: *task,
        passed: false,
        clusters: vec![cluster],
    });
    let passed = (PASSING..).take(all.saturating_sub(cases.len())).map(|task| Seen {
        task,
        passed: true,
        clusters: Vec::new(),
    });
    failed.chain(passed).collect()
}

struct World<'a> {
    before: &'a Agent,
    after: &'a Agent,
    seed: u64,
    runs: u64,
}

impl World<'_> {
    fn drive(&mut self, gate: &mut Sequential) -> Ask {
        while let Ask::Run(request) = gate.ask().clone() {
            let outcomes: Vec<Outcome> = request.tasks.iter().map(|task| self.run(&request, *task)).collect();
            gate.take(&outcomes);
        }
        gate.ask().clone()
    }

    fn run(&mut self, request: &Request, task: Task) -> Outcome {
        self.runs += 1;
        let agent = match request.arm {
            Arm::Incumbent => self.before,
            Arm::Candidate => self.after,
        };
        let rate = match request.purpose {
            Purpose::Baseline | Purpose::Validation => usize::try_from(task)
                .ok()
                .and_then(|task| agent.rates.get(task).copied())
                .unwrap_or(0.0),
            Purpose::Reproduce | Purpose::Probe | Purpose::Suite | Purpose::Promotion => usize::try_from(task)
                .ok()
                .and_then(|task| agent.cases.get(task).copied())
                .unwrap_or(0.0),
        };
        let passed = f64::from(draw(self.seed, self.runs, GRAIN)) < f64::from(GRAIN) * rate;
        if passed { Outcome::Passed } else { Outcome::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::assured::Proof;
    use crate::gate::sequential::Rule;

    fn noise(agent: &Agent) -> f64 {
        super::super::stats::mean(agent.rates.iter().map(|p| p * (1.0 - p)))
    }

    #[test]
    fn an_agent_has_the_level_and_the_noise_that_were_asked_for() {
        for (level, wanted) in [(0.6, 0.12), (0.3, 0.05), (0.9, 0.03)] {
            let agent = Agent::with_level(200, level, wanted);
            assert!((agent.level() - level).abs() < 0.01, "{}", agent.level());
            assert!((noise(&agent) - wanted).abs() < 0.01, "{}", noise(&agent));
        }
        let steady = Agent::with_level(10, 0.6, 0.0);
        assert_eq!(steady.rates, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_change_moves_the_mean_by_what_was_asked_for() {
        let agent = Agent::with_level(50, 0.6, 0.1);
        for (fixed, broken) in [(0.0, 0.1), (0.05, 0.05), (0.2, 0.0), (0.1, 0.05)] {
            let moved = agent.changed(fixed, broken).level() - agent.level();
            assert!((moved - (fixed - broken)).abs() < 1e-9, "{fixed} {broken}: {moved}");
        }
        let all = agent.changed(0.9, 0.0);
        assert!(
            all.rates.iter().all(|rate| *rate >= SETTLED),
            "there is no room for more"
        );
    }

    #[test]
    fn what_changes_nothing_is_kept_by_luck_and_only_the_literal_rule_claims_more_for_it() {
        let agent = Agent::with_level(30, 0.6, 0.15);
        let kept = |rule: Rule, target: Target| {
            let policy = Policy {
                rule,
                ..Policy::default()
            };
            let told = |seed| idle(&policy, &agent, target, 10, seed);
            let all: Vec<Idle> = (0..10).map(told).collect();
            assert_eq!(all[0], told(0), "the same seed tells the same");
            let claims = all.iter().map(|one| one.claimed - agent.level());
            (
                all.iter().filter(|one| one.first).count(),
                super::super::stats::mean(claims),
            )
        };
        let (first, claimed) = kept(Rule::Strict(0.8), Target::Nothing);
        assert!((2..=9).contains(&first), "{first} of 10 at the first try");
        assert!(claimed > 0.03, "the best of eleven draws: {claimed}");
        let (first, claimed) = kept(Rule::Efficient, Target::Cluster);
        assert!(first <= 4, "{first} of 10 at the first try");
        assert!(claimed.abs() < 0.03, "{claimed}");
        let (first, _) = kept(Rule::Assured(Proof::default()), Target::Cluster);
        assert!(first <= 1, "{first} of 10 at the first try");
    }

    #[test]
    fn large_gains_are_kept_large_losses_are_not_and_no_effect_is_cheap_to_see() {
        let agent = Agent::with_level(40, 0.6, 0.1);
        let said = |after: &Agent| rehearse(&Policy::default(), &agent, after, 0.1, 16, 1);
        let gain = said(&agent.changed(0.2, 0.0));
        let loss = said(&agent.changed(0.1, 0.3));
        let idle = said(&agent);
        assert!(gain.kept() > 0.9, "{gain:?}");
        assert!(loss.kept() < 0.2, "{loss:?}");
        assert!(idle.kept() < 0.1 && idle.runs_each() < 10.0, "{idle:?}");
        assert_eq!(gain.candidates, 16);
        assert!(gain.runs_each() >= 40.0 && gain.most_runs >= gain.least_runs);
    }
}
