//! How fast redaction reads, beside parsing the same bytes: `cargo bench --bench redact`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use serde_json::{Value, json};
use sprag_core::redact::Redactor;
use std::time::Instant;

const MEGABYTES: usize = 16;
const ROUNDS: usize = 5;

fn main() {
    let prose = "The customer asked to move reservation ZFA04Y to 2024-05-20 and was told that it costs $128.50; the agent looked twice. ";
    let told = "I am nadia@example.org, call me at +1 415 555 2671, my password is hunter2-tulip and card 4111 1111 1111 1111. ";
    let result = json!({
        "order_id": "W5490111", "status": "delivered", "items": [{"id": "1656367028", "price": 158.41, "options": {"size": "M"}}],
        "address": {"street": "12 Elm Street", "zip": "78215"}, "at": "2024-05-15T15:00:00-05:00", "sha": "3afec502b7d68d5c5c349c9575537648f143aa01",
    });
    let image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg";
    let texts = [
        ("prose", filled(prose)),
        ("prose with secrets", filled(&format!("{}{told}", prose.repeat(30)))),
        (
            "JSON",
            json!(vec![&result; (MEGABYTES << 20) / result.to_string().len()]).to_string(),
        ),
        ("base64", filled(image)),
    ];
    let redactor = Redactor::default();
    for (what, text) in &texts {
        let speed = best(text, |text| redactor.text(text).len());
        println!("{what:<20} {speed:>6.0} MB/s");
        if text.starts_with('[') {
            let parsing = best(text, |text| {
                serde_json::from_str::<Value>(text).map_or(0, |value| value.to_string().len())
            });
            println!("{:<20} {parsing:>6.0} MB/s", "  read and written");
        }
    }
}

fn filled(text: &str) -> String {
    text.repeat((MEGABYTES << 20) / text.len())
}

/// The best of some rounds, in millions of bytes a second.
fn best(text: &str, work: impl Fn(&str) -> usize) -> f64 {
    let one = || {
        let began = Instant::now();
        std::hint::black_box(work(std::hint::black_box(text)));
        began.elapsed().as_secs_f64()
    };
    let seconds = (0..ROUNDS).map(|_| one()).fold(f64::INFINITY, f64::min);
    f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX)) / seconds / 1e6
}
