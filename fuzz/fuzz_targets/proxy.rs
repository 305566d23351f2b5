//! What foreign code asks of the model proxy; the first line is the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::model::{Admission, Provider};

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let path = String::from_utf8_lossy(&bytes[..end]);
    let (path, query) = path.split_once('?').map_or((&*path, None), |(path, query)| (path, Some(query)));
    for provider in [
        Provider::Openai,
        Provider::Anthropic,
        Provider::OpenaiCompatible,
    ] {
        let admission = Admission {
            provider,
            names: vec!["m".to_owned()],
            max_output_tokens: 100,
        };
        let Ok(route) = admission.route("POST", path, query) else { continue };
        if let Ok(admitted) = admission.admit(route, &bytes[end..]) {
            assert_eq!(admitted.model, "m", "another model is asked than one that may be");
        }
    }
});
