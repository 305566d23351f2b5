//! Holds foreign code: what an agent, a coding agent or a candidate's code may reach is one [`Policy`], and a [`Sandbox`] enforces it.
//!
//! [`Sandbox::select`] proves at every start, with probes that try to get out, which tier of this machine holds. A foreign program is
//! started through a launcher, which is this same binary: its `main` must call [`entry`] before anything else.

mod order;
mod policy;
mod tier;

#[cfg(target_os = "linux")]
mod battery;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "system calls that no crate has a safe name for")]
mod sys;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
pub use battery::{Bounded, Probed, Reach, asks_sudo, battery, daemons, resources};
#[cfg(target_os = "linux")]
pub use launch::{Leash, Sandbox, Ticket};
pub use order::Order;
pub use policy::{Limits, Network, Over, Policy};
pub use tier::{Choice, Refused, Tier};

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Leash, Sandbox, Ticket};

use std::process::ExitCode;

/// The first argument of a launcher.
const LAUNCHER: &str = "__sandbox";
/// The first argument of the program that tries to get out.
const PROBE: &str = "__probe";

/// Does the work of a launcher or a probe if this process was started as one. To be called first in `main`, before there are threads.
pub fn entry() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let (what, of) = (arguments.next()?, arguments.next()?);
    let of = of.to_str()?;
    match what.to_str()? {
        LAUNCHER => Some(launch_on(of)),
        PROBE => Some(probe_on(of)),
        _ => None,
    }
}

#[cfg(target_os = "linux")]
fn launch_on(line: &str) -> ExitCode {
    let line = match line.parse() {
        Ok(fd @ 3..) => Some(sys::own(fd)),
        Ok(_) => None,
        Err(_) => sys::call_for_packets(std::path::Path::new(line)).ok(),
    };
    line.map_or(ExitCode::FAILURE, |line| linux::launcher::main(&line))
}

#[cfg(target_os = "linux")]
fn probe_on(targets: &str) -> ExitCode {
    probe::main(targets)
}

#[cfg(not(target_os = "linux"))]
fn launch_on(_: &str) -> ExitCode {
    ExitCode::FAILURE
}

#[cfg(not(target_os = "linux"))]
fn probe_on(_: &str) -> ExitCode {
    ExitCode::FAILURE
}
