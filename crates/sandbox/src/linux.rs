//! How a sandbox is built on Linux.

mod confine;
mod filter;
pub(crate) mod launcher;
mod meter;
mod notify;
mod root;
mod supervise;
mod system;
