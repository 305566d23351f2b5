//! What sprag's tests share.

pub mod contract;
pub mod git_server;
pub mod github;
pub mod workers;
