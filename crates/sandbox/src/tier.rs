//! The ways to hold foreign code, strongest first, and which of them a person wants.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A way to hold foreign code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Linux namespaces, a root directory of its own, Landlock and seccomp.
    Namespaces,
    /// The same, made by root: `sudo` starts the launcher, which then gives all rights of root up. Where only root may make namespaces.
    Elevated,
    /// Landlock and seccomp; needs no right at all.
    Filters,
    /// Nothing. Only when it is asked for.
    None,
}

impl Tier {
    /// Those that hold something, strongest first.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Elevated, Self::Filters];

    /// Its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Namespaces => "A (namespaces)",
            Self::Elevated => "A (namespaces, made by sudo)",
            Self::Filters => "B (Landlock and seccomp)",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Which tiers a person accepts: `sandbox.tier` of `sprag.toml`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The strongest that this machine has.
    #[default]
    Auto,
    /// Namespaces or nothing at all.
    A,
    /// Namespaces that `sudo` makes.
    Sudo,
    /// Landlock and seccomp.
    B,
    /// No sandbox.
    None,
}

impl Choice {
    /// The tiers to try, in order. `asks_sudo` says whether `sudo` may be asked by who did not name it: whom it refuses, it reports.
    pub fn tiers(self, asks_sudo: bool) -> &'static [Tier] {
        match self {
            Self::Auto if asks_sudo => &Tier::ALL,
            Self::Auto => &[Tier::Namespaces, Tier::Filters],
            Self::A if asks_sudo => &[Tier::Namespaces, Tier::Elevated],
            Self::A => &[Tier::Namespaces],
            Self::Sudo => &[Tier::Elevated],
            Self::B => &[Tier::Filters],
            Self::None => &[Tier::None],
        }
    }
}

/// Why there is no sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no sandbox of this machine holds what it must hold{}", self.tried.iter().map(|(tier, why)| format!("\n  {tier}: {why}")).collect::<String>())]
pub struct Refused {
    /// Each tier that was tried, and why it will not do.
    pub tried: Vec<(Tier, String)>,
}

impl Refused {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        if cfg!(target_os = "linux") {
            "allow unprivileged user namespaces, or use a kernel with Landlock (5.13 or later); docs/sandbox.md says how. \
             `tier = \"none\"` under [sandbox] runs foreign code with all of your rights"
        } else {
            "sprag holds foreign code on Linux only: use a Linux machine, container or workflow. \
             `tier = \"none\"` under [sandbox] runs foreign code with all of your rights"
        }
    }
}
