//! sprag turns the failures of an AI agent into measured, reviewed changes of its harness.
//!
//! The decisions are in `sprag-core`, which is pure. This crate is what touches the world: processes, files, git, the terminal.
//! `ARCHITECTURE.md` has the map.

pub mod actions;
pub mod app;
pub mod archive;
pub mod attempt;
pub mod bundle;
pub mod cli;
mod client;
pub mod error;
pub mod flow;
pub mod forge;
pub mod helpdesk;
pub mod init;
pub mod intake;
pub mod log;
pub mod model;
pub mod progress;
pub mod project;
pub mod proxy;
pub mod reading;
pub mod runner;
pub mod store;
pub mod workspace;
