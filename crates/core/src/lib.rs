//! The pure domain of sprag: what a trace, a failure, a cluster, a case, a candidate and a verdict are, and every decision over them.
//!
//! Nothing here reads a file, a clock, the environment or a random source: time, ids and seeds come in as arguments.

pub mod agreement;
pub mod book;
pub mod budget;
pub mod candidate;
pub mod case;
pub mod cluster;
pub mod command;
pub mod config;
pub mod curation;
pub mod edit;
pub mod fact;
pub mod failure;
pub mod gate;
pub mod github;
pub mod handover;
pub mod harness;
pub mod hash;
pub mod id;
pub mod learnings;
pub mod ledger;
pub mod machine;
pub mod mine;
pub mod model;
pub mod overview;
pub mod propose;
pub mod protocol;
pub mod redact;
pub mod render;
pub mod score;
pub mod search;
pub mod severity;
pub mod signal;
pub mod similar;
pub mod trace;
pub mod trial;
pub mod webhook;
