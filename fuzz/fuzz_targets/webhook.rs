//! The event file of a workflow; the first line is the name of the event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::webhook::Webhook;

fuzz_target!(|text: &str| {
    let (event, payload) = text.split_once('\n').unwrap_or(("issues", text));
    drop(Webhook::read(event, payload));
});
