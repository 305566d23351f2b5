//! Edits of a harness file, which may hold anything. The first line is the place of the edit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sprag_core::edit::{Edit, Position, apply, held};

fuzz_target!(|text: &str| {
    let (at, text) = text.split_once('\n').unwrap_or(("a.b", text));
    for path in ["x.toml", "x.yaml", "x.json", "x.jsonl", "x.md"] {
        let value = if path == "x.md" { json!("one more\nrule") } else { json!({"name": "a: #b", "n": 1.5, "of": [true]}) };
        for position in [Position::Start, Position::BeforeLast, Position::End] {
            let (at, value) = (at.to_owned(), value.clone());
            drop(apply(path, text, &Edit::Append { at, value, position }));
        }
        let set = Edit::Set {
            at: at.to_owned(),
            value: json!("v\"'\n"),
        };
        if let Ok(changed) = apply(path, text, &set) {
            assert_eq!(held(path, &changed, at), Some(json!("v\"'\n")), "what was set does not read back");
        }
    }
});
