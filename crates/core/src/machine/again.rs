//! A verdict made again: the recorded runs are told to a gate, and what it decides is held against the ledger.

use super::{Command, step};
use crate::candidate::{Experiment, Ground};
use crate::id::ExperimentId;
use crate::ledger::Event;

/// A verdict, made again from the recorded runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// The experiment as the ledger left it.
    pub experiment: Experiment,
    /// What follows from its runs; `None` when the gate would have gone on.
    pub again: Option<(Ground, String)>,
}

impl Again {
    /// Whether the ledger says the same.
    pub fn agrees(&self) -> bool {
        let told = self.experiment.verdict.as_ref().map(|(_, reason)| reason);
        let again = self.again.as_ref();
        again.is_some_and(|(ground, reason)| self.experiment.ground == Some(*ground) && told == Some(reason))
    }
}

/// Makes a verdict again from a ledger: the runs are told to a gate, and what it decides is held against what was written down. `None` when there
/// is no such verdict.
pub fn decide_again<'a>(events: impl IntoIterator<Item = &'a Event>, id: &ExperimentId) -> Option<Again> {
    let (mut state, mut commands) = (None, Vec::new());
    for event in events {
        let wanted = commands.first().cloned();
        (state, commands) = step(state, event);
        match event {
            Event::Decided { experiment, .. } if experiment == id => {
                let experiment = state?.experiment(id)?.clone();
                let again = match wanted {
                    Some(Command::Decide { ground, reason, .. }) => Some((ground, reason)),
                    _ => None,
                };
                return Some(Again { experiment, again });
            }
            _ => {}
        }
    }
    None
}
