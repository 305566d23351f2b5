//! A GitHub of this machine. It is no part of what sprag does: tests play against it, and `sprag bench safety` tries promises on it that need
//! a whole GitHub.

pub mod contract;
pub mod github;
