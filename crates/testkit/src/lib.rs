//! What sprag's tests share.

pub mod git_server;
pub mod github;
pub mod workers;

pub use sprag_standin::contract;
