//! A zip that a stranger made, with what stands in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::trace::read::read_any;
use std::io::{Read as _, Seek as _, Write as _};

// The program's own file: the whole program would take too long to build.
#[path = "../../src/archive.rs"]
mod archive;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(bytes).expect("it can be written");
    let limits = archive::ArchiveLimits {
        bytes_unpacked: 4_000_000,
        entry_bytes: 2_000_000,
        ..archive::ArchiveLimits::default()
    };
    let listing = archive::read(file.path(), &limits, |name, content| {
        let mut bytes = Vec::new();
        content.rewind().expect("a temporary file can be read again");
        content.read_to_end(&mut bytes).expect("it can be read");
        read_any(name, &bytes);
    });
    // What cannot be read is told.
    match listing {
        Ok(listing) => listing.problems.iter().for_each(|problem| drop(problem.to_string())),
        Err(error) => drop(error.to_string()),
    }
});
