//! The side of sprag: starts a launcher, hears from it, and holds its leash.

use crate::order::Order;
use crate::policy::{Network, Over};
use crate::sys;
use crate::tier::Tier;
use crate::wire::{EXEC, Mode, NEWEST_LANDLOCK, Report, Spec, receive, send};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How long a launcher may take until the program runs, in milliseconds.
const PATIENCE: i32 = 30_000;
/// Where `sudo` is.
pub(crate) const SUDO: &str = "/usr/bin/sudo";

/// A way to hold foreign code that has been proven on this machine, or none that has been asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    tier: Tier,
    program: PathBuf,
    landlock: i32,
}

impl Sandbox {
    /// No sandbox: foreign code runs with all rights of this process.
    pub fn none() -> Self {
        Self::unproven(Tier::None, Path::new(""))
    }

    pub(crate) fn unproven(tier: Tier, program: &Path) -> Self {
        Self {
            tier,
            program: program.to_owned(),
            landlock: NEWEST_LANDLOCK,
        }
    }

    /// The same as on a kernel with an older Landlock, from 1 (Linux 5.13): for proofs. What is missing there, the filter has to hold.
    #[must_use]
    pub fn with_landlock(&self, version: u8) -> Self {
        Self {
            landlock: i32::from(version),
            ..self.clone()
        }
    }

    /// The program that is a launcher when it is told so.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The way it is held.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The command to spawn, with standard streams as the caller likes them, and the ticket to [`Ticket::redeem`] then.
    ///
    /// # Errors
    /// When there is no command, or the system gives no socket.
    pub fn prepare(&self, order: &Order<'_>) -> io::Result<(Command, Ticket)> {
        let (program, arguments) = order
            .command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is empty"))?;
        if self.tier == Tier::None {
            let mut command = Command::new(program);
            command.args(arguments).current_dir(order.dir).env_clear();
            command.envs(order.env.iter().map(|(name, value)| (name, value)));
            return Ok((command, Ticket(None)));
        }
        let private = self.private()?;
        let spec = Spec {
            mode: if self.tier == Tier::Filters {
                Mode::Filters
            } else {
                Mode::Namespaces
            },
            command: order.command.iter().map(OsString::from).collect(),
            env: order.env.to_vec(),
            dir: order.dir.to_owned(),
            policy: order.policy.clone(),
            private: private.as_ref().map(|private| private.path().to_owned()),
            user: (self.tier == Tier::Elevated).then(sys::ids),
            landlock: self.landlock,
            others: 0,
        };
        let (mut command, line) = self.launcher()?;
        command.env_clear();
        Ok((command, Ticket(Some(Open { line, spec, private }))))
    }

    /// The command of a launcher, and the line on which it is told what to do. `sudo` closes what a child inherits, so that who it starts
    /// calls back.
    fn launcher(&self) -> io::Result<(Command, Line)> {
        if self.tier == Tier::Elevated {
            let folder = tempfile::Builder::new().prefix("sandbox-").tempdir()?;
            let path = fs::canonicalize(folder.path())?.join("line");
            let socket = sys::listen_for_packets(&path)?;
            let mut command = Command::new(SUDO);
            command
                .args(["-n", "--"])
                .arg(&self.program)
                .arg(crate::LAUNCHER)
                .arg(path);
            return Ok((
                command,
                Line::Listens {
                    socket,
                    _folder: folder,
                },
            ));
        }
        let (ours, theirs) = sys::pair()?;
        let mut command = Command::new(&self.program);
        command.arg(crate::LAUNCHER).arg(theirs.as_raw_fd().to_string());
        sys::inherit(&mut command, theirs.as_raw_fd());
        Ok((command, Line::Open { ours, theirs }))
    }

    /// Home and temporary files of one process, where there are no namespaces to give it its own.
    fn private(&self) -> io::Result<Option<TempDir>> {
        if self.tier != Tier::Filters {
            return Ok(None);
        }
        let folder = tempfile::Builder::new()
            .prefix("sandbox-")
            .tempdir_in(fs::canonicalize(std::env::temp_dir())?)?;
        fs::create_dir(folder.path().join("home"))?;
        Ok(Some(folder))
    }
}

/// What is owed to a launcher that was spawned.
#[derive(Debug)]
#[must_use = "a launcher that is told nothing starts nothing"]
pub struct Ticket(Option<Open>);

#[derive(Debug)]
struct Open {
    line: Line,
    spec: Spec,
    private: Option<TempDir>,
}

/// The way to a launcher.
#[derive(Debug)]
enum Line {
    Open { ours: OwnedFd, theirs: OwnedFd },
    Listens { socket: OwnedFd, _folder: TempDir },
}

impl Line {
    fn connected(self) -> io::Result<OwnedFd> {
        match self {
            Self::Open { ours, theirs } => {
                drop(theirs);
                Ok(ours)
            }
            Self::Listens { socket, _folder } => {
                let seen = sys::poll(&[(socket.as_fd(), libc::POLLIN)], PATIENCE)?;
                if seen[0] == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Ok(sys::accept(socket.as_fd())?)
            }
        }
    }
}

impl Ticket {
    /// Tells the launcher what to do, and waits until the foreign program runs: some milliseconds.
    ///
    /// # Errors
    /// The error of the system when the program cannot be started; another one when its sandbox cannot be built.
    pub fn redeem(self) -> io::Result<Leash> {
        let Some(Open { line, spec, private }) = self.0 else {
            return Ok(Leash {
                channel: None,
                listener: None,
                private: None,
            });
        };
        let heard = line.connected().and_then(|ours| {
            send(ours.as_fd(), &spec, None)?;
            sys::poll(&[(ours.as_fd(), libc::POLLIN)], PATIENCE)?;
            let (report, fd) = receive::<Report>(ours.as_fd(), libc::MSG_DONTWAIT)?;
            Ok((ours, report, fd))
        });
        let (ours, report, fd) =
            heard.map_err(|error| io::Error::other(format!("the launcher of its sandbox does not answer: {error}")))?;
        match report {
            Report::Started => {}
            Report::Failed(failure) if failure.step == EXEC => return Err(io::Error::from_raw_os_error(failure.errno)),
            Report::Failed(failure) => return Err(io::Error::other(format!("its sandbox cannot be built: {failure}"))),
            Report::Over(over) => return Err(io::Error::other(over)),
        }
        if fd.is_none() && spec.policy.network != Network::None {
            return Err(sys::other("its sandbox hands out no socket for the proxy"));
        }
        Ok(Leash {
            channel: Some(ours),
            listener: fd.map(TcpListener::from),
            private,
        })
    }
}

/// Holds a foreign program and all that came of it: they are killed when this is dropped, or when this process ends, however it ends.
#[derive(Debug)]
pub struct Leash {
    channel: Option<OwnedFd>,
    listener: Option<TcpListener>,
    private: Option<TempDir>,
}

impl Leash {
    /// Whether there is a launcher that kills at the end. Without a sandbox there is none.
    pub fn holds(&self) -> bool {
        self.channel.is_some()
    }

    /// The listening socket of `Network::Proxy`, once.
    pub fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    /// The limit for which the program was killed, if it was.
    pub fn over(&self) -> Option<Over> {
        let channel = self.channel.as_ref()?;
        match receive::<Report>(channel.as_fd(), libc::MSG_DONTWAIT) {
            Ok((Report::Over(over), _)) => Some(over),
            _ => None,
        }
    }

    /// Kills everything. The launcher ends when nothing is left alive.
    pub fn let_go(&mut self) {
        self.channel = None;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.let_go();
        // What may still be written there in its last moment must not be an error here.
        drop(self.private.take());
    }
}
