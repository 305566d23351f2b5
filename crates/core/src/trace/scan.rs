//! Finds the parts of JSON that is known to be well-formed: the fields of an object, the items of a list. Nothing is checked and nothing
//! copied, and each text is gone through once, however deep somebody looks into it.

use memchr::memchr2;
use std::borrow::Cow;

/// Where the text whose opening quote stands at `at` ends: behind its closing quote.
fn text_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let found = from + memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        from = found + 2;
    }
}

/// Where the number or word that begins at `at` ends.
fn word_end(bytes: &[u8], at: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
    let length = bytes[at..].iter().position(ends);
    length.map_or(bytes.len(), |length| at + length)
}

/// The values of a text in the order in which they begin, the keys of objects among them.
pub(super) struct Tape<'a> {
    values: Vec<Value<'a>>,
}

struct Value<'a> {
    raw: &'a str,
    /// The first value behind it that is not inside it.
    next: usize,
}

impl<'a> Tape<'a> {
    /// Goes through one value; that is number 0.
    pub(super) fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut values: Vec<Value<'a>> = Vec::with_capacity(text.len() / 32 + 1);
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let end = match byte {
                b'{' | b'[' => {
                    open.push((values.len(), at));
                    values.push(Value { raw: "", next: 0 });
                    at += 1;
                    continue;
                }
                b'}' | b']' => {
                    at += 1;
                    let Some((opened, begin)) = open.pop() else { break };
                    values[opened] = Value {
                        raw: text.get(begin..at).unwrap_or_default(),
                        next: values.len(),
                    };
                    continue;
                }
                b',' | b':' => {
                    at += 1;
                    continue;
                }
                byte if byte.is_ascii_whitespace() => {
                    at += 1;
                    continue;
                }
                b'"' => text_end(bytes, at).unwrap_or(bytes.len()),
                _ => word_end(bytes, at),
            };
            values.push(Value {
                raw: text.get(at..end).unwrap_or_default(),
                next: values.len() + 1,
            });
            at = end;
        }
        Self { values }
    }

    /// A value, unparsed.
    pub(super) fn raw(&self, at: usize) -> &'a str {
        self.values.get(at).map_or("", |value| value.raw)
    }

    /// What stands directly inside a list or an object, by its number.
    fn inside(&self, at: usize) -> impl Iterator<Item = usize> {
        let next = |at: usize| self.values.get(at).map_or(0, |value| value.next);
        let end = next(at);
        std::iter::successors(Some(at + 1), move |at| Some(next(*at))).take_while(move |at| *at < end)
    }

    /// The items of a list, by their numbers.
    pub(super) fn items(&self, list: usize) -> Vec<usize> {
        self.inside(list).collect()
    }

    /// The fields of an object and the numbers of their values, in the order of the text.
    pub(super) fn pairs(&self, object: usize) -> impl Iterator<Item = (Cow<'a, str>, usize)> {
        let mut values = self.inside(object);
        let pairs = std::iter::from_fn(move || values.next().zip(values.next()));
        pairs.filter_map(|(key, value)| Some((text(self.raw(key))?, value)))
    }

    /// The same in the order of their names; of those with one name the last one.
    pub(super) fn fields(&self, object: usize) -> Vec<(Cow<'a, str>, usize)> {
        let mut fields = Vec::with_capacity(8);
        fields.extend(self.pairs(object));
        in_order(&mut fields);
        fields
    }
}

/// Puts what has names into their order; of those with one name the last one is left.
pub(super) fn in_order<T>(fields: &mut Vec<(Cow<'_, str>, T)>) {
    if !fields.is_sorted_by(|(left, _), (right, _)| left < right) {
        fields.reverse();
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
        fields.dedup_by(|(left, _), (right, _)| left == right);
    }
}

/// What a quoted text says; `None` for what is none, such as one with half of a surrogate pair.
pub(super) fn text(quoted: &str) -> Option<Cow<'_, str>> {
    let inside = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(quoted).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{Tape, text};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::borrow::Cow;

    fn items(list: &str) -> Vec<&str> {
        let tape = Tape::of(list);
        tape.items(0).into_iter().map(|at| tape.raw(at)).collect()
    }

    fn fields(object: &str) -> Vec<(Cow<'_, str>, &str)> {
        let tape = Tape::of(object);
        let fields = tape.fields(0).into_iter();
        fields.map(|(key, at)| (key, tape.raw(at))).collect()
    }

    #[test]
    fn the_last_of_several_fields_counts_and_names_are_sorted() {
        let found = fields("{\"b\" : [1, {\"x\": \"}\\\"\"}] ,\"a\":-1e3, \"\\u0062\":null}");
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (key.as_ref(), *value)).collect();
        assert_eq!(found, [("a", "-1e3"), ("b", "null")]);
        assert!(fields("{ }").is_empty());
    }

    #[test]
    fn texts_are_borrowed_unless_something_in_them_is_escaped() {
        assert_eq!(text("\"a b\"").as_deref(), Some("a b"));
        assert_eq!(text("\"\\u00e9\\n\"").as_deref(), Some("é\n"));
        assert_eq!(text("\"\\ud800\""), None);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_parts_are_those_that_the_parser_sees(value in any_value(), pretty in any::<bool>()) {
            let written = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let parsed = |part: &str| serde_json::from_str::<Value>(part).unwrap();
            match &value {
                Value::Array(list) => prop_assert_eq!(list, &items(&written).into_iter().map(parsed).collect::<Vec<_>>()),
                Value::Object(map) => {
                    let seen: serde_json::Map<String, Value> = fields(&written).into_iter().map(|(key, value)| (key.into_owned(), parsed(value))).collect();
                    prop_assert_eq!(map, &seen);
                }
                _ => {}
            }
        }

        #[test]
        fn what_is_not_well_formed_does_no_harm(noise in "[\\[\\]{}:,\"\\\\ a1é]{0,40}") {
            items(&noise);
            fields(&noise);
        }
    }
}
