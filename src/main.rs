//! The `sprag` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A launcher or a probe of a sandbox: this very program, started anew, before it has any threads.
    sprag_sandbox::entry().unwrap_or_else(sprag::cli::main)
}
