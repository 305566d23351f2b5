//! How fast requests may go out: so many at a time, so many tokens a minute, none before the provider wants to hear from us again.

use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Counts tokens over the last minute.
#[derive(Debug, Default)]
pub(super) struct Pace {
    per_minute: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: VecDeque<(Timestamp, u64)>,
    not_before: Option<Timestamp>,
}

impl Pace {
    pub(super) fn new(per_minute: Option<u64>) -> Self {
        Self {
            per_minute,
            state: Mutex::default(),
        }
    }

    /// Counts a request of so many tokens as sent now, or says how long to wait before asking again.
    pub(super) fn take(&self, tokens: u64, now: Timestamp) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = state.not_before.filter(|until| *until > now) {
            return Some(until.duration_since(now).unsigned_abs());
        }
        while state
            .sent
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE)
        {
            state.sent.pop_front();
        }
        let recent: u64 = state.sent.iter().map(|(_, tokens)| tokens).sum();
        // One that is larger than the limit goes when nothing else did: the provider will say what it thinks of it.
        let fits = self
            .per_minute
            .is_none_or(|limit| recent.saturating_add(tokens) <= limit);
        match state.sent.front().filter(|_| !fits) {
            Some((oldest, _)) => Some((MINUTE - now.duration_since(*oldest)).unsigned_abs()),
            None => {
                if self.per_minute.is_some() {
                    state.sent.push_back((now, tokens));
                }
                None
            }
        }
    }

    /// Nothing goes out before this moment.
    pub(super) fn pause(&self, until: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.not_before = state.not_before.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn no_minute_has_more_tokens_than_it_may() {
        let pace = Pace::new(Some(100));
        assert_eq!(pace.take(60, at(0)), None);
        assert_eq!(pace.take(40, at(20)), None);
        assert_eq!(pace.take(50, at(30)), Some(Duration::from_secs(30)));
        assert_eq!(pace.take(50, at(60)), None);
        assert_eq!(pace.take(500, at(61)), Some(Duration::from_secs(19)));
        assert_eq!(
            pace.take(500, at(120)),
            None,
            "what is too large for any minute goes alone"
        );
        assert_eq!(Pace::new(None).take(u64::MAX, at(0)), None);
    }

    #[test]
    fn nobody_asks_while_the_provider_wants_rest() {
        let pace = Pace::new(None);
        pace.pause(at(9));
        pace.pause(at(5));
        assert_eq!(pace.take(1, at(2)), Some(Duration::from_secs(7)));
        assert_eq!(pace.take(1, at(9)), None);
    }
}
