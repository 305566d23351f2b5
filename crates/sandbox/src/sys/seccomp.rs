//! Seccomp: the filter, and the answers to what it asks.

use super::{Errno, Result, check, own};
use std::ffi::{c_long, c_ulong};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

/// Puts a filter on this process and all that come of it. With `listen`, gives the descriptor that asks about its calls.
pub(crate) fn set_filter(program: &[libc::sock_filter], listen: bool) -> Result<Option<OwnedFd>> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_too_long| Errno(libc::E2BIG))?,
        filter: program.as_ptr().cast_mut(),
    };
    let flags: c_ulong = if listen {
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER
    } else {
        0
    };
    // SAFETY: the kernel copies the program that `filter` points to, with the length it has.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const filter,
        )
    };
    let done: c_long = check(done)?;
    let fd = RawFd::try_from(done).map_err(|_too_large| Errno(libc::EBADF))?;
    Ok(listen.then(|| own(fd)))
}

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub id: u64,
    pub pid: u32,
    /// Which call.
    pub number: c_long,
    /// The first argument: for `connect` the socket.
    pub first: u64,
}

/// The next call that waits.
pub(crate) fn next_question(listener: BorrowedFd<'_>) -> Result<Question> {
    // SAFETY: all bytes zero is a valid question, and what the kernel wants to be given.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the command writes one value of this type.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) };
    check(done)?;
    Ok(Question {
        id: asked.id,
        pid: asked.pid,
        number: asked.data.nr.into(),
        first: asked.data.args[0],
    })
}

/// Puts a socket in the place of the one that the call is about.
pub(crate) fn replace_fd(listener: BorrowedFd<'_>, question: Question, by: &OwnedFd, cloexec: bool) -> Result<()> {
    let request = libc::seccomp_notif_addfd {
        id: question.id,
        flags: u32::try_from(libc::SECCOMP_ADDFD_FLAG_SETFD).unwrap_or_default(),
        srcfd: by.as_raw_fd().cast_unsigned(),
        newfd: u32::try_from(question.first).map_err(|_no_descriptor| Errno(libc::EBADF))?,
        newfd_flags: if cloexec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
    };
    // SAFETY: the command reads one value of this type.
    let done = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ADDFD,
            &raw const request,
        )
    };
    check(done).map(drop)
}

/// What becomes of a call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel makes it.
    Go,
    /// It is done already.
    Done,
    /// It fails.
    Fail(Errno),
}

/// Answers a call.
pub(crate) fn answer(listener: BorrowedFd<'_>, question: Question, answer: Answer) -> Result<()> {
    let mut response = libc::seccomp_notif_resp {
        id: question.id,
        val: 0,
        error: match answer {
            Answer::Fail(errno) => -errno.0,
            Answer::Go | Answer::Done => 0,
        },
        flags: match answer {
            Answer::Go => u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or_default(),
            Answer::Done | Answer::Fail(_) => 0,
        },
    };
    // SAFETY: the command reads one value of this type.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
    check(done).map(drop)
}
