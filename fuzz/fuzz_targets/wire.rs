//! Answers of a provider of models: whole, as a stream in pieces, metered, as embeddings, and as errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::model::meter::{self, Meter};
use sprag_core::model::{EmbeddingsRequest, Fault, Received, Wire};

fuzz_target!(|bytes: &[u8]| {
    let whole: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages] {
        let mut received = Received::new(wire);
        if bytes.chunks(13).all(|piece| received.push(piece).is_ok()) {
            drop(received.finish());
        }
        for hide_usage in [false, true] {
            let mut meter = Meter::new(wire, hide_usage);
            if bytes.chunks(17).all(|piece| meter.push(piece).is_ok()) {
                meter.finish();
            }
        }
        if let Some(body) = &whole {
            drop(wire.answer(body));
            meter::of_answer(wire, body);
        }
    }
    let request = EmbeddingsRequest {
        model: "m".to_owned(),
        texts: vec!["a".to_owned(), "b".to_owned()],
    };
    if let Some(body) = &whole {
        drop(request.answer(body));
    }
    let header = |_: &str| Some(String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned());
    Fault::of(429, header, bytes, 1_800_000_000);
});
