//! What is to be started, on every system.

use crate::policy::Policy;
use std::ffi::OsString;
use std::path::Path;

/// A foreign program to start.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The program and its arguments.
    pub command: &'a [String],
    /// Its whole environment. In a sandbox, `HOME` and `TMPDIR` are the sandbox's.
    pub env: &'a [(OsString, OsString)],
    /// Where it starts.
    pub dir: &'a Path,
    /// What it may reach.
    pub policy: &'a Policy,
}
