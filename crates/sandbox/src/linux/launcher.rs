//! The program that sprag starts instead of a foreign one: it builds the sandbox around itself, and starts the foreign one inside.
//!
//! It is this very binary, started anew with an empty environment, so that it has one thread, no secrets and no open files.

use super::meter;
use super::root;
use super::supervise::{self, End, encode, outlive};
use crate::policy::Network;
use crate::sys::{self, Fork};
use crate::wire::{Failure, Mode, Report, Spec, receive, send};
use std::fs;
use std::io::{PipeWriter, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::ExitCode;

/// The exit code of a launcher that started nothing.
const NOTHING: u8 = 125;

/// Does what is told on the socket `fd`, and ends as the foreign program ends.
pub(crate) fn main(fd: &OwnedFd) -> ExitCode {
    match obey(fd.as_fd()) {
        Ok(End::Exited(code)) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Ok(End::Signalled(signal)) => sys::die_of(signal),
        Ok(End::Killed) => sys::die_of(libc::SIGKILL),
        Err(failure) => {
            // Whoever asked may be gone.
            send(fd.as_fd(), &Report::Failed(failure), None).ok();
            ExitCode::from(NOTHING)
        }
    }
}

fn obey(channel: BorrowedFd<'_>) -> Result<End, Failure> {
    let (mut spec, _) = receive::<Spec>(channel, 0).map_err(Failure::at("read what to do"))?;
    spec.landlock = spec.landlock.min(sys::landlock_version());
    let (user, _) = spec.user.unwrap_or(sys::ids());
    spec.others = if spec.mode == Mode::Filters || spec.user.is_some() {
        meter::processes_of(user)
    } else {
        0
    };
    sys::close_on_exec().map_err(Failure::at("close what is open"))?;
    // A process that leads a session already can do without a new one.
    sys::new_session().ok();
    sys::property(libc::PR_SET_DUMPABLE, 0).map_err(Failure::at("hide"))?;
    match spec.mode {
        Mode::Namespaces => in_namespaces(&spec, channel),
        Mode::Filters => {
            sys::property(libc::PR_SET_CHILD_SUBREAPER, 1).map_err(Failure::at("adopt orphans"))?;
            let port = match spec.policy.network {
                Network::None => None,
                // Inside every port leads there, so outside any free one will do.
                Network::Proxy { .. } => Some(0),
            };
            let listener = port.map(listen).transpose()?;
            supervise::run(&spec, channel, listener)
        }
    }
}

fn in_namespaces(spec: &Spec, channel: BorrowedFd<'_>) -> Result<End, Failure> {
    let all = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    if spec.user.is_some() {
        sys::unshare(all).map_err(Failure::at("make namespaces as root"))?;
    } else {
        with_users(all)?;
    }
    sys::name_host("sandbox").map_err(Failure::at("name the host"))?;
    UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| Ok(sys::loopback_up(socket.as_fd())?))
        .map_err(Failure::at("switch the loopback on"))?;
    let listener = match spec.policy.network {
        Network::None => None,
        Network::Proxy { port } => Some(listen(port)?),
    };
    let (ended, tell) = std::io::pipe().map_err(Failure::at("make a pipe"))?;
    match sys::fork().map_err(Failure::at("fork"))? {
        Fork::Child => {
            drop(ended);
            first_process(spec, channel, tell, listener)
        }
        Fork::Parent(first) => {
            drop((tell, listener));
            come_down(spec)?;
            Ok(outlive(first, channel, ended))
        }
    }
}

/// Makes namespaces, one of users among them, in which this process may do what the others need.
fn with_users(others: i32) -> Result<(), Failure> {
    let (user, group) = sys::ids();
    // Files in /proc of a process that hides belong to root, and the maps are written there.
    sys::property(libc::PR_SET_DUMPABLE, 1).map_err(Failure::at("show"))?;
    sys::unshare(libc::CLONE_NEWUSER | others).map_err(Failure::at("make namespaces"))?;
    let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
    write("setgroups", "deny".to_owned()).map_err(Failure::at("map the group"))?;
    write("uid_map", format!("{user} {user} 1")).map_err(Failure::at("map the user"))?;
    write("gid_map", format!("{group} {group} 1")).map_err(Failure::at("map the group"))?;
    sys::property(libc::PR_SET_DUMPABLE, 0).map_err(Failure::at("hide"))
}

/// Gives up the rights of root that `sudo` gave: from here on this is a process of whoever asked.
fn come_down(spec: &Spec) -> Result<(), Failure> {
    let Some((user, group)) = spec.user else { return Ok(()) };
    sys::become_user(user, group).map_err(Failure::at("become the user again"))?;
    sys::property(libc::PR_SET_DUMPABLE, 0).map_err(Failure::at("hide"))
}

/// What the first process of the namespaces does; all others die with it.
fn first_process(spec: &Spec, channel: BorrowedFd<'_>, mut tell: PipeWriter, listener: Option<TcpListener>) -> ! {
    let run = || {
        root::build(spec)?;
        come_down(spec)?;
        // Who becomes another user is not told of such a death any more, so it is asked for now.
        sys::property(libc::PR_SET_PDEATHSIG, 9).map_err(Failure::at("end with the launcher"))?;
        supervise::run(spec, channel, listener)
    };
    let end = run().unwrap_or_else(|failure| {
        send(channel, &Report::Failed(failure), None).ok();
        End::Exited(NOTHING.into())
    });
    // Nobody hears it when the launcher has ended.
    tell.write_all(&encode(end)).ok();
    sys::leave(0)
}

fn listen(port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind(("127.0.0.1", port)).map_err(Failure::at("listen for the proxy"))
}
