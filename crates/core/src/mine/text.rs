//! Words for people: shortening, quoting, and taking the values of one run out of a text.

use crate::failure::Evidence;
use crate::trace::{ExpectedAction, Step, ToolCall, Trace};
use serde_json::Value;

/// How long a quote may be, in characters.
pub const QUOTE: usize = 200;

/// One line of at most `limit` characters; what is cut off is marked with `…`.
pub fn shortened(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `1 call`, `2 calls`.
pub fn counted(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// The start of what a step says, verbatim; of a step that only calls, its first call.
pub(super) fn evidence(trace: &Trace, step: usize) -> Evidence {
    let quote = trace.steps.get(step).map(|step| match step.tool_calls.first() {
        Some(call) if step.content.trim().is_empty() => call_as_text(call),
        _ => step.content.clone(),
    });
    Evidence {
        step: Some(step),
        quote: cut(&quote.unwrap_or_default()),
    }
}

/// A call of a step, verbatim: the name of the tool and its arguments as JSON.
pub(super) fn call_evidence(step: usize, call: &ToolCall) -> Evidence {
    Evidence {
        step: Some(step),
        quote: cut(&call_as_text(call)),
    }
}

/// The answer to a call, from the first line that is not blank.
pub(super) fn answer_evidence(step: usize, answer: &Step) -> Evidence {
    Evidence {
        step: Some(step),
        quote: cut(answer.content.trim_start()),
    }
}

/// How a call is quoted.
pub fn call_as_text(call: &ToolCall) -> String {
    format!("{} {}", call.name, Value::Object(call.arguments.clone()))
}

fn cut(text: &str) -> String {
    text.chars().take(QUOTE).collect()
}

/// `call `refund` with order_id = O-7, amount = 12`, with the arguments that count.
pub(super) fn instruction(action: &ExpectedAction) -> String {
    let arguments = arguments(action);
    if arguments.is_empty() {
        format!("call `{}`", action.name)
    } else {
        format!("call `{}` with {arguments}", action.name)
    }
}

/// `order_id = O-7, amount = 12`: the arguments of an action that count.
pub(super) fn arguments(action: &ExpectedAction) -> String {
    let counts = |name: &&String| action.compare.as_ref().is_none_or(|names| names.contains(name));
    let names = action.arguments.keys().filter(counts);
    names
        .map(|name| format!("{name} = {}", value(action.arguments.get(name))))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A value in a sentence.
pub(super) fn value(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => shortened(text, 80),
        Some(other) => shortened(&other.to_string(), 80),
    }
}

/// A text without what belongs to one run: words with digits, mail addresses, quoted texts and the `values` become `#`.
pub(super) fn masked(text: &str, values: &[&str]) -> String {
    let mut words: Vec<String> = Vec::new();
    let text = text.replace(['"', '`'], "'");
    for (at, part) in text.split('\'').enumerate() {
        // With an odd one among them, some are apostrophes ("doesn't"), and nobody knows which.
        let quoted = at % 2 == 1 && text.matches('\'').count().is_multiple_of(2);
        if quoted {
            words.push("#".to_owned());
            continue;
        }
        words.extend(part.split_whitespace().map(|word| {
            if is_value(word, values) {
                "#".to_owned()
            } else {
                word.to_lowercase()
            }
        }));
    }
    words.dedup_by(|next, previous| next == "#" && previous == "#");
    let line = words.join(" ");
    line.chars()
        .take(100)
        .collect::<String>()
        .trim_end_matches([' ', '.', '!', ':', ','])
        .to_owned()
}

fn is_value(word: &str, values: &[&str]) -> bool {
    let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    word.contains(|letter: char| letter.is_ascii_digit())
        || word.contains('@')
        || (!bare.is_empty() && values.contains(&bare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shortening_cuts_between_characters_and_joins_lines() {
        assert_eq!(shortened("  a\n b  ", 10), "a b");
        assert_eq!(shortened("äöüäöü", 4), "äöü…");
        assert_eq!(shortened("exact", 5), "exact");
    }

    #[test]
    fn masking_takes_the_values_of_one_run_out() {
        assert_eq!(
            masked("flight HAT030 not available on date 2024-05-13", &[]),
            "flight # not available on date #"
        );
        assert_eq!(masked("Total is 375, but paid 299.", &[]), "total is # but paid #");
        assert_eq!(masked("user 'Ann Lee' not found", &[]), "user # not found");
        assert_eq!(masked("no such city: Lima", &["Lima"]), "no such city: #");
        assert_eq!(masked("It doesn't work", &[]), "it doesn t work");
    }

    #[test]
    fn an_instruction_names_the_arguments_that_count() {
        let arguments = json!({"order_id": "O-7", "note": "free"}).as_object().cloned().unwrap();
        let mut action = ExpectedAction {
            name: "refund".to_owned(),
            arguments,
            ..Default::default()
        };
        assert_eq!(instruction(&action), "call `refund` with order_id = O-7, note = free");
        action.compare = Some(vec!["order_id".to_owned()]);
        assert_eq!(instruction(&action), "call `refund` with order_id = O-7");
        action.compare = Some(Vec::new());
        assert_eq!(instruction(&action), "call `refund`");
    }
}
