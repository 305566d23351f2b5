//! Cuts the text of a large file into records while it comes, so that a file need not be in memory to be read. Bytes in, whole records out.

use super::document::STREAMED;
use super::read::Warning;
use memchr::{memchr, memchr2};

/// The most bytes of one record, and of all that stands beside the records.
pub(super) const RECORD: usize = 32_000_000;

/// How the records of a file stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One a line.
    Lines,
    /// In lists of one value.
    Value,
}

/// A part of a file that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut<'c> {
    /// A list begins whose items come one by one, by its dotted name.
    List(&'c str),
    /// An item of a list, with its index; or a line, with its number from 1 on, of the list without a name.
    Item(&'c str, usize, &'c [u8]),
    /// A field of an object, by its dotted name.
    Field(&'c str, &'c [u8]),
}

/// Who takes the parts.
pub(super) type Take<'t> = &'t mut dyn FnMut(Cut<'_>);

/// A cutter in the middle of its work.
#[derive(Debug)]
pub(super) struct Cutter {
    layout: Layout,
    at: At,
    /// The containers whose parts are handed out, the outermost first.
    open: Vec<Frame>,
    /// The dotted name of the field whose value is next or being taken.
    field: String,
    /// The key or value that is being taken.
    record: Vec<u8>,
    /// Whether that is more than is kept.
    oversize: bool,
    /// Lines so far.
    lines: usize,
    /// Bytes so far.
    offset: usize,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Frame {
    name: String,
    is_list: bool,
    items: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A value, or the end of a list.
    Value,
    /// A key, or the end of an object.
    Key,
    InKey {
        escaped: bool,
    },
    Colon,
    /// A value that is taken as a whole: `depth` containers are open in it.
    Inside {
        depth: usize,
        quoted: bool,
        escaped: bool,
    },
    Scalar,
    /// A comma, or the end of the container.
    After,
    /// The end, or something that is none of these: the rest says nothing.
    Over,
}

impl Cutter {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            at: At::Value,
            open: Vec::new(),
            field: String::new(),
            record: Vec::new(),
            oversize: false,
            lines: 0,
            offset: 0,
            warnings: Vec::new(),
        }
    }

    /// Takes the next bytes of the file.
    pub(super) fn push(&mut self, mut bytes: &[u8], take: Take<'_>) {
        while !bytes.is_empty() {
            let used = match (self.layout, self.at) {
                (Layout::Lines, _) => self.line(bytes, take),
                (_, At::Over) => bytes.len(),
                (_, At::Inside { .. }) => self.inside(bytes, take),
                (_, At::InKey { escaped }) => self.key(bytes, escaped),
                (_, At::Scalar) => self.scalar(bytes, take),
                (_, At::Value | At::Key | At::Colon | At::After) => {
                    self.between(bytes[0], take);
                    1
                }
            };
            self.offset += used;
            bytes = &bytes[used..];
        }
    }

    /// The file is at its end. What was wrong with it comes back.
    pub(super) fn finish(mut self, take: Take<'_>) -> Vec<Warning> {
        if self.layout == Layout::Lines {
            self.end_line(take);
        } else {
            if self.at == At::Scalar {
                self.whole(take);
            }
            if self.at != At::Over {
                let place = format!("byte {}", self.offset);
                self.warnings.push(Warning::new(
                    place,
                    "the file breaks off here; what stands before it is used",
                ));
            }
        }
        self.warnings
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.oversize |= self.record.len() + bytes.len() > RECORD;
        if self.oversize {
            self.record = Vec::new();
        } else {
            self.record.extend_from_slice(bytes);
        }
    }

    fn line(&mut self, bytes: &[u8], take: Take<'_>) -> usize {
        let Some(end) = memchr(b'\n', bytes) else {
            self.keep(bytes);
            return bytes.len();
        };
        self.keep(&bytes[..end]);
        self.end_line(take);
        end + 1
    }

    fn end_line(&mut self, take: Take<'_>) {
        self.lines += 1;
        if self.oversize {
            self.too_large(format!("line {}", self.lines));
        } else if !self.record.trim_ascii().is_empty() {
            take(Cut::Item("", self.lines, &self.record));
        }
        self.record.clear();
        self.oversize = false;
    }

    fn too_large(&mut self, place: String) {
        let message = format!("left out: it has more than {} MB", RECORD / 1_000_000);
        self.warnings.push(Warning::new(place, message));
    }

    /// A byte that stands between values.
    fn between(&mut self, byte: u8, take: Take<'_>) {
        let in_list = self.open.last().is_some_and(|frame| frame.is_list);
        match (self.at, byte) {
            _ if byte.is_ascii_whitespace() => {}
            // The mark that some tools put before a file.
            (At::Value, 0xEF | 0xBB | 0xBF) if self.open.is_empty() => {}
            (At::Key, b'"') => {
                self.record.clear();
                self.record.push(b'"');
                self.at = At::InKey { escaped: false };
            }
            (At::Colon, b':') => self.at = At::Value,
            (At::After, b',') => self.at = if in_list { At::Value } else { At::Key },
            (At::Value | At::After, b']') if in_list => self.close(),
            (At::Key | At::After, b'}') if !in_list => self.close(),
            (At::Value, b'{' | b'[') if self.is_streamed(in_list) => self.enter(byte == b'[', take),
            (At::Value, byte) if !matches!(byte, b'}' | b']' | b',' | b':') => {
                self.record.clear();
                self.oversize = false;
                self.at = match byte {
                    b'{' | b'[' => At::Inside {
                        depth: 1,
                        quoted: false,
                        escaped: false,
                    },
                    b'"' => At::Inside {
                        depth: 0,
                        quoted: true,
                        escaped: false,
                    },
                    _ => At::Scalar,
                };
                self.record.push(byte);
            }
            _ => {
                let place = format!("byte {}", self.offset);
                self.warnings.push(Warning::new(
                    place,
                    "no JSON from here on; what stands before it is used",
                ));
                self.at = At::Over;
            }
        }
    }

    /// Whether the value that begins is a container whose parts are handed out.
    fn is_streamed(&self, in_list: bool) -> bool {
        self.open.is_empty() || (!in_list && STREAMED.contains(&self.field.as_str()))
    }

    fn enter(&mut self, is_list: bool, take: Take<'_>) {
        let name = std::mem::take(&mut self.field);
        if is_list {
            take(Cut::List(&name));
        }
        self.open.push(Frame {
            name,
            is_list,
            items: 0,
        });
        self.at = if is_list { At::Value } else { At::Key };
    }

    fn close(&mut self) {
        self.open.pop();
        self.at = if self.open.is_empty() { At::Over } else { At::After };
    }

    fn key(&mut self, bytes: &[u8], escaped: bool) -> usize {
        if escaped {
            self.record.push(bytes[0]);
            self.at = At::InKey { escaped: false };
            return 1;
        }
        let Some(end) = memchr2(b'"', b'\\', bytes) else {
            self.keep(bytes);
            return bytes.len();
        };
        self.keep(&bytes[..=end]);
        if bytes[end] == b'\\' {
            self.at = At::InKey { escaped: true };
        } else {
            let key = String::from_utf8_lossy(&self.record).into_owned();
            let key = serde_json::from_str(&key).unwrap_or(key);
            let within = self.open.last().map(|frame| frame.name.as_str()).unwrap_or_default();
            self.field = if within.is_empty() {
                key
            } else {
                format!("{within}.{key}")
            };
            self.at = At::Colon;
        }
        end + 1
    }

    fn scalar(&mut self, bytes: &[u8], take: Take<'_>) -> usize {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
        let end = bytes.iter().position(ends);
        self.keep(&bytes[..end.unwrap_or(bytes.len())]);
        if end.is_some() {
            self.whole(take);
        }
        end.unwrap_or(bytes.len())
    }

    fn inside(&mut self, bytes: &[u8], take: Take<'_>) -> usize {
        let At::Inside {
            mut depth,
            mut quoted,
            mut escaped,
        } = self.at
        else {
            return 0;
        };
        let mut at = 0;
        while at < bytes.len() {
            if escaped {
                escaped = false;
                at += 1;
                continue;
            }
            if quoted {
                let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) else {
                    at = bytes.len();
                    break;
                };
                at += found;
                escaped = bytes[at] == b'\\';
                quoted = escaped;
            } else {
                match bytes[at] {
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
            }
            at += 1;
            if depth == 0 && !quoted {
                self.keep(&bytes[..at]);
                self.whole(take);
                return at;
            }
        }
        self.keep(bytes);
        self.at = At::Inside { depth, quoted, escaped };
        at
    }

    /// A value is whole.
    fn whole(&mut self, take: Take<'_>) {
        self.at = At::After;
        let oversize = std::mem::take(&mut self.oversize);
        let Some(frame) = self.open.last_mut() else {
            self.at = At::Over;
            return;
        };
        let at = frame.items;
        frame.items += 1;
        let place = if frame.is_list {
            format!("{}[{at}]", frame.name)
        } else {
            self.field.clone()
        };
        if oversize {
            self.too_large(place);
        } else if frame.is_list {
            take(Cut::Item(&frame.name, at, &self.record));
        } else {
            take(Cut::Field(&self.field, &self.record));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(layout: Layout, text: &str, sizes: &[usize]) -> (Vec<String>, Vec<String>) {
        let mut parts = Vec::new();
        let mut take = |cut: Cut<'_>| {
            parts.push(match cut {
                Cut::List(name) => format!("list {name}"),
                Cut::Item(list, at, text) => format!("{list}[{at}] {}", String::from_utf8_lossy(text)),
                Cut::Field(name, text) => format!("{name}: {}", String::from_utf8_lossy(text)),
            });
        };
        let mut cutter = Cutter::new(layout);
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            cutter.push(now, &mut take);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let warnings = cutter.finish(&mut take);
        (parts, warnings.iter().map(ToString::to_string).collect())
    }

    const FILE: &str = r#"{"evalId": "e\"}", "n": -1.5 , "results": {"version":3, "results": [ {"a": "]"}, [1], 7,null], "stats": {}},
        "samples": [], "x": {"samples": [1]}}"#;

    #[test]
    fn lists_of_runs_come_item_by_item_and_the_rest_by_name() {
        let (parts, warnings) = cut(Layout::Value, FILE, &[usize::MAX]);
        assert_eq!(
            parts,
            [
                "evalId: \"e\\\"}\"",
                "n: -1.5",
                "results.version: 3",
                "list results.results",
                "results.results[0] {\"a\": \"]\"}",
                "results.results[1] [1]",
                "results.results[2] 7",
                "results.results[3] null",
                "results.stats: {}",
                "list samples",
                "x: {\"samples\": [1]}",
            ]
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_file_that_breaks_off_or_is_none_says_where() {
        let (parts, warnings) = cut(Layout::Value, "[1, {\"a\": ", &[3]);
        assert_eq!(parts, ["list ", "[0] 1"]);
        assert_eq!(
            warnings,
            ["byte 10: the file breaks off here; what stands before it is used"]
        );
        let (_, warnings) = cut(Layout::Value, "{\"a\" 1}", &[1]);
        assert_eq!(
            warnings,
            ["byte 5: no JSON from here on; what stands before it is used"]
        );
    }

    #[test]
    fn lines_have_their_numbers() {
        let (parts, _) = cut(Layout::Lines, "a\n\n  \r\nb", &[2]);
        assert_eq!(parts, ["[1] a", "[4] b"]);
    }

    #[test]
    fn what_is_too_large_is_left_out_and_named() {
        let large = format!("[\"{}\", 1]", "x".repeat(RECORD));
        let (parts, warnings) = cut(Layout::Value, &large, &[1 << 16]);
        assert_eq!(parts, ["list ", "[1] 1"]);
        assert_eq!(warnings, ["[0]: left out: it has more than 32 MB"]);
    }

    proptest! {
        #[test]
        fn the_parts_do_not_depend_on_how_the_bytes_come(sizes in prop::collection::vec(1_usize..40, 1..8), end in 0..FILE.len()) {
            for layout in [Layout::Value, Layout::Lines] {
                prop_assert_eq!(cut(layout, &FILE[..end], &sizes), cut(layout, &FILE[..end], &[usize::MAX]));
            }
        }

        #[test]
        fn no_bytes_make_the_cutter_panic(noise in "[\\[\\]{}:,\"\\\\ a1é\n]{0,60}", sizes in prop::collection::vec(1_usize..9, 1..4)) {
            cut(Layout::Value, &noise, &sizes);
            cut(Layout::Lines, &noise, &sizes);
        }
    }
}
