//! The seccomp filter: which system calls no foreign process may make, as a BPF program.
//!
//! Written out here since the filter needs four different answers in one program (an error, another error, a question to the launcher,
//! the end), which the crates that assemble filters cannot express.

use crate::policy::Network;
use crate::wire::Mode;
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, EACCES, ENOSYS,
    EPERM, c_long, sock_filter,
};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Where the parts of `struct seccomp_data` lie; the low half of an argument, as both architectures are little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const ASK: u32 = libc::SECCOMP_RET_USER_NOTIF;
/// The call does nothing and says that it worked.
const PRETEND: u32 = libc::SECCOMP_RET_ERRNO;

const fn error(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()
}

/// What changes the system, looks into other processes, or is a large and seldom needed part of the kernel.
const DENIED: &[c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_memfd_secret,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_fanotify_init,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
];

/// What programs do without when the kernel has it not. The flags of `clone3` are in memory, where no filter can see them.
const ABSENT: &[c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Without namespaces these reach what is shared by the whole machine.
const SHARED: &[c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_inotify_init1,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_inotify_init,
    libc::SYS_bind,
    libc::SYS_listen,
];

/// Landlock does not see these. Programs call them all the time on files of their own, and seldom need what they do.
const PRETENDED: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setaffinity,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    FCHMODAT2,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
];
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const FILE_SETATTR: c_long = 469;
/// `fcntl` that names an owner of any kind.
const F_SETOWN_EX: i32 = 15;

const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET)
    .cast_unsigned();

/// Terminal commands that type for the user.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;

/// Signals, the first argument of which names a process or a group.
pub(super) const SIGNALS: &[c_long] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
];
/// `ioctl` that names who gets the signals of a descriptor.
const FIOSETOWN: u32 = 0x8901;
const SIOCSPGRP: u32 = 0x8902;

/// From this version on, Landlock keeps signals within the sandbox (Linux 6.12).
pub(super) const SCOPES: i32 = 6;
/// From this version on, it keeps files from being truncated (Linux 6.2).
const TRUNCATES: i32 = 3;

/// What decides which calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject {
    pub mode: Mode,
    pub network: Network,
    /// The kernel sets root no limit of processes.
    pub is_root: bool,
    /// The version of Landlock that holds beside the filter.
    pub landlock: i32,
}

impl Subject {
    /// Whether calls to `connect` are asked about.
    fn asks_to_connect(self) -> bool {
        self.mode == Mode::Filters && self.network != Network::None
    }

    /// Whether the launcher has questions to answer.
    pub(super) fn asks(self) -> bool {
        self.is_root || self.asks_to_connect() || self.asks_to_signal()
    }

    /// Whether signals are asked about.
    fn asks_to_signal(self) -> bool {
        self.mode == Mode::Filters && self.landlock < SCOPES
    }
}

/// How processes and threads are made.
const FORKS: &[c_long] = &[
    libc::SYS_clone,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// The program for a subject.
pub(super) fn program(subject: Subject) -> Vec<sock_filter> {
    let Subject {
        mode, network, is_root, ..
    } = subject;
    let mut code = vec![load(ARCH), jump(BPF_JEQ, ARCHITECTURE, 1, 0), give(KILL), load(NUMBER)];
    // The second set of numbers on x86-64 would go around every rule below.
    code.extend([jump(BPF_JGE, 0x4000_0000, 0, 1), give(error(ENOSYS))]);
    every(&mut code, DENIED, error(EPERM));
    every(&mut code, ABSENT, error(ENOSYS));
    if mode == Mode::Filters {
        every(&mut code, SHARED, error(EPERM));
        every(&mut code, PRETENDED, PRETEND);
        // With a path, not with a descriptor that is open.
        rule(&mut code, libc::SYS_utimensat, &unless_zero(1, PRETEND));
    }
    instead_of_landlock(&mut code, subject);
    rule(&mut code, libc::SYS_clone, &if_any_bit(0, NEW_NAMESPACES, error(EPERM)));
    rule(&mut code, libc::SYS_prlimit64, &unless_zero(0, error(EPERM)));
    for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
        let fast_open = libc::MSG_FASTOPEN.cast_unsigned();
        rule(&mut code, call, &if_any_bit(flags, fast_open, error(EPERM)));
    }
    for command in [TIOCSTI, TIOCLINUX] {
        rule(&mut code, libc::SYS_ioctl, &if_equal(1, command, error(EPERM)));
    }
    let unix = libc::AF_UNIX.cast_unsigned();
    rule(&mut code, libc::SYS_socketpair, &unless_equal(0, unix, error(EACCES)));
    // One of datagrams sends to whomever it names.
    let datagrams = [load(argument(1)), step(BPF_ALU | BPF_AND | BPF_K, 0xF)];
    let datagrams = [
        &datagrams[..],
        &[
            jump(BPF_JEQ, libc::SOCK_DGRAM.cast_unsigned(), 0, 1),
            give(error(EACCES)),
        ],
    ];
    rule(&mut code, libc::SYS_socketpair, &datagrams.concat());
    if mode == Mode::Filters && network == Network::None {
        every(&mut code, &[libc::SYS_socket, libc::SYS_connect], error(EACCES));
    }
    rule(&mut code, libc::SYS_socket, &streams_only());
    if is_root {
        every(&mut code, FORKS, ASK);
    }
    if subject.asks_to_connect() {
        every(&mut code, &[libc::SYS_connect], ASK);
    }
    code.push(give(ALLOW));
    code
}

/// What an older Landlock does not hold.
fn instead_of_landlock(code: &mut Vec<sock_filter>, subject: Subject) {
    if subject.asks_to_signal() {
        // Programs use `kill` when there are no signals by descriptors.
        every(code, &[libc::SYS_pidfd_send_signal], error(ENOSYS));
        for command in [libc::F_SETOWN, F_SETOWN_EX] {
            let command = command.cast_unsigned();
            rule(code, libc::SYS_fcntl, &if_equal(1, command, error(EPERM)));
        }
        for command in [FIOSETOWN, SIOCSPGRP] {
            rule(code, libc::SYS_ioctl, &if_equal(1, command, error(EPERM)));
        }
        every(code, SIGNALS, ASK);
    }
    if subject.mode == Mode::Filters && subject.landlock < TRUNCATES {
        every(code, &[libc::SYS_truncate], error(EPERM));
        every(code, &[libc::SYS_openat2], error(ENOSYS));
        rule(code, libc::SYS_openat, &if_emptied_to_be_read(2));
        #[cfg(target_arch = "x86_64")]
        rule(code, libc::SYS_open, &if_emptied_to_be_read(1));
    }
}

/// A file that is opened to be read, and truncated by it. Who opens it to be written needs the right to write.
fn if_emptied_to_be_read(flags: u32) -> [sock_filter; 4] {
    let mask = (libc::O_TRUNC | libc::O_ACCMODE).cast_unsigned();
    [
        load(argument(flags)),
        step(BPF_ALU | BPF_AND | BPF_K, mask),
        jump(BPF_JEQ, libc::O_TRUNC.cast_unsigned(), 0, 1),
        give(error(EPERM)),
    ]
}

/// Refuses every socket but those of TCP.
fn streams_only() -> Vec<sock_filter> {
    let refused = give(error(EACCES));
    vec![
        load(argument(0)),
        jump(BPF_JEQ, libc::AF_INET.cast_unsigned(), 2, 0),
        jump(BPF_JEQ, libc::AF_INET6.cast_unsigned(), 1, 0),
        refused,
        load(argument(1)),
        step(BPF_ALU | BPF_AND | BPF_K, 0xF),
        jump(BPF_JEQ, libc::SOCK_STREAM.cast_unsigned(), 1, 0),
        refused,
        load(argument(2)),
        jump(BPF_JEQ, 0, 2, 0),
        jump(BPF_JEQ, libc::IPPROTO_TCP.cast_unsigned(), 1, 0),
        refused,
    ]
}

fn every(code: &mut Vec<sock_filter>, calls: &[c_long], action: u32) {
    for &call in calls {
        code.extend([jump(BPF_JEQ, number(call), 0, 1), give(action)]);
    }
}

/// Steps that are taken for one call only. They may use the accumulator.
fn rule(code: &mut Vec<sock_filter>, call: c_long, steps: &[sock_filter]) {
    let over = u8::try_from(steps.len() + 1).unwrap_or(u8::MAX);
    code.push(jump(BPF_JEQ, number(call), 0, over));
    code.extend_from_slice(steps);
    code.push(load(NUMBER));
}

fn if_any_bit(index: u32, bits: u32, action: u32) -> [sock_filter; 3] {
    [load(argument(index)), jump(BPF_JSET, bits, 0, 1), give(action)]
}

fn if_equal(index: u32, value: u32, action: u32) -> [sock_filter; 3] {
    [load(argument(index)), jump(BPF_JEQ, value, 0, 1), give(action)]
}

fn unless_equal(index: u32, value: u32, action: u32) -> [sock_filter; 3] {
    [load(argument(index)), jump(BPF_JEQ, value, 1, 0), give(action)]
}

/// Both halves of the argument count: it may be an address.
fn unless_zero(index: u32, action: u32) -> [sock_filter; 5] {
    [
        load(argument(index)),
        jump(BPF_JEQ, 0, 0, 2),
        load(argument(index) + 4),
        jump(BPF_JEQ, 0, 1, 0),
        give(action),
    ]
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

fn load(offset: u32) -> sock_filter {
    step(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn give(action: u32) -> sock_filter {
    step(BPF_RET | BPF_K, action)
}

fn step(code: u32, k: u32) -> sock_filter {
    jump_with(code, k, 0, 0)
}

fn jump(condition: u32, value: u32, then: u8, otherwise: u8) -> sock_filter {
    jump_with(BPF_JMP | condition | BPF_K, value, then, otherwise)
}

fn jump_with(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests;
