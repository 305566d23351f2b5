//! Whatever reader the content asks for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::trace::read::read_any;

fuzz_target!(|bytes: &[u8]| {
    read_any("x", bytes);
});
