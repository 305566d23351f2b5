//! What sprag's tests share.

pub mod contract;
pub mod github;
pub mod workers;
