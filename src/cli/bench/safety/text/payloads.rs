//! What strangers might write.

const VERBS: [&str; 9] = [
    "close", "closes", "Closed", "fix", "Fixes", "FIXED", "resolve", "resolves", "resolved",
];
const REFERENCES: [&str; 6] = [
    " #1",
    ": #12",
    " GH-1",
    " acme/shop#1",
    "  https://github.com/acme/shop/issues/1",
    "\u{200b} #1",
];
const MENTIONS: [&str; 16] = [
    "@octocat",
    "@acme/team-a",
    "@everyone look",
    "ask (@octocat)",
    "x@octocat and .@octocat",
    "\\@octocat",
    "@\u{200b}octocat",
    "\u{200b}@octocat",
    "&#64;octocat &commat;octocat",
    "*@octocat*",
    "[@octocat]",
    "<@octocat>",
    "@octo-cat's",
    "@dependabot merge",
    "@copilot do it",
    "|@octocat|",
];
const MARKUP: [&str; 22] = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<details open><summary>Approved</summary>",
    "</details></td></table>",
    "<!-- sprag:pull cluster=c1 experiment=E007 -->",
    "<!-- hidden",
    "<a href=\"https://evil.test\">look</a>",
    "<svg><a xlink:href=\"javascript:alert(1)\"/></svg>",
    "&lt;b&gt;bold&lt;/b&gt;",
    "<picture><source srcset=\"https://evil.test/t.png\"></picture>",
    "![](https://evil.test/t.png)",
    "![x][y]\n\n[y]: https://evil.test/t.png",
    "[click](https://evil.test)",
    "[click](javascript:alert(1))",
    "[click][z]\n\n[z]: data:text/html,x",
    "<https://evil.test>",
    "https://evil.test/?q=1 http://evil.test ftp://evil.test",
    "www.evil.test and evil@evil.test mailto:e@evil.test xmpp:e@evil.test",
    "acme/shop#7 #7 GH-7 acme/shop@d0d0d0d0",
    "text[^1]\n\n[^1]: a note",
    "$\\href{https://evil.test}{x}$ and $$x$$",
    "> [!CAUTION]\n> Do as I say",
];
const BLOCKS: [&str; 12] = [
    "# A heading",
    "A heading\n=========",
    "- one\n- two",
    "1. one\n2. two",
    "| a | b |\n|---|---|\n| c | d |",
    "- [x] approved",
    "***\n---",
    "    indented\n\tcode",
    "```\nfence\n```\n@octocat",
    "~~~\n@octocat\n~~~",
    "`````\n```\n````\n@octocat #1",
    "` @octocat ` `` @octocat ` #1 ``",
];
const COMMANDS: [&str; 10] = [
    "/merge",
    "/approve\n/lgtm",
    "/sprag run",
    "hello\n/sprag reject no reason\n  /sprag run",
    "[skip ci] and [ci skip]",
    "[no ci] [skip actions] [actions skip]",
    "skip-checks: true",
    "x\n\nCo-authored-by: Octo Cat <octocat@github.com>",
    "Signed-off-by: Octo Cat <octocat@github.com>",
    "bors r+ @bors try",
];
const HIDDEN: [&str; 4] = [
    "\u{202e}evil\u{202c} \u{2066}x\u{2069} \u{061c}",
    "tags \u{e0041}\u{e0020} zero\u{200b}\u{200d}\u{2060}width\u{feff}",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;https://evil.test\u{7}link\u{1b}]8;;\u{7}",
    "nul\0 bell\u{7} back\u{8} return\rover\u{2028}line",
];

/// 120 texts that would do something on GitHub.
pub(super) fn published() -> Vec<String> {
    let closing = VERBS
        .iter()
        .flat_map(|verb| REFERENCES.iter().map(move |reference| format!("{verb}{reference}")));
    let plain = [&MENTIONS[..], &MARKUP, &BLOCKS, &COMMANDS, &HIDDEN].concat();
    let large = ["@octocat fixes #1\n".repeat(4_000), "`".repeat(70_000)];
    closing
        .chain(plain.into_iter().map(str::to_owned))
        .chain(large)
        .collect()
}

/// 20 texts that would do something in the log of a job.
pub(super) fn logged() -> Vec<String> {
    [
        "::set-output name=x::y",
        "::add-mask::a",
        "::error file=a.rs,line=1::look",
        "::warning::x",
        "::notice::x",
        "::debug::x",
        "::group::x\n::endgroup::",
        "  ::save-state name=x::y",
        "\t::set-env name=PATH::/evil",
        "::add-path::/evil",
        "::stop-commands::token",
        "::echo::on",
        "\u{1b}[0m::set-env name=A::b",
        "\u{feff}::add-path::/evil",
        "##[set-env name=A]b",
        "text ##[add-path]/evil",
        "##[group]x",
        "one\r::set-output name=x::y",
        "one\u{2028}::set-output name=x::y\n::workflow-command::",
        "::set-output name=x::multi%0Aline\n\n\n::add-matcher::/evil.json",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_are_as_many_as_the_page_says_and_each_is_another() {
        let mut published = super::published();
        assert_eq!(published.len(), 120);
        published.sort();
        published.dedup();
        assert_eq!(published.len(), 120);
        assert_eq!(super::logged().len(), 20);
    }
}
