//! Redaction; what was redacted stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::redact::Redactor;

fuzz_target!(|text: &str| {
    let redactor = Redactor::default();
    let once = redactor.text(text).into_owned();
    assert_eq!(redactor.text(&once), once);
});
