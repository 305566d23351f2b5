//! The statistics that the gates share: Beta-binomial likelihoods, intervals of a pass rate, the worth of more runs, and power.
//!
//! Special functions come from `statrs`; what stands here are the formulas on top of them, each with its source.

use serde::{Deserialize, Serialize};
use statrs::function::beta::{inv_beta_reg, ln_beta};
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::factorial::ln_binomial;
use std::f64::consts::{LN_2, PI, SQRT_2};

/// Passes and runs. Weighted evidence counts by less than one, so both are real numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Runs that passed.
    pub passed: f64,
    /// Runs that failed.
    pub failed: f64,
}

impl Tally {
    /// How many runs there were.
    pub fn runs(self) -> f64 {
        self.passed + self.failed
    }

    /// Adds one run.
    pub fn add(&mut self, passed: bool) {
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1.0;
    }

    /// The same rate from at most so many runs.
    #[must_use]
    pub fn at_most(self, runs: f64) -> Self {
        let part = (runs / self.runs().max(1e-9)).min(1.0);
        Self {
            passed: part * self.passed,
            failed: part * self.failed,
        }
    }

    /// Both tallies together, the other one counting by `weight`.
    #[must_use]
    pub fn plus(self, other: Self, weight: f64) -> Self {
        Self {
            passed: self.passed + weight * other.passed,
            failed: self.failed + weight * other.failed,
        }
    }
}

/// A Beta distribution of a pass rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beta {
    /// Pseudo-passes, above 0.
    pub a: f64,
    /// Pseudo-failures, above 0.
    pub b: f64,
}

impl Beta {
    /// The expected pass rate.
    pub fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// The variance of the pass rate.
    pub fn variance(self) -> f64 {
        let n = self.a + self.b;
        self.a * self.b / (n * n * (n + 1.0))
    }

    /// What is believed after these runs.
    #[must_use]
    pub fn after(self, runs: Tally) -> Self {
        Self {
            a: self.a + runs.passed,
            b: self.b + runs.failed,
        }
    }

    /// The same certainty about a pass rate of which only the part `rest` is left, as when a change broke something.
    #[must_use]
    pub fn lowered(self, rest: f64) -> Self {
        Self {
            a: rest * self.a,
            b: self.b + (1.0 - rest) * self.a,
        }
    }

    /// The same certainty about a failure rate of which only the part `rest` is left, as when a change fixed something.
    #[must_use]
    pub fn raised(self, rest: f64) -> Self {
        Self {
            a: self.a + (1.0 - rest) * self.b,
            b: rest * self.b,
        }
    }

    /// The logarithm of the probability of these runs in their order: the Beta-binomial likelihood
    /// (Gelman et al., Bayesian Data Analysis, 3rd ed., section 5.3).
    pub fn ln_likelihood(self, runs: Tally) -> f64 {
        if runs.runs() == 0.0 {
            return 0.0;
        }
        ln_beta(self.a + runs.passed, self.b + runs.failed) - ln_beta(self.a, self.b)
    }
}

/// The share of a standard normal distribution below `x`.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x / SQRT_2)
}

/// The point of a standard normal distribution with the share `p` below it.
pub fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

/// The probability of log-odds.
pub fn of_log_odds(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The log-odds of a probability.
pub fn log_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// What information is worth to a choice between two options: the expected gain over choosing now, when the better one is ahead by `ahead`
/// and the information moves the expected difference by a normal step of standard deviation `step`. The knowledge gradient
/// (Frazier, Powell, Dayanik, SIAM J. Control Optim. 47(5), 2008, equation 2.6).
pub fn knowledge_gradient(ahead: f64, step: f64) -> f64 {
    if step <= 0.0 {
        return 0.0;
    }
    let u = ahead.abs() / step;
    step * ((-0.5 * u * u).exp() / (2.0 * PI).sqrt() - u * normal_cdf(-u))
}

/// Wilson's interval of a pass rate (JASA 22, 1927), at a two-sided level such as 0.95. `None` without runs.
pub fn wilson(runs: Tally, level: f64) -> Option<(f64, f64)> {
    let n = runs.runs();
    if n <= 0.0 {
        return None;
    }
    let z = normal_quantile(0.5 + 0.5 * level);
    let p = runs.passed / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(((centre - half).max(0.0), (centre + half).min(1.0)))
}

/// Clopper and Pearson's exact interval of a pass rate (Biometrika 26, 1934), at a two-sided level such as 0.95. `None` without runs.
pub fn clopper_pearson(passed: u32, failed: u32, level: f64) -> Option<(f64, f64)> {
    if passed + failed == 0 {
        return None;
    }
    let tail = 0.5 * (1.0 - level);
    let (s, f) = (f64::from(passed), f64::from(failed));
    let low = if passed == 0 {
        0.0
    } else {
        inv_beta_reg(s, f + 1.0, tail)
    };
    let high = if failed == 0 {
        1.0
    } else {
        inv_beta_reg(s + 1.0, f, 1.0 - tail)
    };
    Some((low, high))
}

/// The exact sign test: how probable at least as uneven a split of the tasks that changed is, if a change were as likely to fix a task as to break it
/// (`McNemar`, Psychometrika 12, 1947, with exact binomial tails). 1 without any.
pub fn sign_test(fixed: u32, broken: u32) -> f64 {
    let n = u64::from(fixed) + u64::from(broken);
    let tail = (ln_choices(n, fixed.min(broken).into()) - real(n) * LN_2).exp();
    (2.0 * tail).min(1.0)
}

/// In how many ways at most `most` of `n` things can be chosen, as a logarithm: `ln(C(n, 0) + .. + C(n, most))`. The logarithms are added, so that
/// thousands of things do not overflow.
pub fn ln_choices(n: u64, most: u64) -> f64 {
    let most = most.min(n);
    let largest = ln_binomial(n, most.min(n / 2));
    let sum: f64 = (0..=most).map(|i| (ln_binomial(n, i) - largest).exp()).sum();
    largest + sum.ln()
}

/// The interval of the difference of two paired scores over `tasks` tasks of which so many were fixed and broken, at a two-sided level such as 0.95:
/// Clopper and Pearson's interval of the fixed among the changed, times the changed. Conservative; 0 to 0 when nothing changed.
pub fn paired_difference(fixed: u32, broken: u32, tasks: u32, level: f64) -> (f64, f64) {
    let changed = f64::from(fixed + broken) / f64::from(tasks.max(1));
    let of = |share: f64| changed * (2.0 * share - 1.0);
    clopper_pearson(fixed, broken, level).map_or((0.0, 0.0), |(low, high)| (of(low), of(high)))
}

/// The smallest difference of two mean pass rates that `runs` runs on each side show with `power` at the one-sided level `alpha`, when one run
/// of a task varies by `noise = E[p(1-p)]`: `sqrt(2 * noise / runs) * (z_alpha + z_power)`, the usual normal approximation.
pub fn smallest_detectable(noise: f64, runs: f64, alpha: f64, power: f64) -> f64 {
    (2.0 * noise / runs.max(1.0)).sqrt() * (normal_quantile(1.0 - alpha) + normal_quantile(power))
}

/// A count as a real number; beyond 2^32 it is cut off.
pub fn real(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

/// The mean of some numbers; 0 of none.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    if n == 0.0 { 0.0 } else { sum / n }
}

/// The `index`-th number below `below` of the series that `seed` begins; 0 if there is none. `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014).
pub fn draw(seed: u64, index: u64, below: u32) -> u32 {
    let mut z = seed
        .wrapping_mul(0xD1B5_4A32_D192_ED03)
        .wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    u32::try_from((u128::from(z) * u128::from(below)) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(x: f64, y: f64) -> bool {
        (x - y).abs() < 1e-3
    }

    fn runs(passed: f64, failed: f64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn a_beta_binomial_likelihood_is_the_product_of_its_predictions() {
        let prior = Beta { a: 2.0, b: 3.0 };
        // Pass, pass, fail: 2/5 * 3/6 * 3/7.
        let product: f64 = 2.0 / 5.0 * 3.0 / 6.0 * 3.0 / 7.0;
        assert!(near(prior.ln_likelihood(runs(2.0, 1.0)).exp(), product));
        assert!(near(prior.after(runs(2.0, 1.0)).mean(), 4.0 / 8.0));
        assert!(near(prior.lowered(0.5).mean(), 0.2));
        assert!(near(prior.raised(0.5).mean(), 0.7));
    }

    #[test]
    fn the_intervals_are_those_of_the_textbooks() {
        // 8 of 10: Wilson 0.490 to 0.943, Clopper-Pearson 0.444 to 0.975.
        let (low, high) = wilson(runs(8.0, 2.0), 0.95).unwrap();
        assert!(near(low, 0.490) && near(high, 0.943), "{low} {high}");
        let (low, high) = clopper_pearson(8, 2, 0.95).unwrap();
        assert!(near(low, 0.444) && near(high, 0.975), "{low} {high}");
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
        assert!(near(clopper_pearson(0, 10, 0.95).unwrap().1, 0.308));
    }

    #[test]
    fn a_paired_comparison_is_as_clear_as_its_split() {
        // 2 * (1 + 8) / 2^8.
        assert!(near(sign_test(7, 1), 0.0703));
        assert!(near(sign_test(0, 0), 1.0) && near(sign_test(3, 3), 1.0));
        let (low, high) = paired_difference(7, 1, 40, 0.95);
        // 7 of 8: 0.473 to 0.997.
        assert!(
            near(low, 0.2 * (2.0 * 0.4735 - 1.0)) && near(high, 0.2 * (2.0 * 0.9968 - 1.0)),
            "{low} {high}"
        );
        assert_eq!(paired_difference(0, 0, 40, 0.95), (0.0, 0.0));
    }

    #[test]
    fn information_is_worth_most_when_the_choice_is_open_and_nothing_when_it_cannot_move_it() {
        assert!(near(knowledge_gradient(0.0, 1.0), 0.3989));
        assert!(near(knowledge_gradient(-1.0, 1.0), 0.0833));
        assert!(knowledge_gradient(0.0, 0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn five_points_at_usual_noise_need_about_590_runs_a_side() {
        assert!((smallest_detectable(0.12, 590.0, 0.05, 0.8) - 0.05).abs() < 0.001);
    }

    #[test]
    fn draws_are_even_and_differ_from_seed_to_seed() {
        let mut counts = [0_u32; 7];
        (0..7000).for_each(|i| counts[usize::try_from(draw(1, i, 7)).unwrap()] += 1);
        assert!(counts.iter().all(|count| (880..1120).contains(count)), "{counts:?}");
        assert_ne!(
            (0..20).map(|i| draw(1, i, 1000)).collect::<Vec<_>>(),
            (0..20).map(|i| draw(2, i, 1000)).collect::<Vec<_>>()
        );
        assert_eq!(draw(1, 1, 0), 0);
    }
}
