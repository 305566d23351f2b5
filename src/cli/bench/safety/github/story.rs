//! The whole story on GitHub: from issues to a merged change, and a failure that comes back. A job that fails is run again, as the next event
//! would.

use super::town::{Error, Town};
use crate::flow::FlowError;
use sprag_standin::github::Fault;
use std::path::Path;

/// How often a job may fail before the story is given up.
const PATIENCE: u32 = 4;
/// The workflow run whose tries the jobs are that run the loop.
pub(super) const NIGHTLY: &str = "the nightly one";

/// What goes wrong in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// One answer, which the job outlives.
    Fault(Fault),
    /// GitHub has acted, and the job is gone before it hears of it.
    Kill,
}

/// How a story ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    /// What people see.
    pub(super) page: String,
    /// The endpoints of its requests, in their order.
    pub(super) requests: Vec<String>,
}

/// Plays it. With `trouble`, its request of that number (from 1) goes wrong.
pub(super) async fn play(scratch: &Path, trouble: Option<(u64, Trouble)>) -> Result<Ending, Error> {
    let tries = if matches!(trouble, Some((_, Trouble::Kill))) {
        1
    } else {
        5
    };
    let town = Town::new(scratch, tries).await?;
    match trouble {
        Some((at, Trouble::Fault(fault))) => town.fake.fault(at, fault),
        Some((at, Trouble::Kill)) => town.fake.fault(at, Fault::ResetAfter),
        None => {}
    }
    opened(&town).await?;
    let pull = town
        .open_pull()
        .ok_or_else(|| format!("there is no pull request: {}", town.page()))?;
    town.later();
    town.alice.readies(pull);
    town.alice.merges(pull);
    town.later();
    until_done(PATIENCE, async || town.sync().await).await?;
    town.later();
    town.reports(0);
    town.later();
    until_done(PATIENCE, async || town.sync().await).await?;
    let requests = town
        .fake
        .exchanges()
        .iter()
        .map(|exchange| exchange.endpoint.to_string())
        .collect();
    let page = town.page();
    as_described(&town)?;
    Ok(Ending { page, requests })
}

/// The part up to the pull request.
pub(super) async fn opened(town: &Town) -> Result<(), Error> {
    let first = town.reports(0);
    town.reports(1);
    town.alice.comments(first, "/sprag status");
    town.later();
    until_done(PATIENCE, async || town.sync().await).await?;
    town.later();
    until_done(PATIENCE, async || town.run(NIGHTLY).await).await
}

/// Every request and every answer so far was as GitHub describes them.
pub(super) fn as_described(town: &Town) -> Result<(), Error> {
    match town.fake.violations().as_slice() {
        [] => Ok(()),
        violations => Err(violations.join("; ").into()),
    }
}

/// Runs a job until it ends well.
pub(super) async fn until_done(patience: u32, job: impl AsyncFn() -> Result<(), FlowError>) -> Result<(), Error> {
    let mut failed = 0;
    while let Err(error) = job().await {
        failed += 1;
        if failed == patience {
            return Err(format!("a job fails again and again: {error}").into());
        }
    }
    Ok(())
}
