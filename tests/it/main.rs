//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test stops when anything fails")]

mod action;
mod afterwards;
mod canary;
mod cases;
mod cheats;
mod check;
mod faults;
mod flaky;
mod git;
mod github;
mod handover;
mod input;
mod intake;
mod kill;
mod look;
mod model;
mod people;
mod planning;
mod proposers;
mod review;
mod searched;
mod secrets;
mod state;
mod support;
mod webhooks;
mod whole_loop;
mod worker;
