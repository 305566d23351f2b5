//! Server-sent events: the pieces of a body, as they come, into events. Only `event` and `data` are kept.

/// Pieces until a line is whole. One line may have so many bytes.
const MAX_LINE: usize = 8 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Reads a stream in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    next: Event,
}

impl Events {
    /// The events that a piece completes; `None` when a line is longer than any that makes sense.
    pub(super) fn push(&mut self, piece: &[u8]) -> Option<Vec<Event>> {
        let mut whole = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > MAX_LINE {
                return None;
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                whole.extend(self.take(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])));
            }
        }
        Some(whole)
    }

    /// The event that ends with this line, if any does.
    fn take(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.next);
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.next.name),
            "data" if self.next.data.is_empty() => value.clone_into(&mut self.next.data),
            "data" => {
                self.next.data.push('\n');
                self.next.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\r\nevent: one\r\ndata: {\"a\":\r\ndata: \"ä\"}\r\nid: 7\r\n\r\n\ndata:[DONE]\n\n";

    fn read(size: usize) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut all = Vec::new();
        for piece in STREAM.as_bytes().chunks(size) {
            all.extend(events.push(piece).expect("lines are short"));
        }
        all.into_iter().map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn events_are_the_same_however_the_body_is_cut() {
        let whole = read(1000);
        let expected = [("one", "{\"a\":\n\"ä\"}"), ("", "[DONE]")];
        assert_eq!(whole, expected.map(|(name, data)| (name.to_owned(), data.to_owned())));
        (1..30).for_each(|size| assert_eq!(read(size), whole, "pieces of {size}"));
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut events = Events::default();
        let piece = vec![b'x'; MAX_LINE / 2 + 1];
        assert!(events.push(&piece).is_some());
        assert!(events.push(&piece).is_none());
    }
}
