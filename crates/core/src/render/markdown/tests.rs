use super::*;
use proptest::prelude::*;

#[test]
fn markup_is_text() {
    insta::assert_snapshot!(
        escape("# **bold** <img src=x> [a](b) | `c _d_ ~~e~~ $x$ &amp;"),
        @r"\# \*\*bold\*\* &lt;img src=x&gt; \[a\](b) &#124; \`c \_d\_ \~\~e\~\~ \$x\$ &amp;amp;"
    );
}

#[test]
fn what_github_would_turn_into_a_link_or_a_ping_stands_in_code() {
    insta::assert_snapshot!(
        escape("ask @octocat and @org/team, mail a@b.org, see #12, o/r#3, GH-4, https://evil.test/x?a=1 and www.evil.test"),
        @"ask `@octocat` and `@org/team`, mail `a@b.org`, see `#12`, `o/r#3`, `GH-4`, `https://evil.test/x?a=1` and `www.evil.test`"
    );
    assert_eq!(escape("@a#1"), "`@a#1`", "two in a row are one code span");
    assert_eq!(escape("_GH-1"), "`_GH-1`");
}

#[test]
fn names_and_quoted_code_are_code() {
    assert_eq!(
        escape("call `get order` or open_parcel_trace, not ``"),
        r"call `get order` or `open_parcel_trace`, not \`\`"
    );
    assert_eq!(escape("`` a` ` `"), r"\``a` `` ` ` ``");
}

#[test]
fn closing_keywords_are_broken_up_everywhere() {
    for reference in ["#1", "o/r#1", "GH-1", "https://github.com/o/r/issues/1"] {
        for keyword in [
            "close", "closes", "closed", "fix", "fixes", "Fixed", "RESOLVE", "resolves", "resolved",
        ] {
            for between in [" ", ": ", "  ", "\t", "\u{200b} "] {
                let text = format!("{keyword}{between}{reference}");
                for safe in [escape(&text), inline_code(&text), fence(&text, ""), plain(&text)] {
                    assert!(safe.contains("issue "), "{text:?} became {safe:?}");
                }
            }
        }
    }
    assert_eq!(inline_code("prefixes #1"), "`prefixes #1`");
}

#[test]
fn line_starts_are_harmless() {
    assert_eq!(escape("- item"), r"\- item");
    assert_eq!(escape("1. item"), r"1\. item");
    assert_eq!(escape("===\n/merge"), r"\=== /merge");
    assert_eq!(escape("/approve"), r"\/approve");
    assert_eq!(fence("/approve\n/1", ""), "```\n /approve\n/1\n```\n");
}

#[test]
fn nothing_invisible_is_left() {
    assert_eq!(
        visible("a\u{202e}b\u{200b}c\u{1b}[31md\u{e0041}e\u{feff}\0f\r\ng\u{2028}h"),
        "abcdef\ng\nh"
    );
}

#[test]
fn code_and_fences_hold_backticks() {
    assert_eq!(inline_code("a ``b`` c"), "```a ``b`` c```");
    assert_eq!(inline_code("`"), "`` ` ``");
    assert_eq!(inline_code(" \n"), "(empty)");
    assert_eq!(fence("x\n````\ny", "diff"), "`````diff\nx\n````\ny\n`````\n");
    assert_eq!(fence("x", "di ff\n`"), "```diff\nx\n```\n");
    assert_eq!(cell_code("a|b_c"), "a&#124;`b_c`");
}

#[test]
fn titles_are_plain() {
    assert_eq!(
        plain("fixes #1 for @bob\n[skip ci] `x`"),
        "fixes issue # 1 for @ bob [skip-ci] `x`"
    );
}

#[test]
fn markers_cannot_be_left() {
    assert_eq!(
        marker("pull", &[("cluster", "a--> <b>"), ("n", "E01")]),
        "<!-- sprag:pull cluster=a-b n=E01 -->"
    );
}

#[test]
fn truncation_counts_characters() {
    assert_eq!(truncate("héllo wörld", 7), "héllo…");
    assert_eq!(truncate("abc", 3), "abc");
    assert_eq!(truncate("abc", 0), "");
}

/// Text made of what is dangerous.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "`",
        "```",
        "~~~",
        "@",
        "bob",
        "#",
        "1",
        "fixes ",
        "<b>",
        "</details>",
        "<!--",
        "-->",
        "[",
        "](",
        "http://x",
        "|",
        "\\",
        "&",
        ";",
        "\n",
        "\r",
        " ",
        "\u{202e}",
        "\u{200b}",
        "\u{1b}[1m",
        "é",
        "/",
        "*",
        "_",
        "$",
        "GH-",
        "-",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..30).prop_map(|pieces| pieces.concat())
}

/// What is left of Markdown when its code spans are taken out.
fn outside_code(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find(['`', '\\']) {
        out.push_str(&rest[..start]);
        if rest[start..].starts_with('\\') {
            let escaped = rest[start + 1..].chars().next().map_or(0, char::len_utf8);
            rest = &rest[start + 1 + escaped..];
            out.push(' ');
            continue;
        }
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let body = &rest[start + ticks..];
        let close = closing_run(body, ticks).expect("every code span is closed");
        rest = &body[close + ticks..];
        out.push(' ');
    }
    out + rest
}

fn closing_run(body: &str, ticks: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = body[from..].find('`').map(|at| at + from) {
        let run = body[at..].len() - body[at..].trim_start_matches('`').len();
        if run == ticks {
            return Some(at);
        }
        from = at + run;
    }
    None
}

proptest! {
    #[test]
    fn escaped_text_has_no_markup(text in hostile()) {
        let escaped = escape(&text);
        let prose = outside_code(&escaped);
        prop_assert!(!prose.contains(['<', '>', '*', '_', '[', ']', '~', '$', '\n']), "{escaped:?}");
        prop_assert!(!escaped.contains('|'), "{escaped:?}");
        prop_assert!(!LIVE.is_match(&prose.replace("&#124;", "|")), "{escaped:?}");
        prop_assert!(!CLOSING.is_match(&escaped), "{escaped:?}");
    }

    #[test]
    fn fences_are_closed_by_their_last_line_only(text in hostile()) {
        let block = fence(&text, "diff");
        let lines: Vec<&str> = block.lines().collect();
        let ticks = lines[0].trim_end_matches("diff");
        let closers = lines.iter().filter(|line| line.trim().starts_with(ticks) && line.trim().chars().all(|c| c == '`')).count();
        prop_assert_eq!(closers, 1);
        prop_assert_eq!(lines[lines.len() - 1], ticks);
    }

    #[test]
    fn code_spans_are_one_span(text in hostile()) {
        let code = inline_code(&text);
        prop_assert!(code == "(empty)" || outside_code(&code) == " ", "{:?}", code);
        prop_assert!(!code.contains('\n'));
    }

    #[test]
    fn cleaning_twice_is_cleaning_once(text in ".{0,60}", hostile in hostile()) {
        for text in [text, hostile] {
            let once = inert(&text);
            prop_assert_eq!(inert(&once), once.clone());
            prop_assert_eq!(visible(&once), once);
        }
    }

    #[test]
    fn truncation_keeps_to_its_length(text in ".{0,40}", chars in 0usize..50) {
        let cut = truncate(&text, chars);
        prop_assert!(cut.chars().count() <= chars);
        prop_assert_eq!(truncate(&cut, chars), cut.clone());
    }
}
