//! What GitHub would make of a published text: parsed as GitHub parses it, then looked through for whatever is live in it.

use comrak::nodes::{NodeValue, TableAlignment};
use comrak::{Arena, Node, Options, parse_document};
use regex::Regex;
use sprag_core::command;
use sprag_core::render::markdown::{LONGEST, LONGEST_TITLE, plain, visible};
use sprag_core::render::safety::specimen;
use std::sync::LazyLock;

/// What GitHub makes a mention, a reference or a link of, outside of code.
static LIVE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:^|[^\w`])@\w|(?:^|[^\w&])#\d|\bGH-\d|[\w.-]+/[\w.-]+#\d|https?://|ftp://|\bwww\.\w|\w@\w+\.\w|mailto:\w|xmpp:\w",
    )
});
/// What closes an issue, also in a commit message, where there is no code.
static CLOSING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)(?:\s*:\s*|\s+)(?:#\d|GH-\d|[\w.-]+/[\w.-]+#\d|https?://\S+/(?:issues|pull)/\d)",
    )
});
static SKIPS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]|skip-checks:\s*true"));
static TRAILER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?im)^(?:co-authored-by|signed-off-by):"));
/// What other bots take for a command at the beginning of a line.
static SLASH: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^/[A-Za-z]"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns of this module are valid")
}

/// Whether a payload is inert in every place where sprag puts text of strangers; else what it does.
pub(super) fn check(payload: &str) -> Result<(), String> {
    let page = specimen(payload);
    in_any_text(&page)?;
    rendered(&page, &shape(&specimen("words")))?;
    let title = plain(payload);
    if let Some(live) = [&LIVE, &CLOSING, &SKIPS]
        .into_iter()
        .find_map(|pattern| pattern.find(&title))
    {
        return Err(format!("in a title, `{}` is live", live.as_str()));
    }
    if title.chars().count() > LONGEST_TITLE || title.contains('\n') {
        return Err(format!("as a title it has {} letters", title.chars().count()));
    }
    let once = visible(payload);
    if visible(&once) != once || plain(&title) != title {
        return Err("done twice it is not the same as once".to_owned());
    }
    Ok(())
}

/// What must not be in a text, wherever it stands.
fn in_any_text(text: &str) -> Result<(), String> {
    if text.chars().count() > LONGEST {
        return Err(format!("it has {} letters", text.chars().count()));
    }
    let forbidden = [
        (&CLOSING, "closes an issue"),
        (&SKIPS, "skips CI"),
        (&SLASH, "commands a bot"),
    ];
    for (pattern, does) in forbidden {
        if let Some(found) = pattern.find(text) {
            return Err(format!("`{}` {does}", found.as_str()));
        }
    }
    // Of a merge commit's message, the last paragraph has the trailers.
    let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
    if let Some(found) = TRAILER.find(last) {
        return Err(format!("`{}` is a trailer", found.as_str()));
    }
    if let Some(hidden) = text
        .chars()
        .find(|&c| c != '\n' && c != '\t' && visible(&c.to_string()).is_empty())
    {
        return Err(format!("{hidden:?} is in it and cannot be seen"));
    }
    if !command::parse(text).is_empty() {
        return Err("it commands sprag itself".to_owned());
    }
    Ok(())
}

/// GitHub's Markdown.
fn github() -> Options<'static> {
    let mut options = Options::default();
    let extension = &mut options.extension;
    extension.strikethrough = true;
    extension.table = true;
    extension.autolink = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    extension.math_dollars = true;
    extension.math_code = true;
    options
}

/// The blocks of a page, in order: text within it must not add any.
fn shape(markdown: &str) -> Vec<String> {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &github());
    root.descendants().filter_map(|node| block(node)).collect()
}

fn block(node: Node<'_>) -> Option<String> {
    let name = match &node.data.borrow().value {
        NodeValue::Text(_) | NodeValue::Code(_) | NodeValue::SoftBreak | NodeValue::LineBreak => return None,
        NodeValue::Table(table) => format!(
            "a table of {} columns",
            table.alignments.iter().filter(|a| **a == TableAlignment::None).count()
        ),
        NodeValue::CodeBlock(block) => format!("a block, fenced: {}, closed: {}", block.fenced, block.closed),
        NodeValue::Heading(heading) => format!("a heading of level {}", heading.level),
        other => format!("{other:?}")
            .split(['(', ' '])
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    Some(name)
}

/// Looks through what GitHub would show.
fn rendered(markdown: &str, expected: &[String]) -> Result<(), String> {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &github());
    let blocks: Vec<String> = root.descendants().filter_map(|node| block(node)).collect();
    // A text that is cut has fewer; what there is must be what was meant.
    let cut = markdown.contains("(cut: too long)");
    if !cut && blocks != expected {
        let extra = blocks.iter().zip(expected).find(|(is, should)| is != should);
        return Err(format!("it makes {extra:?} of the page"));
    }
    for node in root.descendants() {
        let text = match &node.data.borrow().value {
            NodeValue::Link(link) | NodeValue::Image(link) => return Err(format!("it links to {}", link.url)),
            NodeValue::HtmlBlock(_) | NodeValue::HtmlInline(_) | NodeValue::Raw(_) => {
                return Err("it has HTML".to_owned());
            }
            NodeValue::CodeBlock(block) if !block.closed => return Err("a block is left open".to_owned()),
            NodeValue::Paragraph | NodeValue::Heading(_) | NodeValue::TableCell => prose(node),
            _ => continue,
        };
        if let Some(live) = LIVE.find(&text) {
            return Err(format!("`{}` is live", live.as_str()));
        }
    }
    Ok(())
}

/// The words of a block that are not in code.
fn prose(block: Node<'_>) -> String {
    let mut text = String::new();
    for node in block.descendants() {
        match &node.data.borrow().value {
            NodeValue::Text(part) => text.push_str(part),
            NodeValue::SoftBreak | NodeValue::LineBreak => text.push('\n'),
            NodeValue::Code(_) => text.push(' '),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_live_is_seen() {
        let words = shape("Hello.\n");
        for live in [
            "Hello @octocat.",
            "See #1.",
            "[a](https://x.test)",
            "<b>x</b>",
            "- Hello.",
            "```\nopen",
            "![](x.png)",
            "- [ ] x",
            "www.evil.test",
        ] {
            assert!(rendered(live, &words).is_err(), "{live}");
        }
        assert_eq!(rendered("Hello `@octocat` and `#1`.\n", &words), Ok(()));
        for live in [
            "fixes `#1`",
            "closes #1",
            "[skip ci]",
            "/merge",
            "a\u{202e}b",
            "x\n\nCo-authored-by: a",
        ] {
            let is_seen = in_any_text(live).is_err();
            assert_eq!(is_seen, live != "fixes `#1`", "{live}");
        }
    }

    #[test]
    fn a_page_of_words_is_inert() {
        assert_eq!(check("words"), Ok(()));
    }
}
