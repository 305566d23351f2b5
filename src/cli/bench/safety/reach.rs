//! What foreign code and its changes try to reach: the model's key, our git, files that are not theirs.

use super::{Attempt, Outcome, Tally, Way};
use crate::attempt;
use crate::proxy::abuse;
use crate::workspace::{hijack, patches};

pub(super) const ATTEMPTS: [Attempt; 3] = [
    Attempt {
        promise: "P12",
        way: Way::Async(|_| Box::pin(async { Ok(counted(abuse::attempts().await?)) })),
    },
    Attempt {
        promise: "P16",
        way: Way::Blocking(|_| tree()),
    },
    Attempt {
        promise: "P17",
        way: Way::Blocking(|_| git()),
    },
];

fn tree() -> Outcome {
    Ok(counted(patches::attempts()?))
}

fn git() -> Outcome {
    Ok(counted(hijack::attempts()?))
}

fn counted(made: Vec<attempt::Attempt>) -> Tally {
    let mut tally = Tally::default();
    for attempt in made {
        tally.case(attempt.name, attempt.fell.map_or(Ok(()), Err));
    }
    tally
}
