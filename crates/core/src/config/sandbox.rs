//! `[sandbox]`: what holds the code of others, and what it may use.

use super::convert::{choice, text, whole};
use super::reader::Reader;

/// What holds the worker, the command and the coding agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Which tier. Default [`SandboxTier::Auto`].
    pub tier: SandboxTier,
    /// Files and directories that they may read besides what their commands need. `~/` is the home; other paths begin at the project.
    pub read: Vec<String>,
    /// MiB of memory, all processes of one sandbox together. Default 4096.
    pub memory_mib: u64,
    /// MiB in the directories that they may write. Default 2048.
    pub disk_mib: u64,
    /// Processes and threads. Default 512.
    pub processes: u64,
}

/// The tiers of `sandbox.tier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxTier {
    /// The strongest that holds on this machine.
    Auto,
    /// Namespaces.
    A,
    /// Namespaces that `sudo` makes.
    Sudo,
    /// Landlock and seccomp.
    B,
    /// No sandbox.
    None,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            tier: SandboxTier::Auto,
            read: Vec::new(),
            memory_mib: 4096,
            disk_mib: 2048,
            processes: 512,
        }
    }
}

pub(super) fn read(table: &Reader<'_>) -> SandboxConfig {
    let tier = choice(&[
        ("auto", Some(SandboxTier::Auto)),
        ("a", Some(SandboxTier::A)),
        ("sudo", Some(SandboxTier::Sudo)),
        ("b", Some(SandboxTier::B)),
        ("none", Some(SandboxTier::None)),
    ]);
    let default = SandboxConfig::default();
    SandboxConfig {
        tier: table.one("tier", tier).unwrap_or(default.tier),
        read: table.many("read", text).unwrap_or_default(),
        memory_mib: table
            .one("memory_mib", whole(64, 1 << 20))
            .unwrap_or(default.memory_mib),
        disk_mib: table.one("disk_mib", whole(16, 1 << 20)).unwrap_or(default.disk_mib),
        processes: table.one("processes", whole(8, 100_000)).unwrap_or(default.processes),
    }
}
