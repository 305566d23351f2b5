//! The money of a run: what a request may cost is set aside before it is sent, and what it did cost is booked after it.

use super::ModelError;
use serde::{Deserialize, Serialize};
use sprag_core::model::{Price, TokenUsage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What models may cost in a run, and have cost. Never more than the limit is spent, whatever is asked at a time.
#[derive(Debug)]
pub struct Purse {
    state: Mutex<State>,
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    limit: f64,
    spent: f64,
    reserved: f64,
    /// Reservations that are not settled.
    open: usize,
    /// Of what is spent, what a killed process has spent on answers that nobody was told again yet.
    untold: f64,
    /// What nobody has taken yet.
    fresh: Tally,
    /// What no journal has written down yet.
    unkept: Tally,
    total: Tally,
}

/// What requests have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that were sent.
    pub requests: u64,
    /// US dollars, as far as prices are known.
    pub usd: f64,
    /// Tokens whose price nobody told.
    pub unpriced_tokens: u64,
}

impl Tally {
    fn add(&mut self, usd: f64, unpriced_tokens: u64) {
        self.usd += usd;
        self.unpriced_tokens += unpriced_tokens;
    }

    fn join(&mut self, other: Self) {
        self.requests += other.requests;
        self.add(other.usd, other.unpriced_tokens);
    }
}

/// Money that is set aside for one request. Dropped before the request was sent, it comes back; after that, it counts as spent.
#[derive(Debug)]
pub(crate) struct Reservation {
    purse: Arc<Purse>,
    most: f64,
    sent: bool,
    open: bool,
}

impl Purse {
    /// So many US dollars.
    pub fn new(limit: f64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                limit,
                ..State::default()
            }),
            settled: Notify::new(),
        })
    }

    /// What requests have cost since this was last asked.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.state().fresh)
    }

    /// What requests have cost in all.
    pub fn total(&self) -> Tally {
        self.state().total
    }

    /// From now on so many US dollars are left, less what was not taken yet: others spend of the same budget.
    pub fn allow(&self, left: f64) {
        let mut state = self.state();
        state.limit = state.spent - state.untold - state.fresh.usd + left.max(0.0);
    }

    /// What was spent since this was last asked, for a journal to write down.
    pub(super) fn keep(&self) -> Tally {
        std::mem::take(&mut self.state().unkept)
    }

    /// A process that was killed has spent so many US dollars; they are gone, and are to be told of one by one.
    pub(super) fn recover(&self, usd: f64) {
        let mut state = self.state();
        state.spent += usd;
        state.untold += usd;
    }

    /// What was recovered of one answer, as if it was spent now.
    pub(super) fn tell(&self, spent: Tally) {
        let mut state = self.state();
        state.untold -= spent.usd;
        state.fresh.join(spent);
        state.total.join(spent);
    }

    /// Sets aside what a request may cost, once what others have set aside is settled; nothing when the price is unknown.
    pub(crate) async fn reserve(self: &Arc<Self>, most: Option<f64>) -> Result<Reservation, ModelError> {
        let most = most.unwrap_or(0.0);
        loop {
            let settled = self.settled.notified();
            {
                let mut state = self.state();
                // A budget of nothing forbids paid requests, not free ones.
                if most > 0.0 && state.spent + most > state.limit {
                    return Err(ModelError::Budget {
                        limit: state.limit,
                        spent: state.spent,
                        most,
                    });
                }
                if most <= 0.0 || state.spent + state.reserved + most <= state.limit {
                    state.reserved += most;
                    state.open += 1;
                    return Ok(Reservation {
                        purse: self.clone(),
                        most,
                        sent: false,
                        open: true,
                    });
                }
            }
            settled.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request was booked with.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Booked {
    /// Tokens.
    pub(crate) usage: TokenUsage,
    /// US dollars, where the price is known.
    pub(crate) usd: f64,
}

impl Reservation {
    /// Whether it may have cost something.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent
    }

    /// Books a request. Where the provider counted, that; where it said no, nothing; where nobody knows, the most.
    pub(crate) fn book(
        self,
        counted: Option<TokenUsage>,
        most: TokenUsage,
        price: Option<Price>,
        refused: bool,
    ) -> Booked {
        let usage = match counted {
            Some(usage) => usage,
            None if refused => TokenUsage::default(),
            None => most,
        };
        let usd = price.map_or(0.0, |price| price.usd(usage));
        let unpriced = if price.is_some() {
            0
        } else {
            usage.input.saturating_add(usage.output)
        };
        self.settle(usd, unpriced);
        Booked { usage, usd }
    }

    /// From now on it may cost something.
    pub(crate) fn sent(&mut self) {
        self.sent = true;
        let mut state = self.purse.state();
        let State {
            fresh, unkept, total, ..
        } = &mut *state;
        [fresh, unkept, total].into_iter().for_each(|tally| tally.requests += 1);
    }

    /// Books what it did cost: US dollars, and tokens without a price.
    pub(crate) fn settle(mut self, usd: f64, unpriced_tokens: u64) {
        self.close(usd, unpriced_tokens);
    }

    fn close(&mut self, usd: f64, unpriced_tokens: u64) {
        self.open = false;
        let mut state = self.purse.state();
        state.open -= 1;
        // What rounding leaves over must not keep anybody waiting.
        state.reserved = if state.open == 0 {
            0.0
        } else {
            state.reserved - self.most
        };
        state.spent += usd;
        let State {
            fresh, unkept, total, ..
        } = &mut *state;
        for tally in [fresh, unkept, total] {
            tally.add(usd, unpriced_tokens);
        }
        drop(state);
        self.purse.settled.notify_waiters();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            let lost = if self.sent { self.most } else { 0.0 };
            self.close(lost, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use proptest::prelude::*;

    /// One request: what it may cost, which part of that it does, how it ends, and for how many turns of others it is under way.
    async fn request(purse: &Arc<Purse>, (most, share, end, turns): (f64, f64, u8, usize)) {
        let Ok(mut reservation) = purse.reserve(Some(most)).await else {
            return;
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        match end {
            0 => drop(reservation),
            1 => {
                reservation.sent();
                drop(reservation);
            }
            2 => {
                reservation.sent();
                reservation.book(None, TokenUsage::default(), None, false);
            }
            _ => {
                reservation.sent();
                reservation.settle(most * share, 0);
            }
        }
    }

    proptest! {
        #[test]
        fn no_mix_of_requests_spends_past_the_limit_or_waits_for_ever(
            limit in 0.0..10.0_f64,
            requests in prop::collection::vec((0.0..3.0_f64, 0.0..=1.0_f64, 0..6_u8, 0..5_usize), 0..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let purse = Purse::new(limit);
            runtime.block_on(join_all(requests.into_iter().map(|one| request(&purse, one))));
            prop_assert!(purse.total().usd <= limit + 1e-9);
        }
    }

    #[tokio::test]
    async fn what_is_set_aside_cannot_be_spent_twice_and_comes_back() {
        let purse = Purse::new(1.0);
        let first = purse.reserve(Some(0.7)).await.unwrap();
        let mut second = Box::pin(purse.reserve(Some(0.7)));
        assert!(
            (&mut second).now_or_never().is_none(),
            "it waits for the first to settle"
        );
        first.settle(0.1, 0);
        let mut second = second.await.unwrap();
        second.sent();
        drop(second);
        let refused = purse.reserve(Some(0.7)).await.unwrap_err();
        assert!(refused.to_string().contains("$0.8000 are spent"), "{refused}");
        let tally = purse.take();
        assert_eq!(
            (tally.requests, (tally.usd * 10.0).round()),
            (1, 8.0),
            "a request that was given up is paid"
        );
        assert_eq!(purse.take(), Tally::default());
        drop(purse.reserve(Some(0.2)).await.unwrap());
        assert!(
            purse.reserve(Some(0.2)).await.is_ok(),
            "one that was never sent costs nothing"
        );
    }

    #[tokio::test]
    async fn a_budget_of_nothing_forbids_only_what_is_paid() {
        let purse = Purse::new(0.0);
        assert!(purse.reserve(Some(0.000_001)).await.is_err());
        assert!(purse.reserve(Some(0.0)).await.is_ok());
        purse.reserve(None).await.unwrap().settle(0.0, 77);
        assert_eq!(purse.take().unpriced_tokens, 77);
    }
}
