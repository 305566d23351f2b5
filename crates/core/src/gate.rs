//! Gates: what must be measured next about a candidate, and what the measurements say.
//!
//! There is one way of measuring, [`sequential`]: a gate asks for runs and takes their outcomes, until it knows. `efficient`, `assured` and `strict`
//! are three rules behind it.

pub mod account;
pub mod assured;
mod efficient;
pub mod forecast;
pub mod holdout;
pub mod purchase;
pub mod rehearse;
pub mod sequential;
pub mod stats;
mod strict;

pub use efficient::odds;

use crate::config::{GateConfig, GateMode, Preference};
use assured::Proof;
use sequential::{Policy, Rule};

/// The settings of the gate that a configuration wants; `seed` decides what it draws.
pub fn policy(config: &GateConfig, seed: u64) -> Policy {
    let rule = match config.mode {
        GateMode::Efficient => Rule::Efficient,
        GateMode::Assured => Rule::Assured(Proof {
            alpha: config.alpha,
            margin: config.margin,
            seed,
            ..Proof::default()
        }),
        GateMode::Strict => Rule::Strict(config.regression_threshold),
    };
    let usual = Policy {
        rule,
        ..Policy::default()
    };
    match config.prefer {
        Preference::Growth => Policy { price: 1e-5, ..usual },
        Preference::Balance => usual,
        Preference::Safety => Policy {
            confidence: 0.8,
            harms: (0.25, usual.harms.1),
            ..usual
        },
    }
}
