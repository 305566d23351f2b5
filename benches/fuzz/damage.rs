//! Inputs to attack readers with: files that are whole, damaged in the ways in which files of strangers are.

/// Small files of shapes that the large ones do not have.
pub(crate) const SMALL: [&str; 6] = [
    r#"{"run": {"graderCount": 1}, "results": [{"id": "a", "passed": false, "value": 1}]}"#,
    r#"{"task_name": "t", "verifier_result": {"rewards": {"reward": 0}}, "agent_execution": {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:00.1Z"}, "exception_info": {"exception_type": "E"}}"#,
    r"[{'role': 'user', 'content': 'it\'s \x41'}, {'role': 'assistant', 'tool_calls': [{'name': 'x', 'arguments': '{\'a\': None}'}]}]",
    r#"{"object": "response", "output": [{"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "x"}]}"#,
    r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "spanId": "s", "startTimeUnixNano": "5", "events": [{"name": "gen_ai.evaluation.result"}], "attributes": [{"key": "gen_ai.prompt.0.content", "value": {"stringValue": "x"}}, {"key": "a", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": []}}]}}}]}]}]}]}"#,
    "mail nadia@example.org, call +1 415 555 2671, card 4111 1111 1111 1111, key sk-ant-REDACTED {\"password\": \"hunter2\", \"a\": \"{\\\"token\\\": \\\"x\\\"}\"}",
];
/// What stands where something else should.
const WORDS: [&str; 18] = [
    "null",
    "true",
    "-0",
    "1e999",
    "123456789012345678901234567890",
    "1E-400",
    "\"\"",
    "[]",
    "{}",
    "\\ud800",
    "\"\\u0000\"",
    ",",
    ":",
    "\"",
    "{\"a\":",
    "<a",
    "]]>",
    "&#x110000;",
];
/// Names that readers look for.
const KEYS: [&str; 20] = [
    "role",
    "content",
    "type",
    "messages",
    "tool_calls",
    "function",
    "arguments",
    "id",
    "trace",
    "steps",
    "results",
    "samples",
    "spans",
    "attributes",
    "value",
    "key",
    "scores",
    "passed",
    "session_id",
    "resourceSpans",
];

/// Numbers that depend on a seed alone (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() >> 1).unwrap_or(0) % end.max(1)
    }
}

/// A damaged file.
pub(crate) fn input(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(5) {
        damage(&mut bytes, corpus, dice);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1).min(bytes.len());
    let end = (at + dice.below(200)).min(bytes.len());
    match dice.below(13) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            insert(bytes, at, &again);
        }
        4 => insert(bytes, at, WORDS[dice.below(WORDS.len())].as_bytes()),
        5 => drop(bytes.splice(at..end, WORDS[dice.below(WORDS.len())].bytes())),
        6 => insert(bytes, at, &[0xFF, 0xC3, 0x28, 0xED, 0xA0, 0x80][..=dice.below(5)]),
        7 => {
            let depth = [3, 130, 5000, 100_000][dice.below(4)];
            let open = [
                "[",
                "{\"a\":",
                "(",
                "<a>",
                "### ",
                "{\"type\":\"x\",\"componentResults\":[",
            ][dice.below(6)];
            insert(bytes, at, open.repeat(depth / open.len() + 1).as_bytes());
        }
        8 | 9 => {
            // Another value for a key, or another key for a value.
            let Some(quote) = bytes[at..].windows(2).position(|pair| pair == b"\":") else {
                return;
            };
            let quote = at + quote;
            if dice.below(2) == 0 {
                let begin = bytes[..quote]
                    .iter()
                    .rposition(|byte| *byte == b'"')
                    .map_or(0, |begin| begin + 1);
                drop(bytes.splice(begin..quote, KEYS[dice.below(KEYS.len())].bytes()));
            } else {
                let other = dice.below(corpus.len());
                let from = dice.below(corpus[other].len());
                let to = (from + dice.below(80)).min(corpus[other].len());
                insert(bytes, quote + 2, &corpus[other][from..to]);
            }
        }
        10 => {
            let other = &corpus[dice.below(corpus.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[dice.below(other.len())..]);
        }
        11 => {
            // The same part many times: doubled keys, long lists.
            let part = bytes[at..end].to_vec();
            let times = [2, 50, 2000][dice.below(3)];
            insert(bytes, at, &part.repeat(times));
        }
        _ => {
            let swapped = [(b'"', b'\''), (b'\n', b' '), (b',', b'\n'), (b':', b'=')][dice.below(4)];
            bytes[at..]
                .iter_mut()
                .filter(|byte| **byte == swapped.0)
                .for_each(|byte| *byte = swapped.1);
        }
    }
    bytes.truncate(3_000_000);
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(bytes.splice(at..at, piece.iter().copied()));
}
