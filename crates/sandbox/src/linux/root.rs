//! The root directory of a sandbox with namespaces: an empty file system, and in it read-only views of what the policy names.

use super::system::{DEVICES, PROGRAMS, SETTINGS};
use crate::sys::{self, detach, mount, pivot_root};
use crate::wire::{Failure, Spec};
use libc::{MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT};
use std::env::set_current_dir;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Where the old root is while the new one is built.
const OLD: &str = "/.old";
/// Where a program finds its home, which is empty.
pub(super) const HOME: &str = "/tmp/home";
/// The size of shared memory, in bytes.
const SHARED_MEMORY: u64 = 256 << 20;
/// The most that temporary files may take, in bytes: they lie in memory.
const TEMPORARY: u64 = 1 << 30;

/// Builds the root and moves into it. This process must be the first of new mount and process namespaces.
pub(super) fn build(spec: &Spec) -> Result<(), Failure> {
    mount("", "/", "", MS_REC | MS_PRIVATE, "").map_err(Failure::at("keep mounts to ourselves"))?;
    let base = "/tmp";
    let fresh = MS_NOSUID | MS_NODEV;
    mount("root", base, "tmpfs", fresh, "size=4m,mode=755").map_err(Failure::at("mount a root"))?;
    fs::create_dir(format!("{base}{OLD}")).map_err(Failure::at("make a root"))?;
    pivot_root(Path::new(base), Path::new(&format!("{base}{OLD}"))).map_err(Failure::at("change the root"))?;
    set_current_dir("/").map_err(Failure::at("change the root"))?;
    programs()?;
    devices()?;
    temporary("/tmp", TEMPORARY.min(spec.policy.limits.disk))?;
    let (user, group) = spec.user.unwrap_or(sys::ids());
    fs::create_dir(HOME)
        .and_then(|()| std::os::unix::fs::chown(HOME, Some(user), Some(group)))
        .map_err(Failure::at("make a home"))?;
    settings((user, group))?;
    mount("proc", made("/proc")?, "proc", fresh | MS_NOEXEC | MS_RDONLY, "").map_err(Failure::at("mount /proc"))?;
    for path in ordered(&spec.policy.read) {
        bind(path, true)?;
    }
    for path in ordered(&spec.policy.write) {
        bind(path, false)?;
    }
    detach(Path::new(OLD)).map_err(Failure::at("let go of the old root"))?;
    fs::remove_dir(OLD).map_err(Failure::at("let go of the old root"))?;
    let read_only = fresh | MS_REMOUNT | MS_BIND | MS_RDONLY;
    mount("", "/", "", read_only, "").map_err(Failure::at("close the root"))
}

/// Shorter paths first, so that nothing is put over what lies in it.
fn ordered(paths: &[PathBuf]) -> Vec<&Path> {
    let mut paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn programs() -> Result<(), Failure> {
    for path in PROGRAMS {
        let old = format!("{OLD}{path}");
        match fs::symlink_metadata(&old) {
            Ok(found) if found.is_symlink() => {
                let link = || symlink(fs::read_link(&old)?, path);
                link().map_err(Failure::at(&format!("link {path}")))?;
            }
            Ok(_) => bind(Path::new(path), true)?,
            Err(_) => {}
        }
    }
    Ok(())
}

fn settings((user, group): (u32, u32)) -> Result<(), Failure> {
    for path in SETTINGS {
        bind(Path::new(path), true)?;
    }
    let write = || {
        let name = if user == 0 { "root" } else { "user" };
        let passwd = format!("{name}:x:{user}:{group}::{HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n");
        fs::write("/etc/passwd", passwd)?;
        fs::write("/etc/group", format!("{name}:x:{group}:\nnogroup:x:65534:\n"))
    };
    fs::create_dir_all("/etc")
        .and_then(|()| write())
        .map_err(Failure::at("write /etc/passwd"))
}

fn devices() -> Result<(), Failure> {
    fs::create_dir("/dev").map_err(Failure::at("make /dev"))?;
    for name in DEVICES {
        let path = format!("/dev/{name}");
        fs::write(&path, "").map_err(Failure::at("make /dev"))?;
        mount(format!("{OLD}{path}"), &path, "", MS_BIND, "").map_err(Failure::at("bind a device"))?;
    }
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ];
    for (name, target) in links {
        symlink(target, format!("/dev/{name}")).map_err(Failure::at("make /dev"))?;
    }
    temporary("/dev/shm", SHARED_MEMORY)
}

/// A private directory for everybody, in memory.
fn temporary(path: &str, size: u64) -> Result<(), Failure> {
    let flags = MS_NOSUID | MS_NODEV;
    let options = format!("size={size},nr_inodes=100000,mode=1777");
    mount("tmp", made(path)?, "tmpfs", flags, &options).map_err(Failure::at(&format!("mount {path}")))
}

fn made(path: &str) -> Result<&str, Failure> {
    fs::create_dir_all(path).map_err(Failure::at(&format!("make {path}")))?;
    Ok(path)
}

/// Shows what lies at `path` outside at the same path inside.
fn bind(path: &Path, read_only: bool) -> Result<(), Failure> {
    let step = format!("show {}", path.display());
    let mut old = std::ffi::OsString::from(OLD);
    old.push(path);
    let Ok(found) = fs::metadata(&old) else {
        return Ok(());
    };
    make_place(path, found.is_dir()).map_err(Failure::at(&step))?;
    mount(&old, path, "", MS_BIND | MS_REC, "").map_err(Failure::at(&step))?;
    sys::tame_mount(path, read_only).map_err(Failure::at(&step))
}

/// An empty file or directory to mount over; what is there already will do.
fn make_place(path: &Path, is_dir: bool) -> io::Result<()> {
    if fs::metadata(path).is_ok() {
        return Ok(());
    }
    if is_dir {
        return fs::create_dir_all(path);
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, "")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o444))
}
