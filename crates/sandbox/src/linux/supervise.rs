//! The process that stays beside a foreign program: starts it, reaps what it leaves, holds it to its limits, and ends all of it.

use super::confine;
use super::meter::{Family, Meter, TICK, members};
use super::notify::Doorkeeper;
use crate::sys::{self, Ended, Errno, Fork, poll, wait};
use crate::wire::{Failure, Mode, Report, Spec, receive, send};
use libc::{POLLERR, POLLHUP, POLLIN};
use std::io::{PipeReader, Read as _};
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// How a foreign program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exited(i32),
    Signalled(i32),
    /// It was ended by us.
    Killed,
}

/// Runs the program to its end, or to the end of whoever holds the other side of `channel`, and leaves no process of it alive.
pub(super) fn run(spec: &Spec, channel: BorrowedFd<'_>, listener: Option<TcpListener>) -> Result<End, Failure> {
    let of = match spec.mode {
        Mode::Namespaces => Family::All,
        Mode::Filters => Family::Descendants,
    };
    let deaths = sys::deaths().map_err(Failure::at("wait for processes"))?;
    let (program, notices) = start(spec)?;
    let port = listener
        .as_ref()
        .and_then(|listener| Some(listener.local_addr().ok()?.port()));
    send(channel, &Report::Started, listener.as_ref().map(TcpListener::as_fd)).map_err(Failure::at("report"))?;
    drop(listener);
    let mut folders = spec.policy.write.clone();
    folders.extend(spec.private.clone());
    let watch = Watch {
        program,
        channel,
        deaths,
        door: notices.map(|questions| Doorkeeper::new(questions, port, of, spec.policy.limits.processes)),
        meter: Meter::new(spec.policy.limits, of, folders),
    };
    let end = watch.until_end();
    // With the first process of a namespace the kernel ends all others.
    if matches!(of, Family::Descendants) {
        end_all();
    }
    Ok(end)
}

/// Starts the program: its id, and the descriptor that asks about its connections.
fn start(spec: &Spec) -> Result<(i32, Option<OwnedFd>), Failure> {
    let (mut trouble, tell) = std::io::pipe().map_err(Failure::at("make a pipe"))?;
    let asks = confine::subject(spec).asks();
    let pair = asks.then(sys::pair).transpose().map_err(Failure::at("make a socket"))?;
    let program = match sys::fork().map_err(Failure::at("fork"))? {
        Fork::Child => {
            let notices = pair.as_ref().map(|(_, theirs)| theirs);
            match confine::become_program(spec, notices) {
                Ok(never) => match never {},
                Err(failure) => confine::give_up(&failure, tell),
            }
        }
        Fork::Parent(pid) => pid,
    };
    drop(tell);
    let mut notices = None;
    if let Some((ours, theirs)) = pair {
        drop(theirs);
        // A program that failed before its filter was set sends nothing, and tells why below.
        notices = receive::<()>(ours.as_fd(), 0).ok().and_then(|(_, fd)| fd);
    }
    let mut told = Vec::new();
    trouble.read_to_end(&mut told).map_err(Failure::at("read a pipe"))?;
    if told.is_empty() {
        return Ok((program, notices));
    }
    wait(program, true).ok();
    Err(serde_json::from_slice(&told).unwrap_or_else(|_| Failure::at("start")(Errno(libc::EIO))))
}

struct Watch<'a> {
    program: i32,
    channel: BorrowedFd<'a>,
    deaths: OwnedFd,
    door: Option<Doorkeeper>,
    meter: Meter,
}

impl Watch<'_> {
    fn until_end(mut self) -> End {
        loop {
            let mut on = vec![(self.channel, 0), (self.deaths.as_fd(), POLLIN)];
            if let Some(door) = &self.door {
                on.push((door.questions(), POLLIN));
            }
            let seen = match poll(&on, TICK) {
                Ok(seen) => seen,
                Err(Errno(libc::EINTR)) => continue,
                Err(_) => return End::Killed,
            };
            if seen[0] & (POLLHUP | POLLERR) != 0 {
                return End::Killed;
            }
            if seen[1] & POLLIN != 0
                && let Some(end) = self.reap()
            {
                return end;
            }
            match seen.get(2) {
                Some(seen) if seen & POLLIN != 0 => {
                    if let Some(door) = &mut self.door {
                        door.serve();
                    }
                }
                // Nobody is left who could ask.
                Some(seen) if *seen != 0 => self.door = None,
                _ => {}
            }
            if let Some(over) = self.meter.over() {
                // Whether it is heard or not, the sandbox ends.
                send(self.channel, &Report::Over(over), None).ok();
                return End::Killed;
            }
        }
    }

    /// Reaps whoever has died; says how the program ended when it is among them.
    fn reap(&self) -> Option<End> {
        sys::drain(self.deaths.as_fd());
        let mut end = None;
        while let Ok(Some((pid, ended))) = wait(-1, false) {
            if pid == self.program {
                end = Some(match ended {
                    Ended::Exited(code) => End::Exited(code),
                    Ended::Signalled(signal) => End::Signalled(signal),
                });
            }
        }
        end
    }
}

/// Kills whatever descends from this process, and whatever that starts meanwhile, until nothing is left. The kernel gives it the
/// orphans, since it has asked for them.
fn end_all() {
    loop {
        let alive = members(Family::Descendants);
        // Who is stopped starts nobody new.
        for signal in [libc::SIGSTOP, libc::SIGKILL] {
            for pid in &alive {
                sys::kill(*pid, signal).ok();
            }
        }
        loop {
            match wait(-1, false) {
                Err(Errno(libc::ECHILD)) => return,
                Ok(None) | Err(_) => break,
                Ok(Some(_)) => {}
            }
        }
        poll(&[], 1).ok();
    }
}

/// For the launcher outside of the namespaces: waits until the first process inside has ended, and ends it when nobody holds the other
/// side of `channel` any more.
pub(super) fn outlive(first: i32, channel: BorrowedFd<'_>, mut ended: PipeReader) -> End {
    let mut told = [0; 8];
    loop {
        match poll(&[(channel, 0), (ended.as_fd(), POLLIN)], -1) {
            Err(Errno(libc::EINTR)) => {}
            Ok(seen) if seen[0] == 0 && ended.read_exact(&mut told).is_ok() => {
                wait(first, true).ok();
                return decode(told);
            }
            Ok(_) | Err(_) => break,
        }
    }
    sys::kill(first, libc::SIGKILL).ok();
    wait(first, true).ok();
    End::Killed
}

/// For [`outlive`]: how the program ended, in 8 bytes.
pub(super) fn encode(end: End) -> [u8; 8] {
    let (kind, code) = match end {
        End::Exited(code) => (0_i32, code),
        End::Signalled(signal) => (1, signal),
        End::Killed => (2, 0),
    };
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[4..].copy_from_slice(&code.to_le_bytes());
    bytes
}

fn decode(bytes: [u8; 8]) -> End {
    let [kind, code] = [0, 4].map(|at| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    match kind {
        0 => End::Exited(code),
        1 => End::Signalled(code),
        _ => End::Killed,
    }
}
