//! A bet against a hypothesis about a mean: wealth that cannot be expected to grow while the hypothesis holds, however often one looks.
//!
//! For differences `x` with `E[x | past] <= 0`, `prod(1 + bet * x)` is a non-negative supermartingale, and so is the mean over several bets.
//! By Ville's inequality it ever reaches `1/alpha` with probability `alpha` at most (Waudby-Smith and Ramdas, Estimating means of bounded random
//! variables by betting, J. R. Stat. Soc. B 86(1), 2024, theorem 1; Ramdas et al., Game-theoretic statistics, Stat. Sci. 38(4), 2023).

use serde::{Deserialize, Serialize};

/// The parts of the wealth that are bet, one stream of bets each: small ones find small effects, large ones find large effects soon.
const BETS: [f64; 6] = [0.03, 0.06, 0.12, 0.25, 0.5, 0.9];

/// Wealth after some bets, begun with 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::gate) struct Wealth {
    /// The logarithm of each stream.
    streams: [f64; BETS.len()],
}

impl Default for Wealth {
    fn default() -> Self {
        Self {
            streams: [0.0; BETS.len()],
        }
    }
}

impl Wealth {
    /// Bets that a difference between -1 and 1, given its past, is above `-margin` in the mean; `margin` is between 0 and 1.
    pub(in crate::gate) fn bet(&mut self, difference: f64, margin: f64) {
        // The largest loss is then just below everything.
        let scale = 1.0 / (1.0 - margin).max(0.1);
        for (stream, bet) in self.streams.iter_mut().zip(BETS) {
            *stream += (bet * scale * (difference + margin)).max(-0.999_999).ln_1p();
        }
    }

    /// The e-value: the mean of the streams.
    pub(in crate::gate) fn e_value(&self) -> f64 {
        let sum: f64 = self.streams.iter().map(|stream| stream.min(300.0).exp()).sum();
        sum / f64::from(u32::try_from(BETS.len()).unwrap_or(1))
    }
}

/// One bet that goes on: on which side, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::gate) struct Bet {
    /// 1 for the candidate, -1 against it.
    sign: f64,
    margin: f64,
    wealth: Wealth,
    /// The most that the wealth has been: a bettor may stop at any time, and so at the best one.
    most: f64,
}

impl Bet {
    /// Bets that `sign` times the mean difference is above `-margin`.
    pub(in crate::gate) fn new(sign: f64, margin: f64) -> Self {
        let (wealth, most) = (Wealth::default(), 1.0);
        Self {
            sign,
            margin,
            wealth,
            most,
        }
    }

    /// The next difference.
    pub(in crate::gate) fn on(&mut self, difference: f64) {
        self.wealth.bet(self.sign * difference, self.margin);
        self.most = self.most.max(self.wealth.e_value());
    }

    /// The evidence so far.
    pub(in crate::gate) fn e_value(&self) -> f64 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wealth_grows_while_the_hypothesis_is_wrong_and_cannot_be_expected_to_while_it_holds() {
        let mut bet = Bet::new(1.0, 0.0);
        (0..12).for_each(|_| bet.on(1.0));
        assert!(bet.e_value() > 100.0, "{}", bet.e_value());
        // Over all sequences of a fair game, the expected wealth stays 1.
        let mut sum = 0.0;
        for bits in 0_u32..1 << 10 {
            let mut wealth = Wealth::default();
            (0..10).for_each(|i| wealth.bet(if bits >> i & 1 == 1 { 1.0 } else { -1.0 }, 0.0));
            sum += wealth.e_value();
        }
        assert!((sum / 1024.0 - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn a_margin_is_a_head_start() {
        let (mut strict, mut lenient) = (Bet::new(1.0, 0.0), Bet::new(1.0, 0.1));
        (0..300).for_each(|_| {
            strict.on(0.0);
            lenient.on(0.0);
        });
        assert!(
            strict.e_value() < 1.5 && lenient.e_value() > 20.0,
            "{}",
            lenient.e_value()
        );
    }
}
