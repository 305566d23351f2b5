//! Finds the parts of JSON that is known to be well-formed: the fields of an object, the items of a list, the end of a value. Nothing is
//! checked and nothing copied, so looking at the same text level by level costs little.

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

/// Where the value that begins at `at` ends.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => text_end(bytes, at),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, at);
            loop {
                match bytes.get(at)? {
                    b'"' => {
                        at = text_end(bytes, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let rest = &bytes[at..];
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            Some(at + rest.iter().position(ends).unwrap_or(rest.len()))
        }
    }
}

/// The values of a list, or those of an object with their keys before them.
struct Values<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Values<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let between = |byte: &u8| matches!(byte, b',' | b':') || byte.is_ascii_whitespace();
        let begin = self.at + bytes.get(self.at..)?.iter().position(|byte| !between(byte))?;
        if matches!(bytes[begin], b'}' | b']') {
            return None;
        }
        self.at = value_end(bytes, begin)?;
        self.text.get(begin..self.at)
    }
}

/// The items of a list, unparsed.
pub(super) fn items(list: &str) -> impl Iterator<Item = &str> {
    Values::of(list)
}

/// The fields of an object, unparsed, in the order of their names; of those with one name the last one.
pub(super) fn fields(object: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut values = Values::of(object);
    let mut fields = Vec::with_capacity(8);
    while let Some((key, value)) = values.next().zip(values.next()) {
        fields.extend(text(key).map(|key| (key, value)));
    }
    if !fields.is_sorted_by(|(left, _), (right, _)| left < right) {
        fields.reverse();
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
        fields.dedup_by(|(left, _), (right, _)| left == right);
    }
    fields
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
    use super::{fields, items, text};
    use proptest::prelude::*;
    use serde_json::{Value, json};

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
                Value::Array(list) => prop_assert_eq!(list, &items(&written).map(parsed).collect::<Vec<_>>()),
                Value::Object(map) => {
                    let seen: serde_json::Map<String, Value> = fields(&written).into_iter().map(|(key, value)| (key.into_owned(), parsed(value))).collect();
                    prop_assert_eq!(map, &seen);
                }
                _ => {}
            }
        }

        #[test]
        fn what_is_not_well_formed_does_no_harm(noise in "[\\[\\]{}:,\"\\\\ a1é]{0,40}") {
            items(&noise).count();
            fields(&noise);
        }
    }
}
