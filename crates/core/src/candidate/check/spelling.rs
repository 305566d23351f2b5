//! Other ways to write a value, so that it is found in them.

use super::added::squashed;
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD};
use regex::Regex;
use std::sync::LazyLock;

/// A value backwards, in hexadecimal, Base64 and Base32 (RFC 4648), and with its letters moved by 13, all [`squashed`]. In Base64 also as a
/// part of a longer text, which it may begin at any of three places of a letter.
pub(super) fn encoded(value: &str, small: &str) -> Vec<String> {
    let mut forms = vec![
        small.chars().rev().collect(),
        value.bytes().map(|byte| format!("{byte:02x}")).collect(),
        squashed(&BASE32_NOPAD.encode(value.as_bytes())),
        small.chars().map(moved).collect(),
    ];
    for before in 0..3 {
        let text = [&b"..."[..before], value.as_bytes()].concat();
        let letters = BASE64_NOPAD.encode(&text);
        // Letters that hold bits of a neighbour differ with it.
        let (first, end) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        let whole = squashed(letters.get(first..end).unwrap_or_default());
        forms.extend((whole.len() >= 7).then_some(whole));
    }
    forms
}

fn moved(letter: char) -> char {
    match letter {
        'a'..='m' => char::from(letter as u8 + 13),
        'n'..='z' => char::from(letter as u8 - 13),
        other => other,
    }
}

/// A date such as `2031-05-15` as others write it, [`squashed`]; nothing for what is no date.
pub(super) fn dates(value: &str) -> Vec<String> {
    static DATE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\d{4})-(\d{2})-(\d{2})(?:$|[T ])").expect("it is a regex"));
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let Some(found) = DATE.captures(value) else {
        return Vec::new();
    };
    let (year, month, day) = (&found[1], &found[2], &found[3]);
    let bare = day.trim_start_matches('0');
    let mut forms = vec![
        format!("{year}{month}{day}"),
        format!("{day}{month}{year}"),
        format!("{month}{day}{year}"),
    ];
    if let Some(name) = month
        .parse::<usize>()
        .ok()
        .and_then(|month| MONTHS.get(month.checked_sub(1)?))
    {
        for name in [name, &name[..3]] {
            forms.extend([format!("{bare}{name}{year}"), format!("{name}{bare}{year}")]);
            forms.extend(["st", "nd", "rd", "th"].map(|ending| format!("{name}{bare}{ending}{year}")));
        }
    }
    forms
}

/// An amount such as `1234.5` as others write it; nothing for what is no number of four digits and more.
pub(super) fn amounts(value: &str) -> Vec<String> {
    let (whole, rest) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + rest.len() < 5 || whole.is_empty() || !digits(whole) || !digits(rest) || rest.len() > 2 {
        return Vec::new();
    }
    let grouped: Vec<&str> = {
        let first = whole.len() % 3;
        let (head, tail) = whole.split_at(first);
        let threes = (0..tail.len() / 3).map(|at| &tail[at * 3..at * 3 + 3]);
        std::iter::once(head)
            .filter(|head| !head.is_empty())
            .chain(threes)
            .collect()
    };
    let cents = format!("{rest:0<2}");
    let mut forms = vec![format!("{whole}.{cents}"), format!("{whole},{cents}")];
    for (thousand, point) in [(",", "."), (".", ","), (" ", ","), ("'", ".")] {
        let grouped = grouped.join(thousand);
        forms.push(format!("{grouped}{point}{cents}"));
        if rest.is_empty() && whole.len() > 3 {
            forms.push(grouped);
        }
    }
    forms
}
