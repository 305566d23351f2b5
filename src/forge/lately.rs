//! What was sent lately, and how long the next has to wait for it: GitHub asks for one change a second, takes 80 new things a minute and 500 an
//! hour, and likes no more than six pushes a minute.
//!
//! Source: "Best practices for using the REST API" and "Rate limits for the REST API" in GitHub's documentation, "Repository limits" for pushes.

use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

/// So many new things within so long.
const CREATIONS: [(usize, SignedDuration); 2] =
    [(80, SignedDuration::from_mins(1)), (500, SignedDuration::from_hours(1))];
/// So many pushes within so long.
const PUSHES: [(usize, SignedDuration); 1] = [(6, SignedDuration::from_mins(1))];

/// When something was changed last, and what was created within the last hour.
#[derive(Debug, Default)]
pub(super) struct Lately {
    changed: Option<Timestamp>,
    created: VecDeque<Timestamp>,
}

impl Lately {
    /// How long a change has to wait, and whether it makes something new. `pace` is the least time between two changes; without one nothing waits.
    pub(super) fn wait(&self, now: Timestamp, pace: Duration, creates: bool) -> Duration {
        if pace.is_zero() {
            return Duration::ZERO;
        }
        let pace = SignedDuration::try_from(pace).unwrap_or(SignedDuration::MAX);
        let since = self
            .changed
            .map_or(SignedDuration::MAX, |last| now.duration_since(last));
        let paced = pace.saturating_sub(since);
        let created = if creates {
            free(&self.created, &CREATIONS, now).duration_since(now)
        } else {
            SignedDuration::ZERO
        };
        paced.max(created).max(SignedDuration::ZERO).unsigned_abs()
    }

    /// A change was sent.
    pub(super) fn sent(&mut self, now: Timestamp, creates: bool) {
        self.changed = Some(now);
        if creates {
            push(&mut self.created, now, CREATIONS[1].0);
        }
    }
}

/// When git pushed, and will push.
#[derive(Debug, Default)]
pub(super) struct Pushes(VecDeque<Timestamp>);

impl Pushes {
    /// How long the next push has to wait. It counts as pushed then.
    pub(super) fn next(&mut self, now: Timestamp) -> Duration {
        let at = free(&self.0, &PUSHES, now);
        push(&mut self.0, at, PUSHES[0].0);
        at.duration_since(now).max(SignedDuration::ZERO).unsigned_abs()
    }
}

/// When there is room for one more.
fn free(times: &VecDeque<Timestamp>, limits: &[(usize, SignedDuration)], now: Timestamp) -> Timestamp {
    let full = limits.iter().filter_map(|(most, within)| {
        let first = times.len().checked_sub(*most)?;
        times[first].checked_add(*within).ok()
    });
    full.fold(now, Timestamp::max)
}

/// Adds one and keeps the newest.
fn push(times: &mut VecDeque<Timestamp>, at: Timestamp, most: usize) {
    times.push_back(at);
    while times.len() > most {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn seconds(wait: Duration) -> u64 {
        wait.as_secs()
    }

    #[test]
    fn a_change_waits_for_the_one_before_and_a_new_thing_for_those_of_the_last_hour() {
        let pace = Duration::from_secs(1);
        let mut lately = Lately::default();
        assert_eq!(seconds(lately.wait(at(0), pace, true)), 0);
        (0..80).for_each(|n| lately.sent(at(n / 2), true));
        assert_eq!(seconds(lately.wait(at(39), pace, true)), 21, "80 within a minute");
        assert_eq!(
            seconds(lately.wait(at(39), pace, false)),
            1,
            "another change is not new"
        );
        (80..500).for_each(|n| lately.sent(at(n), true));
        assert_eq!(seconds(lately.wait(at(600), pace, true)), 3000, "500 within an hour");
        assert_eq!(seconds(lately.wait(at(3600), pace, true)), 0);
    }

    #[test]
    fn the_seventh_push_of_a_minute_waits() {
        let mut pushes = Pushes::default();
        let waits: Vec<u64> = (0..8).map(|n| seconds(pushes.next(at(n)))).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 54, 54]);
        assert_eq!(seconds(pushes.next(at(200))), 0);
    }
}
