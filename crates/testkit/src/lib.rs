//! What sprag's tests share.

pub mod git_server;
pub mod contract;
pub mod github;
pub mod workers;
