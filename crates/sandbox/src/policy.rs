//! What a sandbox lets through: one type for every foreign process.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a foreign process may reach. Whatever is not named here, and is no part of the system's programs, it cannot see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Directories that it may change, at the same paths as outside. They must exist, and hold no link that must be followed.
    pub write: Vec<PathBuf>,
    /// Files and directories that it may read and run, at the same paths as outside, besides the system's (`/usr`, `/opt`, some of
    /// `/etc`). One that does not exist is left out.
    pub read: Vec<PathBuf>,
    /// What it may connect to.
    pub network: Network,
    /// What it may use up.
    pub limits: Limits,
}

impl Policy {
    /// May change these directories and read the system's programs, without a network, within the default limits.
    pub fn writing(write: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            write: write.into_iter().collect(),
            read: Vec::new(),
            network: Network::None,
            limits: Limits::default(),
        }
    }
}

/// What a foreign process may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Nothing. In the tier of namespaces it has a loopback interface of its own.
    None,
    /// `127.0.0.1:port` inside, and nothing else. Whoever started the process gets the listening socket and serves it.
    Proxy {
        /// The port inside.
        port: u16,
    },
}

/// What all processes of one sandbox may use together. Who goes over is killed with all others within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes. One process cannot allocate more; the sum is watched. Default 4 GiB.
    pub memory: u64,
    /// Processes and threads. Default 512.
    pub processes: u64,
    /// Bytes in the directories that it may change. One file cannot grow larger; the sum is watched. Default 2 GiB.
    pub disk: u64,
    /// Files and directories in them. Default 200,000.
    pub files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 4 << 30,
            processes: 512,
            disk: 2 << 30,
            files: 200_000,
        }
    }
}

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Over {
    /// See [`Limits::memory`].
    #[error("used more memory than the sandbox allows")]
    Memory,
    /// See [`Limits::processes`].
    #[error("started more processes than the sandbox allows")]
    Processes,
    /// See [`Limits::disk`].
    #[error("wrote more to disk than the sandbox allows")]
    Disk,
    /// See [`Limits::files`].
    #[error("made more files than the sandbox allows")]
    Files,
}
