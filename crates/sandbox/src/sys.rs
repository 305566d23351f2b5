//! The system calls that no crate of this workspace has a safe name for. With `crates/sandbox/src/probe/call.rs` the only place with `unsafe`.
//!
//! On `libc` alone: `nix` would switch a feature of `libc` on, and with it everything that stands on `libc` would be compiled in two ways.

mod mount;
mod seccomp;
mod socket;

pub(crate) use mount::{detach, mount, pivot_root, tame_mount};
pub(crate) use seccomp::{Answer, Question, answer, next_question, replace_fd, set_filter};
pub(crate) use socket::{
    Segment, accept, call_for_packets, listen_for_packets, loopback_up, pair, receive_packet, send_packet,
};

use std::ffi::{CString, c_char, c_int, c_long, c_short, c_uint, c_ulong};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// An error of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub i32);

/// What a system call gives.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

impl Errno {
    /// The error of the call that has just failed.
    fn last() -> Self {
        Self(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL))
    }
}

impl From<Errno> for io::Error {
    fn from(error: Errno) -> Self {
        Self::from_raw_os_error(error.0)
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

/// What a call gave that says -1 when it failed.
pub(crate) fn check<T: Copy + Into<i64>>(given: T) -> Result<T> {
    if given.into() == -1 {
        Err(Errno::last())
    } else {
        Ok(given)
    }
}

/// Takes a descriptor that the kernel or our parent has just given us.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: callers pass a descriptor that was received or inherited for them and that nothing else in this process knows.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Lets the child of this command inherit a descriptor, and no other child that is started meanwhile.
pub(crate) fn inherit(command: &mut Command, fd: RawFd) {
    let keep = move || {
        // SAFETY: `fcntl` is async-signal-safe; it touches no memory.
        check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(keep) };
}

/// Lets every program that is started from now on have a file. Only for one that holds nothing but bait.
pub(crate) fn inherit_by_all(file: &std::fs::File) -> Result<()> {
    // SAFETY: `fcntl` with this command takes numbers only.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) }).map(drop)
}

/// What `fork` gives.
pub(crate) enum Fork {
    /// The id of the child.
    Parent(i32),
    Child,
}

/// Forks the launcher.
pub(crate) fn fork() -> Result<Fork> {
    // SAFETY: the launcher has one thread, so the child may do whatever its parent may.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        child => Ok(Fork::Parent(child)),
    }
}

/// Ends a forked child at once, without what an ordinary end of the program does.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: it does not return, and runs nothing of ours.
    unsafe { libc::_exit(code) }
}

/// Marks every descriptor from 3 on to be closed when another program takes over.
pub(crate) fn close_on_exec() -> Result<()> {
    let last = c_long::from(c_int::MAX);
    // SAFETY: it takes three numbers.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, last, c_long::from(libc::CLOSE_RANGE_CLOEXEC)) };
    check(done).map(drop)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts
        .iter()
        .map(|text| text.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

/// Replaces this process. Says why when it does not.
pub(crate) fn exec(program: &CString, arguments: &[CString], env: &[CString]) -> Errno {
    let (arguments, env) = (pointers(arguments), pointers(env));
    // SAFETY: both lists end with a null pointer, and what they point to lives in the caller.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), env.as_ptr()) };
    Errno::last()
}

/// Replaces this process by a program that is open. Says why when it does not.
pub(crate) fn exec_open(program: BorrowedFd<'_>, arguments: &[CString]) -> Errno {
    let (arguments, env) = (pointers(arguments), pointers(&[]));
    // SAFETY: as for `exec`.
    unsafe { libc::fexecve(program.as_raw_fd(), arguments.as_ptr(), env.as_ptr()) };
    Errno::last()
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(i32),
    Signalled(i32),
}

/// Reaps a child, or any child for -1: its id and its end. `None` when `hang` is not wanted and none has ended.
pub(crate) fn wait(pid: i32, hang: bool) -> Result<Option<(i32, Ended)>> {
    let mut status = 0;
    let flags = if hang { 0 } else { libc::WNOHANG };
    // SAFETY: it writes one integer.
    match check(unsafe { libc::waitpid(pid, &raw mut status, flags) })? {
        0 => Ok(None),
        pid if libc::WIFSIGNALED(status) => Ok(Some((pid, Ended::Signalled(libc::WTERMSIG(status))))),
        pid => Ok(Some((pid, Ended::Exited(libc::WEXITSTATUS(status))))),
    }
}

/// Sends a signal; 0 asks only whether it could be sent.
pub(crate) fn kill(pid: i32, signal: c_int) -> Result<()> {
    // SAFETY: it takes numbers only.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Holds the signal of children's deaths back, and gives a descriptor that is readable when there is one.
pub(crate) fn deaths() -> Result<OwnedFd> {
    // SAFETY: all bytes zero is a valid set, which is filled before it is used; the kernel reads it.
    let fd = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    check(fd).map(own)
}

/// Reads away what a descriptor that does not block has to say.
pub(crate) fn drain(fd: BorrowedFd<'_>) {
    let mut bytes = [0_u8; 1024];
    // SAFETY: the length is that of the memory.
    while unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) } > 0 {}
}

/// Waits for any of these, at most so many milliseconds (-1: for ever), and gives what happened to each.
pub(crate) fn poll(on: &[(BorrowedFd<'_>, c_short)], milliseconds: c_int) -> Result<Vec<c_short>> {
    let asked = on.iter().map(|(fd, events)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: *events,
        revents: 0,
    });
    let mut asked: Vec<libc::pollfd> = asked.collect();
    let count = libc::nfds_t::try_from(asked.len()).unwrap_or_default();
    // SAFETY: the count is that of the list.
    check(unsafe { libc::poll(asked.as_mut_ptr(), count, milliseconds) })?;
    Ok(asked.iter().map(|fd| fd.revents).collect())
}

/// Default action for SIGPIPE, which Rust's runtime ignores, and no signal held back.
pub(crate) fn reset_signals() -> Result<()> {
    // SAFETY: the default action runs no code of ours; an empty set is made before it is read.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &raw const none,
            std::ptr::null_mut(),
        ))
        .map(drop)
    }
}

/// Ends this process by the signal that ended another one.
pub(crate) fn die_of(signal: i32) -> ! {
    // SAFETY: the default action of a signal runs no code of ours; the numbers are plain.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
    leave(128 + signal)
}

/// Sets a property of this process.
pub(crate) fn property(which: c_int, value: c_ulong) -> Result<()> {
    let none: c_ulong = 0;
    // SAFETY: the properties that are set here take numbers only.
    check(unsafe { libc::prctl(which, value, none, none, none) }).map(drop)
}

/// Lowers a limit of this process, for good.
pub(crate) fn set_limit(resource: c_uint, wanted: u64) -> Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes one value of this type.
    check(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    limit.rlim_max = limit.rlim_max.min(wanted);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: it reads one value of this type.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

/// Begins a session.
pub(crate) fn new_session() -> Result<()> {
    // SAFETY: it takes nothing.
    check(unsafe { libc::setsid() }).map(drop)
}

/// This process' user and group.
pub(crate) fn ids() -> (u32, u32) {
    // SAFETY: they take nothing and cannot fail.
    unsafe { (libc::getuid(), libc::getgid()) }
}

/// Becomes a user, for good, with no other group than this one.
pub(crate) fn become_user(user: u32, group: u32) -> Result<()> {
    drop_bounding_set()?;
    // SAFETY: none is read from an empty list; the others take numbers only. The launcher has one thread.
    unsafe {
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(group, group, group))?;
        check(libc::setresuid(user, user, user)).map(drop)
    }
}

/// Which version of Landlock the kernel has; 0 for none.
pub(crate) fn landlock_version() -> i32 {
    // SAFETY: with this flag nothing is read.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    i32::try_from(version).unwrap_or_default().max(0)
}

/// Moves this process, or what it forks next, to new namespaces.
pub(crate) fn unshare(flags: c_int) -> Result<()> {
    // SAFETY: the launcher has one thread, and shares nothing that it relies on.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

/// Names the host of this namespace.
pub(crate) fn name_host(name: &str) -> Result<()> {
    // SAFETY: the length is that of the text.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// Takes a capability out of the set that a program could ever gain; `false` when the kernel knows no such capability.
fn drop_from_bounding_set(capability: c_ulong) -> Result<bool> {
    // SAFETY: it takes numbers only.
    match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }) {
        Ok(_) => Ok(true),
        Err(Errno(libc::EINVAL)) => Ok(false),
        Err(error) => Err(error),
    }
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

/// Empties the set of capabilities that a program started by root would gain.
fn drop_bounding_set() -> Result<()> {
    for capability in 0..64 {
        match drop_from_bounding_set(capability) {
            Ok(true) => {}
            // Who may not change the set gains nothing by it either: such a process is not root, or gains no privileges.
            Ok(false) | Err(Errno(libc::EPERM)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Gives all capabilities up, also those that root would gain by starting a program.
pub(crate) fn drop_capabilities() -> Result<()> {
    drop_bounding_set()?;
    let header = CapabilityHeader {
        version: 0x2008_0522,
        pid: 0,
    };
    let none = [0_u32; 6];
    // SAFETY: version 3 reads two triples of 32 bits, which `none` has.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    check(done).map(drop)
}

/// An `io::Error` for a thing that has no system error.
pub(crate) fn other(text: &str) -> io::Error {
    io::Error::other(text.to_owned())
}
