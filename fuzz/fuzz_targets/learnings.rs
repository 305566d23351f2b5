//! The file of learnings, which people may edit; what was read and written is read the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::learnings::Page;

fuzz_target!(|text: &str| {
    let read = Page::read(Some(text));
    let written = read.text();
    assert_eq!(Page::read(Some(&written)).text(), written);
});
