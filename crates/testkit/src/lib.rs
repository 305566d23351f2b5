//! What sprag's tests share.

pub mod git_server;
pub mod workers;
