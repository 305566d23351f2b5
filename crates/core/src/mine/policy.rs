//! What a policy demands of the use of tools, read without a model: sentences of a few plain forms, and nothing else.
//!
//! The modals and connectives are English. A sentence that names no tool, that has a condition, or that has any word between its tools
//! that is not understood is passed over: most of a policy is.

use super::calls;
use std::collections::BTreeSet;

/// What a sentence demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Demand {
    /// The tool is never called.
    Never(String),
    /// The second tool is only called when the first one has worked.
    Before(String, String),
    /// The second tool is not called any more when the first one has worked.
    NotAfter(String, String),
    /// When the first tool has worked, the second one is called later.
    Followed(String, String),
    /// The tool is called at most so many times.
    AtMost(String, usize),
    /// One message makes one call.
    OneAtATime,
}

/// A longer sentence, in bytes, holds more than one demand.
const LONGEST: usize = 400;
/// The most sentences of a policy that are read.
const MOST: usize = 2_000;

/// Words that change nothing about a demand.
const FILLERS: &str = "a an the you your we it agent assistant tool tools function functions please be been being is are was were first ever also \
                       then explicitly successfully allowed permitted to";
const CALLING: &str = "call calls calling called use uses using used run running invoke invoking invoked execute executing executed make making";
/// With one of these a demand holds only sometimes, and nobody knows when without understanding it.
const CONDITIONS: &str = "if when whenever unless except otherwise or either where while case cases";
/// What may follow a demand: its reason.
const REASONS: &str = "so because since";
const OBLIGING: &str = "must always shall should ensure required";
const FORBIDDING: &str = "never cannot don't mustn't can't shouldn't";
/// Before `not` these forbid; before `to` they oblige.
const AUXILIARIES: &str = "do must should may can shall are is";
/// The words of a limit, apart from its number.
const LIMITING: &str = "at most no than up maximum of times time in total per conversation run session task";
/// Words for one message.
const MESSAGE: &str = "turn message step response reply";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Tool(String),
    Call,
    Must,
    Never,
    Only,
    Before,
    After,
    Until,
    More,
    Number(usize),
    Reason,
    Plain(String),
}

/// The demands of a policy, each with the sentence that makes it. `tools` are the names that the trace knows. Names in backticks that look
/// like those of tools are known too, since a tool that should have been called may never have been.
pub(super) fn demands<'a>(policy: &'a str, tools: &BTreeSet<String>) -> Vec<(&'a str, Demand)> {
    let mut names: BTreeSet<&str> = tools.iter().map(String::as_str).collect();
    names.extend(quoted_names(policy));
    let known: Vec<Name<'_>> = names.into_iter().map(Name::of).collect();
    let demands = sentences(policy).take(MOST);
    demands
        .filter_map(|sentence| Some((sentence, demand(sentence, &known)?)))
        .collect()
}

/// The name of a tool, ready to be looked for.
struct Name<'a> {
    name: &'a str,
    lower: String,
    words: Vec<String>,
}

impl<'a> Name<'a> {
    fn of(name: &'a str) -> Self {
        Self {
            name,
            lower: name.to_lowercase(),
            words: calls::words(name),
        }
    }
}

/// `like_this` or `this()` in backticks.
fn quoted_names(policy: &str) -> impl Iterator<Item = &str> {
    let quoted = policy.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| {
        let bare = name.trim_end_matches("()");
        let letters = bare.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        (letters && !bare.is_empty() && (bare.contains('_') || name.ends_with("()"))).then_some(bare)
    })
}

fn sentences(policy: &str) -> impl Iterator<Item = &str> {
    let lines = policy.lines().flat_map(|line| line.split_inclusive(". "));
    lines
        .flat_map(|line| line.split_inclusive("; "))
        .map(|sentence| {
            sentence
                .trim_start_matches(|letter: char| !letter.is_alphabetic() && letter != '`')
                .trim_end()
        })
        .filter(|sentence| !sentence.is_empty() && sentence.len() <= LONGEST)
}

fn demand(sentence: &str, tools: &[Name<'_>]) -> Option<Demand> {
    let words = words(sentence, tools);
    let is_condition = |word: &Word| matches!(word, Word::Plain(word) if is_one_of(word, CONDITIONS));
    let named: Vec<(usize, &str)> = words
        .iter()
        .enumerate()
        .filter_map(|(at, word)| match word {
            Word::Tool(name) => Some((at, name.as_str())),
            _ => None,
        })
        .collect();
    match named[..] {
        // What a comma cuts off, such as "and if you do ...", is another demand.
        [] => sentence.split(',').find_map(|clause| one_at_a_time(clause, tools)),
        _ if words.iter().any(is_condition) => None,
        [(_, tool)] => of_one(&words, tool),
        [(first, earlier), (second, later)] if earlier != later => of_two(&words, (first, earlier), (second, later)),
        _ => None,
    }
}

fn one_at_a_time(clause: &str, tools: &[Name<'_>]) -> Option<Demand> {
    let words = words(clause, tools);
    let about_calls = words.contains(&Word::Call) || clause.to_lowercase().contains("tool");
    let modal = words
        .iter()
        .any(|word| matches!(word, Word::Must | Word::Only | Word::Never));
    let mut plain: Vec<&str> = plain(&words).filter(|word| *word != "than").collect();
    if plain.starts_with(&["at", "most"]) {
        plain.drain(..2);
    }
    let apart =
        plain == ["at", "time"] || matches!(plain[..], ["per" | "in" | "each", word] if is_one_of(word, MESSAGE));
    (about_calls && modal && apart && words.contains(&Word::Number(1))).then_some(Demand::OneAtATime)
}

fn of_one(words: &[Word], tool: &str) -> Option<Demand> {
    let never = words.contains(&Word::Never);
    let numbers: Vec<usize> = words
        .iter()
        .filter_map(|word| match word {
            Word::Number(number) => Some(*number),
            _ => None,
        })
        .collect();
    let connected = words
        .iter()
        .any(|word| matches!(word, Word::Before | Word::After | Word::Until));
    match numbers[..] {
        _ if connected => None,
        [] if never && plain(words).next().is_none() => Some(Demand::Never(tool.to_owned())),
        [number] if plain(words).all(|word| is_one_of(word, LIMITING)) => {
            let words_of = |any: &[&str]| plain(words).any(|word| any.contains(&word));
            let more = words.contains(&Word::More);
            let limits = (more && (never || words_of(&["no"]))) || words_of(&["most", "maximum", "up"]);
            (limits || words.contains(&Word::Only)).then(|| Demand::AtMost(tool.to_owned(), number))
        }
        _ => None,
    }
}

/// What two tools have to do with each other, by the word between them or before the first.
fn of_two(words: &[Word], (first, earlier): (usize, &str), (second, later): (usize, &str)) -> Option<Demand> {
    let has = |wanted: &Word| words.contains(wanted);
    let modal = |word: &&Word| matches!(word, Word::Must | Word::Never | Word::Only | Word::Call);
    let between: Vec<&Word> = words[first + 1..second].iter().filter(|word| !modal(word)).collect();
    let leading = words[..first].iter().rfind(|word| !modal(word));
    let mut trailing = words[second + 1..].iter().filter(|word| !modal(word));
    if !trailing.next().is_none_or(|word| *word == Word::Reason) {
        return None;
    }
    let (never, must, only) = (has(&Word::Never), has(&Word::Must), has(&Word::Only));
    let (earlier, later) = (earlier.to_owned(), later.to_owned());
    match between[..] {
        [Word::Before] if never => Some(Demand::Before(later, earlier)),
        [Word::Before] if must => Some(Demand::Before(earlier, later)),
        [Word::After] if never => Some(Demand::NotAfter(later, earlier)),
        [Word::After] if only => Some(Demand::Before(later, earlier)),
        [Word::After] if must => Some(Demand::Followed(later, earlier)),
        [Word::Until] if never => Some(Demand::Before(later, earlier)),
        [] => match leading {
            Some(Word::Before) if never => Some(Demand::Before(earlier, later)),
            Some(Word::Before) if must => Some(Demand::Before(later, earlier)),
            Some(Word::After) if never => Some(Demand::NotAfter(earlier, later)),
            Some(Word::After) if must => Some(Demand::Followed(earlier, later)),
            _ => None,
        },
        _ => None,
    }
}

fn plain(words: &[Word]) -> impl Iterator<Item = &str> {
    words.iter().filter_map(|word| match word {
        Word::Plain(word) => Some(word.as_str()),
        _ => None,
    })
}

fn is_one_of(word: &str, list: &str) -> bool {
    list.split(' ').any(|other| other == word)
}

/// A sentence in the words that matter.
fn words(sentence: &str, tools: &[Name<'_>]) -> Vec<Word> {
    let raw: Vec<&str> = sentence.split_whitespace().collect();
    let bare: Vec<String> = raw.iter().map(|word| bare(word)).collect();
    let mut words: Vec<Word> = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        if let Some((name, length)) = tool_at(&raw[at..], &bare[at..], tools) {
            words.push(Word::Tool(name));
            at += length;
            continue;
        }
        let next = bare.get(at + 1).map(String::as_str).unwrap_or_default();
        let known = match bare[at].as_str() {
            word if next == "not" && is_one_of(word, AUXILIARIES) => {
                at += 1;
                Some(Word::Never)
            }
            "have" | "has" | "need" | "needs" if next == "to" => Some(Word::Must),
            word if is_one_of(word, FORBIDDING) => Some(Word::Never),
            word if is_one_of(word, OBLIGING) => Some(Word::Must),
            word if is_one_of(word, CALLING) => Some(Word::Call),
            word if is_one_of(word, REASONS) => Some(Word::Reason),
            "only" => Some(Word::Only),
            "before" | "prior" => Some(Word::Before),
            "after" | "once" if next != "per" && at + 1 < raw.len() => Some(Word::After),
            "until" | "without" => Some(Word::Until),
            "more" => Some(Word::More),
            "one" | "1" | "once" => Some(Word::Number(1)),
            "two" | "2" | "twice" => Some(Word::Number(2)),
            "three" | "3" => Some(Word::Number(3)),
            "to" if matches!(words.last(), Some(Word::Tool(_))) => Some(Word::Reason),
            word if word.is_empty() || is_one_of(word, FILLERS) => None,
            word => Some(word.parse().map_or_else(|_| Word::Plain(word.to_owned()), Word::Number)),
        };
        words.extend(known);
        at += 1;
    }
    // "Call this before that": an order is an obligation.
    if words.first() == Some(&Word::Call) {
        words.insert(0, Word::Must);
    }
    words
}

/// A word in lower case, without what stands around it.
fn bare(word: &str) -> String {
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
        .replace('’', "'")
        .to_lowercase()
}

/// The tool that is named at the beginning, and in how many words: as it is written, or word by word. A name of one plain word only counts
/// in quotes, since "refund" is mostly a verb.
fn tool_at(raw: &[&str], bare: &[String], tools: &[Name<'_>]) -> Option<(String, usize)> {
    let quoted = raw[0].contains(['`', '"', '\'']) || raw[0].contains("()");
    let written = |tool: &&Name<'_>| tool.lower == bare[0] && (quoted || tool.words.len() > 1);
    if let Some(tool) = tools.iter().find(written) {
        return Some((tool.name.to_owned(), 1));
    }
    let spoken = tools
        .iter()
        .filter(|tool| tool.words.len() > 1 && bare.starts_with(&tool.words));
    spoken
        .max_by_key(|tool| tool.words.len())
        .map(|tool| (tool.name.to_owned(), tool.words.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(policy: &str) -> Vec<Demand> {
        let tools = ["get_order", "cancel_order", "refund", "notifyOwner"].map(str::to_owned);
        let found = demands(policy, &BTreeSet::from(tools));
        found.into_iter().map(|(_, demand)| demand).collect()
    }

    fn before(first: &str, then: &str) -> Vec<Demand> {
        vec![Demand::Before(first.to_owned(), then.to_owned())]
    }

    #[test]
    fn an_order_is_read_in_all_its_forms() {
        for sentence in [
            "Always call `get_order` before `cancel_order`.",
            "- You must use get_order before calling cancel_order to see the state of the order.",
            "Call get_order before cancel_order.",
            "Before calling cancel_order, you must first call get_order.",
            "Never call cancel_order without calling get_order first.",
            "2. Do not use `cancel_order()` until get order was called",
            "Only call `cancel_order` after `get_order`.",
            "cancel_order must only be called after get_order",
        ] {
            assert_eq!(read(sentence), before("get_order", "cancel_order"), "{sentence}");
        }
        assert_eq!(
            read("After `cancel_order`, always call `notifyOwner`."),
            [Demand::Followed("cancel_order".to_owned(), "notifyOwner".to_owned())]
        );
        assert_eq!(
            read("Never call `refund` after `cancel_order`."),
            [Demand::NotAfter("cancel_order".to_owned(), "refund".to_owned())]
        );
    }

    #[test]
    fn bans_and_limits_are_read() {
        for (sentence, demand) in [
            ("Never use `refund`!", Demand::Never("refund".to_owned())),
            (
                "The cancel_order tool must never be called.",
                Demand::Never("cancel_order".to_owned()),
            ),
            (
                "Call get_order at most twice.",
                Demand::AtMost("get_order".to_owned(), 2),
            ),
            (
                "Do not call get_order more than once per conversation.",
                Demand::AtMost("get_order".to_owned(), 1),
            ),
            ("Make only one tool call at a time.", Demand::OneAtATime),
            ("You should at most make one tool call at a time.", Demand::OneAtATime),
            ("Never make more than one call per message.", Demand::OneAtATime),
            (
                "You should only make one tool call at a time, and if you call, say nothing.",
                Demand::OneAtATime,
            ),
        ] {
            assert_eq!(read(sentence), [demand], "{sentence}");
        }
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for sentence in [
            "Never refund anybody.",
            "Never use `refund` for orders of last year.",
            "If the order is late, never call `refund`.",
            "You may call get_order before cancel_order.",
            "Always call get_order before asking for the reason of a cancel_order call of gold members.",
            "Call get_order at most twice per customer.",
            "Tell the person what `cancel_order` does before you call it.",
            "One agent answers one person at a time.",
        ] {
            assert_eq!(read(sentence), [], "{sentence}");
        }
    }

    #[test]
    fn a_tool_that_nobody_called_is_known_by_its_backticks() {
        assert_eq!(
            read("Always call `verify_identity` before cancel_order."),
            before("verify_identity", "cancel_order")
        );
    }
}
