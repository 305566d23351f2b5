//! The program, run by a small interpreter of its own, so that every answer is seen without giving this process a filter.

use super::*;

fn run(program: &[sock_filter], arch: u32, call: c_long, arguments: &[u64]) -> u32 {
    let mut data = [0_u8; 64];
    data[0..4].copy_from_slice(&number(call).to_le_bytes());
    data[4..8].copy_from_slice(&arch.to_le_bytes());
    for (index, argument) in arguments.iter().enumerate() {
        data[16 + 8 * index..24 + 8 * index].copy_from_slice(&argument.to_le_bytes());
    }
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let step = program[at];
        at += 1;
        let code = u32::from(step.code);
        let k = step.k;
        let mut branch = |holds| at += usize::from(if holds { step.jt } else { step.jf });
        if code == BPF_LD | BPF_W | BPF_ABS {
            let from = k as usize;
            value = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
        } else if code == BPF_RET | BPF_K {
            return k;
        } else if code == BPF_ALU | BPF_AND | BPF_K {
            value &= k;
        } else if code == BPF_JMP | BPF_JEQ | BPF_K {
            branch(value == k);
        } else if code == BPF_JMP | BPF_JGE | BPF_K {
            branch(value >= k);
        } else if code == BPF_JMP | BPF_JSET | BPF_K {
            branch(value & k != 0);
        } else {
            panic!("{code:#x} is no step that is used here");
        }
    }
}

fn subject(mode: Mode, network: Network) -> Subject {
    Subject {
        mode,
        network,
        is_root: false,
        landlock: 6,
    }
}

const PROXY: Network = Network::Proxy { port: 80 };

fn answer(mode: Mode, network: Network, call: c_long, arguments: &[u64]) -> u32 {
    run(&program(subject(mode, network)), ARCHITECTURE, call, arguments)
}

#[test]
fn ordinary_calls_pass_in_every_tier() {
    for mode in [Mode::Namespaces, Mode::Filters] {
        for call in [
            libc::SYS_read,
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_futex,
            libc::SYS_kill,
        ] {
            assert_eq!(answer(mode, Network::None, call, &[1, 2, 3]), ALLOW);
        }
        assert_eq!(answer(mode, PROXY, libc::SYS_socket, &[2, 1 | 0o4000, 0]), ALLOW);
        assert_eq!(answer(mode, PROXY, libc::SYS_socket, &[10, 1, 6]), ALLOW);
        assert_eq!(answer(mode, PROXY, libc::SYS_sendto, &[3, 0, 0, 0x4000]), ALLOW);
        assert_eq!(answer(mode, PROXY, libc::SYS_clone, &[0x11]), ALLOW);
        assert_eq!(answer(mode, PROXY, libc::SYS_prlimit64, &[0, 7]), ALLOW);
        assert_eq!(answer(mode, PROXY, libc::SYS_socketpair, &[1, 1, 0]), ALLOW);
        assert_eq!(answer(mode, PROXY, libc::SYS_ioctl, &[0, 0x5401]), ALLOW);
    }
}

#[test]
fn what_escapes_is_refused_in_every_tier() {
    for mode in [Mode::Namespaces, Mode::Filters] {
        let refused = |call, arguments: &[u64]| answer(mode, PROXY, call, arguments);
        assert_eq!(refused(libc::SYS_mount, &[]), error(EPERM));
        assert_eq!(refused(libc::SYS_unshare, &[0x1000_0000]), error(EPERM));
        assert_eq!(refused(libc::SYS_clone, &[0x1000_0011]), error(EPERM));
        assert_eq!(refused(libc::SYS_clone3, &[]), error(ENOSYS));
        assert_eq!(refused(libc::SYS_io_uring_setup, &[]), error(ENOSYS));
        assert_eq!(refused(libc::SYS_sendto, &[3, 0, 0, 0x2000_0000]), error(EPERM));
        assert_eq!(refused(libc::SYS_sendmsg, &[3, 0, 0x2000_4000]), error(EPERM));
        assert_eq!(refused(libc::SYS_socketpair, &[1, 2, 0]), error(EACCES));
        assert_eq!(refused(libc::SYS_prlimit64, &[77, 7]), error(EPERM));
        assert_eq!(refused(libc::SYS_ioctl, &[0, 0x5412]), error(EPERM));
        // The kernel looks at the low half only, and so does the filter.
        assert_eq!(refused(libc::SYS_ioctl, &[0, 0x1_0000_5412]), error(EPERM));
        for socket in [
            [1, 1, 0],
            [2, 2, 0],
            [2, 3, 1],
            [16, 3, 0],
            [17, 3, 0],
            [40, 1, 0],
            [2, 1, 262],
        ] {
            assert_eq!(refused(libc::SYS_socket, &socket), error(EACCES), "{socket:?}");
        }
    }
}

#[test]
fn other_numbers_of_the_same_calls_are_no_way_around() {
    let program = program(subject(Mode::Namespaces, Network::None));
    assert_eq!(run(&program, 0x4000_0003, libc::SYS_read, &[]), KILL, "32 bits");
    let other = 0x4000_0000 | libc::SYS_mount;
    assert_eq!(run(&program, ARCHITECTURE, other, &[]), error(ENOSYS), "x32");
}

#[test]
fn without_namespaces_less_passes_and_connections_are_asked_about() {
    let ask = |network, call, arguments: &[u64]| answer(Mode::Filters, network, call, arguments);
    assert_eq!(ask(PROXY, libc::SYS_connect, &[3]), ASK);
    assert_eq!(ask(Network::None, libc::SYS_connect, &[3]), error(EACCES));
    assert_eq!(ask(Network::None, libc::SYS_socket, &[2, 1, 0]), error(EACCES));
    assert_eq!(ask(PROXY, libc::SYS_bind, &[3]), error(EPERM));
    assert_eq!(ask(PROXY, libc::SYS_shmget, &[3]), error(EPERM));
    assert_eq!(ask(PROXY, libc::SYS_fchmodat, &[3]), PRETEND);
    assert_eq!(ask(PROXY, libc::SYS_utimensat, &[3, 0x7fff_0000_0000]), PRETEND);
    assert_eq!(ask(PROXY, libc::SYS_utimensat, &[3, 0]), ALLOW);
    for call in [libc::SYS_connect, libc::SYS_bind, libc::SYS_shmget, libc::SYS_fchmodat] {
        assert_eq!(answer(Mode::Namespaces, PROXY, call, &[3]), ALLOW);
    }
}

#[test]
fn what_an_older_landlock_does_not_hold_is_asked_about_or_refused() {
    let ask = |mode, landlock, call, arguments: &[u64]| {
        let subject = Subject {
            landlock,
            ..subject(mode, Network::None)
        };
        run(&program(subject), ARCHITECTURE, call, arguments)
    };
    let truncating = (libc::O_TRUNC | libc::O_RDONLY).cast_unsigned().into();
    let rewriting = (libc::O_TRUNC | libc::O_WRONLY | libc::O_CREAT).cast_unsigned().into();
    for call in SIGNALS {
        assert_eq!(ask(Mode::Filters, 5, *call, &[1, 9]), ASK);
        assert_eq!(ask(Mode::Filters, 6, *call, &[1, 9]), ALLOW);
        assert_eq!(ask(Mode::Namespaces, 0, *call, &[1, 9]), ALLOW);
    }
    assert_eq!(ask(Mode::Filters, 5, libc::SYS_fcntl, &[3, 8, 1]), error(EPERM));
    assert_eq!(ask(Mode::Filters, 5, libc::SYS_fcntl, &[3, 1, 1]), ALLOW);
    assert_eq!(ask(Mode::Filters, 5, libc::SYS_ioctl, &[3, 0x8901]), error(EPERM));
    assert_eq!(ask(Mode::Filters, 5, libc::SYS_pidfd_send_signal, &[3]), error(ENOSYS));
    assert_eq!(ask(Mode::Filters, 2, libc::SYS_truncate, &[3]), error(EPERM));
    assert_eq!(
        ask(Mode::Filters, 2, libc::SYS_openat, &[3, 0, truncating]),
        error(EPERM)
    );
    assert_eq!(ask(Mode::Filters, 2, libc::SYS_openat, &[3, 0, rewriting]), ALLOW);
    assert_eq!(ask(Mode::Filters, 2, libc::SYS_openat2, &[3]), error(ENOSYS));
    assert_eq!(ask(Mode::Filters, 3, libc::SYS_openat, &[3, 0, truncating]), ALLOW);
    let old = Subject {
        landlock: 5,
        ..subject(Mode::Filters, Network::None)
    };
    assert!(old.asks(), "there is somebody who answers");
}

#[test]
fn root_is_asked_before_each_new_process_and_gets_no_namespace_either() {
    let root = |mode| Subject {
        is_root: true,
        ..subject(mode, Network::None)
    };
    for mode in [Mode::Namespaces, Mode::Filters] {
        let program = program(root(mode));
        assert_eq!(run(&program, ARCHITECTURE, libc::SYS_clone, &[0x11]), ASK);
        assert_eq!(
            run(&program, ARCHITECTURE, libc::SYS_clone, &[0x1000_0011]),
            error(EPERM)
        );
        assert!(root(mode).asks());
        assert!(!subject(mode, Network::None).asks());
    }
}
