//! x
pub mod workers;
