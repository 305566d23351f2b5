//! Records of somebody's own with `[signals.mapping]`, alone and as files of a folder that belong together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::config::Mapping;
use sprag_core::trace::read::{Folder, read_mapped};

fuzz_target!(|bytes: &[u8]| {
    let mapping = Mapping {
        messages: "/messages".to_owned(),
        task: Some("/0/~1/x".to_owned()),
        passed: Some("/passed".to_owned()),
        ..Mapping::default()
    };
    read_mapped(&mapping, "x", bytes);
    let (left, right) = bytes.split_at(bytes.len() / 2);
    let files = [
        ("a/samples/x.json", bytes),
        ("a/header.json", left),
        ("a/graders/x.json", bytes),
        ("a/agent/y.json", right),
    ];
    for mapping in [None, Some(mapping)] {
        let mut folder = Folder::new(mapping);
        files.iter().for_each(|(name, bytes)| folder.note(name, bytes));
        for (name, bytes) in files {
            folder.take(name, bytes, &mut |_| ());
        }
        folder.finish(&mut |_| ());
    }
});
