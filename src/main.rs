//! The `sprag` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sprag::cli::main()
}
