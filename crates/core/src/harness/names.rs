//! Which names a candidate may give a file: those that every file system and every git reads as the same one, and only as that.

/// The longest path, and the longest part of one, in bytes.
const PATH: usize = 1_000;
const PART: usize = 255;

/// What runs, or steers, the tools of whoever works in a repository. It is harness only where `harness.paths` names it: a glob that happens
/// to reach it does not mean it.
pub(super) const STEERING: [&str; 32] = [
    "AGENTS.md",
    "CLAUDE.md",
    "CLAUDE.local.md",
    "GEMINI.md",
    ".claude",
    ".cursor",
    ".cursorrules",
    ".windsurfrules",
    ".codex",
    ".gemini",
    ".opencode",
    ".aider.conf.yml",
    ".mcp.json",
    ".husky",
    ".vscode",
    ".idea",
    ".devcontainer",
    ".envrc",
    ".npmrc",
    ".pre-commit-config.yaml",
    ".gitlab-ci.yml",
    ".circleci",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "Cargo.lock",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "go.sum",
    "Gemfile.lock",
];

/// Whether a path from the root means one file, the same everywhere. Git for Windows and macOS take `.GIT`, `git~1`, `.git.`, `.git::$DATA`
/// and `.g<zero-width>it` for `.git`; the case is the policy's to look at, the rest is refused here.
pub(super) fn is_plain(path: &str) -> bool {
    path.len() <= PATH && path.split('/').all(is_plain_part)
}

fn is_plain_part(part: &str) -> bool {
    let bytes = part.as_bytes();
    let short_name = bytes.windows(2).any(|pair| pair[0] == b'~' && pair[1].is_ascii_digit());
    !matches!(part, "" | "." | "..")
        && part.len() <= PART
        && !short_name
        && !part.ends_with(['.', ' '])
        && !part.starts_with(' ')
        && part.chars().all(is_plain_char)
}

fn is_plain_char(letter: char) -> bool {
    let unseen = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e0000}'..='\u{e0fff}');
    !letter.is_control() && !unseen && !matches!(letter, '\\' | ':' | '"' | '<' | '>' | '|' | '?' | '*')
}

/// Whether one of the globs names this thing, and not only reaches it.
pub(super) fn is_named(name: &str, globs: &[String]) -> bool {
    globs
        .iter()
        .flat_map(|glob| glob.split('/'))
        .any(|part| part.eq_ignore_ascii_case(name))
}
