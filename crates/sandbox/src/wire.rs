//! What sprag and its launcher say to each other, one packet each way of a socket pair, and how descriptors travel with it.

use crate::policy::{Over, Policy};
use crate::sys;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// The largest packet in bytes: what the kernel takes at once by default, with room for its own books.
const MAX_PACKET: usize = 160 * 1024;

/// How the launcher confines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// Namespaces and a root directory of its own, then Landlock and seccomp.
    Namespaces,
    /// Landlock and seccomp alone.
    Filters,
}

/// What the launcher is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub mode: Mode,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Its whole environment, but for `HOME` and `TMPDIR`.
    pub env: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub dir: PathBuf,
    pub policy: Policy,
    /// For [`Mode::Filters`]: the directory for its temporary files and its home.
    pub private: Option<PathBuf>,
    /// The user and group to become, where root starts the launcher.
    pub user: Option<(u32, u32)>,
    /// The newest Landlock to ask for; for the launcher, the newest that the kernel has of these.
    pub landlock: i32,
    /// Found by the launcher: processes of the user, where the kernel counts them with those of the sandbox.
    #[serde(skip)]
    pub others: u64,
}

/// The newest version of Landlock whose rules are asked for; an older kernel enforces what it knows.
pub(crate) const NEWEST_LANDLOCK: i32 = 6;

/// What the launcher says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The program runs. Comes with the listening socket if there is one.
    Started,
    /// It does not.
    Failed(Failure),
    /// It was killed for this.
    Over(Over),
}

/// A step of the launcher that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{step}: {}", io::Error::from_raw_os_error(*.errno))]
pub(crate) struct Failure {
    pub step: String,
    pub errno: i32,
}

/// The step at which the program itself could not be started.
pub(crate) const EXEC: &str = "start";

impl Failure {
    /// For `map_err`: names the step.
    pub(crate) fn at<E: Into<io::Error>>(step: &str) -> impl FnOnce(E) -> Self {
        let step = step.to_owned();
        move |error| Self {
            step,
            errno: error.into().raw_os_error().unwrap_or(libc::EINVAL),
        }
    }
}

/// Sends one packet, with a descriptor if there is one.
pub(crate) fn send(to: BorrowedFd<'_>, what: &impl Serialize, with: Option<BorrowedFd<'_>>) -> io::Result<()> {
    Ok(sys::send_packet(to, &serde_json::to_vec(what)?, with)?)
}

/// Receives one packet and its descriptor. `UnexpectedEof` when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(from: BorrowedFd<'_>, flags: i32) -> io::Result<(T, Option<OwnedFd>)> {
    let mut bytes = vec![0; MAX_PACKET];
    let (length, fd) = sys::receive_packet(from, &mut bytes, flags)?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((serde_json::from_slice(&bytes[..length])?, fd))
}
