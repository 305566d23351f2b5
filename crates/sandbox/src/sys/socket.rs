//! Sockets: packets with descriptors, the loopback interface; and shared memory, which is bait.

use super::{Errno, Result, check, own};
use std::ffi::{c_int, c_uint};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Two sockets that are connected, keep packets apart, and see when the other is closed.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: it writes two descriptors.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    })?;
    Ok((own(fds[0]), own(fds[1])))
}

fn packets() -> Result<OwnedFd> {
    // SAFETY: it takes numbers only.
    check(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0) }).map(own)
}

/// The address of a socket with a name in the file system.
fn named(path: &Path) -> Result<libc::sockaddr_un> {
    // SAFETY: all bytes zero is a valid address.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::sa_family_t::try_from(libc::AF_UNIX).unwrap_or_default();
    let name = path.as_os_str().as_bytes();
    // The last byte stays zero.
    if name.len() >= address.sun_path.len() {
        return Err(Errno(libc::ENAMETOOLONG));
    }
    for (into, byte) in address.sun_path.iter_mut().zip(name) {
        *into = byte.cast_signed();
    }
    Ok(address)
}

const ADDRESS: libc::socklen_t = size_of::<libc::sockaddr_un>() as libc::socklen_t;

/// A socket that waits for one connection.
pub(crate) fn listen_for_packets(path: &Path) -> Result<OwnedFd> {
    let (socket, address) = (packets()?, named(path)?);
    // SAFETY: the length is that of the address.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS) })?;
    // SAFETY: it takes numbers only.
    check(unsafe { libc::listen(socket.as_raw_fd(), 1) })?;
    Ok(socket)
}

/// The connection that has come.
pub(crate) fn accept(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: nobody asks who it is.
    let fd = unsafe {
        libc::accept4(
            socket.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_CLOEXEC,
        )
    };
    check(fd).map(own)
}

/// A connection to a socket that waits.
pub(crate) fn call_for_packets(path: &Path) -> Result<OwnedFd> {
    let (socket, address) = (packets()?, named(path)?);
    // SAFETY: the length is that of the address.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS) })?;
    Ok(socket)
}

/// Room for the control message of one descriptor, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 32]);

/// The size of one descriptor.
const FD: c_uint = size_of::<RawFd>() as c_uint;

fn header(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: all bytes zero is a valid header.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header
}

/// Sends one packet, with a descriptor if there is one.
pub(crate) fn send_packet(to: BorrowedFd<'_>, bytes: &[u8], with: Option<BorrowedFd<'_>>) -> Result<()> {
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut header = header(&mut part);
    let mut control = Control([0; 32]);
    if let Some(fd) = with {
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: the room is larger than the space of one descriptor, so there is a first message in it, with data behind its head.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(FD) as _;
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = libc::SOL_SOCKET;
            (*message).cmsg_type = libc::SCM_RIGHTS;
            (*message).cmsg_len = libc::CMSG_LEN(FD) as _;
            libc::CMSG_DATA(message).cast::<RawFd>().write_unaligned(fd.as_raw_fd());
        }
    }
    // SAFETY: the header points to memory that lives here, with its lengths. The kernel only reads it.
    let sent = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) };
    check(i64::try_from(sent).unwrap_or(-1)).map(drop)
}

/// Receives one packet, and its descriptor if it has one: how many bytes it has; 0 when the other side is closed.
pub(crate) fn receive_packet(from: BorrowedFd<'_>, into: &mut [u8], flags: c_int) -> Result<(usize, Option<OwnedFd>)> {
    let mut part = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let mut header = header(&mut part);
    let mut control = Control([0; 32]);
    header.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: it computes a number.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(FD) } as _;
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    let read = loop {
        // SAFETY: the header points to memory that lives here, with its lengths.
        let read = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut header, flags) };
        match check(i64::try_from(read).unwrap_or(-1)) {
            Err(Errno(libc::EINTR)) => {}
            read => break read?,
        }
    };
    // SAFETY: the kernel has set the length of what it wrote, and the macros stay within it; a message of this type has a descriptor.
    let fd = unsafe {
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        let has_fd =
            !message.is_null() && (*message).cmsg_level == libc::SOL_SOCKET && (*message).cmsg_type == libc::SCM_RIGHTS;
        has_fd.then(|| libc::CMSG_DATA(message).cast::<RawFd>().read_unaligned())
    };
    Ok((usize::try_from(read).unwrap_or_default(), fd.map(own)))
}

/// Switches the loopback interface on.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: all bytes zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (into, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *into = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or_default();
    // SAFETY: the request is of the type that this command reads.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    check(done).map(drop)
}

/// A segment of System V shared memory, removed when dropped.
#[derive(Debug)]
pub(crate) struct Segment(c_int);

impl Segment {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: it takes numbers only.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o666) };
        Ok(Self(check(id)?))
    }

    pub(crate) fn id(&self) -> i32 {
        self.0
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: this command takes no memory.
        unsafe { libc::shmctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
