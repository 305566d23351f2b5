//! Content hashes: the first 128 bits of SHA-256 over canonical JSON, in hexadecimal.

use crate::trace::{Step, ToolCall, Trace};
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// 32 hexadecimal digits that name `value` by its content; keys of objects count in sorted order.
pub fn of<T: Serialize + ?Sized>(value: &T) -> String {
    let mut digits = digest(&canonical(value));
    digits.truncate(32);
    digits
}

/// 32 hexadecimal digits that name a text.
pub fn of_text(text: &str) -> String {
    let mut digits = sha256(text);
    digits.truncate(32);
    digits
}

/// 32 hexadecimal digits that name a trace by its content. Its texts, which are most of it, are not written as JSON first: that would cost
/// more than to read them.
pub(crate) fn of_trace(trace: &Trace) -> String {
    let mut parts = Parts::default();
    for step in &trace.steps {
        parts.text(&step.content);
        parts.text(step.call_id.as_deref().unwrap_or_default());
        parts.rest(&(step.role, step.call_id.is_some(), step.error));
        parts.calls(&step.tool_calls);
    }
    for check in &trace.checks {
        parts.text(&check.name);
        parts.text(&check.detail);
        parts.rest(&(&check.kind, check.passed));
    }
    let ends = (trace.steps.len(), trace.checks.len());
    parts.rest(&(ends, trace.termination, &trace.tools, &trace.expected));
    let mut digits = hexadecimal(&parts.hasher.finalize());
    digits.truncate(32);
    digits
}

/// What a step says, by its hash: ids and flags do not count.
pub(crate) fn of_words(step: &Step) -> [u8; 32] {
    let mut parts = Parts::default();
    parts.text(step.content.trim());
    parts.rest(&step.role);
    for call in &step.tool_calls {
        parts.text(&call.name);
        parts.rest(&call.arguments);
    }
    parts.hasher.finalize().into()
}

/// Texts and values one after the other, each with its length before it, so that none can be taken for the end of another.
#[derive(Default)]
struct Parts {
    hasher: Sha256,
}

impl Parts {
    fn text(&mut self, text: &str) {
        self.hasher.update((text.len() as u64).to_le_bytes());
        self.hasher.update(text);
    }

    fn calls(&mut self, calls: &[ToolCall]) {
        self.rest(&calls.len());
        for call in calls {
            self.text(&call.id);
            self.text(&call.name);
            self.rest(&(&call.arguments, &call.requestor));
        }
    }

    fn rest<T: Serialize + ?Sized>(&mut self, value: &T) {
        let json = canonical(value);
        self.hasher.update((json.len() as u64).to_le_bytes());
        self.hasher.update(json);
    }
}

/// The whole SHA-256 of a text, 64 hexadecimal digits.
pub fn sha256(text: &str) -> String {
    digest(text.as_bytes())
}

fn digest(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16);
    let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.flatten().collect()
}

/// JSON without white space, the fields of every object in the order of their names. What cannot be JSON is `null`.
fn canonical<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut sorted = Sorted {
        open: vec![Level::default()],
    };
    let written = value.serialize(&mut Serializer::with_formatter(io::sink(), &mut sorted));
    match (written, sorted.open.pop()) {
        (Ok(()), Some(top)) => top.text,
        _ => b"null".to_vec(),
    }
}

/// Writes compact JSON into a text of its own, since fields must be put in order before they can be passed on.
struct Sorted {
    /// The objects that are open, the outermost first; the first is the whole.
    open: Vec<Level>,
}

/// An object that is being written.
#[derive(Default)]
struct Level {
    /// The keys and values, as they come.
    text: Vec<u8>,
    /// The fields that are whole.
    fields: Vec<Field>,
    /// The key of the field that is open, as it is compared, and where the field begins in the text.
    key: Vec<u8>,
    begin: usize,
    in_key: bool,
}

struct Field {
    key: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Sorted {
    fn level(&mut self) -> io::Result<&mut Level> {
        self.open
            .last_mut()
            .ok_or_else(|| io::Error::other("no object is open"))
    }
}

/// Methods that write what the compact formatter writes, but into the text of the innermost object.
macro_rules! compact {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $method<W: ?Sized + Write>(&mut self, _: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            CompactFormatter.$method(&mut self.level()?.text $(, $argument)*)
        })*
    };
}

impl Formatter for &mut Sorted {
    compact! {
        write_null(); write_bool(value: bool);
        write_i8(value: i8); write_i16(value: i16); write_i32(value: i32); write_i64(value: i64); write_i128(value: i128);
        write_u8(value: u8); write_u16(value: u16); write_u32(value: u32); write_u64(value: u64); write_u128(value: u128);
        write_f32(value: f32); write_f64(value: f64); write_number_str(value: &str);
        begin_string(); end_string(); begin_array(); end_array(); begin_array_value(first: bool); end_array_value();
        begin_object_value(); write_raw_fragment(fragment: &str);
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        let level = self.level()?;
        if level.in_key {
            level.key.extend_from_slice(fragment.as_bytes());
        }
        CompactFormatter.write_string_fragment(&mut level.text, fragment)
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        let level = self.level()?;
        if level.in_key {
            // Keys are compared as what they say, not as they are written.
            level.key.push(match escape {
                CharEscape::Quote => b'"',
                CharEscape::ReverseSolidus => b'\\',
                CharEscape::Solidus => b'/',
                CharEscape::Backspace => 0x08,
                CharEscape::FormFeed => 0x0C,
                CharEscape::LineFeed => b'\n',
                CharEscape::CarriageReturn => b'\r',
                CharEscape::Tab => b'\t',
                CharEscape::AsciiControl(byte) => byte,
            });
        }
        CompactFormatter.write_char_escape(&mut level.text, escape)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.open.push(Level::default());
        Ok(())
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, _: &mut W, _first: bool) -> io::Result<()> {
        let level = self.level()?;
        (level.begin, level.in_key) = (level.text.len(), true);
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.level()?.in_key = false;
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let level = self.level()?;
        let field = Field {
            key: std::mem::take(&mut level.key),
            begin: level.begin,
            end: level.text.len(),
        };
        level.fields.push(field);
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let mut object = self.open.pop().unwrap_or_default();
        object.fields.sort_by(|left, right| left.key.cmp(&right.key));
        let into = &mut self.level()?.text;
        into.push(b'{');
        for (at, field) in object.fields.iter().enumerate() {
            if at > 0 {
                into.push(b',');
            }
            into.extend_from_slice(&object.text[field.begin..field.end]);
        }
        into.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Value, json};

    /// What the hash is of, said plainly.
    fn plainly<T: Serialize>(value: &T) -> String {
        let mut value = serde_json::to_value(value).unwrap();
        value.sort_all_objects();
        value.to_string()
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[a\"\\\\\n\u{1}é]{0,3}", inner), 0..6)
                    .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn fields_are_in_the_order_of_their_names_at_every_depth(value in any_value()) {
            prop_assert_eq!(String::from_utf8(canonical(&value)).unwrap(), plainly(&value));
        }
    }

    #[test]
    fn a_trace_is_named_by_all_that_it_says() {
        use crate::trace::{Step, Termination, ToolCall, Trace};
        let step = |content: &str, name: &str| Step {
            content: content.to_owned(),
            tool_calls: vec![ToolCall {
                name: name.to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let trace = |steps: &[Step], termination| Trace {
            steps: steps.to_vec(),
            termination,
            ..Default::default()
        };
        let traces = [
            trace(&[step("a", "x")], Termination::Unknown),
            trace(&[step("a", "y")], Termination::Unknown),
            trace(&[step("a", "x")], Termination::Timeout),
            trace(&[step("", "x"), step("a", "x")], Termination::Unknown),
            trace(&[step("a", "x"), step("", "x")], Termination::Unknown),
        ];
        let names: std::collections::BTreeSet<String> = traces.iter().map(super::of_trace).collect();
        assert_eq!(names.len(), traces.len());
    }

    #[test]
    fn structs_and_tuples_are_written_as_their_values_are() {
        let step = crate::trace::Step {
            content: "\"é\"\n".to_owned(),
            ..Default::default()
        };
        let both = ("x", &step, 1.5, [Some(f64::NAN)]);
        assert_eq!(String::from_utf8(canonical(&both)).unwrap(), plainly(&both));
    }
}
