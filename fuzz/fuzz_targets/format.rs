//! One reader, which has the name of the target.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::trace::read::{Format, read_as};

fuzz_target!(|bytes: &[u8]| {
    let format = Format::named(env!("CARGO_BIN_NAME")).expect("the target has the name of a format");
    read_as(format, "x", bytes);
});
