//! Numbers that belong to a person: payment cards (Luhn's checksum, ISO/IEC 7812), bank accounts (IBAN, ISO 13616, modulo 97) and phones
//! (E.164 with its plus sign, and national shapes that nothing else has).

use super::Find;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// How long the IBAN of a country is, from the registry of SWIFT.
const IBAN_LENGTHS: &str = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20";

static IBAN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?-u:\b)[A-Za-z]{2}[0-9]{2}(?:[A-Za-z0-9]{11,30}|(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?)(?-u:\b)",
    )
    .expect("it is a regular expression")
});

/// National shapes: North America (area and exchange begin with 2 to 9), Britain, France, and others that write a leading zero and groups.
static NATIONAL: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        r"(?:1[ .-])?\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-][0-9]{4}",
        r"(?:1[ .-])?[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}",
        r"(?:1[ .])?[2-9][0-9]{2}[.][2-9][0-9]{2}[.][0-9]{4}",
        r"(?:1 )?[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}",
        r"0[1-9](?:[ .-][0-9]{2}){4}",
        r"07[0-9]{3} [0-9]{6}",
        r"0[1-9][0-9]{0,3}[ -][0-9]{3,4}[ -][0-9]{3,4}",
        r"\(0[1-9][0-9]{0,3}\) ?[0-9]{3,4}[ -][0-9]{3,4}",
    ];
    Regex::new(&shapes.join("|")).expect("it is a regular expression")
});

static INTERNATIONAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\+[1-9][0-9]{0,3}(?:[ .-]?\(?[0-9]{1,12}\)?){1,7}").expect("it is a regular expression")
});

/// Groups of a card: all in one, by fours, as American Express and Diners write it.
static CARD: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        r"[2-6][0-9]{3}(?: [0-9]{4}){3}(?: [0-9]{3})?",
        r"[2-6][0-9]{3}(?:-[0-9]{4}){3}(?:-[0-9]{3})?",
        r"3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}",
        r"3[0689][0-9]{2}[ -][0-9]{6}[ -][0-9]{4}",
        "[2-6][0-9]{12,18}",
    ];
    Regex::new(&shapes.join("|")).expect("it is a regular expression")
});

/// Adds the numbers of a text.
pub(super) fn find(text: &str, finds: &mut Vec<Find>) {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return;
    }
    each(&IBAN, text, |at| {
        if let Some(at) = iban(text, at) {
            finds.push(Find::by_shape("iban", at));
        }
    });
    each(&CARD, text, |at| {
        if alone(text, &at, true) && is_card(&text[at.clone()]) {
            finds.push(Find::by_shape("card", at));
        }
    });
    if text.contains('+') {
        each(&INTERNATIONAL, text, |at| {
            let digits = text[at.clone()].bytes().filter(u8::is_ascii_digit).count();
            let grouped = text[at.clone()].contains([' ', '-', '.', '(']);
            let enough = if grouped { 8..=15 } else { 10..=15 };
            if enough.contains(&digits) && alone(text, &at, false) {
                finds.push(Find::by_shape("phone", at));
            }
        });
    }
    each(&NATIONAL, text, |at| {
        let digits = text[at.clone()].bytes().filter(u8::is_ascii_digit).count();
        if (10..=11).contains(&digits) && alone(text, &at, true) {
            finds.push(Find::by_shape("phone", at));
        }
    });
}

fn each(shape: &Regex, text: &str, mut take: impl FnMut(Range<usize>)) {
    shape.find_iter(text).for_each(|found| take(found.range()));
}

/// Whether a number stands by itself, and is no part of a name, an id, an amount or a longer number.
fn alone(text: &str, at: &Range<usize>, named: bool) -> bool {
    let before = &text.as_bytes()[..at.start];
    let after = &text.as_bytes()[at.end..];
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let inner = |near: Option<&u8>, far: Option<&u8>| near.is_some_and(|near| b"-./,+#$".contains(near)) && word(far);
    let name = named && before.last().is_some_and(|byte| b"#$%".contains(byte));
    !word(before.last())
        && !word(after.first())
        && !inner(before.last(), before.len().checked_sub(2).and_then(|at| before.get(at)))
        && !inner(after.first(), after.get(1))
        && !name
}

/// A date, or a date with its time.
pub(super) fn is_date(value: &str) -> bool {
    let digits = |range: Range<usize>| {
        value
            .get(range)
            .is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mark = |at: usize| {
        value
            .as_bytes()
            .get(at)
            .is_some_and(|byte| matches!(byte, b'-' | b'/' | b'.'))
    };
    (digits(0..4) && mark(4) && digits(5..7) && mark(7))
        || (digits(0..2) && mark(2) && digits(3..5) && mark(5) && digits(6..10))
}

/// Whether digits are the number of a payment card: an issuer's beginning, its length, and the checksum.
fn is_card(written: &str) -> bool {
    let digits: Vec<u32> = written.chars().filter_map(|c| c.to_digit(10)).collect();
    let begins = |len: usize| digits[..len].iter().fold(0, |number, digit| number * 10 + digit);
    if digits.len() < 13 || digits.iter().all(|digit| *digit == digits[0]) {
        return false;
    }
    let lengths: &[usize] = match (begins(1), begins(2), begins(4)) {
        (4, ..) => &[13, 16, 19],
        (_, 51..=55, _) | (_, _, 2221..=2720) => &[16],
        (_, 34 | 37, _) => &[15],
        (_, 36 | 38 | 39, _) | (_, _, 3000..=3059) => &[14, 16],
        (_, _, 3528..=3589) => &[16, 17, 18, 19],
        (_, 62 | 64 | 65, _) | (_, _, 6011) => &[16, 17, 18, 19],
        (_, 50 | 56..=59 | 60 | 61 | 63 | 66..=69, _) => &[16, 18, 19],
        _ => &[],
    };
    lengths.contains(&digits.len()) && luhn(&digits)
}

/// Luhn's checksum (ISO/IEC 7812-1, annex B).
fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit })
        .sum();
    sum.is_multiple_of(10)
}

/// The IBAN that a match begins with: as long as its country's are, with the right checksum.
fn iban(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let written = &text[at.clone()];
    let country = written[..2].to_uppercase();
    let found = (0..IBAN_LENGTHS.len())
        .step_by(4)
        .find(|n| IBAN_LENGTHS[*n..].starts_with(&country))?;
    let length: usize = IBAN_LENGTHS[found + 2..found + 4].parse().ok()?;
    // In groups of four, the match may have run on into the next word.
    let mut letters = written.char_indices().filter(|(_, c)| *c != ' ');
    let end = letters.nth(length - 1).map(|(last, _)| last + 1)?;
    let ends_here = written[end..].bytes().next().is_none_or(|byte| byte == b' ');
    (ends_here && mod_97(&written[..end]) == 1).then(|| at.start..at.start + end)
}

/// The remainder of an IBAN, its first four letters moved to the end and letters counted from 10 (ISO 7064, modulo 97-10).
fn mod_97(iban: &str) -> u32 {
    let letters: Vec<char> = iban.chars().filter(|c| *c != ' ').collect();
    letters[4..].iter().chain(&letters[..4]).fold(0, |rest, c| {
        let value = c.to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}
