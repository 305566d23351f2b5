//! x
pub mod cli;
pub mod runner;
