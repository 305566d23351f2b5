//! `sprag.toml`, and what is said of its mistakes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::config::{parse, render_problems};

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(config) => drop(config.digest()),
        Err(problems) => {
            assert!(!problems.is_empty(), "a file that is refused has a mistake");
            drop(render_problems("sprag.toml", text, &problems));
        }
    }
});
