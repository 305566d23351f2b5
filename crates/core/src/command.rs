//! The commands that people give in comments: `/sprag run`, `/sprag reject too broad`, …
//!
//! A command stands at the beginning of a line, outside of code, quotes and HTML comments; a comment that only talks about sprag gives
//! none.

use crate::github::Permission;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Commands that one comment may give; what comes after them is not heard.
pub const MAX_COMMANDS: usize = 10;
/// How much of a reason is kept, in characters.
const MAX_REASON: usize = 500;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum SlashCommand {
    /// Begin a run now.
    Run,
    /// Say where things stand.
    Status,
    /// Work on this cluster next; or let in what waits under a name.
    Accept {
        /// The cluster or case; without one, the clusters of the issue.
        what: Option<String>,
    },
    /// Close the pull request, or leave alone what waits, for this reason.
    Reject {
        /// Why, in the words of the person; may be empty.
        reason: String,
    },
    /// Leave this cluster alone.
    Ignore,
    /// Two clusters are one.
    Merge {
        /// The one that stays.
        into: String,
        /// The one that goes.
        from: String,
    },
    /// What this issue shows is not that cluster.
    Split {
        /// The cluster.
        cluster: String,
    },
    /// Do not count this case.
    Quarantine {
        /// The case.
        case: String,
    },
    /// Count this case again.
    Restore {
        /// The case.
        case: String,
    },
    /// Read this issue again.
    Retry,
    /// Measure this pull request.
    Gate,
    /// Say which commands there are.
    Help,
}

/// A line that begins like a command and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, shortened.
    pub given: String,
    /// What may have been meant, or how the command is written.
    pub right: Option<&'static str>,
}

/// A command as help shows it: how it is written, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The verb.
    pub verb: &'static str,
    /// The whole line.
    pub line: &'static str,
    /// What it does.
    pub does: &'static str,
}

/// Every command, in the order of help.
pub const HELP: &[Form] = &[
    form("run", "/sprag run", "runs the loop now"),
    form(
        "status",
        "/sprag status",
        "says where clusters, pull requests and the last run stand",
    ),
    form(
        "accept",
        "/sprag accept [<cluster or case>]",
        "works on the cluster of this issue next, also if it was ignored; or lets in what waits for a person",
    ),
    form(
        "reject",
        "/sprag reject [<cluster or case>] <reason>",
        "closes sprag's pull request, and the reason is shown with the next proposal; or leaves alone what waits for a person",
    ),
    form("ignore", "/sprag ignore", "leaves the cluster of this issue alone"),
    form(
        "merge",
        "/sprag merge <cluster> <cluster>",
        "makes the second cluster part of the first",
    ),
    form(
        "split",
        "/sprag split <cluster>",
        "takes what this issue shows out of the cluster",
    ),
    form(
        "quarantine",
        "/sprag quarantine <case>",
        "does not count a case that wavers",
    ),
    form("restore", "/sprag restore <case>", "counts a case again"),
    form(
        "retry",
        "/sprag retry",
        "reads this issue again, and takes its label as confirmed",
    ),
    form(
        "gate",
        "/sprag gate",
        "measures this pull request, also one from a fork",
    ),
    form("help", "/sprag help", "shows this table"),
];

const fn form(verb: &'static str, line: &'static str, does: &'static str) -> Form {
    Form { verb, line, does }
}

impl fmt::Display for SlashCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/sprag {}", self.verb())
    }
}

impl SlashCommand {
    /// The word after `/sprag`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Status => "status",
            Self::Accept { .. } => "accept",
            Self::Reject { .. } => "reject",
            Self::Ignore => "ignore",
            Self::Merge { .. } => "merge",
            Self::Split { .. } => "split",
            Self::Quarantine { .. } => "quarantine",
            Self::Restore { .. } => "restore",
            Self::Retry => "retry",
            Self::Gate => "gate",
            Self::Help => "help",
        }
    }
}

/// What somebody must be allowed to do for a command to count.
pub fn needed(command: &SlashCommand) -> Permission {
    match command {
        SlashCommand::Status | SlashCommand::Help => Permission::Triage,
        _ => Permission::Write,
    }
}

/// The commands of a comment, in their order, at most [`MAX_COMMANDS`].
pub fn parse(body: &str) -> Vec<Result<SlashCommand, Problem>> {
    let commands = spoken(body).into_iter().filter_map(|line| command(&line));
    commands.take(MAX_COMMANDS).collect()
}

/// Whether a comment gives a command; one that only talks about it does not.
pub fn gives(body: &str, wanted: &SlashCommand) -> bool {
    parse(body).iter().any(|command| command.as_ref() == Ok(wanted))
}

/// The lines of a text that its author says: no code, no quotes, no HTML comments.
fn spoken(body: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fence: Option<String> = None;
    let mut hidden = false;
    for line in body.lines() {
        let start = line.trim_start();
        if let Some(ticks) = &fence {
            if start.trim_end().starts_with(ticks.as_str()) && start.trim_end().chars().all(|c| ticks.starts_with(c)) {
                fence = None;
            }
            continue;
        }
        let ticks: String = start
            .chars()
            .take_while(|&c| start.starts_with(c) && matches!(c, '`' | '~'))
            .collect();
        if ticks.len() >= 3 && !hidden {
            fence = Some(ticks);
            continue;
        }
        // Four spaces begin a code block.
        let indented = line.starts_with("    ") || line.starts_with('\t');
        let (seen, still_hidden) = without_comments(line, hidden);
        hidden = still_hidden;
        if !indented && !start.starts_with('>') {
            lines.push(seen);
        }
    }
    lines
}

/// A line without its HTML comments, and whether one goes on at its end.
fn without_comments(line: &str, mut hidden: bool) -> (String, bool) {
    let mut seen = String::new();
    let mut rest = line;
    loop {
        let mark = if hidden { "-->" } else { "<!--" };
        let (before, after) = rest
            .split_once(mark)
            .map_or((rest, None), |(before, after)| (before, Some(after)));
        if !hidden {
            seen.push_str(before);
        }
        match after {
            Some(after) => rest = after,
            None => return (seen, hidden),
        }
        hidden = !hidden;
    }
}

fn command(line: &str) -> Option<Result<SlashCommand, Problem>> {
    let line = line.trim();
    let mut words = line.split_whitespace();
    if !words.next()?.eq_ignore_ascii_case("/sprag") {
        return None;
    }
    let verb = words.next().unwrap_or("help").to_lowercase();
    let arguments: Vec<&str> = words.collect();
    let form = HELP.iter().find(|form| form.verb == verb);
    let problem = |right: Option<&'static str>| Problem {
        given: line.chars().take(100).collect(),
        right,
    };
    let Some(form) = form else {
        return Some(Err(problem(nearest(&verb))));
    };
    let one = |at: usize| arguments.get(at).map(|word| (*word).to_owned()).unwrap_or_default();
    let command = match (form.verb, arguments.len()) {
        ("run", 0) => SlashCommand::Run,
        ("status", 0) => SlashCommand::Status,
        ("accept", 0) => SlashCommand::Accept { what: None },
        ("accept", 1) => SlashCommand::Accept { what: Some(one(0)) },
        ("ignore", 0) => SlashCommand::Ignore,
        ("retry", 0) => SlashCommand::Retry,
        ("gate", 0) => SlashCommand::Gate,
        ("help", _) => SlashCommand::Help,
        ("reject", 1..) => SlashCommand::Reject {
            reason: arguments.join(" ").chars().take(MAX_REASON).collect(),
        },
        ("merge", 2) => SlashCommand::Merge {
            into: one(0),
            from: one(1),
        },
        ("split", 1) => SlashCommand::Split { cluster: one(0) },
        ("quarantine", 1) => SlashCommand::Quarantine { case: one(0) },
        ("restore", 1) => SlashCommand::Restore { case: one(0) },
        _ => return Some(Err(problem(Some(form.line)))),
    };
    Some(Ok(command))
}

/// The form whose verb is at most two letters away.
fn nearest(verb: &str) -> Option<&'static str> {
    let near = HELP.iter().map(|form| (distance(verb, form.verb), form.line));
    near.filter(|(distance, _)| *distance <= 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, line)| line)
}

/// Levenshtein's distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(50).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(body: &str) -> Vec<String> {
        let told = |command: Result<SlashCommand, Problem>| match command {
            Ok(command) => format!("{command:?}"),
            Err(problem) => format!("{} -> {:?}", problem.given, problem.right),
        };
        parse(body).into_iter().map(told).collect()
    }

    #[test]
    fn commands_stand_at_the_beginning_of_a_line_in_any_case() {
        let body = "Thanks!\n  /SPRAG Ignore\n/sprag reject  too broad,\tit breaks refunds\n/sprag";
        assert_eq!(
            heard(body),
            ["Ignore", "Reject { reason: \"too broad, it breaks refunds\" }", "Help"]
        );
    }

    #[test]
    fn what_is_only_talked_about_is_no_command() {
        let bodies = [
            "you can write /sprag run",
            "> /sprag run",
            "```\n/sprag run\n```",
            "~~~~\n/sprag run\n~~~\n/sprag run\n~~~~",
            "    /sprag run",
            "<!-- \n/sprag run\n-->",
            "<!-- x --><!--\n/sprag run -->",
            "/spragrun",
            "`/sprag run`",
        ];
        for body in bodies {
            assert_eq!(heard(body), [""; 0], "{body}");
        }
        assert!(!gives("do not write `/sprag run` yet", &SlashCommand::Run));
        assert!(gives("Now:\n/sprag run", &SlashCommand::Run));
        assert_eq!(heard("```\nx\n```\n/sprag run"), ["Run"]);
        assert_eq!(heard("<!-- x -->/sprag run"), ["Run"]);
    }

    #[test]
    fn a_typo_gets_the_nearest_command_and_a_wrong_number_of_words_the_right_form() {
        assert_eq!(heard("/sprag ignroe"), ["/sprag ignroe -> Some(\"/sprag ignore\")"]);
        assert_eq!(heard("/sprag dance"), ["/sprag dance -> None"]);
        assert_eq!(
            heard("/sprag accept\n/sprag accept case-1"),
            ["Accept { what: None }", "Accept { what: Some(\"case-1\") }"]
        );
        assert_eq!(
            heard("/sprag merge c-1"),
            ["/sprag merge c-1 -> Some(\"/sprag merge <cluster> <cluster>\")"]
        );
        assert_eq!(
            heard("/sprag reject"),
            ["/sprag reject -> Some(\"/sprag reject [<cluster or case>] <reason>\")"]
        );
    }

    #[test]
    fn all_but_looking_needs_write_access() {
        for form in HELP {
            let line = form
                .line
                .replace("[<cluster or case>]", "c-1")
                .replace("<cluster>", "c-1")
                .replace("<case>", "case-1")
                .replace("<reason>", "no");
            let command = parse(&line).remove(0).unwrap();
            let looks = matches!(command, SlashCommand::Status | SlashCommand::Help);
            assert_eq!(needed(&command) == Permission::Write, !looks, "{line}");
            assert_eq!(command.verb(), form.verb);
        }
    }

    #[test]
    fn a_flood_of_commands_is_cut_off() {
        assert_eq!(heard(&"/sprag dance\n".repeat(1_000)).len(), MAX_COMMANDS);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_in_a_fence_is_heard(text in "\\PC{0,200}") {
            parse(&text);
            let fenced = format!("`````\n{}\n/sprag run\n`````", text.replace('`', ""));
            prop_assert!(parse(&fenced).is_empty());
        }
    }
}
