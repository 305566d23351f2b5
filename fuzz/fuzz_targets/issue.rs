//! The text of an issue, and the commands in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::signal::{Report, leads};

fuzz_target!(|body: &str| {
    drop(sprag_core::command::parse(body));
    let report = Report {
        number: 1,
        title: String::new(),
        body: body.to_owned(),
        comments: Vec::new(),
        impact: None,
    };
    leads(&report, &[], None);
});
