//! Signals to processes outside, in every way in which one can be sent: each gives `true` when it gets through.

use super::call::{Arg, call};
use super::escape::{call_numbers, numbers, parent};
use super::{Attempt, Targets};
use crate::sys::kill;
use libc::{c_int, c_long};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;

pub(super) const EVERY: &[Attempt] = &[
    ("signal to another process", |t| kill(t.pid, 0).is_ok()),
    ("signal to the launcher", |_| kill(parent(), 0).is_ok()),
    ("signal to the group of another process", |t| kill(-t.pid, 0).is_ok()),
    ("signal to a thread of another process", |t| {
        let pid = t.pid.into();
        numbers(libc::SYS_tgkill, &[pid, pid, 0]) || numbers(libc::SYS_tkill, &[pid, 0])
    }),
    ("signal with data to another process", signal_with_data),
    ("signal by a descriptor of another process", |t| {
        call_numbers(libc::SYS_pidfd_open, &[t.pid.into(), 0])
            .is_ok_and(|fd| numbers(libc::SYS_pidfd_send_signal, &[fd, 0, 0, 0]))
    }),
    // The other process may end by it, so it is the last.
    ("signal by the owner of a descriptor", signal_by_owner),
];

/// `rt_sigqueueinfo` of no signal asks only whether one may.
fn signal_with_data(targets: &Targets) -> bool {
    // `siginfo_t` with the code of `sigqueue` in its third field.
    let mut info = [0; 128];
    info[8..12].copy_from_slice(&(-1_i32).to_ne_bytes());
    let pid = || Arg::Number(targets.pid.into());
    let mut to_a_thread = info;
    call(
        libc::SYS_rt_sigqueueinfo,
        &mut [pid(), Arg::Number(0), Arg::Memory(&mut info)],
    )
    .is_ok()
        || call(
            libc::SYS_rt_tgsigqueueinfo,
            &mut [pid(), pid(), Arg::Number(0), Arg::Memory(&mut to_a_thread)],
        )
        .is_ok()
}

/// A descriptor signals whoever was named its owner when there is something to be read.
fn signal_by_owner(targets: &Targets) -> bool {
    let Ok((one, mut other)) = std::os::unix::net::UnixStream::pair() else {
        return true;
    };
    let set =
        |command: c_int, value: c_long| numbers(libc::SYS_fcntl, &[one.as_raw_fd().into(), command.into(), value]);
    // Who is signalled by it is seen outside: he dies of it.
    set(libc::F_SETOWN, targets.pid.into());
    // F_SETSIG, which libc lacks.
    set(10, libc::SIGKILL.into());
    set(libc::F_SETFL, (libc::O_ASYNC | libc::O_NONBLOCK).into());
    other.write_all(b"x").ok();
    false
}
