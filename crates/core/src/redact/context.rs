//! Secrets that the words beside them give away: `password = …`, `"api_key": "…"`, `Authorization: Bearer …`, `https://user:password@host`,
//! `phone: …`.

use super::{Find, number, placeholder};
use regex::{Captures, Regex};
use std::ops::Range;
use std::sync::LazyLock;

/// Words after which every value is a secret.
const STRONG: &str = r"pass(?:word|wd|phrase|code)|pwd|[_-]pass|secret|(?:api|access|secret|private|encryption|signing|account|shared[_-]?access|master|subscription|auth|app|client|license)[_ -]?key|(?:auth|access|refresh|id|bearer|bot|api|push|deploy|oauth|csrf|xsrf|personal[_-]access|registry|npm|github|gitlab|slack|session|security)[_ -]?token|credentials?|connection[_-]?string|パスワード|密码|密碼|비밀번호";
/// Words after which a value is a secret if it looks like one.
const WEAK: &str = "token|signature|sig|auth|api[_-]?id|private[_-]key[_-]id";
/// Words after which a number is somebody's.
const PHONE: &str =
    "(?:phone|mobile|cell|telephone|tel|fax|whatsapp|msisdn)(?:[_ -]?(?:number|num|no))?|电话|電話|手机|手機|携帯|전화";
/// What Basic, Bearer and others are called in an `Authorization` header.
const SCHEME: &str = "(?:bearer|basic|token|digest|apikey|api-key|negotiate)";

/// Bytes of a value that is no secret, and is searched for others.
const READ_TWICE: usize = 256;

static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    let value = concat!(
        r#"(?:\\+"(?P<a>[^"\\\r\n]+)|"(?P<b>(?:[^"\\\r\n]|\\.)+)|'(?P<c>(?:[^'\\\r\n]|\\.)+)|`(?P<d>[^`\r\n]+)"#,
        r#"|(?P<bare>[^\s"'`,;&<>\\，。；、）」]+))"#
    );
    let separator = r#"["'`\\*]{0,4}\s{0,3}(?:=>|:=|[:=]|：|(?-u:\b)is(?-u:\b))\*{0,2}\s{0,3}"#;
    let scheme =
        format!(r#"["']?(?:proxy-)?authorization["'\\]{{0,4}}\s{{0,3}}[:=]\s{{0,3}}["'\\]{{0,4}}(?:{SCHEME}\s+)?"#);
    let all = [
        format!(r"(?P<strong>{STRONG})[0-9]?{separator}{value}"),
        format!(r"{scheme}(?P<header>[^\s\x22'\\,;]+)"),
        r"(?-u:\b)bearer\s+(?P<bearer>[a-z0-9._~+/=-]{16,})".to_owned(),
        r#"(?-u:\b)(?:set-)?cookie\s?:\s*(?P<cookie>[^\s=;"']+=[^\r\n"']+)"#.to_owned(),
        r#"://[^\s/"'<>@:]*:(?P<userinfo>[^\s/"'<>]+)@"#.to_owned(),
        r"://(?P<alone>[a-z0-9_.~-]{16,})@".to_owned(),
        r"(?-u:\b)[0-9]{8,10}:(?P<telegram>AA[a-z0-9_-]{33})".to_owned(),
        r"(?P<azure>[a-z0-9_~.]{3}[0-9]Q~[a-z0-9_~.-]{31,34})".to_owned(),
        format!(r#"(?:{PHONE})["'\\*]{{0,4}}\s{{0,3}}(?:[:=]|：|(?-u:\b)is(?-u:\b)|(?-u:\b)number(?-u:\b))?\s{{0,3}}["'\\]{{0,4}}(?P<phone>\+?\(?[0-9][0-9 ().-]{{4,20}}[0-9])"#),
        r#"(?-u:\b)(?:ssn|social[_ -]security(?:[_ -]number)?|cvv2?|cvc2?)["'\\]{0,4}\s{0,3}(?:[:=]|(?-u:\b)is(?-u:\b))?\s{0,3}["'\\]{0,4}(?P<few>[0-9][0-9 -]{1,9}[0-9])"#.to_owned(),
    ]
    .join("|");
    // The weak words come last: where a strong one fits, it counts.
    let weak = value
        .replace("<a>", "<e>")
        .replace("<b>", "<f>")
        .replace("<c>", "<g>")
        .replace("<d>", "<h>")
        .replace("<bare>", "<i>");
    let all = format!(r"(?i){all}|(?P<weak>{WEAK}){separator}{weak}");
    Regex::new(&all).expect("it is a regular expression")
});

static STRONG_KEY: LazyLock<Regex> =
    LazyLock::new(|| ends_with(&format!("{STRONG}|authorization|cookie|cvv2?|cvc2?|ssn")));
static WEAK_KEY: LazyLock<Regex> = LazyLock::new(|| ends_with(WEAK));
static PHONE_KEY: LazyLock<Regex> = LazyLock::new(|| ends_with(PHONE));
static OF_SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)^\s*{SCHEME}\s+")).expect("it is a regular expression"));

fn ends_with(words: &str) -> Regex {
    Regex::new(&format!("(?i)(?:{words})[0-9]?$")).expect("it is a regular expression")
}

/// Adds what the words of a text give away.
pub(super) fn find(text: &str, finds: &mut Vec<Find>) {
    let mut from = 0;
    while let Some(found) = ASSIGNED.captures_at(text, from) {
        let whole = found.get(0).expect("a match has a whole").range();
        match secret_of(text, &found) {
            Some((family, at)) => {
                from = at.end.max(from + 1);
                finds.push(Find::by_context(family, at));
            }
            // Behind the word that gave nothing away another may stand. Nothing long is read twice, so the time stays linear.
            None => {
                let again = value_of(&found).filter(|value| value.len() <= READ_TWICE);
                from = again.map_or(whole.end, |value| value.start).max(whole.start + 1);
            }
        }
        while !text.is_char_boundary(from) {
            from += 1;
        }
    }
}

/// The secret in a match, with its family.
fn secret_of(text: &str, found: &Captures<'_>) -> Option<(&'static str, Range<usize>)> {
    let group = |name: &str| found.name(name).map(|group| group.range());
    if let Some(key) = found.name("strong").or_else(|| found.name("weak")) {
        let strong = found.name("strong").is_some();
        let at = value_of(found)?;
        let bare = found.name("bare").or_else(|| found.name("i")).is_some();
        let at = if bare { trimmed(text, at) } else { at };
        let between = &text[key.end()..at.start];
        let told = if !bare {
            How::Quoted
        } else if between.contains('=') && !between.contains("=>") {
            How::Assigned
        } else {
            How::Told
        };
        let shouted = strong
            && text[..key.end()]
                .bytes()
                .next_back()
                .is_some_and(|byte| byte.is_ascii_uppercase());
        return secret(&text[at.clone()], strong, told, shouted).then_some((family(key.as_str()), at));
    }
    if let Some(at) = group("phone") {
        let word = found.get(0).map_or(0, |whole| whole.start());
        return (begins_a_word(text, word) && is_phone(&text[at.clone()])).then_some(("phone", at));
    }
    if let Some(at) = group("header").or_else(|| group("bearer")) {
        let at = trimmed(text, at);
        let value = &text[at.clone()];
        let random = value.len() >= 8 && (has_digit(value) || mixed(value) || value.len() >= 24);
        return (random && !harmless(value)).then_some(("secret", at));
    }
    if let Some(at) = group("few") {
        let digits = text[at.clone()].bytes().filter(u8::is_ascii_digit).count();
        return matches!(digits, 3 | 4 | 9).then_some(("secret", at));
    }
    if let Some(at) = group("alone") {
        return has_digit(&text[at.clone()]).then_some(("secret", at));
    }
    if let Some(at) = group("userinfo") {
        return (!harmless(&text[at.clone()])).then_some(("password", at));
    }
    let others = [
        ("cookie", "secret"),
        ("telegram", "telegram-token"),
        ("azure", "azure-key"),
    ];
    others
        .into_iter()
        .find_map(|(name, family)| Some((family, group(name)?)))
}

/// Where the value of an assignment stands, without its quotes.
fn value_of(found: &Captures<'_>) -> Option<Range<usize>> {
    let groups = ["a", "b", "c", "d", "bare", "e", "f", "g", "h", "i"];
    groups
        .iter()
        .find_map(|name| found.name(name))
        .map(|value| value.range())
}

/// The secret in a text that stands under a key, in JSON or among the arguments of a call.
pub(super) fn under_key(key: &str, text: &str) -> Option<Find> {
    let whole = 0..text.len();
    if placeholder::spans(text).next() == Some(whole.clone()) {
        return None;
    }
    if PHONE_KEY.find(key).is_some_and(|word| begins_a_word(key, word.start())) {
        return is_phone(text).then(|| Find::by_context("phone", whole));
    }
    let strong = STRONG_KEY.find(key);
    if let Some(found) = strong {
        // `Bearer` stays, what it bears goes.
        let scheme = OF_SCHEME.find(text).map_or(0, |scheme| scheme.end());
        let at = scheme..text.len();
        let value = &text[at.clone()];
        return secret(value, true, How::Quoted, false).then(|| Find::by_context(family(found.as_str()), at));
    }
    (WEAK_KEY.is_match(key) && secret(text, false, How::Quoted, false)).then(|| Find::by_context("secret", whole))
}

fn family(key: &str) -> &'static str {
    let key = key.to_lowercase();
    let password = ["pass", "pwd", "パスワード", "密码", "密碼", "비밀번호"];
    if password.iter().any(|word| key.contains(word)) {
        "password"
    } else {
        "secret"
    }
}

/// How a value is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// In quotes, or as a text of JSON.
    Quoted,
    /// Bare, after `=`.
    Assigned,
    /// Bare, after `:` or `is`: it may be prose.
    Told,
}

/// Whether a value is a secret: after a strong word anything but a stand-in, a sentence or a piece of code; after a weak one what looks random.
fn secret(value: &str, strong: bool, how: How, shouted: bool) -> bool {
    let value = value.trim();
    if harmless(value) {
        return false;
    }
    if !strong {
        return value.len() >= 16 && has_digit(value) && value.chars().any(char::is_alphabetic) && !value.contains(' ');
    }
    match how {
        How::Quoted => value.chars().count() >= 3 && !sentence(value),
        How::Assigned => value.len() >= 4 && (has_symbol(value) || shouted) && !is_call(value),
        How::Told => value.len() >= 6 && has_symbol(value) && !is_call(value),
    }
}

/// What people write where a secret would stand.
fn harmless(value: &str) -> bool {
    const WORDS: [&str; 26] = [
        "none",
        "null",
        "nil",
        "true",
        "false",
        "undefined",
        "string",
        "str",
        "text",
        "bool",
        "optional",
        "required",
        "redacted",
        "hidden",
        "masked",
        "removed",
        "secret",
        "password",
        "token",
        "key",
        "empty",
        "n/a",
        "example",
        "placeholder",
        "invalid",
        "missing",
    ];
    const BEGINNINGS: [&str; 13] = [
        "$",
        "{{",
        "<",
        "%(",
        "%s",
        "{",
        "process.env",
        "os.environ",
        "os.getenv",
        "env.",
        "secrets.",
        "your",
        "getenv",
    ];
    let lower = value.trim_matches(['[', ']', '(', ')', '"', '\'', '.']).to_lowercase();
    WORDS.contains(&lower.as_str())
        || BEGINNINGS.iter().any(|begin| value.to_lowercase().starts_with(begin))
        || value.chars().all(|c| {
            matches!(
                c,
                '*' | '•' | 'x' | 'X' | '.' | '-' | '_' | '#' | '?' | '…' | ' ' | '[' | ']' | '(' | ')' | '/'
            )
        })
}

/// A message to a person: it begins with a capital letter, has some words, and ends.
fn sentence(value: &str) -> bool {
    let words = value.split_whitespace().count();
    words >= 3 && (value.ends_with(['.', '!', '?']) || words >= 6)
}

fn has_digit(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_digit())
}

fn mixed(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_lowercase()) && value.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
}

/// Not only the letters of a name in a program, or of a word.
fn has_symbol(value: &str) -> bool {
    value
        .chars()
        .any(|c| !(c.is_alphabetic() || matches!(c, '_' | '.' | '-')))
}

/// `name(…`: code that gets the secret, not the secret.
fn is_call(value: &str) -> bool {
    let of_a_name = |name: &str| name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '.'));
    value
        .split_once(['(', '['])
        .is_some_and(|(name, _)| !name.is_empty() && of_a_name(name))
}

/// Whether a word begins here, also as in `homePhone`: a smartphone is no phone number.
fn begins_a_word(text: &str, at: usize) -> bool {
    let lower = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_lowercase);
    !(lower(text.as_bytes()[..at].last()) && lower(text.as_bytes().get(at)))
}

fn is_phone(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (7..=15).contains(&digits)
        && value.chars().all(|c| c.is_ascii_digit() || "+ ().-/".contains(c))
        && !number::is_date(value)
}

/// Without what ends the sentence around a bare value.
fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let value = &text[at.clone()];
    // The bracket of a placeholder is no bracket around the value.
    let kept = placeholder::spans(value).last().map_or(0, |span| span.end);
    let end = value
        .trim_end_matches([')', ']', '}', '.', ':', '!', '?', '。', '，', '）', '」', '、', '！'])
        .len();
    at.start..at.start + end.max(kept)
}
