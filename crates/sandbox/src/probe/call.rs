//! System calls by their numbers, for probes that try what no library offers.

use crate::sys::{Result, check};
use std::ffi::{CStr, c_long};

/// One argument of a call.
#[derive(Debug)]
pub(super) enum Arg<'a> {
    Number(c_long),
    Text(&'a CStr),
    /// Memory that the kernel may read and write, in its whole length.
    Memory(&'a mut [u8]),
}

/// Makes a call. What it points to lives while it lasts, and is as long as the other arguments say.
pub(super) fn call(number: c_long, arguments: &mut [Arg<'_>]) -> Result<c_long> {
    let mut raw = [0; 6];
    for (into, argument) in raw.iter_mut().zip(arguments) {
        *into = match argument {
            Arg::Number(number) => *number,
            Arg::Text(text) => text.as_ptr() as c_long,
            Arg::Memory(memory) => memory.as_mut_ptr() as c_long,
        };
    }
    // SAFETY: every address is of memory that `arguments` borrows; the calls that the probes make write nothing beyond it, as the
    // lengths they pass are those of that memory.
    check(unsafe { libc::syscall(number, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]) })
}

/// Whether the entry for programs of 32 bits lets a call through. Ends the process otherwise.
#[cfg(target_arch = "x86_64")]
pub(super) fn call_as_32_bits() -> bool {
    let mut number: u64 = 20; // getpid
    // SAFETY: `getpid` changes nothing but the register of its answer; the kernel clears r8 to r11 on this way in.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") number, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    number.cast_signed() > 0
}
