//! The comparison on the validation set, task by task: what the candidate does is held against what is known of the incumbent there.
//!
//! A mean over tasks that waver says little. But a task that the incumbent passes reliably and the candidate fails twice is broken, and a few
//! broken tasks give a harmful change away. So every task has three hypotheses (as before, broken, fixed), a candidate has a few scenarios (how
//! many tasks it fixes and breaks), and the next run goes where it is expected to move the verdict most.

use crate::gate::sequential::{Known, Policy};
use crate::gate::stats::{Beta, Tally, knowledge_gradient, mean, real};
use statrs::function::beta::beta_reg;

/// What part of the tasks a harmful change breaks, with the probability of each size: most are small.
const BREAKS: [(f64, f64); 4] = [(0.03, 0.35), (0.06, 0.3), (0.12, 0.25), (0.24, 0.1)];
/// How strong a fix is, as a multiple of what its cluster's share lets expect, with probabilities.
const STRENGTHS: [(f64, f64); 2] = [(0.6, 0.5), (1.3, 0.5)];
/// What a task that changed keeps of its rate when every rate is 0 or 1.
const NOTHING: f64 = 0.02;
/// How much more a broken task counts than a fixed one when both are seen for certain: a change that breaks half as many as it fixes is too broad, and
/// a narrower one can still come.
const SEEN_BROKEN: f64 = 1.0;
/// So many fixed tasks a cluster is worth that was fixed in the probe.
const PROBED: f64 = 2.0;
/// Tasks that are run at the same time, as a part of all.
const CHUNK: usize = 10;

/// What is believed of a candidate's effect on the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    /// Expected.
    pub(super) mean: f64,
    /// Standard deviation.
    pub(super) sd: f64,
    /// What it makes possible later, expected.
    pub(super) later: f64,
    /// What is expected of keeping it: the effect, what breaks counted more than once, what it makes possible later, and what it may lose.
    pub(super) worth: f64,
    /// How probable it is that keeping it is worth something.
    pub(super) better: f64,
    /// How probable it is that something broke.
    pub(super) harm: f64,
}

impl Effect {
    /// Where the effect lies, eight times in ten, as if it were normal.
    pub(super) fn range(self) -> (f64, f64) {
        let half = 1.28 * self.sd;
        (self.mean - half, self.mean + half)
    }
}

/// What is hoped of a candidate before it is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prospect {
    /// How probable it is that it fixes its cluster.
    pub(super) fixes: f64,
    /// The share of the tasks that a fix makes pass.
    pub(super) share: f64,
    /// What a fix is worth later, as part of the score.
    pub(super) later: f64,
    /// How much worse it may be.
    pub(super) tolerance: f64,
}

/// One task.
#[derive(Debug, Clone)]
struct Subject {
    before: Beta,
    runs: Tally,
    /// Likelihoods of the runs as before, broken, fixed.
    likelihood: [f64; 3],
    /// How probable it is that a fix of this cluster fixes this task.
    fixable: f64,
    /// How probable any change breaks it, or fixes it, by chance.
    churn: f64,
}

/// One scenario: how many tasks are broken, how strongly the cluster is fixed.
#[derive(Debug, Clone, Copy)]
struct Scenario {
    broken: f64,
    strength: f64,
    effect: f64,
    later: f64,
    worth: f64,
    weight: f64,
}

/// The comparison after some runs.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    /// What is assumed, for tasks that waver as much as these.
    policy: Policy,
    /// Whether the agent does the same under every seed.
    repeats_itself: bool,
    /// What is hoped of the candidate.
    prospect: Prospect,
    subjects: Vec<Subject>,
    scenarios: Vec<Scenario>,
}

impl Subject {
    fn new(before: Beta, runs: Tally, fixable: f64, policy: &Policy) -> Self {
        let of = |beta: Beta| beta.ln_likelihood(runs).exp();
        Self {
            before,
            runs,
            likelihood: [
                of(before),
                of(before.lowered(policy.rest)),
                of(before.raised(policy.rest)),
            ],
            fixable,
            churn: policy.churn,
        }
    }

    fn shares(&self, scenario: &Scenario) -> [f64; 3] {
        let fixed = (self.churn + scenario.strength * self.fixable).min(0.9);
        let broken = (self.churn + scenario.broken) * (1.0 - fixed);
        [1.0 - fixed - broken, broken, fixed]
    }

    fn under(&self, scenario: &Scenario) -> f64 {
        let shares = self.shares(scenario);
        (0..3).map(|i| shares[i] * self.likelihood[i]).sum()
    }
}

impl Comparison {
    /// With what the incumbent does, the candidate's runs by task, and what is hoped of it.
    pub(super) fn new(known: &Known, policy: &Policy, runs: &[Tally], prospect: Prospect) -> Self {
        let Prospect { fixes, share, .. } = prospect;
        let mut policy = *policy;
        if known.repeats_itself() {
            // Run again, a task says nothing new, and one that changed has changed for good.
            (policy.runs_a_task, policy.rest, policy.aversion) = (1, NOTHING, SEEN_BROKEN);
        }
        let policy = &policy;
        let prior = known.prior(policy);
        let before: Vec<Beta> = known.validation.iter().map(|runs| prior.after(*runs)).collect();
        let failing = mean(before.iter().map(|beta| 1.0 - beta.mean())).max(1e-6);
        let subjects: Vec<Subject> = before
            .iter()
            .zip(runs)
            .map(|(beta, runs)| Subject::new(*beta, *runs, (share * (1.0 - beta.mean()) / failing).min(0.9), policy))
            .collect();
        let lost = (1.0 - policy.rest) * mean(before.iter().map(|beta| beta.mean()));
        let won = (1.0 - policy.rest)
            * mean(
                subjects
                    .iter()
                    .map(|subject| subject.fixable * (1.0 - subject.before.mean())),
            );
        let mut scenarios = Vec::new();
        let harms = known.harms(policy);
        for (strength, p) in [(0.0, 1.0 - fixes)]
            .into_iter()
            .chain(STRENGTHS.map(|(strength, p)| (strength, fixes * p)))
        {
            for (broken, q) in [(0.0, 1.0 - harms)]
                .into_iter()
                .chain(BREAKS.map(|(broken, q)| (broken, harms * q)))
            {
                let effect = strength * won - broken * lost;
                let later = if strength > 0.0 { prospect.later } else { 0.0 };
                let mut scenario = Scenario {
                    broken,
                    strength,
                    effect,
                    later,
                    worth: effect - policy.aversion * broken * lost + later + prospect.tolerance,
                    weight: 0.0,
                };
                let likelihood: f64 = subjects.iter().map(|subject| subject.under(&scenario).ln()).sum();
                scenario.weight = (p * q).ln() + likelihood;
                scenarios.push(scenario);
            }
        }
        normalize(&mut scenarios);
        Self {
            policy: *policy,
            repeats_itself: known.repeats_itself(),
            prospect,
            subjects,
            scenarios,
        }
    }

    /// What is believed now.
    pub(super) fn effect(&self) -> Effect {
        let believed = self.believed();
        match self.changed() {
            Some((fixed, broken)) if fixed + broken > 0.0 => self.seen(believed, fixed, broken),
            _ => believed,
        }
    }

    /// How many tasks were fixed and broken, of an agent that repeats itself and has run all of them: then nothing is left to be estimated of these.
    fn changed(&self) -> Option<(f64, f64)> {
        let all = self.subjects.iter().all(|subject| subject.runs.runs() > 0.0);
        (all && self.repeats_itself).then(|| (self.count(1.0), self.count(-1.0)))
    }

    /// How many of the tasks that were run changed in a direction.
    fn count(&self, direction: f64) -> f64 {
        let of = |subject: &&Subject| {
            let after = subject.runs.passed / subject.runs.runs().max(1.0);
            subject.runs.runs() > 0.0 && (after - subject.before.mean()) * direction > 0.5
        };
        real(self.subjects.iter().filter(of).count())
    }

    /// Whether the rest of a validation that has begun could still save a candidate of an agent that repeats itself: what its change does to tasks
    /// that were not run is not known from those that were.
    pub(super) fn is_open(&self) -> bool {
        let unseen = |subject: &&Subject| subject.runs.runs() == 0.0;
        let begun = !self.subjects.iter().all(|subject| unseen(&subject));
        let failing = |subject: &&Subject| unseen(subject) && subject.before.mean() < 0.5;
        let fixed = self.count(1.0) + real(self.subjects.iter().filter(failing).count());
        let hoped = (self.prospect.later + self.prospect.tolerance) * real(self.subjects.len());
        let weight = 1.0 + self.policy.aversion;
        self.repeats_itself && begun && self.changed().is_none() && fixed + hoped > weight * self.count(-1.0)
    }

    /// What was seen on every task. Other tasks change alike: the share of the fixed ones among those that change has a Beta distribution, from
    /// Jeffreys' prior and what the probe says of the cluster, and must outweigh the broken ones.
    fn seen(&self, believed: Effect, fixed: f64, broken: f64) -> Effect {
        let n = real(self.subjects.len());
        let weight = 1.0 + self.policy.aversion;
        Effect {
            mean: (fixed - broken) / n,
            sd: 0.0,
            later: believed.later,
            worth: (fixed - weight * broken) / n + believed.later + self.prospect.tolerance,
            better: 1.0
                - beta_reg(
                    fixed + PROBED * self.prospect.fixes + 0.5,
                    broken + 0.5,
                    weight / (1.0 + weight),
                ),
            harm: if broken > 0.0 { 1.0 } else { 0.0 },
        }
    }

    /// What the scenarios say.
    fn believed(&self) -> Effect {
        let sum = |f: &dyn Fn(&Scenario) -> f64| {
            self.scenarios
                .iter()
                .map(|scenario| scenario.weight * f(scenario))
                .sum::<f64>()
        };
        let mean = sum(&|scenario| scenario.effect);
        let worth = sum(&|scenario| scenario.worth);
        Effect {
            mean,
            later: sum(&|scenario| scenario.later),
            worth,
            sd: sum(&|scenario| (scenario.effect - mean).powi(2)).sqrt(),
            better: sum(&|scenario| f64::from(u8::from(scenario.worth > 0.0))),
            harm: sum(&|scenario| f64::from(u8::from(scenario.broken > 0.0))),
        }
    }

    /// The variance of the expected worth after one more run of a task.
    fn news(&self, subject: &Subject, mean: f64) -> f64 {
        [true, false]
            .into_iter()
            .map(|passed| {
                let mut runs = subject.runs;
                runs.add(passed);
                let then = Subject::new(subject.before, runs, subject.fixable, &self.policy);
                let (mut p, mut d) = (0.0, 0.0);
                for scenario in &self.scenarios {
                    let w = scenario.weight * then.under(scenario) / subject.under(scenario);
                    p += w;
                    d += w * scenario.worth;
                }
                if p > 0.0 { p * (d / p - mean).powi(2) } else { 0.0 }
            })
            .sum()
    }

    fn variance(&self, worth: f64) -> f64 {
        let of = |scenario: &Scenario| scenario.weight * (scenario.worth - worth).powi(2);
        self.scenarios.iter().map(of).sum()
    }

    /// The tasks worth running next, the most telling first, and what the best number of such runs is expected to be worth, a run.
    pub(super) fn plan(&self) -> (Vec<usize>, f64) {
        let most_runs = f64::from(self.policy.runs_a_task);
        let effect = self.effect();
        let mut news: Vec<(f64, usize)> = self
            .subjects
            .iter()
            .enumerate()
            .filter(|(_, subject)| subject.runs.runs() < most_runs)
            .map(|(i, subject)| (self.news(subject, effect.worth), i))
            .collect();
        news.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        let most = 0.95 * self.variance(effect.worth);
        let (mut variance, mut count, mut best) = (0.0, 0.0, 0.0_f64);
        for (news, _) in &news {
            variance += news;
            count += 1.0;
            best = best.max(knowledge_gradient(effect.worth, variance.min(most).sqrt()) / count);
        }
        (news.into_iter().take(self.chunk()).map(|(_, i)| i).collect(), best)
    }

    /// Some of the tasks that the candidate must still run before it may be kept.
    pub(super) fn uncovered(&self) -> Vec<usize> {
        let unseen = self
            .subjects
            .iter()
            .enumerate()
            .filter(|(_, subject)| subject.runs.runs() == 0.0);
        let unseen: Vec<usize> = unseen.map(|(i, _)| i).collect();
        let n = self.subjects.len();
        let seen = real(n - unseen.len());
        let chunk = if seen < self.policy.coverage * real(n) {
            self.chunk()
        } else {
            0
        };
        unseen.into_iter().take(chunk).collect()
    }

    fn chunk(&self) -> usize {
        (self.subjects.len() / CHUNK).max(1)
    }

    /// How probable each task is as before, broken, fixed.
    pub(super) fn states(&self) -> Vec<[f64; 3]> {
        let of = |subject: &Subject| {
            let mut state = [0.0; 3];
            for scenario in &self.scenarios {
                let shares = subject.shares(scenario);
                let total = subject.under(scenario);
                (0..3).for_each(|i| state[i] += scenario.weight * shares[i] * subject.likelihood[i] / total);
            }
            state
        };
        self.subjects.iter().map(of).collect()
    }
}

/// Makes probabilities of log-likelihoods.
fn normalize(scenarios: &mut [Scenario]) {
    let weights = scenarios.iter().map(|scenario| scenario.weight);
    let top = weights.fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scenarios.iter().map(|scenario| (scenario.weight - top).exp()).sum();
    scenarios
        .iter_mut()
        .for_each(|scenario| scenario.weight = (scenario.weight - top).exp() / total);
}
