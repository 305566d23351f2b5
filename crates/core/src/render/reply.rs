//! What sprag answers to commands in a comment.

use super::markdown::{Markdown, escape, inline_code, marker, truncate};
use super::words;
use crate::book::{Book, PullState};
use crate::command::{HELP, Problem, SlashCommand};
use crate::github::Permission;

/// The answer to one command.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It was done; a sentence of ours.
    Done {
        /// Markdown.
        text: String,
    },
    /// It has no meaning where it stands.
    NotHere {
        /// Why, Markdown.
        text: String,
    },
    /// Whoever gave it may not.
    Refused {
        /// The command.
        command: SlashCommand,
        /// What they may do.
        has: Permission,
        /// What it takes.
        needs: Permission,
    },
    /// It is no command.
    NotUnderstood {
        /// What it is.
        problem: Problem,
    },
    /// The table of commands.
    Help,
    /// Where things stand, Markdown.
    Status {
        /// Made by [`status`].
        text: String,
    },
}

impl Reply {
    /// Whether the command was followed.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Help | Self::Status { .. })
    }
}

/// The whole answer to a comment; what was said once is not said again.
pub fn reply(replies: &[Reply]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in replies.iter().map(one) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join("\n\n")
}

/// The hidden marker of the answer to a comment.
pub fn reply_marker(comment: u64) -> String {
    marker("reply", &[("comment", &comment.to_string())])
}

/// The answer to a comment as it is published: what [`reply`] made, found again by its marker.
pub fn reply_comment(comment: u64, reply: &str) -> Markdown {
    Markdown::new(format!("{}\n\n{reply}\n", reply_marker(comment)))
}

fn one(reply: &Reply) -> String {
    match reply {
        Reply::Done { text } => format!("Done: {text}."),
        Reply::NotHere { text } => format!("That means nothing here: {text}."),
        Reply::Refused { command, has, needs } => format!(
            "`/sprag {}` needs {} access to this repository; you have {}.",
            command.verb(),
            word(*needs),
            word(*has)
        ),
        Reply::NotUnderstood { problem } => {
            let given = inline_code(&truncate(&problem.given, 100));
            match problem.right {
                Some(right) => format!("{given} is not a command. Did you mean `{right}`?"),
                None => format!("{given} is not a command. `/sprag help` shows those that there are."),
            }
        }
        Reply::Help => help(),
        Reply::Status { text } => text.clone(),
    }
}

fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::None => "no",
        Permission::Read => "read",
        Permission::Triage => "triage",
        Permission::Write => "write",
        Permission::Maintain => "maintain",
        Permission::Admin => "admin",
    }
}

fn help() -> String {
    let mut text = String::from("| command | what it does |\n|---|---|\n");
    for form in HELP {
        text += &format!("| `{}` | {} |\n", form.line, form.does);
    }
    text + "\nCommands stand at the beginning of a line and count for people with write access; `status` and `help` for triage too."
}

/// Where clusters, pull requests and the last run stand.
pub fn status(book: &Book) -> String {
    let ranked = book.clusters.ranked();
    let open = book.pulls.iter().filter(|(_, pull)| pull.state == PullState::Open);
    let waiting: Vec<String> = open.map(|(number, _)| format!("#{number}")).collect();
    let mut text = format!(
        "{} in {}, {} unresolved; pull requests that wait for review: {}; {} so far.\n",
        words::count(book.records.len(), "failure"),
        words::count(book.clusters.clusters.len(), "cluster"),
        ranked.len(),
        if waiting.is_empty() {
            "none".to_owned()
        } else {
            waiting.join(", ")
        },
        words::count(book.n_runs(), "run"),
    );
    if ranked.is_empty() {
        return text;
    }
    text += "\n| rank | cluster | failures | resolved | state | why it has its rank |\n|---:|---|---:|---:|---|---|\n";
    for (rank, (_, cluster)) in (1..).zip(ranked.iter().take(10)) {
        text += &format!(
            "| {rank} | {} `{}` | {} | {} | {} | {} |\n",
            escape(&truncate(&cluster.title, 120)),
            cluster.id,
            cluster.total_failures(),
            cluster.resolved(),
            words::cluster_state(cluster.state),
            book.clusters
                .rank_of(&cluster.id)
                .map_or_else(String::new, |rank| words::rank(&rank))
        );
    }
    text + "\nRank: recent failures × (1 + share of all failed runs) × weight of the severity × (1 − resolved share).\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_answer_is_told() {
        let replies = [
            Reply::Done {
                text: "this issue is read again".to_owned(),
            },
            Reply::Refused {
                command: SlashCommand::Run,
                has: Permission::Read,
                needs: Permission::Write,
            },
            Reply::NotUnderstood {
                problem: Problem {
                    given: "/sprag ignroe @all".to_owned(),
                    right: Some("/sprag ignore"),
                },
            },
        ];
        insta::assert_snapshot!(reply(&replies), @r"
        Done: this issue is read again.

        `/sprag run` needs write access to this repository; you have read.

        `/sprag ignroe @all` is not a command. Did you mean `/sprag ignore`?
        ");
    }

    #[test]
    fn what_was_said_once_is_not_said_again() {
        assert_eq!(reply(&[Reply::Help, Reply::Help]), reply(&[Reply::Help]));
    }

    #[test]
    fn help_names_every_command() {
        let text = reply(&[Reply::Help]);
        assert!(HELP.iter().all(|form| text.contains(&format!("`{}`", form.line))));
    }
}
