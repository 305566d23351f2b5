//! Mounts.

use super::{Errno, Result, check};
use std::ffi::{CString, c_ulong};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_has_a_null| Errno(libc::EINVAL))
}

/// Mounts `from` at `at`, with flags and with options for the type.
pub(crate) fn mount(
    from: impl AsRef<Path>,
    at: impl AsRef<Path>,
    kind: &str,
    flags: c_ulong,
    options: &str,
) -> Result<()> {
    let (from, at, kind, options) = (
        text(from.as_ref())?,
        text(at.as_ref())?,
        text(Path::new(kind))?,
        text(Path::new(options))?,
    );
    // SAFETY: all are texts that end with a null byte and live while the call lasts.
    let done = unsafe {
        libc::mount(
            from.as_ptr(),
            at.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    };
    check(done).map(drop)
}

/// Takes a mount and all below it out of sight.
pub(crate) fn detach(at: &Path) -> Result<()> {
    let at = text(at)?;
    // SAFETY: it reads a text that ends with a null byte.
    check(unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// Makes `new` the root, and the old root visible at `old`.
pub(crate) fn pivot_root(new: &Path, old: &Path) -> Result<()> {
    let (new, old) = (text(new)?, text(old)?);
    // SAFETY: it reads two texts that end with a null byte.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) }).map(drop)
}

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

const READ_ONLY: u64 = 1;
const NO_SETUID: u64 = 2;
const NO_DEVICES: u64 = 4;

/// Makes a mount and all below it `nosuid,nodev`, and read-only if asked.
pub(crate) fn tame_mount(path: &Path, read_only: bool) -> Result<()> {
    let path = text(path)?;
    let attributes = MountAttributes {
        set: NO_SETUID | NO_DEVICES | if read_only { READ_ONLY } else { 0 },
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: both pointers are to live values, and the size is that of the second.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    check(done).map(drop)
}
