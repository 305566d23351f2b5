//! On systems other than Linux there is no sandbox: nothing starts unless it is asked for without.

use crate::order::Order;
use crate::policy::Over;
use crate::tier::{Choice, Refused, Tier};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// No sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox(());

impl Sandbox {
    /// No sandbox: foreign code runs with all rights of this process.
    pub fn none() -> Self {
        Self(())
    }

    /// Refuses all but [`Choice::None`].
    ///
    /// # Errors
    /// Always, unless no sandbox is asked for.
    pub fn select(choice: Choice, _: &Path) -> Result<Self, Refused> {
        if choice == Choice::None {
            return Ok(Self::none());
        }
        let why = "needs the namespaces, Landlock or seccomp of Linux";
        let tried = choice.tiers(false).iter().map(|tier| (*tier, why.to_owned()));
        Err(Refused { tried: tried.collect() })
    }

    /// [`Tier::None`].
    pub fn tier(&self) -> Tier {
        Tier::None
    }

    /// The command to spawn.
    ///
    /// # Errors
    /// When there is no command.
    pub fn prepare(&self, order: &Order<'_>) -> io::Result<(Command, Ticket)> {
        let (program, arguments) = order
            .command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is empty"))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(order.dir).env_clear();
        command.envs(order.env.iter().map(|(name, value)| (name, value)));
        Ok((command, Ticket(())))
    }
}

/// Nothing is owed.
#[derive(Debug)]
pub struct Ticket(());

impl Ticket {
    /// Gives a leash that holds nothing.
    ///
    /// # Errors
    /// Never.
    pub fn redeem(self) -> io::Result<Leash> {
        Ok(Leash(()))
    }
}

/// Holds nothing.
#[derive(Debug)]
pub struct Leash(());

impl Leash {
    /// `false`.
    pub fn holds(&self) -> bool {
        false
    }

    /// `None`.
    pub fn take_listener(&mut self) -> Option<TcpListener> {
        None
    }

    /// `None`.
    pub fn over(&self) -> Option<Over> {
        None
    }

    /// Does nothing.
    pub fn let_go(&mut self) {}
}
