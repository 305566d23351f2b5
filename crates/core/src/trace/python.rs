//! Python's notation of plain data (`{'a': None, 'b': True}`), which some tools write where JSON belongs, as JSON.

/// The text as JSON; `None` if it is not a literal of Python. Only the notation is changed; whether the result is well-formed is for the
/// JSON parser to say.
pub(super) fn to_json(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '(']) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut rest = text.char_indices().peekable();
    while let Some((at, letter)) = rest.next() {
        match letter {
            '\'' | '"' => string(letter, &mut rest, &mut out)?,
            '(' => out.push('['),
            ')' => out.push(']'),
            '{' | '}' | '[' | ']' | ',' | ':' => out.push(letter),
            _ if letter.is_whitespace() => out.push(' '),
            _ => {
                let mut end = at + letter.len_utf8();
                while let Some((next, letter)) = rest.next_if(|(_, letter)| is_word(*letter)) {
                    end = next + letter.len_utf8();
                }
                out.push_str(match &text[at..end] {
                    "None" => "null",
                    "True" => "true",
                    "False" => "false",
                    number if number.parse::<f64>().is_ok_and(f64::is_finite) => number,
                    _ => return None,
                });
            }
        }
    }
    Some(out)
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '+' | '-' | '_')
}

/// A string after its opening quote.
fn string(quote: char, rest: &mut impl Iterator<Item = (usize, char)>, out: &mut String) -> Option<()> {
    let mut next = || rest.next().map(|(_, letter)| letter);
    out.push('"');
    loop {
        match next()? {
            letter if letter == quote => break,
            '\\' => match next()? {
                '\'' => out.push('\''),
                'x' => {
                    let digits: String = [next()?, next()?].iter().collect();
                    let code = u8::from_str_radix(&digits, 16).ok()?;
                    out.push_str(&format!("\\u{code:04x}"));
                }
                'U' => {
                    let digits: Option<String> = (0..8).map(|_| next()).collect();
                    let letter = char::from_u32(u32::from_str_radix(&digits?, 16).ok()?)?;
                    push(letter, out);
                }
                letter @ ('n' | 't' | 'r' | 'b' | 'f' | 'u' | '\\' | '"') => out.extend(['\\', letter]),
                '\n' => {}
                // An escape that Python does not know stays as it is.
                letter => {
                    push('\\', out);
                    push(letter, out);
                }
            },
            letter => push(letter, out),
        }
    }
    out.push('"');
    Some(())
}

fn push(letter: char, out: &mut String) {
    match letter {
        '"' | '\\' => out.extend(['\\', letter]),
        _ if letter.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
        _ => out.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::to_json;
    use serde_json::{Value, json};

    fn read(text: &str) -> Option<Value> {
        serde_json::from_str(&to_json(text)?).ok()
    }

    #[test]
    fn literals_become_json() {
        let text = r#"{'a': None, "it's": [True, False, -1.5e3], 'q': 'say "hi"\n\x41\'', 't': ('x', 2)}"#;
        assert_eq!(
            read(text),
            Some(json!({"a": null, "it's": [true, false, -1500.0], "q": "say \"hi\"\nA'", "t": ["x", 2]}))
        );
    }

    #[test]
    fn what_is_no_literal_is_left_alone() {
        for text in ["{'a': object()}", "{'a", "os.system('x')", "{'a': nan}", "{'a': '\\x"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
