//! The last steps before a foreign program runs, each of which only takes away: session, limits, capabilities, Landlock, seccomp.

use super::filter::{self, Subject};
use super::root::HOME;
use super::system::{DEVICES, PROGRAMS, SETTINGS};
use crate::sys::{self, Errno};
use crate::wire::{EXEC, Failure, Mode, Spec, send};
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::io::{PipeWriter, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Of `/proc`, what says nothing of other processes.
const PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/self",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/random",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
];
/// Open files of one process.
const OPEN_FILES: u64 = 4096;

/// Becomes the program. `notices` takes the descriptor that asks about connections, where there is one.
pub(super) fn become_program(spec: &Spec, notices: Option<&OwnedFd>) -> Result<Infallible, Failure> {
    sys::new_session().map_err(Failure::at("begin a session"))?;
    limits(spec)?;
    std::env::set_current_dir(&spec.dir).map_err(Failure::at("enter the working directory"))?;
    sys::drop_capabilities().map_err(Failure::at("give up capabilities"))?;
    sys::property(libc::PR_SET_PDEATHSIG, 9).map_err(Failure::at("end with the launcher"))?;
    sys::property(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(Failure::at("gain no privileges"))?;
    let (command, env) = prepare(spec)?;
    sys::reset_signals().map_err(Failure::at("reset signals"))?;
    landlock(spec)?;
    let program = filter::program(subject(spec));
    let listener = sys::set_filter(&program, notices.is_some()).map_err(Failure::at("set the seccomp filter"))?;
    if let (Some(listener), Some(notices)) = (&listener, notices) {
        send(notices.as_fd(), &(), Some(listener.as_fd())).map_err(Failure::at("hand out the seccomp filter"))?;
    }
    sys::close_on_exec().map_err(Failure::at("close what is open"))?;
    Err(exec(&command, &env))
}

/// What the filter must know.
pub(super) fn subject(spec: &Spec) -> Subject {
    let (user, _) = sys::ids();
    Subject {
        mode: spec.mode,
        network: spec.policy.network,
        is_root: user == 0,
        landlock: spec.landlock,
    }
}

fn limits(spec: &Spec) -> Result<(), Failure> {
    let limits = &spec.policy.limits;
    let all = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, OPEN_FILES),
        (libc::RLIMIT_FSIZE, limits.disk),
        // Not RLIMIT_AS: Node and Java reserve far more addresses than they use memory.
        (libc::RLIMIT_DATA, limits.memory),
        // Where the kernel counts all processes of the user, the launcher watches those of the sandbox.
        (libc::RLIMIT_NPROC, spec.others + limits.processes),
    ];
    for (resource, limit) in all {
        sys::set_limit(resource, limit).map_err(Failure::at("set a limit"))?;
    }
    Ok(())
}

fn landlock(spec: &Spec) -> Result<(), Failure> {
    let status = match rules(spec).and_then(RulesetCreated::restrict_self) {
        Ok(status) => status.ruleset,
        Err(_) => RulesetStatus::NotEnforced,
    };
    if status == RulesetStatus::NotEnforced && spec.mode == Mode::Filters {
        return Err(Failure::at("enforce Landlock")(Errno(libc::EOPNOTSUPP)));
    }
    Ok(())
}

fn rules(spec: &Spec) -> Result<RulesetCreated, RulesetError> {
    let version = ABI::from(spec.landlock);
    let (all, read) = (AccessFs::from_all(version), AccessFs::from_read(version));
    let files = AccessFs::from_file(version);
    let allow = |rules, path: &Path, access| allow(rules, path, access, files);
    let write = all & !(AccessFs::MakeBlock | AccessFs::MakeChar);
    let mut rules = Ruleset::default().handle_access(all)?;
    if spec.landlock >= filter::SCOPES {
        rules = rules.scope(Scope::from_all(version))?;
    }
    let mut rules = rules.create()?;
    match spec.mode {
        // The root holds nothing else, and mounts keep it from being written.
        Mode::Namespaces => {
            rules = allow(rules, Path::new("/"), read)?;
            for path in ["/tmp", "/dev"] {
                rules = allow(rules, Path::new(path), write)?;
            }
        }
        Mode::Filters => {
            for path in PROGRAMS
                .iter()
                .chain(SETTINGS)
                .chain(["/etc/passwd", "/etc/group"].iter())
            {
                rules = allow(rules, Path::new(path), read)?;
            }
            for path in PROC {
                rules = allow(rules, Path::new(path), AccessFs::ReadFile | AccessFs::ReadDir)?;
            }
            for name in DEVICES {
                let access = AccessFs::ReadFile | AccessFs::WriteFile;
                rules = allow(rules, Path::new(&format!("/dev/{name}")), access)?;
            }
        }
    }
    for path in &spec.policy.read {
        rules = allow(rules, path, read)?;
    }
    for path in spec.policy.write.iter().chain(&spec.private) {
        rules = allow(rules, path, write)?;
    }
    Ok(rules)
}

/// A path that cannot be opened is left out: nothing of it can be reached then.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
    files: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(fd) = PathFd::new(path) else {
        return Ok(rules);
    };
    let access = if path.is_dir() { access } else { access & files };
    rules.add_rule(PathBeneath::new(fd, access))
}

/// The program's arguments and environment. Home and temporary files are the sandbox's own.
fn prepare(spec: &Spec) -> Result<(Vec<CString>, Vec<CString>), Failure> {
    let (home, temporary) = match &spec.private {
        Some(private) => (private.join("home").into_os_string(), private.clone().into_os_string()),
        None => (HOME.into(), "/tmp".into()),
    };
    let ours = [("HOME", home), ("TMPDIR", temporary)];
    let theirs = spec
        .env
        .iter()
        .filter(|(name, _)| ours.iter().all(|(own, _)| name != own));
    let all = theirs
        .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
        .chain(ours.iter().map(|(name, value)| (OsStr::new(*name), value.as_os_str())));
    let env = all.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    let strings = |all: &mut dyn Iterator<Item = Vec<u8>>| all.map(CString::new).collect::<Result<Vec<_>, _>>();
    let command = strings(&mut spec.command.iter().map(|word| word.as_bytes().to_vec()));
    Ok((
        command.map_err(Failure::at(EXEC))?,
        strings(&mut env.into_iter()).map_err(Failure::at(EXEC))?,
    ))
}

/// Why the program did not start. Looks for it as `execvp` does, with the path of its own environment.
fn exec(command: &[CString], env: &[CString]) -> Failure {
    let Some(program) = command.first() else {
        return Failure::at(EXEC)(Errno(libc::EINVAL));
    };
    if program.as_bytes().contains(&b'/') {
        return Failure::at(EXEC)(sys::exec(program, command, env));
    }
    let path = env.iter().find_map(|set| set.as_bytes().strip_prefix(b"PATH="));
    let path = path.unwrap_or(b"/usr/local/bin:/usr/bin:/bin");
    let mut error = Errno(libc::ENOENT);
    for folder in std::env::split_paths(OsStr::from_bytes(path)) {
        let candidate = OsString::from_vec([folder.as_os_str().as_bytes(), b"/", program.as_bytes()].concat());
        let Ok(candidate) = CString::new(candidate.into_vec()) else {
            continue;
        };
        match sys::exec(&candidate, command, env) {
            Errno(libc::ENOENT) | Errno(libc::ENOTDIR) => {}
            // One that may not be run is passed over, and told of when there is no other.
            Errno(libc::EACCES) => error = Errno(libc::EACCES),
            other => return Failure::at(EXEC)(other),
        }
    }
    Failure::at(EXEC)(error)
}

/// Tells the launcher why there is no program, and ends.
pub(super) fn give_up(failure: &Failure, mut to: PipeWriter) -> ! {
    if let Ok(told) = serde_json::to_vec(failure) {
        // Nobody is left to hear of it when this fails.
        to.write_all(&told).ok();
    }
    sys::leave(127)
}
