//! Calls of foreign processes that wait for the launcher's word.
//!
//! Without namespaces, every connection that is begun is turned to the proxy, wherever it should have gone: the launcher puts a socket of
//! its own, connected to the proxy, in the place of the one that was to be connected. And where the kernel sets no limit of processes,
//! which is for root, the launcher does; and where its Landlock keeps no signals in, which is before Linux 6.12, too. What a call's memory says is never read, so nothing can change behind the launcher's back.

use super::filter::SIGNALS;
use super::meter::{self, Family};
use crate::sys::{self, Answer, Errno, Question};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a connection may wait for room in the proxy's queue. Nobody else is served meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an answer about processes stays true.
const TRUE_FOR: Duration = Duration::from_millis(20);

/// Answers calls that wait.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    questions: OwnedFd,
    /// Where the proxy listens.
    port: Option<u16>,
    of: Family,
    /// Processes there may be.
    limit: u64,
    /// Processes there were when they were counted, and those that were let through since.
    count: u64,
    counted_at: Instant,
}

impl Doorkeeper {
    pub(super) fn new(questions: OwnedFd, port: Option<u16>, of: Family, limit: u64) -> Self {
        Self {
            questions,
            port,
            of,
            limit,
            count: 1,
            counted_at: Instant::now(),
        }
    }

    /// Readable when somebody waits.
    pub(super) fn questions(&self) -> BorrowedFd<'_> {
        self.questions.as_fd()
    }

    /// Answers the next question.
    pub(super) fn serve(&mut self) {
        let Ok(question) = sys::next_question(self.questions.as_fd()) else {
            return;
        };
        let answer = match (question.number, self.port) {
            (libc::SYS_connect, Some(port)) => {
                turn(self.questions.as_fd(), question, port).map_or_else(Answer::Fail, |()| Answer::Done)
            }
            (libc::SYS_connect, None) => Answer::Fail(Errno(libc::EACCES)),
            (number, _) if SIGNALS.contains(&number) => self.signal(question),
            _ if self.has_room() => Answer::Go,
            _ => Answer::Fail(Errno(libc::EAGAIN)),
        };
        // The caller may be gone.
        sys::answer(self.questions.as_fd(), question, answer).ok();
    }

    /// Signals reach what descends from the launcher. Those to one's own group do: no group spans two sessions, and the program began one.
    fn signal(&self, question: Question) -> Answer {
        // The kernel takes the low half of it.
        let to = i32::from_le_bytes(std::array::from_fn(|at| question.first.to_le_bytes()[at]));
        let (by_group, forbidden) = (question.number == libc::SYS_kill, Answer::Fail(Errno(libc::EPERM)));
        match to {
            0 if by_group => Answer::Go,
            ..=-2 if by_group && meter::has_group(self.of, to.saturating_neg()) => Answer::Go,
            1.. => match meter::descends(to) {
                Some(true) => Answer::Go,
                Some(false) => forbidden,
                None => Answer::Fail(Errno(libc::ESRCH)),
            },
            _ => forbidden,
        }
    }

    /// Whether there may be one process more.
    fn has_room(&mut self) -> bool {
        if self.count >= self.limit && self.counted_at.elapsed() >= TRUE_FOR {
            self.count = meter::threads(self.of);
            self.counted_at = Instant::now();
        }
        let has_room = self.count < self.limit;
        self.count += u64::from(has_room);
        has_room
    }
}

fn turn(listener: BorrowedFd<'_>, question: Question, port: u16) -> sys::Result<()> {
    let flags = flags(question).ok_or(Errno(libc::EBADF))?;
    let proxy = SocketAddr::from(([127, 0, 0, 1], port));
    let own = TcpStream::connect_timeout(&proxy, PATIENCE).map_err(|_no_matter| Errno(libc::ECONNREFUSED))?;
    own.set_nonblocking(flags & libc::O_NONBLOCK != 0)?;
    sys::replace_fd(listener, question, &own.into(), flags & libc::O_CLOEXEC != 0)
}

/// The flags of the descriptor that was to be connected.
fn flags(question: Question) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{}/fdinfo/{}", question.pid, question.first)).ok()?;
    let octal = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(octal.trim(), 8).ok()
}
