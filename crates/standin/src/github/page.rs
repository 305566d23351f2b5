//! What a person would see on GitHub's pages, as plain text.

use super::world::{Issue, Pull, Repo, World};
use std::fmt::Write;

/// Everything in every repository, in order.
pub(super) fn page(world: &World) -> String {
    let mut text = String::new();
    for repo in world.repos.values() {
        repository(&mut text, repo).expect("a string takes everything");
    }
    text
}

fn repository(text: &mut String, repo: &Repo) -> std::fmt::Result {
    writeln!(text, "=== {} ===", repo.name)?;
    for issue in &repo.issues {
        one(text, repo, issue)?;
    }
    writeln!(text, "\nbranches")?;
    for (branch, sha) in repo.git.branches() {
        let (_, _, message) = repo.git.describe(&sha);
        writeln!(text, "  {branch}: {}", message.lines().next().unwrap_or_default())?;
        for check in repo.checks.iter().filter(|check| check.head_sha == sha) {
            let conclusion = check.conclusion.as_deref().unwrap_or(&check.status);
            writeln!(
                text,
                "    check {} [{conclusion}] {}",
                check.name,
                check.title.as_deref().unwrap_or_default()
            )?;
            indent(text, check.summary.as_deref().unwrap_or_default(), 6)?;
            for annotation in &check.annotations {
                let at = |name: &str| annotation[name].to_string().replace('"', "");
                writeln!(
                    text,
                    "      {} {}:{} {}",
                    at("annotation_level"),
                    at("path"),
                    at("start_line"),
                    at("message")
                )?;
            }
            for action in &check.actions {
                writeln!(text, "      ({})", action["label"].as_str().unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

fn one(text: &mut String, repo: &Repo, issue: &Issue) -> std::fmt::Result {
    let labels = if issue.labels.is_empty() {
        String::new()
    } else {
        format!(" {{{}}}", issue.labels.join(", "))
    };
    let kind = if issue.pull.is_some() { "pull request" } else { "issue" };
    writeln!(
        text,
        "\n{kind} #{} [{}] {}{labels}",
        issue.number,
        state(issue),
        issue.title
    )?;
    write!(text, "  by {}", issue.author)?;
    match &issue.pull {
        Some(Pull { head, base, .. }) => writeln!(text, ", {head} into {base}")?,
        None => writeln!(text)?,
    }
    indent(text, issue.body.as_deref().unwrap_or_default(), 4)?;
    for comment in repo.comments.iter().filter(|comment| comment.issue == issue.number) {
        let reactions: Vec<String> = comment
            .reactions
            .iter()
            .map(|(_, who, what)| format!("{what} by {who}"))
            .collect();
        let reactions = if reactions.is_empty() {
            String::new()
        } else {
            format!(" ({})", reactions.join(", "))
        };
        let edited = if comment.updated_at == comment.created_at {
            ""
        } else {
            ", edited"
        };
        writeln!(text, "  -- {}{edited}{reactions}", comment.author)?;
        indent(text, &comment.body, 4)?;
    }
    Ok(())
}

fn state(issue: &Issue) -> String {
    match (&issue.pull, &issue.closed) {
        (Some(Pull { merged: Some(_), .. }), _) => "merged".to_owned(),
        (Some(Pull { draft: true, .. }), None) => "draft".to_owned(),
        (_, None) => "open".to_owned(),
        (Some(_), Some(_)) => "closed".to_owned(),
        (None, Some(_)) => format!("closed as {}", issue.state_reason.as_deref().unwrap_or("completed")),
    }
}

fn indent(text: &mut String, body: &str, by: usize) -> std::fmt::Result {
    for line in body.lines() {
        writeln!(text, "{}", format!("{:by$}{line}", "").trim_end())?;
    }
    Ok(())
}
