//! A program that tries to get out of its sandbox, in every way that is known to us, and says what held.

mod abuse;
#[expect(unsafe_code, reason = "tries system calls that no library offers")]
mod call;
mod egress;
mod escape;
mod signals;

pub(crate) use abuse::{Abuse, EVERY as ABUSES};

use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a probe is told: what lies outside, planted to be found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Wait until standard input ends: somebody to spy on.
    Wait,
    /// Say `ready`, then stay for ever.
    Stay,
    /// Try to get out.
    Reach(Box<Targets>),
    /// Use up what there is.
    Abuse(Abuse),
}

/// What lies outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Targets {
    /// A folder with a file `secret`, an empty `.git/hooks`, and sockets `socket`, `docker.sock` and `datagrams`.
    pub outside: PathBuf,
    /// A file outside that may be read.
    pub shown: PathBuf,
    /// The folder that may be written.
    pub work: PathBuf,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// What the file `secret` and the environment of the process `pid` say.
    pub secret: String,
    /// A process of the same user.
    pub pid: i32,
    /// Its abstract socket.
    pub name: String,
    /// The file name that must not appear in folders for temporary files.
    pub mark: String,
    /// Listening sockets: IPv4, IPv4 at the proxy's port, IPv6 where there is any.
    pub tcp: SocketAddr,
    pub tcp_at_port: SocketAddr,
    pub tcp6: Option<SocketAddr>,
    /// Sockets of UDP.
    pub udp: SocketAddr,
    /// Whether addresses beyond this machine are tried. Not without a sandbox, where something would leave.
    pub beyond: bool,
    /// A segment of System V shared memory.
    pub segment: i32,
}

/// A way out, tried.
pub(crate) type Attempt = (&'static str, fn(&Targets) -> bool);

/// What one attempt came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub egress: bool,
    pub name: String,
    pub held: bool,
}

/// How many lines [`main`] writes.
pub(crate) fn count() -> usize {
    escape::EVERY.len() + egress::EVERY.len() + signals::EVERY.len()
}

pub(crate) fn main(task: &str) -> ExitCode {
    let done = match serde_json::from_str(task) {
        Ok(Task::Wait) => io::stdin().lock().read_until(0, &mut Vec::new()).map(drop),
        Ok(Task::Stay) => abuse::stay(),
        Ok(Task::Abuse(abuse)) => abuse::commit(abuse),
        Ok(Task::Reach(targets)) => reach(&targets),
        Err(error) => Err(error.into()),
    };
    if done.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn reach(targets: &Targets) -> io::Result<()> {
    let attempts = |egress, of: &'static [Attempt]| of.iter().map(move |attempt| (egress, attempt));
    let escapes = attempts(false, escape::EVERY);
    let egress = attempts(true, egress::EVERY);
    // One of the signals may end the process that is spied on, so they are the last.
    for (egress, (name, attempt)) in escapes.chain(egress).chain(attempts(false, signals::EVERY)) {
        let line = Line {
            egress,
            name: (*name).to_owned(),
            held: !attempt(targets),
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&line)?)?;
    }
    Ok(())
}
