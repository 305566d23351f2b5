//! GitHub is asked politely, on a clock that only waiting moves.

use super::server::{self, Asked};
use super::{Attempt, Ground, Outcome, Tally, Way};
use crate::forge::{Credentials, Forge, ForgeConfig, IssueChange, Reaction};
use jiff::{SignedDuration, Timestamp};
use sprag_core::github::RepoName;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    promise: "P6",
    way: Way::Async(|ground| Box::pin(polite(ground))),
}];

/// How many want to change something at the same time.
const AT_ONCE: usize = 8;
const ISSUE: &str = r#"{"number":1,"title":"t","body":"b","state":"open","labels":[],"user":{"id":1,"login":"sprag","type":"Bot"},"created_at":"2026-11-01T00:00:00Z","updated_at":"2026-11-01T00:00:00Z"}"#;

/// A request as it was seen: when, what, and how many there were.
#[derive(Debug, Clone)]
struct Seen {
    at: Timestamp,
    method: String,
    at_once: usize,
    was_known: bool,
}

/// A clock, and what was seen.
#[derive(Debug)]
pub(super) struct World {
    now: Mutex<Timestamp>,
    seen: Mutex<Vec<Seen>>,
}

impl World {
    pub(super) fn new() -> Result<Arc<Self>, jiff::Error> {
        Ok(Arc::new(Self {
            now: Mutex::new(Timestamp::from_second(1_800_000_000)?),
            seen: Mutex::default(),
        }))
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, time: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(time).unwrap_or(*now);
    }

    fn see(&self, asked: &Asked) -> bool {
        let was_known = asked.headers.contains("if-none-match:");
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
            at: self.now(),
            method: asked.method.clone(),
            at_once: asked.at_once,
            was_known,
        });
        was_known
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn polite(ground: Arc<Ground>) -> Outcome {
    let world = World::new()?;
    let seen = Arc::clone(&world);
    let address = server::serve(move |asked| {
        let known = seen.see(&asked);
        async move {
            match (asked.method.as_str(), known) {
                ("GET", true) => (304, "etag: \"1\"\r\n".to_owned(), String::new()),
                _ => (200, "etag: \"1\"\r\n".to_owned(), ISSUE.to_owned()),
            }
        }
    })
    .await?;
    let forge = forge(address, &world)?;
    let mut tally = Tally::default();
    let changes = if ground.quick { 200 } else { 1_000 };
    change(&forge, changes).await?;
    tell_changes(&mut tally, &world.take());
    polls(&forge, &world, &mut tally).await?;
    let mut pushes: Vec<Timestamp> = Vec::new();
    for _ in 0..40 {
        forge.push_turn().await;
        pushes.push(world.now());
    }
    for n in 0..pushes.len() {
        tally.case(
            format!("push {n}"),
            within(&pushes[..=n], 6, SignedDuration::from_mins(1)),
        );
    }
    Ok(tally)
}

/// The way to a server, on that clock.
pub(super) fn forge(address: String, world: &Arc<World>) -> Result<Forge, Box<dyn std::error::Error + Send + Sync>> {
    let repo = RepoName::parse("acme/shop").ok_or("the name is one")?;
    let mut config = ForgeConfig::new(address, repo, Credentials::Token("ghp_made-up".into()));
    let (clock, wait) = (Arc::clone(world), Arc::clone(world));
    config.clock = Arc::new(move || clock.now());
    config.wait = Arc::new(move |time| {
        wait.pass(time);
        Box::pin(std::future::ready(()))
    });
    config.max_wait = Duration::from_hours(2);
    Ok(Forge::new(config)?)
}

/// Changes things, many at a time, half of them new ones.
async fn change(forge: &Forge, n: usize) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut changing = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let forge = forge.clone();
        changing.spawn(async move {
            for at in (worker..n).step_by(AT_ONCE) {
                if at % 3 == 0 {
                    let change = IssueChange {
                        open: Some(true),
                        ..IssueChange::default()
                    };
                    forge.update_issue(1, &change).await.map(drop)?;
                } else {
                    forge.react(1, Reaction::Eyes).await?;
                }
            }
            Ok::<(), crate::forge::ForgeError>(())
        });
    }
    while let Some(done) = changing.join_next().await {
        done??;
    }
    Ok(())
}

fn tell_changes(tally: &mut Tally, seen: &[Seen]) {
    let created = |seen: &[Seen]| -> Vec<Timestamp> {
        let created = seen.iter().filter(|seen| seen.method == "POST");
        created.map(|seen| seen.at).collect()
    };
    for (n, now) in seen.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| seen[n].at);
        let since = before.map_or(SignedDuration::MAX, |before| now.at.duration_since(before));
        let created = created(&seen[..=n]);
        let outcome = if now.at_once > 1 {
            Err(format!("{} were asked at once", now.at_once))
        } else if since < SignedDuration::from_secs(1) {
            Err(format!("it came {since:?} after the one before"))
        } else {
            within(&created, 80, SignedDuration::from_mins(1)).and(within(&created, 500, SignedDuration::from_hours(1)))
        };
        tally.case(format!("change {n}"), outcome);
    }
}

/// No more than so many within so long, up to the last of these.
fn within(times: &[Timestamp], most: usize, long: SignedDuration) -> Result<(), String> {
    let Some(last) = times.last() else { return Ok(()) };
    let near = times.iter().filter(|time| last.duration_since(**time) < long).count();
    if near > most {
        return Err(format!("{near} within {long:?}"));
    }
    Ok(())
}

/// What was read before is asked for by its tag.
async fn polls(forge: &Forge, world: &World, tally: &mut Tally) -> Result<(), crate::forge::ForgeError> {
    for n in 0..10 {
        forge.issue(1).await?;
        let asked = world.take();
        let outcome = match asked.as_slice() {
            [one] if one.was_known || n == 0 => Ok(()),
            asked => Err(format!("it was asked for anew: {asked:?}")),
        };
        tally.case(format!("poll {n}"), outcome);
    }
    Ok(())
}
