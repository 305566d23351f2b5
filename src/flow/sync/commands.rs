//! Hears the commands that people give in comments, and the boxes that they tick on the dashboard.

use super::{Hub, Notebook, Report};
use crate::flow::FlowError;
use crate::forge::{ErrorClass, Reaction};
use sprag_core::book::Book;
use sprag_core::case::EvalCase;
use sprag_core::cluster::ClusterState;
use sprag_core::command::{self, Problem, SlashCommand};
use sprag_core::curation::Subject;
use sprag_core::fact::{Decision, What};
use sprag_core::github::{Comment, Permission};
use sprag_core::id::{CaseId, ClusterId};
use sprag_core::render::reply::{self, Reply};
use sprag_core::render::{dashboard, labels, markdown, waiting};
use sprag_core::webhook::{Button, CheckHint};

/// The stream of comments among the cursors.
const COMMENTS: &str = "comments";

/// Hears what was not heard yet. A comment is heard once, as it stands then: a later edit changes nothing.
pub(super) async fn hear(hub: &Hub<'_>, notebook: &mut Notebook, report: &mut Report) -> Result<(), FlowError> {
    let since = notebook.book().cursors.get(COMMENTS).cloned();
    // What was said before sprag came was not said to it, but for the words that called it.
    let since = since
        .or_else(|| super::days_before(&notebook.now(), 1))
        .unwrap_or_default();
    let comments = hub.forge.comments(Some(&since)).await?;
    for comment in &comments {
        let heard = notebook.book().commands.contains_key(&comment.id);
        if heard || comment.author.bot || markdown::is_ours(&comment.body) {
            continue;
        }
        let commands = command::parse(&hub.redactor().text(&comment.body));
        if !commands.is_empty() {
            answer(hub, notebook, comment, &commands).await?;
            report.commands += 1;
        }
    }
    let cursor = comments.iter().map(|comment| comment.updated_at.clone()).max();
    notebook.note(What::ReadUntil {
        stream: COMMENTS.to_owned(),
        cursor: cursor.unwrap_or(since),
    });
    Ok(notebook.keep()?)
}

async fn answer(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    comment: &Comment,
    commands: &[Result<SlashCommand, Problem>],
) -> Result<(), FlowError> {
    match hub.forge.react(comment.id, Reaction::Eyes).await {
        Ok(()) => {}
        // It was deleted meanwhile; or reactions are not for us, and the answer is.
        Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Gone) => return Ok(()),
        Err(error) if matches!(error.class(), ErrorClass::Forbidden | ErrorClass::Invalid) => {}
        Err(error) => return Err(error.into()),
    }
    let has = hub.forge.permission_of(&comment.author).await?;
    let mut decisions = Vec::new();
    let mut replies = Vec::new();
    // Anybody can comment on a public repository. Those who may not even look get a thumb, and no words that others have to read.
    let heard = if has < Permission::Triage { &[][..] } else { commands };
    for command in heard {
        match command {
            Err(problem) => replies.push(Reply::NotUnderstood {
                problem: problem.clone(),
            }),
            Ok(command) if has < command::needed(command) => replies.push(Reply::Refused {
                command: command.clone(),
                has,
                needs: command::needed(command),
            }),
            Ok(command) => {
                let (decided, reply) = decide(notebook.book(), &hub.suite, comment, command);
                decisions.extend(decided);
                replies.push(reply);
            }
        }
    }
    let refused = !replies.iter().any(Reply::is_done);
    notebook.note(What::Commanded {
        comment: comment.id,
        on: comment.issue,
        by: comment.author.login.clone(),
        decisions,
        reply: reply::reply(&replies),
        refused,
    });
    Ok(())
}

/// What a command decides here, and what is said to it.
fn decide(book: &Book, suite: &[EvalCase], comment: &Comment, command: &SlashCommand) -> (Vec<Decision>, Reply) {
    let on = comment.issue;
    let clusters = about(book, on);
    let resolved = |cluster: &ClusterId| book.state_of(cluster) == Some(ClusterState::Resolved);
    let done = |text: String| Reply::Done { text };
    let nothing = |text: &str| (Vec::new(), Reply::NotHere { text: text.to_owned() });
    match command {
        SlashCommand::Help => (Vec::new(), Reply::Help),
        SlashCommand::Status => (
            Vec::new(),
            Reply::Status {
                text: reply::status(book),
            },
        ),
        SlashCommand::Run => (
            Vec::new(),
            done("a run was asked for; the `run` job of the workflow takes it up".to_owned()),
        ),
        SlashCommand::Gate if !comment.on_pull => nothing("the gates measure pull requests, and this is none"),
        SlashCommand::Gate => (
            Vec::new(),
            done("the gates were asked for; the `gate` job of the workflow measures this pull request".to_owned()),
        ),
        SlashCommand::Retry => (
            vec![Decision::Retry { issue: on }],
            done("this issue is read again".to_owned()),
        ),
        SlashCommand::Accept { what: Some(id) } => let_in(book, id),
        SlashCommand::Ignore | SlashCommand::Accept { what: None } if clusters.is_empty() => {
            nothing("nothing here belongs to a cluster")
        }
        SlashCommand::Ignore => {
            let told = format!("{} left alone until somebody says `/sprag accept`", names(&clusters));
            let decisions = clusters.into_iter().map(|cluster| Decision::Ignore { cluster });
            (decisions.collect(), done(told))
        }
        SlashCommand::Accept { what: None } if clusters.iter().all(resolved) => {
            nothing("it is resolved already; if it fails again, it opens by itself")
        }
        SlashCommand::Accept { what: None } => {
            let told = format!("{} worked on next", names(&clusters));
            let decisions = clusters.into_iter().map(|cluster| Decision::Prefer { cluster });
            (decisions.collect(), done(told))
        }
        SlashCommand::Reject { reason } => reject(book, on, &clusters, reason),
        SlashCommand::Merge { into, from } => match (found(book, into), found(book, from)) {
            (Some(into), Some(from)) if into != from => {
                let told = format!("`{from}` is part of `{into}` now");
                (vec![Decision::Merge { into, from }], done(told))
            }
            _ => nothing("name two different clusters as the dashboard shows them, such as `c-1a2b3c4d`"),
        },
        SlashCommand::Split { cluster } => {
            let records = book
                .issues
                .get(&on)
                .map(|issue| issue.records.clone())
                .unwrap_or_default();
            let members = |id: &ClusterId| book.clusters.clusters.get(id).map(|cluster| &cluster.members);
            let all = |id: &ClusterId| {
                members(id).is_some_and(|members| members.keys().all(|member| records.contains(member)))
            };
            match found(book, cluster) {
                Some(cluster) if all(&cluster) => nothing("the cluster has no other failures than those of this issue"),
                Some(cluster) if !records.is_empty() => {
                    let told = format!("what this issue shows left `{cluster}` and is a cluster of its own");
                    (vec![Decision::Split { cluster, records }], done(told))
                }
                _ => nothing("write it on an issue whose failure is in that cluster"),
            }
        }
        SlashCommand::Quarantine { case } => count(suite, case, false),
        SlashCommand::Restore { case } => count(suite, case, true),
    }
}

/// Whether a case of the suite is counted.
fn count(suite: &[EvalCase], id: &str, counted: bool) -> (Vec<Decision>, Reply) {
    let Some(case) = suite.iter().map(|case| &case.id).find(|case| case.as_str() == id) else {
        let text = "the regression suite has no such case; check runs and `.sprag/suite` name them, such as `case-1a2b3c4d5e6f`";
        return (Vec::new(), Reply::NotHere { text: text.to_owned() });
    };
    let case = case.clone();
    let (decision, told) = match counted {
        true => (Decision::Restore { case }, "counted again"),
        false => (Decision::Quarantine { case }, "not counted any more"),
    };
    let text = format!("case `{}` is {told}", markdown::escape(id));
    (vec![decision], Reply::Done { text })
}

/// Takes a button that was pressed on one of our check runs as the decision that it is. Pressing it leaves no trace on GitHub but the event, so
/// this alone of all that sprag does goes by one; who pressed it is asked of GitHub all the same. What is said of it comes back.
pub async fn press(hub: &Hub<'_>, notebook: &mut Notebook, check: &CheckHint) -> Result<Option<String>, FlowError> {
    let (Some(Button::Quarantine), Some(pull)) = (check.pressed, check.pull) else {
        return Ok(None);
    };
    if hub.forge.permission(&check.by).await? < Permission::Write {
        return Ok(Some(format!(
            "{} may not quarantine: that needs write access",
            check.by
        )));
    }
    let cases = broken_cases(hub, pull, check.id).await?;
    if cases.is_empty() {
        return Ok(Some(format!("no case of the regression suite is broken by #{pull}")));
    }
    let told = cases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    notebook.note(What::Pressed {
        check: check.id,
        by: check.by.clone(),
        decisions: cases.into_iter().map(|case| Decision::Quarantine { case }).collect(),
    });
    notebook.keep()?;
    Ok(Some(format!("{told} quarantined, as {} wished", check.by)))
}

/// The cases of the suite that a check run of ours on the newest commit of a pull request names as broken.
async fn broken_cases(hub: &Hub<'_>, pull: u64, check: u64) -> Result<Vec<CaseId>, FlowError> {
    let head = hub.forge.pull(pull).await?.head_sha;
    let files = hub.forge.annotated_files(&head, check).await?;
    let cases = hub.suite.iter().map(|case| &case.id);
    let named = |case: &&CaseId| files.iter().any(|file| file.ends_with(&EvalCase::file_of(case)));
    Ok(cases.filter(named).cloned().collect())
}

/// Lets in what is named.
fn let_in(book: &Book, id: &str) -> (Vec<Decision>, Reply) {
    let Some(of) = new(book, id) else {
        let text = "name a cluster as the dashboard shows it, or a case that waits there".to_owned();
        return (Vec::new(), Reply::NotHere { text });
    };
    let text = format!("`{}` is let in", markdown::escape(id));
    let decision = Decision::Review {
        of,
        accepted: true,
        reason: String::new(),
    };
    (vec![decision], Reply::Done { text })
}

/// Leaves alone what is named; else closes the pull request that stands here, or that of one of the clusters; else leaves the clusters alone.
fn reject(book: &Book, on: u64, clusters: &[ClusterId], reason: &str) -> (Vec<Decision>, Reply) {
    let leave = |of: Subject, reason: &str| Decision::Review {
        of,
        accepted: false,
        reason: reason.to_owned(),
    };
    let (first, rest) = reason.split_once(' ').unwrap_or((reason, ""));
    if let Some(of) = new(book, first) {
        let text = format!(
            "`{}` is left alone until somebody says `/sprag accept {first}`",
            markdown::escape(first)
        );
        return (vec![leave(of, rest)], Reply::Done { text });
    }
    let here = book.pulls.contains_key(&on).then_some(on);
    let pull = here.or_else(|| clusters.iter().find_map(|cluster| Some(book.open_pull(cluster)?.0)));
    if let Some(pull) = pull {
        let decision = Decision::Reject {
            pull,
            reason: reason.to_owned(),
        };
        let text = format!("#{pull} is closed, and the reason is shown with the next proposal for its cluster");
        return (vec![decision], Reply::Done { text });
    }
    if clusters.is_empty() {
        let text = "there is no pull request of sprag here".to_owned();
        return (Vec::new(), Reply::NotHere { text });
    }
    let text = format!("{} left alone until somebody says `/sprag accept`", names(clusters));
    let decisions = clusters.iter().map(|id| leave(Subject::Cluster(id.clone()), reason));
    (decisions.collect(), Reply::Done { text })
}

/// A cluster, or a case of the newest run that has not been let in.
fn new(book: &Book, id: &str) -> Option<Subject> {
    if let Some(cluster) = found(book, id) {
        return Some(Subject::Cluster(cluster));
    }
    let state = book.run(book.latest_run()?)?;
    let case = state.cases.candidates().find(|case| case.id.as_str() == id)?;
    Some(Subject::Case(case.id.clone()))
}

/// The clusters that an issue or pull request is about.
fn about(book: &Book, on: u64) -> Vec<ClusterId> {
    match book.pulls.get(&on) {
        Some(pull) => vec![pull.cluster.clone()],
        None => book.clusters_of(on),
    }
}

fn found(book: &Book, id: &str) -> Option<ClusterId> {
    book.clusters
        .clusters
        .keys()
        .find(|cluster| cluster.as_str() == id)
        .cloned()
}

fn names(clusters: &[ClusterId]) -> String {
    let names: Vec<String> = clusters.iter().map(|cluster| format!("`{cluster}`")).collect();
    match names.len() {
        1 => format!("cluster {} is", names[0]),
        _ => format!("clusters {} are", names.join(", ")),
    }
}

/// Takes over the boxes that people changed on the dashboard since it was written: whoever may edit it may say what is worked on next.
pub(super) async fn boxes(hub: &Hub<'_>, notebook: &mut Notebook) -> Result<(), FlowError> {
    let board = hub.forge.kept_issue(dashboard::MARKER, labels::DASHBOARD.name).await?;
    let body = board.map(|board| board.body).unwrap_or_default();
    let (clusters, cases) = (dashboard::changed(&body), waiting::ticked(&body));
    if !clusters.is_empty() || !cases.is_empty() {
        notebook.note(What::Ticked { clusters, cases });
        notebook.keep()?;
    }
    Ok(())
}
