//! What an answer that is passed on has cost: the provider's own count, out of a whole answer or the events of a stream.

use super::sse::Events;
use super::{TokenUsage, Wire, chat, messages, responses};
use serde_json::Value;

/// One event may have so many bytes.
const MAX_EVENT: usize = 16 << 20;

/// The usage that a whole answer tells.
pub fn of_answer(wire: Wire, body: &Value) -> Option<TokenUsage> {
    let usage = body.get("usage").filter(|usage| usage.is_object())?;
    Some(read(wire, usage))
}

fn read(wire: Wire, usage: &Value) -> TokenUsage {
    match wire {
        Wire::Chat => chat::usage(usage),
        Wire::Responses => responses::usage(usage),
        Wire::Messages => messages::usage(usage),
    }
}

/// A stream of events on its way through: cut at the ends of events, and read along.
#[derive(Debug)]
pub struct Meter {
    wire: Wire,
    /// Whether an event that tells nothing but the usage is kept back.
    hide_usage: bool,
    partial: Vec<u8>,
    usage: Value,
    told: bool,
}

/// An event that never ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is endless")]
pub struct Endless;

impl Meter {
    /// For a stream that begins.
    pub fn new(wire: Wire, hide_usage: bool) -> Self {
        Self {
            wire,
            hide_usage,
            partial: Vec::new(),
            usage: Value::Null,
            told: false,
        }
    }

    /// The bytes of the events that a piece completes, as they came.
    ///
    /// # Errors
    /// When an event has no end.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, Endless> {
        let mut from = self.partial.len().saturating_sub(3);
        self.partial.extend_from_slice(piece);
        let (mut out, mut begin) = (Vec::new(), 0);
        while let Some(end) = end_of_event(&self.partial, from.max(begin)) {
            let event = self.partial[begin..end].to_vec();
            if self.passes(&event) {
                out.extend_from_slice(&event);
            }
            (begin, from) = (end, end);
        }
        self.partial.drain(..begin);
        if self.partial.len() > MAX_EVENT {
            return Err(Endless);
        }
        Ok(out)
    }

    /// What is left when the stream has ended, and what it has cost, if it came to the event that tells.
    pub fn finish(mut self) -> (Vec<u8>, Option<TokenUsage>) {
        let mut rest = std::mem::take(&mut self.partial);
        // An end without an empty line is one.
        let ended = [rest.as_slice(), b"\n\n"].concat();
        if !self.passes(&ended) {
            rest.clear();
        }
        let usage = self.told.then(|| read(self.wire, &self.usage));
        (rest, usage)
    }

    /// Reads one event, and says whether it goes on to whoever asked.
    fn passes(&mut self, raw: &[u8]) -> bool {
        let events = Events::default().push(raw).unwrap_or_default();
        let mut passes = true;
        for event in events {
            let Ok(data) = serde_json::from_str::<Value>(&event.data) else {
                continue;
            };
            let of = match self.wire {
                Wire::Chat => data.get("usage"),
                Wire::Responses => data.pointer("/response/usage"),
                Wire::Messages => data.get("usage").or_else(|| data.pointer("/message/usage")),
            };
            let Some(usage) = of.and_then(Value::as_object) else {
                continue;
            };
            if !self.usage.is_object() {
                self.usage = Value::Object(serde_json::Map::default());
            }
            // Counts at the end replace those of the beginning.
            for (key, value) in usage.iter().filter(|(_, value)| !value.is_null()) {
                self.usage[key] = value.clone();
            }
            // What Anthropic says at the beginning knows nothing of the answer.
            self.told |= self.wire != Wire::Messages || data.get("usage").is_some();
            let alone = data.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty);
            passes &= !(self.hide_usage && alone);
        }
        passes
    }
}

/// Behind the first empty line at or after `from`.
fn end_of_event(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find_map(|at| {
        let rest = &bytes[at..];
        let ends: [&[u8]; 2] = [b"\n\n", b"\n\r\n"];
        ends.iter().find(|end| rest.starts_with(end)).map(|end| at + end.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = ": ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"ä\"}}],\"usage\":null}\r\n\r\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\ndata: [DONE]\n\n";

    fn through(wire: Wire, hide: bool, text: &str, size: usize) -> (String, Option<TokenUsage>) {
        let mut meter = Meter::new(wire, hide);
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            out.extend(meter.push(piece).unwrap());
        }
        let (rest, usage) = meter.finish();
        out.extend(rest);
        (String::from_utf8(out).unwrap(), usage)
    }

    #[test]
    fn a_stream_comes_through_as_it_is_however_it_is_cut() {
        for size in 1..40 {
            let (out, usage) = through(Wire::Chat, false, CHAT, size);
            assert_eq!(out, CHAT, "pieces of {size}");
            assert_eq!(usage.map(|usage| (usage.input, usage.output)), Some((9, 4)));
        }
    }

    #[test]
    fn a_usage_that_nobody_asked_for_is_counted_and_kept_back() {
        let (out, usage) = through(Wire::Chat, true, CHAT, 7);
        assert!(
            !out.contains("prompt_tokens") && out.contains("[DONE]") && out.contains('ä'),
            "{out}"
        );
        assert_eq!(usage.map(|usage| usage.input), Some(9));
    }

    #[test]
    fn each_wire_is_counted_at_its_end_and_not_before() {
        let begin = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"cache_read_input_tokens\":2,\"output_tokens\":1}}}\n\n";
        let end = "data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":30}}\n\n";
        let usage = through(Wire::Messages, false, &format!("{begin}{end}"), 5).1.unwrap();
        assert_eq!((usage.input, usage.cached, usage.output), (9, 2, 30));
        assert_eq!(through(Wire::Messages, false, begin, 5).1, None, "it broke off");
        let last =
            "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}}";
        let usage = through(Wire::Responses, false, last, 5).1.unwrap();
        assert_eq!((usage.input, usage.output), (5, 6), "also without an empty line");
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut meter = Meter::new(Wire::Chat, false);
        let piece = vec![b'x'; MAX_EVENT / 2 + 1];
        assert!(meter.push(&piece).is_ok());
        assert_eq!(meter.push(&piece), Err(Endless));
    }
}
