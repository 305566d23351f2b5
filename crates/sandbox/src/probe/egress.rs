//! Ways to the network other than the proxy: each gives `true` when something gets out.

use super::call::{Arg, call};
use super::{Attempt, Targets};
use crate::sys::{self, Errno};
use libc::{
    AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM, c_int,
    c_long,
};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixStream};

pub(super) const EVERY: &[Attempt] = &[
    ("TCP to another port", |t| tcp(t.tcp)),
    ("TCP to the proxy's port of another host", |t| tcp(t.tcp_at_port)),
    ("TCP over IPv6", |t| t.tcp6.is_some_and(tcp)),
    ("TCP over IPv6 to an IPv4 address", |t| mapped(t.tcp).is_some_and(tcp)),
    ("TCP to the internet", |t| tcp_text(t, "192.0.2.1:443")),
    ("TCP to the internet over IPv6", |t| tcp_text(t, "[2001:db8::1]:443")),
    ("TCP to the cloud's metadata", |t| tcp_text(t, "169.254.169.254:80")),
    ("TCP to any address (0.0.0.0)", |t| {
        tcp(SocketAddr::from(([0, 0, 0, 0], t.tcp.port())))
    }),
    ("TCP without waiting", |t| {
        connect(SOCK_STREAM | libc::SOCK_NONBLOCK, 0, t.tcp)
    }),
    ("multipath TCP", |t| connect(SOCK_STREAM, 262, t.tcp)),
    ("SCTP", |t| connect(SOCK_SEQPACKET, 132, t.tcp)),
    ("DCCP", |t| connect(6, 33, t.tcp)),
    ("UDP", |t| udp(t.udp)),
    ("UDP over IPv6", |t| udp_text(t, "[::1]:53")),
    ("DNS by UDP", |t| {
        udp_text(t, "127.0.0.53:53") || udp_text(t, "192.0.2.1:53")
    }),
    ("DNS by the library", |t| {
        t.beyond && ("sprag.invalid.example.com", 80).to_socket_addrs().is_ok()
    }),
    ("ping", |_| socket(AF_INET, SOCK_DGRAM, 1).is_ok()),
    ("raw IP", |_| {
        socket(AF_INET, SOCK_RAW, 1).is_ok() || socket(AF_INET6, SOCK_RAW, 58).is_ok()
    }),
    ("raw frames", |_| socket(AF_PACKET, SOCK_RAW, 0x300).is_ok()),
    ("netlink", |_| socket(AF_NETLINK, SOCK_RAW, 0).is_ok()),
    ("virtual machine sockets", |_| socket(AF_VSOCK, SOCK_STREAM, 0).is_ok()),
    ("crypto sockets", |_| socket(libc::AF_ALG, SOCK_SEQPACKET, 0).is_ok()),
    ("Unix socket by its path", |t| {
        unix(UnixAddress::from_pathname(t.outside.join("socket")))
    }),
    ("docker.sock", |t| {
        unix(UnixAddress::from_pathname(t.outside.join("docker.sock")))
            || unix(UnixAddress::from_pathname("/var/run/docker.sock"))
    }),
    ("Unix socket by its abstract name", |t| {
        unix(UnixAddress::from_abstract_name(t.name.as_bytes()))
    }),
    ("Unix datagram by its path, from a pair", datagram_of_a_pair),
    ("TCP fast open by sendto", |t| fast_open(t, send_to)),
    ("TCP fast open by sendmsg", |t| fast_open(t, send_message)),
    ("TCP fast open by sendmmsg", |t| fast_open(t, send_messages)),
    ("TCP fast open by connect", |t| fast_open_connect(t.tcp)),
    ("proxies of the environment", |_| proxy_variables()),
];

fn socket(domain: c_int, kind: c_int, protocol: c_int) -> sys::Result<OwnedFd> {
    let arguments = [domain, kind | libc::SOCK_CLOEXEC, protocol];
    let fd = call(
        libc::SYS_socket,
        &mut arguments.map(|number| Arg::Number(number.into())),
    )?;
    Ok(sys::own(c_int::try_from(fd).unwrap_or(-1)))
}

fn bytes_of(address: SocketAddr) -> Vec<u8> {
    match address {
        SocketAddr::V4(address) => {
            let mut bytes = u16::try_from(AF_INET).unwrap_or_default().to_ne_bytes().to_vec();
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(address.ip().octets());
            bytes.resize(size_of::<libc::sockaddr_in>(), 0);
            bytes
        }
        SocketAddr::V6(address) => {
            let mut bytes = u16::try_from(AF_INET6).unwrap_or_default().to_ne_bytes().to_vec();
            bytes.extend(address.port().to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(address.ip().octets());
            bytes.resize(size_of::<libc::sockaddr_in6>(), 0);
            bytes
        }
    }
}

fn domain(address: SocketAddr) -> c_int {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn length(bytes: &[u8]) -> Arg<'static> {
    Arg::Number(c_long::try_from(bytes.len()).unwrap_or_default())
}

/// Whether a packet leaves. One that is turned to the proxy does not: then the other end has another address.
fn connect(kind: c_int, protocol: c_int, to: SocketAddr) -> bool {
    let Ok(socket) = socket(domain(to), kind, protocol) else {
        return false;
    };
    let mut address = bytes_of(to);
    let size = length(&address);
    let connected = call(
        libc::SYS_connect,
        &mut [Arg::Number(socket.as_raw_fd().into()), Arg::Memory(&mut address), size],
    );
    match connected {
        Ok(_) => reached(&socket, to),
        Err(Errno(libc::EINPROGRESS)) => {
            // Refused by nobody at once: a packet is on its way, if only to a loopback of its own.
            sys::poll(&[(socket.as_fd(), libc::POLLOUT)], 100).ok();
            let failed = socket
                .try_clone()
                .and_then(|socket| TcpStream::from(socket).take_error());
            matches!(failed, Ok(None)) && reached(&socket, to)
        }
        Err(_) => false,
    }
}

fn reached(socket: &OwnedFd, to: SocketAddr) -> bool {
    let Ok(peer) = socket
        .try_clone()
        .and_then(|socket| TcpStream::from(socket).peer_addr())
    else {
        return false;
    };
    peer.port() == to.port() && (to.ip().is_unspecified() || peer == to)
}

/// Without waiting, since some of these addresses never answer.
fn tcp(to: SocketAddr) -> bool {
    connect(SOCK_STREAM, 0, to)
}

fn tcp_text(targets: &Targets, to: &str) -> bool {
    if !targets.beyond {
        return false;
    }
    let Ok(to) = to.parse::<SocketAddr>() else {
        return true;
    };
    let Ok(socket) = socket(domain(to), SOCK_STREAM | libc::SOCK_NONBLOCK, 0) else {
        return false;
    };
    let mut address = bytes_of(to);
    let size = length(&address);
    let connected = call(
        libc::SYS_connect,
        &mut [Arg::Number(socket.as_raw_fd().into()), Arg::Memory(&mut address), size],
    );
    match connected {
        Ok(_) => reached(&socket, to),
        // There is a way out, and nobody has answered yet.
        Err(error) => error == Errno(libc::EINPROGRESS),
    }
}

fn mapped(address: SocketAddr) -> Option<SocketAddr> {
    match address {
        SocketAddr::V4(address) => Some(SocketAddr::from((address.ip().to_ipv6_mapped(), address.port()))),
        SocketAddr::V6(_) => None,
    }
}

fn udp(to: SocketAddr) -> bool {
    let Ok(socket) = socket(domain(to), SOCK_DGRAM, 0) else {
        return false;
    };
    send_to(&socket, to, 0).is_ok()
}

fn udp_text(targets: &Targets, to: &str) -> bool {
    targets.beyond && to.parse().is_ok_and(udp)
}

fn unix(address: io::Result<UnixAddress>) -> bool {
    address.is_ok_and(|address| UnixStream::connect_addr(&address).is_ok())
}

/// A socket of a pair sends to any other one that it names.
fn datagram_of_a_pair(targets: &Targets) -> bool {
    UnixDatagram::pair().is_ok_and(|(one, _other)| one.send_to(b"x", targets.outside.join("datagrams")).is_ok())
}

type Send = fn(&OwnedFd, SocketAddr, c_int) -> sys::Result<c_long>;

/// Data in the first packet begins a connection without `connect`.
fn fast_open(targets: &Targets, send: Send) -> bool {
    let Ok(socket) = socket(AF_INET, SOCK_STREAM, 0) else {
        return false;
    };
    match send(&socket, targets.tcp, libc::MSG_FASTOPEN) {
        Ok(_) => reached(&socket, targets.tcp),
        Err(error) => error == Errno(libc::EINPROGRESS),
    }
}

fn send_to(socket: &OwnedFd, to: SocketAddr, flags: c_int) -> sys::Result<c_long> {
    let mut address = bytes_of(to);
    let size = length(&address);
    let mut arguments = [
        Arg::Number(socket.as_raw_fd().into()),
        Arg::Text(c"x"),
        Arg::Number(1),
        Arg::Number(flags.into()),
        Arg::Memory(&mut address),
        size,
    ];
    call(libc::SYS_sendto, &mut arguments)
}

fn send_message(socket: &OwnedFd, to: SocketAddr, flags: c_int) -> sys::Result<c_long> {
    with_message(to, |message| {
        let number = Arg::Number(socket.as_raw_fd().into());
        call(
            libc::SYS_sendmsg,
            &mut [number, Arg::Memory(message), Arg::Number(flags.into())],
        )
    })
}

fn send_messages(socket: &OwnedFd, to: SocketAddr, flags: c_int) -> sys::Result<c_long> {
    with_message(to, |message| {
        let number = Arg::Number(socket.as_raw_fd().into());
        let mut arguments = [number, Arg::Memory(message), Arg::Number(1), Arg::Number(flags.into())];
        call(libc::SYS_sendmmsg, &mut arguments)
    })
}

/// `struct mmsghdr` with its one part, put together by hand: name, its length, parts, their number. It begins with a `struct msghdr`.
fn with_message(to: SocketAddr, send: impl FnOnce(&mut [u8]) -> sys::Result<c_long>) -> sys::Result<c_long> {
    let mut address = bytes_of(to);
    let mut text = *b"x";
    let mut part = [0_u8; 16];
    part[..8].copy_from_slice(&(text.as_mut_ptr() as u64).to_ne_bytes());
    part[8] = 1;
    let mut message = [0_u8; 64];
    message[..8].copy_from_slice(&(address.as_mut_ptr() as u64).to_ne_bytes());
    message[8..12].copy_from_slice(&u32::try_from(address.len()).unwrap_or_default().to_ne_bytes());
    message[16..24].copy_from_slice(&(part.as_mut_ptr() as u64).to_ne_bytes());
    message[24] = 1;
    send(&mut message)
}

fn fast_open_connect(to: SocketAddr) -> bool {
    let Ok(socket) = socket(AF_INET, SOCK_STREAM, 0) else {
        return false;
    };
    // TCP_FASTOPEN_CONNECT: `connect` waits for the first data.
    let mut on = 1_u32.to_ne_bytes();
    let mut option = [
        Arg::Number(socket.as_raw_fd().into()),
        Arg::Number(libc::IPPROTO_TCP.into()),
        Arg::Number(30),
        Arg::Memory(&mut on),
        Arg::Number(4),
    ];
    call(libc::SYS_setsockopt, &mut option).ok();
    let mut address = bytes_of(to);
    let size = length(&address);
    call(
        libc::SYS_connect,
        &mut [Arg::Number(socket.as_raw_fd().into()), Arg::Memory(&mut address), size],
    )
    .is_ok()
        && socket
            .try_clone()
            .is_ok_and(|socket| TcpStream::from(socket).write(b"x").is_ok())
        && reached(&socket, to)
}

fn proxy_variables() -> bool {
    std::env::vars_os().any(|(name, _)| name.to_string_lossy().to_ascii_lowercase().ends_with("_proxy"))
}
