//! a file that is read piece by piece.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sprag_core::trace::stream::Survey;

fuzz_target!(|bytes: &[u8]| {
    let Some(mut survey) = Survey::new(None, None, bytes) else { return };
    bytes.chunks(61).for_each(|chunk| survey.push(chunk));
    let Ok(mut stream) = survey.finish("x") else { return };
    bytes.chunks(67).for_each(|chunk| stream.push(chunk, &mut |_| ()));
    stream.finish(&mut |_| ());
});
