//! E-mail addresses.

use super::Find;

/// Adds the addresses of a text: from each `@` as far as the letters of an address go. `git@host` is how git names a server.
pub(super) fn find(text: &str, finds: &mut Vec<Find>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, _) in text.match_indices('@') {
        let local = bytes[from..at].iter().rev().take_while(|byte| of_local(**byte)).count();
        let mut start = at - local;
        while start < at
            && matches!(
                bytes[start],
                b'.' | b'\'' | b'-' | b'/' | b'=' | b'&' | b'*' | b'`' | b'|' | b'{'
            )
        {
            start += 1;
        }
        // A local part is what stands after the key of `to=ann@example.org`, not the key too.
        let key = bytes[start..at]
            .iter()
            .rposition(|byte| matches!(byte, b'=' | b'/' | b'&' | b'?' | b'|' | b'`'));
        start += key.map_or(0, |key| key + 1);
        let Some(domain) = domain(&bytes[at + 1..]) else {
            continue;
        };
        if start == at || bytes[at - 1] == b'.' || &text[start..at] == "git" {
            continue;
        }
        from = at + 1 + domain;
        finds.push(Find::by_shape("email", start..from));
    }
}

/// The letters of a local part (RFC 5322's atoms and dots).
fn of_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// How long the domain is that a text begins with: labels, and a last one of letters.
fn domain(bytes: &[u8]) -> Option<usize> {
    let mut len = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    loop {
        while len > 0 && matches!(bytes[len - 1], b'.' | b'-') {
            len -= 1;
        }
        let dot = bytes[..len].iter().rposition(|byte| *byte == b'.')?;
        let last = &bytes[dot + 1..len];
        let labels = bytes[..dot].split(|byte| *byte == b'.').all(|label| !label.is_empty());
        if last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic) && labels {
            return Some(len);
        }
        len = dot;
    }
}
